"""Objects -> findings of the validator, for all app-environments together; owners of CRDs are kept apart."""

from __future__ import annotations

from dataclasses import field as record_field
from sys import intern
from typing import TYPE_CHECKING, Any

from headgate.engine import pool
from headgate.engine.budget import USUAL, Budget
from headgate.engine.protocol import Request, validator_command
from headgate.objects.kinds import DEFINITION, KUBERNETES
from headgate.records import frozen_record
from headgate.validation.definitions import as_tree, needed
from headgate.validation.finding import ObjectFinding
from headgate.validation.policies import RULE
from headgate.validation.rules import OWN_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headgate.engine.protocol import Answer
    from headgate.errors import HeadgateError
    from headgate.objects.manifest import Manifest
    from headgate.repository.tree import Tree
    from headgate.validation.definitions import Definition
    from headgate.validation.policies import Policy


@frozen_record
class Subject:
    """One app in one environment. ``current`` has what is there now, by the identity of the object.

    ``around`` are objects of others in its namespaces; ``removed`` are its own that go, about which only ``policies``
    are asked.
    """

    app: str
    environment: str
    kubernetes: str
    manifests: Sequence[Manifest]
    definitions: Sequence[Definition] = ()
    current: Mapping[tuple[str, str, str, str], Manifest] = record_field(default_factory=dict)
    around: Sequence[Manifest] = ()
    removed: Sequence[Manifest] = ()
    policies: Sequence[Policy] = ()
    budget: Budget = USUAL


@frozen_record
class Found:
    """The validator's findings for one subject, or the error that ended it."""

    findings: tuple[ObjectFinding, ...] = ()
    error: HeadgateError | None = None


def judge(subjects: Iterable[Subject]) -> list[Found]:
    """Return the validator's findings for each subject. Raises ToolError without a validator."""
    given = list(subjects)  # which keeps the CRDs, so that their ids stand for them
    trees: dict[tuple[int, ...], Tree] = {}
    plans = [(number, part) for number, subject in enumerate(given) for part in _parts(subject, trees)]
    plans.sort(key=lambda plan: given[plan[0]].app)  # its environments have much in common, which is judged once
    by_request = {id(part.request): (number, part) for number, part in plans}
    found: dict[int, list[Found]] = {}
    for request, answer in pool.converse([part.request for _, part in plans]):
        number, part = by_request[id(request)]
        found.setdefault(number, []).append(_found(part, answer))
    return [_joined(found.get(number, [])) for number in range(1 + max((number for number, _ in plans), default=-1))]


@frozen_record
class _Part:
    """The objects of a subject that one process judges. ``removed`` are counted after the others."""

    request: Request
    manifests: tuple[Manifest, ...]
    removed: tuple[Manifest, ...]
    policies: Mapping[str, Policy]


def _parts(subject: Subject, trees: dict[tuple[int, ...], Tree]) -> list[_Part]:
    """Divide a subject: what a CRD of an app's decides is judged in a process of that app's.

    ``trees`` keeps those of the CRDs that subjects share, by the ids of the CRDs.
    """
    groups = _groups(subject.manifests)
    definitions = needed(subject.definitions, groups)
    owners = {definition.group: definition.owner for definition in definitions if definition.owner}
    by_owner: dict[str, list[Manifest]] = {"": []}
    for manifest in subject.manifests:
        by_owner.setdefault(_owner(manifest, subject, owners), []).append(manifest)
    return [_part(subject, tuple(manifests), owner, trees) for owner, manifests in by_owner.items()]


def _groups(manifests: Iterable[Manifest]) -> set[str]:
    """Return the groups that CRDs may define: a built-in kind needs none."""
    return {manifest.group for manifest in manifests if manifest.kind_name not in KUBERNETES} - {""}


def _owner(manifest: Manifest, subject: Subject, owners: Mapping[str, str]) -> str:
    if manifest.kind_name == DEFINITION:
        return next((definition.owner for definition in subject.definitions if definition.name == manifest.name), "")
    return owners.get(manifest.group, "")


def _part(subject: Subject, manifests: tuple[Manifest, ...], owner: str, trees: dict[tuple[int, ...], Tree]) -> _Part:
    groups = _groups(manifests)
    definitions = [definition for definition in needed(subject.definitions, groups) if definition.owner == owner]
    key = tuple(map(id, definitions))
    if key not in trees:
        trees[key] = as_tree(definitions)
    tree = trees[key]
    own = {id(manifest) for manifest in manifests}
    others = [manifest for manifest in subject.manifests if id(manifest) not in own]
    body: dict[str, Any] = {
        "kubernetes": subject.kubernetes,
        "definitions": tree.id,
        "objects": [manifest.data for manifest in manifests],
    }
    if subject.current:
        body["current"] = [_current(subject, manifest) for manifest in manifests]
    removed = () if owner else tuple(subject.removed)
    if not owner:
        body["around"] = [manifest.data for manifest in (*others, *subject.around)]
    if subject.policies:
        body["policies"] = [policy.data for policy in subject.policies]
        body["removed"] = [manifest.data for manifest in removed]
    request = Request(
        kind="validate", body=body, owner=owner, tree=tree, budget=subject.budget, command=validator_command
    )
    policies = {policy.rule: policy for policy in subject.policies}
    return _Part(request=request, manifests=manifests, removed=removed, policies=policies)


def _current(subject: Subject, manifest: Manifest) -> dict[str, Any] | None:
    known = subject.current.get(manifest.identity)
    return known.data if known is not None and not known.verbatim else None


def _found(part: _Part, answer: Answer) -> Found:
    if answer.error is not None:
        return Found(error=answer.error)
    if answer.failure is not None:
        return Found(error=answer.failure.error())
    findings = tuple(
        _finding(part, entry)
        for entry in answer.value["findings"]
        if not (part.request.owner and entry["rule"] in OWN_RULES)
    )
    return Found(findings=(*findings, *_unchecked(part, answer.value["unchecked"])))


def _finding(part: _Part, entry: Mapping[str, Any]) -> ObjectFinding:
    # Thousands of objects of one template share these words.
    rule, field, message, hint = (intern(entry.get(key, "")) for key in ("rule", "field", "message", "hint"))
    manifest = (*part.manifests, *part.removed)[entry["object"]]
    if rule.startswith(RULE):
        return ObjectFinding(
            rule=rule,
            field="",
            message=message,
            hint="",
            manifest=manifest.without_data,
            policy=part.policies[rule].name,
            place=part.policies[rule].place(field),
        )
    return ObjectFinding(
        rule=rule,
        field=field,
        message=message,
        hint=hint,
        manifest=manifest.without_data,
    )


def _unchecked(part: _Part, kinds: Sequence[str]) -> Iterator[ObjectFinding]:
    """Yield one finding for each kind that nobody defines, however many objects of it there are."""
    for kind in kinds:
        manifest = next(manifest for manifest in part.manifests if manifest.kind_name == kind)
        yield ObjectFinding(
            rule="not-checked",
            field="kind",
            message=f"not checked, since no CRD of {kind} is in this repository",
            hint="add the CRD to a folder of validation.crds, or the kind to validation.unchecked, in headgate.yaml",
            manifest=manifest.without_data,
        )


def _joined(parts: Sequence[Found]) -> Found:
    return Found(
        findings=tuple(finding for part in parts for finding in part.findings),
        error=next((part.error for part in parts if part.error is not None), None),
    )
