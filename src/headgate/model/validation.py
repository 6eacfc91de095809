"""The part of headgate.yaml about validation by an API server's rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from headgate.model.fields import KindName, ListOf, Name, SafeFolder, StrictModel, Text, switched_off
from headgate.model.policies import PolicyRule

Rule = Literal[
    "invalid",
    "unknown-field",
    "unknown-kind",
    "duplicate-key",
    "removed-api",
    "deprecated-api",
    "newer-field",
    "newer-kind",
    "off-by-default",
    "immutable",
    "server-warning",
    "selects-nothing",
    "undefined-reference",
    "blocking-budget",
    "not-checked",
]


RuleLevel = Annotated[
    Literal["error", "warn", "off"],
    BeforeValidator(switched_off, json_schema_input_type=Literal["error", "warn", "off", False]),
]
Levels = Mapping[Rule, RuleLevel]


def _as_date(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("a day such as 2026-12-31") from None


class Waiver(StrictModel):
    """A waiver, which lets findings pass until a date, with a reason."""

    rule: Rule | PolicyRule
    """The rule that is waived: one of these, or `policy/NAME`."""
    app: Name | None = None
    """App whose findings are waived. Default: every app's."""
    environments: ListOf[Name] = ()
    """Environments in which they are waived. Default: all."""
    object: Text | None = None
    """Object, as `Deployment/shop`. Default: every object."""
    field: Text | None = None
    """Field, including everything below it: `spec.template.spec`. Default: every field."""
    reason: Text
    """Reason for the waiver."""
    until: Annotated[date, BeforeValidator(_as_date, json_schema_input_type=str)]
    """Last day on which it counts: `2026-12-31`."""


class Validation(StrictModel):
    """Validation of the final YAML by an API server's own rules."""

    enabled: bool = True
    """Whether final YAML is validated."""
    levels: Levels = Field(default_factory=dict)
    """Levels that differ from a rule's own: `error` fails the app in that environment, `warn` shows it, `off`."""
    environments: Mapping[Name, Levels] = Field(default_factory=dict)
    """The same for single environments."""
    rules: Annotated[int, Field(ge=0)] = 0
    """Generation of rules whose own levels count; newer rules only warn. Default: that of headgate.lock."""
    crds: ListOf[SafeFolder] = ()
    """Folders of this repository with CRDs that no app renders, which validate custom resources."""
    unchecked: ListOf[KindName] = ()
    """Kinds without a CRD here that are not reported as unchecked: `Widget.example.com`."""
    waivers: ListOf[Waiver] = ()
    """Findings that pass until a date."""
