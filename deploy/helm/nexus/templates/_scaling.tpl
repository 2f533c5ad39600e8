{{/* root, name, component, the part with replicas and maxReplicas, (metric, average a pod) …: its budget and autoscaler */}}
{{- define "nexus.scaling" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $part := index . 3 -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "nexus.metadata" (list $root $name (index . 2)) | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "nexus.selecting" (list $root $name) | nindent 6 }}
{{- if $part.maxReplicas }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "nexus.metadata" (list $root $name (index . 2)) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  minReplicas: {{ int $part.replicas }}
  maxReplicas: {{ int $part.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: 80
    {{- if $root.Values.cluster.metrics }}
    {{- range index . 4 }}
    - type: Pods
      pods:
        metric:
          name: {{ index . 0 }}
        target:
          type: AverageValue
          averageValue: {{ index . 1 | quote }}
    {{- end }}
    {{- end }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
{{- end }}
{{- end }}
