"""Flux's reports -> one verdict on an app in an environment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

HealthState = Literal["healthy", "failed", "waiting", "superseded", "unknown"]
ReportState = Literal["healthy", "failed", "waiting"]


@frozen_record
class FluxReport:
    """One report of Flux's on a Kustomization at a commit. ``name`` identifies the reporter."""

    commit: str
    name: str
    state: ReportState
    time: datetime
    reason: str = ""


@frozen_record
class Health:
    """How what is landed of one app in one environment is doing, on one cluster or on all of them.

    ``since`` is when it became so, ``reason`` what Flux says and of which object. ``was_healthy``: it has been healthy
    since it was deployed by ``deployed``, the commit that brought the YAML that is there now.
    """

    state: HealthState
    reason: str = ""
    since: datetime | None = None
    was_healthy: bool = False
    deployed: str = ""


def verdict(commits: Sequence[str], reports: Iterable[FluxReport], wanted: int = 1) -> Health:
    """Return the verdict of reports on some commits, the newest first, all of which leave the app's YAML as it is.

    The newest report counts of each who reports, of so many as are ``wanted``: one for each cluster. That Flux looks
    again at what it found healthy or failed already changes nothing.
    """
    place = {commit: -at for at, commit in enumerate(commits)}
    by_name: dict[str, list[FluxReport]] = {}
    given = tuple(reports)
    known = (report for report in given if report.commit in place)
    for report in sorted(known, key=lambda report: (place[report.commit], report.time), reverse=True):
        by_name.setdefault(report.name, []).append(report)  # newest first, and so the names
    chosen = [_decisive(found) or found for found in list(by_name.values())[:wanted]]
    was_healthy = len(chosen) == wanted and all(any(report.state == "healthy" for report in found) for found in chosen)
    newest = [found[0] for found in chosen]
    failed = [found for found in chosen if found[0].state == "failed"]
    if failed:
        since = min(_since(found) for found in failed)
        return Health(state="failed", reason=failed[0][0].reason, since=since, was_healthy=was_healthy)
    if len(newest) < wanted or any(report.state != "healthy" for report in newest):
        reason = next((report.reason for report in (*newest, *given) if report.state == "waiting"), "")
        return Health(state="waiting", reason=reason, was_healthy=was_healthy)
    return Health(state="healthy", since=max(_since(found) for found in chosen), was_healthy=True)


def _decisive(found: Sequence[FluxReport]) -> list[FluxReport]:
    return [report for report in found if report.state != "waiting"]


def _since(found: Sequence[FluxReport]) -> datetime:
    """Return when the newest of some reports began to say what they say now."""
    since = found[0].time
    for report in found:
        if report.state != found[0].state:
            break
        since = report.time
    return since


_WORST: tuple[HealthState, ...] = ("failed", "unknown", "superseded", "waiting", "healthy")


def combined(found: Sequence[Health]) -> Health:
    """Return the verdict on an environment that runs on several clusters: the worst, and healthy only by all."""
    if not found:
        return Health(state="unknown", reason="no cluster in headgate.yaml says whether it is healthy")
    worst = min(found, key=lambda health: _WORST.index(health.state))
    times = [health.since for health in found if health.state == worst.state and health.since is not None]
    return Health(
        state=worst.state,
        reason=worst.reason,
        since=max(times, default=None),
        was_healthy=all(health.was_healthy for health in found),
        deployed=worst.deployed,
    )
