"""What a change does when it is applied: for each effect a change that has it, and one close by that has not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.impact.effects import EFFECT_KINDS, find_effects
from headgate.objects.manifest import Manifest
from support.trees import one_object


def made(api: str, kind: str, rest: str = "", annotations: str = "{}", name: str = "x") -> str:
    metadata = f"{{name: {name}, namespace: shop, annotations: {annotations}}}"
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {metadata}\n{rest}"


def workload(pod: str = "{}", rest: str = "", kind: str = "Deployment", labels: str = "{}") -> str:
    template = f"template: {{metadata: {{labels: {labels}}}, spec: {pod}}}"
    return made("apps/v1", kind, f"spec: {{{rest}{template}}}")


def job(image: str, annotations: str = "{}") -> str:
    return made(
        "batch/v1", "Job", f"spec: {{template: {{spec: {{containers: [{{name: x, image: {image}}}]}}}}}}", annotations
    )


def cron_job(pod: str) -> str:
    return made("batch/v1", "CronJob", f"spec: {{jobTemplate: {{spec: {{template: {{spec: {pod}}}}}}}}}")


def claim(rest: str) -> str:
    return made("v1", "PersistentVolumeClaim", f"spec: {{{rest}}}")


def pod(container: str) -> str:
    return made("v1", "Pod", f"spec: {{containers: [{{name: x, {container}}}]}}")


def volume(rest: str) -> str:
    return made("v1", "PersistentVolume", f"spec: {{accessModes: [ReadWriteOnce], {rest}}}")


def definition(versions: str) -> str:
    """Return a CRD with versions, each with whether it is stored."""
    listed = ", ".join(
        f"{{name: {name}, storage: {stored}}}"
        for name, _, stored in (one.partition(": ") for one in versions.split(", "))
    )
    return made("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"spec: {{versions: [{listed}]}}")


def ingress(host: str, annotations: str = "{}") -> str:
    return made("networking.k8s.io/v1", "Ingress", f"spec: {{rules: [{{host: {host}}}]}}", annotations)


def config(value: str, rest: str = "", name: str = "x") -> str:
    return made("v1", "ConfigMap", f"data: {{a: {value}}}\n{rest}", name=name)


def partition(number: int) -> str:
    return f"updateStrategy: {{type: RollingUpdate, rollingUpdate: {{partition: {number}}}}}, "


def retention(when: str) -> str:
    return f"persistentVolumeClaimRetentionPolicy: {{{when}: Delete}}, "


JOB = "spec: {template: {spec: {containers: [{name: x, image: %s}]}}}"
GUARD = "nginx.ingress.kubernetes.io/whitelist-source-range"
INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
FLUX = "kustomize.toolkit.fluxcd.io"
FORCED = f"{{{FLUX}/force: enabled}}"
CREATED = f"{{{FLUX}/ssa: IfNotPresent}}"
A, B = "{containers: [{name: x, image: a}]}", "{containers: [{name: x, image: b}]}"

CASES: dict[str, tuple[str | None, str | None, list[str]]] = {
    "restarts": (workload(A), workload(B), ["restarts"]),
    "restarts for a label": (workload(A), workload(A, labels="{v: '2'}"), ["restarts"]),
    "restarts for the order of env": (
        workload("{containers: [{name: x, env: [{name: A}, {name: B}]}]}"),
        workload("{containers: [{name: x, env: [{name: B}, {name: A}]}]}"),
        ["restarts"],
    ),
    "restarts not for another spelling": (
        workload("{containers: [{name: x, resources: {limits: {cpu: 500m}}}]}"),
        workload("{containers: [{name: x, resources: {limits: {cpu: 0.5}}}]}"),
        ["nothing"],
    ),
    "restarts not for what is empty": (
        workload("{nodeSelector: {}, tolerations: [], containers: [{name: x}]}"),
        workload("{containers: [{name: x}]}"),
        ["nothing"],
    ),
    "restarts for what is empty and means something": (
        workload("{volumes: [{name: v, emptyDir: {}}], affinity: {}}"),
        workload("{volumes: [{name: v, emptyDir: {}}]}"),
        ["restarts"],
    ),
    "restarts not for defaults of references": (
        workload("{containers: [{name: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}]}"),
        workload(
            "{containers: [{name: x, env: "
            "[{name: A, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}}]}]}"
        ),
        ["nothing"],
    ),
    "restarts for another reference": (
        workload("{containers: [{name: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}]}"),
        workload("{containers: [{name: x, env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}]}"),
        ["restarts"],
    ),
    "restarts not for the default of a volume": (
        workload("{volumes: [{name: v}, {name: h, hostPath: {path: /a}}]}"),
        workload("{volumes: [{name: v, emptyDir: {}}, {name: h, hostPath: {path: /a, type: ''}}]}"),
        ["nothing"],
    ),
    "not rejected defaults of a claim template": (
        workload(A, "volumeClaimTemplates: [{metadata: {name: a}, spec: {storageClassName: b}}], ", "StatefulSet"),
        workload(
            A,
            "volumeClaimTemplates: [{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a}, "
            "spec: {storageClassName: b, volumeMode: Filesystem}}], ",
            "StatefulSet",
        ),
        ["nothing"],
    ),
    "another amount": (
        made("v1", "ResourceQuota", "spec: {hard: {requests.cpu: 1}}"),
        made("v1", "ResourceQuota", "spec: {hard: {requests.cpu: 2000m}}"),
        ["changed"],
    ),
    "not another amount": (
        made("v1", "ResourceQuota", "spec: {hard: {requests.cpu: 2}}"),
        made("v1", "ResourceQuota", "spec: {hard: {requests.cpu: 2000m}}"),
        ["nothing"],
    ),
    "not another direction": (
        made("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}"),
        made(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80, protocol: TCP}]}]}",
        ),
        ["nothing"],
    ),
    "another direction": (
        made("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, ingress: [{}]}"),
        made("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, policyTypes: [Egress], ingress: [{}]}"),
        ["changed"],
    ),
    "rejected driver": (
        made("storage.k8s.io/v1", "CSIDriver", "spec: {}"),
        made("storage.k8s.io/v1", "CSIDriver", "spec: {attachRequired: false}"),
        ["rejected"],
    ),
    "rejected completions alone": (
        made("batch/v1", "Job", "spec: {completionMode: Indexed, completions: 2, parallelism: 2}"),
        made("batch/v1", "Job", "spec: {completionMode: Indexed, completions: 3, parallelism: 2}"),
        ["rejected"],
    ),
    "restarts what is not Kubernetes' own": (
        workload(A).replace("apps/v1", "argoproj.io/v1").replace("Deployment", "Rollout"),
        workload(B).replace("apps/v1", "argoproj.io/v1").replace("Deployment", "Rollout"),
        ["restarts"],
    ),
    "restarts nothing of what has no pods": (
        made("external-secrets.io/v1", "ExternalSecret", "spec: {template: {data: {a: b}}}"),
        made("external-secrets.io/v1", "ExternalSecret", "spec: {template: {data: {a: c}}}"),
        ["changed"],
    ),
    "restarts not when paused": (workload(A, "paused: true, "), workload(B, "paused: true, "), ["later"]),
    "restarts not on delete": (
        workload(A, "updateStrategy: {type: OnDelete}, ", "DaemonSet"),
        workload(B, "updateStrategy: {type: OnDelete}, ", "DaemonSet"),
        ["later"],
    ),
    "a cron job runs later": (cron_job(A), cron_job(B), ["later"]),
    "rejected": (job("a"), job("b"), ["rejected"]),
    "rejected selector": (
        workload(A, "selector: {matchLabels: {a: b}}, "),
        workload(A, "selector: {matchLabels: {a: c}}, "),
        ["rejected"],
    ),
    "rejected stateful set": (
        workload(A, "serviceName: a, ", "StatefulSet"),
        workload(A, "serviceName: b, ", "StatefulSet"),
        ["rejected"],
    ),
    "not rejected stateful set": (workload(A, "", "StatefulSet"), workload(B, "", "StatefulSet"), ["restarts"]),
    "rejected strategy": (workload(A), workload(A, "strategy: {type: Recreate}, "), ["rejected"]),
    "not rejected strategy": (
        workload(A, "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}, "),
        workload(A, "strategy: {type: Recreate}, "),
        ["changed"],
    ),
    "rejected update strategy": (
        workload(A, "", "StatefulSet"),
        workload(A, "updateStrategy: {type: OnDelete}, ", "StatefulSet"),
        ["rejected"],
    ),
    "not rejected daemon set": (
        workload(A, "", "DaemonSet"),
        workload(A, "updateStrategy: {type: OnDelete}, ", "DaemonSet"),
        ["changed"],
    ),
    "rejected claim template": (
        workload(A, "volumeClaimTemplates: [{metadata: {name: a}}], ", "StatefulSet"),
        workload(A, "volumeClaimTemplates: [{metadata: {name: b}}], ", "StatefulSet"),
        ["rejected"],
    ),
    "not rejected type of a claim template": (
        workload(A, "volumeClaimTemplates: [{metadata: {name: a}}], ", "StatefulSet"),
        workload(A, "volumeClaimTemplates: [{apiVersion: v1, kind: C, metadata: {name: a}}], ", "StatefulSet"),
        ["changed"],
    ),
    "rejected pod": (pod("image: a, command: [a]"), pod("image: a, command: [b]"), ["rejected"]),
    "not rejected pod": (pod("image: a"), pod("image: 'a:1'"), ["restarts"]),
    "a pod waits longer": (
        made("v1", "Pod", "spec: {terminationGracePeriodSeconds: 30, containers: [{name: x}]}"),
        made("v1", "Pod", "spec: {terminationGracePeriodSeconds: 1, containers: [{name: x}]}"),
        ["changed"],
    ),
    "rejected volume": (volume("hostPath: {path: /a}"), volume("hostPath: {path: /b}"), ["rejected"]),
    "not rejected volume": (volume("capacity: {storage: 1Gi}"), volume("capacity: {storage: 2Gi}"), ["changed"]),
    "rejected smaller claim": (
        claim("resources: {requests: {storage: 2Gi}}"),
        claim("resources: {requests: {storage: 1.5Gi}}"),
        ["rejected"],
    ),
    "not rejected spelling of a size": (
        claim("resources: {requests: {storage: 1Gi}}"),
        claim("resources: {requests: {storage: 1024Mi}}, volumeMode: Filesystem"),
        ["nothing"],
    ),
    "rejected stored version": (definition("v1: true"), definition("v2: true"), ["rejected"]),
    "not rejected stored version": (definition("v1: true"), definition("v1: false, v2: true"), ["changed"]),
    "rejected address of none": (
        made("v1", "Service", "spec: {ports: []}"),
        made("v1", "Service", "spec: {ports: [], clusterIP: None}"),
        ["rejected"],
    ),
    "not rejected defaults": (
        made("v1", "Secret", "data: {a: Yg==}"),
        made("v1", "Secret", "data: {a: Yg==}\ntype: Opaque"),
        ["nothing"],
    ),
    "not rejected default of a class": (
        made("storage.k8s.io/v1", "StorageClass", "provisioner: a"),
        made("storage.k8s.io/v1", "StorageClass", "provisioner: a\nreclaimPolicy: Delete"),
        ["nothing"],
    ),
    "rejected class": (
        made("storage.k8s.io/v1", "StorageClass", "provisioner: a"),
        made("storage.k8s.io/v1", "StorageClass", "provisioner: a\nreclaimPolicy: Retain"),
        ["rejected"],
    ),
    "not rejected group of a role": (
        made("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef: {kind: Role, name: a}"),
        made(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}",
        ),
        ["nothing"],
    ),
    "rejected claim": (claim("storageClassName: a"), claim("storageClassName: b"), ["rejected"]),
    "not rejected claim": (
        claim("resources: {requests: {storage: 1Gi}}"),
        claim("resources: {requests: {storage: 2Gi}}"),
        ["changed"],
    ),
    "rejected immutable map": (config("1", "immutable: true"), config("2", "immutable: true"), ["rejected", "later"]),
    "another name is another object": (
        config("1", "immutable: true", "web-7g2h9kdf5m"),
        config("2", "immutable: true", "web-5m9k2h7gdf"),
        ["changed"],
    ),
    "rejected address": (
        made("v1", "Service", "spec: {clusterIP: 10.0.0.1}"),
        made("v1", "Service", "spec: {clusterIP: 10.0.0.2}"),
        ["rejected"],
    ),
    "an address is given up": (
        made("v1", "Service", "spec: {clusterIP: 10.0.0.1}"),
        made("v1", "Service", "spec: {}"),
        ["changed"],
    ),
    "a hook runs again": (
        job("a").replace("name: x", "name: x-0123abcd", 1),
        job("b").replace("name: x", "name: x-4567abcd", 1),
        ["restarts"],
    ),
    "recreated": (job("a"), job("b", FORCED), ["recreated"]),
    "forced without need": (job("a"), job("a", FORCED), ["changed"]),
    "scales": (workload(A, "replicas: 2, "), workload(A, "replicas: 5, "), ["scales"]),
    "scales from the default": (workload(A), workload(A, "replicas: 0, "), ["scales"]),
    "scales not": (workload(A), workload(A, "replicas: 1, "), ["nothing"]),
    "scales within": (
        made("autoscaling/v2", "HorizontalPodAutoscaler", "spec: {maxReplicas: 3}"),
        made("autoscaling/v2", "HorizontalPodAutoscaler", "spec: {maxReplicas: 5}"),
        ["scales"],
    ),
    "scales within by KEDA": (
        made("keda.sh/v1alpha1", "ScaledObject", "spec: {maxReplicaCount: 3}"),
        made("keda.sh/v1alpha1", "ScaledObject", "spec: {minReplicaCount: 1, maxReplicaCount: 3}"),
        ["scales"],
    ),
    "restarts nothing where nothing runs": (workload(A, "replicas: 0, "), workload(B, "replicas: 0, "), ["later"]),
    "starts what did not run": (workload(A, "replicas: 0, "), workload(B, "replicas: 2, "), ["scales"]),
    "stops what ran": (workload(A, "replicas: 2, "), workload(B, "replicas: 0, "), ["scales"]),
    "restarts above the partition": (
        workload(A, f"replicas: 3, {partition(1)}", "StatefulSet"),
        workload(B, f"replicas: 3, {partition(1)}", "StatefulSet"),
        ["restarts"],
    ),
    "restarts nothing below the partition": (
        workload(A, f"replicas: 3, {partition(3)}", "StatefulSet"),
        workload(B, f"replicas: 3, {partition(3)}", "StatefulSet"),
        ["later"],
    ),
    "restarts what was held back": (
        workload(A, f"replicas: 3, {partition(3)}", "StatefulSet"),
        workload(A, f"replicas: 3, {partition(0)}", "StatefulSet"),
        ["restarts"],
    ),
    "restarts nothing by another partition": (
        workload(A, f"replicas: 3, {partition(0)}", "StatefulSet"),
        workload(A, f"replicas: 3, {partition(3)}", "StatefulSet"),
        ["changed"],
    ),
    "restarts when resumed": (workload(A, "paused: true, "), workload(A), ["restarts"]),
    "restarts not when it pauses": (workload(A), workload(A, "paused: true, "), ["changed"]),
    "scales what is not Kubernetes' own": (
        made("argoproj.io/v1alpha1", "Rollout", "spec: {replicas: 2}"),
        made("argoproj.io/v1alpha1", "Rollout", "spec: {replicas: 0}"),
        ["scales"],
    ),
    "scales not what only calls it so": (
        made("example.com/v1", "Store", "spec: {replicas: [a]}"),
        made("example.com/v1", "Store", "spec: {replicas: [b]}"),
        ["changed"],
    ),
    "scales an old controller": (
        made("v1", "ReplicationController", "spec: {}"),
        made("v1", "ReplicationController", "spec: {replicas: 2}"),
        ["scales"],
    ),
    "scales down with its data": (
        workload(A, f"replicas: 3, {retention('whenScaled')}", "StatefulSet"),
        workload(A, f"replicas: 1, {retention('whenScaled')}", "StatefulSet"),
        ["data", "scales"],
    ),
    "scales up without loss": (
        workload(A, f"replicas: 1, {retention('whenScaled')}", "StatefulSet"),
        workload(A, f"replicas: 3, {retention('whenScaled')}", "StatefulSet"),
        ["scales"],
    ),
    "a claim is created again without its data": (
        claim("storageClassName: a"),
        made("v1", "PersistentVolumeClaim", "spec: {storageClassName: b}", FORCED),
        ["recreated", "data"],
    ),
    "what the cluster has is forced": (
        made("batch/v1", "Job", JOB % "a", FORCED),
        made("batch/v1", "Job", JOB % "b"),
        ["recreated"],
    ),
    "a stateful set is created again, its claims stay": (
        workload(A, "serviceName: a, ", "StatefulSet"),
        workload(A, "serviceName: b, ", "StatefulSet").replace("annotations: {}", f"annotations: {FORCED}"),
        ["recreated"],
    ),
    "a stateful set is created again without its claims": (
        workload(A, f"serviceName: a, {retention('whenDeleted')}", "StatefulSet"),
        workload(A, f"serviceName: b, {retention('whenDeleted')}", "StatefulSet").replace(
            "annotations: {}", f"annotations: {FORCED}"
        ),
        ["recreated", "data"],
    ),
    "created only": (workload(A), workload(B).replace("annotations: {}", f"annotations: {CREATED}"), ["nothing"]),
    "created only, and new": (None, workload(B).replace("annotations: {}", f"annotations: {CREATED}"), ["added"]),
    "ignored": (None, made("v1", "Service", "", f"{{{FLUX}/ssa: Ignore}}"), ["nothing"]),
    "kept by a label": (
        made("v1", "PersistentVolumeClaim").replace("annotations: {}", f"labels: {{{FLUX}/prune: disabled}}"),
        None,
        ["stays"],
    ),
    "what a chart installed goes": (made("helm.toolkit.fluxcd.io/v2", "HelmRelease"), None, ["data"]),
    "a secret written otherwise": (
        made("v1", "Secret", "data: {a: Yg==}"),
        made("v1", "Secret", "stringData: {a: b}"),
        ["nothing"],
    ),
    "a claim goes": (claim(""), None, ["data"]),
    "a namespace goes": (made("v1", "Namespace"), None, ["data"]),
    "a kind goes": (made("apiextensions.k8s.io/v1", "CustomResourceDefinition"), None, ["data"]),
    "a stateful set goes": (workload(A, "", "StatefulSet"), None, ["data"]),
    "a service goes": (made("v1", "Service"), None, ["removed"]),
    "a claim stays": (made("v1", "PersistentVolumeClaim", "", f"{{{FLUX}/prune: disabled}}"), None, ["stays"]),
    "exposes": (ingress("a.example.com"), ingress("b.example.com"), ["exposes"]),
    "exposes when it comes": (None, ingress("a.example.com"), ["exposes", "added"]),
    "exposes not by an annotation": (ingress("a"), ingress("a", "{a: b}"), ["changed"]),
    "exposes by type": (
        made("v1", "Service", "spec: {}"),
        made("v1", "Service", "spec: {type: LoadBalancer}"),
        ["exposes"],
    ),
    "exposes what was guarded": (ingress("a", f"{{{GUARD}: 10.0.0.0/8}}"), ingress("a"), ["exposes"]),
    "exposes to other sources": (
        ingress("a", f"{{{GUARD}: 10.0.0.0/8}}"),
        ingress("a", f"{{{GUARD}: '10.0.0.0/8, 0.0.0.0/0'}}"),
        ["exposes"],
    ),
    "exposes not what is guarded more": (
        ingress("a", f"{{{GUARD}: '10.0.0.0/8, 11.0.0.0/8'}}"),
        ingress("a", f"{{{GUARD}: 11.0.0.0/8}}"),
        ["changed"],
    ),
    "exposes to the internet": (
        ingress("a", "{alb.ingress.kubernetes.io/scheme: internal}"),
        ingress("a", "{alb.ingress.kubernetes.io/scheme: internet-facing}"),
        ["exposes"],
    ),
    "exposes not to fewer": (
        made("v1", "Service", "spec: {type: LoadBalancer}"),
        made("v1", "Service", "spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]}"),
        ["changed"],
    ),
    "exposes not by the order of sources": (
        made("v1", "Service", "spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8, 11.0.0.0/8]}"),
        made("v1", "Service", "spec: {type: LoadBalancer, loadBalancerSourceRanges: [11.0.0.0/8, 10.0.0.0/8]}"),
        ["changed"],
    ),
    "exposes another port": (
        made("v1", "Service", "spec: {type: NodePort, ports: [{port: 80}]}"),
        made("v1", "Service", "spec: {type: NodePort, ports: [{port: 22}, {port: 80}]}"),
        ["exposes"],
    ),
    "exposes not by a port within the cluster": (
        made("v1", "Service", "spec: {ports: [{port: 80}]}"),
        made("v1", "Service", "spec: {ports: [{port: 22}, {port: 80}]}"),
        ["changed"],
    ),
    "exposes not what has node ports already": (
        made("v1", "Service", "spec: {type: LoadBalancer}"),
        made("v1", "Service", "spec: {type: NodePort}"),
        ["changed"],
    ),
    "exposes what was internal": (
        made("v1", "Service", "spec: {type: LoadBalancer}", f"{{{INTERNAL}: 'true'}}"),
        made("v1", "Service", "spec: {type: LoadBalancer}", f"{{{INTERNAL}: 'false'}}"),
        ["exposes"],
    ),
    "exposes not what becomes internal": (
        made("v1", "Service", "spec: {type: LoadBalancer}"),
        made("v1", "Service", "spec: {type: LoadBalancer}", f"{{{INTERNAL}: 'true'}}"),
        ["changed"],
    ),
    "exposes by a port of the node": (
        workload("{containers: [{name: x, ports: [{containerPort: 80}]}]}"),
        workload("{containers: [{name: x, ports: [{containerPort: 80, hostPort: 80}]}]}"),
        ["exposes", "restarts"],
    ),
    "exposes by a listener": (
        None,
        made("gateway.networking.k8s.io/v1", "ListenerSet", "spec: {listeners: [{port: 80}]}"),
        ["exposes", "added"],
    ),
    "exposes by a route of TCP": (
        None,
        made("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "spec: {parentRefs: [{name: public}]}"),
        ["exposes", "added"],
    ),
    "exposes by Istio": (
        None,
        made("networking.istio.io/v1", "Gateway", "spec: {servers: [{hosts: [a], port: {number: 80}}]}"),
        ["exposes", "added"],
    ),
    "exposes by Traefik": (
        made("traefik.io/v1alpha1", "IngressRoute", "spec: {routes: [{match: Host(a)}]}"),
        made("traefik.io/v1alpha1", "IngressRoute", "spec: {routes: [{match: Host(b)}]}"),
        ["exposes"],
    ),
    "exposes by Contour": (
        None,
        made("projectcontour.io/v1", "HTTPProxy", "spec: {virtualhost: {fqdn: a}}"),
        ["exposes", "added"],
    ),
    "exposes to everybody": (
        made("v1", "Service", "spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]}"),
        made("v1", "Service", "spec: {type: LoadBalancer}"),
        ["exposes"],
    ),
    "hides": (made("v1", "Service", "spec: {type: NodePort}"), made("v1", "Service", "spec: {}"), ["changed"]),
    "exposes by a route": (
        None,
        made("gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {hostnames: [a]}"),
        ["exposes", "added"],
    ),
    "config": (config("1"), config("2"), ["later"]),
    "a label of a config map": (config("1"), config("1", "immutable: false"), ["changed"]),
    "a version's label": (
        made("v1", "Service").replace("annotations: {}", "labels: {app.kubernetes.io/version: '1'}"),
        made("v1", "Service").replace("annotations: {}", "labels: {app.kubernetes.io/version: '2'}"),
        ["nothing"],
    ),
    "another label": (
        made("v1", "Service").replace("annotations: {}", "labels: {team: a}"),
        made("v1", "Service").replace("annotations: {}", "labels: {team: b}"),
        ["changed"],
    ),
    "switched off": (job("a"), job("b", f"{{{FLUX}/reconcile: disabled}}"), ["nothing"]),
    "odd": (made("v1", "Service", "spec: [1]"), made("v1", "Service", "spec: x"), ["changed"]),
    "odd pods": (made("apps/v1", "Deployment", "spec: x"), workload("[1]"), ["restarts"]),
}


def read(text: str | None) -> Manifest | None:
    return one_object(text) if text else None


@pytest.mark.parametrize("name", CASES)
def test_effects(name: str) -> None:
    old, new, expected = CASES[name]
    assert [effect.kind for effect in find_effects(read(old), read(new))] == expected


def test_each_effect_has_a_case() -> None:
    assert {kind for _, _, kinds in CASES.values() for kind in kinds} == set(EFFECT_KINDS)


def texts(old: str | None, new: str | None) -> list[str]:
    return [effect.text for effect in find_effects(read(old), read(new))]


def test_effects_say_what_happens() -> None:
    assert texts(job("a"), job("b")) == [
        "is rejected by the cluster: spec.template.spec.containers[x].image cannot be changed"
    ]
    assert texts(workload(A), workload(A, "replicas: 3, ")) == ["scales from 1 to 3"]
    assert texts(ingress("a"), ingress("b")) == ["becomes reachable: b/"]
    recreate = "strategy: {type: Recreate}, "
    assert texts(workload(A, recreate), workload(B, recreate)) == ["stops all its pods, then starts new ones"]
    kept = "persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}, "
    assert texts(workload(A, kept, "StatefulSet"), None) == ["is removed with its volume claims and their data"]
    assert texts(workload(A, "", "StatefulSet"), None) == ["is removed and leaves its volume claims behind"]


KINDS = [("apps/v1", "Deployment"), ("batch/v1", "Job"), ("v1", "Service"), ("networking.k8s.io/v1", "Ingress")]
KINDS += [("v1", "PersistentVolumeClaim"), ("apps/v1", "StatefulSet"), ("v1", "ConfigMap")]
FIELDS = [
    "spec",
    "template",
    "containers",
    "replicas",
    "rules",
    "http",
    "paths",
    "clusterIP",
    "resources",
    "limits",
    "type",
]
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)),
)


@settings(max_examples=150)
@given(st.sampled_from(KINDS), junk, junk)
def test_whatever_an_app_writes_has_effects(kind: tuple[str, str], old: object, new: object) -> None:
    group = kind[0].rpartition("/")[0]
    sides = [
        Manifest(group=group, kind=kind[1], namespace="", name="x", data={"apiVersion": kind[0], "spec": spec})
        for spec in (old, new)
    ]
    assert find_effects(*sides)
    assert find_effects(None, sides[1])
    assert find_effects(sides[0], None)
