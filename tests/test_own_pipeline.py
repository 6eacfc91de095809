"""This project's own .gitlab-ci.yml: what GitLab's schema says, and which jobs each kind of pipeline has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.components import ROOT, complaints, yamlfmt
from support.gitlab import locally
from support.gitlab.ciconfig import NothingToRunError
from support.manifests import git

pytestmark = pytest.mark.long
FILE = ROOT / ".gitlab-ci.yml"
CHILDREN = sorted((ROOT / "tests" / "pipelines").glob("*.yml"))
ALWAYS = ["lint", "test", "test long", "build amd64", "build arm64", "digest", "accepted"]
BRANCH = {"CI_COMMIT_BRANCH": "main", "CI_PIPELINE_SOURCE": "push"}
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_IID": "1"}
TAG = {"CI_COMMIT_TAG": "1.2.3", "CI_COMMIT_BRANCH": "", "CI_PIPELINE_SOURCE": "push"}
SET_UP = {"HEADGATE_TEST_MANIFESTS": "headgate/test-manifests"}


class _Loader(yaml.SafeLoader):
    """Knows GitLab's ``!reference``."""


_Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))  # type: ignore[arg-type]


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(file.read_text(), _Loader))


def config() -> dict[str, Any]:
    (found,) = documents(FILE)
    return found


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with what a pipeline is made of, on the branch main of its project on GitLab."""
    folder = tmp_path_factory.mktemp("own") / "headgate"
    shutil.copytree(ROOT / "templates", folder / "templates")
    shutil.copytree(ROOT / "tests" / "pipelines", folder / "tests" / "pipelines")
    shutil.copy(FILE, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", "https://gitlab.example.com/headgate/headgate.git")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--message", "Begin")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    return folder


def locally_run(checkout: Path, variables: Mapping[str, str], *args: str, file: str = ".gitlab-ci.yml") -> str:
    """Return what gitlab-ci-local prints."""
    told = [f"--variable={name}={value}" for name, value in variables.items()]
    ignored = f"--ignore-predefined-vars={','.join(variables)}"
    done = subprocess.run(
        [*locally.command(), "--file", file, ignored, *told, *args],
        cwd=checkout,
        env={"PATH": "/usr/bin:/bin", "HOME": str(checkout.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stdout + done.stderr)
    return done.stdout


def jobs(checkout: Path, variables: Mapping[str, str], file: str = ".gitlab-ci.yml") -> dict[str, dict[str, Any]]:
    """Return the jobs of a pipeline by name, in order."""
    printed = locally_run(checkout, {**variables, "CI_DEFAULT_BRANCH": "main"}, "--list-json", file=file)
    listed = json.loads(printed[printed.index("[\n") :])
    return {one["name"]: one for one in listed if one["when"] != "never"}


def expanded(checkout: Path, variables: Mapping[str, str], file: str = ".gitlab-ci.yml") -> dict[str, Any]:
    """Return the whole configuration, with everything that it extends and includes put in."""
    found: dict[str, Any] = yaml.safe_load(
        locally_run(checkout, variables, "--preview", file=file).partition("---\n")[2]
    )
    return found


@pytest.mark.parametrize("file", [FILE, *CHILDREN], ids=lambda file: file.name)
def test_gitlabs_schema_has_nothing_against_it(file: Path) -> None:
    for one in documents(file):
        assert complaints(one) == []


def test_gitlabs_schema_has_nothing_against_what_it_expands_to(checkout: Path) -> None:
    found = expanded(checkout, TAG)
    assert complaints(found) == []
    assert found["publish"]["before_script"][1] == "make .venv/.ready release-tools"
    assert found["publish"]["cache"] == []


def test_yamlfmt_has_nothing_to_change() -> None:
    done = yamlfmt(FILE, *CHILDREN)
    assert done.returncode == 0, done.stdout


def test_a_branch_is_built_and_tested(checkout: Path) -> None:
    assert sorted(jobs(checkout, {**BRANCH, **SET_UP})) == sorted([*ALWAYS, "delivery"])
    assert sorted(jobs(checkout, {**BRANCH, **SET_UP, "CI_COMMIT_BRANCH": "other"})) == sorted(ALWAYS)


def test_nothing_runs_twice_for_a_branch_and_its_merge_request() -> None:
    only = {"workflow": config()["workflow"], "job": {"script": ["true"]}}
    for runs in (BRANCH, MERGE_REQUEST, TAG):
        assert list(locally.jobs(only, runs)) == ["job"]
    with pytest.raises(NothingToRunError):
        locally.jobs(only, {**BRANCH, "CI_OPEN_MERGE_REQUESTS": "headgate/headgate!1"})


def test_a_merge_request_rehearses_the_release(checkout: Path) -> None:
    assert sorted(jobs(checkout, MERGE_REQUEST)) == sorted([*ALWAYS, "rehearsal"])


def test_a_tag_is_released(checkout: Path) -> None:
    found = jobs(checkout, {**TAG, **SET_UP})
    assert sorted(found) == sorted([*ALWAYS, "releasable", "delivery", "publish", "release"])
    assert found["release"]["needs"] == [{"artifacts": True, "job": "publish", "optional": False}]
    assert not found["publish"].get("needs")  # waits for all that is tested before


def test_what_is_not_set_up_is_said_and_lets_the_rest_go_on(checkout: Path) -> None:
    for variables in (BRANCH, TAG):
        found = jobs(checkout, variables)
        assert "delivery" not in found
        assert found["delivery is not set up"]["allow_failure"] == {"exit_codes": 77}
    assert "delivery is not set up" not in jobs(checkout, MERGE_REQUEST)


def test_only_a_tag_writes_what_others_read(checkout: Path) -> None:
    for variables in (BRANCH, MERGE_REQUEST):
        whole = expanded(checkout, variables)
        text = json.dumps([whole[name] for name in jobs(checkout, variables)])
        assert "publish.py" not in text
        assert "SIGSTORE_ID_TOKEN" not in text


def test_the_components_under_test_are_those_of_the_commit(checkout: Path) -> None:
    found = expanded(checkout, BRANCH, file="tests/pipelines/accepted.yml")
    commit = git(checkout, "rev-parse", "HEAD").strip()
    assert complaints(found) == []
    for name in ("token:deliver", "preview", "hydrate"):
        assert found[name]["image"]["name"] == f"$CI_REGISTRY_IMAGE:{commit}"
    assert list(jobs(checkout, BRANCH, file="tests/pipelines/accepted.yml")) == ["ways of working"]
    for child in CHILDREN:
        references = re.findall(r"component: (\S+)", child.read_text())
        assert references
        assert all(
            re.fullmatch(r"\$CI_SERVER_FQDN/\$CI_PROJECT_PATH/[a-z]+@\$CI_COMMIT_SHA", one) for one in references
        )


def test_child_pipelines_are_there_and_pass_the_digest_on() -> None:
    found = config()
    for name in ("accepted", "delivery"):
        assert (ROOT / found[name]["trigger"]["include"]).is_file()
        assert found[name]["trigger"]["strategy"] == "mirror"
    assert found["delivery"]["variables"] == {"IMAGE_DIGEST": "$IMAGE_DIGEST"}
    assert found["digest"]["artifacts"]["reports"]["dotenv"] == "image.env"


def test_scripts_are_short_and_call_what_is_there() -> None:
    lines = [line for job in config().values() if isinstance(job, dict) for line in job.get("script", [])]
    assert len(lines) >= 10
    for line in lines:
        assert not re.search(r"\b(if|for|while|case)\b|&&|\|\|", line), line
        for path in re.findall(r"(?<!\S)((?:\.ci|image|release)/[\w./-]+)", line):
            assert (ROOT / path).is_file(), line


def test_every_image_has_a_version() -> None:
    found = [str(job["image"]) for job in config().values() if isinstance(job, dict) and "image" in job]
    found += [one["name"] for one in config()[".build"]["services"]]
    assert len(found) >= 5
    assert all(re.search(r":[\w.-]*\d|:trixie", one) for one in found), found
    assert not any(one.endswith(":latest") for one in found)
