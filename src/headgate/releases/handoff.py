"""A hand-off: which environments take it, and the group of parts that it brings. Pure."""

from __future__ import annotations

import re
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headgate.bounded import first_few
from headgate.errors import ConfigError, RefusedError
from headgate.model import ReleasedConfig, ReleasedImage
from headgate.objects.images import matching
from headgate.records import frozen_record
from headgate.releases.pending import NO_FILES, group_of
from headgate.releases.release import CONFIG, parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.configuration import AppRecord, Configuration
    from headgate.dependencies.plan import ResolvedConfig
    from headgate.model import AcceptRule, Config, Release
    from headgate.model.fields import OrderRule
    from headgate.objects.images import Reference
    from headgate.releases.pending import Group

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"


@frozen_record
class HandOff:
    """The message of an app's pipeline: ``commit`` of ``project``, on ``ref``, built ``images``.

    ``project_id`` and ``is_protected`` come from GitLab; None when a person hands off without GitLab.
    ``provenance_problems`` says of an image why nothing proves that it was built from the commit. ``actor`` is the
    person whose pipeline or command it is.
    """

    project: str
    commit: str
    ref: str
    images: tuple[Reference, ...] = ()
    pipeline: int | None = None
    project_id: int | None = None
    is_protected: bool | None = None
    provenance_problems: Mapping[Reference, str] = field(default_factory=dict)
    actor: str = ""


@frozen_record
class Acceptance:
    """An app and environment that take a hand-off: the images by name, and the config if the project owns it."""

    record: AppRecord
    environment: str
    images: Mapping[str, Reference]
    config: Config | None

    @property
    def has_parts(self) -> bool:
        """Whether it takes anything."""
        return bool(self.images or self.config)


def check(hand_off: HandOff) -> None:
    """Check the syntax of a hand-off. Raises ConfigError."""
    for name, value, pattern, expected in (
        ("project", hand_off.project, _PROJECT, "a path such as acme/shop"),
        ("commit", hand_off.commit, COMMIT, "a commit id in full"),
        ("ref", hand_off.ref, _REF, "a branch or tag whose name has no white space, Unicode's included, nor '/-'"),
    ):
        if not re.fullmatch(pattern, value):
            raise ConfigError(f"the {name} is {value!r}, expected {expected}")


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
    """Return the bare name of a branch or tag, as GitLab's API expects it."""
    return ref.removeprefix(TAGS if ref.startswith(TAGS) else BRANCHES)


def takes(rule: AcceptRule, ref: str) -> bool:
    """Whether an entry of ``takes`` accepts hand-offs of a ref."""
    if rule.branch is not None:
        return ref.startswith(BRANCHES) and fnmatchcase(short_ref(ref), rule.branch)
    if rule.tag is not None:
        return ref.startswith(TAGS) and fnmatchcase(short_ref(ref), rule.tag)
    return False


def _accepts(rule: AcceptRule, hand_off: HandOff) -> bool:
    return takes(rule, hand_off.ref) and not (rule.protected and hand_off.is_protected is False)


def accepting(configuration: Configuration, hand_off: HandOff) -> list[Acceptance]:
    """Return which apps and environments take a hand-off. Raises RefusedError when none does."""
    owned = [
        pair for pair in configuration.pairs(mentioning=hand_off.project) if hand_off.project in _owners(*pair).values()
    ]
    broken = [str(error) for error in configuration.apps.broken_by(hand_off.project).values()]
    unreadable = f", but some files are unreadable: {'; '.join(first_few(broken, 3))}" if broken else ""
    if not owned:
        raise RefusedError(
            f"no app has a part that belongs to {hand_off.project}{unreadable}",
            hint="correct these files"
            if unreadable
            else "name the project in the app's app.yaml: project, or the project of an image or of config",
        )
    accepted = [
        _acceptance(record, environment, hand_off)
        for record, environment in owned
        if any(_accepts(rule, hand_off) for rule in taken_by(configuration, record, environment))
    ]
    if not accepted:
        unprotected = ", which is not protected" if hand_off.is_protected is False else ""
        raise RefusedError(
            f"no environment takes hand-offs of {hand_off.ref}{unprotected}",
            hint="\n  ".join(_accepted_sources(configuration, owned, hand_off)),
        )
    _check_every_image(accepted, hand_off, unreadable)
    with_parts = [acceptance for acceptance in accepted if acceptance.has_parts]
    if not with_parts:
        raise RefusedError(
            f"the hand-off of {hand_off.project} names no image, and no app that takes it has its config there",
            hint="name the built image: --image REPOSITORY:TAG@sha256:...",
        )
    return with_parts


def order_rule(configuration: Configuration, accepted: Acceptance) -> OrderRule:
    """Return how an environment orders versions: by ``semver`` if it takes tags that way."""
    for rule in taken_by(configuration, accepted.record, accepted.environment):
        if rule.order == "semver" or (rule.order is None and rule.tag is not None):
            return "semver"
    return "ancestry"


def taken_by(configuration: Configuration, record: AppRecord, environment: str) -> Sequence[AcceptRule]:
    """Return an app's ``takes`` in an environment: its own list, or the environment's."""
    own = record.here(environment).takes
    return own if own is not None else configuration.environment(environment).takes


def still_taken(configuration: Configuration, record: AppRecord, environment: str, group: Group) -> str:
    """Return why an environment does not take a pending group any longer; empty if it does."""
    rules = taken_by(configuration, record, environment)
    if group.record.promotion is not None:
        if not any(rule.promotion == group.record.promotion for rule in rules):
            return f"{environment} no longer takes promotions from {group.record.promotion}"
        return ""
    owners, takes_promotions = _owners(record, environment), any(rule.promotion for rule in rules)
    for name, part in group.parts.items():
        if owners.get(name) != part.project:
            return f"'{name}' now belongs to {owners.get(name) or 'nobody'}, not to {part.project}"
        if not takes_promotions and not any(takes(rule, part.ref) for rule in rules):
            return f"{environment} no longer takes {part.ref}"
    return ""


def check_person(actor: str, reason: str) -> None:
    """Require an actor's name and a reason, each of one line. Raises ConfigError."""
    for label, text in (("actor's name", actor), ("reason", reason)):
        if not text.strip() or not text.isprintable() or len(text) > _MAX_LINE:
            raise ConfigError(f"the {label} is {text!r}, expected one line of at most {_MAX_LINE} characters")


_MAX_LINE = 200


def _owners(record: AppRecord, environment: str) -> dict[str, str | None]:
    """Return the project that owns each part."""
    named = {name: image.project for name, image in record.images(environment).items()}
    if record.app.config is not None:
        named[CONFIG] = record.app.config.project
    return {name: project or record.app.project for name, project in named.items()}


def _acceptance(record: AppRecord, environment: str, hand_off: HandOff) -> Acceptance:
    own = {name for name, project in _owners(record, environment).items() if project == hand_off.project}
    own_images = {name: image for name, image in record.images(environment).items() if name in own}
    images: dict[str, Reference] = {}
    for reference in hand_off.images:
        images |= dict.fromkeys(matching(reference, own_images), reference)
    config = record.app.config if CONFIG in own else None
    return Acceptance(record=record, environment=environment, images=images, config=config)


def _accepted_sources(
    configuration: Configuration, owned: Sequence[tuple[AppRecord, str]], hand_off: HandOff
) -> Iterator[str]:
    for record, environment in owned:
        sources = [
            f"{kind} {value}{_if_protected(rule, hand_off)}"
            for rule in taken_by(configuration, record, environment)
            for kind, value in (("branch", rule.branch), ("tag", rule.tag), ("promotion from", rule.promotion))
            if value
        ]
        yield f"{record.name} in {environment} takes: {', '.join(sources) or 'nothing'}"


def _if_protected(rule: AcceptRule, hand_off: HandOff) -> str:
    return " if protected" if rule.protected and not rule.promotion and hand_off.is_protected is False else ""


def _check_every_image(accepted: Sequence[Acceptance], hand_off: HandOff, unreadable: str) -> None:
    taken = {reference for acceptance in accepted for reference in acceptance.images.values()}
    for reference in hand_off.images:
        if reference not in taken:
            known = {
                image.repository + (f" (tags {image.tag})" if image.tag else "")
                for acceptance in accepted
                for image in acceptance.record.images(acceptance.environment).values()
            }
            raise RefusedError(
                f"no app takes the image {reference.repository}:{reference.tag} from {hand_off.project}{unreadable}",
                hint=f"its apps have: {', '.join(sorted(known)) or 'no images'}",
            )


def check_provenance(accepted: Acceptance, hand_off: HandOff) -> None:
    """Refuse an image without proof that the commit built it, unless the app has ``tags: any``. Raises RefusedError."""
    for name, image in accepted.images.items():
        if image in hand_off.provenance_problems and accepted.record.app.tags != "any":
            raise RefusedError(
                f"'{name}': nothing proves that {image.repository}:{image.tag} was built from {hand_off.commit[:12]}: "
                f"{hand_off.provenance_problems[image]}",
                hint="tag images with $CI_COMMIT_SHORT_SHA or the git tag, or set that label in the build; "
                f"or set 'tags: any' in {accepted.record.folder}/app.yaml",
            )


def check_project_id(before: Release, accepted: Acceptance, hand_off: HandOff) -> None:
    """Refuse a project that took over another one's path. Raises RefusedError.

    GitLab reuses the path of a deleted or renamed project, but never its number.
    """
    taken = {*accepted.images, *([CONFIG] if accepted.config else [])}
    for name, part in parts(before).items():
        ids = (part.project_id, hand_off.project_id)
        if name in taken and part.project == hand_off.project and None not in ids and ids[0] != ids[1]:
            raise RefusedError(
                f"'{name}': {hand_off.project} is another project now: number {ids[1]}, not {ids[0]}",
                hint=f"if the new project should own the app: remove project_id from "
                f"{accepted.record.release_folder(accepted.environment)}/release.yaml in a merge request",
            )


def handed_off(accepted: Acceptance, hand_off: HandOff, before: Release, config_files: ResolvedConfig | None) -> Group:
    """Return the group of parts that a hand-off brings. ``before`` has the known project numbers."""
    numbers = {name: part.project_id for name, part in parts(before).items() if part.project == hand_off.project}

    def source(name: str) -> dict[str, Any]:
        return {
            "project": hand_off.project,
            "commit": hand_off.commit,
            "ref": hand_off.ref,
            "pipeline": hand_off.pipeline,
            "actor": hand_off.actor or None,
            "project_id": hand_off.project_id or numbers.get(name),
        }

    group_parts: dict[str, ReleasedImage | ReleasedConfig] = {
        name: ReleasedImage(repository=image.repository, tag=image.tag, digest=image.digest, **source(name))
        for name, image in accepted.images.items()
    }
    if accepted.config is not None and config_files is not None:
        dependencies = config_files.dependencies
        group_parts[CONFIG] = ReleasedConfig(path=accepted.config.path, dependencies=dependencies, **source(CONFIG))
    return group_of(group_parts, config_files.files if config_files else NO_FILES)
