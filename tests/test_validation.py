"""What an API server would reject fails its app-environment; what is worth a look is shown."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from headgate.errors import InvalidObjectError
from headgate.hydration import candidates
from headgate.hydration.judging import MISSING
from headgate.validation.rules import GENERATION
from support.cli import headgate
from support.manifests import DEPLOYMENT, HEADGATE_YAML, ManifestRepository
from support.validator import wrong_objects
from test_policies import app

pytestmark = pytest.mark.usefixtures("validator")

RIGHT = DEPLOYMENT.replace("acme/web\n", "acme/web:1\n")
MISSPELT = RIGHT.replace("spec:\n  selector", "spec:\n  replica: 2\n  selector", 1)
UNKNOWN_FIELD = 'Deployment web/web: spec.replica: unknown field "spec.replica" [unknown-field]'
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: api}, ports: [{port: 80}]}
"""
SELECTS_NOTHING = "Service web/web: spec.selector: no workload here has pods with app=api [selects-nothing]"
WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size: {type: integer, x-kubernetes-validations: [{rule: "self < 10", message: too large}]}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: web}\nspec: {size: 11}\n"


def configure(manifests: ManifestRepository, validation: str) -> None:
    """Write headgate.yaml with a section about validation."""
    manifests.write({"headgate.yaml": f"{HEADGATE_YAML}validation: {validation}\n"})


def test_right_object_has_no_finding(manifests: ManifestRepository) -> None:
    app(manifests, RIGHT)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "warning" not in ran.out


def test_wrong_object_fails_its_own_app(manifests: ManifestRepository) -> None:
    app(manifests, MISSPELT)
    app(manifests, RIGHT, "other")
    ran = manifests.hydrate()
    assert ran.code == InvalidObjectError.code
    assert UNKNOWN_FIELD in ran.err
    assert "templates/web/all.yaml" in ran.err
    assert (manifests.path / "deploy/dev/other").is_dir()
    assert not (manifests.path / "deploy/dev/web").exists()


def test_time_zones_are_known_without_files(manifests: ManifestRepository) -> None:
    job = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  timeZone: Europe/Berlin
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "acme/web:1"}]}}}}
"""
    app(manifests, job)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    app(manifests, job.replace("Europe/Berlin", "Europe/Bärlin"))
    assert 'spec.timeZone: Invalid value: "Europe/Bärlin": unknown time zone' in manifests.hydrate().err


def test_level_decides(manifests: ManifestRepository) -> None:
    app(manifests, MISSPELT)
    configure(manifests, "{levels: {unknown-field: warn}}")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert f"warning: {UNKNOWN_FIELD}" in ran.out
    configure(manifests, "{levels: {unknown-field: off}}")
    assert "warning" not in manifests.hydrate("--all").out
    configure(manifests, "{levels: {unknown-field: warn}, environments: {dev: {unknown-field: error}}}")
    assert manifests.hydrate("--all").code == InvalidObjectError.code


def test_what_is_worth_a_look_is_shown_when_it_comes(manifests: ManifestRepository) -> None:
    app(manifests, RIGHT + "---" + SERVICE)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert SELECTS_NOTHING in ran.out
    app(manifests, RIGHT.replace("web:1", "web:2") + "---" + SERVICE)
    again = manifests.hydrate()
    assert "1 changed" in again.out
    assert "warning" not in again.out


def test_what_is_landed_as_it_is_rendered_is_not_judged_twice(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    app(manifests, RIGHT + "---" + SERVICE)
    assert SELECTS_NOTHING in manifests.hydrate().out
    monkeypatch.setattr(candidates, "_text", lambda *_: pytest.fail("what is landed was read"))
    again = manifests.hydrate("--all")
    assert again.code == 0, again.err
    assert "warning" not in again.out


def test_service_may_select_pods_of_another_app_of_its_namespace(manifests: ManifestRepository) -> None:
    app(manifests, RIGHT.replace("app: web", "app: api"), "api", "namespace: web\n")
    app(manifests, SERVICE)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "warning" not in ran.out


def test_waiver_lets_pass_until_its_last_day(manifests: ManifestRepository) -> None:
    app(manifests, MISSPELT)
    today = date.today()  # noqa: DTZ011  a day more or less does not matter here
    waiver = (
        "{rule: unknown-field, app: web, object: Deployment/web, field: spec.replica, reason: see ABC-1, until: %s}"
    )
    configure(manifests, f"{{waivers: [{waiver % (today + timedelta(days=30))}]}}")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert f"waived until {today + timedelta(days=30)} (see ABC-1): {UNKNOWN_FIELD}" in ran.out
    ended = today - timedelta(days=2)
    configure(manifests, f"{{waivers: [{waiver % ended}]}}")
    ran = manifests.hydrate("--all")
    assert ran.code == InvalidObjectError.code
    assert f"the waiver for it ended on {ended}" in ran.err


def test_waiver_of_another_object_does_not_count(manifests: ManifestRepository) -> None:
    app(manifests, MISSPELT)
    configure(manifests, "{waivers: [{rule: unknown-field, object: Deployment/api, reason: a, until: 2100-01-01}]}")
    assert manifests.hydrate().code == InvalidObjectError.code


def test_change_that_is_rejected_is_found(manifests: ManifestRepository) -> None:
    app(manifests, RIGHT)
    assert manifests.hydrate().code == 0
    app(manifests, RIGHT.replace("app: web", "app: api"))
    ran = manifests.hydrate()
    assert ran.code == InvalidObjectError.code
    assert "Deployment web/web: spec.selector: " in ran.err
    assert "field is immutable [immutable]" in ran.err


def test_minor_of_the_environment_decides(manifests: ManifestRepository) -> None:
    newer = RIGHT.replace("        - name: web\n", "        - restartPolicyRules: []\n          name: web\n", 1)
    app(manifests, newer)
    assert manifests.hydrate().code == 0
    manifests.write({"headgate.yaml": HEADGATE_YAML.replace('"1.34"', '"1.33"')})
    ran = manifests.hydrate("--all")
    assert ran.code == InvalidObjectError.code
    assert "containers[0].restartPolicyRules: came with Kubernetes 1.34, and 1.33 does not have it" in ran.err


def test_custom_resource_is_judged_by_a_crd_of_a_configured_folder(manifests: ManifestRepository) -> None:
    app(manifests, RIGHT + "---\n" + WIDGET)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "not checked, since no CRD of Widget.example.com is in this repository [not-checked]" in ran.out
    manifests.write({"crds/widgets.yaml": WIDGETS})
    configure(manifests, "{crds: [crds]}")
    ran = manifests.hydrate("--all")
    assert ran.code == InvalidObjectError.code
    assert "Widget web/w: spec.size: Invalid value: 11: too large [invalid]" in ran.err


def test_custom_resource_is_judged_by_a_crd_of_another_app(manifests: ManifestRepository) -> None:
    app(manifests, WIDGETS, "operator")
    assert manifests.hydrate().code == 0
    app(manifests, WIDGET)
    ran = manifests.hydrate()
    assert ran.code == InvalidObjectError.code
    assert "too large" in ran.err


def test_kind_that_need_not_be_checked_is_not_mentioned(manifests: ManifestRepository) -> None:
    app(manifests, WIDGET)
    configure(manifests, "{unchecked: [Widget.example.com]}")
    assert "warning" not in manifests.hydrate().out


def test_rules_newer_than_the_repository_only_warn(manifests: ManifestRepository) -> None:
    app(manifests, MISSPELT)
    manifests.write({"headgate.lock": "version: 2\noutput: 2\n"})
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert f"warning: {UNKNOWN_FIELD}" in ran.out
    configure(manifests, f"{{rules: {GENERATION}}}")
    assert manifests.hydrate("--all").code == InvalidObjectError.code


def test_validator_that_is_not_there_is_missed_aloud_and_once(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    app(manifests, MISSPELT)
    app(manifests, MISSPELT, "other")
    monkeypatch.setattr("headgate.tools.find_validator", lambda: None)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert ran.out.count(MISSING) == 1


def test_switched_off_nothing_is_judged(manifests: ManifestRepository) -> None:
    app(manifests, MISSPELT)
    configure(manifests, "{enabled: false}")
    ran = manifests.hydrate()
    assert ran.code == 0
    assert "warning" not in ran.out


def test_crd_of_an_app_is_judged_in_a_process_of_its_own(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[str] = []
    from headgate.engine import pool  # noqa: PLC0415

    converse = pool.converse

    def watched(requests):  # type: ignore[no-untyped-def]
        given = list(requests)
        owners.extend(request.owner for request in given if request.kind == "validate" and request.body["objects"])
        return converse(given)

    monkeypatch.setattr(pool, "converse", watched)
    kinds = "CustomResourceDefinition.apiextensions.k8s.io, Widget.example.com"
    manifests.app("web", f"project: acme/web\nconfig: deploy\nenvironments: [dev]\nallow: {{kinds: [{kinds}]}}\n")
    manifests.release("web", "dev", config={"all.yaml": f"{RIGHT}---{WIDGETS}---\n{WIDGET}"})
    ran = manifests.hydrate()
    assert ran.code == InvalidObjectError.code
    assert "too large" in ran.err
    assert sorted(owners) == ["", "web"]


def test_verify_tells_all_findings(manifests: ManifestRepository) -> None:
    app(manifests, RIGHT + "---" + SERVICE)
    manifests.hydrate()
    manifests.commit()
    ran = headgate("verify", "--manifests", str(manifests.path), "--json")
    assert json.loads(ran.out)["apps"][0]["warnings"] == [SELECTS_NOTHING]


BUMPS = {
    "podinfo/charts/podinfo": "image: {{tag: 6.{number}.0}}\n",
    "charts/ingress-nginx": 'controller: {{image: {{tag: "1.{number}.0", digest: ""}}}}\n',
    "charts/keda": "image: {{keda: {{tag: 2.{number}.0}}}}\n",
    "charts/metrics-server": "image: {{tag: 0.{number}.0}}\n",
}


def test_image_bump_of_a_real_app_has_no_finding(manifests: ManifestRepository, real: Path) -> None:
    for chart in BUMPS:
        shutil.copytree(real / chart, manifests.path / "templates" / Path(chart).name)
    for number in (7, 8):
        for chart, values in BUMPS.items():
            name = Path(chart).name
            text = f"template: {name}\nallow: {{kinds: [Secret]}}\nenvironments: [dev]\nhooks: keep\n"
            manifests.app(name, text, {"values.yaml": values.format(number=number)})
        ran = manifests.hydrate()
        assert ran.code == 0, ran.err
    assert "4 changed" in ran.out
    assert [line for line in ran.out.splitlines() if "warning" in line and "lookup" not in line] == []


FOUND = {
    "01-misspelt-field": "spec.replica:",
    "02-wrong-type": "spec.replicas:",
    "03-port-99999": "containers[0].ports[0].containerPort:",
    "04-bad-name": "metadata.name:",
    "06-selector-mismatch": "spec.template.metadata.labels:",
    "07-removed-api": "apiVersion:",
    "08-dup-port-names": "spec.ports[1].name:",
    "09-unknown-kind": "did you mean 'Deployment'?",
    "10-crd-cel-rule": "spec:",
    "12-crd-unknown-field": "spec.mox:",
    "13-crd-missing-field": "spec.max:",
    "15-immut-selector": "spec.selector:",
    "16-immut-sts-vct": "spec.volumeClaimTemplates:",
    "18-immut-pvc-class": "spec:",
    "19-pvc-shrink": "spec.resources.requests.storage:",
    "21-immut-roleref": "roleRef:",
    "22-immut-clusterip": "spec.clusterIPs[0]:",
    "23-immut-cm": "data:",
    "25-crd-cel-transition": "spec.cls:",
    "26-int-or-string": "spec.strategy.rollingUpdate.maxSurge:",
    "27-targetport-string": "spec.ports[0].targetPort:",
    "28-invalid-label": "spec.template.labels:",
    "29-invalid-label-value": "spec.template.labels:",
    "30-label-not-string": "spec.template.metadata.labels.v:",
    "32-missing-selector": "spec.selector:",
    "33-two-containers-one-name": "containers[1].name:",
    "34-bad-env-name": "containers[0].env[0].name:",
    "36-env-int-value": "containers[0].env[0].value:",
    "37-invalid-cron": "spec.schedule:",
    "39-bad-hpa": "spec.maxReplicas:",
    "40-mount-no-volume": "containers[0].volumeMounts[0].name:",
    "42-bad-enum": "containers[0].imagePullPolicy:",
    "43-dep-restart-never": "spec.template.spec.restartPolicy:",
    "44-bad-secret-b64": "data.a:",
    "45-cm-number-value": "data.a:",
    "46-ingress-no-pathtype": "paths[0].pathType:",
    "48-netpol-bad-cidr": "ipBlock.cidr:",
    "50-dup-yaml-key": "spec.replicas",
}


def test_every_wrong_object_is_found_with_its_field(manifests: ManifestRepository) -> None:
    folder = wrong_objects()
    names = [path.stem for path in sorted(folder.glob("*.yaml")) if not path.stem.endswith(".old")]
    names = [name for name in names if name != "00-crd"]
    manifests.write(
        {
            "crds/widgets.yaml": (folder / "00-crd.yaml").read_text(),
            "headgate.yaml": f"{HEADGATE_YAML}validation: {{crds: [crds]}}\nscopes: {{Widget.ex.com: namespace}}\n",
        }
    )
    for name in names:
        before = folder / f"{name}.old.yaml"
        text = before.read_text() if before.exists() else RIGHT
        app(manifests, text, f"a{name}", "allow: {kinds: [Secret]}\n")
    assert manifests.hydrate().code == 0
    for name in names:
        app(manifests, (folder / f"{name}.yaml").read_text(), f"a{name}", "allow: {kinds: [Secret]}\n")
    ran = manifests.hydrate("--json", "--allow-removals")
    apps = {entry["app"][1:]: entry for entry in json.loads(ran.out)["apps"]}
    assert {name for name, entry in apps.items() if entry["state"] != "failed"} == {"52-ok-control"}
    expected = {name: FOUND[name] for name in names if name in FOUND}
    missed = {
        name: apps[name]["error"]["message"]
        for name, field in expected.items()
        if field not in str(apps[name]["error"])
    }
    assert missed == {}
