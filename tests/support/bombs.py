"""Config of apps that is made to use up time, memory or disk, by the engine that renders it.

Each is a function that returns files of the config folder: small texts, or large ones that are made here.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

Files = dict[str, str | bytes]

BROKEN, UNSAFE, TOO_LARGE, EXHAUSTED, NOT_RENDERED, NOT_VALID = 11, 14, 15, 16, 17, 18


@dataclass(frozen=True)
class Bomb:
    """One such config, and the exit codes that say what it is."""

    name: str
    codes: tuple[int, ...]
    files: Callable[[], Files]

    def __str__(self) -> str:
        """Name it in the list of tests."""
        return self.name


BOMBS: list[Bomb] = []


def bomb(*codes: int) -> Callable[[Callable[[], Files]], Callable[[], Files]]:
    """Take a function among the bombs, which ends with one of these codes."""

    def keep(files: Callable[[], Files]) -> Callable[[], Files]:
        BOMBS.append(Bomb(files.__name__, codes, files))
        return files

    return keep


def config_map(body: str, name: str = "x") -> str:
    """Return an object that holds some YAML, which begins at its first column."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n{dedent(body)}"


def laughs(levels: int, width: int = 10, leaf: str = "a") -> str:
    """Return a mapping in which each level has the one below it many times."""
    lines = [f"l0: &l0 [{', '.join([leaf] * width)}]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def named(files: Files) -> Files:
    """Return files by their paths, from the names that Python allows: ``templates__a_yaml``."""
    return {path.replace("__", "/").replace("_yaml", ".yaml"): content for path, content in files.items()}


def chart(template: str, **more: str | bytes) -> Files:
    """Return a chart with one template and other files."""
    files: Files = {"Chart.yaml": "apiVersion: v2\nname: evil\nversion: 1.0.0\n", "templates/a.yaml": dedent(template)}
    return files | named(more)


def printing(action: str) -> Files:
    """Return a chart whose template prints an action's result in an object."""
    return chart(config_map(f"data: {{v: '{action}'}}\n"))


def jinja(template: str) -> Files:
    """Return one Jinja2 template."""
    return {"a.yaml.j2": dedent(template)}


def kustomization(text: str, **more: str | bytes) -> Files:
    """Return a kustomization and its files."""
    return {"kustomization.yaml": dedent(text)} | named(more)


# Plain YAML


@bomb(TOO_LARGE)
def aliases_in_one_document() -> Files:
    return {"a.yaml": config_map(laughs(9))}


@bomb(TOO_LARGE)
def aliases_over_many_documents() -> Files:
    return {"a.yaml": "---\n".join(config_map(laughs(5, 14), f"b{n}") for n in range(60))}


@bomb(TOO_LARGE)
def aliases_over_many_files() -> Files:
    return {f"{n}.yaml": config_map(laughs(5, 14), f"b{n}") for n in range(60)}


@bomb(TOO_LARGE)
def long_text_by_alias() -> Files:
    return {"a.yaml": config_map(f"l: &l {'a' * 100_000}\nm: [{', '.join(['*l'] * 4000)}]\n")}


@bomb(TOO_LARGE)
def long_text_by_alias_over_many_documents() -> Files:
    text = f"l: &l {'a' * 10_000}\nm: [{', '.join(['*l'] * 400)}]\n"
    return {"a.yaml": "---\n".join(config_map(text, f"b{n}") for n in range(60))}


@bomb(TOO_LARGE)
def long_keys_by_alias() -> Files:
    return {"a.yaml": config_map(f"l: &l {{{'k' * 900}: 1}}\nm: [{', '.join(['*l'] * 60_000)}]\n")}


@bomb(TOO_LARGE, BROKEN)
def merge_keys_of_merge_keys() -> Files:
    keys = ", ".join(f"k{n}: {n}" for n in range(100))
    merges = "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}\n" for n in range(1, 9))
    return {"a.yaml": config_map(f"m0: &m0 {{{keys}}}\n{merges}")}


@bomb(TOO_LARGE)
def deep_lists() -> Files:
    return {"a.yaml": config_map(f"a: {'[' * 9000}{']' * 9000}\n")}


@bomb(TOO_LARGE)
def deep_mappings() -> Files:
    return {"a.yaml": config_map("".join(f"{' ' * n}a:\n" for n in range(3000)))}


@bomb(TOO_LARGE, BROKEN)
def deep_json() -> Files:
    head = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "a": '
    return {"a.yaml": head + '{"a":' * 200_000 + "1" + "}" * 200_001}


@bomb(TOO_LARGE, BROKEN)
def deep_json_never_closed() -> Files:
    return {"a.yaml": '{"a":' * 1_500_000}


@bomb(TOO_LARGE)
def objects_without_end() -> Files:
    return {"a.yaml": "---\n".join(config_map("data: {a: b}\n", f"n{n}") for n in range(130_000))}


@bomb(TOO_LARGE)
def objects_without_end_in_a_list() -> Files:
    items = "".join(f"- metadata: {{name: n{n}}}\n" for n in range(130_000))
    return {"a.yaml": f"apiVersion: v1\nkind: ConfigMapList\nitems:\n{items}"}


@bomb(TOO_LARGE)
def files_without_end() -> Files:
    return {f"{n}.yaml": config_map("", f"n{n}") for n in range(6000)}


@bomb(TOO_LARGE)
def empty_documents_without_end() -> Files:
    return {"a.yaml": config_map("") + "---\n" * 2_000_000}


@bomb(TOO_LARGE, EXHAUSTED)
def nodes_without_end() -> Files:
    return {"a.yaml": config_map(f"a: [{'[],' * 3_000_000}]\n")}


@bomb(0, BROKEN, NOT_VALID)
def integer_without_end() -> Files:
    return {"a.yaml": config_map(f"a: {'1' * 5_000_000}\nb: 0x{'f' * 1_000_000}\nc: 1e{'9' * 100_000}\n")}


@bomb(BROKEN, NOT_VALID, TOO_LARGE)
def key_without_end() -> Files:
    return {"a.yaml": config_map(f"? {'k' * 5_000_000}\n: a\n")}


@bomb(0, BROKEN, TOO_LARGE)
def comments_without_end() -> Files:
    return {"a.yaml": config_map("# a\n" * 1_500_000 + "a: b\n" + "# b\n" * 500_000)}


@bomb(0, TOO_LARGE, BROKEN)
def anchors_without_end() -> Files:
    return {"a.yaml": config_map("a:\n" + "".join(f"- &a{n} b\n- *a{n}\n" for n in range(200_000)))}


@bomb(BROKEN)
def key_set_twice_without_end() -> Files:
    return {"a.yaml": config_map("data:\n" + "  a: b\n" * 300_000)}


# Jinja2


@bomb(TOO_LARGE, EXHAUSTED)
def token_that_is_printed_without_end() -> Files:
    text = '{% set t %}{{ "a" * 100000 }}{% endset %}'
    return jinja(text + config_map('data: {v: "{% for i in range(90000) %}{{ t }}{% endfor %}"}\n'))


@bomb(EXHAUSTED, NOT_RENDERED)
def loops_in_loops() -> Files:
    loops = (
        "{% for a in range(90000) %}{% for b in range(90000) %}{% if a == b + 1 %}{% endif %}{% endfor %}{% endfor %}"
    )
    return jinja(config_map(f'data: {{v: "{loops}"}}\n'))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def loop_that_prints_without_end() -> Files:
    loops = "{% for a in range(90000) %}{% for b in range(90000) %}aaaaaaaaaa{% endfor %}{% endfor %}"
    return jinja(config_map(f'data: {{v: "{loops}"}}\n'))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def range_without_end() -> Files:
    return jinja(config_map('data: {v: "{% for a in range(10 ** 12) %}{% endfor %}"}\n'))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def text_times_a_number() -> Files:
    return jinja(config_map("data: {v: \"{{ 'a' * (10 ** 10) }}\"}\n"))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def text_that_doubles() -> Files:
    doubling = "{% set n = namespace(t='a') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}"
    return jinja(config_map(f'data: {{v: "{doubling}{{{{ n.t }}}}"}}\n'))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def list_that_doubles() -> Files:
    doubling = "{% set n = namespace(t=[1]) %}{% for i in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}"
    return jinja(config_map(f'data: {{v: "{doubling}"}}\n'))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def padding_without_end() -> Files:
    return jinja(config_map("data: {v: \"{{ '%10000000000d' | format(1) }}\", w: \"{{ 'a' | center(10 ** 10) }}\"}\n"))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def power_of_a_power() -> Files:
    return jinja(config_map('data: {v: "{{ 9 ** (9 ** (9 ** 9)) }}"}\n'))


@bomb(NOT_RENDERED, EXHAUSTED)
def macro_that_calls_itself() -> Files:
    return jinja("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}" + config_map('data: {v: "{{ m() }}"}\n'))


@bomb(NOT_RENDERED, EXHAUSTED)
def template_that_includes_itself() -> Files:
    return jinja("{% include 'a.yaml.j2' %}{% include 'a.yaml.j2' %}\n" + config_map(""))


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE)
def deep_expression() -> Files:
    return jinja(config_map(f'data: {{v: "{{{{ {"(" * 50_000}1{")" * 50_000} }}}}"}}\n'))


@bomb(TOO_LARGE)
def many_long_strings_that_differ() -> Files:
    return jinja("{% for i in range(99999) %}k{{ i }}: {{ 'a' * 3000 ~ i }}\n{% endfor %}")


# Helm


@bomb(EXHAUSTED)
def range_over_numbers_without_end() -> Files:
    return printing("{{ range untilStep 0 2000000000 1 }}{{ end }}")


@bomb(EXHAUSTED, NOT_RENDERED)
def range_in_range_in_range() -> Files:
    return printing("{{ range until 10000 }}{{ range until 10000 }}{{ range until 10000 }}{{ end }}{{ end }}{{ end }}")


@bomb(EXHAUSTED, TOO_LARGE)
def range_that_prints_without_end() -> Files:
    return printing("{{ range until 100000 }}{{ range until 100000 }}aaaaaaaaaa{{ end }}{{ end }}")


@bomb(EXHAUSTED, TOO_LARGE)
def objects_of_a_range() -> Files:
    return chart("{{ range until 200000 }}\n---\n" + config_map("", "n{{ . }}") + "{{ end }}\n")


@bomb(NOT_RENDERED)
def include_that_includes_itself() -> Files:
    return chart('{{ define "a" }}{{ include "a" . }}{{ end }}\n' + config_map("data: {v: '{{ include \"a\" . }}'}\n"))


@bomb(EXHAUSTED, NOT_RENDERED)
def include_that_includes_itself_twice() -> Files:
    twice = '{{ define "a" }}{{ include "a" (add1 .) }}{{ include "a" (add1 .) }}{{ end }}\n'
    return chart(twice + config_map("data: {v: '{{ include \"a\" 1 }}'}\n"))


@bomb(NOT_RENDERED, EXHAUSTED)
def template_that_calls_itself() -> Files:
    return chart(
        '{{ define "a" }}{{ template "a" . }}{{ end }}\n' + config_map("data: {v: '{{ template \"a\" . }}'}\n")
    )


@bomb(NOT_RENDERED, EXHAUSTED)
def tpl_that_calls_itself() -> Files:
    return chart(config_map("data: {v: '{{ tpl .Values.t . }}'}\n"), values_yaml="t: '{{ tpl .Values.t . }}'\n")


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def repeat_without_end() -> Files:
    return printing('{{ repeat 2000000000 "aaaa" }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def indent_without_end() -> Files:
    return printing('{{ indent 2000000000 "a" }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def indent_of_many_lines() -> Files:
    return printing('{{ repeat 100000 "\\n" | indent 100000 }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def printf_without_end() -> Files:
    return printing('{{ printf "%999999d" 1 | repeat 1000 }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def chart_text_that_doubles() -> Files:
    return printing('{{ $s := "a" }}{{ range until 60 }}{{ $s = print $s $s }}{{ end }}{{ len $s }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def chart_list_that_doubles() -> Files:
    return printing("{{ $s := list 1 }}{{ range until 60 }}{{ $s = concat $s $s }}{{ end }}{{ len $s }}")


@bomb(0, EXHAUSTED, NOT_RENDERED)
def mapping_that_holds_itself_as_yaml() -> Files:
    return printing('{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ toYaml $d }}')


@bomb(EXHAUSTED, NOT_RENDERED)
def mapping_that_holds_itself_as_text() -> Files:
    return printing('{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ print $d }}')


@bomb(EXHAUSTED, NOT_RENDERED)
def mapping_that_holds_itself_copied() -> Files:
    return printing('{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ $e := deepCopy $d }}')


@bomb(EXHAUSTED, NOT_RENDERED)
def values_that_hold_themselves() -> Files:
    return printing('{{ $_ := set .Values "a" .Values }}{{ $_ = merge .Values .Values }}{{ .Values }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def text_read_by_a_template_without_end() -> Files:
    read = "{{ range until 100000 }}{{ fromYaml $.Values.t | toJson | len }}{{ end }}"
    return chart(config_map(f"data: {{v: '{read}'}}\n"), values_yaml=f't: "a: [{"[]," * 100_000}]"\n')


@bomb(0, EXHAUSTED, NOT_RENDERED)
def regular_expression_that_repeats() -> Files:
    return printing('{{ regexMatch "((((a{100}){10}){10}){10}){10}" (repeat 100000 "a") }}')


@bomb(EXHAUSTED, TOO_LARGE, NOT_RENDERED)
def regular_expression_that_replaces() -> Files:
    return printing('{{ regexReplaceAll "a*" (repeat 1000000 "ab") (repeat 100000 "c") }}')


@bomb(EXHAUSTED, NOT_RENDERED)
def regular_expression_over_long_text() -> Files:
    match = '{{ regexFindAll "(x+x+)+y|(a|b|ab)*c" $s -1 }}'
    return printing('{{ $s := repeat 200000 "ab" }}{{ range until 100000 }}' + match + "{{ end }}")


@bomb(EXHAUSTED, NOT_RENDERED)
def password_that_is_derived_without_end() -> Files:
    return printing('{{ range until 100000 }}{{ derivePassword 1 "long" "a" "b" "c" }}{{ end }}')


@bomb(TOO_LARGE)
def aliases_in_values_of_a_chart() -> Files:
    return chart(config_map("data: {v: a}\n"), values_yaml=laughs(9))


@bomb(EXHAUSTED, NOT_RENDERED, TOO_LARGE)
def schema_of_schemas() -> Files:
    each = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    schema = {"$defs": {**each, "d60": {"type": "object"}}, "$ref": "#/$defs/d0"}
    return chart(config_map("data: {v: a}\n")) | {"values.schema.json": json.dumps(schema)}


@bomb(NOT_RENDERED, EXHAUSTED, TOO_LARGE, BROKEN)
def schema_nested_without_end() -> Files:
    return chart(config_map("data: {v: a}\n")) | {"values.schema.json": '{"not":' * 500_000 + "{}" + "}" * 500_000}


@bomb(NOT_RENDERED, EXHAUSTED)
def schema_that_is_itself() -> Files:
    return chart(config_map("data: {v: a}\n")) | {"values.schema.json": '{"$ref": "#"}'}


def archive(files: dict[str, bytes]) -> bytes:
    """Return a chart's archive."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def with_archive(files: dict[str, bytes]) -> Files:
    """Return a chart with an archive of a chart in charts/."""
    sub = {"sub/Chart.yaml": b"apiVersion: v2\nname: sub\nversion: 1.0.0\n"}
    return chart(config_map("data: {v: a}\n")) | {"charts/sub-1.0.0.tgz": archive(sub | files)}


@bomb(TOO_LARGE, NOT_RENDERED)
def archive_of_zeros() -> Files:
    return with_archive({"sub/files/zeros": b"\0" * 400_000_000})


@bomb(TOO_LARGE, NOT_RENDERED)
def archive_of_many_files() -> Files:
    return with_archive({f"sub/templates/{n}.yaml": b"" for n in range(130_000)})


@bomb(TOO_LARGE, NOT_RENDERED)
def archive_of_archives() -> Files:
    packed = b"\0" * 100_000_000
    for level in range(9):
        packed = archive(
            {"sub/Chart.yaml": b"apiVersion: v2\nname: sub\nversion: 1.0.0\n", f"sub/charts/{level}.tgz": packed}
        )
    return chart(config_map("data: {v: a}\n")) | {"charts/sub-1.0.0.tgz": packed}


# Kustomize


def objects(count: int) -> str:
    """Return so many small objects."""
    return "---\n".join(config_map("data: {a: b}\n", f"n{n}") for n in range(count))


@bomb(TOO_LARGE)
def aliases_in_a_resource() -> Files:
    return kustomization("resources: [a.yaml]\n", a_yaml=config_map(laughs(9)))


@bomb(TOO_LARGE)
def aliases_in_a_kustomization() -> Files:
    return kustomization("resources: [a.yaml]\n" + laughs(9), a_yaml=config_map(""))


@bomb(TOO_LARGE)
def aliases_in_a_patch() -> Files:
    return kustomization(
        "resources: [a.yaml]\npatches: [{path: p.yaml}]\n", a_yaml=config_map(""), p_yaml=config_map(laughs(9))
    )


@bomb(TOO_LARGE)
def long_text_by_alias_in_a_resource() -> Files:
    text = config_map(f"l: &l {'a' * 100_000}\nm: [{', '.join(['*l'] * 4000)}]\n")
    return kustomization("resources: [a.yaml]\n", a_yaml=text)


@bomb(TOO_LARGE, EXHAUSTED)
def objects_of_a_resource() -> Files:
    return kustomization("resources: [a.yaml]\n", a_yaml=objects(130_000))


@bomb(TOO_LARGE, NOT_RENDERED, EXHAUSTED)
def resources_without_end() -> Files:
    entries = "".join(f"- {n}.yaml\n" for n in range(1_000_000))
    return kustomization(f"resources:\n{entries}")


@bomb(TOO_LARGE, EXHAUSTED, NOT_RENDERED)
def bases_of_bases() -> Files:
    files: Files = {"b0/kustomization.yaml": "resources: [a.yaml]\n", "b0/a.yaml": config_map("data: {a: b}\n")}
    for n in range(1, 20):
        files[f"b{n}/kustomization.yaml"] = "resources: [l, r]\n"
        files |= {
            f"b{n}/{side}/kustomization.yaml": f"namePrefix: {side}\nresources: [../../b{n - 1}]\n" for side in "lr"
        }
    return files | {"kustomization.yaml": "resources: [b19]\n"}


@bomb(NOT_RENDERED)
def kustomization_that_holds_itself() -> Files:
    return {"kustomization.yaml": "resources: [a]\n", "a/kustomization.yaml": "resources: [../a]\n"}


@bomb(TOO_LARGE, EXHAUSTED)
def patch_that_copies_copies() -> Files:
    operations = [{"op": "copy", "from": "/data", "path": f"/data/a{n}"} for n in range(40)]
    patches = [{"target": {"kind": "ConfigMap"}, "patch": json.dumps(operations)}]
    return kustomization(f"resources: [a.yaml]\npatches: {json.dumps(patches)}\n", a_yaml=config_map("data: {a: b}\n"))


@bomb(TOO_LARGE, EXHAUSTED)
def files_of_generators() -> Files:
    generators = "".join(f"- {{name: g{n}, files: [big.txt]}}\n" for n in range(1000))
    return kustomization(f"configMapGenerator:\n{generators}") | {"big.txt": "a" * 1_000_000}


@bomb(TOO_LARGE, EXHAUSTED)
def replacement_at_many_places() -> Files:
    replacement = {
        "source": {"kind": "ConfigMap", "name": "big", "fieldPath": "data.a"},
        "targets": [{"select": {"kind": "ConfigMap"}, "reject": [{"name": "big"}], "fieldPaths": ["data.a"]}],
    }
    big = config_map(f"data: {{a: {'a' * 1_000_000}}}\n", "big")
    return kustomization(f"resources: [a.yaml, big.yaml]\nreplacements: {json.dumps([replacement])}\n") | {
        "a.yaml": objects(4000),
        "big.yaml": big,
    }


# What is hardly taken: it may land, and costs no more


@bomb(0)
def nodes_just_below_the_limit() -> Files:
    return {"a.yaml": config_map(f"a: [{'{},' * 990_000}]\n")}


@bomb(0)
def bytes_just_below_the_limit() -> Files:
    return {f"{n}.yaml": config_map(f"data: {{a: {'a' * 9_000_000}}}\n", f"n{n}") for n in range(3)}


@bomb(0)
def objects_just_below_the_limit() -> Files:
    return {
        f"{part}.yaml": "---\n".join(config_map(f"data: {{a: {'a' * 6000}}}\n", f"n{part}-{n}") for n in range(980))
        for part in range(5)
    }
