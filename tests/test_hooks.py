from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from headgate.engine.protocol import Request
from headgate.engine.reading import send
from headgate.errors import ManifestError, RenderError
from headgate.objects.hooks import with_suffixes, without_hooks
from headgate.objects.manifest import manifests
from support.trees import one_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.objects.manifest import Manifest

NEVER = ["test", "test-success", "test-failure", "pre-delete", "post-delete", "pre-rollback", "post-rollback"]
INSTALLING = ["pre-install", "post-install", "pre-upgrade", "post-upgrade"]


def rendered(*texts: str, hooks: str | None) -> list[Manifest]:
    """Return the objects of a render, as far as they belong in the output."""
    files = [{"file": "templates/web/migrate.yaml", "text": text} for text in texts]
    found = send(Request(kind="objects", body={"files": files, "hooks": hooks or ""})).objects
    return without_hooks(manifests(found), hooks, "apps/shop/app.yaml")


def job_text(hook: str, *, name: str = "migrate", command: str = "run") -> str:
    return (
        "apiVersion: batch/v1\nkind: Job\n"
        f'metadata: {{name: {name}, annotations: {{helm.sh/hook: "{hook}"}}}}\n'
        f'spec: {{template: {{spec: {{containers: [{{name: a, command: ["{command}"]}}]}}}}}}\n'
    )


def job(hook: str, *, name: str = "migrate", command: str = "run") -> Manifest:
    return one_object(job_text(hook, name=name, command=command))


def config_map_text(annotations: str = "{}") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {annotations}}}\n"


def config_map(annotations: str = "{}") -> Manifest:
    return one_object(config_map_text(annotations))


def names(found: list[Manifest]) -> list[str]:
    return [str(one) for one in found]


@pytest.mark.parametrize("hooks", [None, "drop", "keep"])
@pytest.mark.parametrize("event", [*NEVER, "test,post-delete", " pre-delete , post-delete ", "Test"])
def test_tests_and_hooks_of_deletion_and_rollback_are_never_written(event: str, hooks: str | None) -> None:
    assert names(rendered(config_map_text(), job_text(event), hooks=hooks)) == ["ConfigMap a"]


@pytest.mark.parametrize("event", [*INSTALLING, "pre-install,pre-upgrade", "post-install, test"])
def test_installing_hook_needs_a_decision(event: str) -> None:
    told = ", ".join(one.strip() for one in event.split(","))
    with pytest.raises(RenderError) as caught:
        rendered(job_text(event), hooks=None)
    assert str(caught.value) == (
        f"templates/web/migrate.yaml: Job migrate is a Helm hook ({told}), which runs only when Helm installs\n"
        "  set 'hooks: drop' or 'hooks: keep' in apps/shop/app.yaml or template.yaml"
    )


@pytest.mark.parametrize("event", [*INSTALLING, "post-install, test"])
def test_installing_hook_is_dropped_on_request(event: str) -> None:
    assert names(rendered(config_map_text(), job_text(event), hooks="drop")) == ["ConfigMap a"]


@pytest.mark.parametrize("event", [*INSTALLING, "post-install, test"])
def test_installing_hook_is_kept_on_request(event: str) -> None:
    assert names(rendered(config_map_text(), job_text(event), hooks="keep")) == ["ConfigMap a", "Job migrate"]


def pod(hook: str, *, name: str = "migrate", command: str = "run") -> Manifest:
    return one_object(
        f"""
        apiVersion: v1
        kind: Pod
        metadata: {{name: {name}, annotations: {{helm.sh/hook: "{hook}"}}}}
        spec: {{containers: [{{name: a, command: ["{command}"]}}]}}
        """
    )


def kept(found: list[Manifest]) -> list[Manifest]:
    return with_suffixes(without_hooks(found, "keep", "app.yaml"))


def kept_name(manifest: Manifest) -> str:
    (found,) = kept([manifest])
    assert found.data["metadata"]["name"] == found.name
    return found.name


FIXED = pytest.mark.parametrize("fixed", [job, pod])
"""Kinds of immutable objects."""


@FIXED
def test_what_cannot_be_changed_gets_a_name_of_its_content(fixed: Callable[..., Manifest]) -> None:
    first, again = kept_name(fixed("pre-upgrade")), kept_name(fixed("pre-upgrade"))
    other = kept_name(fixed("pre-upgrade", command="other"))
    assert first == again
    assert first != other
    assert first.startswith("migrate-")
    assert len(first) == len("migrate-") + 8


@FIXED
def test_name_with_a_suffix_is_one_that_kubernetes_takes(fixed: Callable[..., Manifest]) -> None:
    assert len(kept_name(fixed("pre-upgrade", name="x" * 200))) == 63
    assert kept_name(fixed("pre-upgrade", name="x" * 53 + "-.yz")).startswith("x" * 53 + "-")


@FIXED
def test_suffix_changes_nothing_else(fixed: Callable[..., Manifest]) -> None:
    before = fixed("pre-upgrade")
    (found,) = kept([before])
    assert before.data["metadata"]["name"] == "migrate"
    assert found.data == {**before.data, "metadata": {**before.data["metadata"], "name": found.name}}


@FIXED
def test_encrypted_hook_whose_name_needs_a_suffix_is_refused(fixed: Callable[..., Manifest]) -> None:
    found = replace(fixed("pre-upgrade"), verbatim="text\n", source="job.yaml")
    with pytest.raises(ManifestError) as caught:
        kept([found])
    assert str(caught.value) == (
        f"job.yaml: cannot add the suffix of a hook to the name of {found.kind} migrate: it is encrypted\n"
        "  move secret data to a Secret, encrypt that with sops, and refer to it"
    )


def test_other_objects_that_are_kept_keep_their_names() -> None:
    hook = config_map("{helm.sh/hook: pre-install}")
    assert kept([hook]) == [hook]


@pytest.mark.parametrize("annotations", ["{}", "null", "{other: pre-install}", "{helm.sh/hook-weight: '1'}"])
@pytest.mark.parametrize("hooks", [None, "drop", "keep"])
def test_object_without_hooks_stays_as_it_is(annotations: str, hooks: str | None) -> None:
    (found,) = rendered(config_map_text(annotations), hooks=hooks)
    assert found.data == config_map(annotations).data


@pytest.mark.parametrize(("api_version", "kind"), [("batch/v1", "Job"), ("v1", "Pod")])
def test_what_is_no_hook_keeps_its_name(api_version: str, kind: str) -> None:
    found = one_object(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: migrate}}\n")
    assert kept([found]) == [found]
