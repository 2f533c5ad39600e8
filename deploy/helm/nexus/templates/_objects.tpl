{{/* What objects have in common. Every definition takes a list; the chart's root comes first where it is needed. */}}

{{/* root, name: the labels by which a workload's pods are found */}}
{{- define "nexus.selecting" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/part-of: {{ (index . 0).Release.Namespace }}
{{- end }}

{{/* root, name, component: a pod's labels */}}
{{- define "nexus.labels" -}}
{{ include "nexus.selecting" . }}
app.kubernetes.io/component: {{ index . 2 }}
{{- end }}

{{/* root, name, component, and the namespace where it is not the release's */}}
{{- define "nexus.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ if gt (len .) 3 }}{{ index . 3 }}{{ else }}{{ $root.Release.Namespace }}{{ end }}
labels:
  {{- include "nexus.labels" . | nindent 2 }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* root: the namespace of engines' own images */}}
{{- define "nexus.engines" -}}
{{ (index . 0).Release.Namespace }}-engines
{{- end }}

{{/* root: whether any service has an engine beside it: "true" or nothing */}}
{{- define "nexus.has-engines" -}}
{{- $found := "" -}}
{{- range (index . 0).Values.services }}{{ if .engine }}{{ $found = "true" }}{{ end }}{{ end -}}
{{ $found }}
{{- end }}

{{/* root: whether the gateway's files are in a bucket: "true" or nothing */}}
{{- define "nexus.in-bucket" -}}
{{- if hasPrefix "s3://" (get (index . 0).Values.gateway.env "NEXUS_FILES_URL") }}true{{ end -}}
{{- end }}

{{/* root, name, component, namespace: an identity without a token */}}
{{- define "nexus.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "nexus.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end }}

{{/* variables by name, as a container has them */}}
{{- define "nexus.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
