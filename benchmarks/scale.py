"""Measure what a manifest repository costs as it grows: from 300 to 30,000 app-environments.

    python benchmarks/scale.py [--sizes 300,3000,30000] [--commits 100000] [--rounds 5] [--shards 4]
        [--only no-op,hand-off,template] [--folder FOLDER] [--json]

Each repository has apps in three environments of one Jinja2 template with six objects, in folders of teams of a hundred
apps, hydrated: ten files for each app-environment. The largest one has a history of so many ``--commits``, each of
which changed one release; the others have one in proportion. All are served by ``git http-backend`` on this machine.

- *no-op*: ``headgate rehydrate`` where nothing changed.
- *hand-off*: ``headgate deliver`` of a new image, which an app takes in its three environments.
- *template*: ``headgate rehydrate`` after a change of the template, in one job; then after another change by
  ``--shards`` jobs: so many ``headgate warm``, and ``headgate rehydrate`` with the results of all. The shards run one
  after another, so that the longest one is what a job takes that has a machine like this one for itself; with as many
  machines, people wait for it and for the last job.

CPU seconds are those of Headgate and of all that it starts, its git included; those of the git that serves stand beside
them. Memory is that of all these processes together, looked at twice a second, or of the largest one if that is more.
Sizes are measured in turn; no-op and hand-off are medians, and a ratio is the median of the ratios within the rounds.
``--folder`` keeps the repositories, which take minutes to build, for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks import repositories
from benchmarks.deliver import git, handed_off, quiet_git
from benchmarks.measure import alone, prepare_bytecode, processors

from support.githttp import GitServer, allow_partial, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measure import Cost

APP = "app-00001"
NO_OP, HAND_OFF, TEMPLATE = "no-op", "hand-off", "template"
GOAL = 1.3
"""What a hand-off may cost in the largest repository, of what it costs in the smallest one."""
KEY = {"HEADGATE_RESULTS_KEY": "a key of the benchmark's own, long enough"}


@dataclass(frozen=True)
class Run:
    """What a way took once: of Headgate and all that it starts, and the CPU seconds of the git that serves it."""

    cost: Cost
    served: float
    megabytes: float


@dataclass(frozen=True)
class Repository:
    """A served manifest repository with so many app-environments, and the commits of an app to hand off."""

    renders: int
    folder: Path
    server: GitServer
    commits: Iterator[str]

    def run(self, *args: str, results: Path | None = None) -> Run:
        """Run Headgate on it, and return what that took."""
        command = [sys.executable, "-m", "headgate", args[0], "--manifests", f"{self.server.url}/manifests.git"]
        env = {**KEY, "HEADGATE_RESULTS": str(results)} if results else {}
        self.server.traffic.reset()
        before = os.times()
        cost, _ = alone([*command, *args[1:]], env, cwd=self.folder)
        after = os.times()
        children = (after.children_user + after.children_system) - (before.children_user + before.children_system)
        traffic = self.server.traffic
        return Run(cost, max(0.0, children - cost.cpu), (traffic.sent + traffic.received) / 1e6)

    def once(self, way: str) -> Run:
        """Run a way that is repeated."""
        if way == NO_OP:
            return self.run("rehydrate")
        commit = next(self.commits)
        image = f"registry.example.com/acme/{APP}:{commit[:12]}@sha256:{commit:0>64}"
        named = ["--project", f"acme/{APP}", "--source", str(self.folder / "app"), "--commit", commit, "--image", image]
        return self.run("deliver", *named, "--allow-diverged")

    def change_template(self) -> None:
        """Push a change of the template that changes every app-environment."""
        file = "templates/web/deployment.yaml.j2"
        text = git(self.folder / "manifests.git", "show", f"main:{file}")
        new = f"metadata:\n  annotations: {{changed: '{time.time_ns()}'}}\n"
        changed = re.sub(r"metadata:\n(  annotations: .*\n)?", new, text, count=1)
        commit(self.folder / "manifests.git", [(file, f"{changed}\n".encode())])


def commit(repository: Path, changes: Sequence[tuple[str, bytes]]) -> None:
    """Make one commit of each change, on top of the branch main."""
    stream = []
    for number, (file, data) in enumerate(changes):
        stream.append(b"commit refs/heads/main\ncommitter Ada <ada@example.com> %d +0000\n" % (1_700_000_000 + number))
        stream.append(b"data 6\nChange\n" + (b"from refs/heads/main^0\n" if number == 0 else b""))
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (file.encode(), len(data), data))
    git(repository, "fast-import", "--quiet", stdin=b"".join(stream))


def build(folder: Path, apps: int, commits: int) -> None:
    """Make a bare manifest repository with so many apps and commits, and the app's repository. Nothing is hydrated."""
    source = folder / "source"
    source.mkdir(parents=True)
    repositories.large(source, apps)
    releases = sorted(source.glob("apps/*/*/releases/*/release.yaml"))
    chosen = [releases[number * 7 % len(releases)] for number in range(commits)]
    texts = {file: file.read_bytes() for file in chosen}
    history = [(str(file.relative_to(source)), texts[file] + b"# %d\n" % number) for number, file in enumerate(chosen)]
    if history:
        commit(source, history)
    git(folder, "clone", "--quiet", "--bare", str(source), "manifests.git")
    allow_partial(folder / "manifests.git")
    git(folder / "manifests.git", "config", "receive.autogc", "false")  # `pack` does
    git(folder, "init", "--quiet", "--initial-branch=main", "app")


def pack(folder: Path) -> None:
    """Pack the repository as a server does now and then."""
    git(folder / "manifests.git", "-c", "pack.threads=2", "gc", "--quiet")


def hydrated(folder: Path, renders: int, commits: int) -> Path:
    """Return a folder with a repository of so many app-environments, hydrated; it is built unless it is there."""
    place = folder / str(renders)
    if not (place / "hydrated").exists():
        shutil.rmtree(place, ignore_errors=True)
        build(place, renders // len(repositories.ENVIRONMENTS), commits)
        with serve(place) as server:
            Repository(renders, place, server, handed_off(place / "app")).run("rehydrate")
        pack(place)
        (place / "hydrated").touch()
    return place


def measure_template(repository: Repository, shards: int) -> dict[str, Any]:
    """Measure a change of the template, in one job, and by shards."""
    repository.change_template()
    one = repository.run("rehydrate")
    repository.change_template()
    results = repository.folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    warmed = [repository.run("warm", "--shard", f"{shard}/{shards}", results=results) for shard in range(1, shards + 1)]
    last = repository.run("rehydrate", results=results)
    return {
        "one job": as_data([one]),
        "shards": [as_data([run]) for run in warmed],
        "last job": as_data([last]),
        "cpu": sum(run.cost.cpu for run in (*warmed, last)),
        "on as many machines": max(run.cost.wall for run in warmed) + last.cost.wall,
    }


def as_data(runs: Sequence[Run]) -> dict[str, float]:
    """Return the medians of runs, and the most memory."""
    return {
        "wall": median(run.cost.wall for run in runs),
        "cpu": median(run.cost.cpu for run in runs),
        "served_cpu": median(run.served for run in runs),
        "megabytes": median(run.megabytes for run in runs),
        "memory": max(max(run.cost.together, run.cost.peak) for run in runs) / 2**20,
    }


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything and return it."""
    sizes = [int(size) for size in options.sizes.split(",")]
    only = options.only.split(",")
    repeated = [way for way in (NO_OP, HAND_OFF) if way in only]
    runs: dict[tuple[int, str], list[Run]] = {}
    with ExitStack() as stack:
        served = []
        for size in sizes:
            say(f"building {size}")
            place = hydrated(folder, size, options.commits * size // max(sizes))
            server = stack.enter_context(serve(place))
            served.append(Repository(size, place, server, handed_off(place / "app")))
        for way in repeated:
            served[0].once(way)  # which writes the bytecode
        for number in range(options.rounds):
            for way in repeated:
                for repository in served if number % 2 == 0 else served[::-1]:
                    say(f"round {number + 1} of {options.rounds}: {way}, {repository.renders}")
                    runs.setdefault((repository.renders, way), []).append(repository.once(way))
        template = {}
        for repository in served if TEMPLATE in only else ():
            say(f"template, {repository.renders}")
            template[repository.renders] = measure_template(repository, options.shards)
    ratios = {
        way: median(b.cost.cpu / a.cost.cpu for a, b in zip(runs[sizes[0], way], runs[sizes[-1], way], strict=True))
        for way in repeated
    }
    return {
        "load": os.getloadavg()[0],
        "processors": processors(),
        "rounds": options.rounds,
        "ways": {way: {size: as_data(runs[size, way]) for size in sizes} for way in repeated},
        "cpu_ratios": ratios,
        "template": template,
    }


def as_text(data: dict[str, Any]) -> str:
    """Write it for people."""
    head = f"{'app-environments':>18} {'wall s':>9} {'cpu s':>8} {'git server cpu s':>17} {'MB':>8} {'memory MiB':>11}"
    lines = [f"{data['rounds']} rounds, {data['processors']} processors, load {data['load']:.1f} at the end"]

    def row(name: object, one: dict[str, float]) -> str:
        return (
            f"{name!s:>18} {one['wall']:>9.2f} {one['cpu']:>8.2f} {one['served_cpu']:>17.2f} {one['megabytes']:>8.2f} "
            f"{one['memory']:>11.0f}"
        )

    for way, sizes in data["ways"].items():
        lines += ["", way, head, *(row(size, one) for size, one in sizes.items())]
        goal = f"   goal at most {GOAL}: {'met' if data['cpu_ratios'][way] <= GOAL else 'MISSED'}"
        lines += [f"  -> cpu, largest / smallest: {data['cpu_ratios'][way]:.2f}{goal if way == HAND_OFF else ''}"]
    for size, one in data["template"].items():
        lines += ["", f"template changed, {size} app-environments", head, row("one job", one["one job"])]
        lines += [row(f"shard {number}", shard) for number, shard in enumerate(one["shards"], 1)]
        lines += [row("last job", one["last job"])]
        lines += [f"  -> by shards: {one['cpu']:.1f} cpu s; on as many machines {one['on as many machines']:.1f} s"]
    return "\n".join(lines)


def say(text: str) -> None:
    """Show how far it is."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="300,3000,30000", help="app-environments, smallest first")
    parser.add_argument("--commits", type=int, default=100000, help="commits of the largest one (default: 100000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often no-op and hand-off are measured (default: 5)")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--only", default=f"{NO_OP},{HAND_OFF},{TEMPLATE}")
    parser.add_argument("--folder", type=Path, help="where repositories are kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    quiet_git()
    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as temporary:
        prepare_bytecode(Path(temporary) / "bytecode")
        data = measure(options.folder or Path(temporary), options)
    print(json.dumps(data, indent=1) if options.json else as_text(data))


if __name__ == "__main__":
    main()
