{{/* root, port …: ports of a way; Linkerd's proxies reach one another on a port of theirs for what they do not parse */}}
{{- define "nexus.ports" -}}
{{- $ports := rest . -}}
{{- if eq (toString (first .).Values.cluster.mesh) "linkerd" }}{{ $ports = append $ports 4143 }}{{ end -}}
{{- range $ports }}
- protocol: TCP
  port: {{ int . }}
{{- end }}
{{- end }}

{{/* every address but those that a node gives credentials to whoever asks */}}
{{- define "nexus.outside" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [169.254.0.0/16]
- ipBlock:
    cidr: "::/0"
    except: ["fe80::/10"]
{{- end }}

{{/* root, namespace: nothing in, nothing out, but for names and what a mesh's proxies need */}}
{{- define "nexus.closed" -}}
{{- $root := index . 0 }}{{ $namespace := index . 1 }}{{ $mesh := $root.Values.cluster.mesh -}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "nexus.metadata" (list $root "closed" "network" $namespace) | nindent 2 }}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "nexus.metadata" (list $root "names" "network" $namespace) | nindent 2 }}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
        - ipBlock:
            cidr: 169.254.20.10/32
      ports:
        - protocol: UDP
          port: 53
        - protocol: TCP
          port: 53
{{- if $mesh }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "nexus.metadata" (list $root "mesh" "network" $namespace) | nindent 2 }}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ ternary "istio-system" "linkerd" (eq $mesh "istio") }}
{{- end }}
{{- end }}

{{/* root, name, port: a store, which the gateway alone reaches */}}
{{- define "nexus.store-policy" -}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "nexus.metadata" (list (index . 0) (index . 1) "network") | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "nexus.selecting" . | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector:
            matchLabels:
              {{- include "nexus.selecting" (list (index . 0) "gateway") | nindent 14 }}
      ports:
        {{- include "nexus.ports" (list (index . 0) (index . 2)) | nindent 8 }}
{{- end }}

{{/* root, name, port: the gateway's way to a store */}}
{{- define "nexus.store-way" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "nexus.selecting" . | nindent 10 }}
  ports:
    {{- include "nexus.ports" (list (index . 0) (index . 2)) | nindent 4 }}
{{- end }}
