{{/* Names and labels. Each takes the root context, unless it says otherwise. */}}

{{- define "sevengate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The first part of all names: the release, and the chart's name unless the release has it in its own. */}}
{{- define "sevengate.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sevengate.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "sevengate.controller.fullname" -}}
{{- printf "%s-%s" (include "sevengate.fullname" .) .Values.controller.name -}}
{{- end -}}

{{- define "sevengate.defaultBackend.fullname" -}}
{{- printf "%s-%s" (include "sevengate.fullname" .) .Values.defaultBackend.name -}}
{{- end -}}

{{/* The ValidatingWebhookConfiguration, and the Secret of its certificate. */}}
{{- define "sevengate.admission.fullname" -}}
{{- printf "%s-%s" (include "sevengate.fullname" .) .Values.controller.admissionWebhooks.name -}}
{{- end -}}

{{- define "sevengate.admission.service" -}}
{{- printf "%s-%s" (include "sevengate.controller.fullname" .) .Values.controller.admissionWebhooks.name -}}
{{- end -}}

{{- define "sevengate.serviceAccountName" -}}
{{- default (ternary (include "sevengate.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "sevengate.electionID" -}}
{{- default (printf "%s-leader" (include "sevengate.fullname" .)) .Values.controller.electionID -}}
{{- end -}}

{{/* The Service whose addresses go into statuses, "" if those of the nodes do. */}}
{{- define "sevengate.publishService" -}}
{{- $service := .Values.controller.service -}}
{{- $publish := .Values.controller.publishService -}}
{{- $isGiven := hasKey .Values.controller.extraArgs "publish-status-address" -}}
{{- $type := ternary $service.type $service.internal.type $service.external.enabled -}}
{{- $isMade := and $service.enabled (or $service.external.enabled $service.internal.enabled) -}}
{{- $isWanted := ternary (eq $type "LoadBalancer") $publish.enabled (kindIs "invalid" $publish.enabled) -}}
{{- if $isGiven -}}
{{- else if and $publish.pathOverride (ne (toString $publish.enabled) "false") -}}
{{- $publish.pathOverride -}}
{{- else if and $isMade $isWanted -}}
{{- printf "$(POD_NAMESPACE)/%s%s" (include "sevengate.controller.fullname" .) (ternary "" "-internal" $service.external.enabled) -}}
{{- end -}}
{{- end -}}

{{/* "true" if statuses name nodes, so that nodes have to be read. */}}
{{- define "sevengate.namesNodes" -}}
{{- if not (or (include "sevengate.publishService" .) (hasKey .Values.controller.extraArgs "publish-status-address")) -}}true{{- end -}}
{{- end -}}

{{/* The only namespace to watch, "" for all, or for those that a selector picks. */}}
{{- define "sevengate.watchedNamespace" -}}
{{- $scope := .Values.controller.scope -}}
{{- if and $scope.enabled (not $scope.namespaceSelector) -}}{{ default (include "sevengate.namespace" .) $scope.namespace }}{{- end -}}
{{- end -}}

{{- define "sevengate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sevengate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sevengate.controller.selectorLabels" -}}
{{ include "sevengate.selectorLabels" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "sevengate.defaultBackend.selectorLabels" -}}
{{ include "sevengate.selectorLabels" . }}
app.kubernetes.io/component: default-backend
{{- end -}}

{{- define "sevengate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "sevengate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ include "sevengate.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sevengate.controller.labels" -}}
{{ include "sevengate.labels" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "sevengate.defaultBackend.labels" -}}
{{ include "sevengate.labels" . }}
app.kubernetes.io/component: default-backend
{{- end -}}

{{/* Takes a list: the root context and the `image` of a container. */}}
{{- define "sevengate.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with default $root.Values.global.image.registry $image.registry }}{{ . }}/{{ end -}}
{{- $image.image -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ default $root.Chart.AppVersion $image.tag }}{{- end -}}
{{- end -}}

{{/* A number, a switch or a text as text. Helm reads numbers as floats, and would write a million as 1e+06. */}}
{{- define "sevengate.scalar" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}
