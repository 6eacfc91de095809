"""Kustomize on the real engine: overlays, many at once, and each alone."""

from __future__ import annotations

import json

import pytest

from headgate.engine import pool
from headgate.errors import RenderError
from headgate.process import processors
from support.engines import noted
from support.manifests import DEPLOYMENT, ManifestRepository
from support.templates import IMAGE, config_map, template


def overlay(namespace: str = "") -> str:
    line = f"namespace: {namespace}\n" if namespace else ""
    return f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{line}resources: [../../base]\n"


def base(*resources: str) -> str:
    return f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [{', '.join(resources)}]\n"


def test_kustomize_takes_the_overlay_of_the_environment_else_the_root(manifests: ManifestRepository) -> None:
    manifests.write(
        {
            "templates/web/kustomization.yaml": base("base/web.yaml"),
            "templates/web/base/kustomization.yaml": base("web.yaml"),
            "templates/web/base/web.yaml": DEPLOYMENT,
            "templates/web/overlays/production/kustomization.yaml": overlay() + "nameSuffix: -live\n",
        }
    )
    manifests.app("web", "template: web\n")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert list(manifests.output()) == [
        "dev/web/deployment.apps-web.yaml",
        "production/web/deployment.apps-web-live.yaml",
    ]


def test_kustomize_without_an_overlay_for_the_environment(manifests: ManifestRepository) -> None:
    template(manifests, {"overlays/production/kustomization.yaml": overlay(), "base/kustomization.yaml": base()})
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert "no kustomization.yaml in overlays/dev or in the folder itself" in ran.err


def test_kustomize_replacements_read_values(manifests: ManifestRepository) -> None:
    replacements = (
        "replacements:\n"
        "  - source: {kind: ConfigMap, name: headgate-values, fieldPath: data.host}\n"
        "    targets: [{select: {kind: ConfigMap, name: web}, fieldPaths: [data.host]}]\n"
        "  - source: {kind: ConfigMap, name: headgate-values, fieldPath: 'data.[images.web.tag]'}\n"
        "    targets: [{select: {kind: ConfigMap, name: web}, fieldPaths: [data.version]}]\n"
    )
    template(
        manifests,
        {
            "kustomization.yaml": base("web.yaml", "deployment.yaml") + replacements,
            "web.yaml": config_map("web", host="none", version="none"),
            "deployment.yaml": DEPLOYMENT,
            "values.yaml": "host: default.example.com\n",
        },
        f"project: acme/web\nimages: {{web: {IMAGE}}}\n",
    )
    manifests.release("web", "dev", images={"web": IMAGE})
    manifests.write({"apps/web/values.dev.yaml": "host: dev.example.com\n"})
    assert manifests.hydrate().code == 0
    found = {one["kind"]: one for one in manifests.objects("deploy/dev/web")}
    assert sorted(found) == ["ConfigMap", "Deployment"]
    assert found["ConfigMap"]["data"] == {"host": "dev.example.com", "version": "1.0"}


def many_overlays(manifests: ManifestRepository, count: int, extra: str = "", own_namespace: bool = True) -> list[str]:
    """Add apps with overlays that share a base, each with a namespace of its own; return their names."""
    generator = "configMapGenerator:\n  - name: settings\n    literals: [a=b]\n"
    names = [f"app-{number}" for number in range(count)]
    for name in names:
        folder = f"templates/{name}"
        manifests.write(
            {
                f"{folder}/base/kustomization.yaml": base("web.yaml") + generator,
                f"{folder}/base/web.yaml": DEPLOYMENT.replace(
                    "containers:", "volumes: [{name: s, configMap: {name: settings}}]\n      containers:"
                ),
                f"{folder}/overlays/dev/kustomization.yaml": overlay(name if own_namespace else "same") + extra,
            }
        )
        manifests.app(name, f"template: {name}\nenvironments: [dev]\nnamespace: {name}\n")
    return names


@pytest.mark.long
def test_kustomize_builds_many_overlays_in_few_processes(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = noted(monkeypatch)
    names = many_overlays(manifests, 12)
    assert manifests.hydrate().code == 0
    builds = [kinds.count("kustomize") for kinds in processes.requests if "kustomize" in kinds]
    assert sum(builds) == 12
    assert len(builds) <= processors()
    for name in names:
        found = {one["kind"]: one for one in manifests.objects(f"deploy/dev/{name}")}
        assert sorted(found) == ["ConfigMap", "Deployment"]
        assert {one["metadata"]["namespace"] for one in found.values()} == {name}
        (volume,) = found["Deployment"]["spec"]["template"]["spec"]["volumes"]
        assert volume["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]


def test_each_file_is_read_once_and_processes_of_the_platform_are_used_again(
    manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = noted(monkeypatch)
    manifests.write({"templates/web/a.yaml": config_map("web", a="b"), "environments/dev/values.yaml": "a: 1\n"})
    for number in range(20):
        app_yaml = "template: web\nenvironments: [dev]\n"
        manifests.app(f"web-{number}", app_yaml, {"values.yaml": f"a: {number}\n"})
    assert manifests.hydrate().code == 0
    kinds = [kind for requests in processes.requests for kind in requests]
    assert kinds.count("documents") == 1 + 20  # headgate.yaml and each app.yaml
    assert kinds.count("values") == 1 + 20
    assert len(processes.given) <= processors()


@pytest.mark.long
@pytest.mark.parametrize(
    "extra", ["", "nameSuffix: -x\n", "commonLabels: {team: a}\n", "buildMetadata: [originAnnotations]\n"]
)
def test_kustomize_together_gives_what_each_gives_alone(manifests: ManifestRepository, extra: str) -> None:
    names = many_overlays(manifests, 6, extra)
    assert manifests.hydrate().code == 0
    for name in names:
        pool.close_all()
        ran = manifests.hydrate("--all", "--check", "--diff", "--app", name)
        assert ran.code == 0, ran.out


def test_kustomize_schema_of_one_app_does_not_reach_the_next(manifests: ManifestRepository) -> None:
    merged = {"x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}
    parts = {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}, **merged}
    widget = {
        "type": "object",
        "properties": {"parts": parts},
        "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Widget"}],
    }
    for name, own in (("app-0", "openapi: {path: schema.json}\n"), ("app-1", "")):
        head = f"apiVersion: example.com/v1\nkind: Widget\nmetadata: {{name: one, namespace: {name}}}\n"
        files: dict[str, str | bytes] = {
            "kustomization.yaml": f"{base('widget.yaml')}patches: [{{path: patch.yaml}}]\n{own}",
            "widget.yaml": f"{head}parts: [{{name: a}}, {{name: b}}]\n",
            "patch.yaml": f"{head}parts: [{{name: b, size: 1}}]\n",
            "schema.json": json.dumps({"definitions": {"v1.Widget": widget}}),
        }
        manifests.write({f"templates/{name}/{file}": text for file, text in files.items()})
        manifests.app(name, f"template: {name}\nenvironments: [dev]\n")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    found = {name: manifests.objects(f"deploy/dev/{name}")[0]["parts"] for name in ("app-0", "app-1")}
    assert found == {"app-0": [{"name": "b", "size": 1}, {"name": "a"}], "app-1": [{"name": "b", "size": 1}]}


def test_kustomize_reference_to_a_generated_name_of_another_app_stays(manifests: ManifestRepository) -> None:
    names = many_overlays(manifests, 4)
    volume = (
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: disk}\n"
        "spec: {csi: {driver: a, volumeHandle: b, controllerPublishSecretRef: {name: settings, namespace: app-1}}}\n"
    )
    secret = "secretGenerator:\n  - name: settings\n    literals: [a=b]\n"
    manifests.write(
        {
            "templates/app-0/base/kustomization.yaml": base("web.yaml", "disk.yaml"),
            "templates/app-0/base/web.yaml": DEPLOYMENT,
            "templates/app-0/base/disk.yaml": volume,
            "templates/app-1/base/kustomization.yaml": base("web.yaml") + secret,
        }
    )
    manifests.app("app-1", "template: app-1\nenvironments: [dev]\nallow: {kinds: [Secret]}\n")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    (disk,) = (one for one in manifests.objects(f"deploy/dev/{names[0]}") if one["kind"] == "PersistentVolume")
    assert disk["spec"]["csi"]["controllerPublishSecretRef"]["name"] == "settings"


def test_kustomize_one_broken_overlay_fails_alone(manifests: ManifestRepository) -> None:
    many_overlays(manifests, 4)
    manifests.write(
        {"templates/app-2/overlays/dev/kustomization.yaml": overlay("app-2") + "patches: [{patch: 'x: ['}]\n"}
    )
    outcomes = {one["app"]: one for one in manifests.hydrate_json()}
    assert [outcomes[f"app-{n}"]["state"] for n in range(4)] == ["changed", "changed", "failed", "changed"]
    error = outcomes["app-2"]["error"]
    assert error["where"]["file"] == "templates/app-2/overlays/dev/kustomization.yaml"
    assert "patches[0].patch: not YAML" in error["message"]


def test_an_unsafe_file_of_another_template_concerns_only_that_one(manifests: ManifestRepository) -> None:
    many_overlays(manifests, 2)
    manifests.write({"templates/app-1/base/big.bin": bytes(20 * 1024 * 1024)})
    (manifests.path / "templates/app-1/base/link.yaml").symlink_to("/etc/passwd")
    outcomes = {one["app"]: one["state"] for one in manifests.hydrate_json()}
    assert outcomes == {"app-0": "changed", "app-1": "failed"}
