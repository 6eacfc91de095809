"""Bad input: each kind gives a clear message and an exit code of its own, and nothing is written."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from headgate.errors import (
    ArgumentError,
    ConfigError,
    DirtyError,
    ExhaustedError,
    GrantError,
    GuardError,
    HeadgateError,
    ImageError,
    ManifestError,
    RenderError,
    TooLargeError,
    UnsafeFileError,
    YamlError,
)
from support.manifests import DEPLOYMENT, HEADGATE_YAML, ManifestRepository

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def refused(
    repository: ManifestRepository, kind: type[HeadgateError], *messages: str, args: tuple[str, ...] = ()
) -> None:
    """Hydrate, and check the code, the message, and that no file was written."""

    def read() -> dict[Path, bytes]:
        files = (path for path in repository.path.rglob("*") if path.is_file() and ".git/" not in str(path))
        return {path: path.read_bytes() for path in files}

    before = read()
    ran = repository.hydrate(*args)
    for message in messages:
        assert message in ran.err
    assert ran.code == kind.code, ran.err
    assert "Traceback" not in ran.err
    assert read() == before


def chart(manifests: ManifestRepository, template: str, **files: str) -> ManifestRepository:
    """Add an app with a chart of one template."""
    more = {f"templates/web/{name}": text for name, text in files.items()}
    manifests.write({"templates/web/Chart.yaml": CHART, "templates/web/templates/web.yaml": template, **more})
    return manifests.app("web", "template: web\nenvironments: [dev]\n")


def own_config(manifests: ManifestRepository, config: dict[str, str | bytes]) -> ManifestRepository:
    """Add an app with a config of its own."""
    manifests.app("web", "project: acme/web\nconfig: deploy\nenvironments: [dev]\n")
    return manifests.release("web", "dev", config=config)


def test_broken_yaml_in_values(manifests: ManifestRepository) -> None:
    chart(manifests, DEPLOYMENT).write({"apps/web/values.yaml": "a: 1\nb: [1\n"})
    refused(manifests, YamlError, "web in dev: apps/web/values.yaml:3: not YAML: ")


def test_broken_yaml_that_a_template_rendered(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml.j2": "apiVersion: v1\nkind: ConfigMap\n  bad: {{ app }}\n"})
    manifests.app("web", "template: web\nenvironments: [dev]\n")
    refused(manifests, YamlError, "templates/web/web.yaml.j2: not YAML: ", "line 3 of the rendered text: bad: web")


def test_helm_template_error_names_file_and_line(manifests: ManifestRepository) -> None:
    chart(manifests, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.a.b.c }}\n")
    refused(
        manifests,
        RenderError,
        "web in dev: templates/web/templates/web.yaml:4: Helm: ",
        "nil pointer evaluating",
        "a value is missing",
    )


def test_helm_required_value_is_missing(manifests: ManifestRepository) -> None:
    chart(manifests, 'a: b\nc: {{ required "set the host" .Values.host }}\n')
    refused(manifests, RenderError, "templates/web/templates/web.yaml:2: Helm: ", "set the host")


def test_jinja_value_is_missing(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml.j2": "a: b\nname: {{ values.host }}\n"})
    manifests.app("web", "template: web\nenvironments: [dev]\n")
    refused(manifests, RenderError, "templates/web/web.yaml.j2:2: missing value: ", "'host'", "give it a value")


def test_jinja_syntax_error_names_file_and_line(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml.j2": "a: b\n{% if %}\n"})
    manifests.app("web", "template: web\nenvironments: [dev]\n")
    refused(manifests, RenderError, "templates/web/web.yaml.j2:2: template syntax: ")


def test_kustomize_error(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/kustomization.yaml": "resources: [gone.yaml]\n"})
    manifests.app("web", "template: web\nenvironments: [dev]\n")
    refused(manifests, RenderError, "templates/web/kustomization.yaml:1: resources: 'gone.yaml' is not there")


def test_value_outside_the_grant(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/Chart.yaml": CHART, "templates/web/templates/web.yaml": DEPLOYMENT})
    manifests.app("web", "project: acme/web\ntemplate: web\nconfig: deploy\ngrant: [replicas]\nenvironments: [dev]\n")
    manifests.release("web", "dev", config={"values.yaml": "replicas: 2\nsecurity:\n  privileged: true\n"})
    refused(
        manifests,
        GrantError,
        "deploy/values.yaml:3 in acme/web at aaaaaaaa: security.privileged: sets a value that is not granted",
        "add 'security.privileged' to 'grant'",
    )


def test_image_that_no_container_uses(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    manifests.app(
        "web",
        "project: acme/web\ntemplate: web\nenvironments: [dev]\n"
        "images: {web: registry.example.com/acme/web, worker: registry.example.com/acme/worker}\n",
    )
    images = {"web": "registry.example.com/acme/web", "worker": "registry.example.com/acme/worker"}
    manifests.release("web", "dev", images=images)
    refused(manifests, ImageError, "no container uses the image 'worker' (registry.example.com/acme/worker)")


def test_container_of_the_app_stays_unpinned(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT.replace("acme/web", "acme/web:api-1")})
    images = "{web: {repository: registry.example.com/acme/web, tag: 'web-*'}}"
    manifests.app("web", f"project: acme/web\ntemplate: web\nenvironments: [dev]\nimages: {images}\n")
    manifests.release("web", "dev", images={"web": "registry.example.com/acme/web"})
    refused(
        manifests,
        ImageError,
        "Deployment web runs registry.example.com/acme/web:api-1",
        "no image matches its tag",
    )


def test_symlink_in_the_apps_config(manifests: ManifestRepository) -> None:
    own_config(manifests, {"web.yaml": DEPLOYMENT})
    (manifests.path / "apps/web/releases/dev/config/passwd.yaml").symlink_to("/etc/passwd")
    refused(
        manifests,
        UnsafeFileError,
        "deploy/passwd.yaml in acme/web at aaaaaaaa: a symlink, which is never followed",
    )


def test_symlink_in_place_of_the_output_folder(manifests: ManifestRepository, tmp_path: Path) -> None:
    own_config(manifests, {"web.yaml": DEPLOYMENT})
    (tmp_path / "elsewhere").mkdir()
    (manifests.path / "deploy").symlink_to(tmp_path / "elsewhere")
    refused(manifests, UnsafeFileError, "deploy: a symlink in the path of an output file")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_gitattributes_in_the_apps_config(manifests: ManifestRepository) -> None:
    own_config(manifests, {"web.yaml": DEPLOYMENT, ".gitattributes": "*.yaml filter=evil\n"})
    refused(manifests, UnsafeFileError, "deploy/.gitattributes in acme/web at aaaaaaaa: a file that configures git")


def test_app_yaml_in_the_apps_config_is_never_an_app(manifests: ManifestRepository) -> None:
    own_config(manifests, {"app.yaml": "template: web\nproject: evil/project\n", "web.yaml": DEPLOYMENT})
    refused(manifests, ManifestError, "deploy/app.yaml in acme/web at aaaaaaaa: not a Kubernetes object")


@pytest.mark.parametrize("path", ["../outside", "/etc", "a/../../b", "./a", "a//b"])
def test_path_that_leaves_its_folder(manifests: ManifestRepository, path: str) -> None:
    manifests.app("web", f"project: acme/web\nconfig: {path}\nenvironments: [dev]\n")
    refused(manifests, ConfigError, "apps/web/app.yaml:2: config: expected ")


def test_kustomization_that_leaves_its_folder(manifests: ManifestRepository) -> None:
    own_config(manifests, {"kustomization.yaml": "resources: [../../../../../web]\n"})
    refused(manifests, UnsafeFileError, "resources: '../../../../../web' leaves the folder that may be read")


def test_kustomization_with_a_remote_base(manifests: ManifestRepository) -> None:
    own_config(manifests, {"kustomization.yaml": "resources: ['https://example.com/base?ref=v1']\n"})
    refused(
        manifests,
        UnsafeFileError,
        "'https://example.com/base?ref=v1' comes from another host, which is not read while hydrating",
    )


def test_kustomization_with_a_plugin(manifests: ManifestRepository) -> None:
    plugin = "apiVersion: example.com/v1\nkind: Exec\nmetadata: {name: x}\n"
    own_config(manifests, {"kustomization.yaml": "generators: [plugin.yaml]\n", "plugin.yaml": plugin})
    refused(manifests, ConfigError, "the plugin 'example.com/v1 Exec' is not allowed")


def test_kustomization_with_helm_charts(manifests: ManifestRepository) -> None:
    own_config(manifests, {"kustomization.yaml": "helmCharts: [{name: x, repo: 'https://example.com'}]\n"})
    refused(manifests, ConfigError, "helmCharts: the chart 'x' has no releaseName")


def archive(name: str, content: bytes) -> bytes:
    """Return a chart's archive with one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_chart_archive_that_leaves_its_folder(manifests: ManifestRepository) -> None:
    own_config(manifests, {"Chart.yaml": CHART, "charts/evil.tgz": archive("../../../evil.yaml", b"evil")})
    refused(
        manifests,
        RenderError,
        "charts/evil.tgz in acme/web at aaaaaaaa: not a chart archive: chart illegally references parent directory",
    )


@pytest.mark.long
def test_chart_archive_bomb(manifests: ManifestRepository) -> None:
    bomb = archive("bomb/values.yaml", bytes(60 * 1024 * 1024))
    own_config(manifests, {"Chart.yaml": CHART, "charts/bomb.tgz": bomb})
    refused(
        manifests,
        YamlError,
        "charts/bomb.tgz/values.yaml:1 in acme/web at aaaaaaaa: not YAML: control characters are not allowed",
    )


def test_alias_bomb(manifests: ManifestRepository) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    own_config(manifests, {"web.yaml": "\n".join(lines)})
    refused(
        manifests,
        TooLargeError,
        "deploy/web.yaml:",
        "in acme/web at aaaaaaaa: more than 2500000 nodes of YAML, once its aliases are followed",
    )


def test_merge_key_bomb(manifests: ManifestRepository) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{k: {{<<: [{', '.join([f'*a{n - 1}'] * 12)}]}}}}" for n in range(1, 10)]
    own_config(manifests, {"web.yaml": "\n".join(lines)})
    refused(manifests, TooLargeError, "more than 2500000 nodes")


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 50_000])
def test_deep_nesting(manifests: ManifestRepository, text: str) -> None:
    own_config(manifests, {"web.yaml": text})
    refused(manifests, TooLargeError, "deploy/web.yaml:1 in acme/web at aaaaaaaa: nested deeper than 100 levels")


def limited(manifests: ManifestRepository, **limits: int) -> None:
    """Lower the limits on renders."""
    lines = "".join(f"  {name}: {value}\n" for name, value in limits.items())
    manifests.write({"headgate.yaml": HEADGATE_YAML.lstrip() + "limits:\n" + lines})


def test_chart_that_prints_without_end(manifests: ManifestRepository) -> None:
    chart(
        manifests,
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {{ repeat 70000000 "x" }}}',
    )
    refused(manifests, TooLargeError, "more than 67108864 bytes of YAML are read or rendered")


@pytest.mark.long
def test_jinja_that_loops(manifests: ManifestRepository) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    own_config(manifests, {"web.yaml.j2": loop})
    limited(manifests, render_seconds=1)
    refused(manifests, ExhaustedError, "web in dev: ", "was stopped after 1 seconds")


def test_jinja_that_eats_memory(manifests: ManifestRepository) -> None:
    own_config(manifests, {"web.yaml.j2": "x: {{ 'x' * 2000000000 }}"})
    limited(manifests, render_mebibytes=256)
    refused(manifests, ExhaustedError, "used more than 256 MiB of memory")


def test_empty_render(manifests: ManifestRepository) -> None:
    chart(manifests, "{{ if .Values.never }}a: b{{ end }}")
    refused(manifests, GuardError, "templates/web: rendered no objects")


def test_dirty_tree_is_not_committed(manifests: ManifestRepository) -> None:
    chart(manifests, DEPLOYMENT).commit()
    manifests.write({"templates/web/values.yaml": "a: 1\n"})
    refused(manifests, DirtyError, "uncommitted changes: templates/web/values.yaml", args=("--commit",))


def test_file_of_20_megabytes(manifests: ManifestRepository) -> None:
    own_config(manifests, {"web.yaml": DEPLOYMENT, "big.bin": bytes(20 * 1024 * 1024)})
    refused(
        manifests, TooLargeError, "deploy/big.bin in acme/web at aaaaaaaa: 20.0 MiB, the limit for a file is 10 MiB"
    )


def test_values_file_of_20_megabytes(manifests: ManifestRepository) -> None:
    chart(manifests, DEPLOYMENT).write({"apps/web/values.yaml": b"#" * (20 * 1024 * 1024)})
    refused(manifests, TooLargeError, "apps/web/values.yaml: 20.0 MiB")


def test_unknown_app_on_the_command_line(manifests: ManifestRepository) -> None:
    chart(manifests, DEPLOYMENT)
    refused(manifests, ArgumentError, "there is no app 'wep'", "did you mean 'web'?", args=("--app", "wep"))


def test_kubernetes_version_is_required_where_helm_renders(manifests: ManifestRepository) -> None:
    chart(manifests, DEPLOYMENT).write({"headgate.yaml": "version: 1\nenvironments: {dev: {delivery: commit}}\n"})
    refused(manifests, ConfigError, "headgate.yaml: environments.dev: 'kubernetes' is missing")


def test_control_characters_of_others_do_not_reach_the_terminal(manifests: ManifestRepository) -> None:
    chart(manifests, '{{ fail "\\u001b[2J\\u001b]0;owned\\u0007" }}')
    ran = manifests.hydrate()
    assert ran.code == RenderError.code
    assert "\x1b[2J" not in ran.err
    assert "\x07" not in ran.err


def test_other_apps_land_when_one_fails(manifests: ManifestRepository) -> None:
    chart(manifests, '{{ fail "broken" }}')
    manifests.write({"templates/good/web.yaml": DEPLOYMENT})
    manifests.app("good", "template: good\nenvironments: [dev]\n")
    manifests.app("worse", "tempalte: good\n")
    ran = manifests.hydrate()
    assert ran.code == 9
    assert "web in dev: " in ran.err
    assert "worse in every environment: apps/worse/app.yaml:1: tempalte: unknown key 'tempalte'" in ran.err
    assert list(manifests.output()) == ["dev/good/deployment.apps-web.yaml"]


def test_unreadable_umask_does_not_change_the_output(manifests: ManifestRepository) -> None:
    chart(manifests, DEPLOYMENT)
    before = os.umask(0o077)
    try:
        assert manifests.hydrate().code == 0
    finally:
        os.umask(before)


# One app alone


def two_apps(manifests: ManifestRepository) -> ManifestRepository:
    """Add two apps that use a chart of one ConfigMap."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {a: {{ .Values.text }}}\n"
    chart(manifests, text, **{"values.yaml": "text: few\n"})
    return manifests.app("api", "template: web\nenvironments: [dev]\n")


@pytest.mark.long
def test_object_too_large_to_be_read_again_fails_alone(manifests: ManifestRepository) -> None:
    two_apps(manifests).write({"templates/web/templates/big.yaml": "{{ if .Values.big }}" + BIG + "{{ end }}\n"})
    manifests.write({"apps/web/values.yaml": "big: true\n"}).hydrate()
    found = {one["app"]: one for one in manifests.hydrate_json("--all")}
    assert found["api"]["state"] == "unchanged"
    assert found["web"]["state"] == "failed"
    assert "ConfigMap web/big: its YAML has 10.5 MiB" in str(found["web"]["error"])


BIG = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {a: {{ repeat 11000000 "x" }}}\n'


def test_record_that_somebody_broke_fails_alone(manifests: ManifestRepository) -> None:
    assert two_apps(manifests).hydrate().code == 0
    manifests.write({"deploy/dev/web/.headgate.json": "{}", "apps/api/values.yaml": "text: more\n"})
    assert {one["app"]: one["state"] for one in manifests.hydrate_json()} == {"api": "changed", "web": "failed"}


def test_output_that_somebody_made_too_large_to_read_is_put_right(manifests: ManifestRepository) -> None:
    assert two_apps(manifests).hydrate().code == 0
    manifests.write({"deploy/dev/web/configmap-web.yaml": "x" * (10 * 1024 * 1024 + 1)})
    assert {one["app"]: one["state"] for one in manifests.hydrate_json()} == {"api": "unchanged", "web": "changed"}
    assert manifests.hydrate("--check").code == 0
