"""Measure one hand-off into a large manifest repository against gitopscli's way, over HTTP with latency.

    python benchmarks/deliver.py [--apps 1000] [--commits 20000] [--latency 20] [--rounds 5] [--json]

Builds two manifest repositories in a temporary folder, a large one and one with 10 apps, each app in three
environments of one Jinja2 template, hydrated; and a history, in which every commit changes one release. Both are served
by ``git http-backend`` behind a server in this process that waits ``--latency`` milliseconds before each request
(`tests/support/githttp.py`), and counts requests, connections and bytes. Ways are measured in turn, by the clock; the
figures are medians, and a ratio is the median of the ratios within the rounds. Of the first two ways, which stand for
what git has to do, the start of Python and of its libraries is left out; a hand-off is measured as a whole process.

- *gitopscli*: what ``gitopscli deploy`` 6 does to change one value, without a merge request, its git calls one by one:
  ``clone --depth=1``; load the file with ruamel.yaml, change, dump; ``add --all``; ``diff --cached HEAD``; ``commit``;
  ``ls-remote``; ``pull --rebase``; ``push``. It is not on PyPI, so `replay_gitopscli` below does these calls. The
  start of gitopscli itself and of GitPython, about 0.6 s, is not in it.
- *git part*: the same change of one file by Headgate's own functions: open, list, fetch that file, commit, push.
- *hand-off*: ``headgate deliver``: configuration, ordering guard by the app's history, release, hydration, push.

The last two once from an address and once in a checkout of depth 20, as a runner makes it; making it is not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks import repositories
from benchmarks.measure import prepare_bytecode

from support.githttp import GitServer, allow_partial, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

APP = "app-000"
FILE = f"deploy/dev/{APP}/deployment.apps-{APP}.yaml"
GITOPSCLI = "gitopscli"
PART_URL, PART_CHECKOUT = "git part, address", "git part, checkout"
WHOLE_URL, WHOLE_CHECKOUT = "hand-off, address", "hand-off, checkout"
GOALS = {PART_URL: 0.25, PART_CHECKOUT: 0.125, WHOLE_URL: 0.6, WHOLE_CHECKOUT: 0.6}


@dataclass(frozen=True)
class Cost:
    """What a way took once."""

    seconds: float
    requests: int
    connections: int
    bytes_in: int
    bytes_out: int


def git(folder: Path, *args: str, stdin: bytes | None = None) -> str:
    """Run git and return what it printed."""
    return subprocess.run(["git", *args], cwd=folder, check=True, input=stdin, stdout=-1).stdout.decode().strip()


def replay_gitopscli(url: str, file: str) -> float:
    """Do what ``gitopscli deploy`` does with git and YAML, in a process of its own; return the seconds it took."""
    from ruamel.yaml import YAML  # noqa: PLC0415  only this process pays for it

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "repo"
        subprocess.run(["git", "clone", "-v", "--depth=1", "--", url, str(checkout)], check=True, capture_output=True)
        yaml = YAML()
        yaml.preserve_quotes = True
        data = yaml.load(checkout / file)
        data["metadata"].setdefault("labels", {})["changed"] = str(time.time_ns())
        yaml.dump(data, checkout / file)
        for args in (
            ("add", "--all"),
            ("diff", "--cached", "HEAD", "--abbrev=40", "--full-index", "-M", "--raw", "-z", "--no-color"),
            ("commit", "-m", f"changed a value in {file}", "--author", "Ada <ada@example.com>"),
            ("rev-parse", "HEAD"),
            ("branch", "--show-current"),
            ("ls-remote", "--heads", "origin", "refs/heads/main"),
            ("pull", "--rebase"),
            ("branch", "--show-current"),
            ("push", "--set-upstream", "origin", "main"),
        ):
            subprocess.run(["git", *args], cwd=checkout, check=True, capture_output=True)
    return time.perf_counter() - begin


def change_one_file(manifests: str, file: str) -> float:
    """Change one file with Headgate's functions, in a process of its own; return the seconds it took."""
    from headgate.landing.publish import PreparedCommit, publish  # noqa: PLC0415
    from headgate.landing.workspace import open_workspace  # noqa: PLC0415
    from headgate.repository.git import tree_of_commit  # noqa: PLC0415  only this process pays for it
    from headgate.repository.tree import prefetch  # noqa: PLC0415

    begin = time.perf_counter()
    with open_workspace(manifests) as workspace:
        tree = tree_of_commit(workspace.repository, workspace.base)
        prefetch(tree, [file])
        changed = tree.read(file) + f"# {time.time_ns()}\n".encode()
        publish(workspace, [PreparedCommit(None, {file: changed}, f"changed a value in {file}")])
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Bench:
    """A served manifest repository, a checkout of it, and the app's repository with commits to hand off."""

    server: GitServer
    url: str
    checkout: Path
    app: Path
    commits: Iterator[str]

    def command(self, way: str) -> list[str]:
        """Return the command line of a way."""
        where = str(self.checkout) if way.endswith("checkout") else self.url
        if way == GITOPSCLI:
            return [sys.executable, __file__, "--replay", where]
        if way in (PART_URL, PART_CHECKOUT):
            return [sys.executable, __file__, "--change", where]
        commit = next(self.commits)
        named = ["--manifests", where, "--project", f"acme/{APP}", "--source", str(self.app), "--commit", commit]
        image = f"registry.example.com/acme/{APP}:{commit[:12]}@sha256:{commit:0>64}"
        return [sys.executable, "-m", "headgate", "deliver", *named, "--image", image]

    def once(self, way: str) -> Cost:
        """Run a way and return what it took. Before, the checkout is at the newest commit, as a runner's is."""
        git(self.checkout, "pull", "--quiet", "--ff-only")
        command, traffic = self.command(way), self.server.traffic
        traffic.reset()
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise SystemExit(f"{way} failed:\n{done.stdout}{done.stderr}")
        if way in (GITOPSCLI, PART_URL, PART_CHECKOUT):
            seconds = float(done.stdout)  # its own part, without Python's start
        return Cost(seconds, traffic.requests, traffic.connections, traffic.sent, traffic.received)


def build(folder: Path, apps: int, commits: int) -> None:
    """Make a bare manifest repository with so many apps, hydrated, and so many commits; and the app's repository."""
    source = folder / "source"
    source.mkdir(parents=True)
    repositories.jinja2(source, apps)
    subprocess.run([sys.executable, "-m", "headgate", "hydrate", "--manifests", str(source)], check=True, stdout=-1)
    repositories.commit_all(source)
    names = repositories.app_names(apps)
    stream = []
    for number in range(commits):
        file = f"apps/{names[number % apps]}/releases/{repositories.ENVIRONMENTS[number % 3]}/release.yaml"
        data = (source / file).read_bytes() + b"# %d\n" % number
        stream.append(b"commit refs/heads/main\ncommitter Ada <ada@example.com> %d +0000\n" % (1_700_000_000 + number))
        stream.append(b"data 6\nChange\n" + (b"from refs/heads/main^0\n" if number == 0 else b""))
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (file.encode(), len(data), data))
    git(source, "fast-import", "--quiet", "--force", stdin=b"".join(stream))
    git(folder, "clone", "--quiet", "--bare", "--no-local", str(source), "manifests.git")
    git(folder / "manifests.git", "gc", "--quiet")
    allow_partial(folder / "manifests.git")
    git(folder, "init", "--quiet", "--initial-branch=main", "app")


def handed_off(app: Path) -> Iterator[str]:
    """Yield commits of the app, each after the one before."""
    while True:
        git(app, "commit", "--quiet", "--allow-empty", "--message", "Change")
        yield git(app, "rev-parse", "HEAD")


def measure(folder: Path, rounds: int, latency: float, progress: Callable[[str], None]) -> dict[str, list[Cost]]:
    """Measure all ways in turn, every second round backwards."""
    costs: dict[str, list[Cost]] = {way: [] for way in (GITOPSCLI, *GOALS)}
    with serve(folder, latency=latency) as server:
        url = f"{server.url}/manifests.git"
        git(folder, "clone", "--quiet", "--depth=20", url, "checkout")
        bench = Bench(server, url, folder / "checkout", folder / "app", handed_off(folder / "app"))
        # The first one has nothing to be newer than.
        subprocess.run([*bench.command(WHOLE_URL), "--allow-diverged"], check=True, stdout=-1)
        for number in range(rounds):
            for way in costs if number % 2 == 0 else reversed(costs):
                progress(f"round {number + 1} of {rounds}: {way}")
                costs[way].append(bench.once(way))
    return costs


def as_data(costs: dict[str, list[Cost]]) -> dict[str, dict[str, float | bool]]:
    """Return medians for each way, its ratio to gitopscli's time, and whether the goal is met."""
    found: dict[str, dict[str, float | bool]] = {}
    for way, ones in costs.items():
        found[way] = {key: median(asdict(one)[key] for one in ones) for key in asdict(ones[0])}
        if way in GOALS:
            pairs = zip(ones, costs[GITOPSCLI], strict=True)
            found[way]["ratio"] = median(one.seconds / other.seconds for one, other in pairs)
            found[way]["goal"] = GOALS[way]
            found[way]["met"] = found[way]["ratio"] <= GOALS[way]
    return found


def as_text(name: str, data: dict[str, dict[str, float | bool]]) -> str:
    """Return a table."""
    lines = [
        f"{name}",
        f"  {'':20} {'s':>7} {'requests':>9} {'connections':>12} {'KB in':>8} {'KB out':>7}  of gitopscli",
    ]
    for way, one in data.items():
        told = f"{one['ratio']:.3f} (goal {one['goal']}: {'met' if one['met'] else 'missed'})" if "ratio" in one else ""
        lines.append(
            f"  {way:20} {one['seconds']:7.3f} {one['requests']:9.0f} {one['connections']:12.0f} "
            f"{one['bytes_in'] / 1000:8.0f} {one['bytes_out'] / 1000:7.0f}  {told}"
        )
    return "\n".join(lines)


def quiet_git() -> None:
    """Let no configuration of the user's have a say, and give git an identity."""
    os.environ.update({"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"})
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.update({f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure one hand-off against gitopscli's clone, edit, push.")
    parser.add_argument("--apps", type=int, default=1000, help="apps of the large repository (default: 1000)")
    parser.add_argument("--commits", type=int, default=20000, help="its commits (default: 20000)")
    parser.add_argument("--latency", type=float, default=20, help="milliseconds before each request (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--replay", help=argparse.SUPPRESS)
    parser.add_argument("--change", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.replay or options.change:
        print(replay_gitopscli(options.replay, FILE) if options.replay else change_one_file(options.change, FILE))
        return
    quiet_git()
    results = {}

    def progress(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as temporary:
        prepare_bytecode(Path(temporary) / "bytecode")
        for apps, commits in ((options.apps, options.commits), (10, 20)):
            name = f"{apps} apps x 3 environments, {commits} commits"
            progress(f"building {name}")
            folder = Path(temporary) / str(apps)
            build(folder, apps, commits)
            results[name] = as_data(measure(folder, options.rounds, options.latency / 1000, progress))
            progress("")
    print(json.dumps(results, indent=1) if options.json else "\n".join(as_text(*one) for one in results.items()))


if __name__ == "__main__":
    main()
