"""The four engines on real tools: what each reads, what it may not do, and what becomes of what it prints."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
import yaml

from headgate.engine import pool
from headgate.errors import ConfigError, RenderError, UnsafeFileError, UnstableError
from headgate.process import processors
from support.engines import noted
from support.manifests import DEPLOYMENT, DIGEST, ManifestRepository

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
IMAGE = "registry.example.com/acme/web"


def config_map(name: str, **data: str) -> str:
    """Return a ConfigMap as a template would have it; values go in as they are."""
    lines = "".join(f"  {key}: {value}\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{lines}"


def template(manifests: ManifestRepository, files: dict[str, str | bytes], app_yaml: str = "") -> ManifestRepository:
    """Add a template ``web`` and an app that uses it in dev."""
    manifests.write({f"templates/web/{name}": text for name, text in files.items()})
    return manifests.app("web", f"template: web\nenvironments: [dev]\n{app_yaml}")


def only(manifests: ManifestRepository, folder: str = "deploy/dev/web") -> dict[str, Any]:
    """Hydrate and return the only object."""
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    (one,) = manifests.objects(folder)
    found: dict[str, Any] = one
    return found


# Helm


def test_helm_knows_release_namespace_version_and_apis(manifests: ManifestRepository) -> None:
    text = config_map(
        "{{ .Release.Name }}",
        namespace="{{ .Release.Namespace }}",
        version="{{ .Capabilities.KubeVersion.Version | quote }}",
        monitoring='{{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}',
    )
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text}, "namespace: front\n")
    manifests.write(
        {
            "headgate.yaml": "version: 1\nenvironments:\n  dev:\n    delivery: commit\n    kubernetes: '1.33'\n"
            "    api_versions: [monitoring.coreos.com/v1]\n"
        }
    )
    found = only(manifests)
    assert found["metadata"] == {"name": "web", "namespace": "front"}
    assert found["data"] == {"namespace": "front", "version": "v1.33", "monitoring": "true"}


def test_helm_layers_of_values_in_their_order(manifests: ManifestRepository) -> None:
    keys = ("a", "b", "c", "d", "e", "f")
    text = config_map("web", **{key: f"{{{{ .Values.{key} }}}}" for key in keys})
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text, "values.yaml": values("default", keys)})
    manifests.app("web", "project: acme/web\ntemplate: web\nconfig: deploy\nenvironments: [dev]\ngrant: ['*']\n")
    app_layers: dict[str, str | bytes] = {
        "values.yaml": values("app", "cdef"),
        "values.dev.yaml": values("app-dev", "def"),
    }
    manifests.release("web", "dev", config=app_layers)
    manifests.write(
        {
            "environments/dev/values.yaml": values("environment", "bcdef"),
            "apps/web/values.yaml": values("platform", "ef"),
            "environments/dev/overrides.yaml": values("override", "f"),
        }
    )
    found = only(manifests)
    assert found["data"] == {
        "a": "default",
        "b": "environment",
        "c": "app",
        "d": "app-dev",
        "e": "platform",
        "f": "override",
    }


def values(value: str, keys: Any) -> str:
    return "".join(f"{key}: {value}\n" for key in keys)


def test_helm_null_deletes_a_default_and_lists_are_replaced(manifests: ManifestRepository) -> None:
    text = config_map("web", values="{{ .Values | toJson | quote }}")
    defaults = "image: {pull: always, tag: '1'}\nhosts: [a, b]\n"
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text, "values.yaml": defaults})
    manifests.write({"apps/web/values.yaml": "image: {pull: null}\nhosts: [c]\n"})
    assert yaml.safe_load(only(manifests)["data"]["values"]) == {"image": {"tag": "1"}, "hosts": ["c"]}


def test_helm_values_keep_their_types(manifests: ManifestRepository) -> None:
    text = config_map("web", **{key: f"{{{{ kindOf .Values.{key} }}}}" for key in ("port", "text", "switch", "mode")})
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text})
    manifests.write({"apps/web/values.yaml": "port: 8080\ntext: '8080'\nswitch: 'on'\nmode: '0644'\n"})
    assert only(manifests)["data"] == {
        "port": "float64",
        "text": "string",
        "switch": "string",
        "mode": "string",
    }


def test_scalars_come_out_as_kubernetes_reads_them(manifests: ManifestRepository) -> None:
    text = config_map("web", a='"8080"', b="'on'", c="plain", d="'1e3'", e='"0644"', f="'~'", g='"2026-01-01"')
    text += "binaryData:\n  number: 8080\n  mode: 0644\n  exp: 1e3\n  switch: on\n  nothing: ~\n"
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text})
    assert manifests.hydrate().code == 0
    out = manifests.output()["dev/web/configmap-web.yaml"]
    for line in ('a: "8080"', 'b: "on"', "c: plain", 'd: "1e3"', 'e: "0644"', 'f: "~"', 'g: "2026-01-01"'):
        assert f"  {line}\n" in out
    for line in ("number: 8080", "mode: 420", "exp: 1000", "switch: true", "nothing: null"):
        assert f"  {line}\n" in out


def test_images_reach_a_chart_that_asks_for_them(manifests: ManifestRepository) -> None:
    text = DEPLOYMENT.replace(IMAGE, "{{ .Values.images.web.reference }}")
    template(
        manifests,
        {"Chart.yaml": CHART, "templates/a.yaml": text, "values.yaml": "images: {}\n"},
        f"project: acme/web\nimages: {{web: {IMAGE}}}\n",
    )
    manifests.release("web", "dev", images={"web": IMAGE})
    (container,) = only(manifests)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{IMAGE}:1.0@{DIGEST}"


def test_a_strict_chart_without_images_gets_none(manifests: ManifestRepository) -> None:
    schema = '{"additionalProperties": false, "properties": {"a": {}, "global": {}}}'
    template(
        manifests,
        {
            "Chart.yaml": CHART,
            "templates/a.yaml": DEPLOYMENT,
            "values.yaml": "a: 1\n",
            "values.schema.json": schema,
        },
        f"project: acme/web\nimages: {{web: {IMAGE}}}\n",
    )
    manifests.release("web", "dev", images={"web": IMAGE})
    assert only(manifests)["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:1.0@{DIGEST}"


def hook(events: str, name: str, kind: str = "Job") -> str:
    version = "batch/v1" if kind == "Job" else "v1"
    body = "spec: {template: {spec: {containers: [{name: a, image: a}]}}}" if kind == "Job" else ""
    return (
        f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n"
        f"  annotations: {{helm.sh/hook: '{events}'}}\n{body}\n"
    )


HOOKS = {
    "templates/a.yaml": config_map("kept", a="b"),
    "templates/test.yaml": hook("test", "a-test", "Pod"),
    "templates/gone.yaml": hook("post-delete, pre-rollback", "gone"),
    "templates/migrate.yaml": hook("pre-install, pre-upgrade", "migrate"),
}


def test_helm_hooks_of_installation_need_a_word(manifests: ManifestRepository) -> None:
    template(manifests, {"Chart.yaml": CHART, **HOOKS})
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert "templates/web/templates/migrate.yaml: Job migrate is a Helm hook (pre-install, pre-upgrade)" in ran.err
    assert "set 'hooks: drop' or 'hooks: keep' in" in ran.err


def test_helm_hooks_are_dropped(manifests: ManifestRepository) -> None:
    template(manifests, {"Chart.yaml": CHART, **HOOKS}, "hooks: drop\n")
    assert only(manifests)["metadata"]["name"] == "kept"


def test_helm_hook_jobs_are_kept_under_a_name_of_their_content(manifests: ManifestRepository) -> None:
    template(manifests, {"Chart.yaml": CHART, **HOOKS, "template.yaml": "hooks: keep\n"})
    assert manifests.hydrate().code == 0
    first = [name for name in manifests.output() if "job" in name]
    assert len(first) == 1
    assert first[0].startswith("dev/web/job.batch-migrate-")
    manifests.write(
        {"templates/web/templates/migrate.yaml": HOOKS["templates/migrate.yaml"].replace("image: a", "image: b")}
    )
    assert manifests.hydrate().code == 0
    second = [name for name in manifests.output() if "job" in name]
    assert len(second) == 1
    assert second != first


def test_helm_hook_that_is_kept_gets_another_name_with_another_image(manifests: ManifestRepository) -> None:
    hook_job = HOOKS["templates/migrate.yaml"].replace("image: a", f"image: {IMAGE}")
    template(manifests, {"Chart.yaml": CHART, "templates/migrate.yaml": hook_job, "template.yaml": "hooks: keep\n"})
    manifests.app("web", f"project: acme/web\ntemplate: web\nenvironments: [dev]\nimages: {{web: {IMAGE}}}\n")
    manifests.release("web", "dev", images={"web": IMAGE})
    first = only(manifests)["metadata"]["name"]
    release = manifests.path / "apps/web/releases/dev/release.yaml"
    release.write_text(release.read_text().replace(DIGEST, "sha256:" + "b" * 64))
    second = only(manifests)["metadata"]["name"]
    assert second.startswith("migrate-")
    assert second != first, "a Job cannot be changed in the cluster"


def test_helm_crds_are_included(manifests: ManifestRepository) -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n"
        "spec:\n  group: example.com\n  scope: Cluster\n  names: {kind: Widget, plural: widgets}\n"
    )
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\n"
    template(manifests, {"Chart.yaml": CHART, "crds/widget.yaml": crd, "templates/a.yaml": widget})
    assert manifests.hydrate().code == 0
    assert sorted(manifests.output()) == [
        "dev/web/customresourcedefinition.apiextensions.k8s.io-widgets.example.com.yaml",
        "dev/web/widget.example.com-one.yaml",
    ]
    assert "namespace" not in manifests.output()["dev/web/widget.example.com-one.yaml"]


LIBRARY = {
    "Chart.yaml": "apiVersion: v2\nname: library\nversion: 1.0.0\n",
    "templates/lib.yaml": config_map("library", a="b"),
}


def packed(files: dict[str, str], folder: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def depending(repository: str) -> str:
    return f"{CHART}dependencies:\n  - name: library\n    version: 1.0.0\n    repository: {repository}\n"


def test_helm_dependency_in_an_archive(manifests: ManifestRepository) -> None:
    archive = packed(LIBRARY, "library")
    template(
        manifests,
        {"Chart.yaml": depending("https://charts.example.com"), "charts/library-1.0.0.tgz": archive},
    )
    assert only(manifests)["metadata"]["name"] == "library"


def test_helm_dependency_beside_the_chart(manifests: ManifestRepository) -> None:
    template(manifests, {"Chart.yaml": depending("file://../library")})
    manifests.write({f"templates/library/{name}": text for name, text in LIBRARY.items()})
    assert only(manifests)["metadata"]["name"] == "library"


def test_a_change_of_a_neighbour_is_seen(manifests: ManifestRepository) -> None:
    template(manifests, {"Chart.yaml": depending("file://../library")})
    manifests.write({f"templates/library/{name}": text for name, text in LIBRARY.items()})
    assert manifests.hydrate().code == 0
    manifests.write({"templates/library/templates/lib.yaml": config_map("library", a="changed")})
    assert only(manifests)["data"] == {"a": "changed"}


def test_helm_dependency_that_is_missing(manifests: ManifestRepository) -> None:
    template(manifests, {"Chart.yaml": depending("https://charts.example.com")})
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert (
        "templates/web/Chart.yaml: the dependency 'library' (from https://charts.example.com) is not in charts/"
        in ran.err
    )


def test_helm_dependency_outside_of_the_apps_config(manifests: ManifestRepository) -> None:
    manifests.app("web", "project: acme/web\nconfig: deploy\nenvironments: [dev]\n")
    manifests.release("web", "dev", config={"Chart.yaml": depending("file://../../../../../templates/library")})
    manifests.write({f"templates/library/{name}": text for name, text in LIBRARY.items()})
    ran = manifests.hydrate()
    assert ran.code == UnsafeFileError.code
    assert "leaves the folder that may be read" in ran.err


@pytest.mark.parametrize(
    ("expression", "function"),
    [
        ("{{ randAlphaNum 8 | quote }}", "randAlphaNum"),
        ("{{ uuidv4 }}", "uuidv4"),
        ('{{ (genCA "a" 365).Cert | b64enc }}', "genCA"),
        ('{{ htpasswd "a" "b" | quote }}', "htpasswd"),
        ('{{ now | date "2006-01-02" | quote }}', "now"),
        ("{{ now.Year | quote }}", "now"),
        ('{{ dateInZone "2006" (now) "UTC" | quote }}', "now"),
    ],
)
def test_what_changes_from_render_to_render_is_refused(
    manifests: ManifestRepository, expression: str, function: str
) -> None:
    template(
        manifests,
        {"Chart.yaml": CHART, "templates/a.yaml": config_map("web", steady="yes", password=expression)},
    )
    ran = manifests.hydrate()
    assert ran.code == UnstableError.code, ran.out + ran.err
    place = "templates/web/templates/a.yaml:7: ConfigMap web: data.password"
    assert f"{place} changes with every hydration, because of '{function}'" in ran.err
    assert "steady" not in ran.err


IN_OUR_TIME = "{{ if lt now.Year 2050 }}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (config_map("web", a=f"{IN_OUR_TIME}8080{{{{ else }}}}'8080'{{{{ end }}}}"), "ConfigMap web: data.a"),
        (config_map(f"web-{IN_OUR_TIME}a{{{{ else }}}}b{{{{ end }}}}"), "ConfigMap web-a: metadata.name"),
        (config_map("web", a=f"{IN_OUR_TIME}'1'{{{{ end }}}}"), "ConfigMap web: data.a"),
        (f"{config_map('web')}---\n{IN_OUR_TIME}\n{config_map('more')}\n{{{{ end }}}}", "the number of objects of"),
    ],
    ids=["type", "name", "value that comes", "object that comes"],
)
def test_whatever_is_otherwise_at_another_time_is_refused(manifests: ManifestRepository, text: str, what: str) -> None:
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text})
    ran = manifests.hydrate()
    assert ran.code == UnstableError.code, ran.out + ran.err
    assert what in ran.err
    assert "changes with every hydration, because of 'now'" in ran.err


def test_random_functions_of_a_dependency_are_seen(manifests: ManifestRepository) -> None:
    files = {**LIBRARY, "templates/lib.yaml": config_map("library", a="{{ randAlpha 5 }}")}
    template(manifests, {"Chart.yaml": depending("''"), "charts/library.tgz": packed(files, "library")})
    ran = manifests.hydrate()
    assert ran.code == UnstableError.code
    assert "templates/web/charts/library.tgz/templates/lib.yaml:6: ConfigMap library: data.a changes" in ran.err


def test_random_functions_without_effect_are_fine(manifests: ManifestRepository) -> None:
    text = config_map("web", a="{{ default (randAlphaNum 8) .Values.password }}", b="'{{ \"it is now\" }}'")
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text, "values.yaml": "password: fixed\n"})
    assert only(manifests)["data"] == {"a": "fixed", "b": "it is now"}


def test_lookup_warns(manifests: ManifestRepository) -> None:
    text = config_map("web", a='{{ (lookup "v1" "Secret" "a" "b") | toJson | quote }}')
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text})
    ran = manifests.hydrate()
    assert ran.code == 0
    assert "warning: templates/web/templates/a.yaml: uses 'lookup', which finds nothing here" in ran.out


# Kustomize


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


# Jinja2


def jinja(manifests: ManifestRepository, text: str, values_yaml: str = "", **more: str) -> ManifestRepository:
    files: dict[str, str | bytes] = {"web.yaml.j2": text, **more}
    template(manifests, files)
    return manifests.write({"apps/web/values.yaml": values_yaml}) if values_yaml else manifests


HOSTILE = 'x"}, privileged: true, a: {b: "\n  injected: true # \' | & * ! % @ ` ]'


@pytest.mark.parametrize(
    "place",
    [
        "{{ values.v }}",
        '"{{ values.v }}"',
        "'{{ values.v }}'",
        "[{{ values.v }}]",
        '{"a": "{{ values.v }}"}',
        "|\n    {{ values.v }}",
    ],
)
def test_jinja_values_cannot_break_out_of_their_place(manifests: ManifestRepository, place: str) -> None:
    jinja(
        manifests,
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  a: {place}\n  z: end\n",
    )
    manifests.write({"apps/web/values.yaml": yaml.safe_dump({"v": HOSTILE})})
    found = only(manifests)
    assert sorted(found["data"]) == ["a", "z"]
    value = found["data"]["a"]
    expected: Any = [HOSTILE] if place.startswith("[") else {"a": HOSTILE} if place.startswith('{"') else HOSTILE
    assert value == (f"{HOSTILE}\n" if place.startswith("|") else expected)


def test_jinja_strings_stay_strings_and_numbers_numbers(manifests: ManifestRepository) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
        "data: {a: {{ values.a }}, b: {{ values.b }}, c: {{ values.c }}, d: {{ values.d }}, e: x{{ values.a }}y}\n"
    )
    jinja(manifests, text, "a: '8080'\nb: 8080\nc: true\nd: 'on'\n")
    assert only(manifests)["data"] == {"a": "8080", "b": 8080, "c": True, "d": "on", "e": "x8080y"}


def test_jinja_template_that_prints_the_same_for_many_apps_gives_each_its_own(manifests: ManifestRepository) -> None:
    text = DEPLOYMENT.replace("acme/web", "acme/{{ app }}").replace("name: web", "name: {{ app }}")
    manifests.write({"templates/web/web.yaml.j2": text})
    for number in range(4):
        image = f"registry.example.com/acme/web-{number}"
        app = f"project: acme/web\nimages: {{web: {image}}}\ntemplate: web\nenvironments: [dev]\n"
        manifests.app(f"web-{number}", app).release(f"web-{number}", "dev", images={"web": image})
    assert manifests.hydrate().code == 0
    for number in range(4):
        (found,) = manifests.objects(f"deploy/dev/web-{number}")
        (container,) = found["spec"]["template"]["spec"]["containers"]
        image = f"registry.example.com/acme/web-{number}:1.0@{DIGEST}"
        assert container == {"name": f"web-{number}", "image": image}


def test_jinja_escape_that_looks_like_a_token_is_text(manifests: ManifestRepository) -> None:
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ app }}"}\ndata: {a: "\\ue0007\\ue001"}\n'
    jinja(manifests, text)
    assert only(manifests)["data"] == {"a": "\ue0007\ue001"}


def test_jinja_filters(manifests: ManifestRepository) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"
        "  labels:\n    {{ values.labels | to_yaml | indent(4) }}\n"
        "data:\n  hash: {{ values.text | sha256 }}\n  base: {{ values.text | b64encode }}\n"
        "  conf: |\n    {{ values.text }}\n"
    )
    jinja(manifests, text, "labels: {a: 'on', b: {c: '1'}}\ntext: \"line: 1\\n  line: 2\"\n")
    found = only(manifests)
    assert found["metadata"]["labels"] == {"a": "on", "b": {"c": "1"}}
    assert found["data"]["base"] == "bGluZTogMQogIGxpbmU6IDI="
    assert len(found["data"]["hash"]) == 64
    assert found["data"]["conf"] == "line: 1\n  line: 2\n"


def test_jinja_includes_within_the_template_only(manifests: ManifestRepository) -> None:
    text = '{% import "_names.j2" as names %}apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ names.full(app) }}}\n'
    jinja(manifests, text, **{"_names.j2": "{% macro full(name) %}{{ name }}-full{% endmacro %}"})
    assert only(manifests)["metadata"]["name"] == "web-full"
    manifests.write({"templates/web/web.yaml.j2": '{% include "../../apps/web/app.yaml" %}'})
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert "no such template: ../../apps/web/app.yaml" in ran.err


def test_jinja_macros_blocks_and_captures_may_write_yaml(manifests: ManifestRepository) -> None:
    text = (
        '{% from "_labels.j2" import labels %}\n'
        "{% set data %}\nfirst: {{ values.v }}\nsecond: 2\n{% endset %}\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  labels:\n    {{ labels(values.v) | indent(4) }}\n"
        "data:\n  {{ data | trim | indent(2) }}\n  third: {{ labels('x') | trim | sha256 }}\n"
        "  k{% call wrap() %}ey{% endcall %}: v\n"
    )
    macros = "{% macro labels(v) %}\nteam: {{ v }}\ntier: web\n{% endmacro %}\n"
    text = "{% macro wrap() %}{{ caller() }}{% endmacro %}" + text
    jinja(manifests, text, **{"_labels.j2": macros})
    manifests.write({"apps/web/values.yaml": yaml.safe_dump({"v": HOSTILE})})
    found = only(manifests)
    assert found["metadata"]["labels"] == {"team": HOSTILE, "tier": "web"}
    assert found["data"]["first"] == HOSTILE
    assert found["data"]["second"] == 2
    assert found["data"]["key"] == "v"


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "values.__init__.__globals__",
        "cycler.__init__",
        "(values | attr('__class__')).x",
        "values.update({'a': 1})",
    ],
)
def test_jinja_sandbox(manifests: ManifestRepository, expression: str) -> None:
    jinja(manifests, f"a: {{{{ {expression} }}}}\n")
    assert manifests.hydrate().code == RenderError.code


def test_jinja_renders_do_not_see_each_other(manifests: ManifestRepository) -> None:
    text = "{% set _ = values.l.append(app) %}a: b\n"
    jinja(manifests, text, "l: []\n")
    assert manifests.hydrate().code == RenderError.code  # immutable


def test_jinja_takes_plain_files_along_and_the_whole_environment(manifests: ManifestRepository) -> None:
    jinja(
        manifests,
        config_map("{{ app }}-{{ environment }}", namespace="{{ namespace }}"),
        **{"static.yaml": config_map("static", a="'{{ untouched }}'")},
    )
    assert manifests.hydrate().code == 0
    assert {one["metadata"]["name"]: one["data"] for one in manifests.objects("deploy/dev/web")} == {
        "web-dev": {"namespace": "web"},
        "static": {"a": "{{ untouched }}"},
    }


# Plain YAML


def test_plain_yaml_of_several_documents_and_files(manifests: ManifestRepository) -> None:
    two = config_map("a", x="1") + "---\n# only a comment\n---\n" + config_map("b", x="'{{ .not.a.template }}'")
    template(manifests, {"two.yaml": two, "sub/one.yml": config_map("c", x="y"), "values.yaml": "unused: true\n"})
    assert manifests.hydrate().code == 0
    assert list(manifests.output()) == [f"dev/web/configmap-{name}.yaml" for name in "abc"]


def test_an_engine_can_be_named(manifests: ManifestRepository) -> None:
    template(
        manifests,
        {"Chart.yaml.txt": "", "a.yaml": config_map("a", x="y"), "template.yaml": "engine: jinja2\n"},
    )
    (outcome,) = manifests.hydrate_json()
    assert outcome["engine"] == "jinja2"


def test_nothing_to_render(manifests: ManifestRepository) -> None:
    template(manifests, {"README.md": "nothing"})
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert "templates/web: nothing to render" in ran.err


def test_values_schema_of_a_template(manifests: ManifestRepository) -> None:
    schema = '{"properties": {"replicas": {"type": "integer"}}}'
    files: dict[str, str | bytes] = {
        "a.yaml.j2": config_map("a", x="y"),
        "schema.json": schema,
        "template.yaml": "values_schema: schema.json\n",
    }
    template(manifests, files)
    manifests.write({"apps/web/values.yaml": "replicas: many\n"})
    ran = manifests.hydrate()
    assert ran.code == ConfigError.code
    assert "templates/web/schema.json: replicas: 'many' is not of type 'integer'" in ran.err


# Hostile charts: text that patterns would look through for hours


@pytest.mark.parametrize("text", ["{{" * 2_000_000, '{{ "' + '\\"' * 2_000_000, "{{ now }}{{ " + "/*" * 2_000_000])
def test_chart_with_what_is_never_closed_is_an_error_at_once(manifests: ManifestRepository, text: str) -> None:
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": "a: {{ now }}\n", "templates/evil.yaml": text})
    assert "web in dev: templates/web" in manifests.hydrate().err


def test_chart_that_fails_with_long_words_is_told_of_in_short(manifests: ManifestRepository) -> None:
    text = '{{ fail (printf "%s\\n%s" (repeat 3000000 "charts/a/") (repeat 3000000 "a")) }}\n'
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text})
    ran = manifests.hydrate()
    assert "templates/web/templates/a.yaml" in ran.err
    assert len(ran.err) < 20_000
