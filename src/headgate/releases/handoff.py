"""A hand-off: who takes it, and what a release becomes with it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, RefusedError
from headgate.model import ReleasedConfig, ReleasedImage
from headgate.objects.images import matching
from headgate.releases.pending import NO_FILES, group_of
from headgate.releases.release import CONFIG, parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.config import AppRecord, Configuration
    from headgate.dependencies.resolve import ResolvedConfig
    from headgate.model import AcceptRule, Config, Release
    from headgate.objects.images import Reference
    from headgate.releases.pending import Group

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"


@dataclass(frozen=True)
class HandOff:
    """What an app's pipeline says: commit ``commit`` of ``project``, on ``ref``, built ``images``.

    ``project_id`` and ``is_protected`` are GitLab's; None where a person hands off without GitLab. ``untied`` says
    of images why nothing shows that they were built from the commit.
    """

    project: str
    commit: str
    ref: str
    images: tuple[Reference, ...] = ()
    pipeline: int | None = None
    project_id: int | None = None
    is_protected: bool | None = None
    untied: Mapping[Reference, str] = field(default_factory=dict)
    actor: str = ""
    """The person whose pipeline or command it is."""


@dataclass(frozen=True)
class Acceptance:
    """An app and environment that take a hand-off: the images by their names there, and the config if it is theirs."""

    record: AppRecord
    environment: str
    images: Mapping[str, Reference]
    config: Config | None

    @property
    def has_parts(self) -> bool:
        """Whether it takes anything."""
        return bool(self.images or self.config)


def check(hand_off: HandOff) -> None:
    """Refuse a hand-off whose words cannot be what they stand for. Raises ConfigError."""
    for what, value, pattern, expected in (
        ("project", hand_off.project, _PROJECT, "a path such as acme/shop"),
        ("commit", hand_off.commit, COMMIT, "a commit id in full"),
        ("ref", hand_off.ref, _REF, "a branch or tag"),
    ):
        if not re.fullmatch(pattern, value):
            raise ConfigError(f"the {what} is {value!r}, expected {expected}")


_PROJECT = r"[\w.+-]+(/[\w.+-]+)+"
COMMIT = r"[0-9a-f]{40}([0-9a-f]{24})?"
# https://git-scm.com/docs/git-check-ref-format
_REF = (
    r"refs/(heads|tags)/(?!.*(\.\.|//|/\.|/-|@\{|\.lock$|/$|\.$))"
    r"[^-.\s~^:?*\[\\\x00-\x1f\x7f][^\s~^:?*\[\\\x00-\x1f\x7f]*"
)


def full_ref(ref: str) -> str:
    """Return a ref in full. A short name is a branch: a tag called ``main`` is not the branch."""
    return ref if ref.startswith((BRANCHES, TAGS)) else f"{BRANCHES}{ref}"


def short_ref(ref: str) -> str:
    """Return a branch or tag by its bare name, as GitLab's API wants it."""
    return ref.removeprefix(TAGS if ref.startswith(TAGS) else BRANCHES)


def takes(take: AcceptRule, ref: str) -> bool:
    """Whether an entry of ``takes`` accepts hand-offs of a ref."""
    if take.branch is not None:
        return ref.startswith(BRANCHES) and fnmatchcase(short_ref(ref), take.branch)
    if take.tag is not None:
        return ref.startswith(TAGS) and fnmatchcase(short_ref(ref), take.tag)
    return False


def _accepts(take: AcceptRule, hand_off: HandOff) -> bool:
    return takes(take, hand_off.ref) and not (take.protected and hand_off.is_protected is False)


def accepting(configuration: Configuration, hand_off: HandOff) -> list[Acceptance]:
    """Return who takes a hand-off. Raises RefusedError, with what would be taken, when nobody does."""
    owned = [
        (record, environment)
        for record, environment in configuration.pairs(mentioning=hand_off.project)
        if _owns_a_part(record, environment, hand_off.project)
    ]
    if not owned:
        broken = [str(error) for error in configuration.apps.broken_by(hand_off.project)][:3]
        raise RefusedError(
            f"no app has a part that belongs to {hand_off.project}"
            + (f", as far as can be read: {'; '.join(broken)}" if broken else ""),
            hint="correct what cannot be read"
            if broken
            else "name the project in the app's app.yaml: project, or the project of an image or of config",
        )
    accepted = [
        _acceptance(record, environment, hand_off)
        for record, environment in owned
        if any(_accepts(take, hand_off) for take in taken_by(configuration, record, environment))
    ]
    if not accepted:
        unprotected = ", which is not protected" if hand_off.is_protected is False else ""
        raise RefusedError(
            f"no environment takes hand-offs of {hand_off.ref}{unprotected}",
            hint="\n  ".join(_what_is_taken(configuration, owned, hand_off)),
        )
    _check_every_image(accepted, hand_off)
    with_parts = [one for one in accepted if one.has_parts]
    if not with_parts:
        raise RefusedError(
            f"the hand-off of {hand_off.project} names no image, and nobody who takes it has config there",
            hint="name the image that was built: --image REPOSITORY:TAG@sha256:...",
        )
    return with_parts


def order_rule(configuration: Configuration, accepted: Acceptance) -> str:
    """Return how newer is told from older by all that an environment takes: ``semver`` where it takes such tags."""
    for take in taken_by(configuration, accepted.record, accepted.environment):
        if take.order == "semver" or (take.order is None and take.tag is not None):
            return "semver"
    return "ancestry"


def taken_by(configuration: Configuration, record: AppRecord, environment: str) -> Sequence[AcceptRule]:
    """Return what an app takes in an environment: its own list, or the environment's."""
    own = record.here(environment).takes
    return own if own is not None else configuration.environment(environment).takes


def still_taken(configuration: Configuration, record: AppRecord, environment: str, group: Group) -> str:
    """Say why a group that is pending is not taken any more: another owner by now, or another ref; or nothing."""
    takes_here = taken_by(configuration, record, environment)
    owners = {name: image.project or record.app.project for name, image in record.images(environment).items()}
    if record.app.config is not None:
        owners[CONFIG] = record.app.config.project or record.app.project
    if group.record.promotion is not None:
        if not any(take.promotion == group.record.promotion for take in takes_here):
            return f"{environment} does not take promotions from {group.record.promotion} any more"
        return ""
    promoted = any(take.promotion for take in takes_here)
    for name, part in group.parts.items():
        if owners.get(name) != part.project:
            return f"'{name}' belongs to {owners.get(name) or 'nobody'} by now, and not to {part.project}"
        if not promoted and not any(takes(take, part.ref) for take in takes_here):
            return f"{environment} does not take {part.ref} any more"
    return ""


def check_person(by: str, reason: str) -> None:
    """Refuse a name or a reason that is missing or longer than a line. Raises ConfigError."""
    for what, text in (("name of who asks", by), ("reason", reason)):
        if not text.strip() or not text.isprintable() or len(text) > _MAX_LINE:
            raise ConfigError(f"the {what} is {text!r}, expected one line of at most {_MAX_LINE} characters")


_MAX_LINE = 200


def _owns_a_part(record: AppRecord, environment: str, project: str) -> bool:
    owners = [image.project or record.app.project for image in record.images(environment).values()]
    config = record.app.config
    return project in owners or (config is not None and (config.project or record.app.project) == project)


def _acceptance(record: AppRecord, environment: str, hand_off: HandOff) -> Acceptance:
    own_images = {
        name: image
        for name, image in record.images(environment).items()
        if (image.project or record.app.project) == hand_off.project
    }
    images: dict[str, Reference] = {}
    for reference in hand_off.images:
        images |= dict.fromkeys(matching(reference, own_images), reference)
    config = record.app.config
    own = config is not None and (config.project or record.app.project) == hand_off.project
    return Acceptance(record, environment, images, config if own else None)


def _if_protected(take: AcceptRule, hand_off: HandOff) -> str:
    return " where protected" if take.protected and not take.promotion and hand_off.is_protected is False else ""


def _what_is_taken(
    configuration: Configuration, owned: Sequence[tuple[AppRecord, str]], hand_off: HandOff
) -> list[str]:
    told = []
    for record, environment in owned:
        sources = [
            f"{kind} {value}{_if_protected(take, hand_off)}"
            for take in taken_by(configuration, record, environment)
            for kind, value in (
                ("branch", take.branch),
                ("tag", take.tag),
                ("promotion from", take.promotion),
            )
            if value
        ]
        told.append(f"{record.name} in {environment} takes: {', '.join(sources) or 'nothing'}")
    return told


def _check_every_image(accepted: Sequence[Acceptance], hand_off: HandOff) -> None:
    taken = {reference for one in accepted for reference in one.images.values()}
    for reference in hand_off.images:
        if reference not in taken:
            known = {
                image.repository + (f" (tags {image.tag})" if image.tag else "")
                for one in accepted
                for image in one.record.images(one.environment).values()
            }
            raise RefusedError(
                f"no app takes the image {reference.repository}:{reference.tag} from {hand_off.project}",
                hint=f"its apps have: {', '.join(sorted(known)) or 'no images'}",
            )


def check_tied(accepted: Acceptance, hand_off: HandOff) -> None:
    """Refuse an image of which nothing shows that the commit built it, unless the app says ``tags: any``.

    Raises RefusedError.
    """
    for name, image in accepted.images.items():
        if image in hand_off.untied and accepted.record.app.tags != "any":
            raise RefusedError(
                f"'{name}': nothing shows that {image.repository}:{image.tag} was built from {hand_off.commit[:12]}: "
                f"{hand_off.untied[image]}",
                hint="tag images with $CI_COMMIT_SHORT_SHA or the git tag, or set that label when they are built; "
                f"or say 'tags: any' in {accepted.record.folder}/app.yaml",
            )


def check_project_id(before: Release, accepted: Acceptance, hand_off: HandOff) -> None:
    """Refuse a project that took over another one's path. Raises RefusedError.

    GitLab gives a path anew when a project is deleted or renamed, and never its number.
    """
    taken = {*accepted.images, *([CONFIG] if accepted.config else [])}
    for name, part in parts(before).items():
        ids = (part.project_id, hand_off.project_id)
        if name in taken and part.project == hand_off.project and None not in ids and ids[0] != ids[1]:
            raise RefusedError(
                f"'{name}': {hand_off.project} is another project by now: number {ids[1]}, and not {ids[0]}",
                hint=f"if the new one is to own the app: take project_id out of "
                f"{accepted.record.release_folder(accepted.environment)}/release.yaml, in a merge request",
            )


def handed_off(accepted: Acceptance, hand_off: HandOff, before: Release, config_files: ResolvedConfig | None) -> Group:
    """Return the group of parts that a hand-off brings. ``before`` knows the projects' numbers in GitLab."""
    numbers = {name: part.project_id for name, part in parts(before).items() if part.project == hand_off.project}
    came_from: dict[str, Any] = {"project": hand_off.project, "commit": hand_off.commit, "ref": hand_off.ref}
    came_from |= {"pipeline": hand_off.pipeline, "actor": hand_off.actor or None}

    def where(name: str) -> dict[str, Any]:
        return {**came_from, "project_id": hand_off.project_id or numbers.get(name)}

    found: dict[str, ReleasedImage | ReleasedConfig] = {
        name: ReleasedImage(repository=image.repository, tag=image.tag, digest=image.digest, **where(name))
        for name, image in accepted.images.items()
    }
    if accepted.config is not None and config_files is not None:
        dependencies = config_files.dependencies
        found[CONFIG] = ReleasedConfig(path=accepted.config.path, dependencies=dependencies, **where(CONFIG))
    return group_of(found, config_files.files if config_files else NO_FILES)
