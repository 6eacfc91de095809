from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from headgate.errors import ConfigError, GuardError
from headgate.hydration.object_changes import object_changes
from headgate.hydration.output import changes, is_current, output_id
from headgate.hydration.record import OutputRecord, read_record
from headgate.objects.encrypted import HIDDEN
from support.manifests import DEPLOYMENT, ManifestRepository
from support.trees import tree_of

if TYPE_CHECKING:
    from headgate.repository.tree import Changes, Tree

FOLDER = "deploy/dev/shop"
RECORD = f"{FOLDER}/.headgate.json"
SERVICE = b"apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n  namespace: shop\nspec:\n  port: %d\n"


def wanted(*names: str) -> dict[str, bytes]:
    return {f"{name}.yaml": f"name: {name}\n".encode() for name in names}


def write(tree: Tree, files: dict[str, bytes], *, inputs: str = "in1", percent: int = 50) -> Tree:
    return tree.with_changes(changes(tree, FOLDER, files, inputs, max_removed_percent=percent))


def hydrated(*names: str, beside: dict[str, str | bytes] | None = None) -> Tree:
    return write(tree_of(beside or {}), wanted(*names))


# What is written


def test_first_hydration_writes_every_file_and_the_record() -> None:
    found = changes(tree_of({}), FOLDER, wanted("b", "a"), "in1", max_removed_percent=50)
    assert list(found) == [f"{FOLDER}/b.yaml", f"{FOLDER}/a.yaml", RECORD]
    assert found[f"{FOLDER}/a.yaml"] == b"name: a\n"


def test_record_says_inputs_output_and_files() -> None:
    tree = hydrated("b", "a")
    text = tree.read(RECORD).decode()
    assert json.loads(text) == {
        "version": 1,
        "inputs": "in1",
        "output": output_id(tree, FOLDER, ("a.yaml", "b.yaml")),
        "files": ["a.yaml", "b.yaml"],
    }
    assert text.endswith("]\n}\n")
    assert read_record(tree, FOLDER).files == ("a.yaml", "b.yaml")


def test_output_is_identified_by_names_and_contents() -> None:
    tree = tree_of({f"{FOLDER}/a.yaml": b"x"})
    blob = hashlib.sha1(b"blob 1\0x", usedforsecurity=False).hexdigest()
    lines = f"a.yaml {blob}\nmissing.yaml -\n"
    assert output_id(tree, FOLDER, ("a.yaml", "missing.yaml")) == hashlib.sha256(lines.encode()).hexdigest()


def test_second_hydration_of_the_same_changes_nothing() -> None:
    tree = hydrated("a", "b")
    assert changes(tree, FOLDER, wanted("b", "a"), "in1", max_removed_percent=50) == {}


def test_other_inputs_that_give_the_same_files_change_nothing() -> None:
    assert changes(hydrated("a"), FOLDER, wanted("a"), "in2", max_removed_percent=50) == {}


def test_only_what_differs_is_written() -> None:
    found = changes(
        hydrated("a", "b", "c"), FOLDER, {**wanted("a", "d"), "b.yaml": b"new\n"}, "in2", max_removed_percent=50
    )
    assert {path: data for path, data in found.items() if path != RECORD} == {
        f"{FOLDER}/b.yaml": b"new\n",
        f"{FOLDER}/d.yaml": b"name: d\n",
        f"{FOLDER}/c.yaml": None,
    }
    after = hydrated("a", "b", "c").with_changes(found)
    assert read_record(after, FOLDER) == OutputRecord(
        inputs="in2",
        output=output_id(after, FOLDER, ("a.yaml", "b.yaml", "d.yaml")),
        files=("a.yaml", "b.yaml", "d.yaml"),
    )


def test_output_folder_of_another_app_is_not_touched() -> None:
    beside: dict[str, str | bytes] = {f"{FOLDER}-extra/a.yaml": "x", f"{FOLDER}2/a.yaml": "x", "deploy/dev/a.yaml": "x"}
    found = changes(hydrated("a", beside=beside), FOLDER, wanted("b"), "in2", max_removed_percent=100)
    assert set(found) == {f"{FOLDER}/a.yaml", f"{FOLDER}/b.yaml", RECORD}


# Only our own files


def test_file_that_headgate_did_not_write_stays() -> None:
    tree = hydrated("a", "b", beside={f"{FOLDER}/README.md": "mine", f"{FOLDER}/sub/x.yaml": "mine"})
    assert set(changes(tree, FOLDER, wanted("b"), "in2", max_removed_percent=100)) == {f"{FOLDER}/a.yaml", RECORD}


@pytest.mark.parametrize("content", ["something else", "name: a\n"])
def test_file_in_the_way_that_headgate_did_not_write_is_an_error(content: str) -> None:
    tree = tree_of({f"{FOLDER}/a.yaml": content})
    with pytest.raises(GuardError) as caught:
        changes(tree, FOLDER, wanted("a"), "in1", max_removed_percent=50)
    assert str(caught.value) == (
        "deploy/dev/shop/a.yaml: a file that Headgate did not write is in the way\n  move or delete it"
    )


def test_file_that_somebody_added_after_the_hydration_is_in_the_way_too() -> None:
    tree = hydrated("a").with_changes({f"{FOLDER}/b.yaml": b"mine"})
    with pytest.raises(GuardError, match=f"^{FOLDER}/b.yaml: a file that Headgate did not write"):
        changes(tree, FOLDER, wanted("a", "b"), "in2", max_removed_percent=50)


def test_file_that_somebody_deleted_is_written_again_and_not_removed() -> None:
    tree = hydrated("a", "b").with_changes({f"{FOLDER}/a.yaml": None})
    assert changes(tree, FOLDER, wanted("a", "b"), "in1", max_removed_percent=50)[f"{FOLDER}/a.yaml"] == b"name: a\n"
    assert f"{FOLDER}/a.yaml" not in changes(tree, FOLDER, wanted("b", "c"), "in1", max_removed_percent=50)


def test_record_cannot_reach_files_outside_of_its_folder() -> None:
    record = b'{"inputs": "", "output": "", "files": ["../cart/a.yaml", "/etc/x", "a.yaml"]}'
    tree = tree_of({RECORD: record, "deploy/dev/cart/a.yaml": "theirs", f"{FOLDER}/a.yaml": "ours"})
    found = changes(tree, FOLDER, wanted("b"), "in1", max_removed_percent=100)
    assert set(found) == {f"{FOLDER}/a.yaml", f"{FOLDER}/b.yaml", RECORD}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "text", '{"inputs": "", "output": "", "files": 3}', "\xff", "[" * 100_000]
)
def test_record_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_record(tree_of({RECORD: text.encode("latin-1")}), FOLDER)
    assert str(caught.value) == (
        "deploy/dev/shop/.headgate.json: not a valid Headgate record\n"
        "  restore it from git; Headgate needs it to know which files are its own"
    )


# The guard against mass removal


def removal(before: int, after: int, percent: int) -> Changes:
    names = [f"o{index}" for index in range(before)]
    return changes(hydrated(*names), FOLDER, wanted(*names[:after], "new"), "in2", max_removed_percent=percent)


@pytest.mark.parametrize(
    ("before", "after", "percent"), [(8, 3, 50), (10, 4, 50), (4, 0, 50), (4, 0, 99), (100, 96, 0), (100, 0, 99)]
)
def test_removal_of_too_many_objects_is_refused(before: int, after: int, percent: int) -> None:
    with pytest.raises(GuardError) as caught:
        removal(before, after, percent)
    head, hint = str(caught.value).split("\n")
    assert head.startswith(f"deploy/dev/shop: would remove {before - after} of {before} objects: o")
    assert head.endswith(", ...")
    assert hint == "  if this is intended, pass --allow-removals"


@pytest.mark.parametrize(
    ("before", "after", "percent"), [(8, 4, 50), (3, 0, 0), (3, 0, 50), (100, 97, 0), (100, 0, 100), (10, 5, 50)]
)
def test_removal_of_few_objects_is_fine(before: int, after: int, percent: int) -> None:
    assert sum(data is None for data in removal(before, after, percent).values()) == before - after


def test_files_of_others_do_not_count_for_the_guard() -> None:
    beside: dict[str, str | bytes] = {f"{FOLDER}/mine{index}.md": "x" for index in range(100)}
    with pytest.raises(GuardError, match="would remove 4 of 4 objects"):
        changes(hydrated("a", "b", "c", "d", beside=beside), FOLDER, wanted("e"), "in2", max_removed_percent=50)


# Whether a folder is up to date


def test_folder_is_current_after_its_hydration() -> None:
    assert is_current(hydrated("a", "b"), FOLDER, "in1")


def test_folder_is_not_current_before_its_first_hydration_or_for_other_inputs() -> None:
    assert not is_current(tree_of({}), FOLDER, "in1")
    assert not is_current(hydrated("a"), FOLDER, "in2")


@pytest.mark.parametrize("edit", [b"edited", None])
def test_edit_by_hand_is_noticed(edit: bytes | None) -> None:
    tree = hydrated("a", "b").with_changes({f"{FOLDER}/a.yaml": edit})
    assert not is_current(tree, FOLDER, "in1")
    assert is_current(write(tree, wanted("a", "b")), FOLDER, "in1")


def test_lost_record_is_noticed() -> None:
    assert not is_current(hydrated("a").with_changes({RECORD: None}), FOLDER, "in1")


def test_file_of_somebody_else_does_not_make_a_folder_stale() -> None:
    assert is_current(hydrated("a").with_changes({f"{FOLDER}/README.md": b"mine"}), FOLDER, "in1")


# Object by object


def test_changes_are_told_object_by_object() -> None:
    tree = write(tree_of({}), {"service-shop.yaml": SERVICE % 80, "old.yaml": (SERVICE % 80).replace(b"shop", b"old")})
    files = {"service-shop.yaml": SERVICE % 8080, "new.yaml": (SERVICE % 80).replace(b"Service", b"Other")}
    what = changes(tree, FOLDER, files, "in2", max_removed_percent=50)
    told = [(one.action, one.kind, one.namespace, one.name, one.file) for one in object_changes(tree, FOLDER, what)]
    assert told == [
        ("added", "Other", "shop", "shop", "new.yaml"),
        ("removed", "Service", "old", "old", "old.yaml"),
        ("changed", "Service", "shop", "shop", "service-shop.yaml"),
    ]


def test_changed_object_tells_its_fields() -> None:
    tree = write(tree_of({}), {"service-shop.yaml": SERVICE % 80})
    what = changes(tree, FOLDER, {"service-shop.yaml": SERVICE % 8080}, "in2", max_removed_percent=50)
    (one,) = object_changes(tree, FOLDER, what)
    assert [(field.path, field.old, field.new) for field in one.fields] == [("spec.port", "80", "8080")]


@pytest.mark.parametrize("broken", [b"a: b: c", b"\xff\xfe", b"", b"just text", b"kind: {}"])
def test_object_that_somebody_broke_by_hand_is_told_as_added_again(broken: bytes) -> None:
    tree = write(tree_of({}), {"service-shop.yaml": SERVICE % 80}).with_changes({f"{FOLDER}/service-shop.yaml": broken})
    what = changes(tree, FOLDER, {"service-shop.yaml": SERVICE % 80}, "in1", max_removed_percent=50)
    (one,) = object_changes(tree, FOLDER, what)
    assert (one.action, one.name, one.fields) == ("added", "shop", ())


def test_broken_object_that_goes_is_told_by_its_file() -> None:
    tree = write(tree_of({}), {"service-shop.yaml": SERVICE % 80, "b.yaml": SERVICE % 80})
    tree = tree.with_changes({f"{FOLDER}/service-shop.yaml": b"a: b: c"})
    what = changes(tree, FOLDER, {"b.yaml": SERVICE % 80}, "in2", max_removed_percent=50)
    (one,) = object_changes(tree, FOLDER, what)
    assert (one.action, one.name, one.file) == ("removed", "service-shop.yaml", "service-shop.yaml")


SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: s
  namespace: shop
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"password":"NAME2"}}'
stringData: {password: NAME2}
"""
ENCRYPTED = "apiVersion: example.com/v1\nkind: Login\nmetadata: {name: s}\nuser: NAME2\nsops: {mac: 'ENC[x]'}\n"


@pytest.mark.parametrize("text", [SECRET, ENCRYPTED, SECRET.replace("v1\n", "example.com/v1\n", 1)])
def test_what_differs_in_a_secret_is_named_and_never_shown(text: str) -> None:
    tree = write(tree_of({}), {"s.yaml": text.replace("NAME2", "hunter1").encode()})
    new = {"s.yaml": text.replace("NAME2", "hunter2").encode()}
    (one,) = object_changes(tree, FOLDER, changes(tree, FOLDER, new, "in2", max_removed_percent=50))
    assert one.secret
    assert one.fields
    assert {(field.old, field.new) for field in one.fields} == {(HIDDEN, HIDDEN)}


@pytest.mark.parametrize(("old", "new"), [("ConfigMap", "Secret"), ("Secret", "ConfigMap")])
def test_a_config_map_that_becomes_a_secret_or_was_one_is_hidden_too(old: str, new: str) -> None:
    made = {kind: {f"{kind.lower()}.yaml": SECRET.replace("Secret", kind).encode()} for kind in (old, new)}
    tree = write(tree_of({}), made[old])
    what = changes(tree, FOLDER, made[new], "in2", max_removed_percent=100)
    assert [one.secret for one in object_changes(tree, FOLDER, what)] == [True, True]
    other = {name: data.replace(b"name: s\n", b"name: t\n") for name, data in made[new].items()}
    apart = object_changes(tree, FOLDER, changes(tree, FOLDER, other, "in2", max_removed_percent=100))
    assert {one.kind: one.secret for one in apart} == {"ConfigMap": False, "Secret": True}


# Files of somebody else's


FOREIGN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEPLOYMENT, "a file that Headgate did not write also defines Deployment web, so Flux would get it twice"),
        ("a: [\n", "a file that Headgate did not write prevents Flux from building the folder: not YAML"),
        (
            "a: b\n",
            "a file that Headgate did not write prevents Flux from building the folder: not a Kubernetes",
        ),
    ],
)
def test_file_that_doubles_an_object_or_breaks_the_folder_stops_its_app(
    manifests: ManifestRepository, text: str, message: str
) -> None:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    for name in ("web", "good"):
        manifests.app(name, "images: {web: registry.example.com/acme/web}\nproject: acme/web\ntemplate: web\n")
        manifests.release(name, "dev", images={"web": "registry.example.com/acme/web"})
    manifests.write({"deploy/dev/web/mine.yaml": text})
    ran = manifests.hydrate()
    assert ran.code == GuardError.code
    assert f"web in dev: deploy/dev/web/mine.yaml: {message}" in ran.err
    assert list(manifests.output()) == ["dev/good/deployment.apps-web.yaml", "dev/web/mine.yaml"]


@pytest.mark.parametrize("name", ["kustomization.yaml", "Kustomization", "below/kustomization.yml"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("resources: [gone.yaml]\n", "it names gone.yaml, which does not exist"),
        ("components: [../../lost]\n", "it names ../../lost, which does not exist"),
        ("resources: [", "not YAML"),
        ("resourses: []\n", "resourses"),
    ],
)
def test_a_kustomization_that_cannot_be_built_stops_its_app(
    manifests: ManifestRepository, name: str, text: str, problem: str
) -> None:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT, f"deploy/dev/web/{name}": text})
    for app in ("web", "good"):
        manifests.app(app, "images: {web: registry.example.com/acme/web}\nproject: acme/web\ntemplate: web\n")
        manifests.release(app, "dev", images={"web": "registry.example.com/acme/web"})
    ran = manifests.hydrate()
    assert ran.code == GuardError.code
    assert f"web in dev: deploy/dev/web/{name}: a file that Headgate did not write prevents Flux" in ran.err
    assert problem in ran.err
    assert [path for path in manifests.output() if "deployment" in path] == ["dev/good/deployment.apps-web.yaml"]


def test_a_kustomization_may_not_name_what_a_hydration_removes(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml": f"{DEPLOYMENT}---\n{FOREIGN}"})
    manifests.app("web", "images: {web: registry.example.com/acme/web}\nproject: acme/web\ntemplate: web\n")
    manifests.release("web", "dev", images={"web": "registry.example.com/acme/web"})
    assert manifests.hydrate().code == 0
    names = [path.removeprefix("dev/web/") for path in manifests.output()]
    assert len(names) == 2
    kustomization = "".join(f"- {name}\n" for name in names)
    manifests.write({"deploy/dev/web/kustomization.yaml": f"resources:\n{kustomization}"})
    assert manifests.hydrate("--all").code == 0
    manifests.write({"templates/web/web.yaml": DEPLOYMENT})
    ran = manifests.hydrate()
    assert ran.code == GuardError.code
    assert f"it names {names[0]}, which does not exist" in ran.err


def test_other_objects_of_somebody_elses_may_lie_there(manifests: ManifestRepository) -> None:
    manifests.write({"templates/web/web.yaml": DEPLOYMENT, "deploy/dev/web/mine.yaml": FOREIGN})
    named = "resources: [mine.yaml, deployment.apps-web.yaml, https://example.com/x.yaml, ../../shared]\n"
    manifests.write({"deploy/dev/web/README.md": "x", "deploy/dev/web/kustomization.yaml": named})
    manifests.write({"deploy/shared/kustomization.yaml": "resources: []\n"})
    manifests.app("web", "images: {web: registry.example.com/acme/web}\nproject: acme/web\ntemplate: web\n")
    manifests.release("web", "dev", images={"web": "registry.example.com/acme/web"})
    assert manifests.hydrate().code == 0
