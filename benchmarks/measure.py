"""Run programs and measure what they take: the clock, the processors, the memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Cost:
    """What a way took once.

    ``wall``: seconds from before its first process started until its last one ended. ``cpu``: seconds of
    all processors, for these processes and all that they started. ``peak``: bytes of memory (ru_maxrss)
    of the largest single process among them; the kernel counts a process with at least the memory that
    the one which started it had then. ``together``: bytes of all processes at one moment (their own memory
    and their share of what they have in common, PSS), the most that was seen, looking every 50 ms.
    """

    wall: float
    cpu: float
    peak: int
    together: int


@dataclass(frozen=True)
class Way:
    """One way to do the work: programs to run, so many at once. ``before`` runs outside of the clock."""

    name: str
    commands: Sequence[Sequence[str]]
    at_once: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Samples:
    """What a way took, once for each round."""

    costs: tuple[Cost, ...]

    @property
    def wall(self) -> float:
        """Median seconds."""
        return median(cost.wall for cost in self.costs)

    @property
    def cpu(self) -> float:
        """Median seconds of all processors."""
        return median(cost.cpu for cost in self.costs)

    @property
    def peak(self) -> int:
        """The most memory of one process in any round."""
        return max(cost.peak for cost in self.costs)

    @property
    def together(self) -> int:
        """The most memory of all processes together in any round."""
        return max(cost.together for cost in self.costs)


def ratio(upper: Samples, lower: Samples) -> float:
    """Return the median, over the rounds, of the ratio of times by the clock within one round."""
    return median(a.wall / b.wall for a, b in zip(upper.costs, lower.costs, strict=True))


def cpu_ratio(upper: Samples, lower: Samples) -> float:
    """Return the same of the processors' seconds, which depend less on what else the machine does."""
    return median(a.cpu / b.cpu for a, b in zip(upper.costs, lower.costs, strict=True))


def interleaved(ways: Sequence[Way], rounds: int, outputs: Path, progress: Callable[[str], None]) -> dict[str, Samples]:
    """Measure the ways in turn, every second round backwards, so that what else goes on hits all of them.

    What the last round's processes printed stays in ``outputs``, in a folder for each way.
    """
    costs: dict[str, list[Cost]] = {way.name: [] for way in ways}
    for number in range(rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            progress(f"round {number + 1} of {rounds}: {way.name}")
            costs[way.name].append(once(way, outputs / str(ways.index(way))))
    return {name: Samples(tuple(found)) for name, found in costs.items()}


def once(way: Way, outputs: Path) -> Cost:
    """Run a way once. Ends the benchmark when a program fails."""
    way.before()
    outputs.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, **way.env}
    waiting = list(enumerate(way.commands))[::-1]
    running: dict[int, int] = {}
    cpu, peak = 0.0, 0
    begin = time.perf_counter()
    with _watched() as together:
        while waiting or running:
            while waiting and len(running) < way.at_once:
                number, command = waiting.pop()
                running[_start(command, env, outputs / str(number))] = number
            process, status, usage = os.wait4(-1, 0)
            number = running.pop(process)
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss * 1024)
            if status != 0:
                code = os.waitstatus_to_exitcode(status)
                text = _printed(outputs, number)[-2000:]
                raise SystemExit(f"ended with {code}: {' '.join(way.commands[number])}\n{text}")
    return Cost(time.perf_counter() - begin, cpu, peak, max(together))


def alone(command: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None) -> tuple[Cost, str]:
    """Run a program beside others of this process, which do not count. Returns its cost, and what it printed.

    Ends the benchmark when it fails.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env={**os.environ, **env}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        with _watched(process.pid, every=0.5) as together:
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if status != 0:
        raise SystemExit(f"ended with {process.returncode}: {' '.join(command)}\n{text[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, max(together)), text


@contextmanager
def _watched(ancestor: int = 0, *, every: float = 0.05) -> Iterator[list[int]]:
    """Look at the memory of all that this process started, now and then; or of an ``ancestor`` with all of its own.

    ``every``: seconds. A look at a large process takes the processor some milliseconds.
    """
    seen, done = [0], threading.Event()
    own = [ancestor] if ancestor else []

    def look() -> None:
        while not done.wait(every):
            seen.append(sum(_memory(process) for process in [*own, *_descendants(ancestor or os.getpid())]))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _descendants(ancestor: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in (path.name for path in Path("/proc").iterdir()):
        if name.isdigit():
            with suppress(OSError, ValueError), Path(f"/proc/{name}/stat").open(encoding="utf-8") as file:
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
    found, fresh = [], [ancestor]
    while fresh:
        fresh = [process for process, parent in parents.items() if parent in fresh]
        found += fresh
    return found


def _memory(process: int) -> int:
    with suppress(OSError), Path(f"/proc/{process}/smaps_rollup").open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _start(command: Sequence[str], env: Mapping[str, str], output: Path) -> int:
    # As cheap as starting a process gets, so that the bare loops are as fast as they can be.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, f"{output}.out", flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, f"{output}.err", flags, 0o600),
    ]
    return os.posix_spawn(command[0], list(command), env, file_actions=actions)


def _printed(outputs: Path, number: int) -> str:
    return "".join((outputs / f"{number}.{end}").read_text("utf-8", "replace") for end in ("out", "err"))


def objects_printed(outputs: Path) -> int:
    """Count the Kubernetes objects in what was printed."""
    texts = (path.read_text(encoding="utf-8") for path in outputs.glob("*.out"))
    return sum(line.startswith("kind: ") for text in texts for line in text.splitlines())


def objects_in(folder: Path) -> int:
    """Count the objects in a folder with one object in each file."""
    return sum(1 for _ in folder.rglob("*.yaml"))


class GitClock:
    """A git in front of git that notes how long each call takes, but for those that stay and answer (`--batch`)."""

    def __init__(self, folder: Path) -> None:
        """Write it into a new folder."""
        folder.mkdir()
        self._noted = folder / "noted"
        script = folder / "git"
        script.write_text(
            f"""#!/bin/bash
case " $* " in *" --batch"*) exec {shutil.which("git")} "$@";; esac
begin=$EPOCHREALTIME
{shutil.which("git")} "$@"
code=$?
echo "$begin $EPOCHREALTIME" >> {self._noted}
exit $code
"""
        )
        script.chmod(0o755)
        self.env = {"PATH": f"{folder}:{os.environ['PATH']}"}

    def seconds(self) -> float:
        """Return how long the calls since the last time took together."""
        lines = self._noted.read_text(encoding="utf-8").splitlines() if self._noted.exists() else []
        self._noted.unlink(missing_ok=True)
        return sum(float(end) - float(begin) for begin, end in (line.split() for line in lines))


def prepare_bytecode(folder: Path) -> None:
    """Let all processes that follow write their bytecode into ``folder`` and read it from there."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def processors() -> int:
    """Return how many processors may be used."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
