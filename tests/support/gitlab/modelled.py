"""What the double does not model of a CI configuration is refused, so that no test passes because it was ignored.

Keywords: doc/ci/yaml/_index.md; what stands behind them: facts, parts 1, 2 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class NotModelledError(AssertionError):
    """A test uses what the double does not have. It is the test that fails, and not GitLab that refuses."""


_GLOBAL = {"stages", "variables", "workflow", "default", "include"}
_JOB = {
    *("stage", "script", "before_script", "variables", "rules", "when", "allow_failure", "needs", "artifacts"),
    *("image", "id_tokens", "inherit", "trigger", "extends"),
    *("parallel", "cache"),  # nothing is ever in a cache
    *("tags", "interruptible"),  # its one runner takes every job; only queued pipelines are cancelled
}
_TRIGGER = {"project", "branch", "strategy", "forward", "inputs"}
_ARTIFACTS = {"paths", "when", "expire_in", "reports", "name"}
_INPUT = {"default", "description", "options", "regex", "type"}


def check_configuration(config: Mapping[str, Any]) -> None:
    """Check a configuration with all that it includes, before rules choose jobs of it."""
    workflow = config.get("workflow") or {}
    _only("workflow", workflow, {"auto_cancel", "rules", "name"})
    cancels = workflow.get("auto_cancel") or {}
    _only("workflow:auto_cancel", cancels, {"on_new_commit"})
    _one_of("workflow:auto_cancel:on_new_commit", cancels.get("on_new_commit"), "conservative", "none")
    for rule in workflow.get("rules") or []:
        _only("workflow:rules", rule, {"if", "when"})
    _check_variables("", config)
    _only("default", config.get("default") or {}, _JOB)
    for name, job in config.items():
        if name not in _GLOBAL and isinstance(job, dict):
            _check_job(name, job)


def _check_job(name: str, job: Mapping[str, Any]) -> None:
    _only(name, job, _JOB)
    _check_variables(f"{name}: ", job)
    if "script" in job:  # what is inherited of variables counts for trigger jobs alone here
        _only(f"{name}: inherit", job.get("inherit") or {}, {"default"})
    for keyword, holder in (("parallel", job), *(("rules: changes", rule) for rule in job.get("rules") or [])):
        value = holder.get(keyword.rpartition(" ")[2])
        if isinstance(value, dict):
            raise NotModelledError(f"the double does not model `{name}: {keyword}: {min(value)}`")
    for rule in job.get("rules") or []:
        _only(f"{name}: rules", rule, {"if", "when", "allow_failure", "changes"})
        _one_of(f"{name}: rules:when", rule.get("when"), "on_success", "never")
    # jobs run when all before them succeeded: others begin by hand, later or after a failure
    _one_of(f"{name}: when", job.get("when"), "on_success")
    _only(f"{name}: artifacts", job.get("artifacts") or {}, _ARTIFACTS)
    for need in job.get("needs") or []:
        _only(f"{name}: needs", need if isinstance(need, dict) else {"job": need}, {"job"})
    trigger = job.get("trigger") or {}
    _only(f"{name}: trigger", trigger, _TRIGGER)
    _only(f"{name}: trigger:forward", trigger.get("forward") or {}, {"yaml_variables"})


def _check_variables(where: str, holder: Mapping[str, Any]) -> None:
    for name, value in (holder.get("variables") or {}).items():
        if isinstance(value, dict):
            raise NotModelledError(f"the double does not model `{where}variables: {name}` with more than a value")


def check_declared(inputs: Mapping[str, Any]) -> None:
    """Check what a header declares."""
    for name, spec in inputs.items():
        _only(f"spec:inputs:{name}", spec or {}, _INPUT)


def check_include(include: Any) -> None:
    """Check an entry of ``include``."""
    if not isinstance(include, dict):
        raise NotModelledError(f"the double does not model an include that is a text: {include!r}")
    _only("include", include, {"component", "inputs"} if "component" in include else {"local"})


def _only(where: str, found: Iterable[str], known: set[str]) -> None:
    unknown = sorted(set(found) - known)
    if unknown:
        raise NotModelledError(f"the double does not model `{where}: {unknown[0]}`")


def _one_of(where: str, value: Any, *known: str) -> None:
    if value is not None and value not in known:
        raise NotModelledError(f"the double does not model `{where}: {value}`")
