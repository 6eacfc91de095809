"""What people see of one change, whole: on a terminal, in a merge request, as JSON and as a page.

`pytest tests/test_report_snapshots.py --update-golden` writes what they give now; review the difference.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.report.changejson import report_text
from headgate.report.changereport import ChangeReport
from headgate.report.describe import describe
from headgate.report.html import to_html
from headgate.report.screen import change_lines
from headgate.report.verdict import Finding
from support.reports import template_change
from test_verdict import changes, deployment, manifest

URL = "https://gitlab.example.com"
FOLDER = Path(__file__).with_name("snapshots")
LINES = [f"line {number} = 'some value'" for number in range(12)]
ENV = [{"name": "LEVEL", "value": "info"}, {"name": "MODE", "value": "a"}]
OLD = {
    "configmap.yaml": manifest("ConfigMap", data={"config.toml": "\n".join(LINES)}),
    "deployment.yaml": deployment("1.0.0", resources={"limits": {"cpu": "500m"}}, env=ENV),
    "pvc.yaml": manifest("PersistentVolumeClaim"),
    "secret.yaml": manifest("Secret", stringData={"a": "hunter2"}),
}
NEW = {
    "configmap.yaml": manifest("ConfigMap", data={"config.toml": "\n".join(LINES[:6] + LINES[7:])}),
    "deployment.yaml": deployment(
        "1.1.0", resources={"limits": {"cpu": "0.5"}}, env=ENV[::-1], securityContext={"privileged": True}
    ),
    "ingress.yaml": manifest("Ingress", "networking.k8s.io/v1", spec={"rules": [{"host": "shop.example.com"}]}),
    "role.yaml": manifest(
        "Role", "rbac.authorization.k8s.io/v1", rules=[{"verbs": ["get", "list"], "resources": ["secrets"]}]
    ),
    "secret.yaml": manifest("Secret", stringData={"a": "hunter3"}),
}


@pytest.fixture(scope="module")
def report() -> ChangeReport:
    """Return one change with something of every kind."""
    return example()


def example() -> ChangeReport:
    found = [*changes(OLD, NEW), *template_change(3)]
    return ChangeReport(
        changes=found,
        requested_by="anna",
        consequence="After the merge, Flux applies it in production, from main.",
        findings=[Finding(app="web", environment="production", text="apps/web/values.yaml:3: level has no effect")],
        page=f"{URL}/acme/manifests/-/jobs/7/artifacts/file/headgate-report/report.html",
    )


def page(report: ChangeReport) -> str:
    """Return what a page shows, a tag on each line; its style and script have files of their own."""
    (body,) = re.findall(r"<main>\n(.*)\n</main>", to_html(report, URL), re.DOTALL)
    return str(re.sub(r"(?<=>)(?=<(?:td|tr|li|details|table|summary|p|h2|/details|/table|/ul))", "\n", body))


VIEWS = {
    "screen.txt": lambda report: "\n".join(text for text, _ in change_lines(report)),
    "description.md": lambda report: describe(report, URL),
    "review.json": report_text,
    "report.html": page,
}


@pytest.mark.parametrize("name", VIEWS)
def test_views(report: ChangeReport, name: str, request: pytest.FixtureRequest) -> None:
    text = f"{VIEWS[name](report).rstrip()}\n"
    assert "hunter" not in text
    file = FOLDER / name
    if request.config.getoption("--update-golden"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
