"""Changes and reports, for tests of how they are shown."""

from __future__ import annotations

import yaml

from headgate.config import load
from headgate.hydration import output
from headgate.hydration.object_changes import ObjectChange
from headgate.impact.effects import Effect
from headgate.impact.risk import Risk
from headgate.objects.diff import Field
from headgate.report.appchange import AppChange, ObjectEffect, app_changes
from headgate.report.causes import Cause, Causes
from headgate.report.changereport import ChangeReport
from headgate.report.verdict import Finding
from support.trees import repository

APP = "project: acme/web\ntemplate: web\n"


def _deployment(app: str, probe: int) -> str:
    container = {"name": app, "image": f"registry.example.com/{app}@sha256:{'1' * 64}"}
    container |= {"livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": probe}}  # type: ignore[dict-item]
    spec = {"template": {"spec": {"containers": [container]}}}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}, "spec": spec})


def template_change(count: int) -> list[AppChange]:
    """Return what a change of a template does to so many apps: one field of each."""
    apps = [f"app-{number:03}" for number in range(count)]
    sides = []
    for template, probe in (("1", 10), ("2", 20)):
        tree = repository(dict.fromkeys(apps, APP))
        sources = {"template web": template, "settings": "1"}
        for app in apps:
            files = {f"deployment.apps-{app}.yaml": _deployment(app, probe).encode()}
            folder = f"deploy/production/{app}"
            made = output.changes(tree, folder, files, template, max_removed_percent=100, sources=sources)
            tree = tree.with_changes(made)
        sides.append(tree)
    return app_changes(sides[0], sides[1], load(sides[1]))


def report_of_text(name: str, old: str = "", new: str = "", *, secret: bool = False) -> ChangeReport:
    """Return a report in which every text that others write is ``name``, and a field's value ``old`` and ``new``."""
    old, new = old or name, new or f"{name}\n{name}"
    fields = (Field(name, old, new, runs_alike=True), Field("b", None, new))
    risks, effects = (Risk("rbac", name),), (Effect("restarts", name),)
    change = ObjectChange(
        action="changed",
        kind="ConfigMap",
        namespace=name,
        name=name,
        file=name,
        fields=fields,
        secret=secret,
        old_name=name,
        risks=risks,
        effects=effects,
    )
    effect = ObjectEffect(change=change, causes=Causes((Cause("values", name),)))
    added = ObjectEffect(
        change=ObjectChange(action="added", kind="Role", namespace="", name="r", file="f", fields=()),
        highlights=(name,),
    )
    app = AppChange(app="web", environment="dev", objects=(effect, added), upgrade=name)
    finding = Finding(app="web", environment="dev", text=name)
    return ChangeReport(changes=[app], findings=[finding], requested_by=name, consequence=name)
