"""The validator's verdicts next to those of a real API server, which applies each object as Flux does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from headgate.engine import pool, reading
from headgate.engine.protocol import Request, validator_command
from headgate.objects.kinds import KUBERNETES
from headgate.validation.rules import OWN_RULES, RULES
from support.apiserver import ApiServer, serve_apiserver
from support.validator import wrong_objects
from test_applied import Final, create, hydrate_examples, hydrate_real, is_definition, namespaces, read_final_yaml

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("validator")]

REPLACES = "test/replaces"
HERE = "verdicts"  # the namespace of objects that name none
REJECTS = {rule for rule, facts in RULES.items() if facts.level == "error" and rule not in OWN_RULES}

DIFFERENCES: dict[str, str] = {}
"""Objects of which the two say different things, and why."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An object, and what it takes the place of."""

    name: str
    data: Mapping[str, Any]
    current: Mapping[str, Any] | None = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server with a namespace for what names none."""
    with serve_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        create(running, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HERE}}])
        yield running


def placed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object in a namespace, where it is of a kind that has one."""
    group = data["apiVersion"].rpartition("/")[0]
    name = f"{data['kind']}.{group}" if group else data["kind"]
    metadata = dict(data["metadata"])
    if KUBERNETES.get(name) != "cluster":
        metadata.setdefault("namespace", HERE)
    return {**data, "metadata": metadata}


def cases_of(texts: Sequence[tuple[str, str]]) -> list[Case]:
    """Return the objects in texts; one with the annotation takes the place of the one before it."""
    found: list[Case] = []
    for name, text in texts:
        for engine_object in reading.objects(text, name):
            data = placed(engine_object.data)
            is_next = REPLACES in (data["metadata"].get("annotations") or {})
            current = found[-1].data if is_next else None
            found.append(Case(name=f"{name} {data['metadata']['name']}", data=data, current=current))
    return found


@cache
def resources(server: ApiServer, version: str) -> dict[str, str]:
    """Return the resource of each kind of a group's version."""
    answer = server.get(f"/apis/{version}" if "/" in version else f"/api/{version}")
    listed = answer.json()["resources"] if answer.ok else []
    return {one["kind"]: one["name"] for one in listed if "/" not in one["name"]}


def applied(server: ApiServer, data: Mapping[str, Any], *, keep: bool = False) -> str:
    """Apply an object as Flux does; return why the server rejects it.

    Nothing where it takes it, '?' where it does not know the group.
    """
    version, metadata = data["apiVersion"], data["metadata"]
    resource = resources(server, version).get(data["kind"])
    if resource is None:
        is_builtin = any(version.rpartition("/")[0] == kind.partition(".")[2] for kind in KUBERNETES)
        return "no such kind" if is_builtin else "?"
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    options = {"fieldManager": "flux", "force": "true", "fieldValidation": "Strict"}
    options |= {} if keep else {"dryRun": "All"}
    answer = server.session.patch(
        f"{server.url}{base}{where}/{resource}/{metadata['name']}",
        data=json.dumps(data),
        params=options,
        headers={"Content-Type": "application/apply-patch+yaml"},
        timeout=30,
    )
    return "" if answer.ok else str(answer.json().get("message", answer.text))


def judged(cases: Sequence[Case], definitions: Mapping[str, Any]) -> list[str]:
    """Return what the validator says against each: nothing where it takes it, '?' where it does not know the kind."""
    objects = [*definitions.values()]
    body = {
        "kubernetes": "1.37",
        "objects": [*objects, *(case.data for case in cases)],
        "current": [*(None for _ in objects), *(case.current for case in cases)],
    }
    answer = pool.call(Request(kind="validate", body=body, command=validator_command))
    assert (answer.error, answer.failure) == (None, None)
    found: dict[int, list[str]] = {}
    for entry in answer.value["findings"]:
        if entry["rule"] in REJECTS:
            found.setdefault(entry["object"] - len(objects), []).append(f"{entry.get('field')}: {entry['message']}")
    unknown = set(answer.value["unchecked"])
    kinds = [f"{case.data['kind']}.{case.data['apiVersion'].rpartition('/')[0]}" for case in cases]
    return ["?" if kind in unknown else "; ".join(found.get(number, ())) for number, kind in enumerate(kinds)]


def compare(server: ApiServer, cases: Sequence[Case], definitions: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the cases of which the two say different things, with what each says."""
    differing = {}
    for case, ours in zip(cases, judged(cases, definitions), strict=True):
        if case.current is not None:
            assert applied(server, case.current, keep=True) == "", case
        theirs = applied(server, case.data)
        verdicts = [said if said == "?" else bool(said) for said in (ours, theirs)]
        if verdicts[0] != verdicts[1] and case.name not in DIFFERENCES:
            differing[case.name] = (ours, theirs)
    return differing


def test_verdicts_are_equal_on_objects_of_many_kinds(server: ApiServer) -> None:
    text = (Path(__file__).parent / "verdicts/objects.yaml").read_text()
    documents = [("objects.yaml", document) for document in re.split(r"^---\n", text, flags=re.MULTILINE)]
    cases = cases_of(documents)
    assert len(cases) > 60
    assert compare(server, cases, {}) == {}
    assert len([verdict for verdict in judged(cases, {}) if verdict not in ("", "?")]) > 40


def test_verdicts_are_equal_on_wrong_objects(server: ApiServer) -> None:
    folder = wrong_objects()
    (definition,) = cases_of([("00-crd", (folder / "00-crd.yaml").read_text())])
    create(server, [definition.data])
    resources.cache_clear()
    cases = []
    for path in sorted(folder.glob("*.yaml")):
        if path.stem in ("00-crd", "50-dup-yaml-key") or path.stem.endswith(".old"):
            continue  # a key that is set twice is refused before anything is judged
        old = path.with_name(f"{path.stem}.old.yaml")
        before = cases_of([("old", old.read_text())])[0].data if old.exists() else None
        (case,) = cases_of([(path.stem, path.read_text())])
        named = {**case.data, "metadata": {**case.data["metadata"], "name": unique(path.stem, case.data)}}
        current = before and {**before, "metadata": {**before["metadata"], "name": named["metadata"]["name"]}}
        cases.append(Case(name=path.stem, data=named, current=current))
    assert compare(server, cases, {"widgets": definition.data}) == {}


def unique(stem: str, data: Mapping[str, Any]) -> str:
    """Return a name of its own for an object, unless its name is what is wrong with it."""
    return str(data["metadata"]["name"]) if "name" in stem else f"case-{stem}"


@pytest.mark.parametrize("source", ["examples", "real"])
def test_verdicts_are_equal_on_what_is_hydrated(
    server: ApiServer, source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if source == "examples":
        folder = hydrate_examples(tmp_path)
    else:
        folder = hydrate_real(tmp_path, request.getfixturevalue("real"))
    paths = sorted(folder.rglob("*.yaml"))
    files = [Final(path, path.read_text(), read_final_yaml(path.read_text())) for path in paths]
    create(server, namespaces(files))
    definitions = {file.data["metadata"]["name"]: file.data for file in files if is_definition(file)}
    create(server, definitions.values())
    resources.cache_clear()
    cases = [Case(name=f"{file.path.relative_to(folder)}", data=file.data) for file in files]
    assert len(cases) >= {"examples": 17, "real": 1300}[source]
    assert compare(server, cases, definitions) == {}
