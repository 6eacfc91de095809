"""Whether the engine can lock itself in where the doctor runs: on a runner of the kind that hydrates, if possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.doctor.diagnosis import Diagnosis
from headgate.engine import pool

if TYPE_CHECKING:
    from headgate.model import Settings


def sandbox(settings: Settings | None) -> Diagnosis:
    """Look at the sandbox of this machine, and at what headgate.yaml requires."""
    locked, reason = pool.status()
    required = settings is None or settings.sandbox == "required"
    if locked:
        return Diagnosis("sandbox", "ok", "this machine", "the engine locks itself in (seccomp)")
    if required:
        return Diagnosis(
            "sandbox",
            "wrong",
            "this machine",
            f"the engine cannot lock itself in ({reason}), so apps' files are refused",
            "use runners on Linux with seccomp, or set 'sandbox: optional' in headgate.yaml",
        )
    message = f"the engine cannot lock itself in ({reason}), and headgate.yaml says 'sandbox: optional'"
    return Diagnosis("sandbox", "cannot tell", "this machine", message, "an app's files could harm this job")
