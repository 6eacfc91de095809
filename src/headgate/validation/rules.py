"""The rules, and the level of each in an environment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.model import Validation

FindingLevel = Literal["error", "warn", "off"]

GENERATION = 1
"""The newest generation of rules. A rule that a new version of Headgate brings gets the next one."""


@dataclass(frozen=True, kw_only=True)
class RuleFacts:
    """A rule's own level, and the generation that it came with."""

    level: FindingLevel
    generation: int = 1


RULES: Mapping[str, RuleFacts] = {
    "invalid": RuleFacts(level="error"),
    "unknown-field": RuleFacts(level="error"),
    "unknown-kind": RuleFacts(level="error"),
    "duplicate-key": RuleFacts(level="error"),
    "removed-api": RuleFacts(level="error"),
    "deprecated-api": RuleFacts(level="warn"),
    "newer-field": RuleFacts(level="error"),
    "newer-kind": RuleFacts(level="error"),
    "off-by-default": RuleFacts(level="warn"),
    "immutable": RuleFacts(level="error"),
    "server-warning": RuleFacts(level="warn"),
    "selects-nothing": RuleFacts(level="warn"),
    "undefined-reference": RuleFacts(level="warn"),
    "blocking-budget": RuleFacts(level="warn"),
    "not-checked": RuleFacts(level="warn"),
}

OWN_RULES = frozenset({"selects-nothing", "undefined-reference", "blocking-budget"})
"""What a server does not ask: whether what objects name is there."""

NOT_AGAIN = OWN_RULES | {"not-checked", "server-warning", "deprecated-api", "off-by-default"}
"""What may be so on purpose: where it is so in what is landed already, it is not shown again."""


def level_of(rule: str, environment: str, settings: Validation, generation: int) -> FindingLevel:
    """Return the level of a rule: what the configuration says, else its own.

    Rules newer than ``generation`` only warn.
    """
    for levels in (settings.environments.get(environment, {}), settings.levels):
        for name, level in levels.items():
            if name == rule:
                return level
    facts = RULES[rule]
    is_new = facts.generation > max(generation, settings.rules)
    return "warn" if is_new and facts.level == "error" else facts.level
