{{/* root, name, port: a store's name, and its ServiceAccount */}}
{{- define "nexus.store" -}}
{{ include "nexus.account" (list (index . 0) (index . 1) "store") }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "nexus.metadata" (list (index . 0) (index . 1) "store") | nindent 2 }}
spec:
  clusterIP: None
  selector:
    {{- include "nexus.selecting" . | nindent 4 }}
  ports:
    - name: {{ index . 1 }}
      port: {{ index . 2 }}
      targetPort: {{ index . 1 }}
      appProtocol: tcp
{{- end }}

{{/* root, name, seconds to end: how a store's StatefulSet begins, up to its pod's rights */}}
{{- define "nexus.store-start" -}}
serviceName: {{ index . 1 }}
replicas: 1
selector:
  matchLabels:
    {{- include "nexus.selecting" . | nindent 4 }}
template:
  metadata:
    {{- include "nexus.pod-metadata" (list (index . 0) (index . 1) "store" (index . 2) dict) | nindent 4 }}
  spec:
    {{- include "nexus.pod-start" (list (index . 1) (index . 2)) | nindent 4 }}
    securityContext:
      {{- include "nexus.pod-security" 999 | nindent 6 }}
{{- end }}
