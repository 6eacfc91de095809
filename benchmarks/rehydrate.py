"""Measure ``headgate rehydrate`` on large manifest repositories: a template of 300 apps changed, and nothing changed.

    python benchmarks/rehydrate.py [--apps 1000] [--changed 300] [--rounds 5] [--json]

Each app runs in three environments from one shared Jinja2 template, hydrated and committed, in a checkout without a
remote, in a temporary folder. The ways are measured in turn, as whole processes, by the clock and by the processors'
seconds; figures are medians.

- *nothing changed*: ``headgate rehydrate`` in a repository of ``--apps`` apps: plans everything, renders nothing.
- *beyond git*: the same without the time of the git processes that it ran, which git itself tells (trace2: from
  the start of each process to its end), and without the start of Python and Headgate (``headgate version``'s modules
  are not counted; it is what ``headgate hydrate`` takes in a repository without any app).
- *template changed*: ``headgate rehydrate`` after a change to the template of ``--changed`` apps in one environment
  each: renders them all, writes one commit. Before each round the change is made anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there

from benchmarks import repositories
from benchmarks.measure import GitClock, prepare_bytecode

GOAL = 1.0
"""Seconds beyond git for a repository in which nothing changed."""


@dataclass(frozen=True)
class Cost:
    """What a run took, in seconds: by the clock, of the processors, and the part of its git processes."""

    wall: float
    cpu: float
    git: float


def run(repository: Path, *args: str) -> Cost:
    """Run Headgate once. Ends the benchmark when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        config, clock = Path(folder) / "config", GitClock(Path(folder) / "git")
        config.write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n")
        env = {**os.environ, **clock.env, "GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
        before, begin = os.times(), time.perf_counter()
        command = [sys.executable, "-m", "headgate", *args]
        done = subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=False)
        wall, after = time.perf_counter() - begin, os.times()
        if done.returncode:
            raise SystemExit(f"headgate {' '.join(args)} failed:\n{done.stdout}{done.stderr}")
        cpu = (after.children_user + after.children_system) - (before.children_user + before.children_system)
        return Cost(wall, cpu, clock.seconds())


def build(root: Path, apps: int) -> Path:
    """Build a repository of so many apps, hydrated and committed."""
    repository = root / f"apps-{apps}"
    repositories.jinja2(repository, apps)
    run(repository, "hydrate", "--commit")
    return repository


def change_template(repository: Path, number: int) -> None:
    """Change the shared template, so that every app's YAML changes."""
    path = next(repository.glob("templates/web/*.j2"))
    text = path.read_text(encoding="utf-8")
    before = f"  annotations: {{round: '{number - 1}'}}\n" if number else ""
    new = f"metadata:\n  annotations: {{round: '{number}'}}\n"
    path.write_text(text.replace(f"metadata:\n{before}", new, 1), encoding="utf-8")
    repositories.commit_all(repository)


def measure(apps: int, changed: int, rounds: int) -> dict[str, object]:
    """Measure everything and return it."""
    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as folder:
        root = Path(folder)
        prepare_bytecode(root / "bytecode")
        large, some, none = build(root, apps), build(root, changed), root / "none"
        repositories.no_app(none)
        found: dict[str, list[Cost]] = {"nothing changed": [], "start": [], "template changed": []}
        for number in range(rounds):
            change_template(some, number)
            found["start"].append(run(none, "hydrate"))
            found["nothing changed"].append(run(large, "rehydrate"))
            found["template changed"].append(run(some, "rehydrate"))
    beyond = [
        one.wall - one.git - (start.wall - start.git)
        for one, start in zip(found["nothing changed"], found["start"], strict=True)
    ]
    ways = {
        name: {key: round(median(getattr(cost, key) for cost in costs), 3) for key in ("wall", "cpu", "git")}
        for name, costs in found.items()
    }
    return {
        "apps": apps,
        "changed": changed,
        "rounds": rounds,
        "ways": ways,
        "beyond_git": round(median(beyond), 3),
        "goal": GOAL,
    }


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--changed", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = measure(options.apps, options.changed, options.rounds)
    print(json.dumps(data, indent=2) if options.json else _table(data))


def _table(data: dict[str, object]) -> str:
    lines = [f"{'seconds':40} {'wall':>8} {'cpu':>8} {'git':>8}"]
    ways: dict[str, dict[str, float]] = data["ways"]  # type: ignore[assignment]
    names = {
        "start": "hydrate, no app at all",
        "nothing changed": f"rehydrate, {data['apps']} x 3, nothing changed",
        "template changed": f"rehydrate, {data['changed']} x 3, template changed",
    }
    lines += [f"{names[name]:40} {way['wall']:8.3f} {way['cpu']:8.3f} {way['git']:8.3f}" for name, way in ways.items()]
    met = "met" if float(str(data["beyond_git"])) < GOAL else "MISSED"
    lines.append(f"nothing changed, beyond git and start: {data['beyond_git']} s   goal under {GOAL} s: {met}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
