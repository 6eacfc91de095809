"""headgate.lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from headgate.model.fields import Engine, StrictModel, Text


class Lock(StrictModel):
    """headgate.lock: the versions that hydrated this repository. Other versions refuse it."""

    version: Literal[1, 2] = 1
    """Version of this file's format; with 2, pending groups are recorded next to each release."""
    output: int
    """Version of the canonical output."""
    engines: Mapping[Engine, Text] = Field(default_factory=dict)
    """Version of each used engine."""
    rules: int = 0
    """Generation of the validation rules that this repository began with: newer rules only warn."""
