"""Helm on the real engine: what it reads, what it may not do, and what becomes of what it prints."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
import yaml

from headgate.errors import RenderError, UnsafeFileError, UnstableError
from support.manifests import DEPLOYMENT, DIGEST, ManifestRepository
from support.templates import CHART, IMAGE, config_map, only, template


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


@pytest.mark.long
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


# Hostile charts: text that patterns would look through for hours


@pytest.mark.long
@pytest.mark.parametrize("text", ["{{" * 2_000_000, '{{ "' + '\\"' * 2_000_000, "{{ now }}{{ " + "/*" * 2_000_000])
def test_chart_with_what_is_never_closed_is_an_error_at_once(manifests: ManifestRepository, text: str) -> None:
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": "a: {{ now }}\n", "templates/evil.yaml": text})
    assert "web in dev: templates/web" in manifests.hydrate().err


@pytest.mark.long
def test_chart_that_fails_with_long_words_is_told_of_in_short(manifests: ManifestRepository) -> None:
    text = '{{ fail (printf "%s\\n%s" (repeat 3000000 "charts/a/") (repeat 3000000 "a")) }}\n'
    template(manifests, {"Chart.yaml": CHART, "templates/a.yaml": text})
    ran = manifests.hydrate()
    assert "templates/web/templates/a.yaml" in ran.err
    assert len(ran.err) < 20_000


SUBCHART = {
    "Chart.yaml": f"{CHART}dependencies: [{{name: s, version: 1.0.0}}]\n",
    "charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 1.0.0\n",
    "charts/s/values.yaml": "a: 1\n",
    "templates/a.yaml": config_map("web", a="b"),
}
STRICT = """{
  "properties": {"a": {"type": "integer"}, "l": {"items": {"type": "string"}}, "global": {}},
  "additionalProperties": false
}"""


@pytest.mark.parametrize(
    ("files", "values", "told"),
    [
        ({"values.schema.json": STRICT}, "x: 1\n", "apps/web/values.yaml:1 sets 'x'\n  remove it there"),
        ({"values.schema.json": STRICT}, "\na: text\n", "apps/web/values.yaml:2 sets 'a'\n  correct it there"),
        ({"values.schema.json": STRICT}, "l: [a, 1]\n", "apps/web/values.yaml:1 sets 'l[1]'"),
        ({"charts/s/values.schema.json": STRICT}, "s:\n  b: 1\n", "apps/web/values.yaml:2 sets 's.b'"),
        ({"charts/s/values.schema.json": STRICT}, "s: {a: text}\n", "apps/web/values.yaml:1 sets 's.a'"),
        ({}, "s: [1]\n", "the values of the subchart 's' are no map\n  apps/web/values.yaml:1 sets 's'"),
        ({}, "s: null\n", "the values of the subchart 's' are no map\n  apps/web/values.yaml:1 sets 's'"),
        (
            {"charts/s/values.schema.json": '{"properties": {"a": {}}, "additionalProperties": false}'},
            "s: {a: 2}\n",
            "Helm passes 'global' to each subchart",
        ),
        ({"Chart.yaml": f"{CHART}kubeVersion: '>= 1.99'\n"}, "", "'kubernetes' of the environment in headgate.yaml"),
    ],
)
def test_values_that_a_chart_refuses_name_the_file_that_sets_them(
    manifests: ManifestRepository, files: dict[str, str | bytes], values: str, told: str
) -> None:
    template(manifests, {**SUBCHART, **files})
    (manifests.path / "apps/web/values.yaml").write_text(values)
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert told in ran.err
