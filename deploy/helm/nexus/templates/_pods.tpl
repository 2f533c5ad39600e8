{{/* What pods have in common: rights, places, amounts, the mesh. */}}

{{/* root, name, component, seconds to end, further labels: a pod's metadata */}}
{{- define "nexus.pod-metadata" -}}
{{- $mesh := (index . 0).Values.cluster.mesh -}}
labels:
  {{- include "nexus.labels" . | nindent 2 }}
  {{- range $name, $value := index . 4 }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
  {{- if eq (toString $mesh) "istio" }}
  sidecar.istio.io/inject: "true"
annotations:
  proxy.istio.io/config: '{"holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "{{ index . 3 }}s"}'
  {{- else if eq (toString $mesh) "linkerd" }}
annotations:
  linkerd.io/inject: enabled
  config.linkerd.io/proxy-await: enabled
  config.alpha.linkerd.io/proxy-enable-native-sidecar: "true"
  {{- end }}
{{- end }}

{{/* name, seconds to end: how a pod's spec begins */}}
{{- define "nexus.pod-start" -}}
serviceAccountName: {{ index . 0 }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ index . 1 }}
{{- end }}

{{/* uid: what a pod may do that Pod Security's "restricted" lets in */}}
{{- define "nexus.pod-security" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "nexus.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* An image of others, which may start as root: few of root's rights, enough to become somebody else */}}
{{- define "nexus.engine-security" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
  add: [CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID]
{{- end }}

{{/* root, name, GPU, nodes' labels */}}
{{- define "nexus.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "nexus.selecting" . | nindent 8 }}
{{- with index . 3 }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with index . 2 }}
tolerations:
  - key: {{ .resource }}
    operator: Exists
    effect: NoSchedule
{{- end }}
{{- end }}

{{/* a part with cpu, memoryMb and perhaps gpu: no limit of processors, no overcommitment of memory */}}
{{- define "nexus.resources" -}}
requests:
  cpu: {{ .cpu | quote }}
  memory: {{ int .memoryMb }}Mi
  ephemeral-storage: 256Mi
  {{- with .gpu }}
  {{ .resource }}: {{ int .count }}
  {{- end }}
limits:
  memory: {{ int .memoryMb }}Mi
  ephemeral-storage: 8Gi
  {{- with .gpu }}
  {{ .resource }}: {{ int .count }}
  {{- end }}
{{- end }}

{{/* name, size */}}
{{- define "nexus.temporary" -}}
- name: {{ index . 0 }}
  emptyDir:
    sizeLimit: {{ index . 1 }}
{{- end }}

{{/* a volume of values.yaml, as a pod has it */}}
{{- define "nexus.claimed" -}}
- name: {{ .name }}
  persistentVolumeClaim:
    claimName: {{ .name }}
    {{- if .readOnly }}
    readOnly: true
    {{- end }}
{{- end }}

{{/* a volume of values.yaml, as a container has it */}}
{{- define "nexus.mount" -}}
- name: {{ .name }}
  mountPath: {{ .path }}
  {{- if .readOnly }}
  readOnly: true
  {{- end }}
{{- end }}

{{/* root, name, component, namespace, size, access */}}
{{- define "nexus.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "nexus.metadata" . | nindent 2 }}
spec:
  accessModes: [{{ index . 5 }}]
  {{- with (index . 0).Values.cluster.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ index . 4 }}
{{- end }}

{{/* path, port, period, failures: one HTTP probe */}}
{{- define "nexus.probe" -}}
httpGet:
  path: {{ index . 0 }}
  port: http
periodSeconds: {{ index . 1 }}
timeoutSeconds: 5
{{- if gt (len .) 2 }}
failureThreshold: {{ index . 2 }}
{{- end }}
{{- end }}

{{/* whether a new pod is ready before an old one ends */}}
{{- define "nexus.strategy" -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ ternary 1 0 . }}
  maxUnavailable: {{ ternary 0 1 . }}
{{- end }}
