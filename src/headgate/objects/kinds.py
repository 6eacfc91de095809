"""Known kinds of Kubernetes: their scope, the place of their pod specs, and which are denied.

A kind is written ``Kind`` in the core group and ``Kind.group`` elsewhere, as for kubectl.
Sources: ``kubectl api-resources`` of Kubernetes 1.25 to 1.37, and the CRDs of the named projects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from headgate.errors import did_you_mean
from headgate.objects.lookup import map_at, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Scope = Literal["cluster", "namespace"]


def _kinds(group: str, names: str) -> set[str]:
    return {kind_name(group, name) for name in names.split()}


def kind_name(group: str, kind: str) -> str:
    """Return ``Kind`` or ``Kind.group``."""
    return f"{kind}.{group}" if group else kind


def _group_of(name: str) -> str:
    return name.partition(".")[2]


_CLUSTER = {
    *_kinds("", "Namespace Node PersistentVolume ComponentStatus"),
    *_kinds(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy "
        "ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding",
    ),
    *_kinds("apiextensions.k8s.io", "CustomResourceDefinition"),
    *_kinds("apiregistration.k8s.io", "APIService"),
    *_kinds("authentication.k8s.io", "TokenReview SelfSubjectReview"),
    *_kinds("authorization.k8s.io", "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"),
    *_kinds("certificates.k8s.io", "CertificateSigningRequest ClusterTrustBundle"),
    *_kinds("flowcontrol.apiserver.k8s.io", "FlowSchema PriorityLevelConfiguration"),
    *_kinds("internal.apiserver.k8s.io", "StorageVersion"),
    *_kinds("networking.k8s.io", "IngressClass IPAddress ServiceCIDR ClusterCIDR"),
    *_kinds("node.k8s.io", "RuntimeClass"),
    *_kinds("policy", "PodSecurityPolicy"),
    *_kinds("rbac.authorization.k8s.io", "ClusterRole ClusterRoleBinding"),
    *_kinds("resource.k8s.io", "DeviceClass ResourceSlice DeviceTaintRule ResourceClass ResourcePoolStatusRequest"),
    *_kinds("scheduling.k8s.io", "PriorityClass"),
    *_kinds("storage.k8s.io", "StorageClass CSIDriver CSINode VolumeAttachment VolumeAttributesClass"),
    *_kinds("storagemigration.k8s.io", "StorageVersionMigration"),
}
_NAMESPACED = {
    *_kinds(
        "",
        "Binding ConfigMap Endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate ReplicationController "
        "ResourceQuota Secret Service ServiceAccount",
    ),
    *_kinds("apps", "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet"),
    *_kinds("authorization.k8s.io", "LocalSubjectAccessReview"),
    *_kinds("autoscaling", "HorizontalPodAutoscaler"),
    *_kinds("batch", "CronJob Job"),
    *_kinds("certificates.k8s.io", "PodCertificateRequest"),
    *_kinds("coordination.k8s.io", "Lease LeaseCandidate"),
    *_kinds("discovery.k8s.io", "EndpointSlice"),
    *_kinds("events.k8s.io", "Event"),
    *_kinds("networking.k8s.io", "Ingress NetworkPolicy"),
    *_kinds("policy", "PodDisruptionBudget"),
    *_kinds("rbac.authorization.k8s.io", "Role RoleBinding"),
    *_kinds("resource.k8s.io", "ResourceClaim ResourceClaimTemplate ResourceClaimParameters ResourceClassParameters"),
    *_kinds("resource.k8s.io", "PodSchedulingContext"),
    *_kinds("scheduling.k8s.io", "Workload PodGroup CompositePodGroup"),
    *_kinds("storage.k8s.io", "CSIStorageCapacity"),
}

DEFINITION = "CustomResourceDefinition.apiextensions.k8s.io"

KUBERNETES: dict[str, Scope] = {**dict.fromkeys(_CLUSTER, "cluster"), **dict.fromkeys(_NAMESPACED, "namespace")}
"""Kubernetes' own kinds. Neither configuration nor CRDs change these."""

_KUBERNETES_GROUPS = {_group_of(name) for name in KUBERNETES}


def unknown_kind(name: str) -> str:
    """Say so of a kind that one of Kubernetes' own groups does not have, with what it may be meant to be; else nothing.

    All groups without a dot are Kubernetes' own: those of CRDs are domains.
    """
    kind, _, group = name.partition(".")
    if name in KUBERNETES or "." in group:
        return ""
    if group not in _KUBERNETES_GROUPS:
        homes = [_group_of(builtin) or "the core group" for builtin in KUBERNETES if builtin.partition(".")[0] == kind]
        return f"Kubernetes has no API group '{group}'{f', {kind} is in {homes[0]}' if homes else ''}"
    known = [builtin.partition(".")[0] for builtin in KUBERNETES if _group_of(builtin) == group]
    guess = did_you_mean(kind, known)
    return f"no kind {kind} in Kubernetes' group {group or 'core'}{f', {guess}' if guess else ''}"


_THIRD_PARTY_CLUSTER = {
    *_kinds("cert-manager.io", "ClusterIssuer"),
    *_kinds("external-secrets.io", "ClusterSecretStore ClusterExternalSecret ClusterPushSecret"),
    *_kinds("gateway.networking.k8s.io", "GatewayClass"),
    *_kinds("kyverno.io", "ClusterPolicy ClusterCleanupPolicy"),
    *_kinds("policies.kyverno.io", "ValidatingPolicy MutatingPolicy ImageValidatingPolicy"),
    *_kinds("cilium.io", "CiliumClusterwideNetworkPolicy"),
}
_THIRD_PARTY_NAMESPACED = {
    *_kinds("acme.cert-manager.io", "Challenge Order"),
    *_kinds("argoproj.io", "Application ApplicationSet AppProject Rollout AnalysisRun AnalysisTemplate Experiment"),
    *_kinds("argoproj.io", "Workflow WorkflowTemplate CronWorkflow Sensor EventSource EventBus"),
    *_kinds("bitnami.com", "SealedSecret"),
    *_kinds("cert-manager.io", "Certificate CertificateRequest Issuer"),
    *_kinds("cilium.io", "CiliumNetworkPolicy"),
    *_kinds("external-secrets.io", "ExternalSecret SecretStore PushSecret"),
    *_kinds(
        "gateway.networking.k8s.io",
        "Gateway HTTPRoute GRPCRoute TCPRoute TLSRoute UDPRoute ReferenceGrant BackendTLSPolicy",
    ),
    *_kinds("helm.toolkit.fluxcd.io", "HelmRelease"),
    *_kinds("image.toolkit.fluxcd.io", "ImagePolicy ImageRepository ImageUpdateAutomation"),
    *_kinds("keda.sh", "ScaledObject ScaledJob TriggerAuthentication"),
    *_kinds("kustomize.toolkit.fluxcd.io", "Kustomization"),
    *_kinds("kyverno.io", "Policy"),
    *_kinds("monitoring.coreos.com", "Alertmanager AlertmanagerConfig PodMonitor Probe Prometheus PrometheusAgent"),
    *_kinds("monitoring.coreos.com", "PrometheusRule ScrapeConfig ServiceMonitor ThanosRuler"),
    *_kinds("networking.istio.io", "DestinationRule EnvoyFilter Gateway ProxyConfig ServiceEntry Sidecar"),
    *_kinds("networking.istio.io", "VirtualService WorkloadEntry WorkloadGroup"),
    *_kinds("notification.toolkit.fluxcd.io", "Alert Provider Receiver"),
    *_kinds(
        "policy.linkerd.io",
        "AuthorizationPolicy HTTPRoute MeshTLSAuthentication NetworkAuthentication Server",
    ),
    *_kinds("security.istio.io", "AuthorizationPolicy PeerAuthentication RequestAuthentication"),
    *_kinds("serving.knative.dev", "Configuration Revision Route Service"),
    *_kinds(
        "source.toolkit.fluxcd.io",
        "Bucket ExternalArtifact GitRepository HelmChart HelmRepository OCIRepository",
    ),
    *_kinds("telemetry.istio.io", "Telemetry"),
    *_kinds("traefik.io", "IngressRoute IngressRouteTCP IngressRouteUDP Middleware TLSOption ServersTransport"),
    *_kinds("velero.io", "Backup Restore Schedule"),
    *_kinds("vertical-pod-autoscaler.k8s.io", "VerticalPodAutoscaler"),
    *_kinds("autoscaling.k8s.io", "VerticalPodAutoscaler"),
}

THIRD_PARTY: dict[str, Scope] = {
    **dict.fromkeys(_THIRD_PARTY_CLUSTER, "cluster"),
    **dict.fromkeys(_THIRD_PARTY_NAMESPACED, "namespace"),
}
"""Kinds of popular projects."""

# The path of the pod spec in built-in workloads.
# https://kubernetes.io/docs/concepts/workloads/
POD_SPECS = {
    "Pod": "spec",
    "PodTemplate": "template.spec",
    "ReplicationController": "spec.template.spec",
    "DaemonSet.apps": "spec.template.spec",
    "Deployment.apps": "spec.template.spec",
    "ReplicaSet.apps": "spec.template.spec",
    "StatefulSet.apps": "spec.template.spec",
    "Job.batch": "spec.template.spec",
    "CronJob.batch": "spec.jobTemplate.spec.template.spec",
}

_DENIED_GROUPS = {
    "rbac.authorization.k8s.io": "RBAC",
    "admissionregistration.k8s.io": "an admission webhook or policy",
    "apiextensions.k8s.io": "a CRD",
    "apiregistration.k8s.io": "an extension of the API server",
}
_ARGO = {"Application.argoproj.io", "ApplicationSet.argoproj.io", "AppProject.argoproj.io"}


def denied_because(group: str, kind: str, scope: Scope | None) -> str:
    """Return why an app's own config may render this kind only if allowed; empty if it may always."""
    if group in _DENIED_GROUPS:
        return _DENIED_GROUPS[group]
    if group == "fluxcd.io" or group.endswith(".fluxcd.io"):
        return "an object of Flux"
    if kind_name(group, kind) in _ARGO:
        return "an object of Argo CD"
    if scope is None:  # the API server ignores metadata.namespace of cluster-scoped objects, so it proves nothing
        return "unknown scope, maybe cluster-scoped (set it in 'scopes' of headgate.yaml)"
    return "cluster-scoped" if scope == "cluster" else ""


def scope_of(name: str, configured: Mapping[str, Scope], defined: Mapping[str, Scope]) -> Scope | None:
    """Return the scope of ``Kind.group``, or None if it is unknown.

    Kubernetes' own list comes first, then ``scopes`` of headgate.yaml, then the list of third parties, then CRDs
    (`scopes_defined_by`), which cannot define a kind in Kubernetes' own groups.
    """
    if name in KUBERNETES:
        return KUBERNETES[name]
    if name in configured:
        return configured[name]
    if name in THIRD_PARTY:
        return THIRD_PARTY[name]
    return None if _group_of(name) in _KUBERNETES_GROUPS else defined.get(name)


def scopes_defined_by(definitions: Iterable[Mapping[Any, Any]]) -> dict[str, Scope]:
    """Return the scopes of the kinds that these CRDs (`DEFINITION`) define."""
    scopes: dict[str, Scope] = {}
    for data in definitions:
        spec = map_at(data, "spec")
        scope = _SCOPES.get(str(spec.get("scope")))
        if scope is not None:
            scopes[kind_name(str(spec.get("group")), str(value_at(spec, "names", "kind")))] = scope
    return scopes


_SCOPES: dict[str, Scope] = {"Cluster": "cluster", "Namespaced": "namespace"}
