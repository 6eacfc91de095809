"""What was rendered before it is written: judged as an API server would, against what is there now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from headgate import tools
from headgate.engine import pool
from headgate.engine.protocol import Request, validator_command
from headgate.errors import HeadgateError
from headgate.hydration.record import read_record
from headgate.objects.manifest import manifests
from headgate.repository.tree import MAX_FILE, blob_id, prefetch
from headgate.validation.definitions import (
    configured_definitions,
    is_definition,
    landed_definitions,
    rendered_definition,
)
from headgate.validation.judge import Subject, judge
from headgate.validation.rules import GENERATION, NOT_AGAIN, OWN_RULES, level_of
from headgate.validation.weigh import Judgement, Scales, weigh

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from headgate.configuration import Configuration, Owner
    from headgate.engine.protocol import EngineObject
    from headgate.hydration.assemble import Hydrated
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree
    from headgate.validation.definitions import Definition
    from headgate.validation.finding import ObjectFinding
    from headgate.validation.judge import Found

MISSING = (
    "what an API server would reject is not looked for, since headgate-validator is not here: "
    "'make validator' in a checkout of Headgate builds it, and Headgate's image has it"
)


@dataclass(frozen=True, kw_only=True)
class JudgingContext:
    """All that judging looks at. ``repeats_findings``: also findings that the landed YAML has already."""

    tree: Tree
    configuration: Configuration
    rendered: Mapping[Owner, Hydrated]
    today: date
    repeats_findings: bool = False

    def folder(self, owner: Owner) -> str:
        """Return the folder of an app's final YAML."""
        return self.configuration.output_folder(*owner)


def start_ahead(configuration: Configuration) -> None:
    """Start the validator, if it is here and wanted, so that it is ready when the first app is rendered."""
    if not _is_off(configuration) and tools.find_validator() is not None:
        pool.start_ahead(validator_command)


def judged(context: JudgingContext) -> dict[Owner, Judgement]:
    """Return what becomes of each app-environment that was rendered.

    Where there is no validator, the first one has a warning that says so.
    """
    owners = list(context.rendered)
    if not owners or _is_off(context.configuration):
        return {}
    if tools.find_validator() is None:
        return {owners[0]: Judgement(warnings=(MISSING,))}
    subjects = _subjects(context)
    found = dict(zip(owners, judge(subjects.values()), strict=True))
    found = _looked_around(context, subjects, found)
    if not context.repeats_findings:
        found = _only_new(context, subjects, found)
    lock = context.configuration.lock
    scales = Scales(
        settings=context.configuration.settings.validation,
        generation=GENERATION if lock is None else lock.rules,
        today=context.today,
    )
    return {owner: _weighed(owner, verdict, scales) for owner, verdict in found.items()}


def _is_off(configuration: Configuration) -> bool:
    return tools.validator_is_left_out() or not configuration.settings.validation.enabled


def _weighed(owner: Owner, found: Found, scales: Scales) -> Judgement:
    return Judgement(error=found.error) if found.error is not None else weigh(found.findings, *owner, scales)


def _subjects(context: JudgingContext) -> dict[Owner, Subject]:
    definitions = {cluster: _definitions(context, cluster) for cluster in _clusters(context)}
    current = _read(context, {owner: _changed_files(context, owner) for owner in context.rendered})
    return {
        owner: Subject(
            app=owner[0],
            environment=owner[1],
            kubernetes=hydrated.planned.render.kubernetes,
            manifests=hydrated.manifests,
            definitions=definitions[context.configuration.cluster(owner[1])],
            current={manifest.identity: manifest for manifest in current[owner]},
            budget=hydrated.planned.render.budget,
        )
        for owner, hydrated in context.rendered.items()
    }


def _clusters(context: JudgingContext) -> set[str]:
    return {context.configuration.cluster(environment) for _, environment in context.rendered}


def _changed_files(context: JudgingContext, owner: Owner) -> list[str]:
    """Return the files of an app that are there now with another text: only their objects are updated."""
    folder, files = context.folder(owner), context.rendered[owner].files
    paths = [(f"{folder}/{name}", text) for name, text in files.items()]
    return [
        path for path, text in paths if path in context.tree and context.tree.blob(path).oid != blob_id(text.encode())
    ]


def _read(context: JudgingContext, wanted: Mapping[Owner, Sequence[str]]) -> dict[Owner, list[Manifest]]:
    """Read files of final YAML, many at once; of a folder that somebody made unreadable by hand, nothing is known."""
    small = {
        owner: [path for path in paths if context.tree.blob(path).size <= MAX_FILE] for owner, paths in wanted.items()
    }
    prefetch(context.tree, [path for paths in small.values() for path in paths])
    requests = {owner: _request(context.tree, paths) for owner, paths in small.items() if paths}
    owners = {id(request): owner for owner, request in requests.items()}
    found: dict[Owner, list[Manifest]] = {owner: [] for owner in wanted}
    for request, answer in pool.converse(requests.values()):
        if answer.error is None and answer.failure is None:
            found[owners[id(request)]] = _manifests(answer.objects)
    return found


def _request(tree: Tree, paths: Sequence[str]) -> Request:
    files = [{"file": path, "text": tree.read(path).decode("utf-8", "replace")} for path in paths]
    return Request(kind="objects", body={"files": files})


def _manifests(objects: Sequence[EngineObject]) -> list[Manifest]:
    try:
        return manifests(objects)
    except HeadgateError:
        return []


def _definitions(context: JudgingContext, cluster: str) -> list[Definition]:
    """Return the CRDs of a cluster: those of configured folders, those that are there, those that come now."""
    tree, configuration = context.tree, context.configuration
    found = configured_definitions(tree, configuration.settings.validation.crds)
    for environment in configuration.settings.environments:
        for app in configuration.apps.names if configuration.cluster(environment) == cluster else ():
            if (app, environment) not in context.rendered:
                found += landed_definitions(tree, context.folder((app, environment)), partial(_writer, context, app))
    for owner, hydrated in context.rendered.items():
        if configuration.cluster(owner[1]) == cluster:
            writer = owner[0] if hydrated.planned.own_config else ""
            found += [
                rendered_definition(manifest, writer) for manifest in hydrated.manifests if is_definition(manifest)
            ]
    return found


def _writer(context: JudgingContext, app: str) -> str:
    """Return who wrote what an app has: the app itself where it has no template."""
    record = context.configuration.apps.get(app)
    return app if record is None or record.app.template is None else ""


def _looked_around(
    context: JudgingContext, subjects: Mapping[Owner, Subject], found: Mapping[Owner, Found]
) -> dict[Owner, Found]:
    """Judge again, among their neighbours, those who name what they do not define."""
    unresolved = [owner for owner in found if _matters(context, owner, found[owner], OWN_RULES)]
    again = {owner: others for owner, others in _neighbours(context, unresolved).items() if others}
    read = _read(context, {other: _landed_files(context, other) for others in again.values() for other in others})
    todo = {owner: replace(subjects[owner], around=_around(context, others, read)) for owner, others in again.items()}
    return {**found, **dict(zip(todo, judge(todo.values()), strict=True))}


def _matters(context: JudgingContext, owner: Owner, found: Found, rules: Collection[str]) -> bool:
    settings = context.configuration.settings.validation
    return any(
        finding.rule in rules and level_of(finding.rule, owner[1], settings, GENERATION) != "off"
        for finding in found.findings
    )


def _neighbours(context: JudgingContext, owners: Collection[Owner]) -> dict[Owner, list[Owner]]:
    """Return the other apps that have objects in the same namespaces of the same cluster, for each owner."""
    configuration = context.configuration
    places: dict[tuple[str, str], list[Owner]] = {}
    for record, environment in configuration.pairs() if owners else ():
        place = (configuration.cluster(environment), record.namespace(environment))
        places.setdefault(place, []).append((record.name, environment))
    found = {}
    for owner in owners:
        namespaces = sorted({manifest.namespace for manifest in context.rendered[owner].manifests} - {""})
        cluster = configuration.cluster(owner[1])
        sharing = [other for namespace in namespaces for other in places.get((cluster, namespace), ())]
        found[owner] = [other for other in sharing if other != owner]
    return found


def _around(
    context: JudgingContext, others: Sequence[Owner], read: Mapping[Owner, Sequence[Manifest]]
) -> list[Manifest]:
    rendered = context.rendered
    return [
        manifest for other in others for manifest in (rendered[other].manifests if other in rendered else read[other])
    ]


def _landed_files(context: JudgingContext, owner: Owner) -> list[str]:
    """Return the files of an app's final YAML as it is now."""
    folder = context.folder(owner)
    try:
        names = read_record(context.tree, folder).files
    except HeadgateError:
        return []
    return [path for name in names if (path := f"{folder}/{name}") in context.tree]


def _only_new(
    context: JudgingContext, subjects: Mapping[Owner, Subject], found: Mapping[Owner, Found]
) -> dict[Owner, Found]:
    """Leave out what is only worth a look and is so in what is landed, too: it was shown when it came."""
    owners = [owner for owner in found if _matters(context, owner, found[owner], NOT_AGAIN)]
    before = {owner: found[owner] for owner in owners if _is_landed(context, owner)}
    landed = _read(context, {owner: _landed_files(context, owner) for owner in owners if owner not in before})
    todo = {owner: replace(subjects[owner], manifests=landed[owner], current={}) for owner in landed if landed[owner]}
    before |= zip(todo, judge(todo.values()), strict=True)
    known = {owner: {_identity(finding) for finding in verdict.findings} for owner, verdict in before.items()}
    return {
        owner: replace(found_here, findings=tuple(_new(found_here.findings, known[owner])))
        if owner in known
        else found_here
        for owner, found_here in found.items()
    }


def _is_landed(context: JudgingContext, owner: Owner) -> bool:
    """Whether an app's final YAML stands as it was rendered."""
    folder = context.folder(owner)
    rendered = {f"{folder}/{name}" for name in context.rendered[owner].files}
    return rendered == set(_landed_files(context, owner)) and not _changed_files(context, owner)


def _new(findings: Iterable[ObjectFinding], known: Collection[tuple[object, ...]]) -> Iterator[ObjectFinding]:
    return (finding for finding in findings if finding.rule not in NOT_AGAIN or _identity(finding) not in known)


def _identity(finding: ObjectFinding) -> tuple[object, ...]:
    return (*finding.manifest.identity, finding.rule, finding.field, finding.message)
