{{/* What the restricted Pod Security level asks of a pod. */}}
{{- define "bloom-process.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What the restricted Pod Security level asks of a container, and a root file system that cannot be written. */}}
{{- define "bloom-process.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The probes: alive says that the process runs, ready that it can do its work. */}}
{{- define "bloom-process.probes" -}}
startupProbe:
  httpGet: {path: {{ .live }}, port: {{ .portName }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: {{ .live }}, port: {{ .portName }}}
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: {{ .ready }}, port: {{ .portName }}}
  initialDelaySeconds: 5
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: 2
{{- end }}
