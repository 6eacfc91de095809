"""How the process that renders Jinja2 locks itself in, before it reads the first byte of input.

It can then compute, read standard input, write standard output and standard error, and end: no files, sockets,
programs or other processes. ``image/engine/lock_linux.go`` does the same for the engine, where Go's runtime needs
other system calls. This module is loaded by path and imports nothing of Headgate.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys
from typing import NamedTuple

_STANDARD = (0, 1, 2)  # input, output, error


def lock(memory: int, seconds: int) -> None:
    """Permanently drop everything that rendering does not need, and set limits (`limit`).

    Refused calls fail with EPERM, so all imports must happen before. Raises OSError with the reason if this system
    cannot do it; the process is then not locked in, although some steps may have succeeded.
    """
    limit(memory, seconds)
    machine = os.uname().machine
    numbers = _NUMBERS.get(machine)
    if sys.platform != "linux" or numbers is None or sys.maxsize <= _MAX_32_BIT:
        raise OSError(
            f"a process on {sys.platform}/{machine} cannot lock itself in; one on linux/x86_64 or linux/aarch64 can"
        )
    libc = _Libc(numbers)
    _close_descriptors()
    libc.drop_privileges()
    libc.restrict_files()
    _lower(resource.RLIMIT_NOFILE, 0)  # defence in depth: no descriptor is left to open
    libc.install_filter(_filter(numbers, os.getpid()))


_MAX_32_BIT = 2**31 - 1


def limit(memory: int, seconds: int) -> None:
    """Limit what this process may use: ``memory`` in bytes, ``seconds`` of processor time (0: none); no core dumps."""
    if memory:
        _lower(resource.RLIMIT_DATA, memory)  # counts writable mappings
    if seconds:
        _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_CORE, 0)  # a core dump would contain the input of other requests


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _close_descriptors() -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  pathlib is not needed otherwise
        if int(name) not in _STANDARD:
            try:
                os.close(int(name))
            except OSError as error:
                if error.errno != errno.EBADF:  # the folder itself, closed by now
                    raise


class _Condition(NamedTuple):
    """An argument of a system call (counted from 0) that, masked, must equal one of the values.

    Compares the lower 32 bits: the kernel uses no more of descriptors, advice and process ids, and the compared
    protections and mapping flags lie in them.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF


class _Numbers(NamedTuple):
    """Numbers that differ between architectures: the architecture's own, and those of system calls."""

    architecture: int
    seccomp: int
    capset: int
    allowed: dict[str, int]


# Proved on x86_64, where the tests run. On aarch64 the tests' hostile program was stopped once, on an emulated machine
# (Linux 6.1, Python 3.11), and has not run there since.
_NUMBERS = {
    "x86_64": _Numbers(
        architecture=0xC000003E,
        seccomp=317,
        capset=126,
        allowed={
            "read": 0,
            "write": 1,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "getpid": 39,
            "exit": 60,
            "gettid": 186,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "tgkill": 234,
            "getrandom": 318,
        },
    ),
    "aarch64": _Numbers(
        architecture=0xC00000B7,
        seccomp=277,
        capset=91,
        allowed={
            "read": 63,
            "write": 64,
            "mmap": 222,
            "mprotect": 226,
            "munmap": 215,
            "brk": 214,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "sched_yield": 124,
            "mremap": 216,
            "madvise": 233,
            "getpid": 172,
            "exit": 93,
            "gettid": 178,
            "futex": 98,
            "restart_syscall": 128,
            "clock_gettime": 113,
            "exit_group": 94,
            "tgkill": 131,
            "getrandom": 278,
        },
    ),
}

_PROT_EXEC = 4
_MAP_TYPE, _MAP_PRIVATE, _MAP_ANONYMOUS = 0x0F, 0x02, 0x20
_MADV_DONTNEED, _MADV_FREE, _MADV_HUGEPAGE, _MADV_NOHUGEPAGE = 4, 8, 14, 15


def _conditions(process: int) -> dict[str, tuple[_Condition, ...]]:
    """Return the conditions on arguments of allowed calls."""
    no_code = _Condition(2, (0,), _PROT_EXEC)
    # Private memory is counted by RLIMIT_DATA.
    private = _Condition(3, (_MAP_ANONYMOUS | _MAP_PRIVATE,), _MAP_ANONYMOUS | _MAP_TYPE)
    return {
        "read": (_Condition(0, _STANDARD[:1]),),
        "write": (_Condition(0, _STANDARD[1:]),),
        "mmap": (no_code, private),
        "mprotect": (no_code,),
        "madvise": (_Condition(2, (_MADV_DONTNEED, _MADV_FREE, _MADV_HUGEPAGE, _MADV_NOHUGEPAGE)),),
        "tgkill": (_Condition(0, (process,)),),
    }


# The packet filter's instructions, and the offsets in struct seccomp_data of the call, the architecture, and the lower
# half of the first argument (both architectures are little-endian).
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_CALL, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_RET_ALLOW, _RET_ERRNO = 0x7FFF_0000, 0x0005_0000


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _filter(numbers: _Numbers, process: int) -> bytes:
    """Compile the list to a program of the kernel's packet filter. It refuses everything else, including 32-bit calls
    (by their architecture) and x32 calls (whose numbers have a bit that no listed one has).
    """
    refuse = _instruction(_RETURN, _RET_ERRNO | errno.EPERM)
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_JUMP_IF_EQUAL, numbers.architecture, then=1),
        refuse,
        _instruction(_LOAD, _CALL),
    ]
    conditions = _conditions(process)
    for name, number in numbers.allowed.items():
        body = []
        for condition in conditions.get(name, ()):
            body += [
                _instruction(_LOAD, _ARGUMENT + 8 * condition.argument),
                _instruction(_AND, condition.mask),
                # skip the other values and the refusal
                *(
                    _instruction(_JUMP_IF_EQUAL, value, then=len(condition.values) - position)
                    for position, value in enumerate(condition.values)
                ),
                refuse,
            ]
        body.append(_instruction(_RETURN, _RET_ALLOW))
        program += [_instruction(_JUMP_IF_EQUAL, number, otherwise=len(body)), *body]
    return b"".join([*program, refuse])


_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION_3 = 0x2008_0522
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # on all architectures
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_FILES = {1: 0x1FFF, 2: 0x2000, 3: 0x4000, 5: 0x8000}  # rights by version; 2: refer, 3: truncate, ...
_LANDLOCK_NETWORK = {4: 0x3}  # bind and connect TCP
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class _Libc:
    """System calls that the standard library does not have."""

    def __init__(self, numbers: _Numbers) -> None:
        self._numbers = numbers
        self._library = ctypes.CDLL(None, use_errno=True)
        self._library.syscall.restype = ctypes.c_long

    def _call(self, number: int, *arguments: int | bytes | None) -> int:
        """Make a system call and return its result. Raises OSError."""
        passed = [
            ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)
            for argument in arguments
        ]
        result: int = self._library.syscall(ctypes.c_long(number), *passed)
        if result == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def drop_privileges(self) -> None:
        """Drop root's capabilities and the means to get new ones, and become undumpable: other processes of the same
        user cannot read the memory and environment of an undumpable process.
        """
        for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
            if self._library.prctl(option, *(ctypes.c_ulong(argument) for argument in (value, 0, 0, 0))) != 0:
                raise OSError(f"the kernel refuses prctl({option}): {os.strerror(ctypes.get_errno())}")
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        self._call(self._numbers.capset, header, bytes(24))  # three words for each half of the capabilities

    def restrict_files(self) -> None:
        """Deny files and TCP with Landlock where the kernel has it: a second barrier behind the filter."""
        try:
            version = self._call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
        except OSError:
            return  # an old kernel, or Landlock is disabled
        handled = [
            sum(bits for since, bits in kind.items() if since <= version)
            for kind in (_LANDLOCK_FILES, _LANDLOCK_NETWORK)
        ]
        # An old kernel accepts a longer record than its own if the rest is zero.
        ruleset = self._call(_LANDLOCK_CREATE_RULESET, struct.pack("=2Q", *handled), 16, 0)
        try:
            self._call(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)

    def install_filter(self, instructions: bytes) -> None:
        """Install the filter on all threads, and check that it works."""
        program = _Program(len(instructions) // 8, instructions)
        try:
            thread = self._call(
                self._numbers.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.addressof(program)
            )
        except OSError as error:
            raise OSError(_REFUSALS.get(error.errno or 0, f"the kernel refuses the seccomp filter: {error}")) from None
        if thread:
            raise OSError(f"the kernel cannot put the seccomp filter on thread {thread}, which has another one")
        # getppid(2) never fails. An emulator may accept a filter and ignore it.
        if os.getppid() != -errno.EPERM:  # libc passes the kernel's result on
            raise OSError("the kernel took the seccomp filter and does not apply it")


_NO_SECCOMP = "the kernel has no seccomp filters (Linux has them since 3.17, with CONFIG_SECCOMP_FILTER)"
_FORBIDDEN = "seccomp is forbidden here, for example by the profile of the container"
_REFUSALS = {errno.ENOSYS: _NO_SECCOMP, errno.EINVAL: _NO_SECCOMP, errno.EPERM: _FORBIDDEN, errno.EACCES: _FORBIDDEN}
