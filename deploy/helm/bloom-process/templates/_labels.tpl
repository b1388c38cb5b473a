{{/* Labels of everything that belongs to a process. Takes the process (see _deployment.tpl). */}}
{{- define "bloom-process.labels" -}}
{{ include "bloom-process.selector" . }}
app.kubernetes.io/part-of: bloom
app.kubernetes.io/managed-by: {{ .release.Service }}
app.kubernetes.io/version: {{ .version | quote }}
{{- end }}

{{/* The labels that never change, by which a process's pods are found. */}}
{{- define "bloom-process.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .release.Name }}
app.kubernetes.io/component: {{ .kind }}
{{- end }}
