"""A chart's files, completed with its dependencies, and what its templates use. Nothing is fetched."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.dependencies.archive import without_archives
from headgate.dependencies.requirements import LOCAL, dependencies, local_chart, vendored
from headgate.errors import Place, RenderError
from headgate.render.values import read_layer
from headgate.repository.tree import Tree, check_input

if TYPE_CHECKING:
    from headgate.repository.tree import Blob

# Functions of Helm's templates whose result differs from call to call.
# https://helm.sh/docs/chart_template_guide/function_list/ ; htpasswd, bcrypt and encryptAES salt what they hash.
_RANDOM = re.compile(
    r"(?<![\w.$])(?:rand(?:AlphaNum|Alpha|Numeric|Ascii|Bytes|Int)|uuidv4|shuffle|htpasswd|bcrypt|encryptAES|now|ago|"
    r"genCA(?:WithKey)?|genSelfSignedCert(?:WithKey)?|genSignedCert(?:WithKey)?|genPrivateKey|"
    r"date(?:InZone)?|date_in_zone|htmlDate(?:InZone)?|unixEpoch)\b"
)
_LOOKUP = re.compile(r"(?<![\w.$])lookup\b")
# What is opened and never closed ends with the text: looking for its end from each opening would take hours.
_ACTION = re.compile(r"\{\{.*?(?:\}\}|\Z)", re.DOTALL)
_NOW = re.compile(r"\"(?:\\.|[^\"\\])*+(?:\"|\\?\Z)|`[^`]*(?:`|\Z)|/\*.*?(?:\*/|\Z)|(?<![\w.$])now(?!\w)", re.DOTALL)
_ANOTHER_TIME = '(toDate "2006-01-02T15:04:05" "2001-02-03T04:05:06")'
_MAX_NESTING = 10


@dataclass(frozen=True)
class Chart:
    """A chart with all its dependencies in ``charts/``.

    ``at_another_time`` is the same chart for a second render, when its templates use random functions or the
    clock: there ``now`` is another moment, so that a date shows as well as a second. ``lookups`` are the
    templates that ask the cluster. ``takes_images``: its own values have the key ``images``; other charts may
    forbid keys that they do not know.
    """

    files: Tree
    at_another_time: Tree | None
    lookups: tuple[str, ...]
    takes_images: bool


def complete(scope: Tree, folder: str, label: str) -> Chart:
    """Bring a chart and its dependencies together.

    ``scope`` holds what ``file://`` may reach, ``folder`` is the chart's place in it, ``label`` its name in
    messages. Raises RenderError for a dependency that is not there, UnsafeFileError for one that leaves the
    scope or an archive that does.
    """
    files = Tree(_with_dependencies(scope, folder, label, 0))
    check_input(files, label)
    texts = {path: _text(files, path) for path in files.paths() if _is_template(path)}
    actions = {path: " ".join(_ACTION.findall(text)) for path, text in texts.items()}
    unstable = any(_RANDOM.search(action) for action in actions.values())
    lookups = tuple(path for path, action in actions.items() if _LOOKUP.search(action))
    defaults = read_layer(files, "values.yaml")
    takes_images = defaults is not None and "images" in defaults.values
    return Chart(files, _another_time(files, texts) if unstable else None, lookups, takes_images)


def _is_template(path: str) -> bool:
    return "templates/" in path or posixpath.basename(path) == "values.yaml"


def _text(files: Tree, path: str) -> str:
    return files.read(path).decode("utf-8", "replace")


def _another_time(files: Tree, texts: dict[str, str]) -> Tree:
    changed = {
        path: _ACTION.sub(lambda action: _NOW.sub(_shifted, action[0]), text).encode() for path, text in texts.items()
    }
    return files.with_changes({path: data for path, data in changed.items() if data != files.read(path)})


def _shifted(match: re.Match[str]) -> str:
    return _ANOTHER_TIME if match[0] == "now" else match[0]


def _with_dependencies(scope: Tree, folder: str, label: str, depth: int) -> dict[str, Blob]:
    if depth > _MAX_NESTING:
        raise RenderError(f"dependencies nested deeper than {_MAX_NESTING}", where=Place(f"{label}/Chart.yaml"))
    chart = without_archives(scope.folder(folder), label)
    blobs: dict[str, Blob] = {path: chart.blob(path) for path in chart.paths()}
    present = vendored(chart)
    for dependency in dependencies(chart, label):
        name, repository = str(dependency.get("name", "")), str(dependency.get("repository") or "")
        if name in present:
            continue
        if not repository.startswith(LOCAL):
            raise _missing(name, repository, label)
        target = local_chart(folder, repository, label)
        if f"{target}/Chart.yaml" not in scope:
            raise _missing(name, repository, label)
        nested = _with_dependencies(scope, target, f"{label}/charts/{name}", depth + 1)
        blobs.update({f"charts/{name}/{path}": blob for path, blob in nested.items()})
    return blobs


def _missing(name: str, repository: str, label: str) -> RenderError:
    origin = f" (from {repository})" if repository else ""
    return RenderError(
        f"the dependency '{name}'{origin} is not in charts/",
        where=Place(f"{label}/Chart.yaml"),
        hint="hydration reads no network: run 'helm dependency build' and commit charts/; of an app's own config a "
        "hand-off fetches what Chart.lock names",
    )
