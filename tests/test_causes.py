"""Why YAML changes: each cause with a change that has it, and one close by that has another, or cannot be told."""

from __future__ import annotations

import pytest
import yaml

from headgate.hydration.record import OutputRecord, read_record
from headgate.objects.manifest import Manifest
from headgate.report.causes import AppInputs, Cause, Causes, causes_of, changed_inputs
from headgate.repository.tree import Tree
from support.manifests import ManifestRepository
from support.trees import one_object, tree_of

SOURCES = {"image web": "1", "config": "1", "template web": "1", "values apps/web/values.yaml": "1", "settings": "1"}


def record(*, engine: str = "helm 4.3.0", **sources: str) -> OutputRecord:
    named = {key.replace("_", " ").replace("apps web", "apps/web/"): value for key, value in sources.items()}
    return OutputRecord(files=("x.yaml",), engine=engine, sources={**SOURCES, **named})


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ("image web", Cause("image", "web")),
        ("config", Cause("config")),
        ("template web", Cause("template", "web")),
        ("values apps/web/values.yaml", Cause("values", "apps/web/values.yaml")),
        ("settings", Cause("settings")),
    ],
)
def test_each_input_is_a_cause(changed: str, cause: Cause) -> None:
    after = OutputRecord(files=("x.yaml",), engine="helm 4.3.0", sources={**SOURCES, changed: "2"})
    assert changed_inputs(record(), after) == (cause,)
    assert changed_inputs(record(), record()) == ()


def test_an_input_that_comes_or_goes_is_a_cause() -> None:
    less = OutputRecord(files=("x.yaml",), engine="helm 4.3.0", sources={"settings": "1"})
    kinds = ["image", "config", "template", "values"]
    assert sorted(cause.kind for cause in changed_inputs(less, record())) == sorted(kinds)
    assert changed_inputs(less, record()) == changed_inputs(record(), less)


def test_another_version_of_an_engine_is_a_cause() -> None:
    assert changed_inputs(record(), record(engine="helm 4.3.1")) == (Cause("engine", "helm 4.3.0 -> 4.3.1"),)
    assert changed_inputs(record(), record(engine="kustomize 5.8.2")) == ()


def test_an_edit_by_hand_that_is_undone_is_a_cause() -> None:
    assert changed_inputs(record(), record(), edited=True) == (Cause("edited"),)


def test_new_and_removed_apps() -> None:
    assert changed_inputs(OutputRecord(), record()) == (Cause("first"),)
    assert changed_inputs(record(), OutputRecord()) == (Cause("gone"),)


def test_of_older_records_nothing_is_guessed() -> None:
    old = OutputRecord(files=("x.yaml",), engine="helm 4.3.0")
    assert changed_inputs(old, record()) == ()
    assert changed_inputs(old, record(engine="helm 4.3.1")) == (Cause("engine", "helm 4.3.0 -> 4.3.1"),)
    assert str(Causes()) == "cannot tell why"


IMAGES = {"web": "registry.example.com/web"}
IMAGE, TEMPLATE, VALUES = Cause("image", "web"), Cause("template", "web"), Cause("values", "apps/web/values.yaml")


def deployment(tag: str, more: str = "", sidecar: str = "nginx:1") -> Manifest:
    containers = f"[{{name: web, image: 'registry.example.com/web:{tag}'{more}}}, {{name: s, image: '{sidecar}'}}]"
    spec = f"{{template: {{spec: {{containers: {containers}}}}}}}"
    return one_object(f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {spec}\n")


def causes(old: Manifest | None, new: Manifest | None, *inputs: Cause) -> Causes:
    return causes_of(old, new, AppInputs(changed=inputs, images=IMAGES, workloads={}))


def test_only_the_image_differs() -> None:
    assert causes(deployment("1"), deployment("2"), IMAGE, TEMPLATE, VALUES) == Causes((IMAGE,))


def test_the_image_and_something_else() -> None:
    old, new = deployment("1"), deployment("2", ", tty: true")
    assert causes(old, new, IMAGE, TEMPLATE) == Causes(tuple(sorted((IMAGE, TEMPLATE))))
    assert causes(old, new, IMAGE, TEMPLATE, VALUES) == Causes((IMAGE,), (TEMPLATE, VALUES))
    assert str(causes(old, new, IMAGE, TEMPLATE, VALUES)) == "image web and template web or apps/web/values.yaml"


def test_the_image_alone_changed_and_more_differs_with_it() -> None:
    assert causes(deployment("1"), deployment("2", ", tty: true"), IMAGE) == Causes((IMAGE,))


def test_an_image_that_is_not_the_apps_own_comes_from_elsewhere() -> None:
    assert causes(deployment("1"), deployment("1", sidecar="nginx:2"), IMAGE, TEMPLATE) == Causes((TEMPLATE,))


def test_several_inputs_that_may_be_it() -> None:
    found = causes(deployment("1"), deployment("1", ", tty: true"), TEMPLATE, VALUES)
    assert found == Causes((), (TEMPLATE, VALUES))


def test_nothing_known() -> None:
    assert causes(deployment("1"), deployment("1", ", tty: true")) == Causes()


def test_objects_that_come_and_go() -> None:
    assert causes(None, deployment("1"), Cause("first")) == Causes((Cause("first"),))
    assert causes(deployment("1"), None, TEMPLATE) == Causes((TEMPLATE,))


TEMPLATE_TEXT = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {level: {{ .Values.level | default "info" | quote }}, greeting: %s}
"""


def hydrated(repository: ManifestRepository) -> Tree:
    assert repository.hydrate().code == 0
    found = {
        path.relative_to(repository.path).as_posix(): path.read_bytes()
        for path in repository.path.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    return tree_of(found)


def test_what_a_hydration_records_names_the_cause(tmp_path_factory: pytest.TempPathFactory) -> None:
    repository = ManifestRepository.make(tmp_path_factory.mktemp("causes") / "manifests")
    chart = yaml.safe_dump({"apiVersion": "v2", "name": "web", "version": "1.0.0"})
    repository.write({"templates/web/Chart.yaml": chart, "templates/web/templates/all.yaml": TEMPLATE_TEXT % "hello"})
    repository.app("shop", "template: web\nenvironments: [dev]\n", {"values.yaml": "level: info\n"})
    folder = "deploy/dev/shop"
    first = read_record(hydrated(repository), folder)
    repository.write({"apps/shop/values.yaml": "# a comment\nlevel: debug\n"})
    second = read_record(hydrated(repository), folder)
    repository.write({"apps/shop/values.yaml": "level: debug # moved\n"})
    repository.write({"templates/web/templates/all.yaml": TEMPLATE_TEXT % "bye"})
    third = read_record(hydrated(repository), folder)
    repository.write({"apps/shop/values.dev.yaml": "level: trace\n"})
    fourth = read_record(hydrated(repository), folder)
    assert changed_inputs(OutputRecord(), first) == (Cause("first"),)
    assert changed_inputs(first, second) == (Cause("values", "apps/shop/values.yaml"),)
    assert changed_inputs(second, third) == (Cause("template", "web"),)
    assert changed_inputs(third, fourth) == (Cause("values", "apps/shop/values.dev.yaml"),)
