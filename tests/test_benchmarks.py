"""The benchmark runs and tells what it measured. Nothing is expected of the times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.validator import use_validator

PROGRAM = Path(__file__).resolve().parents[1] / "benchmarks" / "hydrate.py"


def benchmark(*args: str) -> str:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--rounds", "1", "--scale", "0.02", *args], check=True, stdout=-1
    )
    return done.stdout.decode()


@pytest.mark.long
def test_measures_each_case() -> None:
    cases = ["helm", "kustomize", "jinja2", "plain", "plain-shared", "start"]
    data = json.loads(benchmark("--only", ",".join(cases), "--json"))
    assert [one["name"] for one in data["cases"]] == cases
    for found in data["cases"]:
        assert found["renders"] >= 1
        assert found["objects"] >= found["renders"]
        for way in found["ways"].values():
            assert all(way[key] > 0 for key in ("wall_seconds", "cpu_seconds", "wall_milliseconds_each", "peak_bytes"))
        for figure in found["figures"]:
            assert figure["value"] > 0
            assert figure["met"] in ((None,) if figure["under"] is None else (True, False))


@pytest.mark.long
def test_prints_a_table_with_goals() -> None:
    text = benchmark("--only", "start")
    assert "start: 1 app-environments" in text
    assert "headgate --version / python -c pass" in text
    assert "goal under 0.1 s: " in text


def test_unknown_case_is_refused() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        benchmark("--only", "helmet")


@pytest.mark.long
def test_measures_a_hand_off() -> None:
    program = PROGRAM.with_name("deliver.py")
    args = ["--apps", "12", "--commits", "3", "--latency", "0", "--rounds", "1", "--json"]
    done = subprocess.run([sys.executable, str(program), *args], check=True, stdout=-1)
    large, small = json.loads(done.stdout).values()
    for ways in (large, small):
        assert ways["hand-off, address"]["requests"] == 9
        assert ways["git part, address"]["requests"] == 7
        assert ways["git part, checkout"]["requests"] == ways["hand-off, checkout"]["requests"] == 2
        assert all(way["seconds"] > 0 for way in ways.values())


@pytest.mark.long
def test_measures_a_rehydration() -> None:
    program = PROGRAM.with_name("rehydrate.py")
    args = ["--apps", "4", "--changed", "3", "--rounds", "2", "--json"]
    done = subprocess.run([sys.executable, str(program), *args], check=True, stdout=-1)
    data = json.loads(done.stdout)
    assert set(data["ways"]) == {"start", "nothing changed", "template changed"}
    assert all(value > 0 for way in data["ways"].values() for value in way.values())


@pytest.mark.long
def test_measures_how_it_grows() -> None:
    program = PROGRAM.with_name("scale.py")
    args = ["--sizes", "6,30", "--commits", "10", "--rounds", "1", "--shards", "2", "--json"]
    done = subprocess.run([sys.executable, str(program), *args], check=True, stdout=-1)
    data = json.loads(done.stdout)
    assert {way: set(sizes) for way, sizes in data["ways"].items()} == {
        "no-op": {"6", "30"},
        "hand-off": {"6", "30"},
    }
    assert all(ratio > 0 for ratio in data["cpu_ratios"].values())
    for size in ("6", "30"):
        template = data["template"][size]
        assert len(template["shards"]) == 2
        assert all(one["cpu"] > 0 and one["memory"] > 0 for one in (*template["shards"], template["last job"]))
        assert template["last job"]["cpu"] < template["cpu"]


@pytest.mark.long
def test_measures_a_review(monkeypatch: pytest.MonkeyPatch) -> None:
    use_validator(monkeypatch)
    program = PROGRAM.with_name("validate.py")
    args = ["--number", "6", "--rounds", "1", "--json"]
    done = subprocess.run([sys.executable, str(program), *args], check=True, stdout=-1)
    data = json.loads(done.stdout)
    assert data["objects"] == 30
    assert {"start", "validation", "diff", "description"} <= set(data["ways"])
    assert all(value > 0 for way in data["ways"].values() for value in way)
