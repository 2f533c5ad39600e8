{{/* root, name, the pods' labels as text, port, caller's ServiceAccount, namespace: a port and the one who may reach it */}}
{{- define "nexus.guarded" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $where := list $root $name "mesh" (index . 5) -}}
---
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata:
  {{- include "nexus.metadata" $where | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- index . 2 | nindent 6 }}
  port: {{ index . 3 }}
  proxyProtocol: {{ ternary "HTTP/1" "opaque" (eq (index . 3) "http") }}
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata:
  {{- include "nexus.metadata" $where | nindent 2 }}
spec:
  targetRef:
    group: policy.linkerd.io
    kind: Server
    name: {{ $name }}
  requiredAuthenticationRefs:
    - group: policy.linkerd.io
      kind: MeshTLSAuthentication
      name: {{ $name }}
---
apiVersion: policy.linkerd.io/v1alpha1
kind: MeshTLSAuthentication
metadata:
  {{- include "nexus.metadata" $where | nindent 2 }}
spec:
  identityRefs:
    - kind: ServiceAccount
      name: {{ index . 4 }}
      namespace: {{ $root.Release.Namespace }}
{{- end }}
