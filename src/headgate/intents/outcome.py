"""The records of an app in an environment after a step has landed, is proposed, is held or failed."""

from __future__ import annotations

import hashlib
from dataclasses import field, replace
from typing import TYPE_CHECKING

from headgate.hydration.record import RECORD
from headgate.model import FailureRecord, ProposalRecord
from headgate.paths import LOCK
from headgate.records import frozen_record
from headgate.releases.pending import PROPOSED, Pending, Proposal
from headgate.releases.pending_files import is_record, write_pending
from headgate.releases.release import RELEASE
from headgate.repository.tree import blob_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.errors import HeadgateError
    from headgate.hydration.outcome import Outcome
    from headgate.releases.decide import Wanted
    from headgate.releases.pending import Group
    from headgate.releases.release import Released
    from headgate.repository.tree import Changes, Tree

EQUAL_TO_PROPOSED = "its YAML is equal to the proposal's"
CHANGES_NOTHING = "it changes no YAML: the next merge records it"
_MAX_MESSAGE = 500


@frozen_record
class Decision:
    """The wanted release, and the groups that a step brings.

    ``proposes`` describes its proposal: by default the pending groups; for a person's decision its kind, actor and
    reason, with ``decided``, the release of a roll-back. ``branch_is_current``: the review branch can stay as it is.
    ``late_hold``: why the step is held after all, given its YAML.
    """

    tree: Tree
    folder: str
    output: str
    commit: str
    wanted: Wanted
    brought: tuple[Group, ...] = ()
    proposes: ProposalRecord = field(default_factory=lambda: ProposalRecord(changes="-"))
    decided: Released | None = None
    branch_is_current: bool = False
    late_hold: str = ""
    has_records_apart: bool = False

    def landed(self, failed: HeadgateError | None = None) -> Changes:
        """Return the records after the step landed; ``failed`` is the error of the groups that it left out."""
        return write_pending(self.tree, self.folder, self.wanted.landing(self.brought, self._failure(failed)))

    def waiting(self, parts: Sequence[str]) -> Changes:
        """Return the records while the app lacks parts that nobody handed off."""
        return write_pending(
            self.tree, self.folder, self.wanted.keeping(self.wanted.brings, f"waits for {', '.join(parts)}")
        )

    def failed(self, error: HeadgateError) -> Changes:
        """Return the records after the step could not be rendered."""
        return write_pending(self.tree, self.folder, self.wanted.holding(self._failure(error)))

    def proposed(
        self, changes: Changes, outcome: Outcome, failed: HeadgateError | None = None
    ) -> tuple[Changes, Changes]:
        """Return the records of the proposal, and the changes of its branch, whose merge removes these records."""
        proposes = self._proposes(outcome)
        recorded = write_pending(self.tree, self.folder, self._proposing(proposes, failed))
        on_branch: Changes
        if self.has_records_apart:  # a merge does not reach these
            on_branch = {path: data for path, data in changes.items() if not is_record(path)}
        else:
            below = self.tree.with_changes(recorded)
            on_branch = {**changes, **dict.fromkeys(self._removed_by_merge(recorded))}
            on_branch = {path: data for path, data in on_branch.items() if data is not None or path in below}
        proposes = proposes.model_copy(update={"changes": changes_id(on_branch)})
        return write_pending(self.tree, self.folder, self._proposing(proposes, failed)), on_branch

    @property
    def replaces(self) -> tuple[str, ...]:
        """Messages about the proposed parts that the arriving group replaces, for their reviewers."""
        proposed = {name: part for group in self.wanted.pending.proposed for name, part in group.parts.items()}
        arriving = self.wanted.arriving.parts if self.wanted.arriving is not None else {}
        return tuple(
            f"{name}: replaces {proposed[name].commit[:12]}, which was proposed"
            for name, part in arriving.items()
            if name in proposed and proposed[name].commit != part.commit
        )

    def is_proposed_already(self, outcome: Outcome) -> bool:
        """Whether the hydrated YAML is under review already, on an unchanged branch."""
        before, proposes = self.wanted.pending.proposal, self._proposes(outcome)
        return (
            self.branch_is_current
            and before is not None
            and before.record.kind == proposes.kind == "release"
            and (before.record.output, before.record.replaces) == (proposes.output, proposes.replaces)
        )

    def held(self, failed: HeadgateError | None = None) -> Changes:
        """Return the records after the step is held for its ``late_hold``.

        If its YAML is under review already, the branch and its record do not change: approvals stay, and the merge
        removes that record without a conflict. The held groups land after it without changing YAML.
        """
        pending = self.wanted.keeping(self.brought, self.late_hold, self._failure(failed))
        return write_pending(self.tree, self.folder, pending)

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

    def _removed_by_merge(self, recorded: Changes) -> list[str]:
        """Return the files that the merge removes: the proposal's record; for a removal, everything pending."""
        folder = self.folder if self.proposes.kind == "removal" else f"{self.folder}/{PROPOSED}"
        existing = {path for path in self.tree.paths(folder) if path not in recorded}
        return sorted(
            existing | {path for path, data in recorded.items() if data is not None and path.startswith(f"{folder}/")}
        )

    def _failure(self, error: HeadgateError | None) -> FailureRecord | None:
        if error is None:
            return None
        message = " ".join(str(error).split())[:_MAX_MESSAGE]
        return FailureRecord(code=error.code, message=message, since=self.commit)


def changes_id(changes: Changes) -> str:
    """Identify the changes of a commit, like `landing.review_branches.commit_changes_id`."""
    facts = {path: "-" if data is None else blob_id(data) for path, data in changes.items() if path != LOCK}
    lines = sorted(f"{path}\0{oid}\n" for path, oid in facts.items())
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def output_id(outcome: Outcome, tree: Tree, folder: str) -> str:
    """Identify the final YAML of an outcome."""
    return output_folder_id(tree.with_changes(outcome.changes or {}), folder)


def output_folder_id(tree: Tree, folder: str) -> str:
    """Identify the final YAML in a folder, regardless of its inputs."""
    return tree.folder(folder).with_changes({RECORD: None}).id


def replaced(tree: Tree, folder: str, output: str) -> str:
    """Identify the release and the final YAML on the default branch, which a proposal replaces, and where they are."""
    facts = (folder, tree.oid(f"{folder}/{RELEASE}"), output, tree.folder(output).id)
    return hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()
