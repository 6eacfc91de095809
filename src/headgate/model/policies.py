"""The part of headgate.yaml about the policies in ``policies/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from headgate.model.fields import Name, StrictModel, Texts, pattern, switched_off

_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
PolicyName = Annotated[str, pattern(rf"^{_NAME}$", "the name of a policy: a-z, 0-9, '-' and '.'")]
PolicyRule = Annotated[str, pattern(rf"^policy/{_NAME}$", "a rule of validation, or policy/NAME")]


PolicyOutcome = Annotated[
    Literal["refuse", "approve", "label", "warn", "off"],
    BeforeValidator(switched_off, json_schema_input_type=Literal["refuse", "approve", "label", "warn", "off", False]),
]


class PolicySettings(StrictModel):
    """The outcome for an app whose final YAML violates a policy."""

    outcome: PolicyOutcome = "warn"
    """`refuse`: it fails in that environment; `approve`: its merge request needs one more approval; `label`: it gets
    `labels`; `warn`: it is shown; `off`."""
    environments: Mapping[Name, PolicyOutcome] = Field(default_factory=dict)
    """The same for single environments."""
    program: Literal["conftest", "kyverno"] | None = None
    """Program that judges by its own files in `policies/`, instead of a policy of this name there: `conftest` or
    `kyverno`."""
    labels: Texts = ()
    """With `label`: the labels."""

    @model_validator(mode="after")
    def _labels_only_with_their_outcome(self) -> PolicySettings:
        is_used = "label" in (self.outcome, *self.environments.values())
        if is_used != bool(self.labels):
            raise ValueError("labels with the outcome label, and with no other")
        return self

    def outcome_in(self, environment: str) -> PolicyOutcome:
        """Return the outcome in an environment."""
        return self.environments.get(environment, self.outcome)


def approving(policies: Mapping[PolicyName, PolicySettings], environment: str) -> frozenset[str]:
    """Return the policies each of which may require one more approval in an environment."""
    return frozenset(name for name, policy in policies.items() if policy.outcome_in(environment) == "approve")
