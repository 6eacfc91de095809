"""Measure ``headgate hydrate`` against the programs of Helm and Kustomize, and against Python's own start.

    python benchmarks/hydrate.py [--only helm,kustomize] [--rounds 3] [--scale 1] [--json]

Builds manifest repositories in a temporary folder. All times are of whole processes, by the clock, from
before the first one is started until the last one has ended. The ways of one case are measured in turn, in
every round, and a ratio is the median of the ratios within the rounds, since the speed of a shared machine
changes from minute to minute. The clock of Headgate holds everything that it does: its start, reading the
repository, starting the engine, rendering, canonical text, comparing, reporting.

The ways of each case with an engine (`Engine`):

- *first*: ``headgate hydrate`` in a repository without output; writes it.
- *anew*: ``headgate hydrate --all --check`` in the same repository with its output committed: renders
  everything, compares it with what is there, writes nothing.
- *nothing changed*: ``headgate hydrate --check`` there: skipped by content, renders nothing.
- *cp -R*: copies as many folders and files as *first* writes, since creating files costs a hundred times more
  on one file system than on another. TMPDIR chooses where everything is built: a RAM disk measures Headgate,
  another folder the disk too.
- *bare*: one process of the tool for each app-environment with the same inputs (chart, values files,
  namespace, Kubernetes version, CRDs), as many at once as there are processors, started by this program
  as cheaply as possible, output to files. For Kustomize also one process after another. What is printed must
  hold as many objects as Headgate's output.

*plain* is 100 apps with configs of their own. Inputs of different owners never share a process, so each app costs the
start of one (7 ms of a processor). *plain-shared* is the same from one template of the platform's.

The case *podinfo* is a real chart, of a folder that --podinfo names; it is left out where there is none.

Start-up: ``headgate --version`` and ``headgate hydrate --check`` in a repository with one app of plain YAML,
both against ``python -c pass``; ten times as many rounds as elsewhere.

Python's bytecode is written before the clock starts, in a temporary folder, as an installation has it.

CPU seconds are those of the processes and of all that they started; memory is that of the largest single
process, and of all together (see `measure.Cost`); "each" is the time by the clock divided by the number of
app-environments.
Beside each ratio of times stands that of CPU seconds: where the two differ much, something else kept the
machine busy, or work could not be done at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a program, only this folder is there

from benchmarks import repositories
from benchmarks.measure import Way, interleaved, objects_in, objects_printed, once, prepare_bytecode, processors
from benchmarks.report import Figure, Measured, as_data, as_text

from headgate import tools

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, ANEW, UNCHANGED = "headgate, first", "headgate, anew (--all)", "headgate, nothing changed"
BARE_HELM = "helm template"
BARE_KUSTOMIZE, BARE_KUSTOMIZE_1 = "kustomize build", "kustomize build, one by one"
COPY = "cp -R of its output"
PYTHON, VERSION, ONE_APP = "python -c pass", "headgate --version", "headgate hydrate, one app"


@dataclass(frozen=True)
class Engine:
    """A case with an engine: how its repository is built, of how many apps, and what else is measured."""

    build: Callable[[Path, int], int]
    apps: int
    figures: tuple[Figure, ...]
    bare: Callable[[Path], list[Way]] = lambda _repository: []


def headgate(*args: str) -> list[str]:
    """Return the command that people type, of this Python's environment."""
    program = Path(sys.executable).with_name("headgate")
    return [str(program), *args] if program.is_file() else [sys.executable, "-m", "headgate", *args]


def judge(name: str) -> str:
    """Return the program of an engine, which ``make judges`` built."""
    own = tools.own_folder() / name
    found = str(own) if own.is_file() else shutil.which(name)
    if found is None:
        raise SystemExit(f"no {name}: run 'make judges'")
    return found


def bare_helm(repository: Path) -> list[Way]:
    """Return bare loops over what `repositories.helm` built."""
    helm = judge("helm")
    commands = []
    for name in sorted(path.name for path in (repository / "apps").iterdir()):
        for environment in repositories.ENVIRONMENTS:
            command = [helm, "template", name, str(repository / "templates/web"), "--namespace", name]
            command += ["--include-crds", "--no-hooks", "--kube-version", repositories.KUBERNETES]
            for file in repositories.value_files(repository, name, environment):
                command += ["--values", str(file)]
            commands.append(command)
    return [Way(BARE_HELM, commands, processors())]


def bare_kustomize(repository: Path) -> list[Way]:
    """Return bare loops over what `repositories.kustomize` built."""
    kustomize = judge("kustomize")
    names = sorted(path.name for path in (repository / "apps").iterdir())
    commands = [[kustomize, "build", str(repository / "templates" / name)] for name in names]
    return [Way(BARE_KUSTOMIZE, commands, processors()), Way(BARE_KUSTOMIZE_1, commands)]


ENGINES = {
    "helm": Engine(
        repositories.helm,
        100,
        (
            Figure(ANEW, BARE_HELM, under=0.15, cpu_under=0.1),
            Figure(FIRST, BARE_HELM, under=0.15, cpu_under=0.1),
            Figure(UNCHANGED, ANEW),
        ),
        bare_helm,
    ),
    "podinfo": Engine(
        repositories.podinfo,
        100,
        (
            Figure(ANEW, BARE_HELM, under=0.15, cpu_under=0.1),
            Figure(FIRST, BARE_HELM, under=0.15, cpu_under=0.1),
            Figure(UNCHANGED, ANEW),
        ),
        bare_helm,
    ),
    "kustomize": Engine(
        repositories.kustomize,
        100,
        (
            Figure(ANEW, BARE_KUSTOMIZE, under=0.3),
            Figure(ANEW, BARE_KUSTOMIZE_1, under=0.3),
            Figure(FIRST, BARE_KUSTOMIZE),
            Figure(UNCHANGED, ANEW),
        ),
        bare_kustomize,
    ),
    "jinja2": Engine(
        repositories.jinja2, 300, (Figure(FIRST, under=1.5), Figure(ANEW, under=1.5), Figure(UNCHANGED, ANEW))
    ),
    "plain": Engine(repositories.plain, 100, (Figure(FIRST, under=2), Figure(ANEW, under=2), Figure(UNCHANGED, ANEW))),
    "plain-shared": Engine(
        repositories.plain_shared, 100, (Figure(FIRST, under=1), Figure(ANEW, under=1), Figure(UNCHANGED, ANEW))
    ),
}
CASES = (*ENGINES, "start")


def measure_engine(name: str, folder: Path, rounds: int, scale: float, progress: Callable[[str], None]) -> Measured:
    """Build the repository of an engine twice, without and with output, and measure all ways."""
    engine = ENGINES[name]
    fresh, hydrated = folder / name / "fresh", folder / name / "hydrated"
    progress("building the repository")
    fresh.mkdir(parents=True)
    renders = engine.build(fresh, max(1, round(engine.apps * scale)))
    shutil.copytree(fresh, hydrated)
    once(Way("", [headgate("hydrate", "--manifests", str(hydrated))]), folder / name / "outputs")
    repositories.commit_all(hydrated)

    def remove_output() -> None:
        shutil.rmtree(fresh / "deploy", ignore_errors=True)
        (fresh / "headgate.lock").unlink(missing_ok=True)

    outputs, copy = folder / name / "outputs", folder / name / "copy"
    ways = [
        Way(FIRST, [headgate("hydrate", "--manifests", str(fresh))], before=remove_output),
        Way(
            COPY,
            [[shutil.which("cp") or "cp", "-R", str(hydrated / "deploy"), str(copy)]],
            before=lambda: shutil.rmtree(copy, ignore_errors=True),
        ),
        Way(ANEW, [headgate("hydrate", "--all", "--check", "--manifests", str(hydrated))]),
        Way(UNCHANGED, [headgate("hydrate", "--check", "--manifests", str(hydrated))]),
        *engine.bare(hydrated),
    ]
    samples = interleaved(ways, rounds, outputs, progress)
    objects = objects_in(hydrated / "deploy")
    counts = {FIRST: objects_in(fresh / "deploy")}
    counts |= {way.name: objects_printed(outputs / str(ways.index(way))) for way in ways[4:]}
    for way, count in counts.items():
        if count != objects:
            raise SystemExit(f"{name}: {way} gave {count} objects, expected {objects}")
    return Measured(name, renders, objects, samples, engine.figures)


def measure_start(folder: Path, rounds: int, scale: float, progress: Callable[[str], None]) -> Measured:
    """Measure how long Headgate takes to begin."""
    repository = folder / "start"
    repository.mkdir()
    repositories.one_plain_app(repository)
    once(Way("", [headgate("hydrate", "--manifests", str(repository))]), folder / "start-outputs")
    repositories.commit_all(repository)
    ways = [
        Way(PYTHON, [[sys.executable, "-c", "pass"]]),
        Way(VERSION, [headgate("--version")]),
        Way(ONE_APP, [headgate("hydrate", "--check", "--manifests", str(repository))]),
    ]
    samples = interleaved(ways, max(1, round(rounds * 10 * min(scale, 1))), folder / "start-outputs", progress)
    figures = (
        Figure(VERSION, under=0.1),
        Figure(VERSION, PYTHON),
        Figure(ONE_APP, under=0.35),
        Figure(ONE_APP, PYTHON),
    )
    return Measured("start", 1, objects_in(repository / "deploy"), samples, figures)


def _cases(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in CASES:
            raise argparse.ArgumentTypeError(f"there is no case '{name}', expected some of: {','.join(CASES)}")
    return names


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description="Measure 'headgate hydrate' against bare Helm, Kustomize and Python.")
    parser.add_argument("--only", type=_cases, default=list(CASES), metavar=",".join(CASES), help="only these cases")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the repositories (default: 1)")
    parser.add_argument("--podinfo", default="", metavar="FOLDER", help="podinfo's chart, for the case of that name")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.podinfo:
        os.environ["PODINFO_CHART"] = options.podinfo
    elif "podinfo" in options.only:
        options.only = [name for name in options.only if name != "podinfo"]
        print("without --podinfo FOLDER the case podinfo is left out", file=sys.stderr)
    measured = []
    with tempfile.TemporaryDirectory(prefix="headgate-benchmark-") as temporary:
        prepare_bytecode(Path(temporary) / "bytecode")
        for name in options.only:

            def progress(text: str, name: str = name) -> None:
                if sys.stderr.isatty():
                    print(f"\r\033[K{name}: {text}", end="", file=sys.stderr, flush=True)

            measure = measure_start if name == "start" else lambda *args, name=name: measure_engine(name, *args)
            measured.append(measure(Path(temporary), max(1, options.rounds), options.scale, progress))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    data = as_data(measured, max(1, options.rounds), options.scale)
    print(json.dumps(data, indent=1) if options.json else as_text(data))


if __name__ == "__main__":
    main()
