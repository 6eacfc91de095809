"""The intake project: it runs the CI file of the manifest project, and hides its token. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.doctor import places
from headgate.doctor.branches import DEVELOPER, MAINTAINER
from headgate.doctor.diagnosis import Diagnosis, not_shown
from headgate.scaffolding import INTAKE_CI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined, Project


def intake(examined: Examined) -> Iterator[Diagnosis]:
    """The intake project runs the CI file of the manifest project for the apps' people, and hides its token."""
    name, project = "intake", examined.intake
    if project is None or project.facts is None:
        return
    wanted = f"{INTAKE_CI}@{examined.manifests.path}"
    path = project.facts.get("ci_config_path")
    if path is None:
        yield not_shown(name, project, "where its CI configuration is")
    elif path.partition(":")[0] == wanted:
        yield Diagnosis(name, "ok", project.path, f"it runs {path}")
    else:
        yield Diagnosis(
            *(name, "wrong", project.path, f"it runs {path or '.gitlab-ci.yml'!r}, which its own people can change"),
            f"{places.CI_FILE} {wanted}",
        )
    levels = [
        int(entry.get("access_level") or 0)
        for rule in project.protected or ()
        for key in ("push_access_levels", "merge_access_levels")
        for entry in rule.get(key) or ()
    ]
    if project.protected and not any(0 < level <= DEVELOPER for level in levels):
        yield Diagnosis(
            *(name, "wrong", project.path, "Developers may not run its pipelines, so no app can hand off"),
            "Settings > Repository > Protected branches > 'Allowed to merge': Developers + Maintainers",
        )
    yield from _overprivileged(project, examined.manifests)


def _overprivileged(project: Project, manifests: Project) -> Iterator[Diagnosis]:
    """Who could change the intake's settings, and so use its token, without the same role in the manifest project."""
    if project.members is None or manifests.members is None:
        yield not_shown("intake", project, "who its members are")
        return
    trusted = {member.name for member in manifests.members if member.level >= MAINTAINER}
    mighty = sorted(
        member.name for member in project.members if member.level >= MAINTAINER and member.name not in trusted
    )
    if mighty:
        yield Diagnosis(
            *(
                "intake",
                "wrong",
                project.path,
                f"{', '.join(mighty)} can change its settings, and so use HEADGATE_TOKEN",
            ),
            f"give the role Maintainer only to people who have it in {manifests.path}",
        )
