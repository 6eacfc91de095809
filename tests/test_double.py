"""Rules of GitLab that the double has, and that no other test would miss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.acme import jobs_path
from support.gitlab import Double, serve_gitlab
from support.gitlab.state import DEVELOPER, MAINTAINER, NO_ONE, Project, Protection, User, Variable

HEADER = "spec:\n  inputs:\n    image: {default: $NAME/$OTHER}\n---\n"
SAY = HEADER + "say:\n  variables: {IMAGE: '$[[ inputs.image | expand_vars ]]'}\n  script: [echo image=$IMAGE]\n"


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[Double]:
    with serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)) as double:
        yield double


@pytest.fixture
def dana(gitlab: Double) -> User:
    return gitlab.user("dana")


@pytest.fixture
def project(gitlab: Double, dana: User) -> Project:
    made = gitlab.project("acme/shop", {dana: DEVELOPER})
    made.protected_branches.clear()
    return made


def test_masked_variables_are_not_expanded_in_inputs(gitlab: Double, dana: User, project: Project) -> None:
    project.variables["NAME"] = Variable("registry", masked=False)
    gitlab.push(project, {".gitlab-ci.yml": SAY}, user=dana)
    gitlab.settle()
    assert "image=registry/" in project.pipelines[-1].log
    project.variables["OTHER"] = Variable("secret-one", masked=True)
    gitlab.push(project, {"a": "1"}, user=dana)
    assert project.pipelines[-1].errors == ["variable expansion error: masked variables cannot be expanded"]


def test_wildcards_protect_branches_and_the_most_permissive_rule_counts(
    gitlab: Double, dana: User, project: Project
) -> None:
    project.protected_branches |= {"release/*": Protection(MAINTAINER, MAINTAINER), "*-open": Protection(NO_ONE, 30)}
    gitlab.push(project, {"a": "1"}, user=dana, branch="main")
    with pytest.raises(AssertionError, match="push"):
        gitlab.push(project, {"a": "2"}, user=dana, branch="release/1")
    assert project.protection("main") is None
    both = project.protection("release/1-open")
    assert both
    assert (both.push, both.merge) == (MAINTAINER, DEVELOPER)
    project.protected_branches["release/1-*"] = Protection(DEVELOPER, DEVELOPER)
    gitlab.push(project, {"a": "2"}, user=dana, branch="release/1-open")
    project.pipelines.clear()
    say: dict[str, str | None] = {".gitlab-ci.yml": "say: {script: [echo $CI_COMMIT_REF_PROTECTED]}\n"}
    for branch in ("x", "release/1-open"):
        gitlab.push(project, say, user=dana, branch=branch)
    gitlab.settle()
    assert [one.log.strip() for one in project.pipelines] == ["false", "true"]
