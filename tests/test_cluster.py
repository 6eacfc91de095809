from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from headgate.config import load
from headgate.errors import ManifestError
from headgate.hydration.cluster import conflicts, standing_files
from headgate.hydration.output import changes
from headgate.objects.canonical import to_files
from headgate.objects.manifest import Manifest, with_namespace
from support.trees import HEADGATE, objects, repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.objects.kinds import Scope
    from headgate.repository.tree import Tree

APP = "{project: acme/x, template: web, namespace: %s}"
ONE_CLUSTER = HEADGATE.replace("delivery:", "cluster: main\n    delivery:")
SETTINGS = HEADGATE + "scopes: {Gadget.example.com: cluster}\n"

Owner = tuple[str, str]


def repository_of(*apps: str, namespace: str = "shared", settings: str = SETTINGS) -> Tree:
    return repository(dict.fromkeys(apps, APP % namespace), settings=settings)


def rendered(*kinds: str, namespace: str = "shared", name: str = "x", source: str = "") -> list[Manifest]:
    texts = [
        f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}}}\n"
        for api_version, _, kind in (one.rpartition(" ") for one in kinds)
    ]
    scopes: dict[str, Scope] = {"Widget.my-own.example.com": "namespace", "Gadget.example.com": "cluster"}
    placed = with_namespace(objects(*texts, source=source), namespace, scopes, own_config=False, allowed=())
    return list(placed.manifests)


def hydrated(tree: Tree, owner: Owner, found: list[Manifest], *, namespace: str = "shared") -> Tree:
    """Write what an app rendered, as a hydration does."""
    folder = f"deploy/{owner[1]}/{owner[0]}"
    files = to_files(found, namespace)
    return tree.with_changes(changes(tree, folder, files, "in", max_removed_percent=100))


def found_conflicts(tree: Tree, now: Mapping[Owner, list[Manifest]]) -> dict[Owner, str]:
    errors = conflicts(load(tree), tree, now)
    assert all(type(error) is ManifestError for error in errors.values())
    return {owner: str(error) for owner, error in errors.items()}


RENAME = "rename it, or set another namespace for the app"
ANOTHER_NAME = (
    "its name is unique in the whole cluster, since it has no namespace: rename it in one of them with a value of "
    "the chart (often fullnameOverride), with namePrefix in a kustomization, or by renaming the app, which names "
    "its Helm release"
)


def message(manifest: str, cluster: str, others: str, hint: str = RENAME) -> str:
    return f"{manifest} would exist twice in cluster '{cluster}': {others} has it too\n  {hint}"


SHOP, CART = ("shop", "dev"), ("cart", "dev")


def test_different_objects_are_fine() -> None:
    now = {SHOP: rendered("v1 Service"), CART: rendered("v1 Service", name="z")}
    assert found_conflicts(repository_of("shop", "cart"), now) == {}


def test_one_name_is_fine_in_different_namespaces_kinds_and_clusters() -> None:
    now = {
        SHOP: rendered("v1 Service"),
        CART: rendered("v1 Service", namespace="other"),
        ("mail", "dev"): rendered("v1 ConfigMap"),
        ("shop", "production"): rendered("v1 Service"),
    }
    assert found_conflicts(repository_of("shop", "cart", "mail"), now) == {}


def test_object_that_two_apps_begin_to_render_fails_both() -> None:
    now = {SHOP: rendered("v1 Service"), CART: rendered("v1 Service")}
    assert found_conflicts(repository_of("shop", "cart"), now) == {
        SHOP: message("Service shared/x", "dev", "cart in dev"),
        CART: message("Service shared/x", "dev", "shop in dev"),
    }


def test_who_has_the_object_already_keeps_it() -> None:
    tree = hydrated(repository_of("shop", "cart"), SHOP, rendered("v1 Service"))
    now = {SHOP: rendered("v1 Service"), CART: rendered("v1 Service")}
    assert found_conflicts(tree, now) == {CART: message("Service shared/x", "dev", "shop in dev")}


def test_object_of_an_app_that_is_not_hydrated_now_is_found_in_the_tree() -> None:
    tree = hydrated(repository_of("shop", "cart"), SHOP, rendered("v1 Service"))
    assert found_conflicts(tree, {CART: rendered("v1 Service")}) == {
        CART: message("Service shared/x", "dev", "shop in dev")
    }


def test_object_that_its_owner_gives_up_is_free() -> None:
    tree = hydrated(repository_of("shop", "cart"), SHOP, rendered("v1 Service"))
    assert found_conflicts(tree, {SHOP: rendered("v1 ConfigMap"), CART: rendered("v1 Service")}) == {}


def test_environments_of_one_cluster_share_its_objects() -> None:
    tree = repository_of("shop", settings=ONE_CLUSTER)
    now = {("shop", "dev"): rendered("v1 Service"), ("shop", "production"): rendered("v1 Service")}
    assert found_conflicts(tree, now) == {
        ("shop", "dev"): message("Service shared/x", "main", "shop in production"),
        ("shop", "production"): message("Service shared/x", "main", "shop in dev"),
    }


def test_object_of_the_cluster_is_found_whatever_the_namespaces_are() -> None:
    tree = repository({"shop": APP % "shop", "cart": APP % "cart"}, settings=SETTINGS)
    tree = hydrated(tree, SHOP, rendered("rbac.authorization.k8s.io/v1 ClusterRole"), namespace="shop")
    assert found_conflicts(tree, {CART: rendered("rbac.authorization.k8s.io/v1 ClusterRole")}) == {
        CART: message("ClusterRole x", "dev", "shop in dev", ANOTHER_NAME)
    }


def test_object_in_another_namespace_than_its_apps_is_found() -> None:
    tree = repository({"shop": APP % "shop", "cart": APP % "cart"}, settings=SETTINGS)
    tree = hydrated(tree, SHOP, rendered("v1 Service", namespace="cart"), namespace="shop")
    assert found_conflicts(tree, {CART: rendered("v1 Service", namespace="cart")}) == {
        CART: message("Service cart/x", "dev", "shop in dev")
    }


def test_custom_resource_is_found_by_its_configured_scope() -> None:
    tree = repository({"shop": APP % "shop", "cart": APP % "cart"}, settings=SETTINGS)
    tree = hydrated(tree, SHOP, rendered("example.com/v1 Gadget"), namespace="shop")
    assert found_conflicts(tree, {CART: rendered("example.com/v1 Gadget")}) == {
        CART: message("Gadget x", "dev", "shop in dev", ANOTHER_NAME)
    }


def test_custom_resource_of_unknown_scope_and_a_group_with_dashes_is_found() -> None:
    tree = hydrated(repository_of("shop", "cart"), SHOP, rendered("my-own.example.com/v1 Widget"))
    assert found_conflicts(tree, {CART: rendered("my-own.example.com/v1 Widget")}) == {
        CART: message("Widget shared/x", "dev", "shop in dev")
    }


def test_name_with_escapes_is_found() -> None:
    tree = hydrated(repository_of("shop", "cart"), SHOP, rendered("rbac.authorization.k8s.io/v1 Role", name="System:x"))
    now = {CART: rendered("rbac.authorization.k8s.io/v1 Role", name="System:x")}
    assert list(found_conflicts(tree, now)) == [CART]
    assert found_conflicts(tree, {CART: rendered("rbac.authorization.k8s.io/v1 Role", name="system:x")}) == {}


def test_files_that_headgate_did_not_write_claim_nothing() -> None:
    tree = repository_of("shop", "cart").with_changes({"deploy/dev/shop/service-x.yaml": b"kind: Service\n"})
    assert found_conflicts(tree, {CART: rendered("v1 Service")}) == {}


def test_each_of_many_claims_names_the_others() -> None:
    now = {(app, "dev"): rendered("v1 Service") for app in ("a", "b", "c")}
    errors = found_conflicts(repository_of("a", "b", "c"), now)
    assert errors["b", "dev"] == message("Service shared/x", "dev", "a in dev, c in dev")


CRD = "apiextensions.k8s.io/v1 CustomResourceDefinition"


DELETE = (
    "only one app per cluster can own a CRD: delete templates/c/crds/w.yaml from the vendored chart of one of them, "
    "or disable the subchart that contains it with a value"
)
SWITCH_OFF = (
    "only one app per cluster can own a CRD: disable CRDs with a value of the chart of one of them "
    "(often crds.enabled or installCRDs), or remove templates/c/templates/w.yaml from one"
)
LEAVE_TO_ONE = "only one app per cluster can own a namespace: remove templates/c/n.yaml from the others"


@pytest.mark.parametrize(
    ("kind", "source", "hint"),
    [
        (CRD, "templates/c/crds/w.yaml", DELETE),
        (CRD, "templates/c/templates/w.yaml", SWITCH_OFF),
        ("v1 Namespace", "templates/c/n.yaml", LEAVE_TO_ONE),
        ("scheduling.k8s.io/v1 PriorityClass", "templates/c/p.yaml", ANOTHER_NAME),
        ("v1 Service", "templates/c/s.yaml", RENAME),
    ],
)
def test_way_out_of_an_object_that_two_apps_render_can_be_followed(kind: str, source: str, hint: str) -> None:
    now = {SHOP: rendered(kind, source=source), CART: rendered(kind, source=source)}
    error = found_conflicts(repository_of("shop", "cart"), now)[SHOP]
    named = str(rendered(kind)[0])
    assert error == f"{source}: " + message(named, "dev", "cart in dev", hint)


def test_scope_of_kubernetes_own_kinds_is_that_of_its_files_whatever_is_configured() -> None:
    settings = HEADGATE + "scopes: {Clusterrole.rbac.authorization.k8s.io: namespace}\n"  # another kind, the same files
    tree = repository({"shop": APP % "shop", "cart": APP % "cart"}, settings=settings)
    tree = hydrated(tree, SHOP, rendered("rbac.authorization.k8s.io/v1 ClusterRole"), namespace="shop")
    assert list(found_conflicts(tree, {CART: rendered("rbac.authorization.k8s.io/v1 ClusterRole")})) == [CART]


STANDING = {CART: frozenset({"service-x.yaml"})}


def test_object_that_stands_is_not_searched_for_and_a_new_one_beside_it_is() -> None:
    tree = hydrated(repository_of("shop", "cart"), SHOP, rendered("v1 Service", "v1 ConfigMap"))
    now = {CART: rendered("v1 Service", "v1 ConfigMap")}
    errors = conflicts(load(tree), tree, now, STANDING)
    assert {owner: str(error) for owner, error in errors.items()} == {
        CART: message("ConfigMap shared/x", "dev", "shop in dev")
    }
    assert conflicts(load(tree), tree, {CART: rendered("v1 Service")}, STANDING) == {}


def stands(tree: Tree, *, sources: str = "same", trusted: bool = True) -> Mapping[Owner, object]:
    """Return what stands of an app with one Service, hydrated under the settings "same"."""
    found = to_files(rendered("v1 Service"), "shared")
    folder = "deploy/dev/cart"
    written = changes(tree, folder, found, "in", max_removed_percent=100, sources={"settings": "same"})
    after = tree.with_changes(written)
    plan: Any = SimpleNamespace(record=SimpleNamespace(name="cart"), environment="dev", sources={"settings": sources})
    return standing_files(after, load(after), [plan], lambda _tree, _folder: trusted)


def test_what_stands_is_what_was_written_under_the_same_settings_on_a_cluster_of_its_own() -> None:
    tree = repository_of("cart")
    assert stands(tree) == STANDING
    assert stands(tree, sources="another namespace") == {}
    assert stands(tree, trusted=False) == {}
    assert stands(repository_of("cart", settings=ONE_CLUSTER)) == {}
