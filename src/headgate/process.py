"""The only module that starts programs: argument lists, explicit environments, limits, output in errors."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NoReturn

from headgate import signals
from headgate.errors import ExhaustedError, ToolError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MEBI = 1024 * 1024
Child = subprocess.Popen[bytes]


@frozen_record(kw_only=False)
class Limits:
    """``seconds`` of wall time, ``memory`` and ``output`` in bytes; 0 is no limit."""

    seconds: float = 600
    memory: int = 0
    output: int = 0


@frozen_record(kw_only=False)
class Completed:
    """Exit code and output of a program."""

    code: int
    stdout: bytes
    stderr: str


@frozen_record(kw_only=False)
class _Files:
    """Standard input, output and error of a program."""

    given: IO[bytes] | int
    out: IO[bytes] | int
    err: IO[bytes] | int


class ProcessError(Exception):
    """A program ended with a code other than 0. Callers turn it into an error for people."""

    def __init__(self, args: Sequence[str], completed: Completed) -> None:
        """Keep a readable part of standard error, which hostile files may influence."""
        lines = [line[:_MAX_LINE] for line in completed.stderr.strip()[:_MAX_STDERR].splitlines()]
        self.stderr = "\n".join(lines)
        super().__init__(f"{Path(args[0]).name} ended with {completed.code}: {self.stderr}")
        self.completed = completed


_MAX_STDERR = 65_536
_MAX_LINE = 2000


def inherited(names: Iterable[str]) -> dict[str, str]:
    """Return the named environment variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def hide_environment() -> None:
    """Prevent child processes from reading this process's environment, which has tokens, in ``/proc``.

    Processes of the same user can read ``/proc/PID/environ`` if they may trace the process (proc(5)), which
    PR_SET_DUMPABLE prevents (prctl(2)). Linux only.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


_PR_SET_DUMPABLE = 4


def processors() -> int:
    """Return the number of processors for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    stdin: bytes | Iterable[bytes] = b"",
    limits: Limits = Limits(),
    check: bool = True,
) -> Completed:
    """Run a program to its end and return its output.

    ``env`` is the program's whole environment. Output goes to files, so that the kernel stops a program that prints
    endlessly (RLIMIT_FSIZE) before it fills our memory. The whole process group ends with the program.

    Raises ProcessError (unless ``check`` is off), ExhaustedError above a limit, ToolError when the program is missing,
    Stopped on a stop signal, which ends the program too.
    """
    signals.check()
    if not shutil.which(args[0], path=env.get("PATH", "")):
        reason = errno.EACCES if Path(args[0]).is_file() else errno.ENOENT
        raise ToolError(f"cannot run {args[0]}: {os.strerror(reason)}")
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.writelines([stdin] if isinstance(stdin, bytes) else stdin)
        given.seek(0)
        files = _Files(given, out, err)
        interruptible = not signals.is_deferred()
        with signals.deferred():  # a signal must not lose a child that has just started
            child = _start([*_limited(limits), *args], env, cwd, files)
            try:
                in_time = _ends_within(child, limits.seconds, interruptible=interruptible)
            finally:
                end(child)
        if not in_time:
            raise ExhaustedError(
                f"{Path(args[0]).name} was stopped after {limits.seconds:g} seconds",
                hint="check for an endless loop",
            )
        completed = Completed(child.returncode, _content(out), _content(err).decode("utf-8", "replace"))
    _check_exhausted(args, completed, limits)
    if check and completed.code:
        raise ProcessError(args, completed)
    return completed


def start_piped(
    args: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    errors: IO[bytes] | int = subprocess.PIPE,
) -> Child:
    """Start a program with pipes, in its own session. The caller ends it.

    ``env`` is its whole environment, ``errors`` takes its standard error. Raises ToolError when it cannot run, Stopped
    on a stop signal.
    """
    signals.check()
    pipes = _Files(subprocess.PIPE, subprocess.PIPE, errors)
    with signals.deferred():  # a signal must not lose a child that has just started
        return _start(args, env, cwd, pipes)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a child has used, as proc(5) has it; 0 where there is no ``/proc``."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    fields = stat.rpartition(b")")[2].split()  # the program's name, in parentheses, may have spaces
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def become(args: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Give this process over to a program, with its terminal and its signals. ``env`` is its whole environment."""
    sys.stdout.flush()
    os.execve(args[0], list(args), dict(env))  # noqa: S606  no shell is wanted


def wait(child: Child, seconds: float) -> None:
    """Wait for a program, for at most ``seconds``."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)


def end(child: Child) -> None:
    """Kill a program and its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def descriptor(stream: IO[bytes] | None) -> int:
    """Return the non-blocking descriptor of a program's pipe."""
    if stream is None:
        raise ValueError("not a pipe")
    os.set_blocking(stream.fileno(), False)
    return stream.fileno()


def _limited(limits: Limits) -> list[str]:
    """Return a command that sets its own limits and then becomes the program that follows.

    It is a shell, since limits set from outside start late, and a preexec_fn is unsafe with threads. RLIMIT_DATA
    (``-d``, in KiB) counts writable memory; Go reserves far more than it uses, so RLIMIT_AS would refuse small
    programs. RLIMIT_FSIZE (``-f``) is in blocks of 512 bytes.
    """
    orders = []
    if limits.memory:
        orders.append(f"ulimit -d {limits.memory // 1024}")
    if limits.output:
        orders.append(f"ulimit -f {limits.output // 512}")
    # The shell adds PWD and OLDPWD to the environment.
    return ["/bin/sh", "-c", " && ".join([*orders, "unset PWD OLDPWD", 'exec "$@"']), "sh"] if orders else []


def _start(args: Sequence[str], env: Mapping[str, str], cwd: str | Path | None, files: _Files) -> Child:
    try:
        return subprocess.Popen(
            args,
            env=dict(env),
            cwd=cwd,
            stdin=files.given,
            stdout=files.out,
            stderr=files.err,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ToolError(f"cannot run {args[0]}: {error.strerror}") from error


def _ends_within(child: Child, seconds: float, *, interruptible: bool) -> bool:
    """Wait for the end; with ``interruptible`` only until a stop signal.

    Popen.wait polls with growing pauses, which takes longer than a small program.
    """
    if not hasattr(os, "pidfd_open"):  # pragma: no cover  not Linux
        wait(child, seconds)
        return child.returncode is not None
    descriptor = os.pidfd_open(child.pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if interruptible:
            poll.register(signals.pipe(), select.POLLIN)
        ready = dict(poll.poll(seconds * 1000))
        if ready and descriptor not in ready:
            _signal_child(child)
            poll.unregister(signals.pipe())
            poll.poll(_LAST_SECONDS * 1000)
        return bool(ready)
    finally:
        os.close(descriptor)


def _signal_child(child: Child) -> None:
    """Terminate a program and its children, so that git removes its locks."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)


_LAST_SECONDS = 1


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


# The last is Go's runtime, which sometimes uses memory that it was denied before it reports the denial.
_OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "MemoryError", "SIGSEGV: segmentation violation\nPC=")


def _check_exhausted(args: Sequence[str], completed: Completed, limits: Limits) -> None:
    name = Path(args[0]).name
    printed = max(len(completed.stdout), len(completed.stderr.encode()))
    if limits.output and (completed.code == -signal.SIGXFSZ or printed >= limits.output):
        raise ExhaustedError(f"{name} printed more than {limits.output // MEBI} MiB")
    if not limits.memory or completed.code == 0:
        return
    if completed.code == -signal.SIGKILL or any(text in completed.stderr for text in _OUT_OF_MEMORY):
        raise ExhaustedError(
            f"{name} used more than {limits.memory // MEBI} MiB of memory",
            hint="check for an endless loop or a value that keeps growing",
        )
