"""The variables in `images` of the component 'deliver', which GitLab expands when it creates the app's pipeline. Pure.

The variables that it knows then: https://docs.gitlab.com/ci/inputs/#predefined-interpolation-functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headgate.doctor.diagnosis import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.doctor.examine import Examined, Project

_NAME = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_OF_JOBS = ("CI_JOB_", "CI_ENVIRONMENT_", "GITLAB_USER_")


def images(examined: Examined) -> Iterator[Diagnosis]:
    """GitLab can expand the variables in `images`: with a masked one it creates no pipeline, others stay unexpanded."""
    for app in examined.apps:
        for name in dict.fromkeys(name for text in _handed_off(app.ci) for name in _NAME.findall(text)):
            problem = _problem(app, name)
            if problem:
                way_out = f"in .gitlab-ci.yml of {app.path}: images: write it without ${name}"
                yield Diagnosis("images", "wrong", app.path, f"${name} in images {problem}", way_out, stops=True)
            elif not name.startswith("CI_") and name not in (app.variables or {}):
                text = f"whether GitLab knows ${name} in images: a group or the instance may define it, unmasked"
                yield Diagnosis("images", "cannot tell", app.path, text)


def _problem(app: Project, name: str) -> str:
    """Say why GitLab cannot expand a variable; empty if it can, or if that is unknown."""
    if name.startswith(_OF_JOBS):
        return "is known only in jobs, so GitLab does not expand it, and the hand-off is refused"
    if name in (app.variables or {}):
        is_masked = (app.variables or {})[name].get("masked")
        return "is masked, and GitLab makes no pipeline with it" if is_masked else ""
    is_of_file = name in (app.ci.get("variables") or {})
    return "is a variable of the CI file, which GitLab does not expand there" if is_of_file else ""


def _handed_off(ci: Any) -> Iterator[str]:
    """Yield the `images` of a CI file's trigger jobs of the component 'deliver', as written there."""
    included = ci.get("include") if isinstance(ci, dict) else None
    for entry in included if isinstance(included, list) else [included]:
        if not isinstance(entry, dict) or not str(entry.get("component", "")).partition("@")[0].endswith("/deliver"):
            continue
        inputs = entry.get("inputs")
        if isinstance(inputs, dict) and inputs.get("transport", "pipeline") == "pipeline":
            yield str(inputs.get("images", ""))
