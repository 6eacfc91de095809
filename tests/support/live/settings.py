"""What a project is set to, as a person would in GitLab's settings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from support.live.api import Account, Project, RefusedError, ask, below, part, post, put, until


def protect(account: Account, project: Project, *, push: int, merge: int, branch: str = "main") -> None:
    """Say who may push to and merge into a branch: https://docs.gitlab.com/api/protected_branches/.

    Without Premium, a protection cannot be changed, but made anew. Some time after the first push GitLab protects the
    default branch by itself, which may come between.
    """

    def made() -> Any:
        with suppress(RefusedError):  # where nothing protects it
            ask(account, "DELETE", below(project, f"/protected_branches/{part(branch)}"))
        levels = {"push_access_level": push, "merge_access_level": merge}
        try:
            return post(account, below(project, "/protected_branches"), name=branch, **levels)
        except RefusedError as error:
            if error.status != _EXISTS:
                raise
            return None

    until(account, f"{branch} of {project.path} to be protected", made)


_EXISTS = 409


def configure(account: Account, project: Project, **settings: Any) -> None:
    """Change settings of a project, and check that GitLab took them: https://docs.gitlab.com/api/projects/."""
    told = put(account, below(project), **settings)
    assert {key: told[key] for key in settings} == settings


def set_variable(account: Account, project: Project, name: str, value: str, *, protected: bool) -> None:
    """Give a project a masked CI/CD variable."""
    flags = {"protected": protected, "masked": True, "raw": True}
    post(account, below(project, "/variables"), key=name, value=value, **flags)


def allow_jobs(account: Account, project: Project, other: Project) -> None:
    """Let another project's jobs read this one: https://docs.gitlab.com/api/project_job_token_scopes/."""
    post(account, below(project, "/job_token_scope/allowlist"), target_project_id=other.id)
