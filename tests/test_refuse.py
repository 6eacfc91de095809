"""What an environment refuses: by flag, for the app alone that brings it, and only where it comes."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from headgate.config import load
from headgate.errors import DeniedError
from headgate.impact.refusal import check_refused
from headgate.impact.risk import Risk
from headgate.model.fields import RiskFlag
from support.cli import headgate
from support.manifests import ManifestRepository
from support.trees import HEADGATE, repository

POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec: {containers: [{name: x, image: "registry.example.com/x@sha256:%s", securityContext: {privileged: %s}}]}
"""
SETTINGS = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit, %s}
"""


@pytest.fixture
def manifests(tmp_path_factory: pytest.TempPathFactory) -> ManifestRepository:
    made = ManifestRepository.make(tmp_path_factory.mktemp("refuse") / "manifests")
    made.write({"headgate.yaml": SETTINGS % "refuse: [privileged, host-path]"})
    for app in ("web", "api"):
        made.app(app, f"template: {app}\n")
        made.write({f"templates/{app}/all.yaml": POD % (app, "1" * 64, "false")})
    return made


def test_a_refused_change_fails_alone(manifests: ManifestRepository) -> None:
    assert manifests.hydrate().code == 0
    before = manifests.output("deploy/dev/web")
    for app in ("web", "api"):
        privileged = "true" if app == "web" else "false"
        manifests.write({f"templates/{app}/all.yaml": POD % (app, "2" * 64, privileged)})
    ran = manifests.hydrate()
    assert ran.code == DeniedError.code
    assert "dev refuses this change:\n    Deployment web runs a privileged container [privileged]" in ran.err
    assert "headgate.yaml: environments.dev.refuse" in ran.err
    assert "take privileged out of that list" in ran.err
    assert manifests.output("deploy/dev/web") == before
    assert "2" * 64 in "".join(manifests.output("deploy/dev/api").values())


def test_what_is_not_refused_lands_and_is_shown(manifests: ManifestRepository) -> None:
    manifests.write({"headgate.yaml": SETTINGS % "refuse: [host-path]"})
    manifests.write({"templates/web/all.yaml": POD % ("web", "1" * 64, "true")})
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "    ! runs a privileged container" in ran.out
    record = json.loads((manifests.path / "deploy/dev/web/.headgate.json").read_text())
    assert record["flags"] == ["privileged"]
    manifests.commit()
    status = headgate("status", "--manifests", str(manifests.path))
    assert "look at: privileged" in status.out
    assert status.out.count("look at") == 1


def test_what_is_there_already_is_not_refused_again(manifests: ManifestRepository) -> None:
    manifests.write({"headgate.yaml": SETTINGS % "refuse: []"})
    manifests.write({"templates/web/all.yaml": POD % ("web", "1" * 64, "true")})
    assert manifests.hydrate().code == 0
    manifests.write({"headgate.yaml": SETTINGS % "refuse: [privileged]"})
    manifests.write({"templates/web/all.yaml": POD % ("web", "2" * 64, "true")})
    assert manifests.hydrate().code == 0
    assert "2" * 64 in "".join(manifests.output("deploy/dev/web").values())


@pytest.mark.parametrize("flag", get_args(RiskFlag))
def test_each_flag_is_refused_by_its_name(flag: RiskFlag) -> None:
    found = [("Deployment web", Risk(flag, "does it"))]
    with pytest.raises(DeniedError, match=f"Deployment web does it .{flag}."):
        check_refused(found, [flag], "dev")
    check_refused(found, [other for other in get_args(RiskFlag) if other != flag], "dev")


def test_a_merge_request_does_not_lift_what_its_target_refuses() -> None:
    refusing = load(
        repository({}, settings=HEADGATE.replace("delivery: commit", "delivery: commit\n    refuse: [rbac]"))
    )
    lifted = load(repository({}))
    assert lifted.environment("dev").refuse == ()
    assert lifted.guarded_by(refusing).environment("dev").refuse == ("rbac",)


def test_the_log_shows_a_risk_wherever_it_is_among_many_objects(manifests: ManifestRepository) -> None:
    maps = "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number:02}}}\n" for number in range(30))
    manifests.write(
        {"headgate.yaml": SETTINGS % "refuse: []", "templates/web/all.yaml": POD % ("web", "1" * 64, "true") + maps}
    )
    ran = manifests.hydrate("--app", "web")
    assert ran.code == 0, ran.err
    assert "  + Deployment web/web\n    ! runs a privileged container\n    and 20 more\n" in ran.out
    roles = "".join(
        f"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: r{number:02}}}\n"
        for number in range(70)
    )
    manifests.write({"templates/api/all.yaml": roles})
    ran = manifests.hydrate("--app", "api")
    assert ran.out.count("! adds permissions in the cluster (RBAC)") == 50
    assert "    and 20 more, 20 of them with risks\n" in ran.out
