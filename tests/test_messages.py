"""What people read when something is wrong: what happened, where, in whose repository, and what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from headgate.arguments import app
from headgate.errors import ArgumentError, ConfigError, DeniedError, GitError, GuardError, RefusedError, RenderError
from headgate.report.table import write_table
from headgate.report.terminal import Terminal
from support.cli import headgate
from support.manifests import COMMIT, DEPLOYMENT, DIGEST, ManifestRepository, git
from support.stage import IMAGE, OTHER_DIGEST, Stage, make_stage, write_app

if TYPE_CHECKING:
    from collections.abc import Callable
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
    is_without_commit = make is empty_repository and command != ("hydrate",)
    assert ran.code == (GitError if make in (None, no_repository) or is_without_commit else ConfigError).code
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


def options(group: Any = None, before: str = "") -> dict[str, list[list[str]]]:
    """Return the spellings of each command's options, also of those in groups."""
    found: dict[str, list[list[str]]] = {}
    program: Any = group or typer.main.get_command(app)
    for name, command in program.commands.items():
        if hasattr(command, "commands"):
            found |= options(command, f"{before}{name} ")
        else:
            own = [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
            found[f"{before}{name}"] = own
    return found


NEED_NO_REPOSITORY = {"ci", "hand-off", "demo", "init", "version", "schema", "explain", "completion"}


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
    assert "committed locally, not pushed: the branch of this checkout has no upstream" in ran.out
    templated(manifests.write({"templates/web/more.yaml": CONFIG_MAP.replace("name: web", "name: more")}))
    assert "locally; 'git push' pushes it" in manifests.hydrate("--commit").out


def test_commit_that_was_pushed_does_not_say_otherwise(stage: Stage) -> None:
    ran = stage.deliver(to=str(stage.manifests.path))
    assert "pushed " in ran.out
    assert "nothing was pushed" not in ran.out


def test_hydrate_commits_nothing_that_people_review(manifests: ManifestRepository) -> None:
    templated(manifests, "[dev, production]")
    before = git(manifests.path, "rev-parse", "HEAD")
    ran = manifests.hydrate("--commit")
    assert ran.code == GuardError.code
    assert "nothing was committed, since these changes need a review: web in production" in ran.err
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
    assert ran.code == ArgumentError.code
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


APP = "project: acme/web\nconfig: deploy\nenvironments: [dev]\n"
GRANTED = APP.replace("config", "template: web\ngrant: [replicas]\nconfig")
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n"
ERRORS: dict[str, tuple[str, dict[str, str | bytes], str]] = {
    "YAML": (APP, {"web.yaml": "a: b\nc: [\n"}, "deploy/web.yaml:3 in ORIGIN: not YAML"),
    "values": (APP, {"Chart.yaml": CHART, "values.dev.yaml": "a: [\n"}, "deploy/values.dev.yaml:2 in ORIGIN: not YAML"),
    "a grant": (GRANTED, {"values.yaml": "replicas: 1\nhost: x\n"}, "deploy/values.yaml:2 in ORIGIN: host: sets a"),
    "Helm": (
        APP,
        {"Chart.yaml": CHART, "templates/web.yaml": "a: b\nc: {{ .Values.a.b }}\n"},
        "deploy/templates/web.yaml:2 in ORIGIN: Helm: ",
    ),
    "Helm that stops": (
        APP,
        {"Chart.yaml": CHART, "templates/web.yaml": '{{ fail "no host" }}\n'},
        "deploy/templates/web.yaml:1 in ORIGIN: Helm: ",
    ),
    "Kustomize": (APP, {"kustomization.yaml": "resources: [gone.yaml]\n"}, "deploy/kustomization.yaml:1 in ORIGIN: "),
    "an overlay": (
        APP,
        {"overlays/dev/kustomization.yaml": "resources: [../../../x]\n"},
        "deploy/overlays/dev/kustomization.yaml:1 in ORIGIN: ",
    ),
    "Jinja2": (APP, {"web.yaml.j2": "a: {{ values.gone }}\n"}, "deploy/web.yaml.j2:1 in ORIGIN: missing value"),
    "an object": (APP, {"web.yaml": "kind: Pod\n"}, "deploy/web.yaml in ORIGIN: "),
    "no object": (APP, {"web.yaml": "# nothing\n"}, "deploy in ORIGIN: rendered no objects"),
    "nothing": (APP, {"README.md": "nothing\n"}, "deploy in ORIGIN: nothing to render"),
    "a kind": (APP, {"web.yaml": NAMESPACE}, "deploy/web.yaml in ORIGIN: renders objects that the app may not render"),
    "a size": (APP, {"web.yaml": b"#" * (11 * 1024 * 1024)}, "deploy/web.yaml in ORIGIN: 11.0 MiB"),
    "git's own": (APP, {"web.yaml": CONFIG_MAP, ".gitattributes": "* text\n"}, "deploy/.gitattributes in ORIGIN: "),
    "no image": (
        APP.replace("environments", "images: {web: registry.example.com/acme/web}\nenvironments"),
        {"web.yaml": CONFIG_MAP},
        "apps/web/app.yaml:3: images.web: no container uses the image",  # a file of the manifest repository
    ),
}


AT_ONCE = ("YAML", "a grant", "an overlay", "a size", "git's own")
WAYS = [("hydrate", *case) for case in ERRORS.values()] + [("deliver", *ERRORS[name]) for name in AT_ONCE]


@pytest.mark.parametrize(
    ("way", "app_yaml", "files", "place"), WAYS, ids=[*ERRORS, *(f"{name} at once" for name in AT_ONCE)]
)
def test_error_of_an_app_names_its_file_its_project_and_its_commit(
    tmp_path: Path, manifests: ManifestRepository, way: str, app_yaml: str, files: dict[str, str | bytes], place: str
) -> None:
    manifests.write({"templates/web/Chart.yaml": CHART, "templates/web/templates/web.yaml": CONFIG_MAP})
    images = {"web": "registry.example.com/acme/web"} if "images" in app_yaml else {}
    if way == "hydrate":
        commit = COMMIT
        manifests.app("web", app_yaml).release("web", "dev", images=images, config=files)
        ran = manifests.hydrate()
    else:
        stage = make_stage(tmp_path, manifests, app_yaml)
        (stage.app / "deploy/web.yaml").unlink()
        for name, content in files.items():
            (stage.app / "deploy" / name).parent.mkdir(parents=True, exist_ok=True)
            (stage.app / "deploy" / name).write_bytes(content.encode() if isinstance(content, str) else content)
        write_app(stage, {})
        commit = git(stage.app, "rev-parse", "HEAD")
        given = [f"--image={image}:1@{DIGEST}" for image in images.values()]
        ran = headgate(
            *("deliver", "--manifests", str(stage.remote), "--source", str(stage.app), "--project", "acme/web"),
            *("--commit", commit, *given),
        )
    assert ran.code not in (0, 1, 2)
    assert f"web in dev: {place.replace('ORIGIN', f'acme/web at {commit[:8]}')}" in ran.err
    assert "releases/dev/config" not in ran.err


def test_error_of_an_app_says_both_places_to_programs(manifests: ManifestRepository) -> None:
    (outcome,) = manifests.app("web", APP).release("web", "dev", config={"web.yaml": "a: [\n"}).hydrate_json()
    where = outcome["error"]["where"]
    assert where["file"] == "apps/web/releases/dev/config/web.yaml"
    assert (where["source"], where["origin"]) == ("deploy/web.yaml", "acme/web at aaaaaaaa")


def cut_off(stage: Stage, folder: Path) -> str:
    """Make a shallow clone of the app, and return its folder."""
    git(stage.app, "clone", "--quiet", "--depth=1", stage.app.as_uri(), str(folder))
    return str(folder)


def without_history(stage: Stage, folder: Path) -> str:
    """Make a folder that is no repository, and return it."""
    folder.mkdir()
    return str(folder)


def unrelated(stage: Stage, folder: Path) -> str:
    """Make a repository that has only the newest commit, and return its folder."""
    git(stage.app.parent, "init", "--quiet", str(folder))
    return str(folder)


SOURCES: dict[str, tuple[Callable[[Stage, Path], str], str, str]] = {
    "shallow": (cut_off, "source is a shallow clone", "'git fetch --unshallow' there brings the whole history"),
    "no repository": (without_history, "source: not a git repository", "by its address, with --source"),
    "no folder": (lambda _stage, folder: str(folder), "source: no such folder", "by its address, with --source"),
    "another": (unrelated, "not found", "by its address, with --source"),
    "an address": (
        lambda _stage, folder: folder.as_uri(),
        "source' does not appear to be a git repository",
        "check the address: 'git ls-remote file:///",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(("make", "reason", "hint"), SOURCES.values(), ids=SOURCES.keys())
def test_source_that_cannot_be_read_names_gits_reason(
    tmp_path: Path,
    manifests: ManifestRepository,
    make: Callable[[Stage, Path], str],
    reason: str,
    hint: str,
) -> None:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    app_yaml = f"project: acme/web\nimages: {{web: {IMAGE}}}\nenvironments: [dev]\ntemplate: web\n"
    stage = make_stage(tmp_path, manifests, app_yaml)
    assert stage.deliver().code == 0
    write_app(stage, {"main.py": "2"})
    ran = stage.deliver("--source", make(stage, tmp_path / "source"), image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert ran.code in (GitError.code, RefusedError.code)
    assert reason in ran.err
    assert hint in ran.err
    assert "--allow" not in ran.err


def broken_apps(stage: Stage, **files: str) -> Stage:
    """Add apps, or change them, in the manifest repository."""
    stage.change({f"apps/{name}/app.yaml": text for name, text in files.items()})
    return stage


def test_hand_off_names_a_broken_app_yaml_and_the_other_app_lands(stage: Stage) -> None:
    broken_apps(stage, worker="project: acme/web\nimags: {}\n", foreign="project: acme/more!\nimags: {}\n")
    ran = stage.deliver()
    assert ran.code == ConfigError.code
    assert "worker in every environment: apps/worker/app.yaml:2: imags: unknown key 'imags'" in ran.err
    assert "foreign" not in ran.err
    assert stage.log()[0].startswith("Deliver web to dev")


@pytest.mark.parametrize("image", ["registry.example.com/acme/worker", IMAGE])
def test_hand_off_that_nothing_takes_names_a_broken_app_yaml(stage: Stage, image: str) -> None:
    broken = "project: acme/web\nimags: {}\n"
    broken_apps(stage, worker=broken, **({"web": broken} if image == IMAGE else {}))
    ran = stage.deliver(image=f"{image}:1@{DIGEST}")
    assert ran.code == RefusedError.code
    assert "but some files are unreadable: apps/w" in ran.err
    assert "app.yaml:2: imags: unknown key 'imags'" in ran.err


# Tables

LONG = "a-team-and-its-service-with-a-name-as-long-as-kubernetes-allows"


def everything_long(manifests: ManifestRepository) -> ManifestRepository:
    """Add an app whose names, versions and reasons are long, and commit it."""
    environment = "production-in-the-region-of-central-europe"
    settings = f"version: 1\nenvironments:\n  {environment}: {{delivery: commit}}\n  dev: {{delivery: commit}}\n"
    manifests.write({"headgate.yaml": settings, "templates/web/web.yaml": DEPLOYMENT})
    manifests.app(LONG, f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\n")
    for name in (environment, "dev"):
        manifests.release(LONG, name, images={"web": IMAGE})
        release = manifests.path / f"apps/{LONG}/releases/{name}/release.yaml"
        text = release.read_text().replace("tag: '1.0'", f"tag: 1.0-{'build-' * 12}1").replace("acme/web\n", "a/b\n")
        reason = "the newest version loses orders, " * 3
        release.write_text(f"{text}pin: {{by: ada, reason: '{reason}', since: '{COMMIT}'}}\n")
        (manifests.path / f"apps/{LONG}/values.{name}.yaml").write_text("# nothing\n")
    return manifests.commit()


@pytest.mark.parametrize("command", [("status",), ("history", LONG), ("compare", "dev", "PRODUCTION")], ids=" ".join)
def test_table_fits_80_columns_whatever_the_names_are(manifests: ManifestRepository, command: tuple[str, ...]) -> None:
    everything_long(manifests)
    command = tuple(word.replace("PRODUCTION", "production-in-the-region-of-central-europe") for word in command)
    ran = headgate(*command, "--manifests", str(manifests.path))
    assert ran.code == 0, ran.err
    assert [line for line in ran.out.splitlines() if len(line) > 80] == []
    if command[0] != "compare":
        assert "the newest version loses orders" in ran.out  # nothing is left out
        assert "build-" * 12 in "".join(ran.out.split())


def test_columns_beyond_the_width_stand_below_with_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[("shop", ""), ("v1." + "x" * 70, ""), ("fails: because", "")], [("cart", ""), ("v2", ""), ("", "")]]
    write_table(Terminal(sys.stdout), ("APP", "VERSION", ""), rows)
    assert capsys.readouterr().out.splitlines() == [
        "APP   VERSION",
        f"shop  v1.{'x' * 70}",
        "    fails: because",
        "cart  v2",
    ]
    write_table(Terminal(sys.stdout), ("APP", "VERSION", "STATE"), [[("shop", ""), ("1" * 90, ""), ("held", "")]])
    below = [f"    version: {'1' * 67}", f"      {'1' * 23}", "    state: held"]
    assert capsys.readouterr().out.splitlines() == ["APP", "shop", *below]
