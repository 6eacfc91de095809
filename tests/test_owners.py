"""Inputs of different owners never share a process, and whose a render is: who wrote the code that runs in it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.errors import RenderError
from support.charts import chart_yaml
from support.engines import OWN_CONFIGS, Processes, config_with, noted, replaced
from support.manifests import ManifestRepository

APPS = ("one", "two", "three")
ENGINES = pytest.mark.parametrize("engine", list(OWN_CONFIGS))


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Note what every process is given."""
    return noted(monkeypatch)


def shared_with(*marks: str, processes: Processes) -> list[tuple[str, str]]:
    """Return the marks that one process was given together."""
    by_mark = {mark: set(processes.with_text(mark)) for mark in marks}
    assert all(by_mark.values()), "each was read"
    return [(a, b) for a, b in itertools.combinations(marks, 2) if by_mark[a] & by_mark[b]]


@pytest.mark.long
@ENGINES
def test_configs_of_different_apps_meet_in_no_process(
    manifests: ManifestRepository, processes: Processes, engine: str
) -> None:
    template = config_with(engine, "shared", "MARK-platform")
    manifests.write({f"templates/web/{file}": text for file, text in template.items()})
    for name in ("first", "second"):
        manifests.app(name, "template: web\nenvironments: [dev]\n")
    for name in APPS:
        manifests.app(name, "project: acme/web\nconfig: deploy\n")
        for environment in ("dev", "production"):
            manifests.release(name, environment, config=config_with(engine, name, f"MARK-{name}"))
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert shared_with("MARK-platform", *(f"MARK-{name}" for name in APPS), processes=processes) == []


def test_values_of_different_apps_are_read_in_processes_of_their_own(
    manifests: ManifestRepository, processes: Processes
) -> None:
    manifests.write({f"templates/web/{file}": text for file, text in config_with("helm", "a", "b").items()})
    for name in APPS:
        manifests.app(name, "project: acme/web\ntemplate: web\nconfig: deploy\nenvironments: [dev]\ngrant: ['*']\n")
        manifests.release(name, "dev", config={"values.yaml": f"a: 1  # MARK-{name}\n"})
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert shared_with(*(f"MARK-{name}" for name in APPS), processes=processes) == []


RUNS_VALUES = {
    "Chart.yaml": chart_yaml("web"),
    "values.yaml": "code: none\nlist: []\nmap: {}\n",
    "templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n"
    "data: {text: {{ tpl .Values.code . | quote }}, all: {{ tpl (toJson .Values) . | quote }}}\n",
}


@pytest.mark.parametrize(
    ("values", "owner"),
    [
        ("code: '{{ .Release.Name }} MARK-code'\n", "app"),
        ("list: [{a: '{{ .Release.Name }} MARK-code'}]\n", "app"),
        ("map: {'{{ .Release.Name }} MARK-code': 1}\n", "app"),
        ("code: text MARK-code\n", "platform"),
        ("code: '{ { MARK-code'\n", "platform"),
    ],
)
def test_value_that_a_chart_may_run_makes_the_app_the_owner(
    manifests: ManifestRepository, processes: Processes, values: str, owner: str
) -> None:
    manifests.write({f"templates/web/{file}": text for file, text in RUNS_VALUES.items()})
    grant = "[{path: code, text: true}, {path: list, text: true}, {path: map, text: true}]"
    manifests.app("other", "template: web\nenvironments: [dev]\n", {"values.yaml": "code: MARK-platform\n"})
    manifests.app("web", f"project: acme/web\ntemplate: web\nconfig: deploy\nenvironments: [dev]\ngrant: {grant}\n")
    manifests.release("web", "dev", config={"values.yaml": values})
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    met = shared_with("MARK-code", "MARK-platform", processes=processes)
    assert bool(met) == (owner == "platform")


def test_template_in_a_value_of_the_platforms_stays_the_platforms(
    manifests: ManifestRepository, processes: Processes
) -> None:
    manifests.write({f"templates/web/{file}": text for file, text in RUNS_VALUES.items()})
    for name in ("one", "two"):
        values = f"code: '{{{{ .Release.Name }}}} MARK-{name}'\n"
        manifests.app(name, "template: web\nenvironments: [dev]\n", {"values.yaml": values})
    assert manifests.hydrate().code == 0
    assert shared_with("MARK-one", "MARK-two", processes=processes) == [("MARK-one", "MARK-two")]


# A process that dies


DIES = """
import subprocess, sys
engine = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE)
renders = 0
for line in sys.stdin.buffer:
    renders += b'"helm": {' in line
    if b'"helm": {' in line and (b"DIES-ALWAYS" in line or b"DIES-IN-COMPANY" in line and renders > 1):
        with open(sys.argv[1], "a") as log:
            log.write(f"{renders}\\n")
        engine.stdin.close()
        engine.wait()
        sys.exit(3)
    engine.stdin.write(line)
    engine.stdin.flush()
engine.stdin.close()
engine.wait()
"""
"""An engine that ends with 3 when it is to render values with a mark."""


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Return a file with a line for each death: how many renders the process was given by then."""
    program, log = tmp_path / "dies.py", tmp_path / "deaths"
    program.write_text(DIES)
    log.touch()
    with replaced(monkeypatch, tmp_path / "tools", f"exec '{sys.executable}' '{program}' '{log}' \"$ENGINE\" \"$@\""):
        yield log


def many_apps(manifests: ManifestRepository, bad: str, value: str) -> None:
    """Add apps with one template; one of them sets a value."""
    manifests.write({f"templates/web/{file}": text for file, text in RUNS_VALUES.items()})
    for name in ("a", "b", "c", "d", "e"):
        values = {"values.yaml": f"code: {value}\n"} if name == bad else {}
        manifests.app(name, "template: web\nenvironments: [dev]\n", values)


@pytest.mark.parametrize("bad", ["a", "c", "e"])
def test_request_that_a_process_died_on_is_tried_once_more_alone_and_is_charged(
    manifests: ManifestRepository, deaths: Path, bad: str
) -> None:
    many_apps(manifests, bad, "DIES-ALWAYS")
    outcomes = {one["app"]: one for one in manifests.hydrate_json()}
    assert {name: one["state"] for name, one in outcomes.items()} == {
        name: "failed" if name == bad else "changed" for name in "abcde"
    }
    assert outcomes[bad]["error"]["code"] == RenderError.code
    assert outcomes[bad]["error"]["where"]["file"] == "templates/web"
    assert outcomes[bad]["error"]["message"].startswith("the engine failed (exit code 3)")
    assert len(deaths.read_text().splitlines()) == 2
    assert deaths.read_text().splitlines()[1] == "1", "alone"


@pytest.mark.parametrize("bad", ["b", "e"])
def test_request_that_a_process_died_on_is_not_charged_when_it_succeeds_alone(
    manifests: ManifestRepository, deaths: Path, bad: str
) -> None:
    many_apps(manifests, bad, "DIES-IN-COMPANY")
    assert {one["app"]: one["state"] for one in manifests.hydrate_json()} == dict.fromkeys("abcde", "changed")
    assert len(deaths.read_text().splitlines()) == 1
