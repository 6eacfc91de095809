"""The path of a hand-off: who starts the pipeline, which tokens its job gets, and where it may push. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headgate.doctor import places
from headgate.doctor.branches import DEVELOPER, REPORTER
from headgate.doctor.diagnosis import Diagnosis, is_given, not_shown
from headgate.paths import RECORDS_BRANCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headgate.doctor.examine import Examined, Project, Shown
    from headgate.model import AcceptRule

_NO_TOKEN, _NO_SCOPE = 401, 403
_PUSH, _MERGE = "push_access_levels", "merge_access_levels"
_NAMED = ("user_id", "group_id", "deploy_key_id")
"""The keys of an entry for a person, group or key instead of a role: such an entry has a level too."""
_NOBODY = 99


def starters(examined: Examined) -> Iterator[Diagnosis]:
    """Whoever merges in an app may run the pipeline that its trigger job starts."""
    if examined.setup == "token":
        return
    name, runs_in = "who hands off", examined.runs_in
    for app in examined.apps:
        if app.facts is None or runs_in.facts is None:
            continue
        if None in (app.members, app.rules, runs_in.members, runs_in.rules, examined.manifests.members):
            yield not_shown(name, app, "who may merge there, and in our projects", stops=True)
            continue
        least = _needed(app, _PUSH, _MERGE)
        ours = {token.user for project in (examined.manifests, runs_in) for token in project.tokens.values()}
        people = [person for person in app.members or () if person.id not in ours and person.level >= least]
        without = [(person.name, why) for person in people if (why := _why_not(examined, person.id))]
        for name_there, why in without:
            text = f"{name_there} {why}, so what {name_there} merges in {app.path} is not handed off"
            yield Diagnosis(name, "wrong", app.path, text, _OPENING[examined.setup], stops=True)
        if not without:
            yield Diagnosis(name, "ok", app.path, f"its people may run pipelines of {runs_in.path}")


_OPENING = {
    "direct": "Manage > Members: Developer, or who 'Allowed to merge' of the default branch names",
    "intake": "Manage > Members: Developer in the intake, Reporter in the manifest project",
}


def _why_not(examined: Examined, person: int) -> str:
    """Say why a person's pipelines cannot do it; empty if they can."""
    runs_in, manifests = examined.runs_in, examined.manifests
    if not may(runs_in, person, _PUSH, _MERGE):
        return f"may not run pipelines of {runs_in.path} on {runs_in.branch}"
    if runs_in is not manifests and manifests.is_private and manifests.level(person) < REPORTER:
        return f"may not read {manifests.path}, which has the intake's CI configuration"
    pushes_itself = not is_given(runs_in, "HEADGATE_TOKEN") and runs_in is manifests
    if pushes_itself and not may(manifests, person, _PUSH):
        return f"may not push {manifests.branch} of {manifests.path}, which its job does as that person"
    return ""


def may(project: Project, person: int, *keys: str, branch: str = "") -> bool:
    """Whether a person has a right to a branch by any of these keys of its rules; groups may contain anybody."""
    entries, level = _entries(project, branch or project.branch, keys), project.level(person)
    return level >= DEVELOPER and (_is_named(entries, person) or level >= _needed(project, *keys, branch=branch))


def _entries(project: Project, branch: str, keys: Sequence[str]) -> list[Any]:
    return [entry for rule in project.protecting(branch) or () for key in keys for entry in rule.get(key) or ()]


def _needed(project: Project, *keys: str, branch: str = "") -> int:
    """Return the lowest role that any of the keys of a branch's rules takes; Developer where there are no rules."""
    if not project.protecting(branch or project.branch):
        return DEVELOPER
    return _lowest(_entries(project, branch or project.branch, keys))


def _is_named(entries: Sequence[Any], person: int) -> bool:
    return any(entry.get("user_id") == person or entry.get("group_id") for entry in entries)


def _lowest(entries: Sequence[Any]) -> int:
    """Return the lowest role among the entries of a rule."""
    levels = [int(entry.get("access_level") or 0) for entry in entries if not any(map(entry.get, _NAMED))]
    return max(DEVELOPER, min(filter(None, levels), default=_NOBODY))


def protected_refs(examined: Examined) -> Iterator[Diagnosis]:
    """The apps' branches and tags that hand off are protected: the component hands off no others."""
    takes = [take for take in _taken(examined) if take.protected]
    for app in examined.apps:
        for kind, rules, patterns in (
            ("branch", app.rules, {take.branch for take in takes if take.branch}),
            ("tag", app.tags, {take.tag for take in takes if take.tag}),
        ):
            yield from (_protected_ref(app, kind, rules, pattern) for pattern in sorted(patterns) if app.facts)


def _protected_ref(app: Project, kind: str, rules: Sequence[Any] | None, pattern: str) -> Diagnosis:
    name = "protected refs"
    if rules is None:
        return not_shown(name, app, f"whether the {kind} {pattern} is protected", stops=True)
    if any(fnmatchcase(pattern, rule["name"]) for rule in rules):
        return Diagnosis(name, "ok", app.path, f"the {kind} {pattern} is protected")
    if any(fnmatchcase(rule["name"], pattern) for rule in rules):
        return Diagnosis(name, "ok", app.path, f"of the {kind} {pattern} some are protected, and handed off")
    place = "Protected branches" if kind == "branch" else "Protected tags"
    text = f"the {kind} {pattern} is not protected, so nothing is handed off from it"
    way_out = f"in {app.path}: Settings > Repository > {place}: add {pattern}"
    return Diagnosis(name, "wrong", app.path, text, way_out, stops=True)


def live_tokens(examined: Examined) -> Iterator[Diagnosis]:
    """The tokens of jobs are valid, as far as GitLab shows their values."""
    runs_in = examined.runs_in
    for key, token in runs_in.tokens.items():
        is_ours = key == "HEADGATE_TOKEN"
        if token.status == _NO_TOKEN:
            text = f"{key} is expired, revoked or mistyped"
            stops = is_given(runs_in, key) and key != "HEADGATE_BRANCH_TOKEN"
            yield Diagnosis(
                "tokens", "wrong", runs_in.path, text, f"make a new token, and put it into {key}", stops=stops
            )
        elif token.is_granular:
            text = f"{key} is fine-grained and may not read its own user, so its other rights are unknown"
            way_out = f"give it User: Read, and what docs/trust.md lists: {key}"
            stops = is_given(runs_in, key) and _needs(examined, key)
            yield Diagnosis("tokens", "wrong" if stops else "cannot tell", runs_in.path, text, way_out, stops=stops)
        elif token.status == _NO_SCOPE:
            scope = "read_api" if key == "HEADGATE_READ_TOKEN" else "api"
            text = f"{key} lacks the scope {scope}"
            stops = is_given(runs_in, key) and (is_ours or _needs(examined, key))
            yield Diagnosis(
                "tokens", "wrong", runs_in.path, text, f"recreate it with the scope {scope}: {key}", stops=stops
            )
        elif key == "HEADGATE_READ_TOKEN":
            yield from _blind(examined, token)


def _needs(examined: Examined, key: str) -> bool:
    """Whether a run needs the rights of a token's missing scope."""
    if key == "HEADGATE_BRANCH_TOKEN":
        return is_given(examined.runs_in, "HEADGATE_TOKEN")  # then its user must be known
    return any(app.limited and examined.runs_in.path not in (app.allowed or ()) for app in examined.apps)


def _blind(examined: Examined, token: Shown) -> Iterator[Diagnosis]:
    for app in examined.apps:
        if app.members is not None and app.is_private and app.level(token.user) < REPORTER:
            yield Diagnosis(
                *("tokens", "wrong", app.path, "the user of HEADGATE_READ_TOKEN may not read it"),
                f"in {app.path}: Manage > Members: that user, as Reporter",
                stops=True,
            )


def writer(examined: Examined) -> Iterator[Diagnosis]:
    """The bot may push to the branch that a hand-off changes, if GitLab shows the token's user."""
    runs_in, manifests = examined.runs_in, examined.manifests
    token = runs_in.tokens.get("HEADGATE_TOKEN")
    if runs_in.variables and "HEADGATE_TOKEN" in runs_in.variables:
        yield from _shown_rightly(examined)
    if token is None or not token.user or not is_given(runs_in, "HEADGATE_TOKEN") or manifests.members is None:
        return
    for branch in _written(examined):
        if not may(manifests, token.user, _PUSH, branch=branch):
            yield Diagnosis(
                *("the bot", "wrong", manifests.path, f"the user of HEADGATE_TOKEN may not push {branch}"),
                f"Manage > Members: a role that may; or Settings > Repository > Protected branches > {branch} > "
                "'Allowed to push and merge'",
                stops=True,
            )


def reporter(examined: Examined) -> Iterator[Diagnosis]:
    """Whether the bot may set statuses on the apps' commits: nothing else depends on it.

    On a protected branch, GitLab accepts a status from whoever may push or merge, on a protected tag from those who may
    create it: `update_pipeline` in app/policies/ci/pipeline_policy.rb.
    """
    token = examined.runs_in.tokens.get("HEADGATE_TOKEN")
    if token is None or not token.user or not is_given(examined.runs_in, "HEADGATE_TOKEN"):
        return
    for app in examined.apps:
        if app.facts is None or app.members is None or app.rules is None:
            continue
        branches = sorted({take.branch for take in _taken(examined) if take.branch})
        tags = sorted({take.tag for take in _taken(examined) if take.tag})
        refs = [f"the branch {at}" for at in branches if not may(app, token.user, _PUSH, _MERGE, branch=at)]
        refs += [f"the tag {tag}" for tag in tags if not _creates(app, token.user, tag)]
        text = "the user of HEADGATE_TOKEN may set statuses of its commits"
        if refs:
            text = (
                f"no statuses are set on its commits, since the user of HEADGATE_TOKEN may not update {', '.join(refs)}"
            )
            text += f" ({_UPDATING}); all else goes through"
        yield Diagnosis("the bot", "ok", app.path, text)


_UPDATING = "Settings > Repository > Protected branches > 'Allowed to merge', Protected tags > 'Allowed to create'"


def _taken(examined: Examined) -> list[AcceptRule]:
    """Return the rules by which environments take hand-offs of branches and tags."""
    environments = examined.settings.environments.values() if examined.settings else ()
    return [take for at in environments for take in at.takes if take.promotion is None]


def _creates(app: Project, person: int, tag: str) -> bool:
    rules = [rule for rule in app.tags or () if fnmatchcase(tag, rule["name"])]
    entries = [entry for rule in rules for entry in rule.get("create_access_levels") or ()]
    return _is_named(entries, person) or app.level(person) >= (_lowest(entries) if rules else DEVELOPER)


def _written(examined: Examined) -> list[str]:
    """Return the branches that a hand-off writes, except those for review, which no rule covers."""
    is_apart = examined.settings is not None and examined.settings.records == "branch"
    return [RECORDS_BRANCH if is_apart else examined.manifests.branch]


def _shown_rightly(examined: Examined) -> Iterator[Diagnosis]:
    """HEADGATE_TOKEN reaches the jobs, but not those of unprotected branches."""
    runs_in, branch = examined.runs_in, examined.runs_in.branch
    if runs_in.protected is None or runs_in.protected:
        return
    way_out = f"Settings > Repository > Protected branches: add {branch}"
    if is_given(runs_in, "HEADGATE_TOKEN"):
        text = f"HEADGATE_TOKEN is shown to {branch}, which is not protected, so jobs refuse to run"
        yield Diagnosis("the bot", "wrong", runs_in.path, text, way_out, stops=True)
    elif not _jobs_push(examined):
        text = f"HEADGATE_TOKEN is not shown to {branch}, which is not protected, and jobs may not push without it"
        yield Diagnosis("the bot", "wrong", runs_in.path, text, way_out, stops=True)


def _jobs_push(examined: Examined) -> bool:
    facts, is_here = examined.manifests.facts or {}, examined.runs_in is examined.manifests
    is_apart = examined.settings is not None and examined.settings.records == "branch"
    return is_here and not is_apart and bool(facts.get("ci_push_repository_for_job_token_allowed"))


def triggers(examined: Examined) -> Iterator[Diagnosis]:
    """With trigger tokens: each app has one, and its owner may run pipelines and read the app."""
    if examined.setup != "token":
        return
    name, manifests = "trigger token", examined.manifests
    for app in examined.apps:
        if app.variables is not None and "HEADGATE_TRIGGER_TOKEN" not in app.variables:
            text = "HEADGATE_TRIGGER_TOKEN is not among its variables; a group may give it"
            yield Diagnosis(name, "cannot tell", app.path, text, _HOW_TO_GIVE, stops=True)
        elif manifests.triggers is None or manifests.members is None:
            yield not_shown(name, manifests, "trigger tokens and members", stops=True)
        else:
            yield _of_owners(examined, app)


_HOW_TO_GIVE = f"{places.VARIABLES}: HEADGATE_TRIGGER_TOKEN, {places.HIDDEN}"


def _of_owners(examined: Examined, app: Project) -> Diagnosis:
    """Say whether an owner of a trigger token can do it; GitLab does not show which token the app has."""
    manifests, name = examined.manifests, "trigger token"
    owners = [int((trigger.get("owner") or {}).get("id") or 0) for trigger in manifests.triggers or ()]
    running = [owner for owner in owners if may(manifests, owner, _PUSH, _MERGE)]
    if not running:
        text = f"nobody who may run pipelines of {manifests.branch} has a trigger token"
        return Diagnosis(
            name, "wrong", manifests.path, text, "make one with the bot's token: docs/setup.md", stops=True
        )
    reads = "HEADGATE_READ_TOKEN" in (manifests.variables or {}) or not app.is_private
    if not reads and app.members is not None and not any(app.level(owner) >= REPORTER for owner in running):
        text = f"the owner of the trigger token may not read {app.path}, so the sender of a hand-off cannot be verified"
        return Diagnosis(name, "wrong", app.path, text, "Manage > Members: the bot, as Developer", stops=True)
    return Diagnosis(name, "ok", app.path, "a trigger token starts pipelines, and its owner reads the app")
