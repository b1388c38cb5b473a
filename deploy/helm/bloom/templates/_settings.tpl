{{/* The settings of a service that are no secrets, with the service's prefix. Takes root, service and facts. */}}
{{- define "bloom.settings" -}}
{{- $values := .root.Values -}}
{{- $kafka := $values.kafka -}}
{{- $said := dict "ENVIRONMENT" $values.environment "LOG_LEVEL" $values.logLevel "SHUTDOWN_LIMIT_SECONDS" (toString .facts.shutdownSeconds) -}}
{{- $_ := mergeOverwrite $said .facts.urls -}}
{{- $_ := set $said "KAFKA_BOOTSTRAP_SERVERS" $kafka.bootstrapServers -}}
{{- $_ := set $said "KAFKA_SECURITY_PROTOCOL" $kafka.securityProtocol -}}
{{- with $kafka.saslMechanism }}{{ $_ := set $said "KAFKA_SASL_MECHANISM" . }}{{ end -}}
{{- if hasPrefix "SCRAM" ($kafka.saslMechanism | default "") }}{{ $_ := set $said "KAFKA_USERNAME" (printf "%s%s" $kafka.userPrefix .service) }}{{ end -}}
{{- if eq ($kafka.saslMechanism | default "") "OAUTHBEARER" -}}
{{- $_ := set $said "KAFKA_TOKEN_URL" (required "kafka.tokenUrl is needed by OAUTHBEARER" $kafka.tokenUrl) -}}
{{- $_ := set $said "KAFKA_TOKEN_CLIENT_ID" (printf "%s%s" $kafka.userPrefix .service) -}}
{{- with $kafka.tokenScope }}{{ $_ := set $said "KAFKA_TOKEN_SCOPE" . }}{{ end -}}
{{- end -}}
{{- if and (include "bloom.hasTrust" .root) (ne $kafka.securityProtocol "PLAINTEXT") }}{{ $_ := set $said "KAFKA_CA_FILE" "/etc/bloom/trust/ca.pem" }}{{ end -}}
{{- with $values.telemetry.otlpEndpoint }}{{ $_ := set $said "OTLP_ENDPOINT" . }}{{ end -}}
{{- with $values.tokenIssuer }}{{ $_ := set $said "TOKEN_ISSUER" . }}{{ end -}}
{{- range $name, $value := dig .service "settings" dict $values.services -}}
{{- if not (has $name $.facts.settings) }}{{ fail (printf "services.%s.settings.%s: the service has no such setting" $.service $name) }}{{ end -}}
{{- $_ := set $said $name (toString $value) -}}
{{- end -}}
{{- range $name := keys $said | sortAlpha }}
{{ $.facts.prefix }}_{{ $name }}: {{ get $said $name | toString | quote }}
{{- end -}}
{{- end }}

{{/* The names of a service's secrets in a group: app (every process), relay or owner. Takes root, service, facts and group. */}}
{{- define "bloom.secretNames" -}}
{{- $names := list -}}
{{- if eq .group "relay" }}{{ $names = list "RELAY_DATABASE_URL" }}{{ end -}}
{{- if eq .group "owner" }}{{ $names = list "MIGRATION_DATABASE_URL" }}{{ end -}}
{{- if eq .group "app" -}}
{{- $own := get .root.Values.services .service | default dict -}}
{{- $without := $own.withoutSecrets | default list -}}
{{- range .facts.secrets }}{{ if not (has . $without) }}{{ $names = append $names . }}{{ end }}{{ end -}}
{{- range $own.furtherSecrets | default list -}}
{{- if not (has . $.facts.furtherSecrets) }}{{ fail (printf "services.%s.furtherSecrets: the service has no secret %s" $.service .) }}{{ end -}}
{{- $names = append $names . -}}
{{- end -}}
{{- $mechanism := .root.Values.kafka.saslMechanism | default "" -}}
{{- if hasPrefix "SCRAM" $mechanism }}{{ $names = append $names "KAFKA_PASSWORD" }}{{ end -}}
{{- if eq $mechanism "OAUTHBEARER" }}{{ $names = append $names "KAFKA_TOKEN_CLIENT_SECRET" }}{{ end -}}
{{- end -}}
{{ toJson $names }}
{{- end }}

{{/* The variables of a process: settings, and of the secrets those of its role and no others. */}}
{{- define "bloom.environment" -}}
- name: {{ .facts.prefix }}_{{ .process.portVariable }}
  value: {{ .process.port | quote }}
{{- range $line := compact (splitList "\n" (include "bloom.settings" .)) }}
{{- $name := (splitList ":" $line) | first }}
- name: {{ $name }}
  valueFrom: {configMapKeyRef: {name: {{ $.service }}-settings, key: {{ $name }}}}
{{- end }}
{{- include "bloom.secretVariables" (merge (dict "group" "app" "from" (printf "%s-app" .service)) .) }}
{{- if eq .kind "relay" }}
{{- include "bloom.secretVariables" (merge (dict "group" "relay" "from" (printf "%s-relay" .service)) .) }}
{{- end }}
{{- end }}

{{/* Takes root, service, facts, group and the name of the Secret that they come from. */}}
{{- define "bloom.secretVariables" -}}
{{- range include "bloom.secretNames" . | fromJsonArray }}
- name: {{ $.facts.prefix }}_{{ . }}
  valueFrom: {secretKeyRef: {name: {{ $.from }}, key: {{ $.facts.prefix }}_{{ . }}}}
{{- end }}
{{- end }}

{{/* The secrets of several groups, one line each; nothing where there are none. */}}
{{- define "bloom.namesOfGroups" -}}
{{- range $group := .groups }}
{{- range include "bloom.secretNames" (merge (dict "group" $group) $) | fromJsonArray }}
- {group: {{ $group }}, name: {{ . }}}
{{- end }}
{{- end }}
{{- end }}

{{/*
A Secret, or the ExternalSecret that makes it; nothing where somebody else makes it (`secrets.from: existing`).
Takes root, service, facts, groups, name and annotations.
*/}}
{{- define "bloom.secret" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $names := include "bloom.namesOfGroups" . | fromYamlArray -}}
{{- if not $names }}{{/* Without secrets there is no Secret. */}}
{{- else if eq $secrets.from "external" }}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ .name }}
  labels: {{- include "bloom.labels" .root | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  refreshInterval: {{ $secrets.refresh }}
  secretStoreRef: {{- toYaml $secrets.store | nindent 4 }}
  target: {name: {{ .name }}, creationPolicy: Owner}
  data:
    {{- range $names }}
    - secretKey: {{ $.facts.prefix }}_{{ .name }}
      remoteRef: {key: {{ $secrets.path }}/{{ $.service }}/{{ .group }}, property: {{ .name }}}
    {{- end }}
{{- else if eq $secrets.from "values" }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}
  labels: {{- include "bloom.labels" .root | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
type: Opaque
stringData:
  {{- range $names }}
  {{- $where := printf "secrets.values.%s.%s is not set" $.service .name }}
  {{ $.facts.prefix }}_{{ .name }}: {{ required $where (dig $.service .name "" $secrets.values) | quote }}
  {{- end }}
{{- end }}
{{- end }}
