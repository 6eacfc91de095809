"""headgate.lock: the engine versions that hydrated a repository; an upgrade is a visible change. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate import tools
from headgate.errors import Location, LockError
from headgate.model import Lock
from headgate.objects.canonical import OUTPUT_FORMAT
from headgate.paths import LOCK
from headgate.validation.rules import GENERATION
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headgate.repository.tree import Changes

_HEADER = (
    "# Written by Headgate: the versions that hydrated this repository. 'headgate hydrate --upgrade' changes them.\n"
)


def check(lock: Lock | None, engines: Iterable[str]) -> None:
    """Raise LockError when the lock names another version of one of these engines or of the output."""
    if lock is None:
        return
    here = _versions(engines)
    locked: dict[str, str] = {str(engine): version for engine, version in lock.engines.items()}
    differing = [
        f"{engine} {locked[engine]} (here: {version})"
        for engine, version in here.items()
        if locked.get(engine, version) != version
    ]
    if lock.output != OUTPUT_FORMAT:
        differing.append(f"output format {lock.output} (here: {OUTPUT_FORMAT})")
    if differing:
        raise LockError(
            f"the repository was hydrated with {', '.join(differing)}",
            where=Location(LOCK),
            hint="use those versions, or upgrade in a merge request, whose pipeline hydrates everything again; "
            "without GitLab, run 'headgate hydrate --upgrade' and review its changes",
        )


def changes(lock: Lock | None, engines: Iterable[str], *, upgrade: bool, lands: bool = True) -> Changes:
    """Return the change of the lock when it lacks a used engine or, with ``upgrade``, names another version.

    A run that ``lands`` raises the lock to version 2: Headgate 1.0.0 does not know the records next to a release.
    """
    named: dict[str, str] = {str(engine): version for engine, version in lock.engines.items()} if lock else {}
    here = _versions(engines)
    updated = {**named, **here} if upgrade else {**here, **named}
    version = 2 if lands or lock is None else lock.version
    rules = GENERATION if lock is None else lock.rules
    new = Lock.model_validate(
        {"version": version, "output": OUTPUT_FORMAT, "engines": dict(sorted(updated.items())), "rules": rules}
    )
    if new == lock or (lock is None and not updated and not lands):
        return {}
    return {LOCK: (_HEADER + write({"version": version, **new.model_dump(exclude_defaults=True)})).encode()}


def _versions(engines: Iterable[str]) -> dict[str, str]:
    versions = {engine: tools.engine_version(engine) for engine in sorted(engines)}
    return {engine: version for engine, version in versions.items() if version}
