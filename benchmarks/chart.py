"""The Helm chart that the measured apps share: about what `helm create` gives, seven objects."""

from __future__ import annotations

CHART = {
    "Chart.yaml": """\
apiVersion: v2
name: web
description: A web service
type: application
version: 1.4.0
appVersion: "1.4"
""",
    "values.yaml": """\
image:
  repository: registry.example.com/acme/none
  tag: latest
  pullPolicy: IfNotPresent
imagePullSecrets: []
nameOverride: ""
port: 8080
service:
  type: ClusterIP
  port: 80
ingress:
  enabled: true
  className: nginx
  host: web.example.com
  annotations: {}
  tls: true
config: {}
env: {}
annotations: {}
resources:
  requests: {cpu: 50m, memory: 64Mi}
  limits: {memory: 128Mi}
autoscaling:
  minReplicas: 1
  maxReplicas: 3
  targetCPU: 80
disruption:
  minAvailable: 1
nodeSelector: {}
tolerations: []
""",
    "templates/_helpers.tpl": """\
{{- define "web.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "web.selector" -}}
app.kubernetes.io/name: {{ include "web.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- define "web.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "web.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
{{- define "web.metadata" -}}
name: {{ include "web.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "web.labels" . | nindent 2 }}
{{- end -}}
""",
    "templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "web.metadata" . | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "web.selector" . | nindent 6 }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      annotations:
        checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
        {{- with .Values.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        {{- include "web.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ include "web.name" . }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {runAsNonRoot: true}
      containers:
        - name: {{ include "web.name" . }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          ports:
            - name: http
              containerPort: {{ .Values.port }}
          envFrom:
            - configMapRef:
                name: {{ include "web.name" . }}
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            {{- range $name, $value := .Values.env }}
            - name: {{ $name }}
              value: {{ tpl (toString $value) $ | quote }}
            {{- end }}
          livenessProbe:
            httpGet: {path: /livez, port: http}
            initialDelaySeconds: 5
          readinessProbe:
            httpGet: {path: /readyz, port: http}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - {name: tmp, emptyDir: {}}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
""",
    "templates/service.yaml": """\
apiVersion: v1
kind: Service
metadata:
  {{- include "web.metadata" . | nindent 2 }}
spec:
  type: {{ .Values.service.type }}
  ports:
    - name: http
      port: {{ .Values.service.port }}
      targetPort: http
      protocol: TCP
  selector:
    {{- include "web.selector" . | nindent 4 }}
""",
    "templates/ingress.yaml": """\
{{- if .Values.ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "web.metadata" . | nindent 2 }}
  {{- with .Values.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  ingressClassName: {{ .Values.ingress.className }}
  {{- if .Values.ingress.tls }}
  tls:
    - hosts: [{{ .Values.ingress.host | quote }}]
      secretName: {{ include "web.name" . }}-tls
  {{- end }}
  rules:
    - host: {{ .Values.ingress.host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ include "web.name" . }}
                port: {name: http}
{{- end }}
""",
    "templates/configmap.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "web.metadata" . | nindent 2 }}
data:
  {{- range $name, $value := .Values.config }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
  application.properties: |
    server.port={{ .Values.port }}
    server.host={{ .Values.ingress.host }}
    management.endpoints=health,metrics
""",
    "templates/serviceaccount.yaml": """\
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "web.metadata" . | nindent 2 }}
automountServiceAccountToken: false
""",
    "templates/hpa.yaml": """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "web.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "web.name" . }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.targetCPU }}
""",
    "templates/pdb.yaml": """\
{{- if .Capabilities.APIVersions.Has "policy/v1" }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "web.metadata" . | nindent 2 }}
spec:
  minAvailable: {{ .Values.disruption.minAvailable }}
  selector:
    matchLabels:
      {{- include "web.selector" . | nindent 6 }}
{{- end }}
""",
}
