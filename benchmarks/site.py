"""Measure the site of 1,000 apps in 3 environments: the first page with its JSON, and the pages of the apps apart.

    python benchmarks/site.py [--apps 1000] [--rounds 3]

Wall time and CPU time are those of the whole process with its children; the sizes are those of the files.
"""

# ruff: noqa: A005  run as a program, never imported
from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks import repositories
from benchmarks.measure import prepare_bytecode

GOAL_SECONDS, GOAL_BYTES = 3.0, 2_000_000


def run(*args: str) -> tuple[float, float]:
    """Run Headgate, and return its wall time and its CPU time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-I", "-m", "headgate", *args], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(name: str, costs: list[tuple[float, float]]) -> None:
    """Print the medians of some rounds."""
    walls, cpus = zip(*costs, strict=True)
    print(f"{name:<24} {median(walls):6.2f} s wall  {median(cpus):6.2f} s CPU")


def main() -> None:
    """Build the repository, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="headgate-site-"))
    try:
        source = folder / "manifests"
        repositories.plain_shared(source, arguments.apps)
        prepare_bytecode(folder)
        run("hydrate", "--repo", str(source))
        repositories.commit_all(source)
        ways = {"status": ("status",), "first page and JSON": ("site", str(folder / "first"), "--overview")}
        ways["all pages"] = ("site", str(folder / "all"))
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, args in ways.items():
                costs[name].append(run(*args, "--manifests", str(source)))
        for name, found in costs.items():
            report(name, found)
        sizes = [(folder / "first" / name).stat().st_size for name in ("index.html", "index.json")]
        print(f"index.html {sizes[0]:,} bytes, index.json {sizes[1]:,} bytes, together {sum(sizes):,}")
        total = sum(path.stat().st_size for path in (folder / "all/apps").rglob("*") if path.is_file())
        print(f"app pages {total:,} bytes")
        print(f"goals: {GOAL_SECONDS} s and {GOAL_BYTES:,} bytes; load {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
