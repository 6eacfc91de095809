"""Config made to use all time, memory or disk there is: it fails alone, soon and with one clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from headgate.process import processors
from support.bombs import BOMBS, BROKEN, EXHAUSTED, TOO_LARGE, Bomb, Files, laughs
from support.manifests import ManifestRepository, git

SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit, kubernetes: "1.34"}
limits: {render_seconds: SECONDS}
"""
GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n"

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: {{ .Values.a | toJson | len | quote }}}\n"

RENDER_SECONDS = 10
SHORT_RENDER_SECONDS = 3  # for what only time ends: each is tried twice
SECONDS = 40  # on a machine that has nothing else to do: two tries
MEBIBYTES = 400
MAX_WORDS = 20_000


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended: peak memory is that of its own process."""

    code: int
    seconds: float
    mebibytes: float
    words: str


def allowed_seconds() -> float:
    """Return how long a run may take: longer where other programs are busy too."""
    return SECONDS * max(1.0, os.getloadavg()[0] / processors())


def possible(codes: tuple[int, ...]) -> tuple[int, ...]:
    """Return how a run may end: where other programs are busy too, its time may be over before anything else is."""
    return codes if os.getloadavg()[0] < 1.5 * processors() else (*codes, EXHAUSTED)


def run_measured(command: list[str], output: Path) -> Ended:
    """Run a program, ended when it takes too long or too much."""
    limit = allowed_seconds()
    begun, peak = time.monotonic(), 0.0
    with output.open("wb") as out:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        while running.poll() is None:
            peak = peak_memory(running.pid) or peak  # the first is that of this process, before it becomes the program
            seconds = time.monotonic() - begun
            if seconds > limit or (peak > 2 * MEBIBYTES and seconds > 1):
                os.killpg(running.pid, signal.SIGKILL)
            time.sleep(0.01)
    return Ended(running.returncode, time.monotonic() - begun, peak, output.read_text(errors="replace"))


def peak_memory(pid: int) -> float:
    """Return the most memory that a process has had so far, in MiB; 0 when it is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def commit(folder: Path, files: Files) -> str:
    """Make a repository of these files and return its commit. Git takes them without a checkout."""
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    stream = [b"commit refs/heads/main\ncommitter Test <test@example.com> 0 +0000\ndata 1\na\n"]
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=folder, input=b"".join(stream), check=True, capture_output=True
    )
    return git(folder, "rev-parse", "main")


@dataclass(frozen=True)
class Delivered:
    """How a hand-off ended, and the files that it landed."""

    code: int
    mebibytes: float
    words: str
    landed: list[str]

    def landed_of(self, app: str) -> list[str]:
        """Return the final YAML of an app."""
        return [path for path in self.landed if path.startswith(f"deploy/dev/{app}/")]


class Deliver(Protocol):
    """Hands off what has these files in a folder."""

    def __call__(self, folder: str, files: Files, seconds: int = RENDER_SECONDS) -> Delivered:
        """Let each app take so many seconds."""


@pytest.fixture
def deliver(manifests: ManifestRepository, headgate_program: list[str], tmp_path: Path) -> Deliver:
    """Return what hands off three apps of one project: one with these files for its config, two with good ones."""
    project = "project: acme/evil\nenvironments: [dev]\n"
    manifests.write({"templates/web/Chart.yaml": CHART, "templates/web/templates/a.yaml": TEMPLATE})
    manifests.app("evil", f"{project}config: deploy\n").app("good", f"{project}config: good\n")
    manifests.app("granted", f"{project}config: granted\ntemplate: web\ngrant: ['*']\n")

    def run(folder: str, files: Files, seconds: int = RENDER_SECONDS) -> Delivered:
        manifests.write({"headgate.yaml": SETTINGS.replace("SECONDS", str(seconds))}).commit("Begin")
        right: Files = {"deploy/a.yaml": GOOD, "granted/values.yaml": "a: b\n", "good/a.yaml": GOOD}
        others = {path: text for path, text in right.items() if not path.startswith(f"{folder}/")}
        head = commit(tmp_path / "app", others | {f"{folder}/{path}": content for path, content in files.items()})
        where = ["--manifests", str(manifests.path), "--source", str(tmp_path / "app")]
        command = [*headgate_program, "deliver", "--project", "acme/evil", "--commit", head, *where]
        ended = run_measured(command, tmp_path / "out")
        landed = git(manifests.path, "ls-tree", "-r", "--name-only", "main", "deploy").splitlines()
        return Delivered(ended.code, ended.mebibytes, ended.words, landed)

    return run


def check(delivered: Delivered, app: str, codes: tuple[int, ...]) -> None:
    """Assert that an app failed with one of these codes, or landed where 0 is one, and that the good one landed."""
    assert delivered.code in possible(codes), delivered
    assert "deploy/dev/good/configmap-x.yaml" in delivered.landed_of("good")
    assert bool(delivered.landed_of(app)) == (delivered.code == 0)
    assert delivered.mebibytes < MEBIBYTES
    assert len(delivered.words) < MAX_WORDS
    assert f"{app} in dev: " in delivered.words


@pytest.mark.long
@pytest.mark.parametrize("bomb", BOMBS, ids=str)
def test_bomb_ends_soon_with_one_error_of_its_own(bomb: Bomb, deliver: Deliver) -> None:
    seconds = SHORT_RENDER_SECONDS if EXHAUSTED in bomb.codes else RENDER_SECONDS
    check(deliver("deploy", bomb.files(), seconds), "evil", bomb.codes)


@pytest.mark.long
@pytest.mark.parametrize(
    ("values", "codes"),
    [
        pytest.param(laughs(9), (TOO_LARGE,), id="aliases"),
        pytest.param(
            f"l: &l {'a' * 100_000}\nm: [{', '.join(['*l'] * 4000)}]\n", (TOO_LARGE,), id="long text by alias"
        ),
        pytest.param(f"a: {'[' * 9000}{']' * 9000}\n", (TOO_LARGE,), id="deep"),
        pytest.param(f"a: [{'[],' * 3_000_000}]\n", (TOO_LARGE,), id="nodes"),
        pytest.param(f"a: [{'{},' * 900_000}]\n", (0, TOO_LARGE), id="nodes just below the limit"),
        pytest.param("".join(f"k{n}: a\n" for n in range(400_000)), (0, TOO_LARGE), id="keys just below the limit"),
        pytest.param(f"a: {'a' * 9_000_000}\n", (0, TOO_LARGE), id="bytes just below the limit"),
        pytest.param(f"a: {'1' * 5_000_000}\n", (0, TOO_LARGE, BROKEN), id="integer"),
    ],
)
def test_values_that_are_a_bomb_end_soon_with_one_error_of_their_own(
    values: str, codes: tuple[int, ...], deliver: Deliver
) -> None:
    check(deliver("granted", {"values.yaml": values}), "granted", codes)
