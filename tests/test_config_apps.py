"""What headgate.yaml and app.yaml come to: environments, projects, images, folders of apps and of output."""

from __future__ import annotations

import pytest

from headgate.config import load, load_template
from headgate.consistency import promotion_cycle
from headgate.errors import ImageError
from support.configs import APP, MINIMAL, SHOP, app_error, app_failure, in_app, in_settings, settings_error, shop
from support.trees import HEADGATE, configuration, repository, tree_of

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
