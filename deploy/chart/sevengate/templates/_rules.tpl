{{/* What may be read and written; docs/cluster.md says what for. Nothing here is ever `*`. */}}

{{/* In each namespace that is watched. */}}
{{- define "sevengate.watchedRules" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, secrets]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* Of what lives in no namespace. */}}
{{- define "sevengate.clusterRules" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [list, watch]
{{- if include "sevengate.namesNodes" . }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end }}
{{- if and .Values.controller.scope.enabled .Values.controller.scope.namespaceSelector }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{/* Of the webhook's own configuration, which is the cluster's. */}}
{{- define "sevengate.webhookRules" -}}
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingwebhookconfigurations]
  resourceNames: [{{ include "sevengate.admission.fullname" . }}]
  verbs: [get, update]
{{- end -}}

{{/* In the controller's own namespace. */}}
{{- define "sevengate.ownRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "sevengate.controller.fullname" . }}]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- include "sevengate.namedRules" . }}
{{- if not .Values.controller.disableLeaderElection }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "sevengate.electionID" . }}]
  verbs: [get, update]
# Who creates an object has not named it yet, so this cannot be bound to a name.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}
{{- if include "sevengate.keepsCertificate" . }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "sevengate.admission.fullname" . }}]
  verbs: [get, update]
{{- end }}
{{- end -}}

{{/* Of the Services that flags name, where another namespace than their own is watched. */}}
{{- define "sevengate.namedRules" -}}
{{- $watched := include "sevengate.watchedNamespace" . -}}
{{- $publish := include "sevengate.publishService" . -}}
{{- $names := list -}}
{{- if hasPrefix "$(POD_NAMESPACE)/" $publish }}{{ $names = append $names (base $publish) }}{{ end -}}
{{- if .Values.defaultBackend.enabled }}{{ $names = append $names (include "sevengate.defaultBackend.fullname" .) }}{{ end -}}
{{- if and $watched (ne $watched (include "sevengate.namespace" .)) }}
{{- with $names }}
- apiGroups: [""]
  resources: [services]
  resourceNames: {{ toJson . }}
  verbs: [list, watch]
{{- end }}
{{- if .Values.defaultBackend.enabled }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
{{- end }}
{{- end -}}

{{/* "true" if the controllers make and renew the webhook's certificate. */}}
{{- define "sevengate.keepsCertificate" -}}
{{- $w := .Values.controller.admissionWebhooks -}}
{{- if and $w.enabled (not $w.existingSecret) -}}true{{- end -}}
{{- end -}}

{{/* A binding of the ServiceAccount. Takes a list: the root context, the kind of role, its name, a namespace or "". */}}
{{- define "sevengate.binding" -}}
{{- $root := index . 0 -}}
{{- $namespace := index . 3 -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ index . 1 }}Binding
metadata:
  name: {{ index . 2 }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "sevengate.controller.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "sevengate.serviceAccountName" $root }}
    namespace: {{ include "sevengate.namespace" $root }}
{{- end -}}
