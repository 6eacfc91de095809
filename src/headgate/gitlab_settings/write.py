"""Writes settings one by one; those that GitLab refuses are kept, with who could write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.doctor.diagnosis import everything
from headgate.errors import GitLabError, HeadgateError
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from headgate.doctor.examine import Examined, Project
    from headgate.gitlab.api import GitLab
    from headgate.gitlab_settings.setting import Setting


_DENIED = (400, 401, 403, 404)


@frozen_record
class Refused:
    """A setting that was not written, and why."""

    setting: Setting
    why: str


def missing(wanted: Iterable[Setting], examined: Examined) -> list[Setting]:
    """Return settings that are wrong, or not shown. A missing project hides the settings in it."""
    return [setting for setting in wanted if not setting.is_so(project_of(setting, examined))]


def project_of(setting: Setting, examined: Examined) -> Project:
    """Return the project of a setting as GitLab shows it."""
    return next(project for project in everything(examined) if project.path == setting.project)


def write(
    gitlab: GitLab, wanted: Sequence[Setting], examined: Examined, written: Callable[[Setting, str], None]
) -> Iterator[Refused]:
    """Write settings in order, pass each with its remark to ``written``, and yield those that are left."""
    for setting in wanted:
        project = project_of(setting, examined)
        try:
            if setting.is_so(project) is None:
                yield Refused(setting=setting, why=f"GitLab does not show it to {gitlab.token}: {setting.who} sees it")
                continue
            written(setting, setting.write(gitlab, project))
        except GitLabError as error:
            is_denied = error.status in _DENIED
            yield Refused(
                setting=setting,
                why=f"{error.what}; {f'{setting.who} may, by a token with the scope api' if is_denied else error.hint}",
            )
        except HeadgateError as error:
            yield Refused(setting=setting, why=f"{error.what}; {error.hint}")
