{{/* The pod of Deployment and DaemonSet: two containers that trust each other as little as they can. */}}

{{- define "sevengate.pod" -}}
{{- $c := .Values.controller -}}
metadata:
  # No versions: all pods of one installation are peers, also while it is upgraded.
  labels:
    {{- include "sevengate.controller.selectorLabels" . | nindent 4 }}
    {{- with .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $c.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $c.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sevengate.serviceAccountName" . }}
  # The token is mounted by hand, into the controller alone.
  automountServiceAccountToken: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $c.hostNetwork }}
  hostNetwork: true
  {{- end }}
  dnsPolicy: {{ default (ternary "ClusterFirstWithHostNet" "ClusterFirst" $c.hostNetwork) $c.dnsPolicy }}
  {{- with $c.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.hostname }}
  hostname: {{ . }}
  {{- end }}
  {{- with $c.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $c.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ int $c.terminationGracePeriodSeconds }}
  securityContext:
    {{- include "sevengate.podSecurityContext" . | nindent 4 }}
  {{- with $c.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "sevengate.controllerContainer" . | nindent 4 }}
    {{- include "sevengate.dataplaneContainer" . | nindent 4 }}
    {{- with $c.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "sevengate.volumes" . | nindent 4 }}
  {{- with $c.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with ternary list $c.topologySpreadConstraints (eq $c.kind "DaemonSet") }}
  topologySpreadConstraints:
    {{- $own := dict "labelSelector" (dict "matchLabels" (include "sevengate.controller.selectorLabels" $ | fromYaml)) }}
    {{- range . }}
    - {{ toYaml (merge (deepCopy .) $own) | nindent 6 | trim }}
    {{- end }}
  {{- end }}
{{- end -}}

{{- define "sevengate.podSecurityContext" -}}
{{- $c := .Values.controller -}}
{{- $own := dict "runAsNonRoot" true "runAsUser" (int64 $c.image.runAsUser) "runAsGroup" (int64 $c.image.runAsGroup) "fsGroup" (int64 $c.image.runAsGroup) "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- $sysctls := list -}}
{{- if not $c.hostNetwork -}}
{{- /* In a network of its own a pod may open ports 80 and 443 without any capability. */ -}}
{{- range $name, $value := merge (dict) $c.sysctls (dict "net.ipv4.ip_unprivileged_port_start" "0") -}}
{{- $sysctls = append $sysctls (dict "name" $name "value" (include "sevengate.scalar" $value)) -}}
{{- end -}}
{{- $own = set $own "sysctls" $sysctls -}}
{{- end -}}
{{- toYaml (merge (deepCopy $c.podSecurityContext) $own) -}}
{{- end -}}

{{/* Takes a list: the root context and the capabilities to keep. */}}
{{- define "sevengate.containerSecurityContext" -}}
{{- $root := index . 0 -}}
{{- $capabilities := dict "drop" (list "ALL") -}}
{{- with index . 1 -}}{{- $capabilities = set $capabilities "add" . -}}{{- end -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" $capabilities -}}
{{- toYaml (merge (deepCopy $root.Values.controller.containerSecurityContext) $own) -}}
{{- end -}}

{{- define "sevengate.podEnvs" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end -}}

{{/* Takes flags as a dict of name to value. */}}
{{- define "sevengate.flags" -}}
{{- range $name, $value := . }}
{{- if eq (toString $value) "" }}
- --{{ $name }}
{{- else }}
- {{ printf "--%s=%s" $name (include "sevengate.scalar" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "sevengate.controllerContainer" -}}
{{- $c := .Values.controller -}}
- name: controller
  image: {{ include "sevengate.image" (list . $c.image) | quote }}
  imagePullPolicy: {{ $c.image.pullPolicy }}
  args:
    {{- include "sevengate.controllerArgs" . | nindent 4 }}
  env:
    {{- include "sevengate.podEnvs" . | nindent 4 }}
    {{- with $c.extraEnvs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - name: {{ $c.metrics.portName }}
      containerPort: {{ $c.containerPort.healthz }}
      protocol: TCP
    {{- if $c.admissionWebhooks.enabled }}
    - name: webhook
      containerPort: {{ $c.admissionWebhooks.port }}
      protocol: TCP
    {{- end }}
  # No readiness probe: whether this pod can serve is a question for the data plane, which goes on with what it has
  # while a controller that was started anew waits for an API server that is away.
  livenessProbe:
    {{- $probe := dict "httpGet" (dict "path" "/livez" "port" $c.containerPort.healthz) "initialDelaySeconds" 5 "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6 }}
    {{- toYaml (merge (deepCopy $c.livenessProbe) $probe) | nindent 4 }}
  {{- with $c.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "sevengate.containerSecurityContext" (list . nil) | nindent 4 }}
  volumeMounts:
    - name: sockets
      mountPath: /run/sevengate
    - name: controller-tmp
      mountPath: /tmp
    - name: token
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- if and $c.admissionWebhooks.enabled $c.admissionWebhooks.existingSecret }}
    - name: webhook-certificate
      mountPath: /usr/local/certificates
      readOnly: true
    {{- end }}
    {{- with $c.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "sevengate.controllerArgs" -}}
{{- $c := .Values.controller -}}
- controller
- --dataplane-directory=/run/sevengate
- --controller-class={{ $c.ingressClassResource.controllerValue }}
- --ingress-class={{ $c.ingressClass }}
- --configmap=$(POD_NAMESPACE)/{{ include "sevengate.controller.fullname" . }}
- --election-id={{ include "sevengate.electionID" . }}
- --healthz-port={{ $c.containerPort.healthz }}
- --shutdown-grace-period={{ int $c.shutdownGracePeriod }}
{{- with include "sevengate.publishService" . }}
- --publish-service={{ . }}
{{- end }}
{{- if .Values.defaultBackend.enabled }}
- --default-backend-service=$(POD_NAMESPACE)/{{ include "sevengate.defaultBackend.fullname" . }}
{{- end }}
{{- if $c.scope.enabled }}
{{- if $c.scope.namespaceSelector }}
- --watch-namespace-selector={{ $c.scope.namespaceSelector }}
{{- else }}
- --watch-namespace={{ include "sevengate.watchedNamespace" . }}
{{- end }}
{{- end }}
{{- if $c.admissionWebhooks.enabled }}
- --validating-webhook=:{{ $c.admissionWebhooks.port }}
{{- if $c.admissionWebhooks.existingSecret }}
- --validating-webhook-certificate=/usr/local/certificates/tls.crt
- --validating-webhook-key=/usr/local/certificates/tls.key
{{- else }}
- --validating-webhook-secret=$(POD_NAMESPACE)/{{ include "sevengate.admission.fullname" . }}
- --validating-webhook-configuration={{ include "sevengate.admission.fullname" . }}
{{- end }}
{{- end }}
{{- with $c.electionTTL }}
- --election-ttl={{ . }}
{{- end }}
{{- if $c.disableLeaderElection }}
- --disable-leader-election=true
{{- end }}
{{- if $c.reportNodeInternalIp }}
- --report-node-internal-ip-address=true
{{- end }}
{{- if $c.watchIngressWithoutClass }}
- --watch-ingress-without-class=true
{{- end }}
{{- if $c.ingressClassByName }}
- --ingress-class-by-name=true
{{- end }}
{{- if $c.metrics.enabled }}
- --enable-metrics=true
{{- end }}
{{- include "sevengate.flags" $c.extraArgs }}
{{- end -}}

{{- define "sevengate.dataplaneContainer" -}}
{{- $c := .Values.controller -}}
- name: dataplane
  image: {{ include "sevengate.image" (list . $c.image) | quote }}
  imagePullPolicy: {{ $c.image.pullPolicy }}
  args:
    - dataplane
    - --dataplane-directory=/run/sevengate
    - --http-port={{ $c.containerPort.http }}
    - --https-port={{ $c.containerPort.https }}
    - --default-server-port={{ $c.containerPort.default }}
    - --status-port={{ $c.containerPort.status }}
    - --shutdown-grace-period={{ int $c.shutdownGracePeriod }}
    {{- include "sevengate.flags" $c.dataplane.extraArgs | nindent 4 | trimSuffix "\n    " }}
  {{- with concat $c.extraEnvs $c.dataplane.extraEnvs }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - name: http
      containerPort: {{ $c.containerPort.http }}
      protocol: TCP
      {{- if $c.hostPort.enabled }}
      hostPort: {{ $c.hostPort.ports.http }}
      {{- end }}
    - name: https
      containerPort: {{ $c.containerPort.https }}
      protocol: TCP
      {{- if $c.hostPort.enabled }}
      hostPort: {{ $c.hostPort.ports.https }}
      {{- end }}
    - name: default
      containerPort: {{ $c.containerPort.default }}
      protocol: TCP
    - name: status
      containerPort: {{ $c.containerPort.status }}
      protocol: TCP
  livenessProbe:
    {{- $probe := dict "httpGet" (dict "path" "/livez" "port" $c.containerPort.status) "initialDelaySeconds" 5 "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6 }}
    {{- toYaml $probe | nindent 4 }}
  readinessProbe:
    {{- $probe := dict "httpGet" (dict "path" "/readyz" "port" $c.containerPort.status) "periodSeconds" 2 "timeoutSeconds" 2 "failureThreshold" 3 }}
    {{- toYaml (merge (deepCopy $c.readinessProbe) $probe) | nindent 4 }}
  {{- with $c.lifecycle }}
  lifecycle:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.dataplane.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "sevengate.containerSecurityContext" (list . (list "NET_BIND_SERVICE")) | nindent 4 }}
  volumeMounts:
    - name: sockets
      mountPath: /run/sevengate
    - name: temporary
      mountPath: /run/sevengate/temporary
    - name: dataplane-tmp
      mountPath: /tmp
    {{- with $c.dataplane.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "sevengate.volumes" -}}
{{- $c := .Values.controller -}}
# Sockets through which the containers talk, and the certificate of last resort; never on a disk.
- name: sockets
  emptyDir:
    medium: Memory
    sizeLimit: {{ $c.dataplane.socketsSize }}
# Request bodies and responses too large for NGINX's buffers.
- name: temporary
  emptyDir:
    {{- with $c.dataplane.temporarySize }}
    sizeLimit: {{ . }}
    {{- else }} {}
    {{- end }}
- name: controller-tmp
  emptyDir: {}
- name: dataplane-tmp
  emptyDir: {}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- if and $c.admissionWebhooks.enabled $c.admissionWebhooks.existingSecret }}
- name: webhook-certificate
  secret:
    secretName: {{ $c.admissionWebhooks.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- with $c.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
