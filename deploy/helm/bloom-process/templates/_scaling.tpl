{{/* A voluntary disruption takes one pod of a process at a time; a process of one pod does not hold up a drain. */}}
{{- define "bloom-process.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels: {{- include "bloom-process.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "bloom-process.selector" . | nindent 6 }}
{{- end }}

{{/* By processor and memory, for what serves clients. */}}
{{- define "bloom-process.autoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  labels: {{- include "bloom-process.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ .values.autoscaling.min }}
  maxReplicas: {{ .values.autoscaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .values.autoscaling.cpuPercent }}}
    - type: Resource
      resource:
        name: memory
        target: {type: Utilization, averageUtilization: {{ .values.autoscaling.memoryPercent }}}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 300}
{{- end }}

{{/* By what waits in the topics that a worker reads; more pods than partitions would have nothing to do. */}}
{{- define "bloom-process.lagScaler" -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .name }}
  labels: {{- include "bloom-process.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {name: {{ .name }}}
  minReplicaCount: {{ .values.autoscaling.min }}
  maxReplicaCount: {{ .values.autoscaling.max }}
  pollingInterval: 15
  cooldownPeriod: 300
  triggers:
    {{- range .listensTo }}
    - type: kafka
      metadata:
        bootstrapServers: {{ $.kafka.bootstrapServers | quote }}
        consumerGroup: {{ $.group }}
        topic: {{ . }}
        lagThreshold: {{ $.values.autoscaling.lag | quote }}
        offsetResetPolicy: earliest
        allowIdleConsumers: "false"
        {{- if ne $.kafka.securityProtocol "PLAINTEXT" }}
        tls: enable
        {{- end }}
        {{- with $.kafka.saslMechanism }}
        sasl: {{ get (dict "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" "OAUTHBEARER" "oauthbearer") . }}
        {{- end }}
      {{- if ne $.kafka.securityProtocol "PLAINTEXT" }}
      authenticationRef: {name: {{ $.group }}-kafka}
      {{- end }}
    {{- end }}
{{- end }}
