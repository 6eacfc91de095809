"""Notifications in headgate.yaml: receivers and their events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from headgate.model.fields import ListOf, Name, StrictModel, pattern

AnnouncedEvent = Literal[
    "proposed", "merged", "rejected", "landed", "rolled-back", "held", "failed", "healthy", "unhealthy"
]
"""What people wait for."""


def _of_project(name: str) -> str:
    if name.startswith("CI_"):
        raise ValueError("a variable of the project, not one of GitLab's own")
    return name


VariableName = Annotated[
    str,
    pattern(r"^[A-Z][A-Z0-9_]{0,99}$", "the name of a CI/CD variable such as SLACK_URL, never its value"),
    AfterValidator(_of_project),
]


class Notification(StrictModel):
    """A receiver of notifications: a webhook, or a channel of Slack or Microsoft Teams."""

    kind: Literal["webhook", "slack", "teams"]
    """Format: a signed CloudEvent, a message for Slack, or an Adaptive Card for Teams."""
    url_variable: VariableName
    """Name of the CI/CD variable that holds the receiver's address, which is a secret: `SLACK_URL`."""
    key_variable: VariableName | None = None
    """For a webhook, required: name of the CI/CD variable that holds the signing key, `whsec_` and base64."""
    environments: ListOf[Name] = ()
    """Environments whose events are sent. Default: all."""
    events: ListOf[AnnouncedEvent] = ()
    """Events that are sent. Default: all."""

    @model_validator(mode="after")
    def _signed(self) -> Notification:
        if (self.kind == "webhook") != (self.key_variable is not None):
            raise ValueError("key_variable with kind webhook, and only there")
        return self
