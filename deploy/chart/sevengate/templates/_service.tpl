{{/* The spec of a Service for HTTP and HTTPS. Takes a list: the root context, and service or service.internal. */}}
{{- define "sevengate.serviceSpec" -}}
{{- $root := index . 0 -}}
{{- $s := index . 1 -}}
{{- $policy := default (ternary "Local" "" (eq $s.type "LoadBalancer")) $s.externalTrafficPolicy -}}
type: {{ $s.type }}
{{- with $s.clusterIP }}
clusterIP: {{ . | quote }}
{{- end }}
{{- with $s.clusterIPs }}
clusterIPs:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $s.externalIPs }}
externalIPs:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $s.loadBalancerIP }}
loadBalancerIP: {{ . | quote }}
{{- end }}
{{- with $s.loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with $s.loadBalancerSourceRanges }}
loadBalancerSourceRanges:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not (kindIs "invalid" $s.allocateLoadBalancerNodePorts) }}
allocateLoadBalancerNodePorts: {{ $s.allocateLoadBalancerNodePorts }}
{{- end }}
{{- with $policy }}
externalTrafficPolicy: {{ . }}
{{- end }}
{{- if $s.healthCheckNodePort }}
healthCheckNodePort: {{ $s.healthCheckNodePort }}
{{- end }}
{{- with $s.sessionAffinity }}
sessionAffinity: {{ . }}
{{- end }}
{{- with $s.trafficDistribution }}
trafficDistribution: {{ . }}
{{- end }}
{{- with $s.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with $s.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- $hasNodePorts := or (eq $s.type "NodePort") (eq $s.type "LoadBalancer") }}
  {{- range $name, $isWanted := dict "http" $s.enableHttp "https" $s.enableHttps }}
  {{- if $isWanted }}
  - name: {{ $name }}
    port: {{ get $s.ports $name }}
    protocol: TCP
    targetPort: {{ get $s.targetPorts $name }}
    {{- if $s.appProtocol }}
    appProtocol: {{ $name }}
    {{- end }}
    {{- if and $hasNodePorts (get $s.nodePorts $name) }}
    nodePort: {{ get $s.nodePorts $name }}
    {{- end }}
  {{- end }}
  {{- end }}
selector:
  {{- include "sevengate.controller.selectorLabels" $root | nindent 2 }}
{{- end -}}

{{/* What Kubernetes refuses of a Service. Takes a list: where its values stand, and these. */}}
{{- define "sevengate.serviceChecks" -}}
{{- $where := index . 0 -}}
{{- $s := index . 1 -}}
{{- if ne $s.type "LoadBalancer" -}}
{{- range $name := list "healthCheckNodePort" "loadBalancerClass" "loadBalancerSourceRanges" -}}
{{- if get $s $name -}}{{- fail (printf "%s.%s: only for a Service of type LoadBalancer, and not %s" $where $name $s.type) -}}{{- end -}}
{{- end -}}
{{- if not (kindIs "invalid" $s.allocateLoadBalancerNodePorts) -}}
{{- fail (printf "%s.allocateLoadBalancerNodePorts: only for a Service of type LoadBalancer, and not %s" $where $s.type) -}}
{{- end -}}
{{- end -}}
{{- if and $s.healthCheckNodePort (eq $s.externalTrafficPolicy "Cluster") -}}
{{- fail (printf "%s.healthCheckNodePort: only with externalTrafficPolicy Local" $where) -}}
{{- end -}}
{{- if and (eq $s.type "ClusterIP") $s.externalTrafficPolicy (not $s.externalIPs) -}}
{{- fail (printf "%s.externalTrafficPolicy: nothing comes from outside to a Service of type ClusterIP without externalIPs; leave it out" $where) -}}
{{- end -}}
{{- if not (or $s.enableHttp $s.enableHttps) -}}
{{- fail (printf "%s.enableHttp, %s.enableHttps: a Service needs one of them" $where $where) -}}
{{- end -}}
{{- end -}}
