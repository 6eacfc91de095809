"""What one app may use in one environment: a breach is that app's error, and the others land."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from headgate.errors import ExhaustedError, HeadgateError, TooLargeError
from support.charts import chart_yaml
from support.manifests import HEADGATE_YAML, ManifestRepository

Files = dict[str, str | bytes]
KIBI, MEBI = 1024, 1024 * 1024


def config_map(name: str, text: str = "a") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: {text}}}\n---\n"


def helm(text: str, values: str = "{}\n") -> Files:
    return {"Chart.yaml": chart_yaml("own"), "templates/a.yaml": text, "values.yaml": values}


def kustomize(text: str) -> Files:
    return {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": text}


def jinja2(text: str, values: str = "{}\n") -> Files:
    return {"a.yaml.j2": text, "values.yaml": values}


def plain(text: str) -> Files:
    return {"a.yaml": text}


HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
ITEM = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"
FOUR = "".join(config_map(f"c{number}") for number in range(4))
LONG = f"more: [{'x, ' * 1100}]\n"
LIST = f"{HEAD}{LONG}"
COMMENT = f"{config_map('a')}# {'x' * (MEBI + KIBI)}\n"
LARGE = f"{HEAD}a: &a {'x' * (700 * KIBI)}\nb: *a\n"
OTHERS = {
    "helm": helm(config_map("good")),
    "kustomize": kustomize(config_map("good")),
    "jinja2": jinja2(config_map("good")),
    "plain": plain(config_map("good")),
}

BREACHES: dict[tuple[str, int], dict[str, Files]] = {
    ("objects", 3): {
        "helm": helm("{{ range until 4 }}\n" + config_map("c{{ . }}") + "{{ end }}\n"),
        "kustomize": kustomize(FOUR),
        "jinja2": jinja2("{% for i in range(4) %}\n" + config_map("c{{ i }}") + "{% endfor %}\n"),
        "plain": plain(FOUR),
        "plain in a list": plain(f"apiVersion: v1\nkind: List\nitems: [{', '.join([ITEM] * 4)}]\n"),
    },
    ("nodes", 1000): {
        "helm": helm(LIST),
        "helm that prints": helm(f"{HEAD}more: [{{{{ range until 1100 }}}}x, {{{{ end }}}}]\n"),
        "helm with values": helm(config_map("a"), LONG),
        "kustomize": kustomize(LIST),
        "jinja2": jinja2(LIST),
        "jinja2 with values": jinja2(config_map("a"), LONG),
        "plain": plain(LIST),
        "plain with aliases": plain(f"{HEAD}a: &a [{'x, ' * 40}]\nb: &b [{'*a, ' * 10}]\nc: [*b, *b, *b]\n"),
    },
    ("input_mebibytes", 1): {
        "helm": helm(config_map("a") + '# {{ repeat 1100000 "x" }}\n'),
        "kustomize": kustomize(COMMENT),
        "jinja2": jinja2(config_map("a") + "# {% for i in range(100000) %}0123456789a{% endfor %}\n"),
        "plain": plain(COMMENT),
    },
    ("output_mebibytes", 1): {
        "helm": helm(config_map("a", '{{ repeat 1100000 "x" }}')),
        "kustomize": kustomize(LARGE),
        "jinja2": jinja2(config_map("a", "{{ values.x }}" * 20), f"x: {'x' * (60 * KIBI)}\n"),
        "plain": plain(LARGE),
        "plain in many objects": plain("".join(config_map(f"c{number}", "x" * (300 * KIBI)) for number in range(4))),
    },
    ("render_seconds", 2): {
        "helm": helm(f"{'{{ range until 30000 }}' * 4}{'{{ end }}' * 4}"),
        "jinja2": jinja2(
            f"{''.join(f'{{% for x{depth} in range(90000) %}}' for depth in range(3))}{'{% endfor %}' * 3}"
        ),
    },
    ("render_mebibytes", 128): {
        "helm": helm('{{ $x := "0123456789" }}{{ range until 30 }}{{ $x = print $x $x }}{{ end }}'),
        "jinja2": jinja2("{% set x = '0123456789' %}" + "{% set x = x ~ x %}" * 30),
    },
}
CASES = [(limit, name, files) for limit, all_files in BREACHES.items() for name, files in all_files.items()]


def hydrated(manifests: ManifestRepository, limits: str) -> dict[str, Any]:
    """Hydrate within limits, and return the outcomes by app."""
    manifests.write({"headgate.yaml": f"{HEADGATE_YAML.lstrip()}limits: {{{limits}}}\n"})
    return {one["app"]: one for one in manifests.hydrate_json()}


def _breaches() -> Iterator[object]:
    """Yield each case in an app's own config and in a template: one of them, in turn, for the quick tests."""
    for number, (limit, name, files) in enumerate(CASES):
        for own in (True, False):
            where = "own config" if own else "template"
            marks = () if own == bool(number % 2) else pytest.mark.long
            yield pytest.param(limit, name, files, own, id=f"{limit[0]}-{name}-{where}", marks=marks)


@pytest.mark.parametrize(("limit", "name", "files", "own"), list(_breaches()))
def test_breach_is_that_apps_error_and_the_others_land(
    manifests: ManifestRepository, limit: tuple[str, int], name: str, files: Files, *, own: bool
) -> None:
    for app in ("a-good", "z-good"):
        manifests.app(app, "template: good\nenvironments: [dev]\n")
    manifests.write({f"templates/good/{path}": text for path, text in OTHERS[name.split(maxsplit=1)[0]].items()})
    if own:
        manifests.app("bad", "project: acme/web\nconfig: deploy\nenvironments: [dev]\n")
        manifests.release("bad", "dev", config=files)
    else:
        manifests.app("bad", "template: bad\nenvironments: [dev]\n")
        manifests.write({f"templates/bad/{path}": text for path, text in files.items()})
    found = hydrated(manifests, f"{limit[0]}: {limit[1]}")
    assert {app: one["state"] for app, one in found.items()} == {
        "a-good": "changed",
        "bad": "failed",
        "z-good": "changed",
    }, found["bad"]["error"]
    error = found["bad"]["error"]
    expected: type[HeadgateError] = ExhaustedError if limit[0].startswith("render_") else TooLargeError
    assert error["code"] == expected.code, error
    assert error["where"]["file"].startswith("apps/bad/releases/dev/config" if own else "templates/bad"), error
    assert len(error["message"]) < 500


COUNTED = [case for case in CASES if not case[0][0].startswith("render_")]


@pytest.mark.long
@pytest.mark.parametrize(("limit", "name", "files"), COUNTED, ids=[f"{limit[0]}-{name}" for limit, name, _ in COUNTED])
def test_as_much_is_rendered_within_the_usual_limits(
    manifests: ManifestRepository, limit: tuple[str, int], name: str, files: Files
) -> None:
    manifests.app("bad", "project: acme/web\nconfig: deploy\nenvironments: [dev]\n")
    manifests.release("bad", "dev", config=files)
    error = hydrated(manifests, "removed_percent: 50")["bad"]["error"]
    assert error is None or error["code"] not in (TooLargeError.code, ExhaustedError.code), error
