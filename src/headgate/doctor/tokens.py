"""The rights of jobs, and the tokens that they get: pushes, tokens, allowlists. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.doctor import places
from headgate.doctor.diagnosis import Diagnosis, State, is_given, not_shown, reviewed, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined


def job_token_push(examined: Examined) -> Iterator[Diagnosis]:
    """Either the bot or the jobs themselves may push."""
    name, project = "push by jobs", examined.manifests
    allowed = (project.facts or {}).get("ci_push_repository_for_job_token_allowed")
    has_bot = "HEADGATE_TOKEN" in (project.variables or {})
    if project.facts is None:
        return
    if allowed is None:
        yield not_shown(name, project, "whether jobs may push")
    elif allowed:
        yield Diagnosis(name, "ok", project.path, "its own jobs may push, with the rights of whoever runs them")
    elif examined.setup == "direct" and not has_bot:
        state: State = "wrong" if project.variables is not None else "cannot tell"
        message = "its jobs may not push, and there is no HEADGATE_TOKEN"
        yield Diagnosis(name, state, project.path, message, places.JOB_PUSH, stops=True)
    else:
        yield Diagnosis(name, "ok", project.path, "its jobs may not push; HEADGATE_TOKEN does")
    across = [value for key, value in project.facts.items() if key.endswith(_ACROSS)]
    if any(across):
        others = ", ".join(sorted((project.allowed or frozenset()) - {project.path})) or "none yet"
        yield Diagnosis(
            *(
                name,
                "wrong",
                project.path,
                f"jobs of projects on its allowlist may bypass the review by a push: {others}",
            ),
            "Settings > CI/CD > Job token permissions > 'Allow cross-project Git push requests from allowlisted "
            "projects': off",
        )


_ACROSS = "cross_project_push_for_job_token_allowed"  # GitLab 19.1


def tokens(examined: Examined) -> Iterator[Diagnosis]:
    """Tokens are hidden, and only protected branches get them, except for the one that is meant for others."""
    needs_bot = examined.setup != "direct" or bool(reviewed(examined))
    for project in seen(examined):
        if project.variables is None:
            yield not_shown("tokens", project, "variables")
            continue
        found = {key: item for key, item in project.variables.items() if key in _TOKENS}
        for key, item in found.items():
            yield _token(project.path, key, item)
        if needs_bot and "HEADGATE_TOKEN" not in found:
            yield Diagnosis(
                *(
                    "tokens",
                    "cannot tell",
                    project.path,
                    "HEADGATE_TOKEN is not among its variables; a group may give it",
                ),
                f"{places.VARIABLES}: {places.HIDDEN}",
                stops=project is examined.runs_in,
            )


_KEYS = ("HEADGATE_SIGNING_KEY", "HEADGATE_ARTIFACT_KEY")
_TOKENS = ("HEADGATE_TOKEN", "HEADGATE_READ_TOKEN", "HEADGATE_BRANCH_TOKEN", *_KEYS)


def _token(project: str, key: str, variable: Any) -> Diagnosis:
    protect = f"{places.VARIABLES} > {key}: 'Protect variable'"
    if key == "HEADGATE_BRANCH_TOKEN" and variable.get("protected"):
        message = f"{key} is protected, so pipelines of merge requests do not get it"
        return Diagnosis("tokens", "wrong", project, message, f"{protect} off")
    if key in ("HEADGATE_TOKEN", *_KEYS) and not variable.get("protected"):
        message = f"{key} is shown to every branch: whoever can push one can read it"
        return Diagnosis("tokens", "wrong", project, message, f"{protect} on, and make a new token")
    is_file = variable.get("variable_type") == "file"  # a key has line breaks, which GitLab does not mask
    if not (variable.get("masked") or variable.get("hidden") or is_file):
        message = f"{key} is not masked: a job can print it"
        return Diagnosis(
            "tokens", "wrong", project, message, f"recreate it with the visibility 'Masked and hidden': {key}"
        )
    return Diagnosis("tokens", "ok", project, f"{key} is {'hidden' if variable.get('hidden') else 'masked or a file'}")


def two_users(examined: Examined) -> Iterator[Diagnosis]:
    """The token for all branches belongs to another user than the bot, whose pushes count as Headgate's."""
    for project in seen(examined):
        own, other = (project.tokens.get(key) for key in ("HEADGATE_TOKEN", "HEADGATE_BRANCH_TOKEN"))
        if own and other and own.user == other.user != 0:
            yield Diagnosis(
                *("tokens", "wrong", project.path, "HEADGATE_BRANCH_TOKEN and HEADGATE_TOKEN belong to the same user"),
                "recreate HEADGATE_BRANCH_TOKEN as another user: each project access token has a user of its own",
                stops=project is examined.runs_in and is_given(project, "HEADGATE_TOKEN"),
            )


def proofs(examined: Examined) -> Iterator[Diagnosis]:
    """The proof of this set-up counts, and no weaker one."""
    configured = examined.settings.gitlab if examined.settings else None
    if configured is None:
        return
    name, path = "proof of sender", examined.manifests.path
    needed = ("id-token",) if examined.setup == "token" else ("trigger-jobs", "upstream")
    counting = [item for item in needed if item in configured.proofs]
    if not counting:
        yield Diagnosis(
            *(name, "wrong", path, f"{' or '.join(needed)} does not count, so every hand-off is refused"),
            f"headgate.yaml: gitlab: {{proofs: [{', '.join(dict.fromkeys([needed[0], *configured.proofs]))}]}}",
            stops=True,
        )
    elif counting == ["upstream"]:
        yield Diagnosis(
            *(
                name,
                "wrong",
                path,
                "what GitLab puts into the job counts as proof: whoever sets variables here can forge it",
            ),
            "headgate.yaml: gitlab: {proofs: [trigger-jobs, id-token]}, where the job token or HEADGATE_READ_TOKEN may "
            "read the apps' pipelines; docs/trust.md says when it does not matter",
        )
    else:
        yield Diagnosis(name, "ok", path, f"hand-offs are proved by {counting[0]}")


def allowlists(examined: Examined) -> Iterator[Diagnosis]:
    """Jobs that take hand-offs can read the apps, and jobs of other projects cannot read these projects."""
    name, runner = "job token allowlist", examined.runs_in
    for project in seen(examined):
        if project.limited is False:
            yield Diagnosis(
                *(name, "wrong", project.path, "jobs of every project may use their tokens here"),
                places.LIMITED,
            )
    if "HEADGATE_READ_TOKEN" in (runner.variables or {}):
        yield Diagnosis(name, "ok", runner.path, "HEADGATE_READ_TOKEN reads the apps")
        return
    for app in examined.apps:
        if app.facts is None:
            continue
        if app.allowed is None or app.limited is None:
            yield not_shown(name, app, f"whether jobs of {runner.path} may read it", stops=True)
        elif app.limited and not is_listed(runner.path, app.allowed):
            yield Diagnosis(
                *(
                    name,
                    "wrong",
                    app.path,
                    f"jobs of {runner.path} may not read it, so the sender of a hand-off cannot be verified",
                ),
                f"in {app.path}: {places.ALLOWLIST} {runner.path}; "
                f"or give {runner.path} the variable HEADGATE_READ_TOKEN",
                stops=True,
            )
        else:
            yield Diagnosis(name, "ok", app.path, f"jobs of {runner.path} may read it")


def is_listed(project: str, allowed: frozenset[str]) -> bool:
    """Whether a project, or a group above it, is on an allowlist."""
    return any(project == item or project.startswith(f"{item}/") for item in allowed)
