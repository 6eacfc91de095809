"""Jinja2: values that cannot break out of their place, filters, and the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from headgate.errors import RenderError
from support.manifests import DEPLOYMENT, DIGEST, ManifestRepository
from support.templates import config_map, only, template


def jinja(manifests: ManifestRepository, text: str, values_yaml: str = "", **more: str) -> ManifestRepository:
    files: dict[str, str | bytes] = {"web.yaml.j2": text, **more}
    template(manifests, files)
    return manifests.write({"apps/web/values.yaml": values_yaml}) if values_yaml else manifests


HOSTILE = 'x"}, privileged: true, a: {b: "\n  injected: true # \' | & * ! % @ ` ]'


@pytest.mark.long
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


def test_a_token_that_no_string_has_is_text(manifests: ManifestRepository) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: {{ '\\ue0007\\ue001' }}}\n"
    jinja(manifests, text)
    assert only(manifests)["data"] == {"a": "\ue0007\ue001"}
