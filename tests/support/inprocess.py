"""Jobs that run Headgate within the tests' own process: each needs an interpreter less, which is most of its time."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from headgate.commands import ci, hand_off, preview
from headgate.errors import HeadgateError
from support.gitlab import Double
from support.gitlab.runner import Task

Command = Callable[[Mapping[str, str]], int]
_COMMANDS: Mapping[str, Command] = {
    "headgate ci": ci.run,
    "headgate preview": preview.run,
    "headgate hand-off": lambda env: hand_off.run(env, pause=0.05),
}
_WAITING = "headgate hand-off"
"""Runs until another job has ended, so it must run at the same time."""


@contextmanager
def in_process(gitlab: Double) -> Iterator[None]:
    """Let a GitLab's runner run jobs of Headgate here while the block lasts, and all others as before.

    Reports and results are not kept.
    """
    streams, before = _PerThread(), gitlab.execute
    lock = threading.Lock()  # git's logins hold for the whole process

    def execute(task: Task) -> tuple[str, int]:
        line = task.script.splitlines()[-1]
        if line not in _COMMANDS:
            return before(task)
        env = {name: value for name, value in task.env.items() if name != "HEADGATE_RESULTS"}  # a folder of the job's
        out = io.StringIO()
        streams.known[threading.get_ident()] = out
        if line == _WAITING:
            code = _run(_COMMANDS[line], env, out)
        else:
            with lock:
                code = _run(_COMMANDS[line], env, out)
        return out.getvalue(), code

    gitlab.execute = execute
    try:
        with redirect_stdout(streams), redirect_stderr(streams):
            yield
    finally:
        gitlab.execute = before


def _run(command: Command, env: Mapping[str, str], out: io.StringIO) -> int:
    try:
        return command(env)
    except HeadgateError as error:
        out.write(str(error))
        return error.code


class _PerThread(io.TextIOBase):
    """A stream that keeps what each thread writes apart, as each job has a log of its own."""

    def __init__(self) -> None:
        self.known: dict[int, io.StringIO] = {}

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        found = self.known.get(threading.get_ident())
        return found.write(text) if found is not None else len(text)
