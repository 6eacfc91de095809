"""The processes that read and render: which were started, and what each of them was given."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate import tools
from headgate.engine import pool
from headgate.engine.worker import Worker
from headgate.render import jinja

if TYPE_CHECKING:
    import pytest


@dataclass
class Processes:
    """Engines that were started, each with the lines that it was given."""

    given: list[list[bytes]] = field(default_factory=list)

    def start(self) -> list[bytes]:
        """Note that one was started, and return where its lines go."""
        lines: list[bytes] = []
        self.given.append(lines)
        return lines

    def with_text(self, text: str) -> list[int]:
        """Return the numbers of the processes that were given a text."""
        return [number for number, lines in enumerate(self.given) if any(text.encode() in line for line in lines)]

    @property
    def requests(self) -> list[list[str]]:
        """What each process was asked for: the kinds of the requests."""
        return [[kind for line in lines for kind in _kinds(json.loads(line))] for lines in self.given]


def _kinds(message: dict[str, Any]) -> list[str]:
    return [name for name in message if name not in ("request", "budget")] if "request" in message else []


OWN_CONFIGS = {
    "helm": {"Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n", "templates/a.yaml": "OBJECT"},
    "kustomize": {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": "OBJECT"},
    "jinja2": {"a.yaml.j2": "OBJECT"},
    "plain": {"a.yaml": "OBJECT"},
}
"""The files of a config for each engine."""


def config_with(engine: str, name: str, text: str) -> dict[str, str | bytes]:
    """Return a config that an engine renders to one ConfigMap with a text in it."""
    config_map = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: {text}}}\n"
    return {file: content.replace("OBJECT", config_map) for file, content in OWN_CONFIGS[engine].items()}


def noted(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Note what is given to engines and to processes that render Jinja2 from here on; all still run."""
    pool.close_all()
    processes = Processes()

    class Noted(Worker):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            lines, send = processes.start(), self.dialogue.send

            def noting(line: bytes) -> None:
                lines.append(line)
                send(line)

            self.dialogue.send = noting  # type: ignore[method-assign]

    monkeypatch.setattr(pool, "Worker", Noted)
    return processes


@contextmanager
def replaced(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> Iterator[Path]:
    """Run a script in place of the engine, whose path is in ``$ENGINE``, for as long as the block lasts."""
    program = folder / tools.ENGINE
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nENGINE='{tools.find_engine()}'\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with monkeypatch.context() as patch:
        patch.setenv("HEADGATE_TOOLS", str(folder))
        tools.find_engine.cache_clear()
        pool.close_all()
        try:
            yield program
        finally:
            pool.close_all()
            pool.require_sandbox(required=True)
    tools.find_engine.cache_clear()


@contextmanager
def unlocked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Let neither engines nor processes that render Jinja2 lock themselves in, as on a system that cannot."""
    with (
        replaced(monkeypatch, folder, 'exec "$ENGINE" --sandbox=false "$@"'),
        monkeypatch.context() as patch,
    ):
        command = jinja._command
        patch.setattr(jinja, "_command", lambda budget, requests: [*command(budget, requests), "--no-lock"])
        yield
