"""Measure what a command costs before its work: starting, importing, building classes.

    python benchmarks/start.py [--other PYTHON] [--rounds 10]

Processor milliseconds of Python alone, of imports, and of whole commands with all processes that they start, in a
repository of one small app. ``--other`` is the interpreter of another installation of Headgate: then each way is
measured with both, in turn, and the ratio is the median of the ratios within the rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there

from benchmarks import repositories
from benchmarks.measure import alone, prepare_bytecode
from benchmarks.state import AUTHOR, bare

IMPORTED = ("typer", "pydantic", "headgate.model", "headgate.commands.deliver", "headgate.commands.ci")
COMMANDS = ("--help", "status", "hydrate --all --check", "deliver")


def arguments(way: str, folder: Path) -> list[str]:
    """Return what Python is called with; what a hand-off needs anew is made in the folder."""
    source = folder / "source"
    if way == "python":
        return ["-c", "pass"]
    if way in IMPORTED:
        return ["-c", f"import headgate.arguments, {way}" if way.startswith("headgate") else f"import {way}"]
    if way != "deliver":
        return ["-m", "headgate", *way.split(), *(["--manifests", str(source)] if way != "--help" else [])]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, check=True, stdout=-1, text=True).stdout.strip()
    image = f"registry.example.com/acme/app-000:1@sha256:{1:064d}"
    named = ["--manifests", bare(source, folder).as_uri(), "--project", "acme/app-000", "--source", str(source)]
    return ["-m", "headgate", "deliver", *named, "--commit", commit, "--image", image]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--other", default="", metavar="PYTHON", help="interpreter of another installation of Headgate")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    os.environ.update(AUTHOR)
    pythons = {"this": sys.executable} | ({"other": options.other} if options.other else {})
    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as temporary:
        folder = Path(temporary)
        prepare_bytecode(folder / "bytecode")
        repositories.not_yet_released(folder / "source", 1)
        env = {"PYDANTIC_DISABLE_PLUGINS": "1"}  # as Headgate sets it for itself
        for way in ("python", *IMPORTED, *COMMANDS):
            spent: dict[str, list[float]] = {name: [] for name in pythons}
            for number in range(options.rounds + 1):
                for name in pythons if number % 2 == 0 else reversed(pythons):
                    command = [shutil.which(pythons[name]) or "", *arguments(way, folder)]
                    cost, _ = alone(command, env, cwd=folder)  # so that no other source is found
                    spent[name] += [cost.cpu * 1000] if number else []  # the first one compiles
            text = f"  {way:28} {median(spent['this']):6.0f} ms"
            if options.other:
                ratio = median(a / b for a, b in zip(spent["this"], spent["other"], strict=True))
                text += f"   other {median(spent['other']):6.0f} ms   ratio {ratio:5.2f}"
            print(text, flush=True)
    print(f"{options.rounds} rounds, medians, load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
