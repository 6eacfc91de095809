from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headgate.errors import RenderError
from headgate.objects.hooks import without_hooks
from support.trees import one_object

if TYPE_CHECKING:
    from headgate.objects.manifest import Manifest

NEVER = ["test", "test-success", "test-failure", "pre-delete", "post-delete", "pre-rollback", "post-rollback"]
INSTALLING = ["pre-install", "post-install", "pre-upgrade", "post-upgrade"]


def job(hook: str, *, name: str = "migrate", command: str = "run") -> Manifest:
    return one_object(
        f"""
        apiVersion: batch/v1
        kind: Job
        metadata: {{name: {name}, annotations: {{helm.sh/hook: "{hook}"}}}}
        spec: {{template: {{spec: {{containers: [{{name: a, command: ["{command}"]}}]}}}}}}
        """,
        source="templates/web/migrate.yaml",
    )


def config_map(annotations: str = "{}") -> Manifest:
    return one_object(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {annotations}}}\n")


def names(found: list[Manifest]) -> list[str]:
    return [str(one) for one in found]


@pytest.mark.parametrize("hooks", [None, "drop", "keep"])
@pytest.mark.parametrize("event", [*NEVER, "test,post-delete", " pre-delete , post-delete "])
def test_tests_and_hooks_of_deletion_and_rollback_are_never_written(event: str, hooks: str | None) -> None:
    assert names(without_hooks([config_map(), job(event)], hooks, "app.yaml")) == ["ConfigMap a"]


@pytest.mark.parametrize("event", [*INSTALLING, "pre-install,pre-upgrade", "post-install, test"])
def test_installing_hook_needs_a_decision(event: str) -> None:
    told = ", ".join(sorted({one.strip() for one in event.split(",")} - {"test"}))
    with pytest.raises(RenderError) as caught:
        without_hooks([job(event)], None, "apps/shop/app.yaml")
    assert str(caught.value) == (
        f"templates/web/migrate.yaml: Job migrate is a Helm hook ({told}), which runs only when Helm installs\n"
        "  say what becomes of it in apps/shop/app.yaml or template.yaml: hooks: drop, or hooks: keep"
    )


@pytest.mark.parametrize("event", INSTALLING)
def test_installing_hook_is_dropped_on_request(event: str) -> None:
    assert names(without_hooks([config_map(), job(event)], "drop", "app.yaml")) == ["ConfigMap a"]


def kept_name(manifest: Manifest) -> str:
    (kept,) = without_hooks([manifest], "keep", "app.yaml")
    assert kept.data["metadata"]["name"] == kept.name
    return kept.name


def test_job_that_is_kept_gets_a_name_of_its_content() -> None:
    first, again = kept_name(job("pre-upgrade")), kept_name(job("pre-upgrade"))
    other = kept_name(job("pre-upgrade", command="other"))
    assert first == again
    assert first != other
    assert first.startswith("migrate-")
    assert len(first) == len("migrate-") + 8


def test_kept_job_has_a_name_that_kubernetes_takes() -> None:
    assert len(kept_name(job("pre-upgrade", name="x" * 200))) == 63
    assert kept_name(job("pre-upgrade", name="x" * 53 + "-.yz")).startswith("x" * 53 + "-")


def test_keeping_a_job_changes_nothing_else_of_it() -> None:
    before = job("pre-upgrade")
    (kept,) = without_hooks([before], "keep", "app.yaml")
    assert before.data["metadata"]["name"] == "migrate"
    assert kept.data == {**before.data, "metadata": {**before.data["metadata"], "name": kept.name}}


def test_other_objects_that_are_kept_keep_their_names() -> None:
    hook = config_map("{helm.sh/hook: pre-install}")
    assert without_hooks([hook], "keep", "app.yaml") == [hook]


@pytest.mark.parametrize("annotations", ["{}", "null", "{other: pre-install}", "{helm.sh/hook-weight: '1'}"])
@pytest.mark.parametrize("hooks", [None, "drop", "keep"])
def test_object_without_hooks_stays_as_it_is(annotations: str, hooks: str | None) -> None:
    found = config_map(annotations)
    assert without_hooks([found], hooks, "app.yaml") == [found]


def test_job_that_is_no_hook_keeps_its_name() -> None:
    found = one_object("apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\n")
    assert without_hooks([found], "keep", "app.yaml") == [found]
