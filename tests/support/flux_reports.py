"""A cluster whose Flux says what a test lets it say. How that is read, weighed and followed is not replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from datetime import UTC, datetime, timedelta

from headgate.errors import HealthUnknownError
from headgate.flux.verdict import FluxReport, ReportState
from headgate.health.kubernetes import KubernetesReports
from headgate.records import frozen_record


@frozen_record(kw_only=False)
class Flux(KubernetesReports):
    """A cluster that says what a test lets it say, or does not answer."""

    said: list[FluxReport] = field(default_factory=list)
    silent: list[bool] = field(default_factory=list)

    def reports(self, context: str, namespace: str, kustomization: str) -> Iterator[FluxReport]:
        if self.silent:
            raise HealthUnknownError("the cluster does not answer")
        yield from (report for report in self.said if report.name == kustomization)

    def say(self, commit: str, kustomization: str, state: ReportState) -> None:
        """Say how a Kustomization is at a commit, later than all that was said before."""
        time = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=len(self.said))
        self.said.append(FluxReport(commit=commit, name=kustomization, state=state, time=time, reason="Checked"))
