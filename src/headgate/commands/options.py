"""The options of every command that changes a manifest repository. Loads nothing, so that `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The shared options. ``intent`` is an id: what landed with it is not done again. ``by`` names the actor."""

    manifests: str
    intent: str = ""
    diff: bool = False
    json: bool = False
    signing_key: str = ""
    by: str = ""
