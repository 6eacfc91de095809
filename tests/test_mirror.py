"""Branches that repeat the final YAML: written after it landed, derived from it, and never over anybody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate import config
from headgate.errors import ConfigError, GitError
from headgate.landing import mirror
from headgate.landing.mirror import Mirrored, write_mirrors
from headgate.landing.workspace import Workspace, open_workspace
from headgate.repository import remote
from headgate.repository.git import Repository
from headgate.repository.remote import clone
from support.keys import allowed, make_key
from support.manifests import HEADGATE_YAML, git
from support.stage import Stage, write_app
from support.trees import repository

MIRRORED = HEADGATE_YAML.replace(
    'kubernetes: "1.34"}', 'kubernetes: "1.34", output: {mirror: {branch: "env/{environment}"}}}'
)
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: NAME}\n"


@pytest.fixture
def mirrored(stage: Stage) -> Stage:
    """Return a stage whose environments have a mirror each, and an app without parts."""
    stage.manifests.app("plain", "template: plain\nenvironments: [dev]\n")
    stage.manifests.write({"headgate.yaml": MIRRORED, "templates/plain/account.yaml": ACCOUNT.replace("NAME", "plain")})
    return change(stage)


def change(stage: Stage) -> Stage:
    """Hydrate, commit and push what is in the checkout, as people do."""
    git(stage.manifests.path, "pull", "--quiet", "--rebase", "--autostash")
    assert stage.manifests.hydrate().code == 0
    stage.manifests.commit()
    git(stage.manifests.path, "push", "--quiet")
    return stage


def write(manifests: str | Path) -> Mirrored:
    """Write the mirrors, as any later run does."""
    with open_workspace(str(manifests)) as workspace:
        return write_mirrors(workspace, config.load(workspace.tree))


def commits(stage: Stage, branch: str) -> int:
    return int(git(stage.remote, "rev-list", "--count", branch))


def trees(stage: Stage) -> tuple[str, str]:
    """Return the ids of what an app has on the default branch and on the mirror."""
    return stage.commit("main:deploy/dev/web"), stage.commit("env/dev:web")


def test_what_landed_is_repeated_with_its_commit_named(mirrored: Stage) -> None:
    ran = mirrored.deliver()
    assert ran.code == 0, ran.err
    head = mirrored.commit()
    assert mirrored.paths(".", "env/dev") == [
        *("plain/.headgate.json", "plain/serviceaccount-plain.yaml"),
        *("web/.headgate.json", "web/deployment.apps-web.yaml"),
    ]
    assert trees(mirrored)[0] == trees(mirrored)[1]
    assert mirrored.log("env/dev") == [f"Mirror plain, web in dev: main@{head[:12]}"]
    trailers = git(mirrored.remote, "log", "-1", "--format=%(trailers:only)", "env/dev").strip()
    assert trailers == f"Headgate-Mirror: {head}"
    mirror = mirrored.commit("env/dev")
    assert f"pushed {head[:12]} to main" in ran.out
    assert f"pushed {mirror[:12]} to env/dev" in ran.out
    git(mirrored.remote, "fsck", "--strict")


@pytest.mark.long
def test_a_mirror_s_commits_follow_the_configuration_and_are_signed(mirrored: Stage, tmp_path: Path) -> None:
    bot = "{name: Gate, email: gate@example.com}"
    commits = f'commits: {{author: {bot}, committer: {bot}, message: "OPS-1 {{action}} {{environments}}"}}\n'
    mirrored.manifests.write({"headgate.yaml": MIRRORED + commits})
    change(mirrored)
    key = make_key(tmp_path / "key")
    for number in range(2):
        write_app(mirrored, {"deploy/more.yaml": ACCOUNT.replace("NAME", f"more-{number}")})
        assert mirrored.deliver("--signing-key", str(key)).code == 0
    trust = allowed(key, "gate@example.com")
    told = git(mirrored.remote, *trust, "log", "--format=%G? %an %ce %s", "env/dev").splitlines()
    assert told == ["G Gate gate@example.com OPS-1 Mirror dev"] * 2
    git(mirrored.remote, "fsck", "--strict")


@pytest.mark.long
def test_no_change_no_commit(mirrored: Stage) -> None:
    assert mirrored.deliver().code == 0
    assert mirrored.deliver().code == 0
    assert write(mirrored.remote) == Mirrored()
    assert commits(mirrored, "env/dev") == 1


def test_a_change_is_one_commit_on_top(mirrored: Stage) -> None:
    assert mirrored.deliver().code == 0
    write_app(mirrored, {"deploy/more.yaml": ACCOUNT.replace("NAME", "more")})
    assert mirrored.deliver("--json").code == 0
    assert git(mirrored.remote, "diff", "--name-only", "env/dev~", "env/dev").splitlines() == [
        *("web/.headgate.json", "web/serviceaccount-more.yaml")
    ]
    assert trees(mirrored)[0] == trees(mirrored)[1]


@pytest.mark.long
def test_json_names_the_mirror_s_commit(mirrored: Stage) -> None:
    told = json.loads(mirrored.deliver("--json").out)
    assert [one["branch"] for one in told["commits"]] == ["main", "env/dev"]
    assert told["error"] is None


@pytest.mark.long
def test_an_app_that_is_removed_leaves_its_mirror(mirrored: Stage) -> None:
    assert mirrored.deliver().code == 0
    git(mirrored.manifests.path, "pull", "--quiet")
    git(mirrored.manifests.path, "rm", "--quiet", "-r", "apps/plain", "deploy/dev/plain")
    change(mirrored)
    assert [one.branch for one in write(mirrored.remote).delivered] == ["env/dev"]
    assert {path.split("/")[0] for path in mirrored.paths(".", "env/dev")} == {"web"}


@pytest.mark.long
def test_the_last_app_that_is_removed_leaves_an_empty_mirror(mirrored: Stage) -> None:
    assert write(mirrored.remote).error is None
    mirrored.change({"apps": None, "deploy": None, "apps/README.md": "none yet"})
    assert len(write(mirrored.remote).delivered) == 1
    assert mirrored.paths(".", "env/dev") == []
    assert write(mirrored.remote) == Mirrored()


@pytest.mark.long
def test_an_app_that_is_broken_keeps_its_mirror(mirrored: Stage) -> None:
    assert mirrored.deliver().code == 0
    mirrored.change({"apps/web/app.yaml": "projekt: acme/web\n"})
    assert write(mirrored.remote) == Mirrored()


@pytest.mark.long
def test_what_only_waits_for_review_is_not_repeated(mirrored: Stage) -> None:
    git(mirrored.app, "tag", "v1.0.0")
    assert mirrored.deliver(ref="refs/tags/v1.0.0").code == 0
    heads = git(mirrored.remote, "for-each-ref", "--format=%(refname:short)").splitlines()
    assert heads == ["env/dev", "headgate/production/web", "main"]
    git(mirrored.remote, "update-ref", "refs/heads/main", "headgate/production/web")  # as a merge does
    assert [one.branch for one in write(mirrored.remote).delivered] == ["env/production"]
    assert mirrored.commit("env/production:web") == git(mirrored.remote, "rev-parse", "main:deploy/production/web")


def test_what_a_killed_run_left_out_a_later_one_completes(mirrored: Stage) -> None:
    assert mirrored.deliver().code == 0
    git(mirrored.remote, "update-ref", "-d", "refs/heads/env/dev")  # killed before the mirror was pushed
    assert mirrored.deliver().code == 0
    assert trees(mirrored)[0] == trees(mirrored)[1]
    assert len(mirrored.log()) == 3, "nothing is delivered twice"


@pytest.mark.long
@pytest.mark.parametrize("first", [True, False])
def test_somebody_else_s_branch_is_left_alone_and_the_delivery_lands(mirrored: Stage, first: bool) -> None:
    foreign = "main"
    if not first:  # a commit by hand on top of ours
        assert write(mirrored.remote).error is None
        foreign = git(mirrored.remote, "commit-tree", "-p", "env/dev", "-m", "By hand", "env/dev^{tree}")
    git(mirrored.remote, "update-ref", "refs/heads/env/dev", foreign)
    foreign = mirrored.commit("env/dev")

    ran = mirrored.deliver()

    assert ran.code == GitError.code
    assert f"the mirror env/dev holds a commit that Headgate did not make ({foreign[:12]})" in ran.err
    assert "delete the branch env/dev, or name another one in headgate.yaml" in " ".join(ran.err.split())
    assert f"pushed {git(mirrored.remote, 'rev-parse', 'main')[:12]} to main" in ran.out
    assert mirrored.log()[0].startswith("Deliver web to dev")
    assert mirrored.commit("env/dev") == foreign


@pytest.mark.long
def test_one_branch_that_is_refused_does_not_stop_the_others(mirrored: Stage) -> None:
    git(mirrored.app, "tag", "v1.0.0")
    assert mirrored.deliver(ref="refs/tags/v1.0.0").code == 0
    git(mirrored.remote, "update-ref", "-d", "refs/heads/env/dev")
    git(mirrored.remote, "update-ref", "refs/heads/main", "headgate/production/web")
    protect = '#!/bin/sh\n[ "$1" != refs/heads/env/dev ]\n'
    (mirrored.remote / "hooks").mkdir(exist_ok=True)
    (mirrored.remote / "hooks/update").write_text(protect)
    (mirrored.remote / "hooks/update").chmod(0o755)
    done = write(mirrored.remote)
    assert [one.branch for one in done.delivered] == ["env/production"]
    assert isinstance(done.error, GitError)


def race(monkeypatch: pytest.MonkeyPatch, meanwhile: object) -> None:
    """Do something once, between reading where the mirrors are and pushing them."""
    left, push = [meanwhile], remote.push

    def raced(*args: object) -> None:
        if left:
            left.pop()()  # type: ignore[operator]
        push(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(mirror, "push", raced)


@pytest.mark.long
def test_a_lost_race_is_run_again_and_gives_the_newest(mirrored: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def other() -> None:
        mirrored.manifests.write({"templates/plain/account.yaml": ACCOUNT.replace("NAME", "newer")})
        change(mirrored)
        assert write(mirrored.remote).error is None

    race(monkeypatch, other)
    assert write(mirrored.remote) == Mirrored(), "the other one did all"
    assert commits(mirrored, "env/dev") == 1
    assert "plain/serviceaccount-newer.yaml" in mirrored.paths(".", "env/dev")


def test_a_branch_that_somebody_makes_in_the_meantime_is_not_overwritten(
    mirrored: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    race(monkeypatch, lambda: git(mirrored.remote, "update-ref", "refs/heads/env/dev", "main"))
    done = write(mirrored.remote)
    assert "did not make" in str(done.error)
    assert mirrored.commit("env/dev") == mirrored.commit()


@pytest.mark.long
def test_a_mirror_that_begins_with_the_newest_configuration_is_written(mirrored: Stage) -> None:
    with open_workspace(str(mirrored.remote)) as workspace:
        old = config.load(workspace.tree)
        mirrored.manifests.write({"headgate.yaml": MIRRORED.replace("env/", "yaml/")})
        change(mirrored)
        done = write_mirrors(workspace, old)
    assert [one.branch for one in done.delivered] == ["yaml/dev"]


@pytest.mark.long
def test_a_checkout_writes_mirrors_of_its_default_branch_only(mirrored: Stage) -> None:
    checkout = mirrored.manifests.path
    git(mirrored.remote, "symbolic-ref", "HEAD", "refs/heads/main")
    git(checkout, "checkout", "--quiet", "-b", "try")
    assert write(checkout) == Mirrored()
    git(checkout, "push", "--quiet", "--set-upstream", "origin", "try")
    assert write(checkout) == Mirrored()
    git(checkout, "checkout", "--quiet", "main")
    assert [one.branch for one in write(checkout).delivered] == ["env/dev"]
    assert write(checkout) == Mirrored()
    assert git(checkout, "status", "--porcelain") == ""


def test_without_any_remote_the_branch_is_written_here(mirrored: Stage) -> None:
    checkout = mirrored.manifests.path
    git(checkout, "remote", "remove", "origin")
    assert [one.branch for one in write(checkout).delivered] == ["env/dev"]
    assert write(checkout) == Mirrored()
    assert git(checkout, "rev-parse", "env/dev:plain") == git(checkout, "rev-parse", "main:deploy/dev/plain")


@pytest.mark.long
def test_no_file_s_content_is_needed(mirrored: Stage, tmp_path: Path) -> None:
    """A clone without any file's content writes mirrors and asks for none."""
    assert mirrored.deliver().code == 0
    head = mirrored.commit()
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git(mirrored.remote, "config", f"uploadpack.{name}", "true")
    with clone(str(mirrored.remote)) as full:
        whole = Workspace(
            repository=full.repository,
            branch="main",
            base=_fetched(full.repository.path, str(mirrored.remote)),
            remote="",
            is_checkout=False,
        )
        configuration = config.load(whole.tree)
    git(mirrored.remote, "update-ref", "-d", "refs/heads/env/dev")
    blobless = tmp_path / "blobless.git"
    url = mirrored.remote.as_uri()
    git(tmp_path, "clone", "--quiet", "--bare", "--depth=1", "--filter=blob:none", "--branch=main", url, str(blobless))

    with open_workspace(url) as opened:
        here = Repository(blobless, bare=opened.repository.bare)
        workspace = Workspace(repository=here, branch="main", base=head, remote="origin", is_checkout=False)
        first = write_mirrors(workspace, configuration)
        write_app(mirrored, {"deploy/more.yaml": ACCOUNT.replace("NAME", "more")})
        second_head = _without_mirror(mirrored)
        second = write_mirrors(workspace, configuration)

    assert (first.error, second.error) == (None, None)
    assert commits(mirrored, "env/dev") == 2
    assert trees(mirrored)[0] == trees(mirrored)[1]
    git(mirrored.remote, "fsck", "--strict")
    listed = git(blobless, "rev-list", "--objects", "--missing=print", f"{second_head}^{{tree}}").splitlines()
    ids = [line.split(" ")[0] for line in listed if not line.startswith("?")]
    kinds = [git(blobless, "cat-file", "-t", oid) for oid in ids]
    assert set(kinds) == {"tree"}, "no file's content was fetched"


def _fetched(repository: Path, url: str) -> str:
    git(repository, "fetch", "--quiet", url, "refs/heads/main")
    return git(repository, "rev-parse", "FETCH_HEAD")


def _without_mirror(stage: Stage) -> str:
    """Deliver, and put the mirror back to what it was: as a run that is killed between the two."""
    before = stage.commit("env/dev")
    assert stage.deliver().code == 0
    git(stage.remote, "update-ref", "refs/heads/env/dev", before)
    return stage.commit()


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (
            '{branch: yaml, path: "{app}"}',
            (
                "both claim the folder shop on the branch yaml\n"
                "  set a mirror path or branch with {environment} and {app} in headgate.yaml"
            ),
        ),
        ('{branch: "{environment}", path: same}', "both claim the folder same on the branch dev"),
        ('{branch: "headgate/{environment}"}', "expected the name of a branch such as 'env/{environment}'"),
        ('{branch: "a..b"}', "expected the name of a branch"),
        ('{branch: "a b"}', "expected the name of a branch"),
        ('{branch: x, path: "../{app}"}', "expected a folder inside the repository"),
    ],
)
def test_mirrors_that_would_write_one_path_or_no_branch_are_refused(where: str, told: str) -> None:
    settings = "version: 1\nenvironments:\n" + "".join(
        f"  {name}: {{delivery: commit, output: {{mirror: {where}}}}}\n" for name in ("dev", "test")
    )
    with pytest.raises(ConfigError) as caught:
        config.load(repository({"shop": "template: web", "web": "template: web"}, settings=settings))
    assert told in str(caught.value)
