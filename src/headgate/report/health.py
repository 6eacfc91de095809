"""Health as people and programs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headgate.report.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.configuration import Owner
    from headgate.flux.verdict import Health


def health_line(owner: Owner, health: Health) -> str:
    """Say in one line how an app in an environment is doing."""
    app, environment = owner
    return safe(f"{app} in {environment}: {health_words(health)}")


def health_words(health: Health) -> str:
    """Say how something is doing, since when, and why."""
    since = f" since {health.since:%Y-%m-%d %H:%M}" if health.since is not None else ""
    reason = f": {' '.join(health.reason.split())}" if health.reason else ""
    return f"{_WORDS[health.state]}{since}{reason}"


_WORDS = {
    "healthy": "healthy",
    "failed": "failed in the cluster",
    "waiting": "waits for Flux",
    "superseded": "superseded",
    "unknown": "health is unknown",
}


def health_to_json(found: Mapping[Owner, Health]) -> str:
    """Return health as JSON. Version 1; keys are only ever added."""
    apps = [{"app": app, "environment": name, **health_facts(health)} for (app, name), health in found.items()]
    return json.dumps({"version": 1, "apps": apps}, indent=2)


def health_facts(health: Health) -> dict[str, Any]:
    """Return one verdict for JSON."""
    return {
        "health": health.state,
        "reason": health.reason,
        "since": health.since.isoformat() if health.since is not None else None,
        "deployed_by": health.deployed or None,
    }
