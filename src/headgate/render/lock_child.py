"""How the process that renders Jinja2 locks itself in, before it reads the first byte of input.

It can then compute, read standard input, write standard output and standard error, and end: no files, no sockets, no
programs, no other processes. ``image/engine/lock_linux.go`` does the same for the engine, where Go's runtime needs
other system calls. This module is loaded by its path, and imports nothing of Headgate.
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
    """Take from this process, for good, all that rendering does without, and set limits (`limit`).

    What is refused fails with EPERM. So whatever may be imported must have been imported before. Raises OSError with
    the reason if this system cannot do it; the process is then not locked in, though some steps may have been taken.
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
    _lower(resource.RLIMIT_NOFILE, 0)  # a belt: what has no number to be opened under cannot be opened
    libc.install_filter(_filter(numbers, os.getpid()))


_MAX_32_BIT = 2**31 - 1


def limit(memory: int, seconds: int) -> None:
    """Limit what this process may use: ``memory`` in bytes, ``seconds`` of processor time (0: none); no core dumps."""
    if memory:
        _lower(resource.RLIMIT_DATA, memory)  # counts what was mapped to be written
    if seconds:
        _lower(resource.RLIMIT_CPU, seconds)
    _lower(resource.RLIMIT_CORE, 0)  # it would put the input of other requests on a disk


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
    """An argument of a system call (the first is 0) which, after the mask, is one of the values.

    The lower 32 bits are compared: the kernel takes no more of descriptors, advice and process ids, and what is
    compared of protections and flags of mappings lies in them.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF


class _Numbers(NamedTuple):
    """What differs between architectures: the architecture's own number, and those of system calls."""

    architecture: int
    seccomp: int
    capset: int
    allowed: dict[str, int]


# Proved on x86_64, where the tests run. On aarch64 their hostile program has failed once, on an emulated machine (Linux
# 6.1, Python 3.11), and nothing runs it there since.
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
    """Return what must hold of the arguments of allowed calls."""
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


# The packet filter's instructions, and where struct seccomp_data holds the call, the architecture, and the lower half
# of the first argument (both architectures are little-endian).
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_CALL, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_RET_ALLOW, _RET_ERRNO = 0x7FFF_0000, 0x0005_0000


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _filter(numbers: _Numbers, process: int) -> bytes:
    """Compile the list to a program of the kernel's packet filter. Everything but what is on the list is refused: with
    it 32-bit calls, by their architecture, and those of x32, whose numbers have a bit that none on the list has.
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
                # past the other values and the refusal
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
_LANDLOCK_FILES = {1: 0x1FFF, 2: 0x2000, 3: 0x4000, 5: 0x8000}  # what each version can deny; 2: refer, 3: truncate, ...
_LANDLOCK_NETWORK = {4: 0x3}  # to bind and connect TCP
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class _Libc:
    """The system calls that the standard library has no names for."""

    def __init__(self, numbers: _Numbers) -> None:
        self._numbers = numbers
        self._library = ctypes.CDLL(None, use_errno=True)
        self._library.syscall.restype = ctypes.c_long

    def _call(self, number: int, *arguments: int | bytes | None) -> int:
        """Return what a system call returns. Raises OSError."""
        passed = [
            ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)
            for argument in arguments
        ]
        result: int = self._library.syscall(ctypes.c_long(number), *passed)
        if result == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def drop_privileges(self) -> None:
        """Give up root's capabilities, any chance to get new ones, and being looked into: the memory and environment of
        a process that is not dumpable are closed to others of the same user.
        """
        for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
            if self._library.prctl(option, *(ctypes.c_ulong(argument) for argument in (value, 0, 0, 0))) != 0:
                raise OSError(f"the kernel refuses prctl({option}): {os.strerror(ctypes.get_errno())}")
        header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
        self._call(self._numbers.capset, header, bytes(24))  # three words for each half of the capabilities

    def restrict_files(self) -> None:
        """Deny files and TCP by Landlock, where the kernel has it: a second wall behind the filter."""
        try:
            version = self._call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
        except OSError:
            return  # an old kernel, or one where it is switched off
        handled = [
            sum(bits for since, bits in kind.items() if since <= version)
            for kind in (_LANDLOCK_FILES, _LANDLOCK_NETWORK)
        ]
        # An old kernel takes a record that is longer than its own, as long as the rest is zero.
        ruleset = self._call(_LANDLOCK_CREATE_RULESET, struct.pack("=2Q", *handled), 16, 0)
        try:
            self._call(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)

    def install_filter(self, instructions: bytes) -> None:
        """Put the filter on all threads, and see whether it holds."""
        program = _Program(len(instructions) // 8, instructions)
        try:
            thread = self._call(
                self._numbers.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.addressof(program)
            )
        except OSError as error:
            raise OSError(_REFUSALS.get(error.errno or 0, f"the kernel refuses the seccomp filter: {error}")) from None
        if thread:
            raise OSError(f"the kernel cannot put the seccomp filter on thread {thread}, which has another one")
        # getppid(2) never fails. An emulator may take a filter, say yes, and do nothing with it.
        if os.getppid() != -errno.EPERM:  # libc returns what the kernel does
            raise OSError("the kernel took the seccomp filter and does not apply it")


_NO_SECCOMP = "the kernel has no seccomp filters (Linux has them since 3.17, with CONFIG_SECCOMP_FILTER)"
_FORBIDDEN = "seccomp is forbidden here, for example by the profile of the container"
_REFUSALS = {errno.ENOSYS: _NO_SECCOMP, errno.EINVAL: _NO_SECCOMP, errno.EPERM: _FORBIDDEN, errno.EACCES: _FORBIDDEN}
