from __future__ import annotations

import pytest

from headgate.errors import ConfigError, GrantError, YamlError
from headgate.model import Granted
from headgate.objects.lookup import without_nulls
from headgate.render.values import (
    Layer,
    check_grant,
    flat,
    merge,
    merge_all,
    read_layer,
    shadowed,
)
from support.trees import data_of, tree_of

APP = "config/values.yaml"
PLATFORM = "apps/shop/values.yaml"


def layer(text: str | bytes, file: str = APP, *, from_app: bool = True) -> Layer:
    found = read_layer(tree_of({file: text}), file, owner="shop" if from_app else "")
    assert found is not None
    return found


def platform(text: str, file: str = PLATFORM) -> Layer:
    return layer(text, file, from_app=False)


def grants(*paths: str, text: bool = False) -> list[Granted]:
    return [Granted(path=path, text=text) for path in paths]


def refusal(granted: list[Granted], app: str | bytes, defaults: str = "{}", below: str = "") -> str:
    layers = [*([platform(below, "environments/dev/values.yaml")] if below else []), layer(app)]
    with pytest.raises(GrantError) as caught:
        check_grant(layers, granted, data_of(defaults))
    return str(caught.value)


def accept(granted: list[Granted], app: str | bytes, defaults: str = "{}") -> None:
    check_grant([layer(app)], granted, data_of(defaults))


# Layers


def test_maps_are_merged() -> None:
    lower, upper = data_of("{a: {b: lower, c: lower}, d: lower}"), data_of("{a: {b: upper, e: upper}, f: upper}")
    assert merge(lower, upper) == data_of("{a: {b: upper, c: lower, e: upper}, d: lower, f: upper}")


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("[a, b, c]", "[d]"),
        ("[{name: a, value: b}]", "[{name: a}]"),
        ("[a]", "[]"),
        ("{b: c}", "[d]"),
        ("[d]", "{b: c}"),
        ("{b: c}", "text"),
        ("text", "{b: c}"),
        ("{b: c}", "null"),
        ("null", "{b: c}"),
        ("8080", "'8080'"),
    ],
)
def test_everything_else_is_replaced(lower: str, upper: str) -> None:
    assert merge(data_of(f"a: {lower}"), data_of(f"a: {upper}")) == data_of(f"a: {upper}")


def test_documents_of_one_file_are_merged_as_helm_does() -> None:
    assert layer("a: {b: x}\n---\na: {c: x}\n").values == {"a": {"b": "x", "c": "x"}}


def test_empty_map_leaves_the_map_below_as_it_is() -> None:
    assert merge(data_of("a: {b: c}"), data_of("a: {}")) == data_of("a: {b: c}")


def test_key_is_the_same_key_with_and_without_quotes() -> None:
    merged = merge(platform("ports: {8080: lower}").values, platform("ports: {'8080': upper}").values)
    assert merged == {"ports": {"8080": "upper"}}


def test_merging_changes_no_layer() -> None:
    lower, upper = data_of("{a: {b: {c: d}}}"), data_of("{a: {b: {e: f}}}")
    merge(lower, upper)
    assert lower == data_of("{a: {b: {c: d}}}")
    assert upper == data_of("{a: {b: {e: f}}}")


def test_highest_layer_wins() -> None:
    assert merge_all(
        [data_of("{a: low, b: low, c: low}"), data_of("{b: middle, c: middle}"), data_of("{c: high}")]
    ) == {
        "a": "low",
        "b": "middle",
        "c": "high",
    }
    assert merge_all([]) == {}


def test_null_deletes_what_is_below() -> None:
    merged = merge(data_of("{a: {b: x, c: x}, d: x}"), data_of("{a: {b: null}, d: ~}"))
    assert without_nulls(merged) == data_of("{a: {c: x}}")


def test_value_above_a_null_is_set_again() -> None:
    assert merge_all([data_of("a: {b: x}"), data_of("a: null"), data_of("a: {c: x}")]) == data_of("a: {c: x}")


def test_null_as_an_item_of_a_list_stays() -> None:
    assert without_nulls(data_of("a: [null, {b: null, c: x}]")) == {"a": [None, {"c": "x"}]}


@pytest.mark.parametrize("file", ["empty/values.yaml", "gone/values.yaml"])
def test_file_without_values_is_no_layer(file: str) -> None:
    assert read_layer(tree_of({"empty/values.yaml": "# nothing\n"}), file) is None


@pytest.mark.parametrize(("text", "line"), [("- a\n", 1), ("text\n", 1)])
def test_layer_must_be_one_mapping(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        layer(text)
    assert str(caught.value) == f"config/values.yaml:{line}: expected one mapping of values"


def test_layer_that_is_not_yaml_names_its_file() -> None:
    with pytest.raises(YamlError, match=r"^config/values.yaml:2: not YAML"):
        layer("a: b\nc: d: e\n")


# The grant


@pytest.mark.parametrize(
    ("granted", "text"),
    [
        (["replicas"], "replicas: 3"),
        (["env"], "env: {A: x, B: {C: x}}"),
        (["env.*"], "env: {A: x, B: {C: x}}"),
        (["ingress.host"], "ingress: {host: shop.example.com}"),
        (["hosts[*].name"], "hosts: [{name: a}, {name: b}]"),
        (["hosts"], "hosts: [{name: a, tls: x}]"),
        (["hosts[0]"], "hosts: [{name: a, tls: x}]"),
        (['annotations."a.b/c"'], "annotations: {a.b/c: x}"),
        (["a", "b"], "{a: x, b: x}"),
        (["a"], "a: null"),
        (["a"], "a: {}"),
        (["a"], "a: []"),
        (["ports.8080"], "ports: {8080: x}"),
    ],
)
def test_granted_value_is_taken(granted: list[str], text: str) -> None:
    accept(grants(*granted), text)


REPLICAS_HINT = "to allow it, add 'replicas' to 'grant' in its app.yaml or in template.yaml of the template"


def test_value_without_any_grant_is_refused() -> None:
    assert refusal([], "# our values\nreplicas: 3\n") == (
        "config/values.yaml:2: replicas: sets a value that is not granted to the app\n"
        f"  nothing is granted yet; {REPLICAS_HINT}"
    )


def test_value_outside_the_grant_is_refused() -> None:
    assert refusal(grants("env.*"), "env:\n  A: x\nreplicas: 3\n") == (
        f"config/values.yaml:3: replicas: sets a value that is not granted to the app\n  {REPLICAS_HINT}"
    )


def test_null_outside_the_grant_is_refused() -> None:
    assert refusal(grants("env.*"), "replicas: ~\n") == (
        f"config/values.yaml:1: replicas: deletes a value that is not granted to the app\n  {REPLICAS_HINT}"
    )


@pytest.mark.parametrize(
    ("granted", "text", "place"),
    [
        ("ingress.host", "ingress:\n  tls: x\n", "2: ingress.tls"),
        ("ingress.host", "ingress: null\n", "1: ingress"),
        ("ingress.host", "ingress: {}\n", "1: ingress"),
        ("ingress.host", "ingress: text\n", "1: ingress"),
        ("env.*", "env: null\n", "1: env"),
        ("env.*", "env: [a]\n", "1: env[0]"),
        ("env.A", "env:\n  AB: x\n", "2: env.AB"),
        ("hosts[*].name", "hosts:\n  - name: a\n    tls: x\n", "3: hosts[0].tls"),
        ("hosts[*].name", "hosts: []\n", "1: hosts"),
        ("hosts[0]", "hosts:\n  - a\n  - b\n", "3: hosts[1]"),
        ("a.b", "a.b: x\n", '1: "a.b"'),
        ("a", "a: x\n<<: {c: x}\n", "1: c"),
        ("a", "x: &x {c: x}\na: *x\n", "1: x.c"),
    ],
)
def test_refusal_names_file_line_and_path(granted: str, text: str, place: str) -> None:
    assert refusal(grants(granted), text).startswith(f"config/values.yaml:{place}: ")


def test_path_in_the_refusal_is_the_one_to_add() -> None:
    text = "annotations:\n  a.b/c: x\n"
    message = refusal(grants("env"), text)
    path = message.split("add '")[1].split("' to")[0]
    accept(grants(path), text)


def test_path_to_add_grants_one_key_and_not_all() -> None:
    message = refusal(grants("replicas"), "env:\n  '*': x\n")
    path = message.split("add '")[1].split("' to")[0]
    with pytest.raises(GrantError):
        accept(grants(path), "env: {OTHER: x}")


def test_platform_layers_need_no_grant() -> None:
    check_grant([platform("replicas: 3"), layer("env: {A: x}"), platform("tls: null")], grants("env.*"), {})


def test_every_layer_of_the_app_is_checked() -> None:
    second = layer("replicas: 3", "config/values.dev.yaml")
    with pytest.raises(GrantError, match=r"^config/values.dev.yaml:1: replicas: "):
        check_grant([layer("env: {A: x}"), second], grants("env.*"), {})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (r'"a\nb"', "a line break"),
        (r'"a\rb"', "a line break"),
        ('"\\n"', "a line break"),
        ("|\n    a\n", "a line break"),
        (r'"a\tb"', "a control character"),
        (r'"a\0b"', "a control character"),
        (r'"\e[31m"', "a control character"),
        (r'"\x7f"', "a control character"),
        (r'"a\x85b"', "a control character"),
        (r'"a\u2028b"', "a control character"),
        (r'"a\u202eb"', "a control character"),
        ("'{{ .Values.secret }}'", "'{{'"),
        ("a{{b", "'{{'"),
    ],
)
def test_granted_string_may_not_break_out_of_its_place(value: str, found: str) -> None:
    assert refusal(grants("env.*"), f"env:\n  A: {value}\n".encode()) == (
        f"config/values.yaml:2: env.A: contains {found}, which a granted string must not\n"
        "  if this is intended: grant: [{path: 'env.A', text: true}]"
    )


@pytest.mark.parametrize("key", [r'"a\nb"', r'"a\x1bb"', '"{{ a }}"'])
def test_granted_key_may_not_break_out_of_its_place(key: str) -> None:
    assert "which a granted string must not" in refusal(grants("env.*"), f"env:\n  {key}: x\n".encode())


@pytest.mark.parametrize("value", [r'"a\nb"', r'"a\tb"', "'{{ a }}'"])
def test_text_may_hold_everything(value: str) -> None:
    accept(grants("env.*", text=True), f"env: {{A: {value}}}".encode())


def test_text_is_allowed_when_one_of_several_grants_allows_it() -> None:
    accept([*grants("env"), *grants("env.SCRIPT", text=True)], rb'env: {SCRIPT: "a\nb", A: b}')
    assert "env.A: contains a line break" in refusal(
        [*grants("env"), *grants("env.SCRIPT", text=True)], rb'env: {SCRIPT: "a\nb", A: "a\nb"}'
    )


@pytest.mark.parametrize(
    "value", ["a { b", "{ a: 'b }}' }", "$(HOST)", "${HOME}", "\u00e4\u65e5\u672c", "\U0001f600", "a b"]
)
def test_harmless_string_is_taken(value: str) -> None:
    accept(grants("env.*"), f"env:\n  A: {value}\n")


def test_list_that_drops_values_that_were_not_granted_is_refused() -> None:
    assert refusal(grants("hosts[*].name"), "hosts:\n  - name: b\n", "hosts: [{name: a, tls: required}]") == (
        "config/values.yaml:1: hosts: replaces a list and with it 'hosts[0].tls', which is not granted to the app\n"
        "  to allow it, grant 'hosts' as a whole"
    )


def test_list_of_a_lower_layer_counts_like_one_of_the_template() -> None:
    message = refusal(grants("hosts[*].name"), "hosts: [{name: b}]\n", below="hosts: [{name: a, tls: required}]")
    assert "replaces a list and with it 'hosts[0].tls'" in message


def test_list_that_drops_granted_values_only_is_taken() -> None:
    accept(grants("hosts[*].name"), "hosts: [{name: b}]", "hosts: [{name: a}, {name: c}]")
    accept(grants("hosts"), "hosts: [{name: b}]", "hosts: [{name: a, tls: required}]")


def test_empty_list_may_be_filled() -> None:
    accept(grants("hosts[*].name"), "hosts: [{name: b}]", "hosts: []")


@pytest.mark.parametrize(
    ("granted", "app", "defaults"),
    [
        ("security.level", "security: {level: low}", "security: [{policy: strict}]"),
        ("security[*].level", "security: [{level: low}]", "security: {policy: strict}"),
        ("security.level", "security: {level: low}", "security: strict"),
        ("security[*].level", "security: [{level: low}]", "security: strict"),
        ("a.security.level", "a: {security: {level: low}}", "a: {security: [{policy: strict}]}"),
    ],
)
def test_container_that_replaces_what_was_not_granted_is_refused(granted: str, app: str, defaults: str) -> None:
    assert "which is not granted to the app" in refusal(grants(granted), app, defaults)


@pytest.mark.parametrize("default", ["null", "{}"])
def test_container_may_take_the_place_of_nothing(default: str) -> None:
    accept(grants("security.level"), "security: {level: low}", f"security: {default}")


# Shadowed values


def test_shadowed_value_is_reported() -> None:
    layers = [layer("env:\n  A: mine\n"), platform("# ours\nenv:\n  A: yours\n")]
    assert [str(note) for note in shadowed(layers)] == [
        "config/values.yaml:2: env.A has no effect: apps/shop/values.yaml:3 sets it to 'yours'"
    ]


def test_value_that_a_map_or_a_null_replaces_is_reported() -> None:
    layers = [layer("a: x\nb:\n  c: x\n"), platform("a: {d: x}\nb: null\n")]
    assert [str(note) for note in shadowed(layers)] == [
        'config/values.yaml:1: a has no effect: apps/shop/values.yaml:1 sets it to {"d": "x"}',
        "config/values.yaml:3: b.c has no effect: apps/shop/values.yaml:2 sets it to null",
    ]


def test_value_in_a_list_that_is_replaced_is_reported() -> None:
    (note,) = shadowed([layer("hosts: [a]\n"), platform("hosts: [b]\n")])
    assert str(note) == 'config/values.yaml:1: hosts[0] has no effect: apps/shop/values.yaml:1 sets it to ["b"]'


@pytest.mark.parametrize(
    ("app", "above"),
    [
        ("a: x", "b: x"),
        ("a: x", "a: x"),
        ("a: {b: x}", "a: {c: x}"),
        ("hosts: [a]", "hosts: [a]"),
        ("ports: {8080: x}", "ports: {8081: x}"),
    ],
)
def test_value_with_an_effect_is_not_reported(app: str, above: str) -> None:
    assert shadowed([layer(app), platform(above)]) == []


def test_only_values_of_the_app_and_layers_above_it_count() -> None:
    own = layer("a: x", "config/values.dev.yaml")
    assert shadowed([platform("a: below"), layer("a: w"), own]) == []
    assert shadowed([platform("a: below"), platform("a: other", "b.yaml")]) == []


def test_long_values_are_shortened_in_reports() -> None:
    (note,) = shadowed([layer("a: x"), platform(f"a: {'w' * 100}")])
    assert note.what.endswith(f"sets it to '{'w' * 56}...")


# For ConfigMaps


def test_flat_values_are_strings_by_their_path() -> None:
    assert flat(data_of("{a: {b.c: x, d: [1, 'two']}, e: true, f: null, g: {}, h: []}")) == {
        'a."b.c"': "x",
        "a.d[0]": "1",
        "a.d[1]": "two",
        "e": "true",
        "f": "null",
    }
    assert flat(1) == {}
