"""A cancelled job: what a signal in the middle of the work leaves behind. Nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.manifests import DIGEST, ManifestRepository, git
from support.processes import is_running
from support.stage import IMAGE, Stage, write_app

LOOPING_CHART = "{{ range until 3000 }}{{ range until 3000 }}{{ range until 3000 }}{{ end }}{{ end }}{{ end }}"
LOOPING_JINJA = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def chart(manifests: ManifestRepository) -> None:
    """Add apps whose chart renders without end: more than run at once."""
    manifests.write({"templates/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"})
    manifests.write({"templates/web/templates/web.yaml": LOOPING_CHART})
    for number in range(6):
        manifests.app(f"web-{number}", "template: web\n")


def jinja(manifests: ManifestRepository) -> None:
    """Add one that renders without end in Jinja2."""
    manifests.write({"templates/web/web.yaml.j2": LOOPING_JINJA})
    manifests.app("web", "template: web\n")


def wait_for(fact: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so. Fails when it is not for so many seconds."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def below(pid: int) -> set[int]:
    """Return the running processes that a process started, and those that these started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            parents[int(folder.name)] = int(parent)
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def renders(pid: int, program: str) -> bool:
    """Whether a process below another one is this program."""
    for child in below(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if program.encode() in command and b"/bin/sh\0-c" not in command:
            return True
    return False


def stopped(args: list[str], temporary: Path, sent: signal.Signals, program: str) -> tuple[int, str, str]:
    """Start Headgate, send it a signal while ``program`` renders, and return how it ended and what it printed.

    Asserts that nothing which it started is left, and no file in its temporary folder.
    """
    temporary.mkdir()
    env = {**os.environ, "TMPDIR": str(temporary)}
    # A shell lets what it runs in the background ignore some; so would what the tests start.
    heeding = ["env", "--default-signal=INT,HUP,TERM", *args]
    with subprocess.Popen(heeding, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            wait_for(lambda: renders(running.pid, program) or running.poll() is not None)
            children = below(running.pid)
            running.send_signal(sent)
            out, err = running.communicate(timeout=30)
        finally:
            running.kill()
    assert children
    wait_for(lambda: not any(is_running(child) for child in children))
    assert list(temporary.iterdir()) == []
    return running.returncode, out, err


@pytest.mark.long
@pytest.mark.parametrize(
    ("build", "program", "sent", "code"),
    [
        pytest.param(chart, "headgate-engine", signal.SIGTERM, 143, id="helm-SIGTERM"),
        pytest.param(jinja, "jinja_child", signal.SIGINT, 130, id="jinja2-SIGINT"),
        pytest.param(jinja, "jinja_child", signal.SIGHUP, 129, id="jinja2-SIGHUP"),
    ],
)
def test_hydrate_that_is_told_to_stop_leaves_nothing(
    manifests: ManifestRepository,
    headgate_program: list[str],
    tmp_path: Path,
    build: Callable[[ManifestRepository], None],
    program: str,
    sent: signal.Signals,
    code: int,
) -> None:
    build(manifests)
    manifests.commit()
    before = git(manifests.path, "rev-parse", "HEAD")
    args = [*headgate_program, "hydrate", "--commit", "--manifests", str(manifests.path)]
    assert stopped(args, tmp_path / "tmp", sent, program) == (code, "", f"stopped by {sent.name}\n")
    assert git(manifests.path, "status", "--porcelain") == ""
    assert git(manifests.path, "rev-parse", "HEAD") == before


@pytest.mark.long
def test_deliver_that_is_told_to_stop_delivers_nothing(
    stage: Stage, headgate_program: list[str], tmp_path: Path
) -> None:
    write_app(stage, {"deploy/web.yaml.j2": LOOPING_JINJA})
    before = git(stage.remote, "for-each-ref")
    args = [*headgate_program, "deliver", "--manifests", str(stage.remote), "--source", str(stage.app)]
    args += ["--project", "acme/web", "--image", f"{IMAGE}:1.0@{DIGEST}"]
    args += ["--commit", git(stage.app, "rev-parse", "HEAD")]
    ended = stopped(args, tmp_path / "tmp", signal.SIGTERM, "jinja_child")
    assert ended == (143, "", "stopped by SIGTERM\n")
    assert git(stage.remote, "for-each-ref") == before


RUNNER = """
import sys
from headgate import process, signals

def work():
    with signals.deferred():
        print("written", flush=True)
        sys.stdin.readline()
    process.run(["/bin/sh", "-c", sys.argv[1]], env={"PATH": "/usr/bin:/bin"})

signals.handle_signals(work)
"""


def start(script: str, **options: Any) -> subprocess.Popen[str]:
    args = [sys.executable, "-c", RUNNER, script]
    return subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def has_begun(running: subprocess.Popen[str]) -> bool:
    assert running.stdout is not None
    return running.stdout.readline() == "written\n"


def say_go(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


@pytest.mark.long
def test_program_that_does_not_listen_is_ended_too() -> None:
    with start("trap '' TERM; echo $$ > /dev/null; while :; do sleep 0.01; done") as running:
        say_go(running)
        wait_for(lambda: renders(running.pid, "sleep"))
        children = below(running.pid)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 143
        wait_for(lambda: not any(is_running(child) for child in children))


def test_program_may_clean_up_before_it_ends(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with start(f"trap 'rm {lock}; exit' TERM; touch {lock}; while :; do sleep 0.01; done") as running:
        say_go(running)
        wait_for(lock.exists)
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 143
    assert not lock.exists()


def test_stop_waits_for_what_must_not_be_cut(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with start(f"touch {begun}") as running:
        assert has_begun(running)
        running.send_signal(signal.SIGTERM)
        wait_for(lambda: noticed(running.pid, signal.SIGTERM))
        assert running.poll() is None
        say_go(running)
        assert running.wait(30) == 143
    assert not begun.exists()


def noticed(pid: int, sent: signal.Signals) -> bool:
    """Whether a signal is no longer on its way."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pending = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return not any(mask & 1 << (sent - 1) for mask in pending)


def test_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with start(f"touch {done}", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as running:
        assert has_begun(running)
        running.send_signal(signal.SIGHUP)
        say_go(running)
        assert running.wait(30) == 0
    assert done.exists()


@pytest.mark.long
def test_engine_ends_when_nobody_is_left_who_waits_for_it(tmp_path: Path) -> None:
    repository = ManifestRepository.make(tmp_path / "manifests")
    chart(repository)
    args = [sys.executable, "-m", "headgate", "hydrate", "--manifests", str(repository.path)]
    with subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        wait_for(lambda: renders(running.pid, "headgate-engine"))
        time.sleep(1)  # it begins with the configuration, and renders next
        engines = below(running.pid)
        running.kill()
    assert any(is_running(engine) for engine in engines)
    wait_for(lambda: not any(is_running(engine) for engine in engines), seconds=90)


SWALLOWED = """
import os, signal, sys
from headgate import signals

class Library:
    def __del__(self):
        if self.stops:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            raise ValueError("of its own")

def work():
    for stops in (False, True):
        library = Library()
        library.stops = stops
        del library
    print("goes on")
    signals.check()
    print("not reached")

signals.handle_signals(work)
"""


def test_a_stop_that_code_in_c_swallows_comes_with_the_next_check() -> None:
    ran = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == (143, "goes on\n")
    assert ran.stderr.count("Traceback") == 1
    assert "ValueError: of its own" in ran.stderr
    assert ran.stderr.endswith("stopped by SIGTERM\n")
