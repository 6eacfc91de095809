"""What a reviewer is told to look at, rule by rule; and that nothing is told of what is harmless."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.impact.risk import find_risks
from headgate.model.fields import RiskFlag
from headgate.objects.manifest import Manifest
from support.trees import one_object

POD = "spec: {template: {spec: {%s}}}"
A = "registry.example.com/acme/web:%s@sha256:" + "1" * 64


def read(text: str | None) -> Manifest | None:
    return one_object(text) if text else None


def made(api: str, kind: str, rest: str = "") -> str:
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x, namespace: shop}}\n{rest}"


def deployment(pod: str = "containers: []", replicas: str = "2") -> str:
    return made("apps/v1", "Deployment", f"spec: {{replicas: {replicas}, template: {{spec: {{{pod}}}}}}}")


def image(reference: str) -> str:
    return deployment(f'containers: [{{name: x, image: "{reference}"}}]')


def container(context: str) -> str:
    return deployment(f"containers: [{{name: x, securityContext: {context}}}]")


CASES = {
    "a claim goes": (made("v1", "PersistentVolumeClaim"), None, ["is removed, with its data unless that is retained"]),
    "a claim that is kept goes": (
        made("v1", "PersistentVolumeClaim").replace(
            "namespace: shop", "namespace: shop, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}"
        ),
        None,
        ["is removed, but stays in the cluster"],
    ),
    "a namespace goes": (made("v1", "Namespace"), None, ["is removed, with everything in it"]),
    "a stateful set goes": (made("apps/v1", "StatefulSet"), None, ["is removed, which holds data"]),
    "a service goes": (made("v1", "Service"), None, ["is removed"]),
    "a config map comes": (None, made("v1", "ConfigMap"), []),
    "no replica": (deployment(), deployment(replicas="0"), ["is scaled to zero"]),
    "no replica as before": (deployment(replicas="0"), deployment(replicas="0"), []),
    "one replica": (deployment(), deployment(replicas="1"), []),
    "older": (image(A % "1.10.0"), image(A % "1.9.0"), ["goes back from version 1.10.0 to 1.9.0"]),
    "newer": (image(A % "1.9.0"), image(A % "1.10.0"), []),
    "no version": (image(A % "main-b"), image(A % "main-a"), []),
    "unpinned": (image(A % "1.0.0"), image("nginx:1.0.0"), ["runs an image that is not pinned by digest"]),
    "unpinned beside what is encrypted": (
        None,
        f"{image('nginx:1.0.0')}\nsops: {{mac: 'ENC[x]'}}\n",
        ["runs an image that is not pinned by digest"],
    ),
    "encrypted": (None, image("ENC[AES256_GCM,data:x,iv:x]"), []),
    "unpinned as before": (image("nginx:1.0.0"), image("nginx:1.0.0"), []),
    "privileged": (container("{}"), container("{privileged: true}"), ["runs a privileged container"]),
    "privileged as before": (container("{privileged: true}"), container("{privileged: true}"), []),
    "host network": (None, deployment("hostNetwork: true"), ["shares the node's Network (hostNetwork)"]),
    "host path": (
        deployment(),
        deployment("volumes: [{name: x, hostPath: {path: /}}]"),
        ["mounts folders of the node (hostPath)"],
    ),
    "privileged before the others": (
        deployment(),
        deployment("initContainers: [{name: x, securityContext: {privileged: true}}]"),
        ["runs a privileged container"],
    ),
    "custom workload": (
        made("argoproj.io/v1", "Rollout", POD % "containers: [{name: x}]"),
        made("argoproj.io/v1", "Rollout", POD % "hostPID: true, containers: [{name: x}]"),
        ["shares the node's PID (hostPID)"],
    ),
    "custom workload of another shape": (
        None,
        made(
            "example.com/v1",
            "Set",
            "spec: {groups: [{template: {spec: {containers: [{name: x, securityContext: {privileged: true}}]}}}]}",
        ),
        ["runs a privileged container"],
    ),
    "a custom resource that runs nothing": (None, made("example.com/v1", "Set", "spec: {hostPID: true}"), []),
    "a role comes": (
        None,
        made("rbac.authorization.k8s.io/v1", "Role"),
        ["adds permissions in the cluster (RBAC)"],
    ),
    "a webhook comes": (
        None,
        made("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ["adds admission rules (webhook or policy)"],
    ),
    "a kind changes": (
        made("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        made("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec: {}"),
        ["changes a kind of object (CRD)"],
    ),
    "a load balancer": (
        made("v1", "Service", "spec: {}"),
        made("v1", "Service", "spec: {type: LoadBalancer}"),
        ["is of type LoadBalancer, no longer ClusterIP"],
    ),
    "an address": (
        made("v1", "Service", "spec: {externalIPs: [10.0.0.1]}"),
        made("v1", "Service", "spec: {externalIPs: [10.0.0.1, 192.0.2.1]}"),
        ["is reachable by other addresses (externalIPs)"],
    ),
    "the address as before": (
        made("v1", "Service", "spec: {externalIPs: [10.0.0.1], ports: [{port: 80}]}"),
        made("v1", "Service", "spec: {externalIPs: [10.0.0.1], ports: [{port: 80, targetPort: 8080}]}"),
        [],
    ),
    "another port of an address": (
        made("v1", "Service", "spec: {externalIPs: [10.0.0.1], ports: [{port: 80}]}"),
        made("v1", "Service", "spec: {externalIPs: [10.0.0.1], ports: [{port: 22}, {port: 80}]}"),
        ["becomes reachable: port 22/TCP"],
    ),
    "another port within the cluster": (
        made("v1", "Service", "spec: {ports: [{port: 80}]}"),
        made("v1", "Service", "spec: {ports: [{port: 22}, {port: 80}]}"),
        [],
    ),
    "other sources of a load balancer": (
        made("v1", "Service", "spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8]}"),
        made("v1", "Service", "spec: {type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8, 0.0.0.0/0]}"),
        ["becomes reachable: Service of type LoadBalancer from 0.0.0.0/0"],
    ),
    "a port of the node": (
        deployment(),
        deployment("containers: [{name: x, ports: [{containerPort: 80, hostPort: 8080}]}]"),
        ["becomes reachable: port 8080/TCP of the node"],
    ),
    "the port of the node as before": (
        deployment("containers: [{name: x, ports: [{containerPort: 80, hostPort: 8080}]}]"),
        deployment("containers: [{name: x, args: [a], ports: [{containerPort: 80, hostPort: 8080}]}]"),
        [],
    ),
    "a route of another maker": (
        None,
        made("route.openshift.io/v1", "Route", "spec: {host: a.example.com}"),
        ["is reachable from outside"],
    ),
    "another folder of the node": (
        deployment("volumes: [{name: x, hostPath: {path: /var/log}}]"),
        deployment("volumes: [{name: x, hostPath: {path: /}}]"),
        ["mounts folders of the node (hostPath)"],
    ),
    "the folder of the node as before": (
        deployment("volumes: [{name: x, hostPath: {path: /var/log}}]"),
        deployment("volumes: [{name: y, hostPath: {path: /var/log, type: Directory}}]"),
        [],
    ),
    "a second privileged container": (
        container("{privileged: true}"),
        deployment("containers: [{name: x, securityContext: &p {privileged: true}}, {name: y, securityContext: *p}]"),
        ["runs a privileged container"],
    ),
    "the privileged container by another name": (
        container("{privileged: true}"),
        deployment("containers: [{name: y, securityContext: {privileged: true}}]"),
        [],
    ),
    "an ingress that is guarded no longer": (
        made("networking.k8s.io/v1", "Ingress").replace("{name: x", "{name: x, annotations: {a/auth-url: b}"),
        made("networking.k8s.io/v1", "Ingress"),
        ["changes what is reachable from outside"],
    ),
    "an ingress with another annotation": (
        made("networking.k8s.io/v1", "Ingress").replace("{name: x", "{name: x, annotations: {a/b: c}"),
        made("networking.k8s.io/v1", "Ingress"),
        [],
    ),
    "all capabilities": (
        container("{}"),
        container("{capabilities: {add: [ALL]}}"),
        ["gives a container the capability ALL"],
    ),
    "a capability as good as root": (
        None,
        container("{capabilities: {add: [CAP_SYS_ADMIN]}}"),
        ["gives a container the capability CAP_SYS_ADMIN"],
    ),
    "a harmless capability": (container("{}"), container("{capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}}"), []),
    "a process of the node": (
        deployment("containers: []"),
        deployment("securityContext: {windowsOptions: {hostProcess: true}}, containers: []"),
        ["runs a container as a process of the node (hostProcess)"],
    ),
    "a volume that is a folder of the node": (
        None,
        made("v1", "PersistentVolume", "spec: {hostPath: {path: /}}"),
        ["is a folder of the node (hostPath)"],
    ),
    "another volume": (None, made("v1", "PersistentVolume", "spec: {nfs: {path: /}}"), []),
    "Flux's release goes": (
        made("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        None,
        ["is removed, with all that its chart installed"],
    ),
    "a route comes": (
        None,
        made("gateway.networking.k8s.io/v1", "GRPCRoute", "spec: {}"),
        ["is reachable from outside"],
    ),
    "an ingress comes": (None, made("networking.k8s.io/v1", "Ingress", "spec: {}"), ["is reachable from outside"]),
    "an ingress changes": (
        made("networking.k8s.io/v1", "Ingress", "spec: {rules: [{host: a}]}"),
        made("networking.k8s.io/v1", "Ingress", "spec: {rules: [{host: b}]}"),
        ["changes what is reachable from outside"],
    ),
    "broken types": (made("apps/v1", "Deployment", "spec: [1]"), made("apps/v1", "Deployment", "spec: x"), []),
    "odd containers": (deployment(), deployment("containers: [1, {image: [x]}], volumes: x"), []),
}


@pytest.mark.parametrize("name", CASES)
def test_rules(name: str) -> None:
    old, new, expected = CASES[name]
    assert [str(risk) for risk in find_risks(read(old), read(new), {})] == expected


def test_custom_resources_that_run_images() -> None:
    old, new = (made("argoproj.io/v1", "Rollout", f'spec: {{image: "{A % tag}"}}') for tag in ("2.0.0", "1.0.0"))
    (risk,) = find_risks(read(old), read(new), {"Rollout.argoproj.io": "spec.image"})
    assert (risk.flag, risk.text) == ("older-image", "goes back from version 2.0.0 to 1.0.0")


def test_each_flag_has_a_case_that_has_it_and_one_that_has_not() -> None:
    flags = [[risk.flag for risk in find_risks(read(old), read(new), {})] for old, new, _ in CASES.values()]
    assert {flag for found in flags for flag in found} == set(get_args(RiskFlag))
    assert [] in flags
