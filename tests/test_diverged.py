"""A version that is neither older nor newer than what was released, a hotfix: it is held until a person decides."""

from __future__ import annotations

import json

import pytest

from headgate.errors import RefusedError
from support.cli import Ran
from support.manifests import git
from support.stage import IMAGE, Stage, write_app

PLACE = "apps/web/releases/dev/diverged"


class Repository:
    """An app's repository with a hotfix branch next to main; each commit builds its own image."""

    def __init__(self, stage: Stage) -> None:
        """Release the second commit of main; the hotfix comes from the first."""
        self.stage, self.number = stage, 0
        base = self.build()
        self.main = self.build()
        assert self.hand_off(self.main).code == 0
        git(stage.app, "switch", "--quiet", "--create", "hotfix", base)
        self.hotfix = self.build()

    def build(self) -> str:
        """Commit the next version, whatever branch is checked out."""
        self.number += 1
        return self.stage.build(self.number)

    def hand_off(self, commit: str, *args: str) -> Ran:
        """Hand a commit off with the image that was built from it."""
        return self.stage.hand_off(commit, int(git(self.stage.app, "show", f"{commit}:version")), *args)

    def running(self) -> int:
        """Return the number of the version that runs."""
        return int(self.stage.running())

    def person(self, verb: str) -> Ran:
        """Decide on what is held."""
        return self.stage.run(verb, "web", "--environment", "dev", "--by", "Eve", "--reason", "it is urgent")

    def held(self) -> list[str]:
        """Return the commits that are held, as `status` shows them."""
        found = json.loads(self.stage.run("status", "--json").out)["apps"][0]
        return [group["images"]["web"]["commit"] for group in found["held"]]


@pytest.fixture
def repository(stage: Stage) -> Repository:
    """Return a repository whose hotfix was not handed off yet."""
    return Repository(stage)


def test_it_is_held_and_the_message_names_the_ways_out(repository: Repository) -> None:
    ran = repository.hand_off(repository.hotfix)
    assert ran.code == 0
    assert f"{repository.hotfix[:12]} and {repository.main[:12]} diverged" in ran.out
    assert "deliver-held delivers it, discard-held drops it" in ran.out
    assert repository.running() == 2
    assert repository.held() == [repository.hotfix]
    assert "neither is an ancestor of the other" in " ".join(repository.stage.run("status").out.split())


def test_handed_off_again_it_changes_nothing(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    before = repository.stage.log()
    again = repository.hand_off(repository.hotfix)
    assert (again.code, repository.stage.log()) == (0, before)
    assert "neither is an ancestor of the other" in again.out


@pytest.mark.long
def test_a_person_delivers_it_and_what_is_older_than_it_stays_out(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    assert repository.person("deliver-held").code == 0
    assert (repository.running(), repository.held()) == (3, [])
    assert "is held" not in repository.stage.run("status").out


@pytest.mark.long
def test_a_person_drops_it_and_the_branch_that_it_is_not_on_goes_on(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    assert repository.person("discard-held").code == 0
    assert repository.held() == []
    refused = repository.hand_off(repository.hotfix)
    assert (refused.code, "was rejected by Eve" in refused.err) == (RefusedError.code, True)
    git(repository.stage.app, "switch", "--quiet", "main")
    assert repository.hand_off(repository.build()).code == 0
    assert repository.running() == 4


@pytest.mark.long
def test_main_goes_on_beside_it(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    git(repository.stage.app, "switch", "--quiet", "main")
    assert repository.hand_off(repository.build()).code == 0
    assert (repository.running(), repository.held()) == (4, [repository.hotfix])


@pytest.mark.long
def test_a_merge_of_both_overtakes_it(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    git(repository.stage.app, "switch", "--quiet", "main")
    git(repository.stage.app, "merge", "--quiet", "--strategy", "ours", "--no-edit", "hotfix")
    assert repository.hand_off(repository.build()).code == 0
    assert (repository.running(), repository.held()) == (4, [])


def test_the_newest_of_its_branch_is_held(repository: Repository) -> None:
    second = repository.build()
    repository.hand_off(second)
    late = repository.hand_off(repository.hotfix)
    assert f"superseded: web: commit {repository.hotfix[:12]} is older than {second[:12]}, which is held" in late.out
    assert repository.held() == [second]
    third = repository.build()
    repository.hand_off(third)
    assert repository.held() == [third]


@pytest.mark.long
def test_its_config_is_held_with_its_image(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    files = repository.stage.paths(PLACE)
    assert files == [f"{PLACE}/config/config/web.yaml", f"{PLACE}/config/group.yaml"]
    group = repository.stage.show("main", f"{PLACE}/config/group.yaml")
    assert group.count(f"commit: {repository.hotfix}") == 2


@pytest.mark.long
@pytest.mark.parametrize("option", ["--now", "--allow-diverged"])
def test_who_asks_for_it_gets_it_at_once(repository: Repository, option: str) -> None:
    repository.hand_off(repository.hotfix)
    assert repository.hand_off(repository.hotfix, option).code == 0
    assert (repository.running(), repository.held()) == (3, [])


def test_automatic_runs_leave_it_alone(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    for verb in ("rehydrate", "refresh"):
        assert repository.stage.run(verb).code == 0
    assert (repository.running(), repository.held()) == (2, [repository.hotfix])


@pytest.mark.long
def test_it_goes_with_the_app(repository: Repository) -> None:
    repository.hand_off(repository.hotfix)
    assert repository.stage.run("remove", "web", "--environment", "dev", "--by", "Eve").code == 0
    assert not git(repository.stage.remote, "ls-tree", "-r", "main", "apps/web/releases")


@pytest.mark.long
@pytest.mark.parametrize("hold", ["pin", "freeze"])
def test_a_pin_or_a_freeze_changes_nothing_about_it(repository: Repository, hold: str) -> None:
    args = ("web", "--environment", "dev") if hold == "pin" else ("dev",)
    assert repository.stage.run(hold, *args, "--by", "Eve", "--reason", "a talk").code == 0
    assert repository.hand_off(repository.hotfix).code == 0
    assert repository.held() == [repository.hotfix]
    ends = {"pin": ("unpin", "web", "--environment", "dev"), "freeze": ("thaw", "dev")}[hold]
    assert repository.stage.run(*ends).code == 0
    assert (repository.running(), repository.held()) == (2, [repository.hotfix])


@pytest.mark.long
def test_beside_a_version_that_failed_it_is_held_too(repository: Repository) -> None:
    app = repository.stage.app
    git(app, "switch", "--quiet", "main")
    write_app(repository.stage, {"deploy/web.yaml": "kind: Nonsense\n"})
    assert repository.hand_off(repository.build()).code != 0
    git(app, "switch", "--quiet", "--create", "other", repository.main)
    ran = repository.hand_off(repository.build())
    assert (ran.code, "neither is an ancestor of the other" in ran.out) == (0, True)
    assert repository.stage.show("main", "apps/web/releases/dev/failed/config/group.yaml")
    assert repository.running() == 2


@pytest.mark.long
def test_a_rebuild_that_a_person_discarded_stays_so_and_what_runs_of_its_commit_is_no_such_version(
    repository: Repository,
) -> None:
    """A rejection is of a commit and a digest: the job that brought what runs may run again."""
    image = f"{IMAGE}:2@sha256:{9:064d}"
    rebuild = ("--commit", repository.main)
    assert "held" in repository.stage.deliver(*rebuild, image=image).out
    assert repository.person("discard-held").code == 0
    assert repository.hand_off(repository.main).code == 0, "it runs"
    refused = repository.stage.deliver(*rebuild, image=image)
    assert (refused.code, "was rejected by Eve" in refused.err) == (RefusedError.code, True)
    assert repository.running() == 2
