"""A person's terminal, into which the blocks of a page are typed as they stand there.

bash runs them. ``headgate`` is a program that hands its arguments to this process, which saves each command an
interpreter's start and lets a test look at what each one did before the next one runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

from support.cli import Ran, headgate

_SECONDS = 600
_PROGRAM = """\
#!{python} -IS
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", {port})) as connection, connection.makefile("rw") as both:
    both.write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]) + "\\n")
    both.flush()
    code, out, err = json.loads(both.readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""

Run = Callable[[], Ran]


@dataclass(kw_only=True)
class Terminal:
    """A shell in a folder, whose variables stay from block to block, and which programs see.

    ``around`` runs each command of Headgate by what it is given; the code of what that returns is what bash sees.
    """

    programs: Path
    folder: Path
    around: Callable[[list[str], Run], Ran]
    variables: dict[str, str] = field(default_factory=dict)

    def add_program(self, name: str, text: str) -> None:
        """Write a program that commands find first."""
        file = self.programs / name
        self.programs.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def run(self, text: str) -> str:
        """Type a block, and return what it printed on standard output; a command that fails raises."""
        kept = self.programs / "variables"
        script = f"set -aeuo pipefail\n{text}\nenv -0 > {kept}\n"
        environment = {**os.environ, "COLUMNS": "80", **self.variables}
        environment["PATH"] = f"{self.programs}:{os.environ['PATH']}"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.add_program("headgate", _PROGRAM.format(python=sys.executable, port=port))
            out, err = self.programs / "out", self.programs / "err"
            with out.open("w") as stdout, err.open("w") as stderr:
                process = subprocess.Popen(
                    ["bash", "-c", script],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                )
            try:
                self._serve(listener, process)
            finally:
                process.kill()
                process.wait()
        printed = out.read_text()
        assert process.returncode == 0, f"{text}\n{printed}{err.read_text()}"
        found = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        own = {name: value for name, value in found.items() if os.environ.get(name) != value}
        self.variables = {
            name: value for name, value in own.items() if name not in ("PATH", "PWD", "OLDPWD", "SHLVL", "_")
        }
        return printed

    def _serve(self, listener: socket.socket, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _SECONDS
        while process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            if select.select([listener], [], [], 0.01)[0]:
                connection, _ = listener.accept()
                with connection, connection.makefile("rw") as both:
                    arguments, folder, environment = json.loads(both.readline())
                    with contextlib.chdir(folder), mock.patch.dict(os.environ, environment, clear=True):
                        ran = self.around(arguments, partial(headgate, *arguments))
                    both.write(json.dumps([ran.code, ran.out, ran.err]) + "\n")
                    both.flush()
