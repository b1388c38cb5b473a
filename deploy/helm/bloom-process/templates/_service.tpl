{{/* The Service of a process: port 80 for what serves clients, without an address of its own for what is only measured. */}}
{{- define "bloom-process.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels: {{- include "bloom-process.labels" . | nindent 4 }}
    {{- if .measured }}
    bloom/measured: "true"
    {{- end }}
spec:
  type: ClusterIP
  {{- if not .serves }}
  clusterIP: None
  publishNotReadyAddresses: true
  {{- end }}
  selector: {{- include "bloom-process.selector" . | nindent 4 }}
  ports:
    - {name: {{ .portName }}, port: {{ ternary 80 .port .serves }}, targetPort: {{ .portName }}, protocol: TCP}
{{- end }}
