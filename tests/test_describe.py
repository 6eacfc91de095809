"""The description of a change: what people need first, hostile values as code, folded, never too long."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from headgate.config import load
from headgate.hydration.object_changes import ObjectChange
from headgate.impact.effects import Effect, EffectKind
from headgate.impact.risk import Risk
from headgate.objects.diff import Field
from headgate.report.appchange import AppChange, ObjectEffect, app_changes
from headgate.report.changereport import ChangeReport, counts
from headgate.report.describe import MAX_LENGTH, describe
from headgate.report.grouping import group_alike
from headgate.report.html import to_html
from headgate.report.screen import change_lines
from headgate.report.verdict import Finding
from headgate.repository.tree import Tree
from support.reports import report_of_text
from support.trees import repository

URL = "https://gitlab.example.com"
APP = "project: acme/web\nimages: {web: registry.example.com/acme/web}\ntemplate: web\n"
PART = {"project": "acme/web", "project_id": 12, "ref": "refs/heads/main"}


def release(commit: str, tag: str) -> str:
    image = {**PART, "commit": commit * 40, "repository": "registry.example.com/acme/web", "tag": tag}
    return yaml.safe_dump({"version": 1, "images": {"web": {**image, "digest": "sha256:" + commit * 64}}})


def config_map(name: str, **data: str) -> str:
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


INGRESS = yaml.safe_dump(
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "NAME"},
        "spec": {"rules": [{"host": "NAME.example.com"}]},
    }
)


def tree(files: dict[str, str], *apps: str) -> Tree:
    return repository(dict.fromkeys(apps or ("web",), APP), **files)


def changes(old: dict[str, str], new: dict[str, str], *apps: str) -> list[AppChange]:
    before, after = tree(old, *apps), tree(new, *apps)
    return app_changes(before, after, load(after))


def text_of(changes: list[AppChange], **known: Any) -> str:
    return describe(ChangeReport(changes=changes, **known), URL)


def test_versions_come_with_the_link_that_compares_them() -> None:
    file = "apps/web/releases/production/release.yaml"
    text = text_of(changes({file: release("a", "1.0")}, {file: release("b", "1.1")}))
    assert "- image `web`: `1.0` \u2192 `1.1`" in text
    assert f"]({URL}/acme/web/-/compare/{'a' * 40}...{'b' * 40})" in text
    assert f"]({URL}/acme/web/-/commit/{'b' * 40})" in text


def test_the_first_version_is_new() -> None:
    text = text_of(changes({}, {"apps/web/releases/dev/release.yaml": release("a", "1.0")}))
    assert "- image `web`: `1.0` (new)" in text
    assert "/compare/" not in text


def test_fields_stand_in_a_diff() -> None:
    file = "deploy/production/web/configmap-web.yaml"
    text = text_of(changes({file: config_map("web", a="1", b="2")}, {file: config_map("web", a="1", b="3")}))
    assert '`ConfigMap web` is changed (cannot tell why)\n\n```diff\n  data.b\n- "2"\n+ "3"\n```' in text
    assert "**Objects: 1 changed**" in text


def test_a_removed_app_is_told_without_its_app_yaml() -> None:
    file = "deploy/production/gone/configmap-x.yaml"
    text = text_of(changes({file: config_map("x")}, {}))
    assert "`ConfigMap x` is removed" in text
    assert ":warning:" in text


def test_what_a_secret_holds_is_never_shown() -> None:
    def secret(value: str, kind: str = "Secret") -> str:
        return yaml.safe_dump({"apiVersion": "v1", "kind": kind, "metadata": {"name": "s"}, "stringData": {"k": value}})

    file = "deploy/dev/web/secret-s.yaml"
    text = text_of(changes({file: secret("hunter2")}, {file: secret("hunter3")}))
    assert "hunter" not in text
    assert "`Secret s` is changed (cannot tell why); its values are not shown" in text


def test_what_sops_encrypted_is_never_shown() -> None:
    def encrypted(value: str) -> str:
        data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"k": f"ENC[{value}]"}}
        return yaml.safe_dump({**data, "sops": {"mac": f"ENC[{value}mac]"}})

    file = "deploy/dev/web/configmap-s.yaml"
    text = text_of(changes({file: encrypted("AES_ONE")}, {file: encrypted("AES_TWO")}))
    assert "AES" not in text
    assert "its values are not shown" in text


def test_apps_that_change_alike_are_told_once() -> None:
    apps = [f"app{number}" for number in range(30)]
    old = {f"deploy/dev/{app}/configmap-{app}.yaml": config_map(app, level="info") for app in apps}
    new = {f"deploy/dev/{app}/configmap-{app}.yaml": config_map(app, level="debug") for app in apps}
    new["deploy/dev/app7/configmap-app7.yaml"] = config_map("app7", level="trace")
    found = changes(old, new, *apps)
    assert [len(one.apps) for one in group_alike(found)] == [29, 1]
    text = text_of(found)
    assert "29 apps in <code>dev</code> change alike" in text
    assert text.count("```diff") == 2
    assert all(f"`{app}`" in text for app in apps if app != "app7")
    assert "in 30 apps" in text


def changed_alike(old: str, new: str) -> list[AppChange]:
    """Return what becomes of ten apps, each with its own name in the place of NAME."""
    apps = [f"shop-{number}" for number in range(10)]
    before, after = (
        {f"deploy/dev/{app}/x.yaml": text.replace("NAME", app) for app in apps if text} for text in (old, new)
    )
    return changes(before, after, *apps)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (config_map("NAME", url="https://NAME.example.com/a"), config_map("NAME", url="https://NAME.example.com/b")),
        (config_map("NAME", url="x"), config_map("NAME", url="registry.example.com/acme/NAME:1.0")),
        (config_map("acme-NAME-tls", key="a"), config_map("acme-NAME-tls", key="NAME")),
        ("", INGRESS),
    ],
)
def test_apps_that_differ_by_their_own_name_alone_change_alike(old: str, new: str) -> None:
    found = changed_alike(old, new)
    (group,) = group_alike(found)
    assert len(group.apps) == 10
    text = text_of(found)
    assert "10 apps in <code>dev</code> change alike" in text
    assert "shown is `shop-0`" in text


def test_what_happens_to_many_is_said_once_with_a_word_for_their_names() -> None:
    text = text_of(changed_alike("", INGRESS))
    assert text.count("becomes reachable") == 1
    assert "becomes reachable: APP.example.com/" in text


def test_apps_that_differ_by_more_than_their_name_are_apart() -> None:
    old, new = config_map("NAME", url="a"), config_map("NAME", url="NAME1")
    assert len(group_alike(changed_alike(old, new))) == 10
    numbers = [
        AppChange(app=app, environment="dev", objects=(ObjectEffect(change=changed("x", "replicas", "1", app)),))
        for app in ("10", "20")
    ]
    assert len(group_alike(numbers)) == 2


def test_what_is_found_in_many_apps_is_said_once() -> None:
    findings = [
        Finding(app=f"shop-{number}", environment="dev", text=f"Service shop-{number}/shop-{number}: selects nothing")
        for number in range(30)
    ]
    other = Finding(app="web", environment="dev", text="broken", is_error=True)
    report = ChangeReport(changes=[], findings=[other, *findings])
    text = describe(report, URL)
    assert "- :no_entry: error in `web` in `dev`: broken" in text
    assert text.count("selects nothing") == 1
    assert "warning in 30 app-environments (`shop-0 in dev, shop-1 in dev, " in text
    assert "Service APP/APP: selects nothing" in text
    assert sum("selects nothing" in line for line, _ in change_lines(report)) == 1
    assert to_html(report, URL).count("selects nothing") == 1


def changed(name: str, path: str, old: str, new: str, effect: EffectKind = "later") -> ObjectChange:
    return ObjectChange(
        action="changed",
        kind="ConfigMap",
        namespace="",
        name=name,
        file="f",
        fields=(Field(path, old, new),),
        effects=(Effect(effect, "does something"),),
    )


def test_where_not_all_fits_the_most_important_is_shown_with_its_fields_and_the_rest_is_named() -> None:
    objects = [ObjectEffect(change=changed(f"c{number:03}", "data.a", "x" * 300, "y" * 300)) for number in range(300)]
    objects[250] = ObjectEffect(change=changed("worst", "spec.a", "before", "after", "rejected"))
    change = AppChange(app="web", environment="dev", objects=tuple(objects))
    text = text_of([change])
    assert "- before\n+ after" in text
    assert all(f"`ConfigMap c{number:03}` is changed" in text for number in range(300) if number != 250)
    assert text.index("`ConfigMap worst` is changed") < text.index("`ConfigMap c000` is changed")
    assert "`ConfigMap c299` is changed (cannot tell why); its fields do not fit here" in text
    assert "its fields do not fit here" not in text[: text.index("`ConfigMap c010` is changed")]
    assert "Too long" not in text
    short = describe(ChangeReport(changes=[change]), URL, limit=8000)
    assert len(short) <= 8000
    assert "- before\n+ after" in short
    left = short[short.index("_Too long for a description:_ ") :]
    assert re.match(r"_Too long for a description:_ \d+ more objects \(`ConfigMap c\d+, ", left)


def test_where_apps_do_not_fit_the_most_important_are_shown_and_the_rest_is_named() -> None:
    found = [
        AppChange(
            app=f"app{number:03}",
            environment="dev",
            objects=(
                ObjectEffect(change=changed("x", "a", "1", f"{number}2", "rejected" if number == 99 else "later")),
            ),
        )
        for number in range(100)
    ]
    text = describe(ChangeReport(changes=found), URL, limit=8000)
    assert len(text) <= 8000
    assert text.index("<code>app099</code>") < text.index("<code>app000</code>")
    assert re.search(r"_Too long for a description:_ \d+ more apps \(`app\d+, ", text)


def test_nothing_is_nothing() -> None:
    assert text_of([]) == "No final YAML changes."
    assert counts([]) == "No object changes"


def big(apps: int, objects: int, fields: int, value: str) -> list[AppChange]:
    def change(app: int, number: int) -> ObjectChange:
        found = tuple(Field(f"data.k{one}", value, f"{value}{app}") for one in range(fields))
        name = f"c{number}-{app}"
        effects = (Effect("data", "is removed with its data"),)
        return ObjectChange(
            action="changed",
            kind="ConfigMap",
            namespace="ns",
            name=name,
            file="f",
            fields=found,
            old_name="",
            risks=(Risk("rbac", "adds"),),
            effects=effects,
        )

    return [
        AppChange(
            app=f"app{app}",
            environment="dev",
            objects=tuple(ObjectEffect(change=change(app, number)) for number in range(objects)),
        )
        for app in range(apps)
    ]


def test_it_is_never_too_long_and_says_what_is_left_out() -> None:
    for apps, objects, fields, value in (
        (1, 3, 500, "x" * 9000),
        (500, 3, 3, "y\n" * 50),
        (1, 3000, 2, "z"),
        (3000, 1, 1, "w"),
    ):
        text = text_of(big(apps, objects, fields, value))
        assert len(text) <= MAX_LENGTH
        assert "too long" in text or "more" in text
        assert MarkdownIt("commonmark").parse(text)[-1].type != "fence"


hostile = st.one_of(
    st.text(),
    st.sampled_from(
        ["/close", "@all", "```\n/merge\n```", "</details>", "<!-- headgate:end -->", "[skip ci]", "~~~\n/x"]
    ),
)


@settings(max_examples=50)
@given(hostile, hostile, hostile)
def test_hostile_values_do_nothing(name: str, old: str, new: str) -> None:
    text = describe(report_of_text(name, old, new), URL)
    outside = []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "inline":
            outside += [child.content for child in token.children or [] if child.type in ("text", "html_inline")]
        assert token.type != "html_block" or re.fullmatch(
            r"<details open><summary><code>web</code> in <code>dev</code>: [^<]+</summary>\n?|</details>\n?",
            token.content,
        )
    said = "\n".join(outside)
    assert not re.search(r"(?<!\w)@\w", said)
    assert not re.search(r"^\s*/\w", said, re.MULTILINE)
    assert "<!-- headgate" not in text
    assert "[skip ci]" not in text


def test_another_version_of_an_engine_is_told_once_for_all() -> None:
    changes = [AppChange(app=app, environment="dev", upgrade="helm 4.3.0 -> 4.3.1") for app in ("a", "b")]
    text = text_of(changes)
    assert text.count("helm 4.3.0") == 1
    assert "- rendered with `helm 4.3.0 -> 4.3.1` in 2 app-environments" in text
    assert "- rendered with `helm 4.3.0 -> 4.3.1`\n" in text_of(changes[:1])


def test_the_lines_of_an_error_stay_lines() -> None:
    text = "an API server would reject it:\n    Deployment web: spec.replica: unknown field\n  correct the field"
    report = ChangeReport(changes=[], findings=[Finding(app="web", environment="dev", text=text, is_error=True)])
    assert describe(report, URL).endswith(
        "- :no_entry: error in `web` in `dev`: an API server would reject it:\n"
        "  - Deployment web: spec.replica: unknown field\n"
        "  - correct the field\n\n**No object changes**"
    )
    assert [line for line, _ in change_lines(report)][1:4] == [
        "error: web in dev: an API server would reject it:",
        "    Deployment web: spec.replica: unknown field",
        "    correct the field",
    ]
    assert '<span class="lines">an API server would reject it:\n    Deployment' in to_html(report, URL)
