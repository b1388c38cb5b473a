{{/*
The Deployment of one process. Takes a dict, "the process":
  name, kind (api, socket, worker, relay, lake, gateway), release, version, image, pullPolicy, pullSecrets, args, env, port,
  portName, live, ready, account, drainSeconds, volumes, mounts, podLabels, podAnnotations,
  values: replicas, resources, autoscaling, strategy, priorityClassName, nodeSelector, tolerations.
*/}}
{{- define "bloom-process.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels: {{- include "bloom-process.labels" . | nindent 4 }}
spec:
  {{- if eq .values.autoscaling.by "none" }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: 600
  selector:
    matchLabels: {{- include "bloom-process.selector" . | nindent 6 }}
  strategy: {{- toYaml .values.strategy | nindent 4 }}
  template:
    metadata:
      labels: {{- include "bloom-process.labels" . | nindent 8 }}
        {{- with .podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with .podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec: {{- include "bloom-process.pod" . | nindent 6 }}
{{- end }}

{{- define "bloom-process.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
# The process is asked to end after its address has gone from the endpoints, and has time to finish what it has in hand.
terminationGracePeriodSeconds: {{ add .drainSeconds 15 }}
{{- with .pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "bloom-process.podSecurity" . | nindent 2 }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "bloom-process.selector" $ | nindent 8 }}
  {{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "bloom-process.selector" . | nindent 14 }}
containers:
  - name: {{ .kind }}
    image: {{ .image | quote }}
    imagePullPolicy: {{ .pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    {{- with .env }}
    env: {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - {name: {{ .portName }}, containerPort: {{ .port }}, protocol: TCP}
    lifecycle:
      preStop:
        sleep: {seconds: 5}
    {{- include "bloom-process.probes" . | nindent 4 }}
    resources: {{- toYaml .values.resources | nindent 6 }}
    securityContext: {{- include "bloom-process.containerSecurity" . | nindent 6 }}
    volumeMounts: {{- toYaml .mounts | nindent 6 }}
volumes: {{- toYaml .volumes | nindent 2 }}
{{- end }}
