"""The current state -> the files of Headgate's manifest repository that give the same YAML. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import field
from typing import TYPE_CHECKING, Any

from headgate.adoption.fluxobjects import policy_images
from headgate.adoption.images import image_names, own_repositories, released_images
from headgate.adoption.layers import values_files
from headgate.adoption.templates import chart_templates, template_of
from headgate.errors import GuardError, Location
from headgate.model import Release
from headgate.paths import APPS, ENVIRONMENTS, SETTINGS
from headgate.records import frozen_record
from headgate.releases.release import RELEASE, write_record
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.adoption.choices import Choices
    from headgate.adoption.images import Provenance, Resolve
    from headgate.adoption.sources import CurrentApp
    from headgate.model.fields import Delivery
    from headgate.model.release import ReleasedImage
    from headgate.repository.tree import Tree

OUTPUT = "deploy"
_OTHER_OUTPUT = "hydrated"


@frozen_record
class Written:
    """The files for the current state, and messages about them. ``pinned`` are environments that keep an
    older chart; ``candidates`` are images by app without a project that hands them off.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()
    candidates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def write_apps(
    tree: Tree,
    target: Tree,
    apps: Sequence[CurrentApp],
    choices: Choices,
    provenance: Provenance,
    resolve: Resolve,
) -> Written:
    """Return the files of all apps: ``tree`` is the repository that runs, ``target`` the one that gets the files."""
    by_app: dict[str, list[CurrentApp]] = {}
    for app in apps:
        by_app.setdefault(app.app, []).append(app)
    charts, policies = chart_templates(apps), policy_images(tree)
    files: dict[str, bytes] = {}
    pinned: set[str] = set()
    candidates: dict[str, tuple[str, ...]] = {}
    for name, own in by_app.items():
        folder = _app_folder(target, name)
        named = [own_repositories(app, tree, choices, policies) for app in own]
        names = image_names(dict.fromkeys(repository for repositories in named for repository in repositories))
        images: dict[str, dict[str, ReleasedImage]] = {}
        if names and name in choices.projects and provenance.project:
            images = {app.environment: released_images(app, names, provenance, resolve) for app in own}
        if any(released.keys() != names.keys() for released in images.values()):
            images = {}
        if names and not images:
            candidates[name] = tuple(names.values())
        template, made, versions = template_of(name, own, charts)
        pinned |= versions.keys()
        files |= made | values_files(folder, own, charts)
        files[f"{folder}/app.yaml"] = _app_yaml(name, template, own, images, choices, candidates.get(name, ()))
        for app in own:
            release = Release(images=images.get(app.environment, {}), template=versions.get(app.environment))
            if release.images or release.template:
                files[f"{folder}/releases/{app.environment}/{RELEASE}"] = write_record(release)
    _check_free(target, files)
    return Written(files=files, pinned=frozenset(pinned), candidates=candidates)


def _app_folder(target: Tree, name: str) -> str:
    """Return an app's folder: a new one if an older layout has files in ``apps/``."""
    folder = f"{APPS}/{name}"
    taken = [path for path in target.paths(folder) if path != f"{folder}/app.yaml"]
    return f"{APPS}/headgate/{name}" if taken else folder


def _check_free(target: Tree, files: Mapping[str, bytes]) -> None:
    """Refuse to replace existing files. Raises GuardError."""
    for path, data in files.items():
        if path in target and target.read(path) != data:
            raise GuardError(
                "a file is in the way of one that would be written",
                where=Location(path),
                hint="leave its app out with --leave-out, or write into another repository with --manifests",
            )


def _app_yaml(
    name: str,
    template: str,
    own: Sequence[CurrentApp],
    images: Mapping[str, Mapping[str, ReleasedImage]],
    choices: Choices,
    candidates: Sequence[str],
) -> bytes:
    project = choices.projects.get(name)
    data: dict[str, Any] = {"project": project} if project else {}
    recorded = next(iter(images.values()), {})
    data |= {"images": {image: part.repository for image, part in recorded.items()}} if recorded else {}
    data["template"] = template
    namespaces = {app.environment: app.namespace for app in own}
    if len(set(namespaces.values())) == 1:
        data["environments"] = list(namespaces)
        data |= {"namespace": own[0].namespace} if own[0].namespace not in ("", name) else {}
    else:
        data["environments"] = {where: {"namespace": space} if space else None for where, space in namespaces.items()}
    data |= {"hooks": choices.hooks[name]} if name in choices.hooks else {}
    text = f"# Adopted by 'headgate adopt'; yours from now on.\n{write(data)}"
    if candidates and not recorded:
        text += "# To let the app's pipelines hand these images off:\n"
        text += f"# project: {project or 'GROUP/PROJECT'}\n# images:\n" if not project else "# images:\n"
        text += "".join(f"#   {image}: {repository}\n" for image, repository in image_names(candidates).items())
    return text.encode()


# headgate.yaml


def settings_text(
    target: Tree,
    environments: Mapping[str, Delivery],
    choices: Choices,
    pinned: frozenset[str],
    gitlab: Mapping[str, str],
) -> bytes:
    """Return headgate.yaml: the environments in the order of promotion."""
    output = _OTHER_OUTPUT if target.paths(OUTPUT) else OUTPUT
    found: dict[str, Any] = {}
    before = ""
    for name, delivery in environments.items():
        found[name] = {
            "takes": {"promotion": before} if before else {"branch": "main"},
            "delivery": delivery,
            "kubernetes": choices.kubernetes,
            **({"templates": "promote"} if name in pinned else {}),
            **({"output": {"path": f"{output}/{{environment}}/{{app}}"}} if output != OUTPUT else {}),
        }
        before = name
    data = {"version": 1, **({"gitlab": dict(gitlab)} if gitlab else {}), "environments": found}
    return ("# Written by 'headgate adopt'; yours from now on.\n" + write(data)).encode()


def check_reserved(target: Tree) -> None:
    """Refuse files of another layout where Headgate reads its own. Raises GuardError."""
    if SETTINGS in target:
        return
    names = ("values.yaml", "overrides.yaml", "frozen.yaml")
    read = [path for path in target.paths(ENVIRONMENTS) if posixpath.basename(path) in names and path.count("/") == 2]  # noqa: PLR2004
    read += target.paths("policies")
    if read:
        raise GuardError(
            "Headgate would read this file, which has another meaning, as one of its own",
            where=Location(read[0]),
            hint="move it first, or write into another repository with --manifests",
        )
