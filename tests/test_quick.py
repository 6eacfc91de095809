"""What has not changed is known by the ids of its files, before any is parsed; what has changed is never missed."""

from __future__ import annotations

import json

import pytest

from headgate.hydration.plan import Planner
from support.manifests import HEADGATE_YAML, ManifestRepository

IMAGE = "registry.example.com/acme/web"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  image: "{{ images.web.reference }}"
  settings: "{{ values.t }}{{ values.e }}{{ values.o }}{{ values.v }}{{ values.d }}{{ values.a }}{{ values.b }}"
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: registry.example.com/acme/web}]}
"""
APP = f"images: {{web: {IMAGE}}}\ntemplate: web\nconfig: deploy\ngrant: [a]\nenvironments: [dev]\nproject: acme/web\n"


@pytest.fixture
def hydrated(manifests: ManifestRepository) -> ManifestRepository:
    """Return a repository whose one app has every kind of input, hydrated and committed."""
    manifests.write({"templates/web/web.yaml.j2": TEMPLATE, "templates/web/values.yaml": "t: 1\n"})
    manifests.write({"templates/web/template.yaml": "grant: [b]\n"})
    manifests.write({"environments/dev/values.yaml": "e: 1\n", "environments/dev/overrides.yaml": "o: 1\n"})
    manifests.app("web", APP, {"values.yaml": "v: 1\n", "values.dev.yaml": "d: 1\n"})
    manifests.release(
        "web", "dev", images={"web": IMAGE}, config={"values.yaml": "a: 1\n", "values.dev.yaml": "b: 1\n"}
    )
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    return manifests.commit()


def test_nothing_is_planned_when_nothing_changed(hydrated: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planner, "plan", lambda *_: pytest.fail("the app was read"))
    assert [one["state"] for one in hydrated.hydrate_json("--check")] == ["unchanged"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("templates/web/web.yaml.j2", TEMPLATE.replace("settings", "other")),
        ("templates/web/values.yaml", "t: 2\n"),
        ("environments/dev/values.yaml", "e: 2\n"),
        ("environments/dev/overrides.yaml", "o: 2\n"),
        ("apps/web/values.yaml", "v: 2\n"),
        ("apps/web/values.dev.yaml", "d: 2\n"),
        ("apps/web/app.yaml", APP + "namespace: other\n"),
        ("apps/web/releases/dev/config/values.yaml", "a: 2\n"),
        ("apps/web/releases/dev/config/values.dev.yaml", "b: 2\n"),
        ("deploy/dev/web/pod-web.yaml", "edited: by hand\n"),
    ],
)
def test_every_change_of_an_input_is_seen(hydrated: ManifestRepository, file: str, text: str) -> None:
    hydrated.write({file: text})
    assert hydrated.hydrate("--check").code == 1


def test_new_release_is_seen(hydrated: ManifestRepository) -> None:
    path = hydrated.path / "apps/web/releases/dev/release.yaml"
    path.write_text(path.read_text().replace("tag: '1.0'", "tag: '1.1'"))
    assert hydrated.hydrate("--check").code == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("apps/web/app.yaml", APP.replace("grant: [a]\n", "")),
        ("templates/web/template.yaml", "grant: [c]\n"),
        ("apps/web/app.yaml", APP.replace("web: registry", "other: registry")),
    ],
)
def test_what_is_no_longer_allowed_is_seen(hydrated: ManifestRepository, file: str, text: str) -> None:
    hydrated.write({file: text})
    assert [one["state"] for one in hydrated.hydrate_json("--check")] != ["unchanged"]


def test_changed_comment_or_version_of_headgate_writes_nothing(
    hydrated: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = (hydrated.path / "deploy/dev/web/.headgate.json").read_bytes()
    hydrated.write({"apps/web/values.yaml": "v: 1 # why\n", "headgate.yaml": HEADGATE_YAML + "# why\n"})
    monkeypatch.setattr("headgate.hydration.inputs.__version__", "99.0")
    assert [one["state"] for one in hydrated.hydrate_json()] == ["unchanged"]
    assert (hydrated.path / "deploy/dev/web/.headgate.json").read_bytes() == record


def test_record_without_a_quick_key_is_read_as_before(hydrated: ManifestRepository) -> None:
    path = hydrated.path / "deploy/dev/web/.headgate.json"
    record = json.loads(path.read_text())
    assert len(record.pop("quick")) == 64
    path.write_text(json.dumps(record))
    assert [one["state"] for one in hydrated.hydrate_json()] == ["unchanged"]
