"""Judges rendered YAML before it is written, as an API server would, against the landed YAML."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from headgate import tools
from headgate.engine import pool
from headgate.engine.protocol import validator_command
from headgate.errors import HeadgateError
from headgate.hydration.candidates import JudgingContext, changed_files, landed_files, read_files, removed_files
from headgate.impact.marks import is_pruned
from headgate.objects.kinds import KUBERNETES
from headgate.validation.definitions import (
    configured_definitions,
    is_definition,
    landed_definitions,
    rendered_definition,
)
from headgate.validation.judge import Subject, judge
from headgate.validation.policies import check_policies, read_policies
from headgate.validation.programs import judge_by_program
from headgate.validation.rules import GENERATION, OWN_RULES, RuleBook, level_of
from headgate.validation.weigh import Judgement, Scales, weigh

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from headgate.configuration import Configuration, Owner
    from headgate.objects.manifest import Manifest
    from headgate.validation.definitions import Definition
    from headgate.validation.finding import ObjectFinding
    from headgate.validation.judge import Found
    from headgate.validation.policies import Policy

MISSING = "not validated, since headgate-validator is not installed ('make validator')"


def start_ahead(configuration: Configuration) -> None:
    """Start the validator, if it is installed and enabled, so that it is ready when the first app is rendered."""
    if not _is_off(configuration) and tools.find_validator() is not None:
        pool.start_ahead(validator_command)


class Judge:
    """Judges rendered app-environments in batches, and computes shared facts once.

    ``repeats_findings``: also report warnings that the landed YAML already has.
    """

    def __init__(self, context: JudgingContext, *, repeats_findings: bool = False) -> None:
        """Read nothing yet."""
        self._context, self._repeats_findings = context, repeats_findings
        self._notice = MISSING

    def judged(self, manifests: Mapping[Owner, Sequence[Manifest]]) -> dict[Owner, Judgement]:
        """Return the outcomes of these app-environments after judging their objects.

        Where there is no validator, the first one of all has a warning that says so.
        """
        if not manifests or _is_off(self._context.configuration):
            return {}
        if tools.find_validator() is None:
            notice, self._notice = self._notice, ""
            return {next(iter(manifests)): Judgement(notice=notice)}
        try:
            subjects = self._subjects(manifests)
        except HeadgateError as error:
            return {owner: Judgement(error=error) for owner in manifests}
        found = dict(zip(subjects, judge(subjects.values()), strict=True))
        found = self._looked_around(subjects, found)
        found = _with_programs(self._context, subjects, found, self._rules)
        if not self._repeats_findings:
            found = _only_new(self._context, subjects, found, self._rules)
        scales = Scales(rules=self._rules, today=self._context.today)
        return {owner: _weighed(owner, verdict, scales) for owner, verdict in found.items()}

    @cached_property
    def _rules(self) -> RuleBook:
        return _rules(self._context.configuration)

    @cached_property
    def _policies(self) -> tuple[Policy, ...]:
        return _policies(self._context.configuration)

    @cached_property
    def _definitions(self) -> dict[str, list[Definition]]:
        """The CRDs of each cluster."""
        return {cluster: _definitions(self._context, cluster) for cluster in _clusters(self._context)}

    @cached_property
    def _places(self) -> dict[tuple[str, str], list[Owner]]:
        """The app-environments of each namespace of a cluster."""
        configuration = self._context.configuration
        places: dict[tuple[str, str], list[Owner]] = {}
        for record, environment in configuration.pairs():
            place = (configuration.cluster(environment), record.namespace(environment))
            places.setdefault(place, []).append((record.name, environment))
        return places

    def _subjects(self, manifests: Mapping[Owner, Sequence[Manifest]]) -> dict[Owner, Subject]:
        context, policies = self._context, self._policies
        current = read_files(context.tree, {owner: changed_files(context, owner) for owner in manifests})
        removed = read_files(context.tree, {owner: removed_files(context, owner) for owner in manifests if policies})
        return {
            owner: Subject(
                app=owner[0],
                environment=owner[1],
                kubernetes=context.rendered[owner].kubernetes,
                manifests=own,
                definitions=self._definitions[context.configuration.cluster(owner[1])],
                current={manifest.identity: manifest for manifest in current[owner]},
                removed=[manifest for manifest in removed.get(owner, ()) if is_pruned(manifest)],
                policies=[policy for policy in policies if self._rules.outcome(policy.name, owner[1]) != "off"],
                budget=context.rendered[owner].budget,
            )
            for owner, own in manifests.items()
        }

    def _looked_around(self, subjects: Mapping[Owner, Subject], found: Mapping[Owner, Found]) -> dict[Owner, Found]:
        """Judge again, together with their neighbours, those that refer to objects that they do not define."""
        context = self._context
        unresolved = [owner for owner in found if _names_others(context, owner, found[owner])]
        again = {owner: others for owner in unresolved if (others := self._neighbours(owner))}
        around = {other for others in again.values() for other in others}
        landed = [other for other in around if other not in context.rendered]
        known: dict[Owner, Sequence[Manifest]] = {
            **read_files(context.tree, {other: landed_files(context, other) for other in landed}),
            **{other: context.rendered[other].manifests.unpack() for other in around if other in context.rendered},
        }
        todo = {
            owner: replace(subjects[owner], around=[manifest for other in others for manifest in known[other]])
            for owner, others in again.items()
        }
        return {**found, **dict(zip(todo, judge(todo.values()), strict=True))}

    def _neighbours(self, owner: Owner) -> list[Owner]:
        """Return the other apps that have objects in the same namespaces of the same cluster."""
        namespaces = sorted({name.namespace for name in self._context.rendered[owner].manifests.names} - {""})
        cluster = self._context.configuration.cluster(owner[1])
        sharing = [other for namespace in namespaces for other in self._places.get((cluster, namespace), ())]
        return [other for other in sharing if other != owner]


def check_proposed_policies(configuration: Configuration) -> None:
    """Check the policies of a merge request, which count once it is merged. Raises ConfigError, YamlError."""
    proposed = configuration.proposed_policies
    is_other = proposed is not None and proposed.id != configuration.policies.id
    if proposed is not None and is_other and not _is_off(configuration) and tools.find_validator() is not None:
        check_policies(read_policies(proposed), {})


def _policies(configuration: Configuration) -> tuple[Policy, ...]:
    """Return the policies that count, after checking them."""
    policies = read_policies(configuration.policies)
    check_policies(policies, configuration.settings.policies)
    return policies


def _rules(configuration: Configuration) -> RuleBook:
    lock, settings = configuration.lock, configuration.settings
    generation = GENERATION if lock is None else lock.rules
    return RuleBook(settings=settings.validation, policies=settings.policies, generation=generation)


def _is_off(configuration: Configuration) -> bool:
    return tools.validator_is_left_out() or not configuration.settings.validation.enabled


def _weighed(owner: Owner, found: Found, scales: Scales) -> Judgement:
    return Judgement(error=found.error) if found.error is not None else weigh(found.findings, *owner, scales)


def _clusters(context: JudgingContext) -> set[str]:
    return {context.configuration.cluster(environment) for _, environment in context.rendered}


def _definitions(context: JudgingContext, cluster: str) -> list[Definition]:
    """Return the CRDs of a cluster: those of configured folders, the landed ones, and the new ones."""
    tree, configuration = context.tree, context.configuration
    found = configured_definitions(tree, configuration.settings.validation.crds)
    if _may_need_landed(context, cluster):
        here = [name for name in configuration.settings.environments if configuration.cluster(name) == cluster]
        others = [
            (app, name) for name in here for app in configuration.apps.names if (app, name) not in context.rendered
        ]
        tree.look_up([context.folder(owner) for owner in others])
        for owner in others:
            found += landed_definitions(tree, context.folder(owner), partial(_writer, context, owner[0]))
    for owner, candidate in context.rendered.items():
        if configuration.cluster(owner[1]) == cluster and any(map(is_definition, candidate.manifests.names)):
            writer = owner[0] if candidate.own_config else ""
            found += [
                rendered_definition(manifest, writer)
                for manifest in candidate.manifests.unpack()
                if is_definition(manifest)
            ]
    return found


def _may_need_landed(context: JudgingContext, cluster: str) -> bool:
    """Whether an object, rendered or landed, may be of a kind that a CRD defines: only then all apps are searched."""
    return any(
        any(name.kind_name not in KUBERNETES or is_definition(name) for name in candidate.manifests.names)
        or removed_files(context, owner)
        for owner, candidate in context.rendered.items()
        if context.configuration.cluster(owner[1]) == cluster
    )


def _writer(context: JudgingContext, app: str) -> str:
    """Return the author of an app's YAML: the app itself if it has no template."""
    record = context.configuration.apps.get(app)
    return app if record is None or record.app.template is None else ""


def _with_programs(
    context: JudgingContext, subjects: Mapping[Owner, Subject], found: Mapping[Owner, Found], rules: RuleBook
) -> dict[Owner, Found]:
    """Add the findings of programs that judge as policies. A failed program is an error of all its apps."""
    result = dict(found)
    for name, setting in context.configuration.settings.policies.items():
        owners = [owner for owner in subjects if rules.outcome(name, owner[1]) != "off"]
        if setting.program is None or not owners:
            continue
        try:
            judged_here = judge_by_program(
                name, setting.program, context.configuration.policies, [subjects[owner] for owner in owners]
            )
        except HeadgateError as error:
            result |= {owner: replace(result[owner], error=result[owner].error or error) for owner in owners}
            continue
        for owner, findings in zip(owners, judged_here, strict=True):
            result[owner] = replace(result[owner], findings=(*result[owner].findings, *findings))
    return result


def _names_others(context: JudgingContext, owner: Owner, found: Found) -> bool:
    settings = context.configuration.settings.validation
    return any(
        finding.rule in OWN_RULES and level_of(finding.rule, owner[1], settings, GENERATION) != "off"
        for finding in found.findings
    )


def _only_new(
    context: JudgingContext, subjects: Mapping[Owner, Subject], found: Mapping[Owner, Found], rules: RuleBook
) -> dict[Owner, Found]:
    """Leave out warnings that the landed YAML has too: they were shown when they were new."""
    owners = [owner for owner in found if _has_shown_once(found[owner], owner, rules)]
    before = {owner: found[owner] for owner in owners if _is_landed(context, owner)}
    others = [owner for owner in owners if owner not in before]
    landed = read_files(context.tree, {owner: landed_files(context, owner) for owner in others})
    todo = {
        owner: replace(subjects[owner], manifests=landed[owner], current={}, removed=())
        for owner in others
        if landed[owner]
    }
    before |= _with_programs(context, todo, dict(zip(todo, judge(todo.values()), strict=True)), rules)
    known = {owner: {finding.identity for finding in verdict.findings} for owner, verdict in before.items()}
    return {
        owner: replace(found_here, findings=tuple(_new(found_here.findings, owner, known[owner], rules)))
        if owner in known
        else found_here
        for owner, found_here in found.items()
    }


def _is_landed(context: JudgingContext, owner: Owner) -> bool:
    """Whether an app's landed YAML equals the rendered one."""
    folder = context.folder(owner)
    rendered = {f"{folder}/{name}" for name in context.rendered[owner].files}
    return rendered == set(landed_files(context, owner)) and not changed_files(context, owner)


def _new(
    findings: Iterable[ObjectFinding], owner: Owner, known: Collection[tuple[object, ...]], rules: RuleBook
) -> Iterator[ObjectFinding]:
    return (
        finding for finding in findings if not (rules.is_shown_once(finding, owner[1]) and finding.identity in known)
    )


def _has_shown_once(found: Found, owner: Owner, rules: RuleBook) -> bool:
    return any(
        rules.is_shown_once(finding, owner[1]) and rules.level(finding, owner[1]) != "off" for finding in found.findings
    )
