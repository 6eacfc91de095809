"""What a person chose in GitLab's form: whether it is complete, and whether that person may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headgate.errors import ConfigError, ForbiddenError, did_you_mean
from headgate.gitlab.identity import LEVELS
from headgate.intents.protocol import check_environment, find_app
from headgate.model.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.configuration import Configuration
    from headgate.gitlab.event import Form
    from headgate.model import Settings

_FIELD_NAMES = {"source": "from"}


def check_form(form: Form) -> None:
    """Check that an action was chosen and has what it needs. Raises ConfigError."""
    if form.action not in ACTIONS:
        raise ConfigError(
            f"the action is {form.action!r}, expected one of: {', '.join(ACTIONS)}",
            hint=did_you_mean(form.action, list(ACTIONS)),
        )
    missing = [_FIELD_NAMES.get(name, name) for name in ACTIONS[form.action].fields if not getattr(form, name)]
    if missing:
        raise ConfigError(f"{form.action} needs {', '.join(missing)}", hint="fill it in when you start the pipeline")
    for name in ("app", "environment", "source", "to"):
        value = getattr(form, name)
        if value and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
            raise ConfigError(f"{_FIELD_NAMES.get(name, name)} is {value!r}, expected a name")


def concerned(form: Form, configuration: Configuration) -> list[str]:
    """Return the environments that a form would change. Raises RefusedError for an app or one that is not there."""
    if form.environment:
        check_environment(configuration, form.environment)
        return [form.environment]
    if form.app:
        return find_app(configuration, form.app).environments(configuration.settings)
    return list(configuration.settings.environments)


def check_permitted(form: Form, settings: Settings, environments: Sequence[str], level: int, person: str) -> None:
    """Compare a person's access level with ``permissions``, in every environment. Raises ForbiddenError.

    ``level`` is that in the manifest project; what is not said there needs a maintainer.
    """
    verb = ACTIONS[form.action].permission
    for environment in environments:
        rules = {str(key): value for key, value in settings.permissions.get(environment, {}).items()}
        needed = rules.get(verb, "maintainer")
        if level < LEVELS[needed]:
            raise ForbiddenError(
                f"{person} may not {form.action} in {environment}: that needs the role {needed} there",
                hint=f"ask somebody who has it; permissions.{environment}.{verb} in headgate.yaml says who may",
            )
