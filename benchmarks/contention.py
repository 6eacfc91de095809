"""Measure many hand-offs at the same moment against the same ones, one after another.

    python benchmarks/contention.py [--count 50] [--latency 20] [--rounds 3]

Builds a manifest repository with ``--count`` apps, each with a plain YAML template of its own, and serves copies of it
by ``git http-backend`` behind a server that waits ``--latency`` milliseconds before each request
(`tests/support/githttp.py`). Each hand-off is a process of its own: ``headgate deliver`` to the address. *at once*: all
are started together; *one after another*: each when the one before has ended. Pushes are requests to
``git-receive-pack``, those for tickets among them. In every round both are measured, in turn; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks import repositories
from benchmarks.measure import prepare_bytecode

from support.githttp import allow_partial, serve


@dataclass(frozen=True)
class Cost:
    """What all hand-offs took together: seconds, and pushes for each."""

    seconds: float
    pushes: float


def measure(root: Path, source: Path, count: int, latency: float, *, at_once: bool) -> Cost:
    """Hand all apps off to a fresh copy of the repository. Ends the benchmark when one fails or is lost."""
    served = root / f"served-{time.time_ns()}"
    remote = served / "manifests.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(source), str(remote)], check=True)
    allow_partial(remote)
    with serve(served, latency=latency / 1000) as server:

        def hand_off(name: str) -> None:
            image = f"registry.example.com/acme/{name}:1@sha256:{1:064d}"
            named = ["--manifests", f"{server.url}/manifests.git", "--project", f"acme/{name}", "--source", str(source)]
            command = [sys.executable, "-m", "headgate", "deliver", *named, "--commit", "a" * 40, "--image", image]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")

        begin = time.perf_counter()
        with ThreadPoolExecutor(count if at_once else 1) as pool:
            list(pool.map(hand_off, repositories.app_names(count)))
        seconds = time.perf_counter() - begin
        log = subprocess.run(["git", "log", "--oneline", "main"], cwd=remote, check=True, stdout=-1).stdout
        if len(log.splitlines()) != count + 1:
            raise SystemExit("a hand-off was lost")
        return Cost(seconds, server.traffic.pushes / count)


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--latency", type=float, default=20, help="milliseconds")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    costs: dict[bool, list[Cost]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as folder:
        root = Path(folder)
        prepare_bytecode(root / "bytecode")
        repositories.not_yet_released(root / "source", options.count)
        measure(root, root / "source", 1, options.latency, at_once=False)  # the first process compiles for all others
        for number in range(options.rounds):
            for at_once in (True, False) if number % 2 == 0 else (False, True):
                costs[at_once].append(measure(root, root / "source", options.count, options.latency, at_once=at_once))
    data = {
        "count": options.count,
        "rounds": options.rounds,
        **{
            name: {
                "seconds": round(median(cost.seconds for cost in costs[key]), 2),
                "pushes": round(median(cost.pushes for cost in costs[key]), 2),
                "all_seconds": [round(cost.seconds, 1) for cost in costs[key]],
                "all_pushes": [round(cost.pushes, 2) for cost in costs[key]],
            }
            for name, key in (("at once", True), ("one after another", False))
        },
        "ratio": round(median(a.seconds / b.seconds for a, b in zip(costs[True], costs[False], strict=True)), 3),
    }
    print(json.dumps(data, indent=2))


if __name__ == "__main__":
    main()
