"""Who can bypass the review: what the rules of the default branch allow, role by role. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.doctor.diagnosis import Diagnosis, not_shown, seen
from headgate.paths import RECORDS_BRANCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined, Project

REPORTER, DEVELOPER, MAINTAINER = 20, 30, 40
# https://docs.gitlab.com/api/protected_branches/#valid-access-levels
_ROLES = {30: "Developers", 40: "Maintainers", 50: "Owners", 60: "administrators"}


def protected_branch(examined: Examined) -> Iterator[Diagnosis]:
    """The default branch is protected, also from force pushes."""
    name = "protected branch"
    for project in seen(examined):
        branch = project.branch
        if project.protected is None:
            yield not_shown(name, project, "protected branches")
        elif not project.protected:
            yield Diagnosis(
                *(name, "wrong", project.path, f"{branch} is not protected: all Developers can push to it"),
                "Settings > Repository > Protected branches",
            )
        elif any(rule.get("allow_force_push") for rule in project.protected):
            yield Diagnosis(
                *(name, "wrong", project.path, f"{branch} allows force pushes"),
                "Settings > Repository > Protected branches > 'Allowed to force push': off",
            )
        else:
            yield Diagnosis(name, "ok", project.path, f"{branch} is protected")


def mirrors(examined: Examined) -> Iterator[Diagnosis]:
    """Branches that clusters read instead of the default one are protected like it: what is pushed there runs."""
    settings, project, name = examined.settings, examined.manifests, "mirrors"
    found = settings.environments.items() if settings else ()
    branches = {
        environment.output.mirror.branch.replace("{environment}", at)
        for at, environment in found
        if environment.output.mirror
    }
    way_out = "Settings > Repository > Protected branches: add it, 'Allowed to push and merge': Maintainers"
    for branch in sorted(branches):
        rules = project.protecting(branch)
        entries = [_holder(project, entry) for rule in rules or () for entry in rule.get("push_access_levels") or ()]
        untrusted = [who for who, level in entries if who and level < MAINTAINER]
        if rules is None:
            yield not_shown(name, project, "protected branches")
        elif not rules:
            message = f"the mirror {branch} is not protected: whatever a Developer pushes there runs without review"
            yield Diagnosis(name, "wrong", project.path, message, way_out)
        elif untrusted and examined.setup != "direct":
            yield Diagnosis(name, "wrong", project.path, f"{untrusted[0]} may push to the mirror {branch}", way_out)
        else:
            yield Diagnosis(name, "ok", project.path, f"the mirror {branch} is protected")


def records(examined: Examined) -> Iterator[Diagnosis]:
    """Pending versions can be stored, and nobody can revert them: on the default branch, or on a separate one."""
    settings, project, name = examined.settings, examined.manifests, "records"
    if settings is None:
        return
    is_apart = settings.records == "branch"
    branch = RECORDS_BRANCH if is_apart else project.branch
    rules = project.protecting(branch)
    if rules is None:
        yield not_shown(name, project, "protected branches")
    elif is_apart and not rules:
        yield Diagnosis(
            *(name, "wrong", project.path, f"{branch} is not protected: a push of an old commit reverts it"),
            f"Settings > Repository > Protected branches: add {branch}, 'Allowed to push and merge': the bot",
        )
    elif not is_apart and rules and not any(_may_push(rule) for rule in rules):
        yield Diagnosis(
            *(name, "wrong", project.path, f"nobody may push {branch}, so what is pending cannot be stored there"),
            f"Settings > Repository > Protected branches: let the bot push {branch}; "
            "or 'records: branch' in headgate.yaml, where all environments are reviewed",
        )
    else:
        yield Diagnosis(name, "ok", project.path, f"what is pending is stored on {branch}")


def _may_push(rule: Any) -> bool:
    return any(
        entry.get("access_level") or entry.get("user_id") or entry.get("group_id") or entry.get("deploy_key_id")
        for entry in rule.get("push_access_levels") or ()
    )


def pushers(examined: Examined) -> Iterator[Diagnosis]:
    """Who could bypass the review by a push, role by role."""
    yield from _who(examined, "push_access_levels", "bypass the review by a push", "Allowed to push and merge")


def mergers(examined: Examined) -> Iterator[Diagnosis]:
    """Who could merge unreviewed changes, role by role."""
    yield from _who(examined, "merge_access_levels", "merge, their own merge requests too", "Allowed to merge")


def _who(examined: Examined, key: str, may: str, setting: str) -> Iterator[Diagnosis]:
    project = examined.manifests
    name = "who may push" if key.startswith("push") else "who may merge"
    for rule in project.protected or ():
        for entry in rule.get(key) or ():
            who, level = _holder(project, entry)
            if not who:
                continue
            trusted = level >= MAINTAINER or (examined.setup == "direct" and level == DEVELOPER)
            hint = f"Settings > Repository > Protected branches > '{setting}': Maintainers"
            if level == DEVELOPER:
                hint += "; or, if these people are trusted with this repository: --setup direct"
            yield Diagnosis(
                name, "ok" if trusted else "wrong", project.path, f"{who} may {may}", "" if trusted else hint
            )


def _holder(project: Project, entry: Any) -> tuple[str, int]:
    """Return the holder of an entry of a protected branch, and the access level; nobody for "No one"."""
    level, described = int(entry.get("access_level") or 0), str(entry.get("access_level_description") or "")
    if entry.get("deploy_key_id"):
        return f"the deploy key '{described}'", 0
    if entry.get("user_id"):
        return f"the user {described}", MAINTAINER
    if entry.get("group_id"):
        return f"the group {described}", MAINTAINER
    if level == 0:
        return "", 0
    role = _ROLES.get(level, described)
    if project.members is None:
        return f"{role} (GitLab does not show this token who they are)", level
    people = sorted(environment.name for environment in project.members if environment.level >= level)
    return f"{role} and above ({', '.join(people) or 'nobody'})", level
