"""The approvals that headgate.yaml requires: whether they can be given and counted, and who could merge without them.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.doctor.branches import MAINTAINER
from headgate.doctor.diagnosis import Diagnosis, is_given, reviewed
from headgate.doctor.way import may
from headgate.gitlab.identity import LEVELS
from headgate.model.policies import approving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined, Member
    from headgate.model import Review


def approvers(examined: Examined) -> Iterator[Diagnosis]:
    """Somebody counts the approvals, and enough people may give them."""
    name, project = "approvers", examined.manifests
    for environment, review, needed in _asking(examined):
        role = review.approver_role
        people = _others(examined)
        if project.variables is not None and not is_given(examined.runs_in, "HEADGATE_TOKEN"):
            text = f"nobody counts the {needed} approvals of {environment}, and Headgate merges nothing: there is no "
            yield Diagnosis(name, "wrong", project.path, f"{text}HEADGATE_TOKEN", "give jobs HEADGATE_TOKEN")
        elif people is None:
            yield Diagnosis(name, "cannot tell", project.path, "this token may not read who has which role")
        elif (count := sum(person.level >= LEVELS[role] for person in people)) < needed:
            yield Diagnosis(
                *(name, "wrong", project.path),
                f"{environment} needs {needed} approvals, and besides the bot {count} have the role {role} or more",
                "headgate.yaml: review: {approver_role: ...}; or Manage > Members",
            )
        else:
            by_itself = "" if review.auto_merge else "; people merge it (auto_merge: false), with fewer if they want to"
            text = f"{count} besides the bot may approve for {environment}, which needs {needed}{by_itself}"
            yield Diagnosis(name, "ok", project.path, text)


def unapproved(examined: Examined) -> Iterator[Diagnosis]:
    """Who could merge or push with fewer approvals, which bind only Headgate."""
    name, project = "who may merge unapproved", examined.manifests
    asking = _asking(examined)
    if not asking:
        return
    environments = ", ".join(environment for environment, *_ in asking)
    people = _others(examined)
    if people is None or project.rules is None:
        yield Diagnosis(name, "cannot tell", project.path, "this token may not read who may merge there")
        return
    able = [person for person in people if may(project, person.id, "push_access_levels", "merge_access_levels")]
    if not able:
        yield Diagnosis(name, "ok", project.path, f"nobody but the bot merges into {project.branch}")
        return
    names = ", ".join(sorted(person.name for person in able))
    text = f"{names} can merge into {project.branch} with fewer approvals than {environments} needs"
    if any(person.level < MAINTAINER for person in able):
        way_out = "'Allowed to merge' and 'Allowed to push and merge': Maintainers, or with Premium the bot alone"
        yield Diagnosis(name, "wrong", project.path, text, f"Settings > Repository > Protected branches > {way_out}")
    else:
        yield Diagnosis(name, "ok", project.path, f"{text}; Headgate finds and reports it")


def _asking(examined: Examined) -> list[tuple[str, Review, int]]:
    """Return the reviewed environments that need approvals, with the largest number that a merge there can need."""
    policies = examined.settings.policies if examined.settings else {}
    found = [(name, at.review, at.review.approvals + len(approving(policies, name))) for name, at in reviewed(examined)]
    return [entry for entry in found if entry[2]]


def _others(examined: Examined) -> list[Member] | None:
    """Return the members of the manifest project besides the bot, if GitLab shows the user of its token."""
    bot = examined.runs_in.tokens.get("HEADGATE_TOKEN")
    members = examined.manifests.members
    return None if members is None else [person for person in members if bot is None or person.id != bot.user]
