"""Flux objects along with what is delivered: with the commit of the YAML, under review, and when an app goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.config import load
from headgate.flux.changes import with_removals
from headgate.repository.git import open_repository, tree_of_commit
from support.flux import CONFIG_MAP, kustomization
from support.manifests import HEADGATE_YAML, git
from support.stage import Stage

ON_STAGE = (
    HEADGATE_YAML
    + "gitlab: {url: 'https://gitlab.example.com', project: p/m}\nclusters: {dev: {flux: {}}, production: {flux: {}}}\n"
)


@pytest.fixture
def delivered(stage: Stage) -> Stage:
    """Return a stage with Flux objects, where the app was delivered to dev and proposed for production."""
    stage.change({"headgate.yaml": ON_STAGE})
    assert stage.deliver().code == 0
    git(stage.app, "tag", "v1.0.0")
    assert stage.deliver(ref="refs/tags/v1.0.0").code == 0
    return stage


def names_in(stage: Stage, revision: str, folder: str) -> list[str]:
    return [path.rsplit("/", 1)[1] for path in stage.paths(folder, revision)]


def test_objects_come_with_the_commit_of_the_yaml(delivered: Stage) -> None:
    made = ("log", "--format=", "--name-only", "--diff-filter=A", "main", "--", kustomization("dev", "web.dev"))
    changed = git(delivered.remote, *made)
    assert changed == kustomization("dev", "web.dev")
    commit = git(delivered.remote, "log", "--format=%H", "main", "--", kustomization("dev", "web.dev"))
    assert "deploy/dev/web/.headgate.json" in git(delivered.remote, "show", "--format=", "--name-only", commit)


@pytest.mark.long
def test_a_reviewed_app_s_objects_are_reviewed_with_it(delivered: Stage) -> None:
    assert names_in(delivered, "main", "clusters/production") == []
    proposed = names_in(delivered, "headgate/production/web", "clusters/production")
    assert Path(kustomization("production", "web.production")).name in proposed
    delivered.merge()
    assert names_in(delivered, "main", "clusters/production") == proposed


def test_a_removed_app_takes_its_objects_along(delivered: Stage) -> None:
    delivered.merge()
    ran = delivered.run("remove", "web", "--environment", "dev", "--by", "Ann")
    assert ran.code == 0, ran.out + ran.err
    assert names_in(delivered, "main", "clusters/dev") == []
    assert names_in(delivered, "main", "clusters/production") != []
    ran = delivered.run("remove", "web", "--by", "Ann")
    assert ran.code == 0, ran.out + ran.err
    assert names_in(delivered, "main", "clusters/production") != []
    assert names_in(delivered, "headgate/production/web", "clusters/production") == []


def add_cart(stage: Stage, namespace: str) -> None:
    """Add an app from a template to dev, and hydrate it."""
    cart = f"template: plain\nenvironments: [dev]\nnamespace: {namespace}\n"
    stage.change({"templates/plain/map.yaml": CONFIG_MAP, "apps/cart/app.yaml": cart})
    assert stage.run("rehydrate").code == 0


@pytest.mark.long
def test_an_app_whose_app_yaml_is_gone_takes_its_namespace_along_in_a_run_of_few_apps(delivered: Stage) -> None:
    add_cart(delivered, "shopping")
    work = delivered.checkout()
    delivered.manifests.write({"apps/cart/releases/dev/config/app.yaml": CONFIG_MAP})  # as a hand-off may bring it
    git(work, "rm", "-r", "--quiet", "apps/cart/app.yaml")
    delivered.manifests.commit("No cart")
    tree = tree_of_commit(open_repository(work), git(work, "rev-parse", "HEAD"))
    cart = ("cart", "dev")
    removed: dict[str, bytes | None] = dict.fromkeys(tree.paths("deploy/dev/cart"))
    gone = with_removals(tree, load(tree), {cart: removed}, covered=[cart])
    assert gone == {cart: dict.fromkeys([kustomization("dev", "cart.dev"), "clusters/dev/namespace-shopping.yaml"])}


@pytest.mark.long
def test_what_others_need_stays_when_an_app_goes(delivered: Stage) -> None:
    add_cart(delivered, "web")
    before = set(names_in(delivered, "main", "clusters/dev"))
    assert delivered.run("remove", "web", "--environment", "dev", "--by", "Ann").code == 0
    gone = before - set(names_in(delivered, "main", "clusters/dev"))
    assert gone == {Path(kustomization("dev", "web.dev")).name}
    assert "namespace-web.yaml" in before


@pytest.mark.long
def test_an_app_that_somebody_deleted_takes_its_objects_along(delivered: Stage) -> None:
    delivered.change({"apps/web": None})
    assert delivered.run("rehydrate").code == 0
    assert names_in(delivered, "main", "clusters/dev") == []


@pytest.mark.long
def test_other_people_s_files_stay(delivered: Stage) -> None:
    delivered.change(dict.fromkeys(["clusters/dev/flux-system/gotk-sync.yaml", "clusters/dev/mine.yaml"], CONFIG_MAP))
    assert delivered.run("remove", "web", "--by", "Ann").code == 0
    assert delivered.run("rehydrate").code == 0
    assert names_in(delivered, "main", "clusters/dev") == ["gotk-sync.yaml", "mine.yaml"]


@pytest.mark.long
def test_an_environment_that_moves_to_another_cluster_leaves_the_old_one(delivered: Stage) -> None:
    moved = ON_STAGE.replace("dev: {takes", "dev: {cluster: other, takes").replace(
        "clusters: {dev", "clusters: {other: {flux: {}}, dev"
    )
    moved = moved.replace("dev: {flux: {}}", "dev: {environments: [production], flux: {}}")
    delivered.change({"headgate.yaml": moved})
    assert delivered.run("rehydrate").code == 0
    assert Path(kustomization("dev", "web.dev")).name not in names_in(delivered, "main", "clusters/dev")
    assert Path(kustomization("other", "web.dev.other")).name in names_in(delivered, "main", "clusters/other")


@pytest.mark.long
def test_objects_stay_when_people_take_them_over(delivered: Stage) -> None:
    """Flux would take all apps away with them."""
    before = names_in(delivered, "main", "clusters/dev")
    delivered.change({"headgate.yaml": ON_STAGE.replace("dev: {flux: {}}", "dev: {}")})
    assert delivered.run("rehydrate").code == 0
    assert names_in(delivered, "main", "clusters/dev") == before != []


@pytest.mark.long
def test_an_app_that_cannot_be_read_keeps_its_objects(delivered: Stage) -> None:
    before = names_in(delivered, "main", "clusters/dev")
    delivered.change({"apps/web/app.yaml": "wrong: true\n"})
    assert delivered.run("rehydrate").code == 10
    assert names_in(delivered, "main", "clusters/dev") == before != []


@pytest.mark.long
def test_a_namespace_that_nothing_needs_any_more_goes_by_the_way_of_what_is_reviewed(delivered: Stage) -> None:
    delivered.merge()
    app = delivered.show("main", "apps/web/app.yaml")
    delivered.change({"apps/web/app.yaml": f"{app}\nnamespace: other\n"})
    assert delivered.run("rehydrate").code == 0
    in_dev = names_in(delivered, "main", "clusters/dev")
    assert ("namespace-web.yaml" in in_dev, "namespace-other.yaml" in in_dev) == (False, True)
    assert "namespace-web.yaml" in names_in(delivered, "main", "clusters/production")
    proposed = names_in(delivered, "headgate/production/_rehydrate", "clusters/production")
    assert ("namespace-web.yaml" in proposed, "namespace-other.yaml" in proposed) == (False, True)
    assert "Headgate-App: web" in git(delivered.remote, "log", "-1", "--format=%B", "main")
