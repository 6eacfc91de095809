from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from headgate.errors import DeniedError
from headgate.model import Allow
from headgate.objects.check import check_allowed
from headgate.objects.kinds import denied_because
from headgate.objects.manifest import Manifest, with_namespace
from support.trees import one_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.objects.kinds import Scope

APP_FILE = "apps/shop/app.yaml"


def an_object(api_version: str, kind: str, *, namespace: str = "", name: str = "x", source: str = "") -> Manifest:
    where = f", namespace: {namespace}" if namespace else ""
    return one_object(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}{where}}}\n", source=source)


def scoped(*found: Manifest, scopes: Mapping[str, Scope] | None = None) -> Sequence[tuple[Manifest, Scope | None]]:
    return with_namespace(found, "shop", scopes or {}, own_config=True, allowed=()).scoped


def check(*found: Manifest, allow: Allow | None = None, own_config: bool = True) -> None:
    allow = allow or Allow()
    placed = with_namespace(found, "shop", {}, own_config=own_config, allowed=allow.kinds)
    check_allowed(placed.scoped, allow, "shop", APP_FILE, own_config=own_config)


def refusal(*found: Manifest, allow: Allow | None = None, own_config: bool = True) -> DeniedError:
    with pytest.raises(DeniedError) as caught:
        check(*found, allow=allow, own_config=own_config)
    return caught.value


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
ENCRYPTED = """
    apiVersion: v1
    kind: Secret
    metadata: {name: db, namespace: shop}
    stringData: {password: "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"}
    sops: {mac: "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]", version: 3.9.0}
"""

DENIED = [
    ("v1", "Namespace", "cluster-scoped"),
    ("v1", "PersistentVolume", "cluster-scoped"),
    ("scheduling.k8s.io/v1", "PriorityClass", "cluster-scoped"),
    ("storage.k8s.io/v1", "StorageClass", "cluster-scoped"),
    ("cert-manager.io/v1", "ClusterIssuer", "cluster-scoped"),
    ("kyverno.io/v1", "ClusterPolicy", "cluster-scoped"),
    ("rbac.authorization.k8s.io/v1", "Role", "RBAC"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "RBAC"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "RBAC"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "RBAC"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "an admission webhook or policy"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "an admission webhook or policy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "an admission webhook or policy"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "a CRD"),
    ("apiregistration.k8s.io/v1", "APIService", "an extension of the API server"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "an object of Flux"),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease", "an object of Flux"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository", "an object of Flux"),
    ("notification.toolkit.fluxcd.io/v1beta3", "Alert", "an object of Flux"),
    ("image.toolkit.fluxcd.io/v1", "ImageUpdateAutomation", "an object of Flux"),
    ("argoproj.io/v1alpha1", "Application", "an object of Argo CD"),
    ("argoproj.io/v1alpha1", "ApplicationSet", "an object of Argo CD"),
    ("argoproj.io/v1alpha1", "AppProject", "an object of Argo CD"),
]

FINE = [
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("argoproj.io/v1alpha1", "Rollout"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("external-secrets.io/v1", "ExternalSecret"),
    ("bitnami.com/v1alpha1", "SealedSecret"),
]


@pytest.mark.parametrize(("api_version", "kind"), FINE)
def test_own_config_may_render_workloads(api_version: str, kind: str) -> None:
    check(an_object(api_version, kind))


@pytest.mark.parametrize(("api_version", "kind", "reason"), DENIED)
def test_own_config_may_not_render(api_version: str, kind: str, reason: str) -> None:
    found = an_object(api_version, kind, source="config/x.yaml")
    ((placed, _),) = scoped(found)
    assert str(refusal(found)) == (
        f"config/x.yaml: renders objects that the app may not render:\n    {placed}: {reason}\n"
        f"  to allow it, add to apps/shop/app.yaml: allow: {{kinds: [{found.kind_name}]}}"
    )


@pytest.mark.parametrize(("api_version", "kind", "reason"), DENIED)
def test_kind_that_is_allowed_may_be_rendered(api_version: str, kind: str, reason: str) -> None:
    found = an_object(api_version, kind)
    check(found, allow=Allow(kinds=(found.kind_name,)))


@pytest.mark.parametrize(("api_version", "kind", "reason"), DENIED)
def test_template_of_the_platform_may_render_it(api_version: str, kind: str, reason: str) -> None:
    check(an_object(api_version, kind), own_config=False)


def test_allowing_a_kind_allows_no_other_group() -> None:
    refusal(an_object("rbac.authorization.k8s.io/v1", "Role"), allow=Allow(kinds=("Role", "Role.example.com")))


def test_custom_resource_of_the_cluster_is_denied() -> None:
    found = scoped(an_object("example.com/v1", "Widget"), scopes={"Widget.example.com": "cluster"})
    with pytest.raises(DeniedError, match="Widget x: cluster-scoped"):
        check_allowed(found, Allow(), "shop", APP_FILE, own_config=True)


def test_custom_resource_of_unknown_scope_is_denied_whatever_namespace_it_claims() -> None:
    found = an_object("pkg.crossplane.io/v1", "Provider", namespace="shop")
    assert str(refusal(found)) == (
        "renders objects that the app may not render:\n"
        "    Provider shop/x: unknown scope, maybe cluster-scoped (set it in 'scopes' of headgate.yaml)\n"
        "  to allow it, add to apps/shop/app.yaml: allow: {kinds: [Provider.pkg.crossplane.io]}"
    )
    check(found, own_config=False)
    check(found, allow=Allow(kinds=("Provider.pkg.crossplane.io",)))
    known = scoped(found, scopes={"Provider.pkg.crossplane.io": "namespace"})
    check_allowed(known, Allow(), "shop", APP_FILE, own_config=True)


def test_other_namespace_is_denied() -> None:
    found = an_object("v1", "Service", namespace="kube-system", source="config/x.yaml")
    assert str(refusal(found)) == (
        "config/x.yaml: renders objects that the app may not render:\n"
        "    Service kube-system/x: another namespace than the app's (shop)\n"
        "  to allow it, add to apps/shop/app.yaml: allow: {namespaces: [kube-system]}"
    )


def test_namespace_that_is_allowed_may_be_used() -> None:
    found = an_object("v1", "Service", namespace="shared")
    check(found, allow=Allow(namespaces=("shared",)))
    check(found, own_config=False)


def test_kind_and_namespace_are_denied_together() -> None:
    error = refusal(an_object("rbac.authorization.k8s.io/v1", "Role", namespace="kube-system"))
    assert error.what == (
        "renders objects that the app may not render:\n"
        "    Role kube-system/x: RBAC\n"
        "    Role kube-system/x: another namespace than the app's (shop)"
    )
    assert error.hint.endswith("allow: {kinds: [Role.rbac.authorization.k8s.io], namespaces: [kube-system]}")


def test_all_denied_objects_are_named_at_once() -> None:
    error = refusal(
        an_object("v1", "Namespace", name="a"),
        an_object("v1", "Service"),
        an_object("v1", "Namespace", name="b"),
        an_object("v1", "PersistentVolume", name="c"),
    )
    assert error.what == (
        "renders objects that the app may not render:\n"
        "    Namespace a: cluster-scoped\n"
        "    Namespace b: cluster-scoped\n"
        "    PersistentVolume c: cluster-scoped"
    )
    assert error.hint.endswith("allow: {kinds: [Namespace, PersistentVolume]}")


def test_of_many_denied_objects_the_first_few_are_named_and_the_others_counted() -> None:
    found = an_object("v1", "Namespace")
    error = refusal(*(replace(found, name=f"n{number}") for number in range(20_000)))
    lines = error.what.splitlines()
    assert lines[1:3] == ["    Namespace n0: cluster-scoped", "    Namespace n1: cluster-scoped"]
    assert lines[-1] == "    ... and 19990 more"
    assert len(lines) == 12
    assert error.hint.endswith("allow: {kinds: [Namespace]}")


def test_line_to_add_names_the_first_few_of_many_kinds_and_namespaces() -> None:
    found = [an_object("example.com/v1", f"K{number}", namespace=f"n{number}") for number in range(500)]
    error = refusal(*found, allow=Allow(kinds=("Secret",), namespaces=("shared",)))
    assert len(str(error)) < 2500
    assert "kinds: [Secret, K0.example.com, " in error.hint
    assert "K9.example.com, ... and 490 more], namespaces: [shared, n0, " in error.hint
    assert error.hint.endswith("n9, ... and 490 more]}")


def test_denied_object_is_named_with_its_own_file() -> None:
    error = refusal(
        an_object("v1", "Service", source="config/service.yaml"),
        an_object("v1", "Namespace", source="config/namespace.yaml"),
    )
    assert str(error.where) == "config/namespace.yaml"


def test_line_to_add_keeps_what_is_allowed_already() -> None:
    allow = Allow(kinds=("PersistentVolume",), namespaces=("shared",))
    kinds = refusal(an_object("v1", "Namespace"), allow=allow)
    assert kinds.hint.endswith("allow: {kinds: [PersistentVolume, Namespace], namespaces: [shared]}")
    namespaces = refusal(an_object("v1", "Service", namespace="other"), allow=allow)
    assert namespaces.hint.endswith("allow: {kinds: [PersistentVolume], namespaces: [shared, other]}")


def test_line_to_add_is_enough() -> None:
    found = [an_object("v1", "Namespace"), an_object("rbac.authorization.k8s.io/v1", "Role", namespace="other")]
    assert refusal(*found).hint.endswith(
        "allow: {kinds: [Namespace, Role.rbac.authorization.k8s.io], namespaces: [other]}"
    )
    check(*found, allow=Allow(kinds=("Namespace", "Role.rbac.authorization.k8s.io"), namespaces=("other",)))


@pytest.mark.parametrize("own_config", [False, True])
@pytest.mark.parametrize(
    "field", ["data: {password: aGk=}", "stringData: {password: hi}", "data: {a: b}\nstringData: {}"]
)
def test_secret_in_plain_text_is_refused_wherever_it_comes_from(field: str, *, own_config: bool) -> None:
    assert str(refusal(one_object(f"{SECRET}{field}\n"), own_config=own_config)) == (
        "renders objects that the app may not render:\n"
        "    Secret shop/db: a Secret in plain text\n"
        "  encrypt the Secret with SOPS, or let External Secrets fetch it in the cluster: "
        "whoever can read git can read its values\n"
        "  to allow it, add to apps/shop/app.yaml: allow: {kinds: [Secret]}"
    )


@pytest.mark.parametrize(
    "field",
    ["", "type: Opaque", "data: {}", "stringData: {}", "data: {}\nstringData: {}", "data:", "stringData: null"],
)
def test_secret_without_data_is_fine(field: str) -> None:
    check(one_object(f"{SECRET}{field}\n"))


@pytest.mark.parametrize("own_config", [False, True])
def test_secret_in_plain_text_may_be_allowed(*, own_config: bool) -> None:
    check(one_object(f"{SECRET}data: {{a: b}}\n"), allow=Allow(kinds=("Secret",)), own_config=own_config)


def test_encrypted_secret_is_fine() -> None:
    check(one_object(ENCRYPTED))


@pytest.mark.parametrize("sops", ["{}", "{version: 3.9.0}", "{mac: x, version: 3.9.0}"])
def test_secret_that_only_claims_to_be_encrypted_is_refused(sops: str) -> None:
    text = (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop}}\nstringData: {{a: hi}}\nsops: {sops}\n"
    )
    assert "a Secret in plain text" in str(refusal(one_object(text)))


@pytest.mark.parametrize(
    ("group", "is_flux"),
    [("fluxcd.io", True), ("x.toolkit.fluxcd.io", True), ("notfluxcd.io", False), ("fluxcd.io.example.com", False)],
)
def test_every_group_of_flux_is_flux(group: str, *, is_flux: bool) -> None:
    assert (denied_because(group, "Whatever", "namespace") == "an object of Flux") == is_flux
