{{/* What is known about the system: services, processes, ports, edges, topics. Made by `make events`. */}}
{{- define "bloom.platform" -}}
{{ .Files.Get "files/platform.yaml" }}
{{- end }}

{{/* The image of a component: as it is pinned, else by its digest where one is given, else by tag. Takes root and image. */}}
{{- define "bloom.image" -}}
{{- $digest := get .root.Values.image.digests .image -}}
{{- $pinned := get .root.Values.image.pinned .image -}}
{{- if $pinned -}}
{{ $pinned }}
{{- else if $digest -}}
{{ .root.Values.image.registry }}/{{ .image }}@{{ $digest }}
{{- else -}}
{{ .root.Values.image.registry }}/{{ .image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Labels of what belongs to the platform as a whole. Takes the root. */}}
{{- define "bloom.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: bloom
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What a mesh wants to find on a pod. Takes the root. */}}
{{- define "bloom.meshLabels" -}}
{{- if eq .Values.mesh.kind "istio" -}}
sidecar.istio.io/inject: "true"
{{- end -}}
{{- end }}
{{- define "bloom.meshAnnotations" -}}
{{- if eq .Values.mesh.kind "linkerd" -}}
linkerd.io/inject: enabled
config.linkerd.io/skip-outbound-ports: {{ .Values.mesh.skipPorts | quote }}
{{- else if eq .Values.mesh.kind "istio" -}}
proxy.istio.io/config: '{"holdApplicationUntilProxyStarts": true}'
traffic.sidecar.istio.io/excludeOutboundPorts: {{ .Values.mesh.skipPorts | quote }}
{{- end -}}
{{- end }}

{{/* The values of a process: those of its kind, changed by what the service says. Takes root, service and kind. */}}
{{- define "bloom.processValues" -}}
{{- $own := dig .service "processes" .kind dict .root.Values.services -}}
{{- toYaml (mergeOverwrite (deepCopy (get .root.Values.processes .kind)) (deepCopy $own)) -}}
{{- end }}

{{/* Volumes of every process: scratch space, the trusted authorities, and files with keys where the service has them. */}}
{{- define "bloom.volumes" -}}
- name: scratch
  emptyDir: {sizeLimit: {{ .root.Values.scratch }}}
{{- if include "bloom.hasTrust" .root }}
- name: trust
  configMap: {name: {{ .trust | default "bloom-trust" }}}
{{- end }}
{{- range $name, $kinds := dig .service "secretFiles" dict .root.Values.services }}
{{- if has $.kind $kinds }}
- name: {{ $name }}
  secret: {secretName: {{ $name }}}
{{- end }}
{{- end }}
{{- end }}
{{- define "bloom.mounts" -}}
- {name: scratch, mountPath: /tmp}
{{- if include "bloom.hasTrust" .root }}
- {name: trust, mountPath: /etc/bloom/trust, readOnly: true}
{{- end }}
{{- range $name, $kinds := dig .service "secretFiles" dict .root.Values.services }}
{{- if has $.kind $kinds }}
- {name: {{ $name }}, mountPath: /run/secrets/{{ $name }}, subPath: {{ $name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- define "bloom.hasTrust" -}}
{{- if .Values.trust.bundle }}yes{{ end -}}
{{- end }}

{{/* One process of a service in the shape that the library chart takes. Takes root, service, facts, kind and process. */}}
{{- define "bloom.process" -}}
{{- $serves := eq .process.portVariable "PORT" -}}
{{- $settings := include "bloom.settings" . -}}
name: {{ .service }}-{{ .kind }}
kind: {{ .kind }}
release: {Name: {{ .root.Release.Name }}, Service: {{ .root.Release.Service }}}
version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
image: {{ include "bloom.image" (dict "root" .root "image" .service) | quote }}
pullPolicy: {{ .root.Values.image.pullPolicy }}
pullSecrets: {{ toJson .root.Values.image.pullSecrets }}
args: [{{ .kind }}]
env: {{- include "bloom.environment" . | nindent 2 }}
port: {{ .process.port }}
portName: {{ ternary "http" "probe" $serves }}
live: /health/live
ready: /health/ready
serves: {{ $serves }}
measured: true
account: bloom-{{ .service }}
drainSeconds: {{ .facts.shutdownSeconds }}
group: {{ .service }}
listensTo: {{ toJson (.process.listensTo | default list) }}
kafka: {{ toJson .root.Values.kafka }}
volumes: {{- include "bloom.volumes" . | nindent 2 }}
mounts: {{- include "bloom.mounts" . | nindent 2 }}
podLabels:
  bloom/service: {{ .service }}
  {{- include "bloom.meshLabels" .root | nindent 2 }}
podAnnotations:
  # A pod reads its settings once, at its start: another setting is another pod.
  checksum/settings: {{ sha256sum $settings }}
  {{- include "bloom.meshAnnotations" .root | nindent 2 }}
values: {{- include "bloom.processValues" . | nindent 2 }}
{{- end }}
