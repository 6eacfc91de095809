"""What the documentation shows, and what ``headgate init`` writes, as gitlab-ci-local expands it.

``pytest --update-golden`` writes what it gives now to ``tests/components/``, for people to review.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import __version__
from headgate.scaffolding import SETUPS
from support.cli import headgate
from support.components import TEMPLATES, complaints
from support.gitlab.locally import TOOL, answered
from support.manifests import git
from support.pages import PAGES, blocks

GOLDEN = Path(__file__).parent / "components"
HOST = "gitlab.example.com"
PROGRAM = TOOL / "bin" / "gitlab-ci-local"


def snippets() -> dict[str, str]:
    """Return the CI files that the documentation shows, named by page and number."""
    found: dict[str, str] = {}
    for page in PAGES:
        shown = [block.text for block in blocks(page, "yaml") if "component:" in block.text]
        found |= {f"{Path(page).stem.lower()}-{number}": text for number, text in enumerate(shown, 1)}
        alone = [block.text for block in blocks(page, "yaml") if block.text.startswith("workflow:")]
        found |= {f"{Path(page).stem.lower()}-workflow-{number}": text for number, text in enumerate(alone, 1)}
    return found


SNIPPETS = snippets()


@pytest.fixture(scope="session")
def components(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of repositories as GitLab would serve them, in which the components are released."""
    served = tmp_path_factory.mktemp("served")
    work = tmp_path_factory.mktemp("components")
    shutil.copytree(TEMPLATES, work / "templates")
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", "--all")
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    when = {f"GIT_{role}_DATE": "2026-01-01T00:00:00Z" for role in ("AUTHOR", "COMMITTER")}  # equal files, equal commit
    commit = ["git", *who, "commit", "--quiet", "--message", "Components"]
    subprocess.run(commit, cwd=work, env={**os.environ, **when}, check=True)
    for tag in sorted({"0.9.0", __version__, "1.0.0", "1.2.3", "2.0.0-rc.1"}):
        git(work, "tag", tag)
    (served / "headgate").mkdir()
    git(work, "clone", "--quiet", "--bare", str(work), str(served / "headgate/headgate.git"))
    git(served / "headgate/headgate.git", "config", "uploadpack.allowFilter", "true")
    return served


def environment(components: Path, home: Path) -> dict[str, str]:
    """Let git find the served repositories where GitLab would be."""
    instead = {f"url.file://{components}/.insteadOf": [f"https://{HOST}/", f"https://{HOST}:443/"]}
    pairs = [(key, value) for key, values in instead.items() for value in values]
    told = {"GIT_CONFIG_COUNT": str(len(pairs)), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for number, (key, value) in enumerate(pairs):
        told |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **told}


def expand(repo: Path, components: Path, *args: str, file: str = ".gitlab-ci.yml") -> dict[str, Any]:
    """Return a repository's CI file as gitlab-ci-local expands it; its own copy of GitLab's schema has it checked."""
    # Its schema is older than GitLab's, which takes an empty list of tags.
    ignored = ("--ignore-schema-paths", "#/definitions/tags/minItems")
    command = [str(PROGRAM), "--preview", "--file", file, *ignored, *args]

    def ask() -> list[Any]:
        commit_all(repo)
        env = environment(components, repo.parent)
        done = subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True, check=False)
        return [done.returncode, done.stdout, done.stderr]

    files = {str(path.relative_to(repo)): path.read_text() for path in sorted(repo.rglob("*.yml"))}
    commit = git(components / "headgate/headgate.git", "rev-parse", "1.2.3")
    code, out, err = answered([files, command, commit, Path(__file__).read_text()], ask)
    if code:
        raise ValueError(out + err)
    found: dict[str, Any] = yaml.safe_load(out.partition("---\n")[2])
    return found


def commit_all(repo: Path) -> None:
    """Let a folder be a clone of a repository on GitLab."""
    if not (repo / ".git").exists():
        git(repo, "init", "--quiet", "--initial-branch=main")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    if not git(repo, "remote"):
        # With a login, since 'insteadOf' would else change what gitlab-ci-local reads as the remote's address.
        git(repo, "remote", "add", "origin", f"https://u:p@{HOST}/acme/manifests.git")
        git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")
        git(repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")


def check_golden(name: str, expanded: dict[str, Any], components: Path, request: pytest.FixtureRequest) -> None:
    """Compare with what was reviewed."""
    commit = git(components / "headgate/headgate.git", "rev-parse", "1.2.3^{commit}")
    text = yaml.safe_dump(expanded, sort_keys=False, width=120).replace(commit, "COMPONENT_SHA")
    file = GOLDEN / f"{name}.yml"
    if request.config.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.long
@pytest.mark.parametrize("name", SNIPPETS)
def test_what_the_documentation_shows(
    name: str, tmp_path: Path, components: Path, request: pytest.FixtureRequest
) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / ".gitlab-ci.yml").write_text(SNIPPETS[name])
    expanded = expand(repo, components)
    assert complaints(expanded) == []
    check_golden(name, expanded, components, request)


def test_the_documentation_shows_every_component_and_most_inputs() -> None:
    assert len(SNIPPETS) >= 9
    shown = "\n".join(SNIPPETS.values())
    assert all(f"/{name}@1" in shown for name in ("deliver", "preview", "hydrate"))
    for one in ("images", "transport", "stage", "job-prefix", "rules", "runner-tags", "handoff", "server"):
        assert f"{one}:" in shown


@pytest.mark.long
@pytest.mark.parametrize("setup", SETUPS)
def test_what_init_writes(setup: str, tmp_path: Path, components: Path, request: pytest.FixtureRequest) -> None:
    repo = tmp_path / "repo"
    ran = headgate("init", str(repo), "--server", f"https://{HOST}", "--project", "acme/manifests", "--setup", setup)
    assert ran.code == 0, ran.err
    for file in sorted(repo.glob("*gitlab-ci.yml")):
        name = f"init-{setup}{'-intake' if file.name.startswith('intake') else ''}"
        check_golden(name, expand(repo, components, file=file.name), components, request)


@pytest.mark.long
def test_what_somebody_fills_in_reaches_the_job(tmp_path: Path, components: Path) -> None:
    repo = tmp_path / "repo"
    headgate("init", str(repo), "--server", f"https://{HOST}", "--project", "acme/manifests", "--setup", "direct")
    # gitlab-ci-local would take a number for one, which GitLab takes for a string
    told = {
        "action": "roll-back",
        "app": "shop",
        "environment": "production",
        "to": "3f3f3f3",
        "reason": 'It\'s "slow" & so',
    }
    expanded = expand(repo, components, *(f"--input={key}={value}" for key, value in told.items()))
    found = expanded["hydrate"]["variables"]
    assert {
        key.removeprefix("HEADGATE_").lower(): value for key, value in found.items() if value in told.values()
    } == told
    for key, value in (("environment", "staging"), ("app", "a b"), ("reason", "$(id)"), ("handoff", "images=x")):
        with pytest.raises(ValueError, match=f"`{key}` input"):
            expand(repo, components, f"--input={key}={value}")


@pytest.mark.long
def test_a_version_in_full_is_taken(tmp_path: Path, components: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    text = SNIPPETS["readme-1"]
    (repo / ".gitlab-ci.yml").write_text(text.replace("@1", "@1.0.0"))
    assert "deliver" in expand(repo, components)
    (repo / ".gitlab-ci.yml").write_text(text.replace("@1", "@3"))
    with pytest.raises(ValueError, match=r"The reference \(3\) is invalid"):
        expand(repo, components)
