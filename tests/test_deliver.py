"""A hand-off by hand, on real repositories: what lands where, and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from headgate.errors import ArgumentError, ConflictError, DirtyError, GitError, RefusedError, UnsafeFileError
from support.cli import headgate
from support.manifests import DEPLOYMENT, DIGEST, HEADGATE_YAML, git
from support.stage import APP, IMAGE, OTHER_DIGEST, Stage, replicas, write_app


def test_a_hand_off_becomes_one_commit_with_release_config_and_yaml(stage: Stage) -> None:
    ran = stage.deliver("--pipeline", "7")
    assert ran.code == 0, ran.err
    commit = git(stage.app, "rev-parse", "HEAD")

    assert stage.log() == [f"Deliver web to dev: acme/web@{commit[:12]}", "Begin"]
    assert git(stage.remote, "diff", "--name-only", "main~", "main").splitlines() == [
        "apps/web/releases/dev/config/web.yaml",
        "apps/web/releases/dev/release.yaml",
        "deploy/dev/web/.headgate.json",
        "deploy/dev/web/deployment.apps-web.yaml",
        "headgate.lock",
    ]
    assert f"image: {IMAGE}:1.0@{DIGEST}" in stage.show("main", "deploy/dev/web/deployment.apps-web.yaml")
    release = yaml.safe_load(stage.show("main", "apps/web/releases/dev/release.yaml"))
    part = {"project": "acme/web", "commit": commit, "ref": "refs/heads/main", "pipeline": 7, "actor": "Test"}
    assert release == {
        "version": 1,
        "images": {"web": {**part, "repository": IMAGE, "tag": "1.0", "digest": DIGEST}},
        "config": {**part, "path": "deploy"},
        "newest": {
            "web": {"commit": commit, "ref": "refs/heads/main", "pipeline": 7, "tag": "1.0", "digest": DIGEST},
            "config": {"commit": commit, "ref": "refs/heads/main", "pipeline": 7},
        },
    }


def test_a_hand_off_loads_nothing_that_it_does_not_use(stage: Stage, headgate_program: list[str]) -> None:
    """Half of its processor time is Python that starts and imports: what only some need, those import."""
    command = [sys.executable, "-X", "importtime", *headgate_program[1:], *stage.words()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "pushed" in done.stdout
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "headgate.landing.publish" in loaded
    others = {"requests", "urllib3", "ssl", "http.client", "gitlab", "jwt", "cryptography", "jinja2", "yaml"}
    others |= {"ruamel", "rich", "jsonschema", "html", "tarfile", "xml.etree"}
    rooms = {"feedback", "notifications", "review", "adoption", "doctor", "gitlab", "gitlab_settings", "health"}
    rooms |= {"state", "report.html", "report.markdown"}
    assert loaded.isdisjoint(others | {f"headgate.{room}" for room in rooms})


def test_trailers_name_app_environment_source_and_image(stage: Stage) -> None:
    assert stage.deliver().code == 0
    commit = git(stage.app, "rev-parse", "HEAD")
    *trailers, intent = git(stage.remote, "log", "-1", "--format=%(trailers:only,unfold)", "main").splitlines()
    assert trailers == [
        "Headgate-App: web",
        "Headgate-Environment: dev",
        f"Headgate-Source: acme/web@{commit}",
        f"Headgate-Image: {IMAGE}:1.0@{DIGEST}",
        "Headgate-Actor: Test",
    ]
    assert re.fullmatch(r"Headgate-Intent: deliver-[0-9a-f]{16}", intent)


def test_the_same_again_makes_no_commit(stage: Stage) -> None:
    assert stage.deliver().code == 0
    again = stage.deliver()
    assert again.code == 0
    assert "1 app-environment: 1 unchanged" in again.out
    assert len(stage.log()) == 2


def test_a_new_image_changes_the_image_and_nothing_else(stage: Stage) -> None:
    assert stage.deliver().code == 0
    write_app(stage, {"README.md": "newer"})
    assert stage.deliver(image=f"{IMAGE}:1.1@{OTHER_DIGEST}").code == 0
    diff = git(stage.remote, "diff", "--unified=0", "main~", "main", "--", "deploy/dev/web/deployment.apps-web.yaml")
    assert [line.strip() for line in diff.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        f"-        image: {IMAGE}:1.0@{DIGEST}",
        f"+        image: {IMAGE}:1.1@{OTHER_DIGEST}",
    ]


def test_files_that_left_the_config_leave_the_release(stage: Stage) -> None:
    write_app(stage, {"deploy/extra.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: extra}\n"})
    assert stage.deliver().code == 0
    git(stage.app, "rm", "--quiet", "deploy/extra.yaml")
    git(stage.app, "commit", "--quiet", "--message", "Remove")
    assert stage.deliver().code == 0
    files = stage.paths(".")
    assert [path for path in files if "extra" in path] == []


def test_a_reviewed_environment_gets_a_branch_and_main_stays(stage: Stage) -> None:
    ran = stage.deliver(ref="refs/tags/v1.0.0")
    assert ran.code == 0, ran.err
    assert len(stage.log()) == 2
    assert git(stage.remote, "diff", "--name-only", "main~", "main", "--", "deploy").splitlines() == []
    assert stage.show("main", "apps/web/releases/production/proposed/proposal.yaml")
    assert len(stage.log("headgate/production/web")) == 3
    assert IMAGE in stage.show("headgate/production/web", "deploy/production/web/deployment.apps-web.yaml")


def test_a_newer_version_replaces_the_proposal(stage: Stage) -> None:
    assert stage.deliver(ref="refs/tags/v1.0.0").code == 0
    write_app(stage, {"README.md": "newer"})
    assert stage.deliver(ref="refs/tags/v1.1.0", image=f"{IMAGE}:1.1@{OTHER_DIGEST}").code == 0
    assert len(stage.log("headgate/production/web")) == 4
    assert OTHER_DIGEST in stage.show("headgate/production/web", "deploy/production/web/deployment.apps-web.yaml")


@pytest.mark.long
def test_a_proposal_with_somebody_elses_commits_is_left_alone(stage: Stage) -> None:
    assert stage.deliver(ref="refs/tags/v1.0.0").code == 0
    checkout = stage.manifests.path
    git(checkout, "fetch", "--quiet", "origin")
    git(checkout, "switch", "--quiet", "--create", "mine", "origin/headgate/production/web")
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "By hand")
    git(checkout, "push", "--quiet", "origin", "HEAD:refs/heads/headgate/production/web")
    write_app(stage, {"README.md": "newer"})
    ran = stage.deliver(ref="refs/tags/v1.1.0", image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert ran.code == 0
    assert "headgate/production/web holds a commit that Headgate did not make" in ran.out
    assert "tag: '1.1'" in stage.show("main", "apps/web/releases/production/held/config/group.yaml").replace('"', "'")
    assert stage.log("headgate/production/web")[0] == "By hand"


def test_into_a_checkout_it_commits_and_pushes(stage: Stage) -> None:
    ran = stage.deliver(to=str(stage.manifests.path))
    assert ran.code == 0, ran.err
    assert git(stage.manifests.path, "rev-parse", "HEAD") == git(stage.remote, "rev-parse", "main")
    assert git(stage.manifests.path, "status", "--porcelain") == ""
    assert (stage.manifests.path / "deploy/dev/web/deployment.apps-web.yaml").exists()


def test_into_a_checkout_without_remote_it_commits(stage: Stage) -> None:
    git(stage.manifests.path, "remote", "remove", "origin")
    assert stage.deliver(to=str(stage.manifests.path)).code == 0
    assert git(stage.manifests.path, "log", "--format=%s").splitlines()[1] == "Begin"
    assert stage.log() == ["Begin"]


def test_into_a_checkout_with_other_changes_it_lands_and_leaves_them(stage: Stage) -> None:
    notes, settings = stage.manifests.path / "notes.txt", stage.manifests.path / "headgate.yaml"
    notes.write_text("mine")
    settings.write_text("# mine\n" + settings.read_text())
    assert stage.deliver(to=str(stage.manifests.path)).code == 0
    assert git(stage.manifests.path, "status", "--porcelain").splitlines() == ["M headgate.yaml", "?? notes.txt"]
    assert "mine" not in git(stage.remote, "show", "main:headgate.yaml")
    assert "apps/web/releases/dev/release.yaml" in git(stage.manifests.path, "ls-files")


def test_into_a_checkout_in_which_the_output_was_changed_nothing_lands(stage: Stage) -> None:
    output = stage.manifests.path / "deploy/dev/web/deployment.apps-web.yaml"
    output.parent.mkdir(parents=True)
    output.write_text("mine")
    assert stage.deliver(to=str(stage.manifests.path)).code == DirtyError.code
    assert output.read_text() == "mine"
    assert stage.log() == ["Begin"]


def test_an_image_of_another_repository_is_refused(stage: Stage) -> None:
    ran = stage.deliver(image=f"registry.example.com/evil/web:1.0@{DIGEST}")
    assert ran.code == RefusedError.code
    assert "no app takes the image registry.example.com/evil/web:1.0 from acme/web" in ran.err
    assert stage.log() == ["Begin"]


@pytest.mark.parametrize("image", [f"{IMAGE}:1.0", f"{IMAGE}@{DIGEST}", "not an image"])
def test_an_image_without_tag_or_digest_is_refused(stage: Stage, image: str) -> None:
    ran = stage.deliver(image=image)
    assert ran.code == ArgumentError.code
    assert "expected" in ran.err


@pytest.mark.parametrize("ref", ["refs/heads/a b", "refs/heads/a\nHeadgate-App: x", "refs/heads/"])
def test_a_ref_that_git_does_not_allow_is_refused(stage: Stage, ref: str) -> None:
    assert stage.deliver(ref=ref).code == ArgumentError.code


def test_a_commit_that_is_not_there(stage: Stage) -> None:
    ran = stage.deliver("--commit", "f" * 40)
    assert ran.code == GitError.code
    assert f"commit {'f' * 40} not found" in ran.err


def test_a_broken_version_lands_nowhere(stage: Stage) -> None:
    assert stage.deliver().code == 0
    write_app(stage, {"deploy/web.yaml": "kind: ["})
    ran = stage.deliver(image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert ran.code == 11
    changed = git(stage.remote, "diff", "--name-only", "main~", "main").splitlines()
    assert {path.split("/")[4] for path in changed} == {"failed"}, "it is on record, and nothing else changed"
    assert f"web in dev: deploy/web.yaml:2 in {stage.origin}: not YAML: " in ran.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deploy/app.yaml", "deploy/app.yaml: a file of the manifest repository"),
        ("deploy/headgate.yaml", "deploy/headgate.yaml: a file of the manifest repository"),
        ("deploy/.gitattributes", "deploy/.gitattributes: a file that configures git"),
        ("deploy/sub/.gitmodules", "deploy/sub/.gitmodules: a file that configures git"),
    ],
)
def test_unsafe_files_in_the_config_are_refused(stage: Stage, name: str, message: str) -> None:
    write_app(stage, {name: "template: web\n"})
    ran = stage.deliver()
    message = message.replace(": ", f" in {stage.origin}: ", 1)
    assert (ran.code, message in ran.err) == (UnsafeFileError.code, True), ran.err
    assert stage.log() == ["Begin"]


def test_a_symlink_in_the_config_is_refused(stage: Stage) -> None:
    (stage.app / "deploy/secret.yaml").symlink_to("/etc/passwd")
    write_app(stage, {})
    ran = stage.deliver()
    assert ran.code == UnsafeFileError.code
    assert f"deploy/secret.yaml in {stage.origin}: a symlink" in ran.err


def test_app_yaml_may_be_a_kubernetes_object(stage: Stage) -> None:
    git(stage.app, "mv", "deploy/web.yaml", "deploy/app.yaml")
    write_app(stage, {"deploy/.gitignore": "*.tmp\n"})
    assert stage.deliver().code == 0
    files = stage.paths("apps/web/releases")
    assert files == ["apps/web/releases/dev/config/app.yaml", "apps/web/releases/dev/release.yaml"]
    again = stage.deliver("--allow-diverged", image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert again.code == 0  # and it is still no app


def test_only_included_files_are_taken(stage: Stage) -> None:
    write_app(stage, {"deploy/notes.md": "x"})
    stage.change({"apps/web/app.yaml": APP.replace("config: deploy", "config: {path: deploy, include: ['*.yaml']}")})
    assert stage.deliver().code == 0
    files = stage.paths("apps/web/releases/dev/config")
    assert files == ["apps/web/releases/dev/config/web.yaml"]


def test_with_a_template_only_values_are_taken(stage: Stage) -> None:
    app = f"{APP}template: web\ngrant: [a, b]\n"
    stage.change({"apps/web/app.yaml": app, "templates/web/web.yaml": DEPLOYMENT})
    files = {
        "values.yaml": "a: 1\n",
        "values.dev.yaml": "b: 1\n",
        "values.production.yaml": "c: 1\n",
        "values.other.yaml": "",
        "a.yaml": "",
    }
    write_app(stage, {f"deploy/{name}": text for name, text in files.items()})
    assert stage.deliver().code == 0
    found = stage.paths("apps/web/releases/dev/config")
    assert [path.rsplit("/", 1)[1] for path in found] == ["values.dev.yaml", "values.production.yaml", "values.yaml"]


def test_a_part_waits_for_the_others(stage: Stage) -> None:
    images = f"images: {{web: {IMAGE}, proxy: {{repository: {IMAGE}-proxy, project: acme/proxy}}}}\n"
    stage.change({"apps/web/app.yaml": f"project: acme/web\n{images}config: deploy\n"})
    proxy = f"        - {{name: proxy, image: {IMAGE}-proxy}}\n"
    write_app(stage, {"deploy/web.yaml": DEPLOYMENT.lstrip("\n") + proxy.replace("        -", "        -")})
    first = stage.deliver()
    assert first.code == 0
    assert "web in dev: waits for image proxy" in first.out
    assert "deploy" not in git(stage.remote, "ls-tree", "--name-only", "main").splitlines()

    second = headgate(
        *("deliver", "--manifests", str(stage.remote), "--project", "acme/proxy", "--commit", "b" * 40),
        *("--image", f"{IMAGE}-proxy:3@{OTHER_DIGEST}"),
    )
    assert second.code == 0, second.err
    release = yaml.safe_load(stage.show("main", "apps/web/releases/dev/release.yaml"))
    assert sorted(release["images"]) == ["proxy", "web"]
    text = stage.show("main", "deploy/dev/web/deployment.apps-web.yaml")
    assert f"{IMAGE}:1.0@{DIGEST}" in text
    assert f"{IMAGE}-proxy:3@{OTHER_DIGEST}" in text


def test_json_names_commits_and_branches(stage: Stage) -> None:
    ran = stage.deliver("--json")
    found = json.loads(ran.out)
    assert found["commits"] == [{"branch": "main", "commit": git(stage.remote, "rev-parse", "main")}]
    assert [(one["app"], one["environment"], one["state"]) for one in found["apps"]] == [("web", "dev", "changed")]


def test_a_source_and_a_manifest_repository_by_address(stage: Stage) -> None:
    git(stage.app, "config", "uploadpack.allowAnySHA1InWant", "true")
    ran = stage.deliver("--source", f"file://{stage.app}", to=stage.remote.as_uri())
    assert ran.code == 0, ran.err
    assert len(stage.log()) == 2


def test_an_address_that_runs_a_command_is_refused(tmp_path: Path) -> None:
    ran = headgate(
        *("deliver", "--manifests", f"ext::sh -c touch% {tmp_path}/owned", "--project", "acme/web"),
        *("--commit", "a" * 40, "--image", f"{IMAGE}:1.0@{DIGEST}"),
    )
    assert ran.code == GitError.code
    assert not (tmp_path / "owned").exists()


def test_hooks_of_a_repository_are_not_run(stage: Stage, tmp_path: Path) -> None:
    for folder in (stage.manifests.path / ".git/hooks", stage.app / ".git/hooks"):
        folder.mkdir()
        for name in ("pre-commit", "post-merge", "pre-push", "reference-transaction", "post-checkout"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
            (folder / name).chmod(0o755)
    assert stage.deliver(to=str(stage.manifests.path)).code == 0
    assert not (tmp_path / "owned").exists()


def test_files_that_were_only_saved_again_are_no_changes(stage: Stage) -> None:
    checkout = stage.manifests.path
    assert stage.deliver(to=str(checkout)).code == 0
    os.utime(checkout / "deploy/dev/web/deployment.apps-web.yaml", (1, 1))
    write_app(stage, {"deploy/web.yaml": replicas(3)})
    ran = stage.deliver(to=str(checkout))
    assert ran.code == 0, ran.err
    assert "replicas: 3" in (checkout / "deploy/dev/web/deployment.apps-web.yaml").read_text()


@pytest.mark.long
def test_nothing_lands_where_the_remote_refuses(stage: Stage) -> None:
    hook = stage.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'GitLab: You are not allowed to push code to protected branches' >&2\nexit 1\n")
    hook.chmod(0o755)
    ran = stage.deliver()
    assert ran.code == GitError.code
    assert "You are not allowed to push code to protected branches" in ran.err
    assert stage.log() == ["Begin"]


def test_app_environments_of_both_deliveries_land_in_one_push(stage: Stage) -> None:
    both = HEADGATE_YAML.replace('{tag: "v*", order: semver}', "{branch: main}")
    stage.change({"headgate.yaml": both})
    assert stage.deliver().code == 0
    assert len(stage.log()) == 3
    assert git(stage.remote, "rev-parse", "headgate/production/web~") == git(stage.remote, "rev-parse", "main")


def test_a_checkout_on_a_branch_that_the_remote_lacks_says_so(stage: Stage) -> None:
    git(stage.manifests.path, "fetch", "--quiet", "origin")
    git(stage.manifests.path, "switch", "--quiet", "--create", "feat/ü;x", "--track", "origin/main")
    ran = headgate("freeze", "dev", "--reason", "a talk", "--by", "Eve", "--manifests", str(stage.manifests.path))
    assert ran.code == ConflictError.code
    assert "the branch feat/ü;x of this checkout is not in " in ran.err
    assert "push it there first, or check out the default branch" in ran.err
