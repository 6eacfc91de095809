from __future__ import annotations

import re

import pytest

from headgate.config import load
from headgate.dependencies.plan import ResolvedConfig
from headgate.errors import ConfigError, RefusedError, TooLargeError, UnsafeFileError
from headgate.model import AcceptRule, Config
from headgate.objects.images import Reference
from headgate.releases.handoff import Acceptance, HandOff, accepting, check, full_ref, handed_off, takes
from headgate.releases.pending import compose
from headgate.releases.release import NOTHING, read_released, write_released
from headgate.releases.snapshot import snapshot
from headgate.repository.tree import SYMLINK, Changes, MemoryBlob, Tree
from support.trees import COMMIT, DIGEST, configuration, data_of, repository, tree_of

MAIN, TAG = "refs/heads/main", "refs/tags/v1.0"
SHOP = "registry.example.com/acme/shop"
APP = f"""
    project: acme/shop
    images: {{shop: {SHOP}}}
    template: web
"""
WITH_CONFIG = f"""
    project: acme/shop
    images: {{shop: {SHOP}}}
    config: deploy
"""


def image(tag: str = "1.0", repository: str = SHOP, digest: str = DIGEST) -> Reference:
    return Reference(repository, tag, digest)


def hand_off(*images: Reference, project: str = "acme/shop", ref: str = MAIN, pipeline: int | None = 7) -> HandOff:
    return HandOff(project=project, commit=COMMIT, ref=ref, images=images, pipeline=pipeline)


def accepted(apps: dict[str, str], what: HandOff) -> list[tuple[str, str, dict[str, str], bool]]:
    """Return who takes a hand-off: app, environment, tags of the images, whether the config."""
    return [
        (one.record.name, one.environment, {name: it.tag for name, it in one.images.items()}, one.config is not None)
        for one in accepting(configuration(apps), what)
    ]


def refusal(apps: dict[str, str], what: HandOff) -> str:
    with pytest.raises(RefusedError) as caught:
        accepting(configuration(apps), what)
    return str(caught.value)


# Words


def test_short_ref_is_a_branch() -> None:
    assert full_ref("main") == MAIN
    assert full_ref("v1.0") == "refs/heads/v1.0"
    assert full_ref("tags/v1.0") == "refs/heads/tags/v1.0"


@pytest.mark.parametrize("ref", [MAIN, TAG])
def test_full_ref_stays_as_it_is(ref: str) -> None:
    assert full_ref(ref) == ref


@pytest.mark.parametrize(
    "ref", ["refs/heads/main", "refs/heads/feature/a-b_c.d", "refs/tags/v1.0", "refs/tags/web@1", "refs/heads/\u00e4"]
)
def test_hand_off_of_a_branch_or_tag_is_fine(ref: str) -> None:
    check(hand_off(ref=ref))


@pytest.mark.parametrize(
    "ref",
    [
        *(
            "main",
            "",
            "refs/heads/",
            "refs/merge-requests/1/head",
            "HEAD",
            "refs/heads/a b",
            "refs/heads/a\nb",
            "refs/heads/a\n",
        ),
        *("refs/heads/a..b", "refs/heads/-x", "refs/tags/-x", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b"),
        *("refs/heads/a?", "refs/heads/*", "refs/heads/[a]", "refs/heads/a\\b", "refs/heads/a\x1b", "refs/heads/\x7f"),
    ],
)
def test_ref_that_git_would_not_take_is_refused(ref: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(hand_off(ref=ref))
    wanted = "a branch or tag whose name has no white space, Unicode's included, nor '/-'"
    assert str(caught.value) == f"the ref is {ref!r}, expected {wanted}"


@pytest.mark.parametrize("commit", ["", "abc", "1" * 39, "1" * 41, "A" * 40, "g" * 40, COMMIT + "\n", f" {COMMIT}"])
def test_commit_that_is_none_is_refused(commit: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(HandOff(project="acme/shop", commit=commit, ref=MAIN))
    assert str(caught.value) == f"the commit is {commit!r}, expected a commit id in full"


def test_commit_of_both_hash_lengths_is_fine() -> None:
    check(HandOff(project="acme/shop", commit="1" * 40, ref=MAIN))
    check(HandOff(project="acme/team/sub.group/shop", commit="1" * 64, ref=MAIN))


@pytest.mark.parametrize(
    "project", ["", "shop", "acme/", "/acme/shop", "acme//shop", "acme/shop\n", "acme/sh op", "a/$(x)"]
)
def test_project_that_is_none_is_refused(project: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(HandOff(project=project, commit=COMMIT, ref=MAIN))
    assert str(caught.value) == f"the project is {project!r}, expected a path such as acme/shop"


# What an environment takes


@pytest.mark.parametrize(
    ("take", "ref"),
    [
        (AcceptRule(branch="main"), "refs/heads/main"),
        (AcceptRule(branch="release/*"), "refs/heads/release/1.0"),
        (AcceptRule(branch="*"), "refs/heads/a/b"),
        (AcceptRule(tag="v*"), "refs/tags/v1.0"),
        (AcceptRule(tag="v[0-9].*"), "refs/tags/v1.0"),
    ],
)
def test_ref_is_taken(take: AcceptRule, ref: str) -> None:
    assert takes(take, ref)


@pytest.mark.parametrize(
    ("take", "ref"),
    [
        (AcceptRule(branch="main"), "refs/tags/main"),
        (AcceptRule(branch="*"), "refs/tags/main"),
        (AcceptRule(branch="main"), "refs/heads/main2"),
        (AcceptRule(branch="main"), "refs/heads/Main"),
        (AcceptRule(branch="main"), "refs/heads/x/main"),
        (AcceptRule(branch="main"), "main"),
        (AcceptRule(tag="v*"), "refs/heads/v1.0"),
        (AcceptRule(tag="v*"), "refs/tags/web-v1.0"),
        (AcceptRule(promotion="dev"), "refs/heads/dev"),
    ],
)
def test_other_ref_is_not_taken(take: AcceptRule, ref: str) -> None:
    assert not takes(take, ref)


# Who takes a hand-off


def test_branch_goes_where_it_is_taken() -> None:
    assert accepted({"shop": APP}, hand_off(image())) == [("shop", "dev", {"shop": "1.0"}, False)]


def test_tag_goes_where_it_is_taken() -> None:
    assert accepted({"shop": APP}, hand_off(image(), ref=TAG)) == [("shop", "production", {"shop": "1.0"}, False)]


def test_tag_called_main_is_not_the_branch() -> None:
    assert refusal({"shop": APP}, hand_off(image(), ref="refs/tags/main")) == (
        "no environment takes hand-offs of refs/tags/main\n"
        "  shop in dev takes: branch main\n"
        "  shop in production takes: tag v*"
    )


def test_app_can_take_something_else_than_its_environment() -> None:
    takes = "{dev: {takes: {branch: develop}}, production: {takes: [{promotion: dev}, {branch: main}]}}"
    app = f"{APP}    environments: {takes}\n"
    assert accepted({"shop": app}, hand_off(image())) == [("shop", "production", {"shop": "1.0"}, False)]
    assert refusal({"shop": app}, hand_off(image(), ref=TAG)) == (
        "no environment takes hand-offs of refs/tags/v1.0\n"
        "  shop in dev takes: branch develop\n"
        "  shop in production takes: promotion from dev, branch main"
    )


def test_app_that_takes_nothing_gets_nothing() -> None:
    app = APP + "    environments: {dev: {takes: []}}\n"
    assert refusal({"shop": app}, hand_off(image())).endswith("\n  shop in dev takes: nothing")


def test_app_that_does_not_run_in_an_environment_takes_nothing_there() -> None:
    assert "no environment takes" in refusal({"shop": APP + "    environments: [production]\n"}, hand_off(image()))


def test_config_goes_with_the_image() -> None:
    assert accepted({"shop": WITH_CONFIG}, hand_off(image())) == [("shop", "dev", {"shop": "1.0"}, True)]


def test_config_goes_without_an_image() -> None:
    assert accepted({"shop": WITH_CONFIG}, hand_off()) == [("shop", "dev", {}, True)]


def test_hand_off_without_an_image_to_an_app_of_images_is_refused() -> None:
    with pytest.raises(RefusedError):
        accepting(configuration({"shop": APP}), hand_off())


def test_project_without_a_part_is_refused() -> None:
    assert refusal({"shop": APP}, hand_off(image(), project="acme/other")) == (
        "no app has a part that belongs to acme/other\n"
        "  name the project in the app's app.yaml: project, or the project of an image or of config"
    )


def test_part_belongs_to_its_own_project_only() -> None:
    app = f"""
        project: acme/shop
        images: {{web: {SHOP}, api: {{repository: registry.example.com/api, project: acme/api}}}}
        config: {{path: deploy, project: acme/config}}
    """
    api = image("2.0", "registry.example.com/api")
    assert accepted({"shop": app}, hand_off(image())) == [("shop", "dev", {"web": "1.0"}, False)]
    assert accepted({"shop": app}, hand_off(api, project="acme/api")) == [("shop", "dev", {"api": "2.0"}, False)]
    assert accepted({"shop": app}, hand_off(project="acme/config")) == [("shop", "dev", {}, True)]
    assert refusal({"shop": app}, hand_off(api)) == (
        "no app takes the image registry.example.com/api:2.0 from acme/shop\n"
        "  its apps have: registry.example.com/acme/shop, registry.example.com/api"
    )


def test_image_that_no_app_has_is_refused() -> None:
    assert refusal({"shop": APP}, hand_off(image(), image("1.0", "registry.example.com/other"))) == (
        f"no app takes the image registry.example.com/other:1.0 from acme/shop\n  its apps have: {SHOP}"
    )


def test_image_is_known_by_its_short_name_too() -> None:
    app = "{project: acme/shop, images: {shop: acme/shop}, template: web}"
    assert accepted({"shop": app}, hand_off(image("1.0", "docker.io/acme/shop"))) == [
        ("shop", "dev", {"shop": "1.0"}, False)
    ]


TAGGED = f"""
    project: acme/shop
    images: {{web: {{repository: {SHOP}, tag: "web-*"}}, worker: {{repository: {SHOP}, tag: "worker-*"}}}}
    template: web
"""


def test_pattern_of_tags_tells_images_of_one_repository_apart() -> None:
    both = accepted({"shop": TAGGED}, hand_off(image("web-1"), image("worker-1")))
    assert both == [("shop", "dev", {"web": "web-1", "worker": "worker-1"}, False)]
    assert accepted({"shop": TAGGED}, hand_off(image("worker-1"))) == [("shop", "dev", {"worker": "worker-1"}, False)]


def test_tag_that_no_pattern_matches_is_refused() -> None:
    assert refusal({"shop": TAGGED}, hand_off(image("db-1"))) == (
        f"no app takes the image {SHOP}:db-1 from acme/shop\n"
        f"  its apps have: {SHOP} (tags web-*), {SHOP} (tags worker-*)"
    )


def test_pattern_of_tags_is_more_exact_than_none() -> None:
    app = f"""
        project: acme/shop
        images: {{shop: {SHOP}, web: {{repository: {SHOP}, tag: "web-*"}}}}
        template: web
    """
    assert accepted({"shop": app}, hand_off(image("web-1"))) == [("shop", "dev", {"web": "web-1"}, False)]
    assert accepted({"shop": app}, hand_off(image("1.0"), image("web-1"))) == [
        ("shop", "dev", {"shop": "1.0", "web": "web-1"}, False)
    ]


def test_two_images_for_one_part_are_refused() -> None:
    with pytest.raises(RefusedError):
        accepting(configuration({"shop": APP}), hand_off(image("1.0"), image("2.0")))


def test_one_project_can_have_parts_of_several_apps() -> None:
    cart = f"{{project: acme/cart, images: {{sidecar: {{repository: {SHOP}, project: acme/shop}}}}, template: web}}"
    other = "{project: acme/other, images: {other: registry.example.com/other}, template: web}"
    assert accepted({"shop": APP, "cart": cart, "other": other}, hand_off(image())) == [
        ("cart", "dev", {"sidecar": "1.0"}, False),
        ("shop", "dev", {"shop": "1.0"}, False),
    ]


def test_image_that_differs_in_an_environment_is_taken_there_only() -> None:
    app = APP + "    environments: {dev: {images: {shop: registry.example.com/dev}}, production: null}\n"
    assert accepted({"shop": app}, hand_off(image("1.0", "registry.example.com/dev"))) == [
        ("shop", "dev", {"shop": "1.0"}, False)
    ]
    assert "no app takes the image" in refusal({"shop": app}, hand_off(image()))


# What becomes of a release


def apply(tree: Tree, what: HandOff, config_files: Tree | None = None, environment: str = "dev") -> Tree:
    found = accepting(load(tree), what)
    (one,) = [one for one in found if one.environment == environment]
    return tree.with_changes(changed(tree, one, what, config_files))


def changed(tree: Tree, one: Acceptance, what: HandOff, config_files: Tree | None) -> Changes:
    folder = one.record.release_folder(one.environment)
    before = read_released(tree, folder) or NOTHING
    config = None if config_files is None else ResolvedConfig(config_files)
    return write_released(tree, folder, compose(before, [handed_off(one, what, before.release, config)]))


def acceptance(tree: Tree, what: HandOff) -> Acceptance:
    (one,) = accepting(load(tree), what)
    return one


RELEASE = "apps/shop/releases/dev/release.yaml"


def test_first_hand_off_writes_the_release_and_nothing_else() -> None:
    before = repository({"shop": APP})
    tree = apply(before, hand_off(image()))
    assert set(tree.paths()) - set(before.paths()) == {RELEASE}
    released = read_released(tree, "apps/shop/releases/dev")
    assert released is not None
    assert released.release.images["shop"].reference == f"{SHOP}:1.0@{DIGEST}"
    assert tree.read(RELEASE).decode() == (
        "# Written by Headgate. A change by hand is lost with the next hand-off.\n"
        "version: 1\n"
        "images:\n"
        "  shop:\n"
        "    project: acme/shop\n"
        f'    commit: "{COMMIT}"\n'
        "    ref: refs/heads/main\n"
        "    pipeline: 7\n"
        f"    repository: {SHOP}\n"
        '    tag: "1.0"\n'
        f"    digest: {DIGEST}\n"
        "newest:\n"
        "  shop:\n"
        f'    commit: "{COMMIT}"\n'
        "    ref: refs/heads/main\n"
        "    pipeline: 7\n"
        '    tag: "1.0"\n'
        f"    digest: {DIGEST}\n"
    )


def test_same_hand_off_again_changes_nothing() -> None:
    tree = apply(repository({"shop": WITH_CONFIG}), hand_off(image()), tree_of({"a.yaml": "a: b"}))
    one = acceptance(tree, hand_off(image()))
    assert changed(tree, one, hand_off(image()), tree_of({"a.yaml": "a: b"})) == {}


def test_parts_that_a_hand_off_does_not_name_stay() -> None:
    tree = apply(repository({"shop": TAGGED}), hand_off(image("web-1"), image("worker-1")))
    tree = apply(tree, hand_off(image("worker-2")))
    release = data_of(tree.read(RELEASE).decode())
    assert {name: one["tag"] for name, one in release["images"].items()} == {"web": "web-1", "worker": "worker-2"}
    assert {name: one["tag"] for name, one in release["newest"].items()} == {"web": "web-1", "worker": "worker-2"}


def test_config_is_written_beside_the_release() -> None:
    files = tree_of({"a.yaml": "a: b", "sub/b.yaml": "c: d"})
    tree = apply(repository({"shop": WITH_CONFIG}), hand_off(image()), files)
    assert tree.folder("apps/shop/releases/dev/config").paths() == ["a.yaml", "sub/b.yaml"]
    release = data_of(tree.read(RELEASE).decode())
    assert release["config"]["path"] == "deploy"
    assert release["newest"]["config"]["commit"] == COMMIT


def test_config_replaces_all_files_of_the_one_before() -> None:
    tree = apply(repository({"shop": WITH_CONFIG}), hand_off(image()), tree_of({"a.yaml": "a: b", "old.yaml": "x"}))
    changes = changed(tree, acceptance(tree, hand_off()), hand_off(), tree_of({"a.yaml": "a: b", "new.yaml": "z"}))
    folder = "apps/shop/releases/dev/config"
    assert changes == {f"{folder}/old.yaml": None, f"{folder}/new.yaml": b"z"}


# The config of an app's repository


def files_of(source: Tree, *, values_only: bool = False, include: tuple[str, ...] = ()) -> list[str]:
    config = Config(path="deploy", include=include)
    environments = ("dev", "production")
    kept = snapshot(source, config, owner="shop", environments=environments, values_only=values_only)
    return kept.paths()


def test_snapshot_is_the_folder_of_the_config() -> None:
    source = tree_of({"deploy/a.yaml": "a: b", "deploy/sub/b.yaml": "", "deployments/c.yaml": "", "main.py": ""})
    assert files_of(source) == ["a.yaml", "sub/b.yaml"]


def test_snapshot_for_a_shared_template_is_its_values() -> None:
    names = ["values.yaml", "values.dev.yaml", "values.production.yaml", "sub/values.yaml", "a.yaml"]
    assert files_of(tree_of({f"deploy/{name}": "a: b" for name in names}), values_only=True) == [
        "values.dev.yaml",
        "values.production.yaml",
        "values.yaml",
    ]


def test_snapshot_is_what_the_config_includes() -> None:
    source = tree_of({f"deploy/{name}": "a: b" for name in ("a.yaml", "b.txt", "templates/c.yaml", "README.md")})
    assert files_of(source, include=("*.yaml", "b.*")) == ["a.yaml", "b.txt", "templates/c.yaml"]


def test_files_that_only_git_reads_are_left_out() -> None:
    names = ["a.yaml", ".gitignore", "sub/.gitkeep", ".mailmap"]
    assert files_of(tree_of({f"deploy/{name}": "a: b" for name in names})) == ["a.yaml"]


def test_folder_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        files_of(tree_of({"other/a.yaml": ""}))
    assert str(caught.value).startswith("deploy: folder not found, or empty\n  commit it in the app's repository")


@pytest.mark.parametrize("name", ["app.yaml", "template.yaml", "release.yaml", "headgate.yaml", "headgate.lock"])
def test_file_of_the_manifest_repository_is_refused(name: str) -> None:
    with pytest.raises(UnsafeFileError) as caught:
        files_of(tree_of({f"deploy/{name}": "grant: ['*']\n"}))
    assert str(caught.value) == (
        f"deploy/{name}: a file of the manifest repository, which has no effect in an app's config\n"
        "  remove it from the app's config"
    )


@pytest.mark.parametrize("path", ["a" * 201, "\u00e9" * 101, "/".join(["d" * 99] * 10) + "/x.yaml"])
def test_path_that_not_every_checkout_could_hold_is_refused(path: str) -> None:
    with pytest.raises(TooLargeError, match="a name above 200 bytes or a path above 1000, which some checkouts"):
        files_of(tree_of({f"deploy/{path}": "a: b"}))


@pytest.mark.parametrize(
    "path", ["git~1/a.yaml", "a/.git./b", "aux.yaml", "a:b.yaml", "a /b.yaml", "Web.yaml", "WEB.yaml"]
)
def test_name_that_some_checkout_could_not_hold_is_refused(path: str) -> None:
    with pytest.raises(
        UnsafeFileError, match=f"^deploy/({re.escape(path)}|web.yaml): a (file that configures git|name that)"
    ):
        files_of(tree_of({"deploy/web.yaml": "a: b", f"deploy/{path}": "a: b"}))


def test_objects_may_be_in_a_file_called_like_one_of_ours() -> None:
    assert files_of(tree_of({"deploy/app.yaml": "kind: Service\n---\nkind: Ingress\n"})) == ["app.yaml"]
    with pytest.raises(UnsafeFileError):
        files_of(tree_of({"deploy/app.yaml": "kind: Service\n---\ngrant: ['*']\n"}))


@pytest.mark.parametrize("values_only", [False, True])
@pytest.mark.parametrize("name", [".gitattributes", ".gitmodules"])
def test_file_that_steers_git_is_refused(name: str, *, values_only: bool) -> None:
    with pytest.raises(UnsafeFileError, match=f"^deploy/{name}: a file that configures git"):
        files_of(tree_of({f"deploy/{name}": "* filter=x", "deploy/values.yaml": "a: b"}), values_only=values_only)


@pytest.mark.parametrize(("mode", "kind"), [(SYMLINK, "symlink"), ("160000", "submodule")])
def test_what_is_no_file_is_refused(mode: str, kind: str) -> None:
    with pytest.raises(UnsafeFileError, match=f"^deploy/a.yaml: a {kind}, which is never followed"):
        files_of(Tree({"deploy/a.yaml": MemoryBlob(b"../../secrets", mode)}))


def test_too_many_files_are_refused() -> None:
    with pytest.raises(TooLargeError, match=r"^deploy: 5001 files, the limit is 5000$"):
        files_of(tree_of({f"deploy/{number}.yaml": "" for number in range(5001)}))
