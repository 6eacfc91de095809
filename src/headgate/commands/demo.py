"""``headgate demo``: the whole product in a minute, on two repositories made from ``examples/``.

``--cluster`` runs it in a checkout, with the tests' GitLab and clusters with Flux.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import process
from headgate.commands import deliver, verbs
from headgate.commands.options import RunOptions
from headgate.commands.run import run_intent
from headgate.errors import GuardError, Location, ToolError
from headgate.paths import group_branch
from headgate.records import frozen_record
from headgate.releases.handoff import HandOff
from headgate.report.terminal import Terminal
from headgate.repository import git
from headgate.tools import CLUSTER_PROGRAMS, own_folder

if TYPE_CHECKING:
    from headgate.repository.git import Repository

IMAGES = ("shop", "cart", "mail", "landing")
PROJECT = "acme/shop"


@frozen_record(kw_only=False)
class _Stage:
    """The demo's repositories: two bare ones, as GitLab would have them, and a checkout of each."""

    root: Path
    app: Repository
    manifests: Repository
    terminal: Terminal

    @property
    def remote(self) -> Path:
        return self.root / "manifest-repo.git"


def run(directory: Path | None) -> int:
    """Make the repositories, hand off two versions, change a template; show the result of each step."""
    stage = _set_stage(_folder(directory))
    say = stage.terminal.line
    say("Headgate's demo", "bold")
    say(f"in {stage.root}\n\n  app-repo/       acme/shop: code, and its config in deploy/")
    say("  manifest-repo/  templates/, apps/, and the final YAML that Flux reads in deploy/\n")
    say("  shop     shared Helm chart; its repository sets the granted values\n  cart     its own kustomization")
    say("  mail     shared Jinja2 template\n  landing  its own plain YAML")
    say("  dev takes the branch main and delivers automatically; production takes tags v*,\n  by review")

    _title(stage, "1. Hand off version 1, built from main: dev gets one commit")
    first = _hand_off(stage, "refs/heads/main")
    _show_commit(stage, "origin/main", "deploy/dev/shop", first)

    _title(stage, "2. Hand off its tag v1.0.0: production gets four proposals, one branch per app")
    _hand_off(stage, "refs/tags/v1.0.0", diff=False)
    _show_commit(stage, "origin/headgate/production/cart", "deploy/production/cart")
    _merge(stage, *(f"headgate/production/{name}" for name in IMAGES))

    _title(stage, "3. Hand off version 2, with new images and one new setting: what changes in the YAML")
    _change(stage.app, "deploy/shop/values.yaml", "Welcome", "Welcome back", "Greet people who return")
    second = _hand_off(stage, "refs/heads/main", diff=True)
    _show_commit(stage, "origin/main", "deploy/dev/cart", second)

    _title(stage, "4. Change a template: every app that uses it is hydrated again, from this repository")
    _change(
        stage.manifests,
        "templates/web/templates/deployment.yaml",
        _PORTS,
        _PORTS_AND_PROBE,
        "Probe web services",
    )
    stage.manifests.git("push", "--quiet", "origin", "main")
    stage.terminal.line("$ headgate rehydrate --manifests manifest-repo --diff", "dim")
    code = run_intent(RunOptions(manifests=str(stage.manifests.path), diff=True), verbs.rehydrate())
    stage.manifests.git("fetch", "--quiet", "origin")
    proposal = group_branch("production")
    _show_commit(stage, f"origin/{proposal}", "deploy/production/shop")
    _merge(stage, proposal)

    program = "headgate" if shutil.which("headgate") else sys.argv[0]  # `make demo` puts it on no PATH
    say("\nLook around:", "bold")
    say(
        f"  git -C {stage.manifests.path} log --stat --all --graph\n"
        f"  {program} hydrate --manifests {stage.manifests.path} --check\nThen do the tutorial: docs/tutorial.md"
    )
    return code


def run_on_clusters() -> int:
    """Become the checkout's program that follows a push to running pods. Raises ToolError outside a checkout."""
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / "tests/support/demonstration.py").is_file() or find_spec("pytest") is None:
        raise ToolError(
            "the demo with clusters needs a checkout of Headgate, which has a simulated GitLab",
            hint="run 'make cluster-tools' in a checkout, which takes 10 to 15 minutes, then its '.venv/bin/headgate'",
        )
    missing = [name for name in (*CLUSTER_PROGRAMS, "registry") if not (own_folder() / name).is_file()]
    if missing:
        raise ToolError(
            f"{', '.join(missing)} not found in {own_folder()}",
            hint="run 'make cluster-tools', which takes 10 to 15 minutes the first time",
        )
    environ = {**os.environ, "PYTHONPATH": str(checkout / "tests")}
    process.become([sys.executable, "-m", "support.demonstration", "--walk"], environ)


def _folder(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="headgate-demo-"))
    if directory.exists() and any(directory.iterdir()):
        raise GuardError("the folder is not empty", where=Location(str(directory)), hint="name a new or empty folder")
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()


def examples() -> Path:
    """Return the folder with the example repositories: in the installed package, or in the checkout."""
    here = Path(__file__).resolve()
    installed = here.parents[1] / "examples"
    return installed if installed.is_dir() else here.parents[3] / "examples"


def _set_stage(root: Path) -> _Stage:
    return _Stage(root, _repository(root, "app-repo"), _repository(root, "manifest-repo"), Terminal(sys.stdout))


def _repository(root: Path, name: str) -> Repository:
    """Make a bare repository with one commit of the example, and a checkout of it."""
    bare, folder = root / f"{name}.git", root / name
    git.git(["init", "--quiet", "--bare", "--initial-branch=main", str(bare)])
    shutil.copytree(examples() / name, folder)
    git.git(["init", "--quiet", "--initial-branch=main", str(folder)])
    checkout = git.open_repository(folder)
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.com"), ("commit.gpgSign", "false")):
        checkout.git("config", key, value)
    checkout.git("remote", "add", "origin", str(bare))
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message", "Begin")
    checkout.git("push", "--quiet", "--set-upstream", "origin", "main")
    return checkout


def _title(stage: _Stage, text: str) -> None:
    stage.terminal.line(f"\n{text}\n", "bold cyan")


def _hand_off(stage: _Stage, ref: str, *, diff: bool = False) -> str:
    """Hand off the app repository's newest commit, as its pipeline would after pushing the images."""
    commit = git.head(stage.app)
    images = tuple(f"registry.example.com/acme/{name}:{commit[:12]}@{_digest(name, commit)}" for name in IMAGES)
    stage.terminal.line(
        f"$ headgate deliver --manifests manifest-repo.git --project {PROJECT} \\\n"
        f"    --commit {commit[:12]}... --ref {ref} --source app-repo --image ...",
        "dim",
    )
    hand_off = HandOff(project=PROJECT, commit=commit, ref=ref, images=deliver.references(images))
    deliver.run(hand_off, str(stage.app.path), RunOptions(manifests=str(stage.remote), diff=diff))
    stage.manifests.git("fetch", "--quiet", "origin")
    if ref.startswith("refs/heads/"):
        stage.manifests.git("merge", "--quiet", "--ff-only", "origin/main")
    return commit


def _digest(name: str, commit: str) -> str:
    """Stand in for the answers of a registry."""
    return f"sha256:{hashlib.sha256(f'{name} {commit}'.encode()).hexdigest()}"


def _show_commit(stage: _Stage, revision: str, folder: str, _source: str = "") -> None:
    """Show a commit's message and its change of one folder."""
    say = stage.terminal.line
    say(f"\n$ git show {revision.removeprefix('origin/')} -- {folder}", "dim")
    message = stage.manifests.git("show", "--no-patch", "--format=commit %h%n%n%w(0,4,4)%B", revision)
    say(message)
    diff = stage.manifests.git("show", "--format=", "--unified=2", revision, "--", f"{folder}/*.yaml", folder)
    for line in _without_records(diff):
        say(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))


def _without_records(diff: str) -> list[str]:
    """Leave out git's headers and the records among the YAML."""
    lines: list[str] = []
    shown = True
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            shown = not line.endswith(".json")
        elif shown and not line.startswith(("index ", "--- ", "new file mode")):
            lines.append(line.replace("+++ b/", "  ") if line.startswith("+++ ") else line)
    return lines


def _merge(stage: _Stage, *branches: str) -> None:
    stage.terminal.line("People review the final YAML and merge.")
    stage.manifests.git(
        "merge", "--quiet", "--no-edit", "--message", "Merge proposals", *[f"origin/{name}" for name in branches]
    )
    stage.manifests.git("push", "--quiet", "origin", "main", *[f":refs/heads/{name}" for name in branches])


def _change(repository: Repository, file: str, old: str, new: str, message: str) -> None:
    path = repository.path / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    repository.git("commit", "--quiet", "--all", "--message", message)


_PORTS = "          ports:\n"
_PORTS_AND_PROBE = "          readinessProbe:\n            httpGet: {path: /healthz, port: http}\n          ports:\n"
