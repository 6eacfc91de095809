"""What other jobs rendered is taken where it can be believed; the final YAML is the same whatever the folder holds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate import render
from headgate.hydration import results
from headgate.hydration.results import ResultFolder
from support.cli import Ran, headgate
from support.manifests import ManifestRepository
from support.registry import Registry
from support.reviewing import make_sender_scene

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {size: "{{ values.size }}", app: "{{ app }}"}
"""
APPS = 8


@pytest.fixture
def repository(manifests: ManifestRepository) -> ManifestRepository:
    """Return eight apps of one template, committed and not hydrated, and one whose render fails."""
    manifests.write({"templates/web/web.yaml.j2": TEMPLATE, "templates/web/values.yaml": "size: 1\n"})
    for number in range(APPS):
        manifests.app(f"app-{number}", "template: web\nenvironments: [dev]\n")
    return manifests.commit()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a folder of results and its key, as a job's variables do, and let no result be rendered again."""
    monkeypatch.setenv("HEADGATE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HEADGATE_RESULTS_KEY", "a secret")
    monkeypatch.setattr(ResultFolder, "is_rechecked", lambda *_: False)
    return tmp_path / "results"


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets each app that an engine renders."""
    apps: list[str] = []
    engine = render.ENGINES["jinja2"]

    def noted(batch):  # type: ignore[no-untyped-def]
        apps.extend(item.app for item in batch)
        return engine(batch)

    monkeypatch.setitem(render.ENGINES, "jinja2", noted)
    return apps


def warm(repository: ManifestRepository, *args: str) -> Ran:
    ran = headgate("warm", "--manifests", str(repository.path), *args)
    assert ran.code == 0, ran.err
    return ran


def without_folder(repository: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the final YAML as one job alone makes it, and take it away again."""
    with monkeypatch.context() as alone:
        alone.delenv("HEADGATE_RESULTS")
        assert repository.hydrate().code == 0
    made = repository.output()
    for path in made:
        (repository.path / "deploy" / path).unlink()
    for record in repository.path.glob("deploy/*/*/.headgate.json"):
        record.unlink()
    return made


def test_shares_have_all_that_is_to_be_rendered_once(repository: ManifestRepository, rendered: list[str]) -> None:
    for shard in ("1/3", "2/3", "3/3"):
        assert f"of {APPS} app-environments" in warm(repository, "--shard", shard).out
    assert sorted(rendered) == [f"app-{number}" for number in range(APPS)]


def test_what_is_kept_is_not_rendered_again(
    repository: ManifestRepository, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = without_folder(repository, monkeypatch)
    warm(repository)
    rendered.clear()
    assert repository.hydrate().code == 0
    assert rendered == []
    assert repository.output() == expected


def test_a_missing_shard_is_rendered(repository: ManifestRepository, rendered: list[str]) -> None:
    warm(repository, "--shard", "1/2")
    first = set(rendered)
    rendered.clear()
    assert repository.hydrate().code == 0
    assert set(rendered) == {f"app-{number}" for number in range(APPS)} - first


def swapped(files: list[Path]) -> None:
    first, second = files[0].read_bytes(), files[1].read_bytes()
    files[0].write_bytes(second)
    files[1].write_bytes(first)


def linked(files: list[Path]) -> None:
    for file in files:
        file.unlink()
        file.symlink_to("/dev/zero")


UNUSABLE: dict[str, Callable[[list[Path]], object]] = {
    "poisoned": lambda files: [one.write_bytes(one.read_bytes().replace(b"x", b"y")[:-1] + b"\0") for one in files],
    "cut": lambda files: [one.write_bytes(one.read_bytes()[:-5]) for one in files],
    "a link to an endless file": linked,
    "empty": lambda files: [one.write_bytes(b"") for one in files],
    "of other inputs": swapped,
}


@pytest.mark.long
@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_believed_is_rendered_and_counted(
    repository: ManifestRepository,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[list[Path]], object],
) -> None:
    expected = without_folder(repository, monkeypatch)
    warm(repository)
    spoil(sorted(folder.iterdir()))
    assert "were not used" in warm(repository).out
    assert repository.hydrate().code == 0
    assert repository.output() == expected


def test_what_another_key_made_is_not_believed(
    repository: ManifestRepository, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as foreign:
        foreign.setenv("HEADGATE_RESULTS_KEY", "a merge request's")
        warm(repository)
    rendered.clear()
    assert f"{APPS} kept results were not used" in warm(repository).out
    assert len(rendered) == APPS


@pytest.mark.parametrize("name", ["headgate.hydration.results.__version__", "headgate.engine.pool.build"])
def test_what_another_version_made_is_not_taken(
    repository: ManifestRepository, rendered: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as older:
        older.setattr(name, "0.9" if name.endswith("__version__") else lambda: "older")
        warm(repository)
    rendered.clear()
    warm(repository)
    assert len(rendered) == APPS


def test_without_a_key_nothing_is_kept_or_taken(
    repository: ManifestRepository, rendered: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm(repository)
    rendered.clear()
    monkeypatch.delenv("HEADGATE_RESULTS_KEY")
    assert repository.hydrate().code == 0
    assert len(rendered) == APPS
    ran = headgate("warm", "--manifests", str(repository.path))
    assert ran.code == 10
    assert "HEADGATE_RESULTS_KEY or HEADGATE_TOKEN" in ran.err


def test_a_kept_result_that_differs_from_what_is_rendered_names_its_job(
    repository: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example.com/acme/manifests/-/jobs/7")
    with monkeypatch.context() as faulty:
        faulty.setattr(results, "_as_data", lambda _: {"objects": [], "warnings": [], "error": None})
        warm(repository)
    monkeypatch.setattr(ResultFolder, "is_rechecked", lambda *_: True)
    ran = repository.hydrate()
    assert ran.code == 21
    assert "jobs/7 rendered something else from the same inputs" in ran.err


def test_one_in_fifty_is_rendered_again_and_each_run_chooses_others(
    repository: ManifestRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    runs = [ResultFolder.of(Path("x"), "secret", "", str(number)) for number in range(2)]
    chosen = [{number for number in range(5000) if one.is_rechecked(str(number))} for one in runs]
    assert all(60 < len(one) < 140 for one in chosen)
    assert len(chosen[0] & chosen[1]) < 20


def test_warnings_are_kept_with_their_places(repository: ManifestRepository) -> None:
    chart = {"Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n", "values.yaml": "{}\n"}
    chart["templates/a.yaml"] = (
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \'{{ len (lookup "v1" "Pod" "" "") }}\'}\n'
    )
    repository.write({f"templates/chart/{path}": text for path, text in chart.items()})
    repository.app("charted", "template: chart\nenvironments: [dev]\n").commit()

    def warnings() -> list[list[str]]:
        return [app["warnings"] for app in repository.hydrate_json("--check", "--app", "charted")]

    first = warnings()
    assert first[0]
    assert warnings() == first  # the second time they are taken from the folder


def test_an_error_is_not_kept(repository: ManifestRepository, rendered: list[str], folder: Path) -> None:
    repository.write({"apps/app-3/values.yaml": "size: '{{'\n", "templates/web/web.yaml.j2": "{{ missing.field }}\n"})
    repository.commit()
    assert re.search(rf"{APPS} of them with an error, which 'hydrate' reports", warm(repository).out)
    assert not list(folder.glob("*"))


def test_few_are_left_to_the_job_that_hydrates(repository: ManifestRepository, rendered: list[str]) -> None:
    assert "left to 'hydrate'" in warm(repository, "--at-least", str(APPS + 1)).out
    assert rendered == []


def test_what_was_used_longest_ago_goes_first(
    repository: ManifestRepository, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm(repository)
    kept = sorted(folder.iterdir())
    for age, file in enumerate(kept):
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(results, "_MAX_BYTES", sum(file.stat().st_size for file in kept[:3]))
    ResultFolder.of(folder, "a secret", "", "").trim()
    assert sorted(folder.iterdir()) == kept[:3]


@pytest.mark.long
def test_a_pipeline_leaves_no_more_than_the_cache_is_to_keep(
    tmp_path: Path, registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_sender_scene(tmp_path, registry) as scene:
        app = "template: web\nenvironments: [dev]\n"
        files: dict[str, str | None] = {f"apps/app-{number}/app.yaml": app for number in range(APPS)}
        files["templates/web/web.yaml.j2"] = TEMPLATE.replace("values.size", "1")
        scene.gitlab.push(scene.manifests, files, user=scene.maintainer)
        folder.mkdir()
        old = folder / f"{'0' * 64}.result"
        old.write_bytes(b"from an earlier pipeline")
        os.utime(old, (1_000_000, 1_000_000))
        job = {"HEADGATE_RESULTS": str(folder), "HEADGATE_RESULTS_KEY": "a secret"}
        monkeypatch.setattr(results, "_MAX_BYTES", 100_000)
        assert scene.run_ci(scene.job("push", scene.maintainer), job).code == 0
        assert len(list(folder.iterdir())) == APPS + 1
        monkeypatch.setattr(results, "_MAX_BYTES", sum(file.stat().st_size for file in folder.iterdir()) - 1)
        assert scene.run_ci(scene.job("push", scene.maintainer), job).code == 0
        assert len(list(folder.iterdir())) == APPS
        assert not old.exists()


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/10000"])
def test_a_shard_is_one_of_how_many(repository: ManifestRepository, shard: str) -> None:
    assert headgate("warm", "--manifests", str(repository.path), "--shard", shard).code == 10
