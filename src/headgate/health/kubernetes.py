"""Flux's verdict from the Kustomizations in a cluster, by plain HTTPS."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from headgate.errors import HealthUnknownError
from headgate.flux.verdict import FluxReport
from headgate.health.kubeconfig import read_access
from headgate.http import OK, HttpRequest, NoAnswerError, RetryLimits, TooLongError, open_http
from headgate.records import frozen_record
from headgate.repository.tree import MEBI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headgate.flux.verdict import ReportState
    from headgate.health.kubeconfig import ClusterAccess
    from headgate.http import Http

_LIMITS = RetryLimits(tries=1)
_NOT_FOUND = 404
_KUSTOMIZATIONS = "apis/kustomize.toolkit.fluxcd.io/v1/namespaces"
_SUCCEEDED = "ReconciliationSucceeded"
_DURATION = re.compile(r" after [0-9.hmsµ]+(?=:)")
"""How long a check took differs each time, and then says nothing new."""
_NOT_YET = ("ArtifactFailed", "DependencyNotReady", "HealthCheckCanceled", "Progressing", "ProgressingWithRetry")
"""Reasons of Flux's for not being ready that it means to end by itself: https://pkg.go.dev/github.com/fluxcd/pkg/apis/meta"""


@frozen_record(kw_only=False)
class KubernetesReports:
    """The clusters that a kubeconfig leads to. Each Kustomization is fetched once."""

    kubeconfig: Path
    _known: dict[tuple[str, str, str], Any] = field(default_factory=dict, compare=False)

    def reports(self, context: str, namespace: str, kustomization: str) -> Iterator[FluxReport]:
        """Yield what Flux says of a Kustomization now, at the commit that it says it of, and what it applied before.

        Nothing where there is no such Kustomization yet. Raises HealthUnknownError where the cluster does not answer,
        or refuses.
        """
        key = (context, namespace, kustomization)
        if key not in self._known:
            self._known[key] = _fetch(read_access(self.kubeconfig, context), *key)
        data = self._known[key]
        if data is not None:
            yield from _reports(data, kustomization)


def _reports(data: Any, kustomization: str) -> Iterator[FluxReport]:
    """Yield what a Kustomization says of itself: https://fluxcd.io/flux/components/kustomize/kustomizations/#status.

    Flux looks again at every ``interval``; `Ready` is unknown meanwhile, and has a new time afterwards. What it found
    before, and since when, stands in its history (Flux 2.7); without that it only waits. What it applied last was
    healthy once, since `wait` is set.
    """
    status = data.get("status") or {}
    ready = next((condition for condition in status.get("conditions") or () if condition["type"] == "Ready"), None)
    if ready is None or _generation(status, ready) != data["metadata"].get("generation"):
        return
    state, last = _state(ready), _last_result(status, kustomization)
    said = f"{ready.get('reason', '')}: {_DURATION.sub('', ready.get('message', ''))}"
    now = FluxReport(
        commit=_commit(status, "Applied" if state == "healthy" else "Attempted"),
        name=kustomization,
        state=state,
        time=last.time if last is not None and last.state == state else _time(ready["lastTransitionTime"]),
        reason=f"{said} (Kustomization {kustomization})",
    )
    yield now
    found = last if state == "waiting" else now
    if found is not None:
        yield found
        yield replace(found, commit=_commit(status, "Applied"), state="healthy")


def _state(ready: Any) -> ReportState:
    if ready["status"] == "True":
        return "healthy"
    return "waiting" if ready["status"] == "Unknown" or ready.get("reason") in _NOT_YET else "failed"


def _generation(status: Any, ready: Any) -> object:
    """Return the generation that Flux speaks of: that of the whole status stays behind until it was ready once."""
    return ready.get("observedGeneration") or status.get("observedGeneration")


def _last_result(status: Any, kustomization: str) -> FluxReport | None:
    """Return what Flux found when it last looked: https://fluxcd.io/flux/components/kustomize/kustomizations/#history.

    It has said so since the first time, or since it last said something else. The newest stands first.
    """
    newest, *others = status.get("history") or (None,)
    if newest is None:
        return None
    result = newest["lastReconciledStatus"]
    return FluxReport(
        commit=_commit_of(newest.get("metadata") or {}, "originRevision", "revision"),
        name=kustomization,
        state="healthy" if result == _SUCCEEDED else "failed",
        time=max([_time(newest["firstReconciled"]), *(_time(other["lastReconciled"]) for other in others)]),
        reason=f"{result}, and Flux tries again (Kustomization {kustomization})",
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _commit(status: Any, which: str) -> str:
    """Return the commit of a revision; of an OCI artifact, whose own revision is a digest, that of its origin."""
    return _commit_of(status, f"last{which}OriginRevision", f"last{which}Revision")


def _commit_of(data: Any, *names: str) -> str:
    revision = next((data[name] for name in names if data.get(name)), "")
    return str(revision).rpartition(":")[2]


def _fetch(access: ClusterAccess, context: str, namespace: str, name: str) -> Any:
    url = f"{access.server}/{_KUSTOMIZATIONS}/{quote(namespace)}/kustomizations/{quote(name)}"
    what = f"the cluster of the context '{context}'"
    try:
        with _client(access) as http:
            login = f"Bearer {access.token}" if access.token else ""
            answer = http.exchange(HttpRequest(address=url, authorization=login, max_bytes=MEBI))
    except (NoAnswerError, TooLongError) as error:
        raise HealthUnknownError(f"{what} did not answer: {error}") from None
    if answer.status == _NOT_FOUND:
        return None  # Flux has it not yet; of a cluster without Flux, or of another name, nothing more is ever known
    if answer.status != OK:
        raise HealthUnknownError(
            f"{what} answered {answer.status} for the Kustomization {namespace}/{name}",
            hint=_HINTS.get(answer.status, ""),
        )
    try:
        return json.loads(answer.body)
    except ValueError:
        raise HealthUnknownError(f"{what} did not answer with JSON") from None


_HINTS = {
    401: "the token or certificate in the kubeconfig is no longer valid",
    403: "allow the kubeconfig's user to get kustomizations in that namespace",
}


@contextmanager
def _client(access: ClusterAccess) -> Iterator[Http]:
    """Yield what reaches a cluster; its certificates lie in files that only this user reads."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"authority": access.authority, "certificate": access.certificate, "key": access.key}
        for file, content in files.items():
            (Path(folder) / file).write_bytes(content)
        authority = f"{folder}/authority" if access.authority else ""
        certificate = (f"{folder}/certificate", f"{folder}/key") if access.certificate else None
        with open_http(_LIMITS, authority, certificate) as http:
            yield http
