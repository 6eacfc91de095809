"""Measure what depends on the state of a repository: a hand-off, many at once, status, refresh.

    python benchmarks/state.py [--other PYTHON] [--only deliver,at-once,status,refresh] [--rounds 3] [--latency 20]

``--other`` is the interpreter of another installation of Headgate: then each way is measured with both, in turn, and
the ratio is the median of the ratios within the rounds. Each has repositories of its own, which it made itself, and
has run once before, since the first processes of a version that is new compile it.

- *deliver*: one hand-off to 1 of 1,000 apps in one environment, from the start of the process to its end, from an
  address behind a server that waits ``--latency`` milliseconds before each request.
- *at-once*: 50 of 50 apps started at the same moment; *one by one*: the same, each when the one before has ended.
- *status*: of 1,000 apps in 3 environments, in a repository that is packed, as a clone is.
- *refresh*: 100 proposals on a default branch that moved; and what of it is neither git nor hydrating, which is taken
  from ``headgate hydrate --all --check`` of the same 100.

Beside the seconds by the clock stand those of all processors, of the server too, which tell more on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from typing import TYPE_CHECKING

from benchmarks import repositories
from benchmarks.measure import GitClock, prepare_bytecode

from support.githttp import allow_partial, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOALS = {
    "deliver": "0.8 of the other's time",
    "at once": "0.8 of the other's time, and less than one by one",
    "status": "1.5 s",
    "refresh beyond": "3 s, beyond git and hydrating",
}


@dataclass
class Installation:
    """An installation of Headgate, and what it was measured to take, for each way and round: seconds by the clock,
    and of all processors.
    """

    name: str
    python: str
    folder: Path

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.seconds: dict[str, list[float]] = {}
        self.worked: dict[str, list[float]] = {}
        self.folder.mkdir()
        self.clock = GitClock(self.folder / "git")

    def run(self, *args: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> float:
        """Run a command to its end and return the seconds. Ends the benchmark when it fails."""
        begin = time.perf_counter()
        done = subprocess.run(
            [self.python, "-m", "headgate", *args],
            env={**os.environ, **(env or {})},
            cwd=cwd or self.folder,  # so that no other source is found
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: headgate {' '.join(args)} failed:\n{done.stdout}{done.stderr}")
        return time.perf_counter() - begin

    @contextmanager
    def timed(self, way: str) -> Iterator[None]:
        """Keep what the block takes, in this process's children."""
        begin, worked = time.perf_counter(), _worked()
        yield
        self.note(way, time.perf_counter() - begin)
        self.worked.setdefault(way, []).append(_worked() - worked)

    def warm_up(self) -> None:
        """Run what is measured once, on one app."""
        source = self.folder / "one"
        repositories.not_yet_released(source, 1)
        served = self.folder / "served-one"
        served.mkdir()
        image = f"registry.example.com/acme/app-000:1@sha256:{1:064d}"
        self.deliver(bare(source, served).as_uri(), source, "acme/app-000", image)
        self.run("status", "--manifests", str(source))

    def note(self, way: str, seconds: float) -> None:
        """Keep what a way took."""
        self.seconds.setdefault(way, []).append(seconds)

    def deliver(self, to: str, source: Path, project: str, *images: str) -> float:
        """Hand a version off."""
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=source, check=True, stdout=-1, text=True
        ).stdout.strip()
        named = ["--manifests", to, "--project", project, "--source", str(source), "--commit", commit]
        return self.run("deliver", *named, *(word for image in images for word in ("--image", image)))


def _worked() -> float:
    """Return the processor seconds of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare(source: Path, served: Path) -> Path:
    """Return a fresh bare copy of a repository."""
    remote = served / "manifests.git"
    shutil.rmtree(remote, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", str(source), str(remote)], check=True)
    allow_partial(remote)
    return remote


def measure_deliver(installation: Installation, latency: float) -> None:
    """Measure one hand-off to one of a thousand apps."""
    source = installation.folder / "thousand"
    if not source.exists():
        repositories.not_yet_released(source, 1000)
    served = installation.folder / "served-deliver"
    served.mkdir(exist_ok=True)
    bare(source, served)
    with serve(served, latency=latency / 1000) as server:
        image = f"registry.example.com/acme/app-500:1@sha256:{1:064d}"
        with installation.timed("deliver"):
            installation.deliver(f"{server.url}/manifests.git", source, "acme/app-500", image)


def measure_at_once(installation: Installation, latency: float, count: int = 50) -> None:
    """Measure 50 hand-offs, at the same moment and one after another."""
    source = installation.folder / "fifty"
    if not source.exists():
        repositories.not_yet_released(source, count)
    for way, together in (("at once", count), ("one by one", 1)):
        served = installation.folder / "served-at-once"
        served.mkdir(exist_ok=True)
        remote = bare(source, served)
        with serve(served, latency=latency / 1000) as server:

            def hand_off(name: str, url: str = server.url) -> None:
                image = f"registry.example.com/acme/{name}:1@sha256:{1:064d}"
                installation.deliver(f"{url}/manifests.git", source, f"acme/{name}", image)

            with installation.timed(way), ThreadPoolExecutor(together) as pool:
                list(pool.map(hand_off, repositories.app_names(count)))
        log = subprocess.run(["git", "log", "--oneline", "main"], cwd=remote, check=True, stdout=-1).stdout
        if len(log.splitlines()) != count + 1:
            raise SystemExit("a hand-off was lost")


def measure_status(installation: Installation, _latency: float) -> None:
    """Measure the status of 3,000 app-environments."""
    source = installation.folder / "three-thousand"
    if not source.exists():
        repositories.plain_shared(source, 1000)
        installation.run("hydrate", "--commit", cwd=source)
        subprocess.run(["git", "gc", "--quiet"], cwd=source, check=True)
    with installation.timed("status"):
        installation.run("status", "--manifests", str(source))


def measure_refresh(installation: Installation, _latency: float) -> None:
    """Measure the refresh of 100 proposals, and git's and the rendering's share."""
    served = installation.folder / "served-refresh"
    if not served.exists():
        served.mkdir()
        source = installation.folder / "hundred"
        repositories.reviewed(source, 100)
        image = f"registry.example.com/acme/web:1@sha256:{1:064d}"
        installation.deliver(bare(source, served).as_uri(), source, "acme/web", image)
    remote, work = served / "manifests.git", installation.folder / "work"
    if not work.exists():
        subprocess.run(["git", "clone", "--quiet", str(remote), str(work)], check=True)
    subprocess.run(["git", "pull", "--quiet"], cwd=work, check=True)
    template = next((work / "templates/web").glob("*"))
    template.write_text(template.read_text("utf-8").replace("metadata:\n", "metadata:\n  # again\n", 1), "utf-8")
    repositories.commit_all(work)
    subprocess.run(["git", "push", "--quiet"], cwd=work, check=True)
    wall = installation.run("refresh", "--manifests", remote.as_uri(), env=installation.clock.env)
    git = installation.clock.seconds()
    hydrate = installation.run("hydrate", "--all", "--check", cwd=work)
    installation.note("refresh", wall)
    installation.note("refresh: git", git)
    installation.note("refresh: hydrate", hydrate)
    installation.note("refresh beyond", wall - git - hydrate)
    subprocess.run(["git", "fetch", "--quiet"], cwd=work, check=True)
    branches = subprocess.run(["git", "branch", "--remotes"], cwd=work, check=True, stdout=-1, text=True).stdout
    if branches.count("origin/headgate/") != 100:
        raise SystemExit(f"a proposal was lost: {branches.count('origin/headgate/')} of 100 are there")


AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
WAYS: dict[str, Callable[[Installation, float], None]] = {
    "deliver": measure_deliver,
    "at-once": measure_at_once,
    "status": measure_status,
    "refresh": measure_refresh,
}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--other", default="", metavar="PYTHON", help="interpreter of another installation of Headgate")
    parser.add_argument("--only", default=",".join(WAYS), help=f"some of {', '.join(WAYS)}")
    parser.add_argument("--latency", type=float, default=20, help="milliseconds")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ.update(AUTHOR)
    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as folder:
        prepare_bytecode(Path(folder) / "bytecode")
        pythons = {"this": sys.executable} | ({"other": options.other} if options.other else {})
        both = [Installation(name, python, Path(folder) / name) for name, python in pythons.items()]
        for installation in both:
            installation.warm_up()
        for number in range(options.rounds):
            for way in options.only.split(","):
                for installation in both if number % 2 == 0 else reversed(both):
                    print(f"round {number + 1}: {way}, {installation.name}", file=sys.stderr)
                    WAYS[way](installation, options.latency)
    print(f"{options.rounds} rounds, medians, load {os.getloadavg()[0]:.1f} at the end")
    for way, seconds in both[0].seconds.items():
        text = f"  {way:16} {median(seconds):8.2f} s"
        if len(both) > 1:
            others = both[1].seconds[way]
            ratio = median(a / b for a, b in zip(seconds, others, strict=True))
            text += f"   other {median(others):8.2f} s   ratio {ratio:5.2f}"
        print(f"{text}   goal: {GOALS[way]}" if way in GOALS else text)
        if way in both[0].worked:
            worked = [installation.worked[way] for installation in both]
            text = f"  {'  processors':16} {median(worked[0]):8.2f} s"
            if len(both) > 1:
                ratio = median(a / b for a, b in zip(*worked, strict=True))
                text += f"   other {median(worked[1]):8.2f} s   ratio {ratio:5.2f}"
            print(text)


if __name__ == "__main__":
    main()
