"""What people read when something is wrong: what happened, where, in whose repository, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from headgate.arguments import app
from headgate.errors import ConfigError, DeniedError, GitError, GuardError, RenderError
from support.cli import headgate
from support.manifests import COMMIT, ManifestRepository, git
from support.stage import IMAGE, Stage

if TYPE_CHECKING:
    from pathlib import Path

# The wrong folder

COMMANDS = [
    ("status",),
    ("hydrate",),
    ("hydrate", "--commit"),
    ("rehydrate",),
    ("deliver", "--project", "acme/shop", "--commit", COMMIT),
]


def no_repository(folder: Path) -> None:
    folder.mkdir()


def empty_repository(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "--quiet")


def another_repository(folder: Path) -> None:
    empty_repository(folder)
    (folder / "main.py").write_text("")
    git(folder, "add", "main.py")
    git(folder, "commit", "--quiet", "--message", "Begin")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("make", [None, no_repository, empty_repository, another_repository])
def test_wrong_folder_is_named_with_manifests_and_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], make: object
) -> None:
    folder = tmp_path / "somewhere"
    if callable(make):
        make(folder)
        monkeypatch.chdir(folder)
        ran = headgate(*command)
    else:
        ran = headgate(*command, "--manifests", str(folder))
    assert ran.code in (GitError.code, ConfigError.code)
    assert ran.err.startswith(f"error: {folder}: ")
    assert "--manifests" in ran.err
    assert "'headgate init'" in ran.err


def test_folder_that_is_not_there_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"error: {tmp_path}/nowhere: no such folder\n" in headgate("status", "--manifests", "nowhere").err


def test_address_that_does_not_answer_can_be_asked_by_git(tmp_path: Path) -> None:
    address = (tmp_path / "gone.git").as_uri()
    ran = headgate("status", "--manifests", address)
    assert ran.code == GitError.code
    assert f"check the address: 'git ls-remote {address}' asks it" in ran.err


def test_doctor_without_a_checkout_names_the_folder_and_the_options(tmp_path: Path) -> None:
    ran = headgate("doctor", "--manifests", str(tmp_path))
    assert ran.err.startswith(f"error: {tmp_path}: ")
    for option in ("--manifests", "--server URL", "--project PATH"):
        assert option in ran.err


# Options


def options() -> dict[str, list[list[str]]]:
    """Return the spellings of each command's options."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {
        name: [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
        for name, command in commands.items()
    }


NEED_NO_REPOSITORY = {"ci", "hand-off", "demo", "init", "version", "schema", "explain"}


def test_the_manifest_repository_is_called_the_same_in_every_command() -> None:
    for name, spellings in options().items():
        firsts = [opts[0] for opts in spellings]
        assert ("--manifests" in firsts) == (name not in NEED_NO_REPOSITORY), name
        assert not {"--repo", "--repository", "--directory"} & set(firsts) or name == "demo"


def test_the_older_name_of_the_option_still_works(manifests: ManifestRepository) -> None:
    assert headgate("hydrate", "--repo", str(manifests.path)).code == 0


# A commit that only this machine has, and one that would pass the review by

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n"


def templated(manifests: ManifestRepository, environments: str = "[dev]") -> ManifestRepository:
    """Add an app that a template renders, and commit it."""
    manifests.write({"templates/web/web.yaml": CONFIG_MAP})
    return manifests.app("web", f"template: web\nenvironments: {environments}\n").commit()


def test_commit_that_was_not_pushed_says_so(manifests: ManifestRepository) -> None:
    templated(manifests)
    ran = headgate("rehydrate", "--manifests", str(manifests.path))
    assert "committed " in ran.out
    assert "only committed here, nothing was pushed: the branch of this checkout has no upstream" in ran.out
    templated(manifests.write({"templates/web/more.yaml": CONFIG_MAP.replace("name: web", "name: more")}))
    assert "here; nothing was pushed, 'git push' does that" in manifests.hydrate("--commit").out


def test_commit_that_was_pushed_does_not_say_otherwise(stage: Stage) -> None:
    ran = stage.deliver(to=str(stage.manifests.path))
    assert "pushed " in ran.out
    assert "nothing was pushed" not in ran.out


def test_hydrate_commits_nothing_that_people_review(manifests: ManifestRepository) -> None:
    templated(manifests, "[dev, production]")
    before = git(manifests.path, "rev-parse", "HEAD")
    ran = manifests.hydrate("--commit")
    assert ran.code == GuardError.code
    assert "nothing was committed, since people review what changes here: web in production" in ran.err
    assert "'headgate rehydrate' commits what needs no review and proposes the rest" in ran.err
    assert (git(manifests.path, "rev-parse", "HEAD"), git(manifests.path, "status", "--porcelain")) == (before, "")
    assert manifests.hydrate("--commit", "--environment", "dev").code == 0
    assert headgate("rehydrate", "--manifests", str(manifests.path)).code == 0
    assert "deploy/production" not in git(manifests.path, "ls-tree", "-r", "--name-only", "main")
    proposed = git(manifests.path, "ls-tree", "-r", "--name-only", "headgate/production/_rehydrate")
    assert "deploy/production/web/configmap-web.yaml" in proposed


# What an app's repository holds or hands off


@pytest.mark.parametrize(
    ("digest", "reason"),
    [
        ("sha256:" + "1" * 62, "it has 62 characters after sha256:, not 64"),
        ("sha256:" + "1" * 40, "it has 40 characters after sha256:, not 64"),
        ("sha256:" + "1" * 63 + "G", "'G' is not one of 0-9 and a-f"),
        ("1" * 64, "it does not begin with sha256:"),
        ("sha256", "it has 0 characters after sha256:, not 64"),
        ("sha512:" + "1" * 128, "it does not begin with sha256:"),
    ],
)
def test_digest_that_is_not_one_says_why(stage: Stage, digest: str, reason: str) -> None:
    ran = stage.deliver(image=f"{IMAGE}:1.0@{digest}")
    assert ran.code == ConfigError.code
    assert f"'{digest}' of the image '{IMAGE}:1.0@{digest}' is not a digest: {reason}\n" in ran.err
    assert "what 'docker push' or 'docker buildx imagetools inspect' prints" in ran.err


def test_plain_secret_is_refused_with_the_ways_to_keep_one(manifests: ManifestRepository) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: hunter2}\n"
    manifests.write({"templates/web/web.yaml": secret}).app("web", "template: web\nenvironments: [dev]\n")
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    assert "encrypt the Secret with SOPS, or let External Secrets fetch it in the cluster" in ran.err
    assert "hunter2" not in ran.err + ran.out


def test_another_object_that_is_denied_does_not_speak_of_secrets(manifests: ManifestRepository) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: web}\nrules: []\n"
    manifests.app("web", "project: acme/web\nconfig: deploy\nenvironments: [dev]\n")
    ran = manifests.release("web", "dev", config={"web.yaml": role}).hydrate()
    assert ran.code == DeniedError.code
    assert "SOPS" not in ran.err


@pytest.mark.parametrize("folder", ["dev", "envs/dev"])
def test_folder_of_an_environment_beside_base_leads_to_overlays(manifests: ManifestRepository, folder: str) -> None:
    files: dict[str, str | bytes] = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": CONFIG_MAP,
        f"{folder}/kustomization.yaml": "resources: [../base]\n",
    }
    manifests.app("web", "project: acme/web\nconfig: deploy\nenvironments: [dev]\n")
    ran = manifests.release("web", "dev", config=files).hydrate()
    assert ran.code == RenderError.code
    assert f"move {folder} to overlays/dev, and adapt its paths: '../base' becomes '../../base'" in ran.err
