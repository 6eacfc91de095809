from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headgate.config import load
from headgate.errors import ConfigError, ManifestError
from headgate.objects.kinds import DEFINITION, KUBERNETES, THIRD_PARTY, scope_of
from headgate.objects.manifest import Manifest, ScopedObjects, with_namespace
from support.trees import HEADGATE, one_object, repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.objects.kinds import Scope

ROLE = ("ClusterRole", "rbac.authorization.k8s.io/v1")
WIDGET = ("Widget", "example.com/v1")


def an_object(kind: str = "Service", api_version: str = "v1", *, namespace: str = "", name: str = "a") -> Manifest:
    where = f", namespace: {namespace}" if namespace else ""
    return one_object(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}{where}}}\n", source="w.yaml")


def encrypted(kind: str, api_version: str, metadata: str) -> Manifest:
    return one_object(
        f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{{metadata}}}\nsops: {{mac: 'ENC[x]', version: 3.9.0}}\n",
        source="secret.yaml",
    )


def definition(
    kind: str = "Widget",
    scope: str = "Namespaced",
    group: str = "example.com",
    made_in: str = "apiextensions.k8s.io/v1",
) -> Manifest:
    return one_object(f"""
        apiVersion: {made_in}
        kind: CustomResourceDefinition
        metadata: {{name: x.example.com}}
        spec: {{group: {group}, scope: {scope}, names: {{kind: {kind}, plural: x}}}}
    """)


def placed(
    *found: Manifest,
    scopes: Mapping[str, Scope] | None = None,
    own_config: bool = False,
    allowed: tuple[str, ...] = (),
) -> ScopedObjects:
    return with_namespace(found, "shop", scopes or {}, own_config=own_config, allowed=allowed)


def scopes_of(result: ScopedObjects) -> list[tuple[str, Scope | None]]:
    return [(str(manifest), scope) for manifest, scope in result.scoped]


# Filled in


def test_namespace_is_filled_in_only_where_it_is_missing() -> None:
    result = placed(
        an_object(name="a"),
        an_object(name="b", namespace="other"),
        an_object(*ROLE, name="c"),
        an_object(*WIDGET, name="d", namespace="other"),
    )
    assert scopes_of(result) == [
        ("Service shop/a", "namespace"),
        ("Service other/b", "namespace"),
        ("ClusterRole c", "cluster"),
        ("Widget other/d", None),
    ]
    assert result.manifests[0].data["metadata"] == {"name": "a", "namespace": "shop"}
    assert result.manifests[2].data["metadata"] == {"name": "c"}
    assert result.warnings == ()


def test_filling_in_and_clearing_change_no_object_that_was_given() -> None:
    found = [an_object(), an_object(*ROLE, namespace="shop")]
    placed(*found)
    assert [one.data["metadata"] for one in found] == [{"name": "a"}, {"name": "a", "namespace": "shop"}]


def test_namespace_of_null_is_filled_in() -> None:
    found = one_object("apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: null}\n")
    assert placed(found).manifests[0].data["metadata"]["namespace"] == "shop"


def test_encrypted_object_without_namespace_is_refused() -> None:
    with pytest.raises(ManifestError) as caught:
        placed(encrypted("Secret", "v1", "name: db"))
    assert str(caught.value) == (
        "secret.yaml: cannot set the namespace of Secret db: it is encrypted\n"
        "  add metadata.namespace and encrypt it again"
    )


@pytest.mark.parametrize(
    ("group", "told"),
    [
        ("extensions", "Kubernetes has no API group 'extensions', Deployment is in apps"),
        ("core", "Kubernetes has no API group 'core', Deployment is in apps"),
        ("batch", "no kind Deployment in Kubernetes' group batch"),
    ],
)
def test_group_that_kubernetes_does_not_have_is_told(group: str, told: str) -> None:
    with pytest.raises(ManifestError) as caught:
        placed(an_object("Deployment", f"{group}/v1beta1"))
    assert told in str(caught.value)
    assert "correct kind and apiVersion" in str(caught.value)


def test_unknown_scope_is_an_error_with_the_way_out() -> None:
    with pytest.raises(ManifestError) as caught:
        placed(an_object(*WIDGET))
    assert str(caught.value) == (
        "w.yaml: Widget a has no namespace, and the scope of Widget.example.com is unknown\n"
        "  set it in headgate.yaml: scopes: {Widget.example.com: namespace} (or cluster)"
    )


# Cleared


@pytest.mark.parametrize(
    "name", sorted(name for name, scope in {**KUBERNETES, **THIRD_PARTY}.items() if scope == "cluster")
)
def test_cluster_scoped_object_loses_its_namespace(name: str) -> None:
    kind, _, group = name.partition(".")
    found = an_object(kind, f"{group}/v1" if group else "v1", namespace="shop")
    result = placed(found)
    assert scopes_of(result) == [(f"{kind} a", "cluster")]
    assert result.manifests[0].data["metadata"] == {"name": "a"}
    assert result.warnings == (f"removed the namespace of cluster-scoped objects: {kind} shop/a",)


def test_cluster_scoped_custom_resource_loses_its_namespace() -> None:
    found = an_object(*WIDGET, namespace="shop")
    for result in (placed(found, scopes={"Widget.example.com": "cluster"}), placed(found, definition(scope="Cluster"))):
        assert result.manifests[0].data["metadata"] == {"name": "a"}
        assert len(result.warnings) == 1


def test_many_namespaces_that_are_left_out_are_one_warning() -> None:
    result = placed(*(an_object(*ROLE, namespace="shop", name=f"r{number}") for number in range(500)))
    (warning,) = result.warnings
    assert warning.endswith("ClusterRole shop/r8, ClusterRole shop/r9, ... and 490 more")


def test_encrypted_object_of_the_cluster_with_a_namespace_is_refused() -> None:
    with pytest.raises(ManifestError) as caught:
        placed(encrypted(*ROLE, "name: a, namespace: shop"))
    assert str(caught.value) == (
        "secret.yaml: cannot remove the namespace of ClusterRole shop/a, which is cluster-scoped: it is encrypted\n"
        "  remove metadata.namespace and encrypt it again"
    )
    assert scopes_of(placed(encrypted(*ROLE, "name: a"))) == [("ClusterRole a", "cluster")]


# Whose word counts


def test_scope_comes_from_the_configuration() -> None:
    for scope, named in (("namespace", "Widget shop/a"), ("cluster", "Widget a")):
        result = placed(an_object(*WIDGET), scopes={"Widget.example.com": scope})  # type: ignore[dict-item]
        assert scopes_of(result) == [(named, scope)]


@pytest.mark.parametrize(("scope", "named"), [("Namespaced", "Widget shop/a"), ("Cluster", "Widget a")])
def test_scope_comes_from_a_definition_in_the_output(scope: str, named: str) -> None:
    result = placed(an_object(*WIDGET), definition(scope=scope))
    assert [one for one, _ in scopes_of(result)] == [named, "CustomResourceDefinition x.example.com"]


@pytest.mark.parametrize("spec", ["", "spec: text", "spec: {group: example.com, names: [Widget], scope: Namespaced}",
                                  "spec: {group: example.com, names: {kind: Widget}, scope: Other}"])  # fmt: skip
def test_definition_without_a_scope_or_a_kind_says_nothing(spec: str) -> None:
    empty = f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: x}}\n{spec}\n"
    with pytest.raises(ManifestError, match="Widget a has no namespace"):
        placed(an_object(*WIDGET), one_object(empty))


@pytest.mark.parametrize("made_in", ["x.example/v1", "v1", "apiextensions.k8s.io.evil.example/v1", "k8s.io/v1"])
def test_definition_of_another_group_defines_nothing(made_in: str) -> None:
    fake = definition(made_in=made_in)
    with pytest.raises(ManifestError, match="Widget a has no namespace"):
        placed(an_object(*WIDGET), fake)


def test_definition_of_an_apps_own_config_counts_only_where_definitions_are_allowed() -> None:
    found = [an_object(*WIDGET, namespace="shop"), definition()]
    assert scopes_of(placed(*found, own_config=True))[0] == ("Widget shop/a", None)
    assert scopes_of(placed(*found, own_config=True, allowed=("Widget.example.com",)))[0] == ("Widget shop/a", None)
    assert scopes_of(placed(*found, own_config=True, allowed=(DEFINITION,)))[0] == ("Widget shop/a", "namespace")
    assert scopes_of(placed(*found))[0] == ("Widget shop/a", "namespace")


OTHER: dict[str, Scope] = {"cluster": "namespace", "namespace": "cluster"}


@pytest.mark.parametrize("name", sorted(KUBERNETES))
def test_nothing_changes_the_scope_of_a_kind_of_kubernetes(name: str) -> None:
    other = {name: OTHER[KUBERNETES[name]]}
    assert scope_of(name, other, other) == scope_of(name, {}, {}) == KUBERNETES[name]


@pytest.mark.parametrize("name", sorted(THIRD_PARTY))
def test_only_the_configuration_changes_the_scope_of_a_known_custom_resource(name: str) -> None:
    other = {name: OTHER[THIRD_PARTY[name]]}
    assert scope_of(name, {}, other) == scope_of(name, {}, {}) == THIRD_PARTY[name]
    assert scope_of(name, other, {}) == OTHER[THIRD_PARTY[name]]


@pytest.mark.parametrize("name", ["Later", "Later.apps", "Later.rbac.authorization.k8s.io"])
def test_no_definition_adds_a_kind_to_a_group_of_kubernetes(name: str) -> None:
    assert scope_of(name, {}, {name: "namespace"}) is None
    assert scope_of(name, {name: "namespace"}, {}) == "namespace", "what Kubernetes has by then can be configured"


def test_no_kind_is_both_kubernetes_own_and_a_third_partys() -> None:
    assert not KUBERNETES.keys() & THIRD_PARTY.keys()


@pytest.mark.parametrize(("name", "scope"), [("Deployment.apps", "cluster"), ("Namespace", "namespace")])
def test_configuration_that_contradicts_kubernetes_is_an_error(name: str, scope: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(repository({}, settings=f"{HEADGATE}scopes:\n  {name}: {scope}\n"))
    assert str(caught.value) == (
        f"headgate.yaml:10: {'scopes.' + name if '.' not in name else f'scopes.{chr(34)}{name}{chr(34)}'}: "
        f"{name} is a built-in kind of Kubernetes with the scope {KUBERNETES[name]}, not {scope}\n"
        "  remove it: 'scopes' is for custom resources"
    )


def test_configuration_that_repeats_what_kubernetes_knows_is_fine() -> None:
    load(repository({}, settings=f"{HEADGATE}scopes: {{Deployment.apps: namespace, Namespace: cluster}}\n"))
