"""The rules, and the level of each in an environment. Pure."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.model import PolicySettings, Validation
    from headgate.model.policies import PolicyOutcome
    from headgate.validation.finding import ObjectFinding

FindingLevel = Literal["error", "warn", "off"]

GENERATION = 1
"""The newest generation of rules. A rule that a new version of Headgate brings gets the next one."""


@frozen_record
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
"""Rules that a server does not check: whether the objects that others refer to exist."""

NOT_AGAIN = OWN_RULES | {"not-checked", "server-warning", "deprecated-api", "off-by-default"}
"""What may be so on purpose: where it is so in what is landed already, it is not shown again."""


@frozen_record
class RuleBook:
    """The weights of findings: the configuration, and the generation of rules that the repository knows."""

    settings: Validation
    policies: Mapping[str, PolicySettings] = field(default_factory=dict)
    generation: int = GENERATION

    def level(self, finding: ObjectFinding, environment: str) -> FindingLevel:
        """Return the level of a finding."""
        if not finding.policy:
            return level_of(finding.rule, environment, self.settings, self.generation)
        outcome = self.outcome(finding.policy, environment)
        return "error" if outcome == "refuse" and not finding.advice else "off" if outcome == "off" else "warn"

    def outcome(self, policy: str, environment: str) -> PolicyOutcome:
        """Return what becomes of an app in an environment that does not keep a policy."""
        found = self.policies.get(policy)
        return found.outcome_in(environment) if found else "warn"

    def is_shown_once(self, finding: ObjectFinding, environment: str) -> bool:
        """Whether it is not shown again while it stays as it is. What a policy refuses is refused each time."""
        if not finding.policy:
            return finding.rule in NOT_AGAIN
        return self.level(finding, environment) != "error"


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
