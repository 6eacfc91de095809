"""Where the engine cannot lock itself in, nothing that an app wrote is read, unless headgate.yaml lets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.errors import SandboxError
from support.cli import headgate
from support.engines import OWN_CONFIGS, config_with, noted, unlocked
from support.manifests import HEADGATE_YAML, ManifestRepository
from support.registry import Registry
from support.reviewing import make_sender_scene
from support.stage import Stage, write_app

MARKER = "MARKER-OF-THE-APP"
ENGINES = pytest.mark.parametrize("engine", list(OWN_CONFIGS))


@pytest.fixture
def unlocked_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Return a system on which nothing can lock itself in."""
    with unlocked(monkeypatch, tmp_path / "tools"):
        yield


def own_and_shared(manifests: ManifestRepository, engine: str) -> None:
    """Add an app with a config of its own, and one of the platform's."""
    manifests.write({f"templates/web/{file}": text for file, text in config_with(engine, "shared", "ours").items()})
    manifests.app("shared", "template: web\nenvironments: [dev]\n")
    manifests.app("own", "project: acme/own\nconfig: deploy\nenvironments: [dev]\n")
    manifests.release("own", "dev", config=config_with(engine, "own", MARKER))


def states(manifests: ManifestRepository, *args: str) -> dict[str, tuple[str, int]]:
    """Hydrate; return what became of each app, with the exit code of its error."""
    return {one["app"]: (one["state"], (one["error"] or {"code": 0})["code"]) for one in manifests.hydrate_json(*args)}


REFUSED = {"own": ("failed", SandboxError.code), "shared": ("changed", 0)}
TAKEN = {"own": ("changed", 0), "shared": ("changed", 0)}


@ENGINES
@pytest.mark.usefixtures("unlocked_system")
def test_what_an_app_wrote_is_refused_and_the_platforms_own_is_rendered(
    manifests: ManifestRepository, engine: str
) -> None:
    own_and_shared(manifests, engine)
    ran = manifests.hydrate()
    assert ran.code == SandboxError.code
    assert "cannot read files of an app, since the engine cannot lock itself in: switched off" in ran.err
    assert "sandbox: optional" in ran.err
    assert list(manifests.output()) == ["dev/shared/configmap-shared.yaml"]
    assert states(manifests, "--all")["own"] == REFUSED["own"]


@ENGINES
@pytest.mark.usefixtures("unlocked_system")
def test_what_an_app_wrote_reaches_no_process_that_is_not_locked_in(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    own_and_shared(manifests, engine)
    processes = noted(monkeypatch)
    assert states(manifests) == REFUSED
    assert processes.with_text("ours")
    assert processes.with_text(MARKER) == []


@pytest.mark.usefixtures("unlocked_system")
def test_refusal_leaves_no_process_with_requests_behind(manifests: ManifestRepository) -> None:
    own_and_shared(manifests, "plain")
    for _ in range(2):
        assert states(manifests, "--all")["own"] == REFUSED["own"]
        assert states(manifests, "--all", "--app", "shared")["shared"][1] == 0


@pytest.mark.usefixtures("unlocked_system")
def test_values_of_an_app_are_refused_too(manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests.write({f"templates/web/{file}": text for file, text in config_with("helm", "a", "ours").items()})
    manifests.app("own", "project: acme/own\ntemplate: web\nconfig: deploy\nenvironments: [dev]\ngrant: [a]\n")
    manifests.release("own", "dev", config={"values.yaml": f"a: {MARKER}\n"})
    processes = noted(monkeypatch)
    assert states(manifests) == {"own": REFUSED["own"]}
    assert processes.with_text(MARKER) == []


# Who may say that it goes without


@ENGINES
@pytest.mark.usefixtures("unlocked_system")
def test_headgate_yaml_lets_it_pass(manifests: ManifestRepository, engine: str) -> None:
    own_and_shared(manifests, engine)
    manifests.write({"headgate.yaml": HEADGATE_YAML.lstrip() + "sandbox: optional\n"})
    assert states(manifests) == TAKEN


@ENGINES
@pytest.mark.usefixtures("unlocked_system")
def test_trial_lets_it_pass(manifests: ManifestRepository, engine: str) -> None:
    own_and_shared(manifests, engine)
    assert states(manifests, "--no-sandbox") == TAKEN
    assert states(manifests, "--all")["own"] == REFUSED["own"], "and the next one is as before"


@pytest.mark.usefixtures("unlocked_system")
def test_trial_that_commits_is_none(manifests: ManifestRepository) -> None:
    own_and_shared(manifests, "plain")
    manifests.commit()
    assert states(manifests, "--no-sandbox", "--commit") == REFUSED


@pytest.mark.parametrize("command", [("hydrate", "--all", "--manifests"), ("verify", "--manifests")], ids=" ".join)
@pytest.mark.usefixtures("unlocked_system")
def test_job_is_no_trial(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    own_and_shared(manifests, "plain")
    manifests.commit()
    assert headgate(*command, str(manifests.path), "--no-sandbox").code in (0, 1)  # verify says that it differs
    monkeypatch.setenv("CI", "true")
    assert headgate(*command, str(manifests.path), "--no-sandbox").code == SandboxError.code


# Hand-offs, of which more is read than what is rendered


BUILDS_ON_FILES = {"deploy/kustomization.yaml": f"resources: [web.yaml]\ncommonAnnotations: {{a: {MARKER}}}\n"}


@pytest.mark.usefixtures("unlocked_system")
def test_hand_off_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    write_app(stage, BUILDS_ON_FILES)
    processes = noted(monkeypatch)
    ran = stage.deliver()
    assert ran.code == SandboxError.code, ran.out
    assert len(stage.log()) == 1
    assert processes.with_text(MARKER) == []


@pytest.mark.usefixtures("unlocked_system")
def test_hand_off_is_taken_where_headgate_yaml_lets_it(stage: Stage) -> None:
    write_app(stage, BUILDS_ON_FILES)
    stage.change({"headgate.yaml": HEADGATE_YAML.lstrip() + "sandbox: optional\n"})
    ran = stage.deliver()
    assert ran.code == 0, ran.err


# Who is told


@pytest.mark.parametrize("locked", [True, False])
def test_log_of_a_job_says_whether_the_engine_is_locked_in(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, *, locked: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # where report files go
    with make_sender_scene(tmp_path, registry) as scene:
        if locked:
            ended = scene.from_pipeline()
        else:
            with unlocked(monkeypatch, tmp_path / "tools"):
                ended = scene.from_pipeline()
    first = ended.out.splitlines()[0]
    assert first.startswith("engine: helm ")
    assert first.endswith(", locked in (seccomp)" if locked else ", not locked in: switched off")
    assert ended.code == (0 if locked else SandboxError.code), ended.out


@pytest.mark.usefixtures("unlocked_system")
def test_version_says_that_the_engine_is_not_locked_in() -> None:
    assert "sandbox    none: switched off" in headgate("version").out


def test_version_says_that_the_engine_is_locked_in() -> None:
    assert "sandbox    seccomp" in headgate("version").out
