"""A person's choices for an adoption, and the questions that are left. Pure."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from headgate.errors import ArgumentError
from headgate.records import frozen_record
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.model.fields import Delivery

LayoutName = Literal["auto", "flux", "folders"]
"""``flux``: what Flux's Kustomizations apply; ``folders``: what the names of folders say; ``auto``: the first that is
there."""


@frozen_record
class Choices:
    """The choices on the command line. ``environments`` are names with their delivery, in the order of promotion.

    ``apps`` maps an app to its folder with ``{environment}`` in it, and after a colon to values files; without one,
    apps are found. ``namespaces``, ``hooks``, ``images`` (repositories) and ``projects`` are by app. ``charts`` holds
    charts and archives, ``today`` final YAML by environment and app that another program rendered.
    """

    environments: Mapping[str, Delivery | None] = field(default_factory=dict)
    layout: LayoutName = "auto"
    apps: Mapping[str, str] = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    namespaces: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    projects: Mapping[str, str] = field(default_factory=dict)
    kubernetes: str = "1.34"
    charts: Tree = field(default_factory=lambda: Tree({}))
    today: Tree | None = None


class OpenQuestionError(ArgumentError):
    """A question that the files leave open. ``option`` answers it, ``prefix`` is the beginning of its answer."""

    def __init__(self, question: str, option: str, example: str, prefix: str = "") -> None:
        """Ask a question."""
        super().__init__(question, hint=f"pass {option} {example}")
        self.option = option
        self.prefix = prefix
