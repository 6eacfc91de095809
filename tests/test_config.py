from __future__ import annotations

import pytest

from headgate.config import load, load_template, parse
from headgate.configuration import AppRecord
from headgate.consistency import promotion_cycle
from headgate.errors import ConfigError, HeadgateError, ImageError, YamlError
from headgate.model import Lock, Release
from headgate.paths import LOCK
from support.trees import COMMIT, DIGEST, HEADGATE, configuration, repository, tree_of

SHOP = "registry.example.com/acme/shop"
APP = f"""\
project: acme/shop
images:
  shop: {SHOP}
template: web
"""
MINIMAL = "{project: acme/x, template: web}"


def in_settings(old: str, new: str) -> str:
    """Return headgate.yaml with one place changed."""
    assert HEADGATE.count(old) == 1
    return HEADGATE.replace(old, new)


def in_app(old: str, new: str) -> str:
    assert APP.count(old) == 1
    return APP.replace(old, new)


def settings_error(text: str, **apps: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(repository(apps, settings=text))
    return str(caught.value)


def app_failure(text: str) -> HeadgateError:
    found = load(repository({"shop": text, "fine": MINIMAL}))
    assert list(found.apps) == ["fine"], "an app fails alone"
    (error,) = found.broken.values()
    return error


def app_error(text: str) -> str:
    error = app_failure(text)
    assert type(error) is ConfigError
    return str(error)


def template_error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_template(tree_of({"templates/web/template.yaml": text}), "templates/web")
    return str(caught.value)


def shop(text: str = APP, settings: str = HEADGATE) -> AppRecord:
    return configuration({"shop": text}, settings=settings).apps["shop"]


# The documents themselves


def test_folder_without_headgate_yaml_is_no_manifest_repository() -> None:
    with pytest.raises(ConfigError) as caught:
        load(tree_of({"apps/shop/app.yaml": APP}))
    assert str(caught.value) == "headgate.yaml: file not found\n  run this in a manifest repository"


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
                "dependencies, limits, validation, commits, records\n"
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
                "labels, reviewers, assignee, draft, auto_merge\n"
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
                "permissions, workloads, scopes, sandbox, dependencies, limits, validation, commits, records"
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


# Environments


def test_app_runs_everywhere_by_default() -> None:
    found = configuration({"shop": APP, "cart": MINIMAL})
    assert [(record.name, environment) for record, environment in found.pairs()] == [
        ("cart", "dev"),
        ("cart", "production"),
        ("shop", "dev"),
        ("shop", "production"),
    ]


@pytest.mark.parametrize(
    "environments", ["[production, dev]", "{production: null, dev: {}}", "{dev: {namespace: x}, production: {}}"]
)
def test_environments_of_an_app_are_a_list_or_a_map(environments: str) -> None:
    found = configuration({"shop": f"{APP}environments: {environments}\n"})
    assert found.apps["shop"].environments(found.settings) == ["dev", "production"], "in the order of headgate.yaml"


def test_environments_that_an_app_does_not_name_are_left_out() -> None:
    found = configuration({"shop": f"{APP}environments: [production]\n"})
    assert [environment for _, environment in found.pairs()] == ["production"]


def test_app_with_an_empty_list_of_environments_runs_nowhere() -> None:
    assert configuration({"shop": f"{APP}environments: []\n"}).pairs() == []


@pytest.mark.parametrize(("environments", "line"), [("[dev, prodction]", 5), ("\n  dev:\n  prodction:", 7)])
def test_app_in_an_unknown_environment_is_refused(environments: str, line: int) -> None:
    assert app_error(f"{APP}environments: {environments}\n") == (
        f"apps/shop/app.yaml:{line}: environments.prodction: environment 'prodction' not found, "
        "expected one of: dev, production\n"
        "  did you mean 'production'?"
    )


def test_permissions_of_an_unknown_environment_are_refused() -> None:
    assert settings_error(f"{HEADGATE}permissions:\n  prodction: {{promote: owner}}\n") == (
        "headgate.yaml:10: permissions.prodction: environment 'prodction' not found, "
        "expected one of: dev, production\n"
        "  did you mean 'production'?"
    )


def test_promotion_from_an_unknown_environment_is_refused() -> None:
    text = in_settings('takes: {tag: "v*"}', "takes:\n    - promotion: dav\n")
    assert settings_error(text) == (
        "headgate.yaml:8: environments.production.takes[0].promotion: environment 'dav' not found, "
        "expected one of: dev, production\n"
        "  did you mean 'dev'?"
    )


def test_promotion_of_an_app_from_an_unknown_environment_is_refused() -> None:
    assert app_error(f"{APP}environments:\n  dev: {{takes: {{promotion: stage}}}}\n") == (
        "apps/shop/app.yaml:6: environments.dev.takes: environment 'stage' not found, expected one of: dev, production"
    )


@pytest.mark.parametrize(
    ("sources", "cycle"),
    [
        ({}, []),
        ({"a": [], "b": ["a"], "c": ["a", "b"]}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["b"], "b": ["a"]}, ["a", "b", "a"]),
        ({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}, ["a", "b", "c", "a"]),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, []),
        ({"a": ["b", "c"], "b": [], "c": ["a"]}, ["a", "c", "a"]),
    ],
)
def test_circle_of_promotions_is_found(sources: dict[str, list[str]], cycle: list[str]) -> None:
    assert promotion_cycle(sources) == cycle


@pytest.mark.parametrize(
    ("takes", "circle"), [("{promotion: production}", "dev -> production -> dev"), ("{promotion: dev}", "dev -> dev")]
)
def test_circle_of_promotions_is_refused(takes: str, circle: str) -> None:
    text = in_settings("{branch: main}", takes).replace('{tag: "v*"}', "{promotion: dev}")
    assert settings_error(text) == (
        f"headgate.yaml:4: environments.dev.takes: promotions form a cycle: {circle}\n  remove one of these promotions"
    )


PROMOTED = in_settings('{tag: "v*"}', "{promotion: dev}")


def test_circle_of_promotions_of_one_app_is_refused() -> None:
    text = f"{APP}environments:\n  dev: {{takes: {{promotion: production}}}}\n  production:\n"
    error = load(repository({"shop": text}, settings=PROMOTED)).broken["apps/shop"]
    assert error.what == "promotions form a cycle: dev -> production -> dev"
    assert str(error.where) == "apps/shop/app.yaml:5: environments"


def test_promotion_that_an_app_takes_out_closes_no_circle() -> None:
    takes = "{dev: {takes: {promotion: production}}, production: {takes: {branch: main}}}"
    assert shop(f"{APP}environments: {takes}\n", PROMOTED).name == "shop"


# Templates, projects, images


@pytest.mark.parametrize(("name", "guess"), [("wbe", "\n  did you mean 'web'?"), ("other", "")])
def test_missing_template_is_refused(name: str, guess: str) -> None:
    assert app_error(in_app("template: web", f"template: {name}")) == (
        f"apps/shop/app.yaml:4: template: template '{name}' not found, expected one of: web{guess}"
    )


def test_missing_template_is_refused_where_there_is_none_at_all() -> None:
    found = load(tree_of({"headgate.yaml": HEADGATE, "apps/shop/app.yaml": APP}))
    assert found.broken["apps/shop"].what == "template 'web' not found, none exists yet"


def test_template_without_a_file_of_its_own_is_all_defaults() -> None:
    found = load_template(tree_of({}), "templates/web")
    assert (found.engine, found.values_schema, found.grant, found.hooks) == (None, None, (), None)


def test_image_without_a_project_is_refused() -> None:
    assert app_error(in_app("project: acme/shop\n", "")) == (
        "apps/shop/app.yaml:2: images.shop: image 'shop' has no project, expected the project that hands it off\n"
        "  set 'project' for the app or for this image"
    )


def test_config_without_a_project_is_refused() -> None:
    assert app_error("config: deploy\n") == (
        "apps/shop/app.yaml:1: config: config has no project, expected the project that contains it\n"
        "  set 'project' for the app or for config"
    )


def test_app_without_a_project_needs_no_hand_off() -> None:
    assert shop("template: web\n").app.project is None


MATCHERS_HINT = "distinguish them by a pattern of their tags, such as 'tag: \"web-*\"'"


def test_two_images_with_one_matcher_are_refused() -> None:
    error = app_failure(in_app("template", f"  web: {SHOP}\ntemplate"))
    assert type(error) is ImageError
    assert str(error) == (
        f"apps/shop/app.yaml:4: images.web: images 'shop' and 'web' match the same containers: {SHOP}\n"
        f"  {MATCHERS_HINT}"
    )


def test_two_images_with_one_matcher_in_one_environment_are_refused() -> None:
    error = app_failure(f"{APP}environments: {{dev: {{images: {{web: {SHOP}}}}}}}\n")
    assert "images 'shop' and 'web' match the same containers" in str(error)


@pytest.mark.parametrize("other", ["docker.io/acme/shop", "index.docker.io/acme/shop"])
def test_two_spellings_of_one_repository_are_one_matcher(other: str) -> None:
    text = f"{{project: acme/shop, images: {{shop: acme/shop, web: {other}}}, template: web}}"
    assert type(app_failure(text)) is ImageError


def test_images_with_patterns_of_tags_share_a_repository() -> None:
    images = f'{{a: {{repository: {SHOP}, tag: "web-*"}}, b: {{repository: {SHOP}, tag: "db-*"}}, c: {SHOP}}}'
    assert list(shop(f"{{project: acme/shop, images: {images}, template: web}}").app.images) == ["a", "b", "c"]


# What an app is in an environment


def test_app_is_what_its_file_says_and_what_differs_in_an_environment() -> None:
    text = f"""\
{APP}environments:
  dev:
  production:
    delivery: commit
    namespace: shop-live
    images: {{shop: registry.example.com/live}}
"""
    record, settings = shop(text), configuration({}).settings
    assert [record.namespace(name) for name in settings.environments] == ["shop", "shop-live"]
    assert [record.delivery(settings, name) for name in settings.environments] == ["commit", "commit"]
    assert [record.images(name)["shop"].repository for name in settings.environments] == [
        SHOP,
        "registry.example.com/live",
    ]
    assert record.release_folder("dev") == "apps/shop/releases/dev"


def test_short_forms_mean_the_long_ones() -> None:
    short = shop(f"{{project: a/b, images: {{shop: {SHOP}}}, config: deploy, grant: [a], environments: [dev]}}").app
    long = shop(
        f"{{project: a/b, images: {{shop: {{repository: {SHOP}}}}}, config: {{path: deploy}}, "
        "grant: [{path: a}], environments: {dev: {}}}"
    ).app
    assert (short.images, short.config, short.grant) == (long.images, long.config, long.grant)


def test_namespace_is_the_apps_name_by_default() -> None:
    assert shop().namespace("dev") == "shop"
    assert shop(f"{APP}namespace: other\n").namespace("dev") == "other"


def test_tags_of_images_say_the_commit_by_default() -> None:
    assert shop().app.tags == "commit"
    assert shop(f"{APP}tags: any\n").app.tags == "any"


def test_realms_of_a_registry_are_read() -> None:
    found = configuration({}, settings=HEADGATE + "registries: {'r.example.com:5050': {realms: [login.example.com]}}\n")
    assert found.settings.registries["r.example.com:5050"].realms == ("login.example.com",)


# Apps and their folders


def apps_of(*files: str) -> dict[str, str]:
    found = load(repository({}, **dict.fromkeys(files, MINIMAL)))
    assert found.broken == {}
    return {record.name: record.folder for record in found.apps.values()}


def test_apps_may_be_in_folders_of_teams() -> None:
    assert apps_of("apps/shop/app.yaml", "apps/team/cart/app.yaml", "apps/a/b/c/app.yaml") == {
        "shop": "apps/shop",
        "cart": "apps/team/cart",
        "c": "apps/a/b/c",
    }


@pytest.mark.parametrize("below", ["releases/dev/config", "releases/dev/config/apps/evil", "sub", "a/b/c"])
def test_search_for_apps_never_goes_below_an_app(below: str) -> None:
    assert apps_of("apps/shop/app.yaml", f"apps/shop/{below}/app.yaml") == {"shop": "apps/shop"}
    assert apps_of("apps/team/shop/app.yaml", f"apps/team/shop/{below}/app.yaml") == {"shop": "apps/team/shop"}


def test_broken_app_hides_what_is_below_it_all_the_same() -> None:
    found = load(repository({}, **{"apps/shop/app.yaml": "x", "apps/shop/sub/app.yaml": MINIMAL}))
    assert list(found.broken) == ["apps/shop"]
    assert found.apps == {}


@pytest.mark.parametrize(
    "path", ["apps/app.yaml", "app.yaml", "apps/shop/app.yml", "other/shop/app.yaml", "apps/shop/my-app.yaml"]
)
def test_other_files_are_no_apps(path: str) -> None:
    assert apps_of(path) == {}


def test_folder_whose_name_begins_like_an_apps_is_not_below_it() -> None:
    assert apps_of("apps/shop/app.yaml", "apps/shop-admin/app.yaml") == {
        "shop": "apps/shop",
        "shop-admin": "apps/shop-admin",
    }


def test_name_of_an_app_is_unique() -> None:
    found = load(repository({"a/shop": MINIMAL, "b/shop": MINIMAL}))
    assert found.apps["shop"].folder == "apps/a/shop"
    assert str(found.broken["apps/b/shop"]) == (
        "apps/b/shop/app.yaml: the app 'shop' exists twice, expected a unique name\n"
        "  rename one of the folders; the other is apps/a/shop"
    )


def test_name_of_a_broken_app_stays_taken() -> None:
    found = load(repository({"a/shop": "template: other", "b/shop": MINIMAL}))
    assert found.apps == {}, "else b/shop would take over the output of a/shop"
    assert list(found.broken) == ["apps/a/shop", "apps/b/shop"]
    assert found.broken["apps/b/shop"].what == "the app 'shop' exists twice, expected a unique name"


VERSIONS = ["1.34", "v1.34", "1.34.2", "1.34.2-gke.100", "v1.34.2-eks-abc", "1.34.2+k3s1", "1.34.2-rc.1+rke2r1"]


@pytest.mark.parametrize("version", [*VERSIONS, "v1.34.2+vmware.1-tkg.1", "1.34-gke.1"])
def test_version_of_kubernetes_may_be_a_providers(version: str) -> None:
    settings = load(
        repository({}, settings=in_settings("delivery: review", f"delivery: review\n    kubernetes: '{version}'"))
    )
    assert settings.environment("production").kubernetes == version


@pytest.mark.parametrize(
    "version", ["1", "2.1", "1.34.2.5", "1.34-", "1.34.2-01", "1.34.2_x", "1.34 ", "1.34.2-a b", "1.\u0663"]
)
def test_what_is_no_version_of_kubernetes_is_refused(version: str) -> None:
    text = in_settings("delivery: review", f"delivery: review\n    kubernetes: '{version}'")
    assert settings_error(text) == (
        'headgate.yaml:9: environments.production.kubernetes: expected a version of Kubernetes such as "1.34", '
        f"found {version!r}"
    )


@pytest.mark.parametrize("written", ["1.30", "1.3", "1.0", "007", "1e3", "0x1F", "1_000", "+1", ".5", "True"])
def test_number_in_place_of_a_string_is_told_as_it_was_written(written: str) -> None:
    assert settings_error(in_settings("delivery: review", f"delivery: review\n    kubernetes: {written}")) == (
        f"headgate.yaml:9: environments.production.kubernetes: expected a string, found {written}\n"
        f'  put it in quotes: "{written}"'
    )


def test_number_in_place_of_a_string_is_told_as_it_was_written_in_lists_too() -> None:
    text = HEADGATE.replace("delivery: review", "delivery: review\n    api_versions: [v1, 1.30]")
    assert settings_error(text) == (
        "headgate.yaml:9: environments.production.api_versions[1]: expected a string, found 1.30\n"
        '  put it in quotes: "1.30"'
    )


@pytest.mark.parametrize("name", ["Shop", "my_shop", "my shop", "-shop", "shop.", "x" * 64, "{app}", "\u00e4"])
def test_name_of_an_app_must_be_one_that_kubernetes_takes(name: str) -> None:
    found = load(repository({name: MINIMAL}))
    assert {folder: str(error) for folder, error in found.broken.items()} == {
        f"apps/{name}": f"apps/{name}/app.yaml: the folder's name {name!r} is the app's name, "
        "expected at most 63 characters a-z, 0-9 and '-'\n"
        "  rename the folder"
    }


# Output folders


def test_output_folder_is_made_of_environment_and_app() -> None:
    found = configuration({"shop": APP})
    assert found.output_folder("shop", "dev") == "deploy/dev/shop"
    text = HEADGATE.replace("delivery: commit", 'delivery: commit\n    output: {path: "out/{app}/{environment}/x"}')
    assert configuration({"shop": APP}, settings=text).output_folder("shop", "dev") == "out/shop/dev/x"


def with_output(dev: str, production: str = "deploy/{environment}/{app}") -> str:
    text = HEADGATE.replace("delivery: commit", f'delivery: commit\n    output: {{path: "{dev}"}}')
    return text.replace("delivery: review", f'delivery: review\n    output: {{path: "{production}"}}')


OUTPUT_HINT = "set an output path with {environment} and {app} in headgate.yaml"


def test_two_apps_cannot_claim_one_output_folder() -> None:
    assert settings_error(with_output("all"), shop=MINIMAL, cart=MINIMAL) == (
        "apps/shop/app.yaml:1: cart in dev and shop in dev both claim the output folder all\n  " + OUTPUT_HINT
    )


def test_two_environments_cannot_claim_one_output_folder() -> None:
    assert settings_error(with_output("out/{app}", "out/{app}"), shop=MINIMAL) == (
        "apps/shop/app.yaml:1: shop in dev and shop in production both claim the output folder out/shop\n  "
        + OUTPUT_HINT
    )


def test_output_folder_cannot_lie_inside_of_another() -> None:
    assert settings_error(with_output("out/{app}", "out/{app}/live"), shop=MINIMAL) == (
        "apps/shop/app.yaml:1: shop in dev and shop in production both claim the output folder out/shop/live\n  "
        + OUTPUT_HINT
    )


def test_output_folder_that_only_begins_like_another_is_fine() -> None:
    found = configuration({"shop": APP}, settings=with_output("out/{app}", "out/{app}-live"))
    assert found.output_folder("shop", "production") == "out/shop-live"


@pytest.mark.parametrize("folder", ["apps", "templates", "environments"])
def test_output_folder_cannot_lie_among_the_inputs(folder: str) -> None:
    assert settings_error(with_output(folder + "/{app}"), shop=MINIMAL) == (
        "headgate.yaml: environments.dev.output.path: output folder "
        f"{folder}/shop is among the inputs, expected a folder such as 'deploy/...'"
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
