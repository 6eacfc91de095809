"""What is on record of an app in an environment when a step of an intent has landed, is proposed or failed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate.hydration.output import RECORD
from headgate.model import FailureRecord, ProposalRecord
from headgate.paths import LOCK
from headgate.releases.pending import PROPOSED, Pending, Proposal
from headgate.releases.pending_files import is_record, write_pending
from headgate.releases.release import RELEASE
from headgate.repository.tree import blob_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.errors import HeadgateError
    from headgate.hydration.hydrate import Outcome
    from headgate.releases.decide import Wanted
    from headgate.releases.pending import Group
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes, Tree

EQUAL_TO_PROPOSED = "its YAML is equal to what is proposed"

CHANGES_NOTHING = "it changes no YAML: it is recorded with the next merge"

_MOST_MESSAGE = 500


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is wanted, and which of it a step brings.

    ``proposes`` is what its proposal is: the default is the groups that are pending; a person's word names its kind,
    actor and reason, and ``decided``, the release that it wants. ``is_there``: its branch holds what is on record.
    ``stays``: why what it brings is held after all, now that its YAML is known.
    """

    tree: Tree
    folder: str
    output: str
    commit: str
    wanted: Wanted
    brought: tuple[Group, ...] = ()
    proposes: ProposalRecord = field(default_factory=lambda: ProposalRecord(changes="-"))
    decided: Released | None = None
    is_there: bool = False
    stays: str = ""
    has_records_apart: bool = False

    def landed(self, failed: HeadgateError | None = None) -> Changes:
        """Return what is on record when the step's YAML is on the default branch; ``failed``: with less than all."""
        return write_pending(self.tree, self.folder, self.wanted.landing(self.brought, self._failure(failed)))

    def waiting(self, parts: Sequence[str]) -> Changes:
        """Return what is on record when the app lacks parts that were never handed off."""
        return write_pending(
            self.tree, self.folder, self.wanted.keeping(self.wanted.brings, f"waits for {', '.join(parts)}")
        )

    def failed(self, error: HeadgateError) -> Changes:
        """Return what is on record when the step could not be rendered."""
        return write_pending(self.tree, self.folder, self.wanted.holding(self._failure(error)))

    def proposed(
        self, changes: Changes, outcome: Outcome, failed: HeadgateError | None = None
    ) -> tuple[Changes, Changes]:
        """Return what is on record of a proposal, and what its branch changes: with the YAML, it ends the record."""
        proposes = self._proposes(outcome)
        recorded = write_pending(self.tree, self.folder, self._proposing(proposes, failed))
        on_branch: Changes
        if self.has_records_apart:  # which a merge does not end
            on_branch = {path: data for path, data in changes.items() if not is_record(path)}
        else:
            on_branch = {**changes, **dict.fromkeys(self._ended(recorded))}
        proposes = proposes.model_copy(update={"changes": changes_id(on_branch)})
        return write_pending(self.tree, self.folder, self._proposing(proposes, failed)), on_branch

    @property
    def replaces(self) -> tuple[str, ...]:
        """Say which proposed parts what arrives takes the place of, so that their reviewers know."""
        proposed = {name: part for group in self.wanted.pending.proposed for name, part in group.parts.items()}
        arriving = self.wanted.arriving.parts if self.wanted.arriving is not None else {}
        return tuple(
            f"{name}: replaces {proposed[name].commit[:12]}, which was proposed"
            for name, part in arriving.items()
            if name in proposed and proposed[name].commit != part.commit
        )

    def is_proposed_already(self, outcome: Outcome) -> bool:
        """Whether the YAML that hydrating gave is under review already, on a branch that is as we left it."""
        before, proposes = self.wanted.pending.proposal, self._proposes(outcome)
        return (
            self.is_there
            and before is not None
            and before.record.kind == proposes.kind == "release"
            and (before.record.output, before.record.replaces) == (proposes.output, proposes.replaces)
        )

    def staying(self, failed: HeadgateError | None = None) -> Changes:
        """Return what is on record when what the step brings is held for the reason that ``stays`` tells.

        Where its YAML is under review already, neither the branch nor what is on record of it changes: approvals last,
        and the merge, which ends that record, meets no other one. What is held lands after it without changing YAML.
        """
        return write_pending(
            self.tree, self.folder, self.wanted.keeping(self.brought, self.stays, self._failure(failed))
        )

    def _proposes(self, outcome: Outcome) -> ProposalRecord:
        return self.proposes.model_copy(
            update={
                "output": output_id(outcome, self.tree, self.output),
                "inputs": outcome.inputs or None,
                "replaces": replaced(self.tree, self.folder, self.output),
            }
        )

    def _proposing(self, record: ProposalRecord, failed: HeadgateError | None) -> Pending:
        if record.kind == "release":
            return self.wanted.proposing(self.brought, record, self._failure(failed))
        return replace(self.wanted.holding(), proposal=Proposal(record, decided=self.decided))

    def _ended(self, recorded: Changes) -> list[str]:
        """Return the files that go with the merge: the proposal's record; with a removal all that is pending."""
        folder = self.folder if self.proposes.kind == "removal" else f"{self.folder}/{PROPOSED}"
        there = {path for path in self.tree.paths(folder) if path not in recorded}
        return sorted(
            there | {path for path, data in recorded.items() if data is not None and path.startswith(f"{folder}/")}
        )

    def _failure(self, error: HeadgateError | None) -> FailureRecord | None:
        if error is None:
            return None
        message = " ".join(str(error).split())[:_MOST_MESSAGE]
        return FailureRecord(code=error.code, message=message, since=self.commit)


def changes_id(changes: Changes) -> str:
    """Identify what a commit changes, as `landing.review_branches` reads it of one."""
    facts = {path: "-" if data is None else blob_id(data) for path, data in changes.items() if path != LOCK}
    lines = sorted(f"{path}\0{oid}\n" for path, oid in facts.items())
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def output_id(outcome: Outcome, tree: Tree, folder: str) -> str:
    """Identify the final YAML that hydrating gave."""
    return output_folder_id(tree.with_changes(outcome.changes or {}), folder)


def output_folder_id(tree: Tree, folder: str) -> str:
    """Identify the final YAML in a folder, whatever it was hydrated from."""
    return tree.folder(folder).with_changes({RECORD: None}).id


def replaced(tree: Tree, folder: str, output: str) -> str:
    """Identify the release and the final YAML that are on the default branch."""
    return hashlib.sha256(f"{tree.oid(f'{folder}/{RELEASE}')} {tree.folder(output).id}".encode()).hexdigest()
