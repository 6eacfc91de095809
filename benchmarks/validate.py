"""Measure how long the validator takes for many objects.

    python benchmarks/validate.py [--objects 1000] [--rounds 5] FOLDER

FOLDER holds final YAML, whose objects are repeated until there are as many; CRDs are left out, since each is compiled
once and not judged again. What is measured, by the clock: its start with one object; all objects as new ones; all
objects in the place of themselves. The quickest of several rounds counts, since others keep a machine busy.
"""

from __future__ import annotations

import argparse
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from headgate.engine import pool, reading
from headgate.engine.budget import Budget
from headgate.engine.protocol import Request, validator_command


def seconds(objects: list[dict[str, Any]], *, in_place: bool = False) -> float:
    """Return how long one request takes."""
    body: dict[str, Any] = {"kubernetes": "1.37", "objects": objects}
    body |= {"current": objects} if in_place else {}
    request = Request(kind="validate", body=body, command=validator_command, budget=Budget(objects=0))
    begin = time.perf_counter()
    answer = pool.call(request)
    if answer.error is not None or answer.failure is not None:
        raise SystemExit(str(answer.error or answer.failure))
    return time.perf_counter() - begin


def objects_in(folder: Path) -> list[dict[str, Any]]:
    """Return the objects in a folder, but for CRDs."""
    files = sorted(folder.rglob("*.yaml"))
    found = [one.data for file in files for one in reading.objects(file.read_bytes(), str(file))]
    return [data for data in found if data["kind"] != "CustomResourceDefinition"]


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    objects = list(islice(cycle(objects_in(given.folder)), given.objects))
    print(f"start, and one object: {seconds(objects[:1]):.3f} s")
    for title, in_place in (("new", False), ("in the place of themselves", True)):
        best = min(seconds(objects, in_place=in_place) for _ in range(given.rounds))
        print(f"{len(objects)} objects, {title}: {best:.3f} s, {len(objects) / best:,.0f} a second")


if __name__ == "__main__":
    main()
