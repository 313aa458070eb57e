{{/* What no schema can say. Each line names the values that contradict each other, and what to do. */}}
{{- define "sevengate.checks" -}}
{{- $c := .Values.controller -}}
{{- $isDeployment := ne $c.kind "DaemonSet" -}}
{{- if or .Values.tcp .Values.udp -}}
{{- fail "tcp, udp: TCP and UDP services are not carried out yet; leave them with the controller that serves them now" -}}
{{- end -}}
{{- if $c.allowSnippetAnnotations -}}
{{- fail "controller.allowSnippetAnnotations: snippets are never carried out, since text of users does not become configuration; docs/differences.md says what to write instead" -}}
{{- end -}}
{{- if and $c.hostNetwork $c.hostPort.enabled -}}
{{- fail "controller.hostNetwork, controller.hostPort.enabled: choose one of them; on the host's network every port is a host port" -}}
{{- end -}}
{{- if and $c.hostNetwork $c.sysctls -}}
{{- fail "controller.sysctls: a pod on the host's network (controller.hostNetwork) cannot set any" -}}
{{- end -}}
{{- if and $c.autoscaling.enabled $c.keda.enabled -}}
{{- fail "controller.autoscaling.enabled, controller.keda.enabled: choose one of them" -}}
{{- end -}}
{{- if and (not $isDeployment) (or $c.autoscaling.enabled $c.keda.enabled) -}}
{{- fail "controller.autoscaling, controller.keda: a DaemonSet has one pod a node and cannot be scaled" -}}
{{- end -}}
{{- if and (ne $c.kind "Deployment") (not (kindIs "invalid" $c.maxUnavailable)) -}}
{{- fail "controller.maxUnavailable: Kubernetes takes it for Deployments only; use controller.minAvailable" -}}
{{- end -}}
{{- if and (ne $c.kind "Deployment") (contains "%" (toString $c.minAvailable)) -}}
{{- fail "controller.minAvailable: Kubernetes takes per cent for Deployments only; give a number of pods" -}}
{{- end -}}
{{- if ge (int $c.shutdownGracePeriod) (int $c.terminationGracePeriodSeconds) -}}
{{- fail "controller.shutdownGracePeriod: it must be shorter than controller.terminationGracePeriodSeconds, when the pod is killed" -}}
{{- end -}}
{{- if and .Values.rbac.scope (not (include "sevengate.watchedNamespace" .)) -}}
{{- fail "rbac.scope: without cluster-wide rules one namespace can be watched: set controller.scope.enabled, and no namespaceSelector" -}}
{{- end -}}
{{- if and .Values.rbac.scope $c.admissionWebhooks.enabled (not $c.admissionWebhooks.existingSecret) -}}
{{- fail "rbac.scope: without cluster-wide rules the webhook's certificate cannot be announced: set controller.admissionWebhooks.existingSecret, or .enabled=false" -}}
{{- end -}}
{{- if and $c.scope.namespace $c.scope.namespaceSelector -}}
{{- fail "controller.scope.namespace, controller.scope.namespaceSelector: choose one of them" -}}
{{- end -}}
{{- if and .Values.defaultBackend.enabled (not .Values.defaultBackend.image.image) -}}
{{- fail "defaultBackend.image.image: name the image of the server that answers what no rule matches" -}}
{{- end -}}
{{- $s := $c.service -}}
{{- if and $s.enabled $s.external.enabled -}}{{- include "sevengate.serviceChecks" (list "controller.service" $s) -}}{{- end -}}
{{- if and $s.enabled $s.internal.enabled -}}{{- include "sevengate.serviceChecks" (list "controller.service.internal" $s.internal) -}}{{- end -}}
{{- $owned := dict "configmap" "controller.config" "controller-class" "controller.ingressClassResource.controllerValue" "dataplane-directory" "nothing: it is the volume that both containers share" "default-server-port" "controller.containerPort.default" "election-id" "controller.electionID" "enable-metrics" "controller.metrics.enabled" "healthz-port" "controller.containerPort.healthz" "http-port" "controller.containerPort.http" "https-port" "controller.containerPort.https" "ingress-class" "controller.ingressClass" "publish-service" "controller.publishService" "shutdown-grace-period" "controller.shutdownGracePeriod" "status-port" "controller.containerPort.status" "validating-webhook" "controller.admissionWebhooks" "watch-namespace" "controller.scope" "watch-namespace-selector" "controller.scope" -}}
{{- range $flag, $value := merge (dict) $c.extraArgs $c.dataplane.extraArgs -}}
{{- if hasKey $owned $flag -}}
{{- fail (printf "extraArgs.%s: set %s" $flag (get $owned $flag)) -}}
{{- end -}}
{{- end -}}
{{- $ports := $c.containerPort -}}
{{- $taken := list (int $ports.http) (int $ports.https) (int $ports.default) (int $ports.healthz) (int $ports.status) -}}
{{- if $c.admissionWebhooks.enabled -}}{{- $taken = append $taken (int $c.admissionWebhooks.port) -}}{{- end -}}
{{- if ne (len $taken) (len (uniq $taken)) -}}
{{- fail "controller.containerPort, controller.admissionWebhooks.port: each of the ports must be another one" -}}
{{- end -}}
{{- end -}}
