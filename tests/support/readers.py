"""The readers of YAML that the engine is compared with: those of Kubernetes' world, in a Go program, and Python's.

with yaml_readers() as readers:
    readers.views("apiVersion: v1 ...", ALL)  # {"kubectl": [...], "flux": [...], ...}
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import yaml
from ruamel.yaml import YAML

from headgate import tools

PROGRAM = "yaml-readers"

GO = ("kubectl", "flux", "kustomize", "kyaml", "yaml.v3")
"""kubectl's and Flux's readers; Kustomize, as Flux sees its output, and as it has objects itself; yaml.v3 alone."""

_PYTHON: dict[str, Callable[[str], list[Any]]] = {
    "pyyaml": lambda text: list(yaml.load_all(text, Loader=yaml.CSafeLoader)),
    "ruamel": lambda text: list(YAML(typ="safe", pure=True).load_all(text)),
}

ALL = (*GO, *_PYTHON)

_INT64 = range(-(2**63), 2**63)


class ReaderError(Exception):
    """A reader does not take a text."""


@dataclass(frozen=True)
class Readers:
    """The running program with Go's readers."""

    told: IO[bytes]
    answers: IO[bytes]

    def views(self, text: str, names: Sequence[str] = ALL) -> dict[str, list[Any] | ReaderError]:
        """Return the objects that each reader sees, or why it sees none; scalars have their types (`typed`)."""
        found: dict[str, list[Any] | ReaderError] = {}
        self.told.write(json.dumps({"text": text, "readers": [name for name in names if name in GO]}).encode() + b"\n")
        self.told.flush()
        for name, view in json.loads(self.answers.readline()).items():
            found[name] = (
                ReaderError(view["error"]) if "error" in view else [typed(one) for one in view["objects"] or ()]
            )
        return found | {name: _view(_PYTHON[name], text) for name in names if name in _PYTHON}


def _view(read: Callable[[str], list[Any]], text: str) -> list[Any] | ReaderError:
    try:
        return [typed(one) for one in read(text)]
    except Exception as error:  # noqa: BLE001  what Python's readers raise is without end
        return ReaderError(f"{type(error).__name__}: {error}")


def typed(value: Any) -> Any:
    """Return data in which 1, 1.0 and true are not equal. A number that no int64 holds is a float to Kubernetes.

    Raises ReaderError for what JSON has no type for, such as a date.
    """
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            raise ReaderError(f"keys that are no strings: {[key for key in value if not isinstance(key, str)]}")
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return type(value).__name__, value
    if isinstance(value, int):
        return ("int", value) if value in _INT64 else ("float", float(value))
    if isinstance(value, float):
        return "float", value
    raise ReaderError(f"a value of the type {type(value).__name__}")


@contextmanager
def yaml_readers() -> Iterator[Readers]:
    """Run the program that ``make readers`` built."""
    program = tools.own_folder() / PROGRAM
    assert program.is_file(), f"no {program}: run 'make readers'"
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield Readers(running.stdin, running.stdout)
        running.stdin.close()
        assert running.wait(timeout=10) == 0
