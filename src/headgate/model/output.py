"""Where final YAML is: its folder, and the copies of it."""

from __future__ import annotations

from headgate.model.fields import Branch, SafeFolder, StrictModel


class Mirror(StrictModel):
    """A branch with a copy of an environment's YAML from the default branch."""

    branch: Branch
    """Branch to write; may contain `{environment}`."""
    path: SafeFolder = "{app}"
    """Folder of an app on that branch; may contain `{environment}` and `{app}`."""


class Output(StrictModel):
    """Location of the final YAML."""

    path: SafeFolder = "deploy/{environment}/{app}"
    """Folder of an app in an environment; may contain `{environment}` and `{app}`."""
    mirror: Mirror | None = None
    """A branch with a copy of the YAML."""
