"""What the measured repositories are made of: a kustomization, a Jinja2 template and plain YAML."""

from __future__ import annotations

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      containers:
        - name: {name}
          image: {image}
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: {level}
            - name: PUBLIC_URL
              value: "https://{host}"
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
          resources:
            requests:
              cpu: {cpu}
              memory: 64Mi
            limits:
              memory: 128Mi
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
_INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
spec:
  ingressClassName: nginx
  rules:
    - host: {host}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {name}
                port:
                  name: http
"""
_EXTRAS = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ app }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ app }}
data:
  host: {{ values.host }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ app }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ app }}
"""
_FILES = {"deployment.yaml": _DEPLOYMENT, "service.yaml": _SERVICE, "ingress.yaml": _INGRESS}


def jinja_template() -> dict[str, str]:
    """Return the files of a Jinja2 template that gives a Deployment, a Service and an Ingress."""
    names = {
        "name": "{{ app }}",
        "replicas": "{{ values.replicas }}",
        "image": "{{ images[app].reference }}",
        "level": "{{ values.level | default('info') }}",
        "host": "{{ values.host }}",
        "cpu": "{{ values.cpu }}",
    }
    files = {f"{file}.j2": text.format(**names) for file, text in _FILES.items()}
    return {**files, "values.yaml": "replicas: 1\ncpu: 50m\n"}


def jinja_extras() -> dict[str, str]:
    """Return one more file of that template: a ServiceAccount, a ConfigMap and a PodDisruptionBudget."""
    return {"extras.yaml.j2": _EXTRAS}


def plain_config(name: str, environment: str, number: int) -> dict[str, str]:
    """Return the plain YAML that an app brings along."""
    facts = {
        "name": name,
        "replicas": number % 3 + 1,
        "image": f"registry.example.com/acme/{name}",
        "level": "info",
        "host": f"{name}.{environment}.example.com",
        "cpu": f"{10 * number + 50}m",
    }
    return {file: text.format(**facts) for file, text in _FILES.items()}


def kustomize_base() -> dict[str, str]:
    """Return the files of a base: the same Deployment, Service and Ingress."""
    facts = {
        "name": "web",
        "replicas": 1,
        "image": "registry.example.com/acme/web",
        "level": "info",
        "host": "web.example.com",
        "cpu": "50m",
    }
    files = {file: text.format(**facts) for file, text in _FILES.items()}
    root = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
    return {**files, "kustomization.yaml": root + "".join(f"  - {file}\n" for file in files)}


def kustomize_overlay(name: str, number: int) -> dict[str, str]:
    """Return a small overlay on the base, in a namespace of its own."""
    return {
        "kustomization.yaml": f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {name}
resources:
  - ../base
labels:
  - pairs:
      team: team-{number % 7}
replicas:
  - name: web
    count: {number % 3 + 1}
images:
  - name: registry.example.com/acme/web
    newName: registry.example.com/acme/{name}
patches:
  - path: resources.yaml
  - target: {{kind: Ingress, name: web}}
    patch: |-
      - op: replace
        path: /spec/rules/0/host
        value: {name}.example.com
configMapGenerator:
  - name: settings
    literals:
      - OWNER=team-{number % 7}
      - LIMIT={100 + number}
""",
        "resources.yaml": f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          envFrom:
            - configMapRef:
                name: settings
          resources:
            requests:
              cpu: {50 + number}m
""",
    }
