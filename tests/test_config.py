"""Files of configuration: what is wrong in them is named with its place, and what was expected there."""

from __future__ import annotations

import pytest

from headgate.config import load, parse
from headgate.errors import ConfigError, YamlError
from headgate.model import Lock, Release
from headgate.paths import LOCK, WRONG_FOLDER
from support.configs import APP, SHOP, app_error, app_failure, in_app, in_settings, settings_error, template_error
from support.trees import COMMIT, DIGEST, HEADGATE, configuration, repository, tree_of

# The documents themselves


def test_folder_without_headgate_yaml_is_no_manifest_repository() -> None:
    with pytest.raises(ConfigError) as caught:
        load(tree_of({"apps/shop/app.yaml": APP}))
    assert str(caught.value) == f"headgate.yaml: file not found\n  {WRONG_FOLDER}"


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "nothing"), ("# a comment\n", "nothing"), ("~\n", "nothing"), ("a: 1\n---\nb: 2\n", "2 YAML documents")],
)
def test_file_must_hold_one_document(text: str, found: str) -> None:
    assert settings_error(text) == f"headgate.yaml: expected one YAML document, found {found}"


def test_file_that_is_not_yaml_names_its_line() -> None:
    error = app_failure("project: acme/shop\ntemplate: web: x\n")
    assert type(error) is YamlError
    assert str(error).startswith("apps/shop/app.yaml:2: not YAML: ")


def test_key_that_stands_twice_is_refused() -> None:
    told = str(app_failure(f"{APP}template: web\n"))
    assert told.startswith("apps/shop/app.yaml:5: the key 'template' is set twice\n  delete one of the two")


# Unknown keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADGATE + "enviroments: {}\n",
            (
                "headgate.yaml:9: enviroments: unknown key 'enviroments', expected one of: "
                "version, environments, clusters, gitlab, registries, permissions, workloads, scopes, sandbox, "
                "dependencies, limits, validation, policies, commits, notifications, records\n"
                "  did you mean 'environments'?"
            ),
        ),
        (
            in_settings('takes: {tag: "v*"}', 'takes: [{tag: "v*", ordr: semver}]'),
            (
                "headgate.yaml:7: environments.production.takes[0].ordr: unknown key 'ordr', expected one of: "
                "branch, tag, promotion, auto, order, protected\n"
                "  did you mean 'order'?"
            ),
        ),
        (
            HEADGATE + "limits:\n  render_second: 3\n",
            (
                "headgate.yaml:10: limits.render_second: unknown key 'render_second', expected one of: "
                "removed_percent, render_seconds, render_mebibytes, input_mebibytes, nodes, objects, output_mebibytes\n"
                "  did you mean 'render_seconds'?"
            ),
        ),
        (
            in_settings("delivery: review", "delivery: review\n    review:\n      label: [a]"),
            (
                "headgate.yaml:10: environments.production.review.label: unknown key 'label', expected one of: "
                "labels, reviewers, assignee, draft, auto_merge, approvals, approver_role\n"
                "  did you mean 'labels'?"
            ),
        ),
    ],
)
def test_unknown_key_of_headgate_yaml_is_named_with_the_nearest_known_one(text: str, message: str) -> None:
    assert settings_error(text) == message


@pytest.mark.parametrize(
    ("text", "place", "guess"),
    [
        (APP + "enviroments: []\n", "apps/shop/app.yaml:5: enviroments: unknown key", "did you mean 'environments'?"),
        (APP + "allow:\n  kind: [Secret]\n", "apps/shop/app.yaml:6: allow.kind: unknown key", "did you mean 'kinds'?"),
        (
            APP + "environments:\n  dev:\n    namspace: x\n",
            "apps/shop/app.yaml:7: environments.dev.namspace: unknown key",
            "did you mean 'namespace'?",
        ),
        (
            in_app(f"shop: {SHOP}", f"shop:\n    repository: {SHOP}\n    optinal: true"),
            "apps/shop/app.yaml:5: images.shop.optinal: unknown key",
            "did you mean 'optional'?",
        ),
        (
            APP + "grant:\n- path: a\n  txt: true\n",
            "apps/shop/app.yaml:7: grant[0].txt: unknown key",
            "did you mean 'text'?",
        ),
    ],
)
def test_unknown_key_of_app_yaml_is_named_with_the_nearest_known_one(text: str, place: str, guess: str) -> None:
    message = app_error(text)
    assert message.startswith(place)
    assert message.endswith(guess)


def test_environment_that_is_listed_twice_is_refused() -> None:
    assert app_error(APP + "environments: [dev, production, dev]\n") == (
        'apps/shop/app.yaml:5: environments: expected \'dev\' only once, found ["dev", "production", "dev"]'
    )


def test_unknown_key_of_template_yaml_is_named_with_the_nearest_known_one() -> None:
    assert template_error("engin: helm\n") == (
        "templates/web/template.yaml:1: engin: unknown key 'engin', expected one of: "
        "engine, values_schema, grant, hooks\n"
        "  did you mean 'engine'?"
    )


def test_misspelled_key_is_told_rather_than_the_key_that_is_missing_for_it() -> None:
    assert settings_error(in_settings("delivery: review", "delivry: review")) == (
        "headgate.yaml:8: environments.production.delivry: unknown key 'delivry', expected one of: takes, delivery, "
        "kubernetes, api_versions, cluster, templates, refuse, on_failure, windows, review, output, gitlab\n"
        "  did you mean 'delivery'?"
    )
    assert "unknown key 'repositry'" in app_error(in_app(f"shop: {SHOP}", "shop: {repositry: x}"))
    assert "unknown key 'templat'" in app_error(in_app("template", "templat"))


def test_unknown_key_inside_of_a_single_take_has_its_own_line_and_path() -> None:
    text = in_settings("takes: {branch: main}", "takes:\n      branch: main\n      ordr: semver")
    assert settings_error(text).startswith("headgate.yaml:6: environments.dev.takes.ordr: unknown key 'ordr'")


# Missing and wrong values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADGATE.replace("version: 1\n", ""), "headgate.yaml:1: version: key 'version' is missing"),
        ("version: 1\n", "headgate.yaml:1: environments: key 'environments' is missing"),
        (
            in_settings("    delivery: review\n", ""),
            "headgate.yaml:6: environments.production.delivery: key 'delivery' is missing",
        ),
        (in_settings("version: 1", "version: 2"), "headgate.yaml:1: version: expected 1, found 2"),
        (
            in_settings("delivery: review", "delivery: reviw"),
            (
                "headgate.yaml:8: environments.production.delivery: expected 'commit' or 'review', found 'reviw'\n"
                "  did you mean 'review'?"
            ),
        ),
        (
            in_settings("delivery: review", "delivery: on"),
            "headgate.yaml:8: environments.production.delivery: expected 'commit' or 'review', found on",
        ),
        (
            in_settings("delivery: review", "delivery: review\n    kubernetes: 1.34"),
            (
                "headgate.yaml:9: environments.production.kubernetes: expected a string, found 1.34\n"
                '  put it in quotes: "1.34"'
            ),
        ),
        (
            HEADGATE + "limits: {removed_percent: 101}\n",
            "headgate.yaml:9: limits.removed_percent: expected less than or equal to 100, found 101",
        ),
        (
            HEADGATE + "scopes:\n  Widget.example.com: clustr\n",
            (
                "headgate.yaml:10: scopes.\"Widget.example.com\": expected 'cluster' or 'namespace', found 'clustr'\n"
                "  did you mean 'cluster'?"
            ),
        ),
        (
            HEADGATE + "registries:\n  harbor.example.com:\n    realms: [a.example.com, 'https://b.example.com']\n",
            (
                'headgate.yaml:11: registries."harbor.example.com".realms[1]: expected a host such as '
                "registry.example.com, or with a port, found 'https://b.example.com'"
            ),
        ),
        (
            HEADGATE + "permissions:\n  dev: {promte: maintainer}\n",
            (
                "headgate.yaml:10: permissions.dev.promte: expected 'promote', 'roll-back', 'pin', "
                "'freeze', 'deliver-held', 'discard-held', 'remove' or 'rehydrate', found 'promte'\n"
                "  did you mean 'promote'?"
            ),
        ),
        (
            HEADGATE + "permissions:\n  dev: {promote: maintaner}\n",
            (
                "headgate.yaml:10: permissions.dev.promote: expected 'developer', 'maintainer' or 'owner', "
                "found 'maintaner'\n"
                "  did you mean 'maintainer'?"
            ),
        ),
        (
            in_settings("delivery: review", "delivery: review\n    output:\n      path: ../{app}"),
            (
                "headgate.yaml:10: environments.production.output.path: expected a folder inside the repository, "
                "without '.' and '..', found '../{app}'"
            ),
        ),
    ],
)
def test_wrong_value_of_headgate_yaml_names_line_key_expected_and_found(text: str, message: str) -> None:
    assert settings_error(text) == message


@pytest.mark.parametrize(
    ("take", "problem"),
    [
        ("branch: main, tag: v1", "exactly one of branch, tag and promotion"),
        ("protected: true", "exactly one of branch, tag and promotion"),
        ("branch: main, auto: true", "auto only with promotion"),
    ],
)
def test_take_needs_one_source(take: str, problem: str) -> None:
    message = settings_error(in_settings("takes: {branch: main}", f"takes: [{{{take}}}]"))
    assert message.startswith(f"headgate.yaml:4: environments.dev.takes[0]: expected {problem}, found ")


@pytest.mark.parametrize("auto", ["5x", "-1m", "1.5h", "m", "1h30m", "soon"])
def test_time_that_is_none_is_refused_at_its_key(auto: str) -> None:
    message = settings_error(in_settings('{tag: "v*"}', f"[{{promotion: dev, auto: {auto}}}]"))
    assert message.startswith("headgate.yaml:7: environments.production.takes[0].auto: expected ")
    assert message.endswith(f"found '{auto}'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            in_app("template: web", "template: 5"),
            'apps/shop/app.yaml:4: template: expected a string, found 5\n  put it in quotes: "5"',
        ),
        (
            APP + "hooks: kep\n",
            "apps/shop/app.yaml:5: hooks: expected 'drop' or 'keep', found 'kep'\n  did you mean 'keep'?",
        ),
        (
            APP + "tags: none\n",
            "apps/shop/app.yaml:5: tags: expected 'commit' or 'any', found 'none'",
        ),
        (
            APP + "grant:\n- a\n- {path: b, text: 1}\n",
            "apps/shop/app.yaml:7: grant[1].text: expected true or false, found 1",
        ),
        (APP + "grant:\n- text: true\n", "apps/shop/app.yaml:6: grant[0].path: key 'path' is missing"),
        (
            APP + "config: ../other\n",
            (
                "apps/shop/app.yaml:5: config: expected a folder inside the repository, without '.' and '..', "
                "found '../other'"
            ),
        ),
        (
            "project: acme/shop\nnamespace: shop\n",
            (
                "apps/shop/app.yaml:1: expected a template, or config (a folder of the app's repository), or both, "
                'found {"project": "acme/shop", "namespace": "shop"}'
            ),
        ),
    ],
)
def test_wrong_value_of_app_yaml_names_line_key_expected_and_found(text: str, message: str) -> None:
    assert app_error(text) == message


def test_part_called_config_is_not_an_image() -> None:
    message = app_error(in_app("shop: registry", "config: registry"))
    assert "expected an image with another name than 'config', which is reserved for the config" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "engine: hlm\n",
            (
                "templates/web/template.yaml:1: engine: expected 'helm', 'kustomize', 'jinja2' or 'plain', "
                "found 'hlm'\n  did you mean 'helm'?"
            ),
        ),
        (
            "values_schema: /etc/passwd\n",
            (
                "templates/web/template.yaml:1: values_schema: expected a folder inside the repository, "
                "without '.' and '..', found '/etc/passwd'"
            ),
        ),
    ],
)
def test_wrong_value_of_template_yaml_names_line_key_expected_and_found(text: str, message: str) -> None:
    assert template_error(text) == message


KIND = "a kind such as Secret, or Rollout.argoproj.io outside of the core group"
REPOSITORY = "an image's repository without tag, such as registry.example.com/acme/shop"
PATH = 'a path of values such as a."b.c"[*].d (wrong at character 2)'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", '1: expected a mapping, found ["a"]'),
        ("text\n", "1: expected a mapping, found 'text'"),
        ("version: 1\nenvironments: [dev]\n", '2: environments: expected a mapping, found ["dev"]'),
        ("version: 1\nenvironments: {}\n", "2: environments: expected at least one entry, found {}"),
        ("version: 1\nenvironments:\n", "2: environments: expected a mapping, found nothing"),
        ("version: 1\nenvironments:\n  dev:\n", "3: environments.dev: expected a mapping, found nothing"),
        (
            in_settings("  dev:", "  Dev_1:"),
            "3: environments.Dev_1: expected a name of at most 63 characters a-z, 0-9 and '-', found 'Dev_1'",
        ),
        (
            in_settings("delivery: review", "delivery: true"),
            "8: environments.production.delivery: expected 'commit' or 'review', found true",
        ),
        (
            in_settings("delivery: review", "delivery: review\n    kubernetes: two"),
            ("9: environments.production.kubernetes: expected a version of Kubernetes such as \"1.34\", found 'two'"),
        ),
        (
            in_settings("delivery: review", "delivery: review\n    api_versions: x/v1"),
            "9: environments.production.api_versions: expected a list, found 'x/v1'",
        ),
        (
            HEADGATE + "limits: {removed_percent: '5'}\n",
            "9: limits.removed_percent: expected a whole number, found '5'",
        ),
        (HEADGATE + "scopes: {widget: cluster}\n", f"9: scopes.widget: expected {KIND}, found 'widget'"),
        (
            HEADGATE + "workloads:\n  Rollout.argoproj.io: a..b\n",
            f"10: workloads.\"Rollout.argoproj.io\": expected {PATH}, found 'a..b'",
        ),
        (
            HEADGATE + "5: x\n",
            (
                "9: 5: unknown key '5', expected one of: version, environments, clusters, gitlab, registries, "
                "permissions, workloads, scopes, sandbox, dependencies, limits, validation, policies, commits, "
                "notifications, records"
            ),
        ),
    ],
)
def test_message_about_headgate_yaml_is_for_people(text: str, message: str) -> None:
    assert settings_error(text) == f"headgate.yaml:{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (in_app(f"shop: {SHOP}", "shop: 5"), "3: images.shop: expected a mapping, found 5"),
        (in_app(f"shop: {SHOP}", "shop:"), "3: images.shop: expected a mapping, found nothing"),
        (in_app(f"shop: {SHOP}", "- shop"), '2: images: expected a mapping, found ["shop"]'),
        (in_app(SHOP, "Registry/Shop"), f"3: images.shop: expected {REPOSITORY}, found 'Registry/Shop'"),
        (in_app(SHOP, f"{SHOP}:v1"), f"3: images.shop: expected {REPOSITORY}, found '{SHOP}:v1'"),
        (
            in_app("project: acme/shop", "project: acme"),
            "1: project: expected a project's path such as acme/shop, found 'acme'",
        ),
        (APP + "grant: replicas\n", "5: grant: expected a list, found 'replicas'"),
        (APP + "grant:\n- a\n- a..b\n", f"7: grant[1]: expected {PATH}, found 'a..b'"),
        (APP + "allow: {kinds: [secret]}\n", f"5: allow.kinds[0]: expected {KIND}, found 'secret'"),
        (APP + "allow: {namespaces: x}\n", "5: allow.namespaces: expected a list, found 'x'"),
        (APP + "hooks: true\n", "5: hooks: expected 'drop' or 'keep', found true"),
    ],
)
def test_message_about_app_yaml_is_for_people(text: str, message: str) -> None:
    assert app_error(text) == f"apps/shop/app.yaml:{message}"


def test_long_value_is_shortened_in_messages() -> None:
    assert settings_error(in_settings("delivery: review", f"delivery: {'x' * 500}")).endswith(
        "found '" + "x" * 76 + "..."
    )


# The other files


def test_lock_that_is_wrong_is_told() -> None:
    tree = repository({}, **{LOCK: "output: 1\nengnes: {}\n"})
    with pytest.raises(ConfigError) as caught:
        load(tree)
    assert str(caught.value) == (
        "headgate.lock:2: engnes: unknown key 'engnes', expected one of: version, output, engines, rules\n"
        "  did you mean 'engines'?"
    )


def test_lock_is_read() -> None:
    found = load(repository({}, **{LOCK: "version: 1\noutput: 1\nengines: {helm: 4.0.0}\n"}))
    assert found.lock == Lock(output=1, engines={"helm": "4.0.0"})
    assert load(repository({})).lock is None


def test_environments_may_share_a_cluster() -> None:
    text = in_settings("delivery: review", "delivery: review\n    cluster: main")
    found = configuration({}, settings=text)
    assert (found.cluster("dev"), found.cluster("production")) == ("dev", "main")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (COMMIT, "1" * 39, "commit"),
        (COMMIT, "A" * 40, "commit"),
        (DIGEST, DIGEST + "a", "digest"),
        (DIGEST, "sha512:" + "a" * 64, "digest"),
        ("acme/shop", "shop", "project"),
        ("refs/heads/main", "", "ref"),
    ],
)
def test_release_that_was_edited_by_hand_is_refused(old: str, new: str, key: str) -> None:
    text = (
        "version: 1\nimages:\n  shop:\n    repository: r\n    tag: t\n"
        f"    project: acme/shop\n    commit: '{COMMIT}'\n    ref: refs/heads/main\n    digest: {DIGEST}\n"
    )
    assert parse(text.encode(), "release.yaml", Release)[0].images["shop"].digest == DIGEST
    with pytest.raises(ConfigError, match=rf"^release.yaml:\d: images.shop.{key}: expected "):
        parse(text.replace(old, new).encode(), "release.yaml", Release)


@pytest.mark.parametrize(
    "text",
    [
        "project: acme/shop\n",
        "project: &p acme/shop\nnamespace: shop\n",
        'project: "acme/sh\\x6fp"\n',
        'project: "acme/\\\n  shop"\n',
        "project: !!str acme/shop\n",
        "project: >-\n  acme/shop\n",
    ],
)
def test_apps_that_may_name_a_project_are_found_by_their_text(text: str) -> None:
    image = "images: {shop: registry.example.com/shop}\ntemplate: web\n"
    other = "project: acme/other\n" + image
    found = configuration({"shop": text + image, "other": other})
    assert [record.name for record in found.apps.mentioning("acme/shop")] == ["shop"]
    assert found.apps["shop"].app.project == "acme/shop"
    assert "other" in {record.name for record, _ in found.pairs(mentioning="acme/other")}
