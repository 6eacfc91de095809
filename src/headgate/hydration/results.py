"""Rendered results, kept in a folder by the id of their inputs, so that several jobs can share the work.

The folder is not trusted: an entry counts only with a keyed hash (RFC 2104) that binds it to
its inputs and to the engine; all else is rendered. Errors are not kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import zlib
from contextlib import closing, suppress
from dataclasses import asdict, astuple, dataclass, field
from typing import TYPE_CHECKING, Any

from headgate import __version__
from headgate.engine import pool
from headgate.engine.protocol import EngineObject
from headgate.errors import HeadgateError, Location, UnstableError
from headgate.hydration.assemble import assemble
from headgate.notice import Notice
from headgate.records import frozen_record
from headgate.render import ENGINES
from headgate.render.protocol import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from headgate.configuration import Configuration, Owner
    from headgate.hydration.assemble import Hydrated, RenderCache
    from headgate.hydration.plan import Planned
    from headgate.render.protocol import Render

_RECHECKED = 50
"""One in this many kept results is rendered again, to find inputs that their id omits."""
_HASH_LENGTH = hashlib.sha256().digest_size
_SUFFIX = ".result"
_MAX_BYTES = 500_000_000
_MAX_ENTRY = 64_000_000


@dataclass
class Tally:
    """The numbers of results that a run took from the folder, rendered itself, and could not use."""

    taken: int = 0
    rendered: int = 0
    unusable: int = 0

    def __str__(self) -> str:
        """Return it as one line; empty if the folder was empty."""
        if not self.taken and not self.unusable:
            return ""
        counts = f"{self.taken} results were rendered by other jobs, {self.rendered} here"
        wrong = f"{self.unusable} kept results were not used: truncated, or made with another key"
        return f"{counts}; {wrong}" if self.unusable else counts


@frozen_record
class ResultFolder:
    """A folder of results. Only trusted jobs know the ``key``; ``job`` names the writing one.

    ``recheck_salt`` chooses which results are rendered again: another choice in each run.
    """

    path: Path
    key: bytes = field(repr=False)
    job: str = ""
    recheck_salt: str = ""
    tally: Tally = field(default_factory=Tally, compare=False)

    @staticmethod
    def of(path: Path, secret: str, job: str, recheck_salt: str) -> ResultFolder:
        """Return the folder with a key that is made from a secret of trusted jobs."""
        key = hmac.digest(secret.encode(), b"headgate results", hashlib.sha256)
        return ResultFolder(path=path, key=key, job=job, recheck_salt=recheck_salt)

    def read(self, name: str, render: Render) -> Kept | None:
        """Return the result of a name; None without a valid one."""
        try:
            content = _read(self.path / name)
            os.utime(self.path / name, follow_symlinks=False)  # for `trim`
        except OSError:
            return None
        proof, packed = content[:_HASH_LENGTH], content[_HASH_LENGTH:]
        if not hmac.compare_digest(proof, self._proof(name, packed)):
            self.tally.unusable += 1
            return None
        return _unpacked(packed, render)

    def write(self, name: str, result: Result) -> None:
        """Keep a result, but no error. A full disk only costs later jobs time."""
        if result.error is not None:
            return
        packed, file = _packed(result, self.job), self.path / name
        unfinished = file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self.path.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(self._proof(name, packed) + packed)
            unfinished.replace(file)

    def trim(self) -> None:
        """Remove the least recently used results if the folder is too large for GitLab's cache."""
        files = sorted(self.path.glob(f"*{_SUFFIX}"), key=lambda file: file.lstat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.lstat().st_size
            if total > _MAX_BYTES:
                with suppress(OSError):  # a job may have put a folder there
                    file.unlink()

    def is_rechecked(self, name: str) -> bool:
        """Whether this run renders a kept result again."""
        chosen = hashlib.sha256(f"{self.recheck_salt}\0{name}".encode()).digest()
        return int.from_bytes(chosen[:4]) % _RECHECKED == 0

    def _proof(self, name: str, packed: bytes) -> bytes:
        return hmac.digest(self.key, name.encode() + b"\0" + packed, hashlib.sha256)


@frozen_record
class Kept:
    """A result that was kept, and the job that rendered it."""

    result: Result
    job: str


def render_all(
    configuration: Configuration,
    plans: Sequence[Planned],
    cache: RenderCache,
    folder: ResultFolder | None,
    progress: Callable[[str, str], None],
) -> tuple[dict[Owner, Hydrated], dict[Owner, HeadgateError]]:
    """Return the objects of each plan, or its error. Results in ``cache`` or ``folder`` are not rendered again."""
    hydrated: dict[Owner, Hydrated] = {}
    errors: dict[Owner, HeadgateError] = {}
    to_render = []
    for plan in plans:
        known = cache.get(plan)
        if known is None:
            to_render.append(plan)
        else:
            hydrated[plan.record.name, plan.environment] = known
    for plan, result in results_of(to_render, folder):
        key = (plan.record.name, plan.environment)
        progress(*key)
        try:
            hydrated[key] = assemble(plan, result, configuration)
        except HeadgateError as error:
            errors[key] = error
        else:
            cache.add(hydrated[key])
    return hydrated, errors


def results_of(plans: Iterable[Planned], folder: ResultFolder | None) -> Iterator[tuple[Planned, Result]]:
    """Yield each plan with its result, from the folder or from its engine, in any order."""
    to_render: dict[Render, Planned] = {}
    names: dict[Render, str] = {}
    kept: dict[Render, Kept] = {}
    for plan in plans:
        render = plan.render
        if folder is not None:
            names[render] = _name(plan)
            found = folder.read(names[render], render)
            if found and not folder.is_rechecked(names[render]):
                folder.tally.taken += 1
                yield plan, found.result
                continue
            if found:
                kept[render] = found
        to_render[render] = plan
    for name, engine in ENGINES.items():
        batch = [render for render in to_render if render.engine == name]
        with closing(engine(batch)) as results:  # the engine stops whatever ends the loop
            for result in results:
                if folder is not None:
                    folder.tally.rendered += 1
                    folder.write(names[result.render], result)
                yield to_render[result.render], _compared(kept.get(result.render), result)


def _compared(kept: Kept | None, result: Result) -> Result:
    """Return a result, or an error if another job rendered something else from the same inputs."""
    if kept is None or _as_data(kept.result) == _as_data(result):
        return result
    error = UnstableError(
        f"{kept.job or 'another job'} rendered something else from the same inputs",
        hint="a fault of Headgate or of a machine: please report it, with both; until then remove the kept results "
        "(headgate-results/, and the cache of this pipeline)",
    )
    return Result(render=result.render, error=error)


def _name(plan: Planned) -> str:
    """Identify what a result depends on: inputs, names in it, budget, and the programs that make it."""
    render = plan.render
    facts = [__version__, pool.build(), plan.inputs, render.label, render.folder, asdict(render.budget)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest() + _SUFFIX


def _read(file: Path) -> bytes:
    """Return an entry; nothing if a job put something else there, such as a link to an endless file."""
    found = file.lstat()
    return file.read_bytes() if stat.S_ISREG(found.st_mode) and found.st_size <= _MAX_ENTRY else b""


def _as_data(result: Result) -> dict[str, Any]:
    objects = [[item.data, item.source, item.hook, item.text] for item in result.objects]
    warnings = [[notice.what, notice.where and astuple(notice.where)] for notice in result.warnings]
    return {"objects": objects, "warnings": warnings, "error": result.error and str(result.error)}


def _packed(result: Result, job: str) -> bytes:
    content = {**_as_data(result), "job": job}
    return zlib.compress(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"), 1)


def _unpacked(packed: bytes, render: Render) -> Kept:
    content = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    objects = [
        EngineObject(data=data, source=source, hook=tuple(hook), text=text)
        for data, source, hook, text in content["objects"]
    ]
    warnings = tuple(Notice(what, Location(*where) if where else None) for what, where in content["warnings"])
    return Kept(result=Result(render=render, objects=tuple(objects), warnings=warnings), job=content["job"])
