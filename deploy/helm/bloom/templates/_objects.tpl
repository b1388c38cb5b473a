{{/* Everything that a process is made of, whichever way it is scaled. Takes the process. */}}
{{- define "bloom.objects" }}
---
{{ include "bloom-process.deployment" . }}
---
{{ include "bloom-process.service" . }}
---
{{ include "bloom-process.disruptionBudget" . }}
{{- if eq .values.autoscaling.by "resources" }}
---
{{ include "bloom-process.autoscaler" . }}
{{- else if eq .values.autoscaling.by "lag" }}
---
{{ include "bloom-process.lagScaler" . }}
{{- end }}
{{- end }}

{{/* The gateway in the same shape: Envoy, with the configuration that its image renders from the routes table. */}}
{{- define "bloom.gateway" -}}
{{- $platform := include "bloom.platform" . | fromYaml -}}
name: gateway
kind: gateway
release: {Name: {{ .Release.Name }}, Service: {{ .Release.Service }}}
version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
image: {{ include "bloom.image" (dict "root" . "image" "gateway") | quote }}
pullPolicy: {{ .Values.image.pullPolicy }}
pullSecrets: {{ toJson .Values.image.pullSecrets }}
args:
  - --target=kubernetes
  - --trusted-hops={{ .Values.gateway.trustedHops }}
  {{- with .Values.tokenIssuer }}
  - --issuer={{ . }}
  {{- end }}
  {{- range $name, $host := $platform.gatewayUpstreams }}
  - --upstream={{ $name }}={{ $host }}:80
  {{- end }}
  {{- range .Values.gateway.hosts }}
  - --host={{ . }}
  {{- end }}
  {{- range .Values.gateway.origins }}
  - --origin={{ . }}
  {{- end }}
env: []
port: 8080
portName: http
live: /health/live
ready: /health/live
serves: true
# Envoy's own figures are on its loopback port alone.
measured: false
account: bloom-gateway
drainSeconds: 30
listensTo: []
volumes: [{name: scratch, emptyDir: {sizeLimit: {{ .Values.scratch }}}}]
mounts: [{name: scratch, mountPath: /tmp}]
podLabels:
  bloom/service: gateway
  {{- include "bloom.meshLabels" . | nindent 2 }}
podAnnotations:
  {{- include "bloom.meshAnnotations" . | nindent 2 }}
values: {{- include "bloom.processValues" (dict "root" . "service" "gateway" "kind" "gateway") | nindent 2 }}
{{- end }}
