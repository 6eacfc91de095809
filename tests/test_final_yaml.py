"""What is equal is read and compared once, however many environments have it and however many steps ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from headgate.engine import pool, reading
from headgate.engine.protocol import Answer
from headgate.errors import HeadgateError
from headgate.hydration import final_yaml, object_changes
from headgate.hydration.object_changes import compared_objects
from headgate.memo import Memo
from headgate.validation.judge import Found, Subject, judge
from support.manifests import DEPLOYMENT, ManifestRepository
from support.templates import config_map
from support.trees import objects, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from headgate.engine.protocol import Request
    from headgate.hydration.object_changes import ObjectChange
    from headgate.objects.manifest import Manifest

ROUTE = b"apiVersion: example.com/v1\nkind: Route\nmetadata: {name: shop, namespace: shop}\nspec: {image: 'shop:%d'}\n"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forget what other tests of this process read and compared; a call forgets again."""

    def forget() -> None:
        monkeypatch.setattr(final_yaml, "_read", Memo(1000))
        monkeypatch.setattr(object_changes, "_known", Memo(1000))

    forget()
    return forget


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files that the engine is asked to read."""
    found: list[str] = []
    ahead, alone = reading.read_objects_ahead, reading.objects

    def read_objects_ahead(files: Iterable[tuple[str, bytes]]) -> None:
        given = list(files)
        found.extend(path for path, _ in given)
        ahead(given)

    def read_alone(data: bytes, file: str) -> Any:
        found.extend([] if (file, data) in reading._ahead else [file])
        return alone(data, file)

    monkeypatch.setattr(reading, "read_objects_ahead", read_objects_ahead)
    monkeypatch.setattr(reading, "objects", read_alone)
    return found


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files of the objects that are compared."""
    found: list[str] = []
    compare = object_changes.object_change

    def object_change(
        file: str, old: Manifest | None, new: Manifest | None, workloads: Mapping[str, str]
    ) -> ObjectChange:
        found.append(file)
        return compare(file, old, new, workloads)

    monkeypatch.setattr(object_changes, "object_change", object_change)
    return found


def test_equal_files_are_read_once_and_each_is_the_place_of_its_object(read: list[str]) -> None:
    text = config_map("one", x="a").encode()
    final_yaml.read_ahead([("dev/one.yaml", text), ("prod/one.yaml", text)])
    found = [final_yaml.objects_of(path, text)[0] for path in ("dev/one.yaml", "prod/one.yaml")]
    assert [str(manifest.place) for manifest in found] == ["dev/one.yaml", "prod/one.yaml"]
    assert found[0].data == found[1].data == {**found[0].data, "data": {"x": "a"}}
    assert read == ["prod/one.yaml"]


def test_file_that_cannot_be_read_is_its_own_error_alone() -> None:
    text = config_map("one", x="a").encode()
    final_yaml.read_ahead([("one.yaml", text), ("broken.yaml", b"a: ["), ("two.yaml", text)])
    assert [manifest.name for manifest in final_yaml.objects_of("one.yaml", text)] == ["one"]
    with pytest.raises(HeadgateError, match=r"broken\.yaml"):
        final_yaml.objects_of("broken.yaml", b"a: [")


def test_what_was_read_is_forgotten_when_it_takes_too_much_room(read: list[str]) -> None:
    texts = [config_map("one", x=letter * 600).encode() for letter in "abc"]
    for _ in range(2):
        final_yaml.read_ahead([("a.yaml", texts[0]), ("b.yaml", texts[1])])
        assert final_yaml.objects_of("c.yaml", texts[2])[0].data["data"] == {"x": "c" * 600}
    assert read == ["a.yaml", "b.yaml", "c.yaml"] * 2


def test_equal_changes_are_compared_once(compared: list[str]) -> None:
    folders = ("deploy/dev/shop", "deploy/prod/shop")
    tree = tree_of({f"{folder}/route.yaml": ROUTE % 1 for folder in folders})
    for workloads in ({}, {"Route.example.com": "spec.image"}):
        found = [
            next(compared_objects(tree, folder, {f"{folder}/route.yaml": ROUTE % 2}, workloads=workloads))
            for folder in folders
        ]
        assert [str(side.place) for one in found for side in (one.old, one.new) if side] == [
            f"{folder}/route.yaml" for folder in folders for _ in range(2)
        ]
        assert found[0].change == found[1].change
        assert [risk.flag for risk in found[0].change.risks] == (["unpinned-image"] if workloads else [])
    assert compared == ["route.yaml"] * 2  # once with each setting


def test_environments_of_an_app_are_judged_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(app, environment) for environment in ("dev", "prod") for app in ("b", "a")]
    subjects = [
        Subject(app=app, environment=environment, kubernetes="1.34", manifests=objects(config_map(app, at=environment)))
        for app, environment in places
    ]
    sent: list[Any] = []

    def converse(requests: Iterable[Request]) -> list[tuple[Request, Answer]]:
        found = list(requests)
        sent.extend(data for request in found for data in request.body["objects"])
        nothing = Answer(value={"findings": [], "unchecked": []})
        return [(request, nothing) for request in found]

    monkeypatch.setattr(pool, "converse", converse)
    assert judge(subjects) == [Found()] * len(subjects)
    assert [(data["metadata"]["name"], data["data"]["at"]) for data in sent] == sorted(places)


def test_description_takes_what_hydration_compared(
    manifests: ManifestRepository, read: list[str], compared: list[str], forget: Callable[[], None]
) -> None:
    right = DEPLOYMENT.replace("acme/web\n", "acme/web:1\n")
    manifests.app("web", "template: web\nenvironments: [dev]\n")
    manifests.write({"templates/web/all.yaml": f"{right}---\n{config_map('settings', level='info')}"})
    manifests.hydrate()
    changed = f"{right.replace('web:1', 'web:2')}---\n{config_map('settings', level='debug')}"
    manifests.write({"templates/web/all.yaml": changed})
    forget()
    read.clear()
    compared.clear()
    ran = manifests.hydrate("--dry-run")
    assert "debug" in ran.out, ran.err
    assert sorted(compared) == ["configmap-settings.yaml", "deployment.apps-web.yaml"]
    assert sorted(read) == [f"deploy/dev/web/{name}" for name in sorted(compared)]  # what is there now
