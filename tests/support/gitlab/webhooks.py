"""Webhooks: what GitLab tells others of a push. https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import requests

from support.gitlab.gitside import Update
from support.gitlab.state import Project


def tell(project: Project, updates: Sequence[Update]) -> None:
    """Tell all receivers of a project's pushes, without waiting for them; one that does not answer is left out."""
    for address, token in project.webhooks.items():
        for update in updates:
            threading.Thread(target=_post, args=(address, token, _event(project, update)), daemon=True).start()


def _event(project: Project, update: Update) -> dict[str, Any]:
    facts = {"before": update.old, "after": update.new, "checkout_sha": update.new, "ref": update.ref}
    whose = {"project_id": project.id, "project": {"id": project.id, "path_with_namespace": project.path}}
    return {"object_kind": "push", "event_name": "push", **facts, **whose}


def _post(address: str, token: str, event: dict[str, Any]) -> None:
    headers = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token}
    with suppress(requests.RequestException):
        requests.post(address, json=event, headers=headers, timeout=10)  # GitLab gives up after ten seconds too
