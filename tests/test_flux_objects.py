"""The Flux objects that Headgate writes: which, and what is verified of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from headgate.clusters import kustomization_name
from support.cli import headgate
from support.flux import CONFIG_MAP, SETTINGS, kustomization, read_objects
from support.manifests import ManifestRepository

DEV, EU = "clusters/dev", "clusters/eu"


@pytest.fixture
def flux(manifests: ManifestRepository) -> ManifestRepository:
    """Return a repository with the app ``shop`` in dev and, on the cluster ``eu``, in production."""
    manifests.write({"headgate.yaml": SETTINGS, "templates/plain/map.yaml": CONFIG_MAP})
    return manifests.app("shop", "template: plain\n")


def files(repository: ManifestRepository, folder: str = "clusters") -> list[str]:
    root = repository.path
    return sorted(str(path.relative_to(root)) for path in (root / folder).rglob("*") if path.is_file())


def hydrate(repository: ManifestRepository, code: int = 0) -> str:
    ran = repository.hydrate()
    assert ran.code == code, ran.out + ran.err
    return ran.out + ran.err


# What is written


def test_nothing_is_written_without_clusters(flux: ManifestRepository) -> None:
    flux.write({"headgate.yaml": SETTINGS.partition("clusters:")[0]})
    hydrate(flux)
    assert files(flux) == []
    assert "prune" not in "".join(flux.output().values())


def test_each_cluster_has_its_objects(flux: ManifestRepository) -> None:
    hydrate(flux)
    assert files(flux) == [
        "clusters/dev/gitrepository.source.toolkit.fluxcd.io-headgate.yaml",
        kustomization("dev", "shop.dev"),
        "clusters/dev/namespace-shop.yaml",
        "clusters/eu/gitrepository.source.toolkit.fluxcd.io-headgate.yaml",
        kustomization("eu", "shop.production.eu"),
        "clusters/eu/namespace-shop.yaml",
    ]


def test_a_kustomization_applies_prunes_and_waits_for_one_folder(flux: ManifestRepository) -> None:
    hydrate(flux)
    assert (flux.path / kustomization("eu", "shop.production.eu")).read_text() == (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\n"
        "kind: Kustomization\n"
        "metadata:\n"
        "  name: shop.production.eu\n"
        "  namespace: flux-system\n"
        "  labels:\n"
        "    app.kubernetes.io/managed-by: headgate\n"
        "spec:\n"
        "  interval: 10m\n"
        "  path: ./deploy/production/shop\n"
        "  prune: true\n"
        "  sourceRef:\n"
        "    kind: GitRepository\n"
        "    name: headgate\n"
        "  timeout: 5m\n"
        "  wait: true\n"
    )


def test_the_source_is_this_repository(flux: ManifestRepository) -> None:
    hydrate(flux)
    source = read_objects(flux.path / DEV)["gitrepository.source.toolkit.fluxcd.io-headgate.yaml"]
    assert source["spec"] == {
        "interval": "10m",
        "ref": {"branch": "main"},
        "secretRef": {"name": "flux-system"},
        "url": "https://gitlab.example.com/platform/manifests.git",
    }


def test_a_namespace_has_its_labels_and_is_never_pruned(flux: ManifestRepository) -> None:
    hydrate(flux)
    metadata = read_objects(flux.path / EU)["namespace-shop.yaml"]["metadata"]
    assert metadata == {
        "name": "shop",
        "labels": {
            "app.kubernetes.io/managed-by": "headgate",
            "pod-security.kubernetes.io/enforce": "baseline",
        },
        "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
    }


def test_every_setting_reaches_its_object(flux: ManifestRepository) -> None:
    options = (
        "flux: {url: 'https://git.example.com/m.git', branch: live, secret: null, service_account: 'apply-{app}', "
        "sops: keys, interval: 1h, fetch_interval: 1m, timeout: 90s, receiver: hook, statuses: bot}, namespace: gitops"
    )
    flux.write({"headgate.yaml": SETTINGS.replace("dev: {flux: {}}", f"dev: {{{options}}}")})
    hydrate(flux)
    found = read_objects(flux.path / DEV)
    assert {one["metadata"]["namespace"] for one in found.values() if one["kind"] != "Namespace"} == {"gitops"}  # type: ignore[index]
    by_kind = {str(one["kind"]): one.get("spec") for one in found.values()}
    assert by_kind["GitRepository"] == {
        "interval": "1m",
        "ref": {"branch": "live"},
        "url": "https://git.example.com/m.git",
    }
    assert by_kind["Kustomization"] == {
        "decryption": {"provider": "sops", "secretRef": {"name": "keys"}},
        "interval": "1h",
        "path": "./deploy/dev/shop",
        "prune": True,
        "serviceAccountName": "apply-shop",
        "sourceRef": {"kind": "GitRepository", "name": "headgate"},
        "timeout": "90s",
        "wait": True,
    }
    watched = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "name": "headgate"}
    assert by_kind["Receiver"] == {
        "events": ["Push Hook"],
        "resources": [watched],
        "secretRef": {"name": "hook"},
        "type": "gitlab",
    }
    address = "https://gitlab.example.com/platform/manifests"
    assert by_kind["Provider"] == {"address": address, "secretRef": {"name": "bot"}, "type": "gitlab"}
    labels = {"app.kubernetes.io/managed-by": "headgate"}
    assert by_kind["Alert"] == {
        "eventSeverity": "info",
        "eventSources": [{"kind": "Kustomization", "matchLabels": labels, "name": "*"}],
        "providerRef": {"name": "headgate"},
    }


def test_an_environment_on_several_clusters_has_a_kustomization_in_each(flux: ManifestRepository) -> None:
    more = "  us: {environments: [production], flux: {}}\n  asia: {environments: [production, dev], flux: {}}\n"
    flux.write({"headgate.yaml": SETTINGS + more})
    flux.app("shop", "template: plain\nenvironments: {dev: {namespace: shop-dev}, production: {}}\n")
    hydrate(flux)
    names = [path for path in files(flux) if "kustomization" in path]
    assert names == [
        kustomization("asia", "shop.dev.asia"),
        kustomization("asia", "shop.production.asia"),
        kustomization("dev", "shop.dev"),
        kustomization("eu", "shop.production.eu"),
        kustomization("us", "shop.production.us"),
    ]


def test_environments_on_a_listed_cluster_cannot_both_have_an_object(flux: ManifestRepository) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: settings}\nrules: []\n"
    flux.write({"templates/plain/map.yaml": role})
    flux.write({"headgate.yaml": SETTINGS + "  asia: {environments: [production, dev], flux: {}}\n"})
    assert "ClusterRole settings would exist twice in cluster 'asia'" in hydrate(flux, 18)


def test_apps_in_one_namespace_share_its_object(flux: ManifestRepository) -> None:
    flux.write({"templates/other/map.yaml": CONFIG_MAP.replace("settings", "other")})
    flux.app("cart", "template: other\nnamespace: shop\n")
    hydrate(flux)
    assert [path for path in files(flux) if "namespace-" in path] == [
        f"{DEV}/namespace-shop.yaml",
        f"{EU}/namespace-shop.yaml",
    ]


def test_a_namespace_that_an_app_renders_is_left_to_it(flux: ManifestRepository) -> None:
    flux.write({"templates/plain/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"})
    hydrate(flux)
    assert [path for path in files(flux) if "namespace-" in path] == []


@pytest.mark.parametrize("name", ["default", "kube-system", "flux-system"])
def test_namespaces_of_the_cluster_itself_are_not_written(flux: ManifestRepository, name: str) -> None:
    flux.app("shop", f"template: plain\nnamespace: {name}\n")
    hydrate(flux)
    assert [path for path in files(flux) if "namespace-" in path] == []


def test_what_holds_data_is_never_pruned(flux: ManifestRepository) -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data%s}\nspec: {accessModes: [ReadWriteOnce]}\n"
    )
    own = claim % "-own" + "---\n"
    own = own.replace("name: data-own", "name: data-own, annotations: {kustomize.toolkit.fluxcd.io/prune: enabled}")
    flux.write({"templates/plain/claim.yaml": own + claim % ""})
    hydrate(flux)
    found = {one["metadata"]["name"]: one["metadata"].get("annotations") for one in flux.objects("deploy/dev/shop")}
    assert found == {
        "data": {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
        "data-own": {"kustomize.toolkit.fluxcd.io/prune": "enabled"},
        "settings": None,
    }


def test_annotations_come_when_a_cluster_is_added(flux: ManifestRepository) -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce]}\n"
    )
    flux.write({"templates/plain/claim.yaml": claim, "headgate.yaml": SETTINGS.partition("clusters:")[0]})
    hydrate(flux)
    flux.write({"headgate.yaml": SETTINGS})
    hydrate(flux)
    assert "prune: disabled" in flux.output()["dev/shop/persistentvolumeclaim-data.yaml"]


def test_a_second_run_changes_nothing(flux: ManifestRepository) -> None:
    hydrate(flux)
    assert headgate("hydrate", "--manifests", str(flux.path), "--check").code == 0


def test_a_file_in_the_way_is_refused_and_the_yaml_stays(flux: ManifestRepository) -> None:
    path = kustomization("dev", "shop.dev")
    flux.write({path: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\n"})
    told = hydrate(flux, 20)
    assert f"{path}: a file in the way that Headgate did not write" in told
    assert not (flux.path / "deploy/dev").exists()
    assert (flux.path / "deploy/production/shop").is_dir()
    assert "mine" in (flux.path / path).read_text()


def test_an_edited_object_is_written_anew(flux: ManifestRepository) -> None:
    hydrate(flux)
    path = flux.path / kustomization("dev", "shop.dev")
    text = path.read_text()
    path.write_text(text.replace("prune: true", "prune: false"))
    hydrate(flux)
    assert path.read_text() == text


def test_no_object_for_an_app_that_waits_for_its_first_hand_off(flux: ManifestRepository) -> None:
    flux.app("web", "project: acme/web\nimages: {web: registry.example.com/web}\ntemplate: plain\n")
    hydrate(flux)
    assert not any("web" in path for path in files(flux))


def test_names_are_labels_and_differ() -> None:
    long = "a" * 40
    names = [kustomization_name(long, f"{long}{end}", "eu") for end in "bc"]
    assert all(len(name) <= 63 and name[-11] == "-" for name in names)
    assert names[0] != names[1]
    assert (
        kustomization_name("a" * 51, "b" * 20, "eu")[50:53] == "a-" + kustomization_name("a" * 51, "b" * 20, "eu")[52]
    )


# Dependencies


def test_an_app_waits_for_those_that_it_depends_on_where_they_run(flux: ManifestRepository) -> None:
    flux.write({"templates/other/map.yaml": CONFIG_MAP.replace("settings", "other")})
    flux.app("cart", "template: plain\ndepends_on: [shop, search]\n")
    flux.app("search", "template: other\nenvironments: [dev]\n")
    hydrate(flux)
    spec = {cluster: read_objects(flux.path / cluster) for cluster in (DEV, EU)}
    dev = spec[DEV][Path(kustomization("dev", "cart.dev")).name]["spec"]
    assert dev["dependsOn"] == [{"name": "shop.dev"}, {"name": "search.dev"}]  # type: ignore[index]
    eu = spec[EU][Path(kustomization("eu", "cart.production.eu")).name]["spec"]
    assert eu["dependsOn"] == [{"name": "shop.production.eu"}]  # type: ignore[index]


def test_an_app_that_depends_on_an_unknown_one_fails_alone(flux: ManifestRepository) -> None:
    flux.app("cart", "template: plain\ndepends_on: [shop, serach]\n")
    told = hydrate(flux, 10)
    assert "apps/cart/app.yaml:2: depends_on: there is no app 'serach'" in told
    assert (flux.path / "deploy/dev/shop").is_dir()


def test_a_circle_is_told_by_its_apps(flux: ManifestRepository) -> None:
    flux.app("cart", "template: plain\ndepends_on: [shop]\n")
    flux.app("mail", "template: plain\ndepends_on: [cart]\n")
    flux.app("shop", "template: plain\ndepends_on: [mail]\n")
    told = hydrate(flux, 10)
    assert "apps depend on each other in a circle: cart -> shop -> mail -> cart" in told
    assert "apps depend on each other in a circle: shop -> mail -> cart -> shop" in told


def test_a_circle_of_others_is_their_own_error(flux: ManifestRepository) -> None:
    flux.app("cart", "template: plain\ndepends_on: [mail]\n")
    flux.app("mail", "template: plain\ndepends_on: [cart]\n")
    flux.app("shop", "template: plain\ndepends_on: [mail]\n")
    told = hydrate(flux, 10)
    assert told.count("in a circle") == 2
    assert (flux.path / kustomization("dev", "shop.dev")).is_file()


# Configuration


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("dev: {flux: {}}", "dev: {environments: [dve], flux: {}}", "there is no environment 'dve'"),
        ("dev: {flux: {}}", "test: {flux: {}}", "no environment runs on the cluster 'test'"),
        ("dev: {flux: {}}", "dev: {flux: {}, kustomization: x}", "kustomization and folder only without flux"),
        ("dev: {flux: {}}", "dev: {health: {}}", "exactly one of statuses and kubernetes"),
        ("dev: {flux: {}}", "dev: {flux: {interval: soon}}", "a time such as 30s, 10m or 1h"),
        ("gitlab:", "registries: {} #", "the address of this repository is unknown"),
        ("delivery: commit}", "delivery: commit, output: {path: 'clusters/{environment}/{app}'}}", "below clusters/"),
    ],
)
def test_wrong_clusters_are_told_with_their_place(flux: ManifestRepository, old: str, new: str, told: str) -> None:
    assert old in SETTINGS
    flux.write({"headgate.yaml": SETTINGS.replace(old, new)})
    said = hydrate(flux, 10)
    assert told in said
    assert "headgate.yaml:" in said


def test_adding_clusters_writes_objects_for_what_is_there(flux: ManifestRepository) -> None:
    flux.write({"headgate.yaml": SETTINGS.partition("clusters:")[0]})
    hydrate(flux)
    flux.write({"headgate.yaml": SETTINGS})
    assert "2 changed" in hydrate(flux)
    assert (
        yaml.safe_load((flux.path / kustomization("dev", "shop.dev")).read_text())["spec"]["path"]
        == "./deploy/dev/shop"
    )


# Verified


def verify(repository: ManifestRepository, code: int) -> str:
    repository.commit()
    ran = headgate("verify", "--manifests", str(repository.path))
    assert ran.code == code, ran.out + ran.err
    return ran.out + ran.err


def test_verify_finds_objects_that_are_edited_missing_or_left(flux: ManifestRepository) -> None:
    hydrate(flux)
    verify(flux, 0)
    edited, missing, left = (kustomization("dev", name) for name in ("shop.dev", "shop.dev", "gone.dev"))
    text = (flux.path / edited).read_text()
    flux.write({edited: text.replace("wait: true", "wait: false")})
    assert edited in verify(flux, 1)
    (flux.path / missing).unlink()
    assert missing in verify(flux, 1)
    flux.write({missing: text, left: text.replace("shop.dev", "gone.dev")})
    told = verify(flux, 20)  # and it is read twice
    assert left in told
    assert "2 Kustomizations of the cluster 'dev' read it, and take turns: gone.dev, shop.dev" in told


OWN = SETTINGS.replace("dev: {flux: {}}", "dev: {}").replace("eu: {flux", "# {flux")


def own_kustomization(name: str, path: str, source: str = "flux-system") -> str:
    head = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    body = f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {{interval: 1m, path: {path}, prune: true"
    return f"{head}{body}, sourceRef: {{kind: GitRepository, name: {source}}}}}\n"


def git_repository(name: str, url: str, branch: str = "main") -> str:
    head = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
    body = f"metadata: {{name: {name}, namespace: flux-system}}\nspec: {{interval: 1m, url: {url}"
    return f"{head}{body}, ref: {{branch: {branch}}}}}\n"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.yaml": own_kustomization("dev", "./deploy/dev")}, ""),
        ({"a.yaml": own_kustomization("shop", "deploy/dev/shop/")}, ""),
        ({"a.yaml": own_kustomization("all", "./")}, ""),
        ({"a.yaml": own_kustomization("cart", "./deploy/dev/cart")}, "no Kustomization of the cluster 'dev' reads it"),
        ({"a.yaml": own_kustomization("cart", "./deploy/dev/sho")}, "no Kustomization of the cluster 'dev' reads it"),
        (
            {"a.yaml": own_kustomization("all", "./deploy"), "b/c.yml": own_kustomization("shop", "./deploy/dev/shop")},
            "2 Kustomizations of the cluster 'dev' read it, and take turns: all, shop",
        ),
        (
            {
                "a.yaml": own_kustomization("shop", "./deploy/dev/shop", "other"),
                "b.yaml": git_repository("other", "https://git.example.com/x/y.git"),
            },
            "no Kustomization of the cluster 'dev' reads it",
        ),
        ({"a.yaml": CONFIG_MAP}, ""),  # its Flux objects are somewhere else
    ],
)
def test_verify_says_which_folder_flux_reads_not_or_twice(
    flux: ManifestRepository, files: dict[str, str], told: str
) -> None:
    flux.write({"headgate.yaml": OWN, **{f"clusters/dev/{name}": text for name, text in files.items()}})
    hydrate(flux)
    said = verify(flux, 20 if told else 0)
    assert told in said


def test_verify_knows_kustomizations_that_read_a_mirror(flux: ManifestRepository) -> None:
    mirrored = OWN.replace("delivery: commit", "delivery: commit, output: {mirror: {branch: env/dev}}")
    source = git_repository("live", "https://gitlab.example.com/platform/manifests.git", "env/dev")
    flux.write({"headgate.yaml": mirrored, "clusters/dev/source.yaml": source})
    flux.write({"clusters/dev/shop.yaml": own_kustomization("shop", "./shop", "live")})
    hydrate(flux)
    verify(flux, 0)
    flux.write({"clusters/dev/shop.yaml": own_kustomization("shop", "./deploy/dev/shop", "live")})
    assert "no Kustomization of the cluster 'dev' reads it" in verify(flux, 20)


def test_own_objects_may_be_in_another_folder(flux: ManifestRepository) -> None:
    flux.write({"headgate.yaml": OWN.replace("dev: {}", "dev: {folder: flux/one}")})
    flux.write({"flux/one/a.yaml": own_kustomization("cart", "./deploy/dev/cart")})
    hydrate(flux)
    assert "no Kustomization of the cluster 'dev' reads it" in verify(flux, 20)


def test_objects_of_what_is_pinned_come_when_it_takes_changes_again(flux: ManifestRepository) -> None:
    flux.write({"headgate.yaml": SETTINGS.partition("clusters:")[0]})
    flux.app(
        "web",
        "project: acme/web\nimages: {web: {repository: registry.example.com/w, optional: true}}\ntemplate: other\n",
    )
    flux.write({"templates/other/map.yaml": CONFIG_MAP.replace("settings", "other")})
    flux.release("web", "dev", images={"web": "registry.example.com/w"})
    flux.release("web", "production", images={"web": "registry.example.com/w"})
    hydrate(flux)
    file = flux.path / "apps/web/releases/dev/release.yaml"
    text = file.read_text()
    file.write_text(text + f"pin: {{by: ada, reason: look, since: '{'a' * 40}'}}\n")
    flux.write({"headgate.yaml": SETTINGS})
    hydrate(flux)
    assert not (flux.path / kustomization("dev", "web.dev")).exists()
    assert (flux.path / kustomization("eu", "web.production.eu")).exists()
    assert kustomization("dev", "web.dev") not in verify(flux, 20)  # for now no Kustomization reads it
    file.write_text(text)
    hydrate(flux)
    assert (flux.path / kustomization("dev", "web.dev")).exists()
    verify(flux, 0)
