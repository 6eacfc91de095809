"""The process that renders Jinja2 locks itself in: what hostile code in it achieves, with and without the lock.

This file is also the program that it tests: run as a script, it is the renderer with hostile code in the place where
the renderer reads its input.
"""
# It makes system calls, as plainly as it can, and prints.
# ruff: noqa: PTH102, PTH106, PTH108, PTH115, PTH116, PTH208, T201

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib.util
import json
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

import headgate

CHILD = Path(headgate.__file__).parent / "render" / "jinja_child.py"
NOBODY = 65534

MACHINES = ("x86_64", "aarch64")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in MACHINES, reason=f"the lock needs Linux on {MACHINES}"
)
as_users = pytest.mark.parametrize("user", [0, NOBODY] if os.getuid() == 0 else [os.getuid()])


# --- the hostile program ---------------------------------------------------------------------------------------------


HAS_CALLS_32 = platform.machine() == "x86_64" and Path("/proc/sys/abi/vsyscall32").exists()
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Scene(NamedTuple):
    """What attempts need to have been prepared, so that only the lock stands in their way."""

    libc: ctypes.CDLL
    child: int
    server: socket.socket
    address: tuple[str, int]
    client: socket.socket
    pipe: tuple[int, int]
    page: mmap.mmap
    page_32: mmap.mmap


def prepare() -> Scene:
    ends, pipe = os.pipe(), os.pipe()
    child = os.fork()
    if not child:  # waits for the end of its parent
        os.close(ends[1])
        os.read(ends[0], 1)
        os._exit(0)
    os.write(pipe[1], b"x")
    server = socket.create_server(("127.0.0.1", 0))
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=PRIVATE)
    libc = ctypes.CDLL(None, use_errno=True)
    return Scene(
        libc, child, server, server.getsockname(), socket.socket(), pipe, page, code_32() if HAS_CALLS_32 else page
    )


FOLDER_32 = f"/tmp/jinja-lock-32-{os.getpid()}"


def code_32() -> mmap.mmap:
    """Return machine code that makes a folder as a 32-bit program does.

    The number of that call is the number of getpid for the rest of this process.
    """
    low = 0x40  # MAP_32BIT: a pointer to it has 32 bits
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=PRIVATE | low, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    path = 2048
    page[path : path + len(FOLDER_32)] = FOLDER_32.encode()
    page.write(b"\x53")  # push rbx
    page.write(b"\xb8" + struct.pack("=I", 39))  # mov eax, 39 (mkdir)
    page.write(b"\xbb" + struct.pack("=I", address_of(page) + path))  # mov ebx, path
    page.write(b"\xb9" + struct.pack("=I", 0o700))  # mov ecx, 0700
    page.write(b"\xcd\x80")  # int 0x80
    page.write(b"\x48\x63\xc0")  # movsxd rax, eax
    page.write(b"\x5b\xc3")  # pop rbx; ret
    return page


def call_32(scene: Scene) -> None:
    result = ctypes.CFUNCTYPE(ctypes.c_long)(address_of(scene.page_32))()
    if result < 0:
        raise OSError(-result, "")
    os.rmdir(FOLDER_32)


def address_of(page: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(page))


def checked(result: int) -> None:
    if result == -1:
        raise OSError(ctypes.get_errno(), "")


def create_file(_: Scene) -> None:
    path = f"/tmp/jinja-lock-{os.getpid()}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(path)


def create_folder(_: Scene) -> None:
    path = f"/tmp/jinja-lock-folder-{os.getpid()}"
    os.mkdir(path)
    os.rmdir(path)


def fork(_: Scene) -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def read_memory_of_child(scene: Scene) -> None:
    byte = ctypes.create_string_buffer(1)
    here, there = (struct.pack("=2Q", address, 1) for address in (ctypes.addressof(byte), id(None)))
    checked(scene.libc.process_vm_readv(scene.child, here, 1, there, 1, 0))


def make_code(scene: Scene) -> None:
    checked(
        scene.libc.mprotect(ctypes.c_void_p(address_of(scene.page)), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
    )


PTRACE_SEIZE, PR_SET_DUMPABLE = 0x4206, 4

ATTEMPTS: dict[str, Callable[[Scene], object]] = {
    "open a folder": lambda _: os.close(os.open("/", os.O_RDONLY)),
    "open a device to write": lambda _: os.close(os.open("/dev/null", os.O_WRONLY)),
    "create a file": create_file,
    "create a folder": create_folder,
    "read the environment": lambda _: Path("/proc/self/environ").read_bytes(),
    "open the memory": lambda _: os.close(os.open("/proc/self/mem", os.O_RDONLY)),
    "read about the parent": lambda _: Path(f"/proc/{os.getppid()}/status").read_bytes(),
    "list processes": lambda _: os.listdir("/proc"),
    "look up a file": lambda _: os.stat("/"),
    "read a link": lambda _: os.readlink("/proc/self/exe"),
    "change the folder": lambda _: os.chdir("/"),
    "make an IP socket": lambda _: socket.socket().close(),
    "make a Unix socket": lambda _: socket.socket(socket.AF_UNIX).close(),
    "make a pair of sockets": lambda _: socket.socketpair(),
    "connect a socket": lambda scene: scene.client.connect(scene.address),
    "start a program": lambda _: subprocess.run(["/bin/true"], check=True),
    "start a program by posix_spawn": lambda _: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "fork": fork,
    "trace the child": lambda scene: checked(scene.libc.ptrace(PTRACE_SEIZE, scene.child, None, None)),
    "read the child's memory": read_memory_of_child,
    "signal the child": lambda scene: os.kill(scene.child, 0),
    "signal itself by kill": lambda _: os.kill(os.getpid(), 0),
    "change the child's limits": lambda scene: resource.prlimit(scene.child, resource.RLIMIT_CORE, (0, 0)),
    "map code": lambda _: mmap.mmap(-1, mmap.PAGESIZE, flags=PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "make code of data": make_code,
    "map memory that no limit counts": lambda _: mmap.mmap(-1, mmap.PAGESIZE),
    "make a file in memory": lambda _: os.close(os.memfd_create("test")),
    "read another descriptor": lambda scene: os.read(scene.pipe[0], 1),
    "write another descriptor": lambda scene: os.write(scene.pipe[1], b"x"),
    "copy a descriptor": lambda _: os.close(os.dup(0)),
    "be looked into again": lambda scene: checked(scene.libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)),
    **({"make a folder as a 32-bit program does": call_32} if HAS_CALLS_32 else {}),
    "read the limits": lambda _: resource.getrlimit(resource.RLIMIT_NOFILE),
}


def attack_one(scene: Scene, name: str) -> None:
    failure = 0
    try:
        ATTEMPTS[name](scene)
    except OSError as error:
        failure = error.errno or -1
    print(json.dumps([name, failure]), flush=True)


def attack(scene: Scene) -> None:
    """Make all attempts and print how each ended, as an errno. Last become another program, if that can be."""
    for name in ATTEMPTS:
        attack_one(scene, name)
    try:
        os.execv("/bin/echo", ["echo", json.dumps(["become another program", 0])])
    except OSError as error:
        print(json.dumps(["become another program", error.errno]), flush=True)


# Allowed whatever their arguments are: munmap, brk, rt_sigaction, rt_sigprocmask, rt_sigreturn, sched_yield, mremap,
# getpid, exit, gettid, futex, restart_syscall, clock_gettime, exit_group, getrandom. A call that joins the list of the
# lock joins this one, too, by somebody who thought about it.
LET_THROUGH = {
    "x86_64": {11, 12, 13, 14, 15, 24, 25, 39, 60, 186, 202, 219, 228, 231, 318},
    "aarch64": {215, 214, 134, 135, 139, 124, 216, 172, 93, 178, 98, 128, 113, 94, 278},
}
# Since Linux 6.14 seccomp does not see the calls by which the kernel's own trampolines of probes come back.
TRAMPOLINES = {"x86_64": {335, 336}, "aarch64": set[int]()}
LAST_CALL, X32 = 1024, 0x40000000


def call_everything(scene: Scene) -> None:
    """Make every system call that there may be, with arguments that are never allowed; print what is not refused."""
    if os.getppid() >= 0:
        raise SystemExit("not locked, so nothing of this is tried")
    every = ctypes.c_long(-1)  # no descriptor, no advice, no process, and every flag
    left_out = LET_THROUGH[platform.machine()] | TRAMPOLINES[platform.machine()]
    for number in {*range(LAST_CALL), *range(X32, X32 + LAST_CALL)} - left_out:
        if scene.libc.syscall(ctypes.c_long(number), *[every] * 6) != -1 or ctypes.get_errno() != errno.EPERM:
            print(json.dumps([number, ctypes.get_errno()]), flush=True)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer_seccomp(failure: int) -> None:
    """Have the kernel answer seccomp(2) in this way from now on."""
    lock_child = load(CHILD.with_name("lock_child.py"))
    numbers = lock_child._NUMBERS[platform.machine()]
    instructions = b"".join(
        [
            lock_child._instruction(lock_child._LOAD, lock_child._CALL),
            lock_child._instruction(lock_child._JUMP_IF_EQUAL, numbers.seccomp, otherwise=1),
            lock_child._instruction(lock_child._RETURN, lock_child._RET_ERRNO | failure),
            lock_child._instruction(lock_child._RETURN, lock_child._RET_ALLOW),
        ]
    )
    libc = lock_child._Libc(numbers)
    libc.drop_privileges()
    program = lock_child._Program(len(instructions) // 8, instructions)
    libc._call(numbers.seccomp, lock_child._SECCOMP_SET_MODE_FILTER, 0, ctypes.addressof(program))


def without_filter(name: str) -> ModuleType:
    """Load the lock, with Landlock as its only wall."""
    lock_child = load(CHILD.with_name(f"{name}.py"))
    lock_child._Libc.install_filter = lambda *_: None
    return lock_child


def become(user: int) -> None:
    if user != os.getuid():
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as for any program that such a user starts


def hostile_program(user: int, role: str, *arguments: str) -> None:
    renderer = load(CHILD)
    renderer.import_ahead()
    become(user)
    scene = prepare()
    roles: dict[str, Callable[[], object]] = {
        "attack": lambda: attack(scene),
        "everything": lambda: call_everything(scene),
        "no filter": lambda: attack_one(scene, "create a folder"),
    }

    def in_place_of_input(_: object) -> dict[str, Any]:
        roles.get(role, lambda: None)()
        return {"tree": "", "files": {}}

    preparations: dict[str, Callable[[], object]] = {
        "no seccomp": lambda: answer_seccomp(errno.ENOSYS),
        "forbidden": lambda: answer_seccomp(errno.EPERM),
        "fooled": lambda: answer_seccomp(0),
        "no filter": lambda: setattr(renderer, "_sibling", without_filter),
        "other machine": lambda: setattr(os, "uname", lambda: SimpleNamespace(machine="riscv64")),
    }
    preparations.get(role, lambda: None)()
    renderer.json = SimpleNamespace(loads=in_place_of_input, dumps=json.dumps)  # type: ignore[attr-defined]
    sys.argv[1:] = arguments
    renderer.main()


# --- the tests -------------------------------------------------------------------------------------------------------


def hostile(user: int, role: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", __file__, str(user), role, *arguments]


def lines_of(command: list[str], given: str = "\n") -> list[Any]:
    done = subprocess.run(command, check=False, input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@as_users
def test_locked_process_achieves_nothing(user: int) -> None:
    first, *outcomes = lines_of(hostile(user, "attack"))
    assert first == {"protocol": 1, "sandbox": True}
    assert dict(outcomes) == dict.fromkeys([*ATTEMPTS, "become another program"], errno.EPERM)


@as_users
def test_attempts_succeed_without_lock(user: int) -> None:
    first, *outcomes = lines_of(hostile(user, "attack", "--no-lock"))
    assert first == {"protocol": 1, "sandbox": False, "reason": "switched off"}
    assert dict(outcomes) == dict.fromkeys([*ATTEMPTS, "become another program"], 0)


@pytest.mark.long
@as_users
def test_every_other_call_is_refused(user: int) -> None:
    assert lines_of(hostile(user, "everything")) == [{"protocol": 1, "sandbox": True}]


@contextlib.contextmanager
def waiting(user: int, *arguments: str) -> Iterator[Path]:
    """Start the hostile program, which waits where it reads its input, and yield its folder in /proc."""
    command = hostile(user, "wait", *arguments)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield Path(f"/proc/{process.pid}")
        process.communicate()


def has_landlock() -> bool:
    create_ruleset, version = 444, 1
    return bool(ctypes.CDLL(None).syscall(create_ruleset, None, 0, version) > 0)


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
@as_users
def test_landlock_alone_denies_files(user: int) -> None:
    assert lines_of(hostile(user, "no filter"))[1:] == [["create a folder", errno.EACCES]]


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user, and see what that may see")
@pytest.mark.parametrize(("arguments", "owner"), [([], 0), (["--no-lock"], NOBODY)])
def test_locked_process_is_hidden_from_its_user(arguments: list[str], owner: int) -> None:
    with waiting(NOBODY, *arguments) as process:
        assert (process / "environ").stat().st_uid == owner  # who alone may read it


@pytest.mark.long
@as_users
def test_kernel_confirms_lock(user: int) -> None:
    with waiting(user, "--memory", "1073741824", "--seconds", "60") as process:
        status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines())
        expected = {"NoNewPrivs": "1", "Seccomp": "2", "Threads": "1", **dict.fromkeys(CAPABILITIES, "0" * 16)}
        assert {name: status[name] for name in expected} == expected
        limits = {line[:26].strip(): line[26:].split()[:2] for line in (process / "limits").read_text().splitlines()}
        assert limits["Max open files"] == limits["Max core file size"] == ["0", "0"]
        assert limits["Max data size"] == ["1073741824"] * 2
        assert limits["Max cpu time"] == ["60"] * 2
        if os.getuid() == 0:  # others cannot see it
            assert {file.name for file in (process / "fd").iterdir()} == {"0", "1", "2"}


CAPABILITIES = ("CapInh", "CapPrm", "CapEff")


@pytest.mark.long
@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("no seccomp", "the kernel has no seccomp filters"),
        ("forbidden", "seccomp is forbidden here"),
        ("fooled", "does not apply it"),
        ("other machine", "a process on linux/riscv64 cannot lock itself in"),
    ],
)
def test_system_that_cannot_is_reported(role: str, words: str) -> None:
    [first] = lines_of(hostile(os.getuid(), role))
    assert first["sandbox"] is False
    assert words in first["reason"]


def job(sources: dict[str, dict[str, str]], values: object = None, *, times: int = 1) -> str:
    """Return the lines that have the renderer print each of the sources so many times."""
    lines: list[Any] = [{"tree": name, "files": templates} for name, templates in sources.items()]
    for number, name in enumerate([*sources] * times):
        body = {"tree": name, "suffixes": [".yaml.j2"], "context": {"values": values}}
        lines.append({"request": number, "jinja2": body})
    return "".join(json.dumps(line) + "\n" for line in lines)


def renderer(*arguments: str) -> list[str]:
    return [sys.executable, "-I", str(CHILD), *arguments]


# What reaches for something that Python imports late, or for files: each is rendered, or fails with its own message.
TEMPLATES = {
    "name of a character": '{{ "\\N{BULLET}" }}',
    "codecs": '{{ "ä".encode("utf-16").decode("utf-16") }}',
    "codec that is rarely used": '{{ "a".encode("cp500") }}',
    "striptags": '{{ "<b>x &amp; y</b>" | striptags }}',
    "wordwrap": '{{ "one two three" | wordwrap(5) }}',
    "long integer": "{{ (10 ** 4000) // 7 % 1000 }} {{ (10 ** 9000) // (10 ** 8000) % 7 }}",
    "too long integer": "{{ 10 ** 5000 }}",
    "formats": '{{ "%05.1f" | format(1.5) }} {{ "{:n}".format(1234) }} {{ 1e6 | filesizeformat }}',
    "JSON": "{{ values | tojson }}",
    "hashes": '{{ "x" | sha256 }} {{ "x" | b64encode | b64decode }}',
    "YAML": "{{ values | to_yaml }}",
    "other template": '{% include "part.j2" %}{% import "part.j2" as part %}{{ part.m() }}',
    "no such template": '{% include "/etc/passwd" %}',
    "division": "\n{{ 1 / 0 }}",
    "missing value": "{{ values.nope }}",
    "unsafe attribute": '{{ "".__class__ }}',
    "syntax": "{% if %}",
    "syntax of Python": '{{ "a"() }}',
    "no such filter": "{{ 1 | nope }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "error in a macro": "{% macro m() %}\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}",
    "error in a filter": '{{ "x" | int(base=99) }} {{ values | sum }}',
}
PART = "{% macro m() %}m{% endmacro %}part"


def answers(*arguments: str) -> dict[str, Any]:
    sources = {name: {"a.yaml.j2": text, "part.j2": PART} for name, text in TEMPLATES.items()}
    given = job(sources, {"a": ["ä", 1, None]})
    return dict(zip(TEMPLATES, lines_of(renderer(*arguments), given)[1:], strict=True))


def test_locked_process_renders_and_fails_as_without_lock() -> None:
    locked = answers()
    assert locked == answers("--no-lock")
    assert "Permission" not in str(locked)
    failed = {name: answer["error"]["message"] for name, answer in locked.items() if "error" in answer}
    assert failed == {
        "codec that is rarely used": "LookupError: unknown encoding: cp500",
        "division": "ZeroDivisionError: division by zero",
        "error in a filter": failed["error in a filter"],
        "error in a macro": "ZeroDivisionError: division by zero",
        "missing value": "missing value: 'dict object' has no attribute 'nope'",
        "no such filter": "template syntax: No filter named 'nope'.",
        "no such template": "no such template: /etc/passwd",
        "recursion": failed["recursion"],
        "syntax": failed["syntax"],
        "syntax of Python": "TypeError: 'str' object is not callable",
        "too long integer": failed["too long integer"],
        "unsafe attribute": failed["unsafe attribute"],
    }
    assert locked["error in a macro"]["error"]["line"] == 2


def test_memory_limit_ends_process_and_answers_before_are_kept() -> None:
    sources = {"good": {"a.yaml.j2": "a: 1"}, "bad": {"a.yaml.j2": "{{ ('x' * 10 ** 9) | length }}"}}
    given = job(sources)
    begin = time.monotonic()
    command = renderer("--memory", "268435456")
    done = subprocess.run(command, check=False, input=given, capture_output=True, text=True, timeout=60)
    assert time.monotonic() - begin < 30
    assert done.returncode == 1
    assert "MemoryError" in done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"protocol": 1, "sandbox": True},
        {"request": 0, "done": True, "value": {"texts": [["a.yaml.j2", "a: 1"]], "strings": []}},
    ]


@pytest.mark.long
@pytest.mark.parametrize("arguments", [[], ["--no-lock"]])
def test_processor_time_limit_ends_process(arguments: list[str]) -> None:
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    command = renderer("--seconds", "1", *arguments)
    done = subprocess.run(command, check=False, input=job({"s": {"a.yaml.j2": loops}}), text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.long
def test_much_is_rendered_in_small_memory() -> None:
    text = "{% for n in range(5000) %}{{ n }}: {{ values }}\n{% endfor %}"
    first, *rest = lines_of(renderer("--memory", "268435456"), job({"s": {"a.yaml.j2": text}}, "x" * 200, times=20))
    assert first == {"protocol": 1, "sandbox": True}
    assert len(rest) == 20
    assert all(len(answer["value"]["strings"]) == 5000 for answer in rest)


if __name__ == "__main__":
    hostile_program(int(sys.argv[1]), *sys.argv[2:])
