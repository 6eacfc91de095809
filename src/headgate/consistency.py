"""Checks of configuration files across keys, files and the repository. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.cluster_checks import check_clusters, check_health_of
from headgate.errors import ConfigError, ImageError, Location, did_you_mean
from headgate.model.fields import LABEL
from headgate.model.subject import FIELDS, unknown_field
from headgate.objects.images import canonical_repository
from headgate.objects.kinds import KUBERNETES
from headgate.paths import APPS, ENVIRONMENTS, LOCK, SETTINGS, TEMPLATES
from headgate.records import frozen_record
from headgate.yamltext.valuepath import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headgate.configuration import AppRecord, Configuration
    from headgate.engine.reading import SourceText
    from headgate.model import AcceptRule, Settings
    from headgate.repository.tree import Tree
    from headgate.yamltext.valuepath import KeyPath


def check_settings(settings: Settings, text: SourceText) -> None:
    """Check headgate.yaml across its keys. Raises ConfigError."""
    known = list(settings.environments)
    for name, environment in settings.environments.items():
        for index, take in enumerate(environment.takes):
            if take.promotion is not None and take.promotion not in settings.environments:
                path: KeyPath = ("environments", name, "takes", index, "promotion")
                raise _unknown("environment", take.promotion, known, text.place(path))
    for name in settings.permissions:
        if name not in settings.environments:
            raise _unknown("environment", name, known, text.place(("permissions", name)))
    _check_artifacts(settings, text)
    for name, receiver in settings.notifications.items():
        for index, environment_name in enumerate(receiver.environments):
            if environment_name not in settings.environments:
                place = text.place(("notifications", name, "environments", index))
                raise _unknown("environment", environment_name, known, place)
    _check_message(settings, text)
    _check_scopes(settings, text)
    check_clusters(settings, text)
    cycle = promotion_cycle({name: _sources(environment.takes) for name, environment in settings.environments.items()})
    if cycle:
        raise ConfigError(
            f"promotions form a cycle: {' -> '.join(cycle)}",
            where=text.place(("environments", cycle[0], "takes")),
            hint="remove one of these promotions",
        )


def _check_artifacts(settings: Settings, text: SourceText) -> None:
    """Check that no two environments push to the same tag."""
    known: dict[tuple[str, str], str] = {}
    for name, environment in settings.environments.items():
        if (oci := environment.output.oci) is not None:
            first = known.setdefault((oci.repository.replace("{environment}", name), oci.tag), name)
            if first != name:
                raise ConfigError(
                    f"{first} and {name} push artifacts to the same repository and tag",
                    where=text.place(("environments", name, "output", "oci", "repository")),
                    hint="put {environment} into the repository",
                )


def _check_message(settings: Settings, text: SourceText) -> None:
    template, path = settings.commits.message, ("commits", "message")
    try:
        unknown = unknown_field(template or "")
    except ValueError as error:
        raise ConfigError(
            f"expected a text with names in braces, found {template!r} ({error})",
            where=text.place(path),
            hint="write a literal brace twice: {{",
        ) from None
    if unknown is not None:
        raise _unknown("field", unknown, list(FIELDS), text.place(path))


def _check_scopes(settings: Settings, text: SourceText) -> None:
    for name, scope in settings.scopes.items():
        if KUBERNETES.get(name, scope) != scope:
            raise ConfigError(
                f"{name} is a built-in kind of Kubernetes with the scope {KUBERNETES[name]}, not {scope}",
                where=text.place(("scopes", name)),
                hint="remove it: 'scopes' is for custom resources",
            )


def _sources(takes: Iterable[AcceptRule] | None) -> list[str]:
    return [take.promotion for take in takes or () if take.promotion]


def promotion_cycle(sources: Mapping[str, list[str]]) -> list[str]:
    """Return the environments of a cycle of promotions, with the first repeated at the end; empty without one."""
    visited: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in visited:
            return []
        cycle = next(filter(None, (visit(source, [*path, name]) for source in sources.get(name, []))), [])
        visited.add(name)
        return cycle

    return next(filter(None, (visit(name, []) for name in sources)), [])


def check_app(record: AppRecord, settings: Settings, tree: Tree) -> None:
    """Check an app.yaml across its keys and against the repository. Raises ConfigError, ImageError."""
    app = record.app
    known = list(settings.environments)
    for name in app.environments or {}:
        if name not in settings.environments:
            raise _unknown("environment", name, known, record.place("environments", name))
    if app.template is not None and not tree.paths(f"{TEMPLATES}/{app.template}"):
        folders = {path.split("/")[1] for path in tree.paths(TEMPLATES) if path.count("/") > 1}
        names = sorted(name for name in folders if re.fullmatch(LABEL, name))
        raise _unknown("template", app.template, names, record.place("template"))
    _check_own_promotions(record, settings)
    _check_owners(record)
    for name in record.environments(settings):
        _check_matchers(record, name)


def _check_own_promotions(record: AppRecord, settings: Settings) -> None:
    known = list(settings.environments)
    sources: dict[str, list[str]] = {}
    for name in record.environments(settings):
        own = record.here(name).takes
        sources[name] = _sources(settings.environments[name].takes if own is None else own)
        for take in own or ():
            check_health_of(settings, take, record.place("environments", name, "takes"))
        for source in sources[name] if own is not None else ():
            if source not in settings.environments:
                raise _unknown("environment", source, known, record.place("environments", name, "takes"))
    cycle = promotion_cycle(sources)
    if cycle:
        raise ConfigError(
            f"promotions form a cycle: {' -> '.join(cycle)}",
            where=record.place("environments"),
            hint="remove one of these promotions",
        )


def check_app_name(name: str, file: str) -> None:
    """Check that a folder's name is valid for an app, its namespace and its release. Raises ConfigError."""
    if not re.fullmatch(LABEL, name):
        raise ConfigError(
            f"the folder's name {name!r} is the app's name, expected at most 63 characters a-z, 0-9 and '-'",
            where=Location(file),
            hint="rename the folder",
        )


def _check_owners(record: AppRecord) -> None:
    app = record.app
    if app.project is not None:
        return
    for name, image in app.images.items():
        if image.project is None:
            raise ConfigError(
                f"image '{name}' has no project, expected the project that hands it off",
                where=record.place("images", name),
                hint="set 'project' for the app or for this image",
            )
    if app.config is not None and app.config.project is None:
        raise ConfigError(
            "config has no project, expected the project that contains it",
            where=record.place("config"),
            hint="set 'project' for the app or for config",
        )


def _check_matchers(record: AppRecord, environment: str) -> None:
    seen: dict[tuple[str, str | None], str] = {}
    for name, image in record.images(environment).items():
        other = seen.setdefault((canonical_repository(image.repository), image.tag), name)
        if other != name:
            raise ImageError(
                f"images '{other}' and '{name}' match the same containers: {image.repository}",
                where=record.place("images", name),
                hint="distinguish them by a pattern of their tags, such as 'tag: \"web-*\"'",
            )


def _unknown(noun: str, name: str, known: list[str], where: Location) -> ConfigError:
    expected = f"expected one of: {', '.join(known)}" if known else "none exists yet"
    return ConfigError(f"{noun} '{name}' not found, {expected}", where=where, hint=did_you_mean(name, known))


@frozen_record
class _Claim:
    """A folder that an app writes in an environment: in the output, or on the branch of a mirror."""

    record: AppRecord
    environment: str
    folder: str
    branch: str = ""

    def __str__(self) -> str:
        return f"{self.record.name} in {self.environment}"


def check_outputs(configuration: Configuration) -> None:
    """Check that each app-environment has its own folders in the output and on mirrors. Raises ConfigError."""
    if _surely_disjoint(configuration):
        return
    outputs, mirrors = [], []
    for record, environment in configuration.pairs():
        folder = configuration.output_folder(record.name, environment)
        if folder.split("/")[0] in (APPS, TEMPLATES, ENVIRONMENTS, SETTINGS, LOCK):
            raise ConfigError(
                f"output folder {folder} is among the inputs, expected a folder such as 'deploy/...'",
                where=Location(SETTINGS, 0, dotted(("environments", environment, "output", "path"))),
            )
        outputs.append(_Claim(record=record, environment=environment, folder=folder))
        mirror = configuration.mirror(record.name, environment)
        if mirror is not None:
            claim = _Claim(record=record, environment=environment, folder=mirror.path, branch=mirror.branch)
            mirrors.append(claim)
    _check_disjoint(outputs)
    _check_disjoint(mirrors)


def _surely_disjoint(configuration: Configuration) -> bool:
    """Whether the folders are disjoint even if every app runs in every environment; reads no app.yaml.

    Where each is a folder of the app's name in one of its environment's, these alone are looked at.
    """
    return _are_apart(configuration, ["{app}"], "/{app}") or _are_apart(configuration, configuration.apps.names)


def _are_apart(configuration: Configuration, names: Iterable[str], end: str = "") -> bool:
    """Whether the folders of apps are disjoint; where all have this ``end``, whether what is above is."""
    outputs, mirrors = [], []
    for name in names:
        for environment in configuration.settings.environments:
            outputs.append(("", configuration.output_folder(name, environment)))
            mirror = configuration.mirror(name, environment)
            mirrors += [(mirror.branch, mirror.path)] if mirror is not None else []
    inputs = (APPS, TEMPLATES, ENVIRONMENTS, SETTINGS, LOCK)
    if any(folder.split("/")[0] in inputs for _, folder in outputs):
        return False
    if not all(folder.endswith(end) and folder.count("{app}") <= 1 for _, folder in (*outputs, *mirrors)):
        return False
    above = ([(branch, folder.removesuffix(end)) for branch, folder in group] for group in (outputs, mirrors))
    return all(map(_are_disjoint, above))


def _are_disjoint(folders: Sequence[tuple[str, str]]) -> bool:
    known = set(folders)
    split = [(branch, folder.split("/")) for branch, folder in known]
    above = {(branch, "/".join(parts[:depth])) for branch, parts in split for depth in range(1, len(parts))}
    return len(known) == len(folders) and not known & above


def _check_disjoint(claims: Iterable[_Claim]) -> None:
    claimed: dict[tuple[str, str], _Claim] = {}
    for claim in claims:
        first = claimed.setdefault((claim.branch, claim.folder), claim)
        if first is not claim:
            raise _claimed_twice(first, claim)
    for claim in claimed.values():
        parts = claim.folder.split("/")
        for depth in range(1, len(parts)):
            above = claimed.get((claim.branch, "/".join(parts[:depth])))
            if above is not None:
                raise _claimed_twice(above, claim)


def _claimed_twice(first: _Claim, second: _Claim) -> ConfigError:
    noun, key = ("folder", "mirror path or branch") if second.branch else ("output folder", "output path")
    return ConfigError(
        f"{first} and {second} both claim the {noun} {second.folder}"
        + (f" on the branch {second.branch}" if second.branch else ""),
        where=second.record.place(),
        hint=f"set {'a' if second.branch else 'an'} {key} with {{environment}} and {{app}} in {SETTINGS}",
    )
