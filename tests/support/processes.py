"""Command lines in processes of their own.

Each is forked from a process that has Headgate loaded, since loading it is more than half of a short run.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from support.cli import Ran, headgate

_LOADED = ["headgate.arguments", "headgate.commands.deliver", "headgate.commands.run", "headgate.commands.verify"]


def each_in_a_process(commands: Iterable[list[str]], at_once: int) -> Iterator[tuple[list[str], Ran]]:
    """Run command lines, so many at once, each in a process that ends with it; yield what each left, in order."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(_LOADED)
    listed = [*commands]
    with ProcessPoolExecutor(at_once, mp_context=forked, max_tasks_per_child=1) as pool:
        env = dict(os.environ)  # that of the server is what it was when the first test started it
        yield from zip(listed, pool.map(_run, listed, [env] * len(listed)), strict=True)


def is_running(pid: int) -> bool:
    """Whether a process has not ended yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _run(command: list[str], env: Mapping[str, str]) -> Ran:
    os.environ.clear()
    os.environ.update(env)
    return headgate(*command)
