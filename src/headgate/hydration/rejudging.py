"""Judges committed final YAML again, for what a later run reports about a proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.errors import HeadgateError
from headgate.hydration.candidates import PORTION, Candidate, JudgingContext, read_files
from headgate.hydration.judging import Judge
from headgate.hydration.record import read_record
from headgate.objects.packed import PackedManifests

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from headgate.configuration import Configuration, Owner
    from headgate.repository.tree import Tree
    from headgate.validation.weigh import Judgement


def judged_change(
    old: Tree, new: Tree, configuration: Configuration, owners: Sequence[Owner], today: date
) -> dict[Owner, Judgement]:
    """Return the outcomes of app-environments whose final YAML differs between two trees, without removed ones.

    ``configuration`` is that of the default branch, whose levels, waivers and policies count.
    """
    files = {owner: _files(new, configuration.output_folder(*owner)) for owner in owners}
    found = [owner for owner in owners if files[owner]]
    portions = [found[start : start + PORTION] for start in range(0, len(found), PORTION)]
    configuration.apps.load({app for app, _ in found})
    candidates: dict[Owner, Candidate] = {}
    for portion in portions:
        read = read_files(new, {owner: files[owner] for owner in portion})
        for owner in portion:
            texts = {path.rpartition("/")[2]: new.read(path) for path in files[owner]}
            candidates[owner] = Candidate(
                manifests=PackedManifests(read[owner], sum(map(len, texts.values()))),
                files=texts,
                kubernetes=configuration.environment(owner[1]).kubernetes or "",
                budget=configuration.budget,
                own_config=_has_own_config(configuration, owner[0]),
            )
    judge = Judge(JudgingContext(tree=old, configuration=configuration, rendered=candidates, today=today))
    judgements: dict[Owner, Judgement] = {}
    for portion in portions:
        judgements |= judge.judged({owner: candidates[owner].manifests.unpack() for owner in portion})
    return judgements


def _files(tree: Tree, folder: str) -> list[str]:
    try:
        return [path for name in read_record(tree, folder).files if (path := f"{folder}/{name}") in tree]
    except HeadgateError:  # somebody broke the record
        return []


def _has_own_config(configuration: Configuration, app: str) -> bool:
    record = configuration.apps.get(app)
    return record is None or record.app.template is None
