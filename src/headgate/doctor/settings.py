"""GitLab's version and its projects' settings. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.doctor import places
from headgate.doctor.diagnosis import Diagnosis, everything, not_shown, ours, seen
from headgate.message import subject
from headgate.objects.lookup import value_at
from headgate.scaffolding import CI, INTAKE_CI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined

# The first that takes `spec:description` in a component: https://docs.gitlab.com/ci/yaml/#specdescription
OLDEST = (18, 10)


def version(examined: Examined) -> Iterator[Diagnosis]:
    """GitLab is new enough."""
    found = re.match(r"([0-9]+)\.([0-9]+)", examined.version or "")
    if found is None:
        yield Diagnosis("version", "cannot tell", "", f"GitLab reports the version {examined.version!r}")
    elif (int(found[1]), int(found[2])) < OLDEST:
        yield Diagnosis(
            "version",
            "wrong",
            "",
            f"GitLab {examined.version} is too old",
            f"update it to {OLDEST[0]}.{OLDEST[1]} or newer",
        )
    else:
        yield Diagnosis("version", "ok", "", f"GitLab {examined.version}")


def visible(examined: Examined) -> Iterator[Diagnosis]:
    """The token sees all projects."""
    for project in everything(examined):
        if project.facts is None:
            yield Diagnosis(
                *("visible", "wrong" if project in ours(examined) else "cannot tell", project.path),
                "there is no such project, or this token does not see it",
                "correct its path, or give the token's user a role there",
                stops=True,
            )


def settings(examined: Examined) -> Iterator[Diagnosis]:
    """headgate.yaml names this project."""
    if examined.settings is None:
        return
    message = examined.settings.gitlab
    if message is None or message.project != examined.manifests.path:
        yield Diagnosis(
            *("headgate.yaml", "wrong", examined.manifests.path),
            f"headgate.yaml is of {message.project if message else 'no project'}",
            f"in headgate.yaml: 'gitlab: {{project: {examined.manifests.path}}}', next to 'url'",
            stops=True,
        )
    else:
        yield Diagnosis("headgate.yaml", "ok", examined.manifests.path, "it names this project")


def pipeline_variables(examined: Examined) -> Iterator[Diagnosis]:
    """Nobody may set pipeline variables: they override all others of a job."""
    name = "pipeline variables"
    for project in seen(examined):
        role = (project.facts or {}).get("ci_pipeline_variables_minimum_override_role")
        if role is None:
            yield not_shown(name, project, "who may set pipeline variables")
        elif role == "no_one_allowed":
            yield Diagnosis(name, "ok", project.path, "no one may set pipeline variables")
        else:
            yield Diagnosis(
                *(name, "wrong", project.path, f"the role {role} may set pipeline variables, which outrank all others"),
                places.PIPELINE_VARIABLES,
            )


def auto_cancel(examined: Examined) -> Iterator[Diagnosis]:
    """GitLab does not cancel a hand-off that waits when the branch moves."""
    name = "auto-cancel"
    for project in seen(examined):
        file = INTAKE_CI if project is examined.intake else CI
        setting = (project.facts or {}).get("auto_cancel_pending_pipelines")
        if setting == "disabled":
            yield Diagnosis(name, "ok", project.path, "redundant pipelines are not cancelled")
        elif file not in examined.ci:
            yield Diagnosis(name, "cannot tell", project.path, f"{file} not found")
        elif value_at(examined.ci[file], "workflow", "auto_cancel", "on_new_commit") == "none":
            yield Diagnosis(name, "ok", project.path, f"{file} keeps waiting pipelines")
        else:
            yield Diagnosis(
                *(name, "wrong", project.path, "GitLab cancels hand-offs that wait when the branch moves"),
                f"in {file}: 'workflow: {{auto_cancel: {{on_new_commit: none}}}}'",
            )


def registry(examined: Examined) -> Iterator[Diagnosis]:
    """Job tokens go only to GitLab's own registry."""
    facts, settings = examined.manifests.facts, examined.settings
    if facts is None or settings is None:
        return
    name, project = "registry", examined.manifests.path
    message = settings.gitlab.registry if settings.gitlab else None
    real = str(facts.get("container_registry_image_prefix") or "").partition("/")[0]
    if message and real and message != real:
        yield Diagnosis(
            *(name, "wrong", project, f"headgate.yaml says that the registry is {message}, GitLab says {real}"),
            f"in headgate.yaml: 'gitlab: {{registry: {real}}}'",
        )
    elif not message and real and any(image.partition("/")[0] == real for image in examined.images):
        yield Diagnosis(
            *(name, "wrong", project, f"images are in {real}, which headgate.yaml does not name"),
            f"in headgate.yaml: 'gitlab: {{registry: {real}}}'",
        )
    elif message and not real:
        yield Diagnosis(name, "cannot tell", project, f"GitLab does not say whether its registry is {message}")
    else:
        yield Diagnosis(
            name, "ok", project, f"the registry is {message}" if message else "no image is in GitLab's registry"
        )


def titles(examined: Examined) -> Iterator[Diagnosis]:
    """Titles of merge requests match the project's pattern; otherwise GitLab merges nothing."""
    name, project = "merge request titles", examined.manifests
    pattern = str((project.facts or {}).get("merge_request_title_regex") or "")
    if not pattern:
        return
    template = examined.settings.commits.message if examined.settings else None
    sample = subject("Deliver", ["shop"], ["production"], what="acme/shop@0123456789ab", template=template)
    try:
        fits = re.search(pattern, sample) is not None
    except re.error:  # GitLab's RE2 knows what Python does not
        yield Diagnosis(name, "cannot tell", project.path, f"whether '{sample}' fits {pattern!r}")
        return
    if fits:
        yield Diagnosis(name, "ok", project.path, f"'{sample}' fits {pattern!r}")
    else:
        yield Diagnosis(
            *(name, "wrong", project.path, f"'{sample}' does not match {pattern!r}, so it cannot be merged"),
            "headgate.yaml: commits: {message: ...}, with what the pattern asks for; or Settings > Merge requests > "
            "'Merge request title must match regex'",
        )


def schedules(examined: Examined) -> Iterator[Diagnosis]:
    """A nightly schedule verifies everything, and completes killed runs."""
    name, project = "schedule", examined.manifests
    if project.facts is None:
        return
    if project.schedules is None:
        yield not_shown(name, project, "pipeline schedules")
        return
    refs = (project.branch, f"refs/heads/{project.branch}")
    active = [schedule for schedule in project.schedules if schedule.get("active") and schedule.get("ref") in refs]
    if active:
        yield Diagnosis(name, "ok", project.path, f"a pipeline runs by schedule: {active[0].get('cron')}")
    else:
        environments = examined.settings.environments if examined.settings else {}
        shut = [name for name, environment in environments.items() if environment.windows]
        waits = f", and versions held by the windows of {', '.join(shut)} wait for the next push" if shut else ""
        message = f"no pipeline of {project.branch} runs by schedule, so nothing is verified{waits}"
        yield Diagnosis(
            *(name, "wrong", project.path, message),
            places.SCHEDULES,
        )
