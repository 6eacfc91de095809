"""The common part of programs that judge as policies: their input, how they run, and their output."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headgate import process
from headgate.errors import ToolError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.objects.manifest import Manifest

_LIMITS = process.Limits(seconds=300, output=64 * process.MEBI)
MAX_MESSAGE = 500


@frozen_record(kw_only=False)
class JudgedObject:
    """An object that a program is shown, and the number of the subject that has it."""

    subject: int
    environment: str
    app: str
    manifest: Manifest


@frozen_record(kw_only=False)
class ProgramFinding:
    """A program's finding in an object; ``advice``: its own policy only warns."""

    judged: JudgedObject
    message: str
    advice: bool


def run(command: Sequence[str], files: Mapping[str, bytes]) -> process.Completed:
    """Run a program in a folder of its own with files, whatever its exit code.

    It does not get the environment of this process, in which tokens are. Raises ToolError when it is not there or runs
    for too long.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        for path, data in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        env = {**process.inherited(["PATH"]), "HOME": folder}
        return process.run(command, env=env, cwd=folder, limits=_LIMITS, check=False)


@contextmanager
def read_from(program: str, completed: process.Completed) -> Iterator[str]:
    """Give what a program printed, to be read. Raises ToolError where that is nothing, or not what it prints."""
    text = completed.stdout.decode("utf-8", "replace")
    try:
        if completed.code and not text.strip():
            raise ValueError  # noqa: TRY301  as what is no JSON
        yield text
    except ValueError:
        said = " ".join((completed.stderr or text).split())[:MAX_MESSAGE]
        raise ToolError(
            f"{program} printed no findings (exit code {completed.code}): {said}",
            hint="run it by hand in a folder with policies/ and objects/, as docs/policies.md says",
        ) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ToolError(f"{program} printed no valid JSON, or findings about other objects") from error
