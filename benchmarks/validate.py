"""Measure what a review costs for each object: validation, semantic diff and description, against kubeconform.

    python benchmarks/validate.py [--number 900] [--rounds 5] [--swagger FILE] [--json]

So many app-environments with five objects each, one of them of a CRD; all but the Services change: image, replicas, and
a field of each other object. By the clock and in seconds of all processors:

- *start*: the validator's, with one object;
- *validation*: all of them, each in the place of what is there; the validator runs by then, and has compiled the CRD;
- *diff*: both trees read by the engine, compared object by object, with effects, risks and causes;
- *description*: as Markdown for a merge request;
- *review*: the three in one, as a job does them for a merge request, which it knows as two trees;
- *kubeconform*: the same objects as files, where PATH has it and ``--swagger`` names Kubernetes'
  ``api/openapi-spec/swagger.json``, from which the schemas that it needs are made.

The ways are measured in turn in every round. Of each the quickest round counts, since others keep a machine busy; the
load is told. All names are others in each round, so that nothing is known of the one before. The goal is for the three
together: 0.3 s for 1,000 objects.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there

from benchmarks import review_case
from benchmarks.measure import processors

from headgate import config
from headgate.engine import pool
from headgate.report.appchange import app_changes
from headgate.report.changereport import ChangeReport
from headgate.report.describe import describe
from headgate.repository.tree import MemoryBlob
from headgate.review.content import review_content
from headgate.validation.definitions import Definition
from headgate.validation.judge import Subject, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GOAL = 0.3
"""Seconds for 1,000 objects, of the three ways together."""
OURS = ("validation", "diff", "description")
Seconds = tuple[float, float]


def measured(work: Callable[[], Any]) -> tuple[Any, Seconds]:
    """Return what work gives, and what it took: by the clock, and of all processors."""
    begin, before = time.perf_counter(), _cpu()
    result = work()
    return result, (time.perf_counter() - begin, _cpu() - before)


def _cpu() -> float:
    """Return the processor seconds of this process, of its children that ended, and of those that run."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = time.process_time() + ended.ru_utime + ended.ru_stime
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text("utf-8").split():
            fields = Path(f"/proc/{child}/stat").read_text("utf-8").rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def measure_ours(number: int, name: str) -> dict[str, Seconds]:
    """Return what the parts of a review took. ``name`` begins those of the apps."""
    owners = review_case.owners(number, name)
    output = {version: {owner: review_case.objects(*owner, version) for owner in owners} for version in (1, 2)}
    crd = MemoryBlob(json.dumps(review_case.CRD).encode())
    definitions = [Definition(name="routes.example.com", text=crd)]
    subjects = [
        Subject(
            app=owner[0],
            environment=owner[1],
            kubernetes=review_case.KUBERNETES,
            manifests=output[2][owner],
            definitions=definitions,
            current={manifest.identity: manifest for manifest in output[1][owner]},
        )
        for owner in owners
    ]
    old, new = (review_case.tree_of(output[version], version) for version in (1, 2))
    configuration = config.load(new)
    pool.close_all()
    _, start = measured(lambda: judge(subjects[:1]))
    found, validation = measured(lambda: judge(subjects))
    wrong = [finding for entry in found for finding in entry.findings]
    if wrong or any(entry.error for entry in found):
        raise SystemExit(
            f"the validator found something: {[entry for entry in found if entry.findings or entry.error][:1]}"
        )
    changes, diff = measured(lambda: app_changes(old, new, configuration))
    changed = [effect for change in changes for effect in change.objects]
    if len(changed) != len(review_case.objects("a", "dev", 1)) * number - number:  # the Services stay
        raise SystemExit(f"{len(changed)} objects differ")
    text, description = measured(lambda: describe(ChangeReport(changes=changes), "https://gitlab.example.com"))
    if "Deployment" not in text:
        raise SystemExit(text)
    return {"start": start, "validation": validation, "diff": diff, "description": description}


def measure_review(number: int, name: str) -> Seconds:
    """Return what the whole took, from two trees to the text; the validator runs by then."""
    owners = review_case.owners(number, name)
    old, new = (
        review_case.tree_of({owner: review_case.objects(*owner, version) for owner in owners}, version)
        for version in (1, 2)
    )
    configuration = config.load(new)

    def review() -> str:
        content = review_content(old, new, configuration)
        return describe(ChangeReport(changes=content.changes, findings=content.findings), "https://gitlab.example.com")

    text, seconds = measured(review)
    if "Deployment" not in text or "not checked" in text:
        raise SystemExit(text[:1000])
    return seconds


def write_files(number: int, folder: Path) -> None:
    """Write the objects as they are after the change."""
    for owner in review_case.owners(number):
        tree = review_case.tree_of({owner: review_case.objects(*owner, 2)}, 2)
        for path in (name for name in tree.paths("deploy") if name.endswith(".yaml")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(tree.read(path))


def measure_kubeconform(program: str, files: Path, schemas: Path, objects: int) -> Seconds:
    """Return what kubeconform took, which has to know all kinds and to find nothing wrong."""
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [
        program,
        "-n",
        str(processors()),
        "-output",
        "json",
        "-summary",
        "-schema-location",
        location,
        str(files),
    ]
    done, seconds = measured(lambda: subprocess.run(command, capture_output=True, check=False))
    summary = json.loads(done.stdout or b"{}").get("summary", {})
    if summary != {"valid": objects, "invalid": 0, "errors": 0, "skipped": 0}:
        raise SystemExit(f"kubeconform: {summary} {done.stderr.decode()}")
    return seconds


def best(rounds: list[Mapping[str, Seconds]]) -> dict[str, Seconds]:
    """Return the quickest of each way, by the clock and in processor time apart."""
    return {name: (min(one[name][0] for one in rounds), min(one[name][1] for one in rounds)) for name in rounds[0]}


def main() -> None:
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--number", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--swagger", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    gc.disable()  # as in the program
    objects = given.number * len(review_case.objects("a", "dev", 1))
    program = shutil.which("kubeconform") if given.swagger else None
    rounds: list[Mapping[str, Seconds]] = []
    with tempfile.TemporaryDirectory() as scratch:
        if program:
            review_case.write_schemas(given.swagger, Path(scratch, "schemas"))
            write_files(given.number, Path(scratch, "files"))
        for number in range(given.rounds):
            found = measure_ours(given.number, f"part{number}")
            found["review"] = measure_review(given.number, f"whole{number}")
            if program:
                found["kubeconform"] = measure_kubeconform(
                    program, Path(scratch, "files"), Path(scratch, "schemas"), objects
                )
            rounds.append(found)
    ways = best(rounds)
    ours = [sum(ways[name][at] for name in OURS) * 1000 / objects for at in (0, 1)]
    if given.json:
        print(json.dumps({"objects": objects, "load": os.getloadavg()[0], "ways": ways, "each_1000": ours}))
        return
    print(f"{objects} objects, {processors()} processors, load {os.getloadavg()[0]:.1f}, best of {given.rounds} rounds")
    for name, (wall, cpu) in ways.items():
        print(f"{name:<14}{wall:7.3f} s, {cpu:7.3f} s of processors")
    print(f"the three for 1,000: {ours[0]:.3f} s, {ours[1]:.3f} s of processors; goal under {GOAL} s")
    if not program:
        print("kubeconform is left out: it is not in PATH, or --swagger was not given")


if __name__ == "__main__":
    main()
