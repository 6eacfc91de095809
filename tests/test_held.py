"""What a run over many app-environments holds in memory: little of each, however many there are."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.config import load
from headgate.hydration import hydrate, output, results
from headgate.hydration.assemble import RenderCache
from headgate.objects import packed
from headgate.objects.manifest import Manifest
from headgate.objects.packed import PackedManifests
from headgate.repository.git import Repository, tree_of_commit
from headgate.repository.held import HeldContents
from headgate.validation.judge import judge
from support.manifests import ManifestRepository
from support.trees import tree_of
from support.validator import use_validator

SETTINGS = "version: 1\nenvironments:\n  dev: {takes: {branch: main}, delivery: commit}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {%s: x}\n---\n"
APPS, OBJECTS, PORTION = 40, 3, 5


def many(key: str) -> dict[str, str | bytes]:
    """Return the files of many apps with objects of one template, each of which has this key."""
    objects = "".join(CONFIG_MAP % (number, key) for number in range(OBJECTS))
    apps = {f"apps/a{number:02}/app.yaml": "template: web\n" for number in range(APPS)}
    return {"headgate.yaml": SETTINGS, "templates/web/web.yaml": objects, **apps}


@pytest.fixture
def no_others() -> Iterator[None]:
    """Let the collector pass by what other tests left, which is much."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def live() -> int:
    return sum(type(found) is Manifest for found in gc.get_objects())


@pytest.mark.usefixtures("no_others")
def test_of_few_app_environments_objects_are_decoded_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(many("before"))
    configuration = load(tree)
    outcomes = hydrate.hydrate(tree, configuration, configuration.pairs())
    changed = tree_of(many("after"))
    for outcome in outcomes:
        changed = changed.with_changes(outcome.changes or {})
    counts: list[int] = []

    def counting(function: Any) -> Any:
        def counted(*args: Any, **named: Any) -> Any:
            gc.collect()
            counts.append(live())
            return function(*args, **named)

        return counted

    use_validator(monkeypatch)
    monkeypatch.setattr(hydrate, "PORTION", PORTION)
    monkeypatch.setattr(packed, "MAX_UNPACKED", 0)
    monkeypatch.setattr("headgate.hydration.judging.judge", counting(judge))
    monkeypatch.setattr(output, "changes", counting(output.changes))
    configuration = load(changed)
    outcomes = hydrate.hydrate(changed, configuration, configuration.pairs())
    assert [outcome.state for outcome in outcomes] == ["changed"] * APPS
    assert [len(outcome.objects) for outcome in outcomes] == [OBJECTS] * APPS
    assert OBJECTS <= max(counts) <= 3 * PORTION * OBJECTS < APPS * OBJECTS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MANIFESTS = st.builds(
    Manifest,
    group=st.text(),
    kind=st.text(),
    namespace=st.text(),
    name=st.text(),
    source=st.text(),
    data=st.dictionaries(st.text(), JSON, max_size=4),
    verbatim=st.text(),
    hook=st.lists(st.text(), max_size=2).map(tuple),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(manifests=st.lists(MANIFESTS, max_size=4))
def test_what_is_packed_is_unpacked_as_it_was(manifests: list[Manifest]) -> None:
    packed = PackedManifests(manifests, 0)
    packed.pack()
    assert packed.unpack() == tuple(manifests)
    assert packed.names == tuple(manifest.without_data for manifest in manifests)
    assert [str(name) for name in packed.names] == [str(manifest) for manifest in manifests]


@pytest.mark.parametrize("value", ["\ud800", math.inf, -math.inf, 10**400])
def test_what_only_some_json_can_hold_is_unpacked_as_it_was(value: object) -> None:
    manifest = Manifest(group="", kind="ConfigMap", namespace="", name="a", data={"data": value})
    packed = PackedManifests([manifest], 0)
    packed.pack()
    assert packed.unpack() == (manifest,)


def test_what_was_rendered_is_not_rendered_again_by_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(many("key"))
    configuration = load(tree)
    options = hydrate.HydrateOptions(cache=RenderCache())
    first = hydrate.hydrate(tree, configuration, configuration.pairs(), options)
    monkeypatch.setattr(results, "results_of", lambda plans, _folder: pytest.fail("rendered again") if plans else ())
    assert hydrate.hydrate(tree, configuration, configuration.pairs(), options) == first


def test_contents_that_were_read_long_ago_are_forgotten_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 3000
    monkeypatch.setattr(HeldContents, "_room", room)
    files: dict[str, str | bytes] = {f"{number}.txt": b"%d\n" % number * 100 for number in range(50)}
    made = ManifestRepository.make(tmp_path / "files").write(files).commit()
    repository = Repository(made.path)
    tree = tree_of_commit(repository, "HEAD")
    tree.load(["0.txt", "1.txt"])
    for name, data in [*files.items(), *reversed(files.items())]:
        assert tree.read(name) == data
        assert sum(map(len, repository.load([tree.oid(name)]).values())) <= room
    oids = [tree.oid(name) for name in files]
    assert list(repository.load(oids).values()) == list(files.values()), "all of one request, however many"
