"""The arguments of ``headgate adopt``, and how they and answers in a terminal are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headgate.adoption.choices import Choices, LayoutName
from headgate.errors import ArgumentError
from headgate.records import frozen_record
from headgate.repository.folder_tree import tree_of_any_folder
from headgate.repository.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headgate.model.fields import Delivery


@frozen_record
class AdoptOptions:
    """The command's arguments. ``manifests`` is the checkout that gets the files, if that is another one."""

    source: Path
    manifests: Path | None = None
    environments: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    layout: LayoutName = "auto"
    namespaces: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    digests: bool = False
    kubernetes: str = "1.34"
    charts: Path | None = None
    today: Path | None = None
    accept_differences: bool = False
    dry_run: bool = False
    branch: str = "adopt-headgate"
    merge_request: bool = False
    server: str = ""
    project: str = ""
    token_variable: str = "HEADGATE_TOKEN"  # noqa: S105  a name
    report: Path | None = None
    signing_key: str = ""
    json: bool = False


def choices_of(request: AdoptOptions) -> Choices:
    """Return the choices in the arguments. Raises ArgumentError for invalid ones."""
    return Choices(
        environments=_environments(request.environments),
        layout=request.layout,
        apps=_pairs(request.apps),
        leave_out=frozenset(request.leave_out),
        namespaces=_pairs(request.namespaces, alone=True),
        hooks=_hooks(request.hooks),
        images=_lists(request.images),
        projects=_pairs(request.projects),
        kubernetes=request.kubernetes,
        charts=_folder(request.charts, "--charts"),
        today=_folder(request.today, "--today") if request.today is not None else None,
    )


def _folder(path: Path | None, option: str) -> Tree:
    if path is None:
        return Tree({})
    if not path.is_dir():
        raise ArgumentError(f"{option} names no folder: {path}")
    return tree_of_any_folder(path)


def _environments(texts: Sequence[str]) -> dict[str, Delivery | None]:
    """Read ``NAME`` and ``NAME:DELIVERY``."""
    found: dict[str, Delivery | None] = {}
    for text in texts:
        name, _, delivery = text.partition(":")
        if not name or delivery not in ("", "commit", "review"):
            raise ArgumentError(f"the environment is {text!r}, expected NAME, NAME:commit or NAME:review")
        found[name] = "commit" if delivery == "commit" else "review" if delivery else None
    return found


def _pairs(texts: Sequence[str], *, alone: bool = False) -> dict[str, str]:
    """Read ``APP=TEXT``; with ``alone`` also ``TEXT``, for all apps."""
    found = {}
    for text in texts:
        app, equals, value = text.partition("=")
        if not equals and alone:
            app, value = "", text
        if not value:
            raise ArgumentError(f"expected APP={'...'}, found {text!r}")
        found[app] = value
    return found


def _lists(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        for app, value in _pairs([text]).items():
            found[app] = (*found.get(app, ()), value)
    return found


def _hooks(texts: Sequence[str]) -> dict[str, str]:
    found = _pairs(texts)
    for app, value in found.items():
        if value not in ("drop", "keep"):
            raise ArgumentError(f"the hooks of '{app}' are {value!r}, expected drop or keep")
    return found


ANSWERS: dict[str, Callable[[Choices, str], Choices]] = {
    "--environment": lambda known, text: replace(known, environments=_environments(text.split())),
    "--app": lambda known, text: replace(known, apps={**known.apps, **_pairs([text])}),
    "--hooks": lambda known, text: replace(known, hooks={**known.hooks, **_hooks([text])}),
    "--namespace": lambda known, text: replace(known, namespaces={**known.namespaces, **_pairs([text])}),
}
"""The questions in a terminal, by option, and how an answer changes the choices."""
