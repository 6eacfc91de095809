from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headgate.errors import ExhaustedError, ToolError
from headgate.process import MEBI, Limits, ProcessError, inherited, processors, run
from support.processes import is_running

SHELL = {"PATH": "/usr/bin:/bin"}
LIMITS = [
    pytest.param(Limits(), id="unlimited"),
    pytest.param(Limits(seconds=30, memory=512 * MEBI, output=MEBI), id="limited"),
]


def shell(script: str, *, limits: Limits = Limits(), stdin: bytes = b"", check: bool = True) -> bytes:
    return run(["/bin/sh", "-c", script], env=SHELL, limits=limits, stdin=stdin, check=check).stdout


def python(program: str, *, limits: Limits) -> bytes:
    return run([sys.executable, "-I", "-S", "-c", program], env={}, limits=limits).stdout


def is_soon_gone(pid: int) -> bool:
    """Whether a process that was killed ends; the kernel may take a moment."""
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(pid)


def test_output_comes_back_apart() -> None:
    done = run(["/bin/sh", "-c", "echo out; echo err >&2"], env=SHELL)
    assert (done.code, done.stdout, done.stderr) == (0, b"out\n", "err\n")


def test_output_that_is_no_text_comes_back_whole() -> None:
    assert shell(r"printf '\377\000\n'") == b"\xff\x00\n"


def test_error_text_that_is_no_text_is_shown_all_the_same() -> None:
    assert run(["/bin/sh", "-c", r"printf '\377x' >&2"], env=SHELL).stderr == "\ufffdx"


@pytest.mark.parametrize("limits", LIMITS)
def test_environment_is_exactly_what_was_given(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    told = run(["/usr/bin/env"], env={"A": "b", "C": "", "PATH": "/x"}, limits=limits).stdout
    assert sorted(told.splitlines()) == [b"A=b", b"C=", b"PATH=/x"]
    assert run(["/usr/bin/env"], env={}, limits=limits).stdout == b""


def test_environment_is_taken_over_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANTED", "x")
    monkeypatch.setenv("OTHER", "x")
    monkeypatch.delenv("MISSING", raising=False)
    assert inherited(["WANTED", "MISSING"]) == {"WANTED": "x"}


@pytest.mark.parametrize("limits", LIMITS)
def test_arguments_reach_no_shell(limits: Limits) -> None:
    args = ["/bin/echo", "$(id)", "a;b", "*", "", "'\"", "-n"]
    assert run(args, env={}, limits=limits).stdout == b"$(id) a;b *  '\" -n\n"


def test_program_runs_in_the_given_folder(tmp_path: Path) -> None:
    assert run(["/bin/pwd", "-P"], env={}, cwd=tmp_path).stdout == f"{tmp_path.resolve()}\n".encode()


def test_program_reads_what_it_is_given() -> None:
    assert shell("cat", stdin=b"a\0b" * 100_000) == b"a\0b" * 100_000
    assert shell("cat") == b""


def test_program_that_does_not_read_its_input_is_fine() -> None:
    assert shell("echo done", stdin=b"x" * MEBI) == b"done\n"


def test_failure_keeps_the_words_of_the_program() -> None:
    with pytest.raises(ProcessError) as caught:
        run(["/bin/sh", "-c", "echo ' what went wrong' >&2; echo out; exit 3"], env=SHELL)
    assert str(caught.value) == "sh ended with 3: what went wrong"
    assert caught.value.completed.code == 3
    assert caught.value.completed.stdout == b"out\n"


def test_failure_is_an_answer_where_it_is_expected() -> None:
    assert run(["/bin/sh", "-c", "exit 3"], env=SHELL, check=False).code == 3


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("program", ["headgate-has-no-such-program", "/nowhere/helm"])
def test_missing_program_is_told(program: str, limits: Limits) -> None:
    with pytest.raises(ToolError) as caught:
        run([program], env=SHELL, limits=limits)
    assert str(caught.value) == f"cannot run {program}: No such file or directory"


@pytest.mark.parametrize("limits", LIMITS)
def test_file_that_is_no_program_is_told(limits: Limits, tmp_path: Path) -> None:
    file = tmp_path / "helm"
    file.write_text("#!/bin/sh\n")
    with pytest.raises(ToolError) as caught:
        run([str(file)], env=SHELL, limits=limits)
    assert str(caught.value) == f"cannot run {file}: Permission denied"


def test_time_limit_stops_a_program() -> None:
    before = time.monotonic()
    with pytest.raises(ExhaustedError) as caught:
        shell("sleep 60", limits=Limits(seconds=0.2))
    assert time.monotonic() - before < 10
    assert str(caught.value) == "sh was stopped after 0.2 seconds\n  check for an endless loop"


def test_time_limit_kills_the_whole_process_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! > {pids}; (sleep 60 & echo $! >> {pids}; wait) & echo $! >> {pids}; wait"
    with pytest.raises(ExhaustedError):
        shell(script, limits=Limits(seconds=0.5))
    children = [int(pid) for pid in pids.read_text().split()]
    assert len(children) == 3
    assert all(is_soon_gone(pid) for pid in children)


def test_time_limit_kills_a_program_that_ignores_signals(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(ExhaustedError):
        shell(f"echo $$ > {pid}; trap '' TERM INT HUP; while :; do sleep 0.05; done", limits=Limits(seconds=0.3))
    assert is_soon_gone(int(pid.read_text()))


def test_what_a_program_left_in_the_background_ends_with_it() -> None:
    before = time.monotonic()
    child = int(shell("sleep 60 & echo $!"))
    assert time.monotonic() - before < 10
    assert is_soon_gone(child)


def test_memory_limit_stops_a_program() -> None:
    with pytest.raises(ExhaustedError) as caught:
        python("x = bytearray(1 << 30)", limits=Limits(memory=128 * MEBI))
    head, hint = str(caught.value).split("\n")
    assert head == f"{Path(sys.executable).name} used more than 128 MiB of memory"
    assert hint == "  check for an endless loop or a value that keeps growing"


def test_memory_limit_stops_a_program_that_grows_in_small_steps() -> None:
    with pytest.raises(ExhaustedError, match="used more than 128 MiB of memory"):
        python("x = []\nwhile True: x.append('x' * 100_000 + str(len(x)))", limits=Limits(memory=128 * MEBI))


def test_program_below_its_limits_is_fine() -> None:
    limits = Limits(seconds=30, memory=128 * MEBI, output=MEBI)
    assert python("print(len(bytearray(1 << 20)))", limits=limits) == b"1048576\n"


@pytest.mark.parametrize("words", ["SIGSEGV: segmentation violation\\nPC=0x437c7d m=2", "fatal error: out of memory"])
def test_words_of_gos_runtime_at_the_memory_limit_are_exhaustion(words: str) -> None:
    """Seen of Helm under RLIMIT_DATA: at times its runtime falls over what it was refused."""
    with pytest.raises(ExhaustedError, match="used more than 128 MiB of memory"):
        shell(f"printf '{words}\\n' >&2; exit 2", limits=Limits(memory=128 * MEBI, output=MEBI))


def test_failure_below_the_memory_limit_is_no_exhaustion() -> None:
    with pytest.raises(ProcessError, match=r"^sh ended with 3: $"):
        shell("exit 3", limits=Limits(memory=128 * MEBI, output=MEBI))


@pytest.mark.parametrize("script", ["exec yes", "exec yes >&2", "sleep 0.2; yes", "sleep 0.2; (yes; true)"])
def test_output_limit_stops_a_program_and_its_children(script: str) -> None:
    with pytest.raises(ExhaustedError) as caught:
        shell(script, limits=Limits(seconds=5, output=MEBI))
    assert str(caught.value) == "sh printed more than 1 MiB"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_limit_holds_for_a_program_that_ignores_its_signal(stream: str) -> None:
    program = f"import sys\nwhile True: sys.{stream}.write('x' * 10_000)"
    with pytest.raises(ExhaustedError, match=r"printed more than 1 MiB$"):
        python(program, limits=Limits(seconds=5, output=MEBI))


def test_limits_hold_from_the_very_start() -> None:
    """A child that is started before the limits are set would run without any."""
    told = {shell("ulimit -f; ulimit -d", limits=Limits(memory=128 * MEBI, output=MEBI)) for _ in range(50)}
    assert told == {b"2048\n131072\n"}


def test_limits_of_a_program_are_not_ours() -> None:
    before = [resource.getrlimit(kind) for kind in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)]
    shell("true", limits=Limits(memory=128 * MEBI, output=MEBI))
    assert [resource.getrlimit(kind) for kind in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)] == before


def test_there_is_a_processor() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)


_PARENT = """
import ctypes, os, subprocess, sys
from headgate.process import hide_environment
if os.getuid() == 0:  # root may read everything: be somebody, whose processes may be traced as usual
    os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
if sys.argv[1] == "hidden":
    hide_environment()
read = subprocess.run(["sh", "-c", "cat /proc/$PPID/environ"], env={}, capture_output=True, text=True)
print(read.stdout, read.stderr)
"""


@pytest.mark.parametrize("how", ["hidden", "open"])
def test_tokens_in_the_environment_are_hidden_from_children_of_the_same_user(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PARENT, how],
        env={"SECRET_TOKEN": "s3cret", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("s3cret" in done.stdout) is (how == "open")
    assert ("Permission denied" in done.stdout) is (how == "hidden")
