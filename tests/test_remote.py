"""Over HTTP, as a host serves it: how little is asked for, and that a lost connection loses nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from headgate.errors import ConflictError, GitError, RefusedError, TooLargeError
from headgate.landing.publish import PreparedCommit, publish
from headgate.landing.push_queue import TICKETS, PushQueue
from headgate.landing.workspace import Workspace, until_landed
from headgate.repository import remote
from headgate.repository.commit import make_commit
from headgate.repository.git import NO_COMMIT, tree_as_needed
from headgate.repository.remote import ORIGIN, Clone, RefUpdate, clone, push
from support.cli import Ran, headgate
from support.githttp import GitServer, allow_partial, serve
from support.manifests import DEPLOYMENT, DIGEST, git
from support.stage import IMAGE, OTHER_DIGEST, Stage, write_app


@pytest.fixture
def server(stage: Stage) -> Iterator[GitServer]:
    """Serve the manifest repository and the app's."""
    git(stage.app, "clone", "--quiet", "--bare", ".", str(stage.remote.parent / "app.git"))
    for name in ("manifests.git", "app.git"):
        allow_partial(stage.remote.parent / name)
    with serve(stage.remote.parent) as running:
        yield running


def test_from_an_address_it_asks_nine_times_on_four_connections(stage: Stage, server: GitServer) -> None:
    assert stage.deliver().code == 0
    # clone: 3 requests; configuration: 2; what is read and replaced: 2; push: 2
    write_app(stage, {"README.md": "newer"})
    server.traffic.reset()
    ran = stage.deliver(to=f"{server.url}/manifests.git", image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert ran.code == 0, ran.err
    assert (server.traffic.requests, server.traffic.connections) == (9, 4)
    assert len(stage.log()) == 3


@pytest.mark.long
def test_no_file_is_asked_for_alone(stage: Stage, server: GitServer) -> None:
    assert stage.deliver().code == 0
    files = {
        f"deploy/part-{number}.yaml": DEPLOYMENT.replace("name: web", f"name: web-{number}", 1) for number in range(30)
    }
    write_app(stage, files)
    assert stage.deliver(image=f"{IMAGE}:1.1@{OTHER_DIGEST}").code == 0
    write_app(stage, {name: text.replace("replicas", "x") + "# changed\n" for name, text in files.items()})
    server.traffic.reset()
    ran = stage.deliver(to=f"{server.url}/manifests.git", image=f"{IMAGE}:1.2@{DIGEST}")
    assert ran.code == 0, ran.err
    assert server.traffic.requests == 9


def test_templates_of_other_apps_are_not_fetched(stage: Stage, server: GitServer) -> None:
    stage.manifests.write(
        {f"templates/other-{number}/noise.yaml": f"# {os.urandom(50_000).hex()}\n" for number in (1, 2)}
    )
    stage.manifests.commit()
    git(stage.manifests.path, "push", "--quiet", str(stage.remote), "main")
    ran = stage.deliver(to=f"{server.url}/manifests.git")
    assert ran.code == 0, ran.err
    assert server.traffic.sent < 50_000


def test_a_checkout_is_pushed_from_without_fetching(stage: Stage, server: GitServer) -> None:
    git(stage.manifests.path, "remote", "set-url", "origin", f"{server.url}/manifests.git")
    ran = stage.deliver(to=str(stage.manifests.path))
    assert ran.code == 0, ran.err
    assert dict(server.traffic.kinds) == {"push: refs": 1, "push: data": 1}


def test_what_a_run_stored_itself_is_not_asked_for(server: GitServer) -> None:
    with clone(f"{server.url}/manifests.git") as cloned:
        commit = make_commit(cloned.repository, cloned.base, {"new/file": b"new"}, "Change")
        server.traffic.reset()
        tree = tree_as_needed(cloned.repository, commit)
        assert tree.read("new/file") == b"new"
        assert server.traffic.requests == 0
        assert tree.read("headgate.yaml")
        assert server.traffic.requests > 0


@pytest.mark.long
def test_a_partial_checkout_stays_one_and_is_read_in_bulk(stage: Stage, server: GitServer, tmp_path: Path) -> None:
    url = f"{server.url}/manifests.git"
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--sparse", url, str(partial))
    server.traffic.reset()
    ran = stage.deliver(to=str(partial))
    assert ran.code == 0, ran.err
    assert server.traffic.requests <= 6
    assert git(partial, "status", "--porcelain") == ""


def test_the_apps_repository_is_read_in_part_too(stage: Stage, server: GitServer) -> None:
    write_app(stage, {"code/large.bin": "x" * 3_000_000})
    git(stage.app, "push", "--quiet", str(server.root / "app.git"), "main")
    ran = stage.deliver("--source", f"{server.url}/app.git")
    assert ran.code == 0, ran.err
    assert server.traffic.sent < 10_000
    assert "apps/web/releases/dev/config/web.yaml" in stage.paths("apps")


@pytest.mark.long
def test_a_bomb_in_the_apps_config_is_not_read(stage: Stage, server: GitServer) -> None:
    write_app(stage, {"deploy/bomb.yaml": "x" * 30_000_000})
    git(stage.app, "push", "--quiet", str(server.root / "app.git"), "main")
    ran = stage.deliver("--source", f"{server.url}/app.git")
    assert ran.code == TooLargeError.code
    assert "deploy/bomb.yaml" in ran.err


@pytest.mark.long
@pytest.mark.parametrize("every", [2, 3])
def test_lost_connections_change_nothing(stage: Stage, every: int) -> None:
    allow_partial(stage.remote)
    with serve(stage.remote.parent, lose_every=every) as server:
        for number in range(4):
            image = f"{IMAGE}:1.{number}@sha256:{number:064d}"
            write_app(stage, {"README.md": str(number)})
            ran = stage.deliver(to=f"{server.url}/manifests.git", image=image)
            assert ran.code == 0, ran.err
            assert image in stage.show("main", "deploy/dev/web/deployment.apps-web.yaml")
        assert server.traffic.lost > 4
    assert len(stage.log()) == 5


@pytest.mark.long
def test_an_address_where_nothing_is_says_what_git_says(stage: Stage, server: GitServer) -> None:
    ran = stage.deliver(to=f"{server.url}/nothing.git")
    assert ran.code == GitError.code
    assert "git clone failed: " in ran.err


def test_a_repository_without_commits_is_told_so(stage: Stage, server: GitServer) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(server.root / "empty.git")], check=True)
    ran = stage.deliver(to=f"{server.url}/empty.git")
    assert ran.code == GitError.code
    assert "no default branch yet" in ran.err


def hand_off(stage: Stage, server: GitServer, commit: str, image: str) -> Ran:
    """Hand a commit off, with the app's repository at its address."""
    git(stage.app, "push", "--quiet", "--force", str(server.root / "app.git"), "HEAD:main")
    named = ["--manifests", f"{server.url}/manifests.git", "--project", "acme/web", "--source", f"{server.url}/app.git"]
    return headgate("deliver", *named, "--commit", commit, "--image", image)


def test_the_order_of_commits_is_read_from_the_apps_address(stage: Stage, server: GitServer) -> None:
    old = git(stage.app, "rev-parse", "HEAD")
    write_app(stage, {"README.md": "newer"})
    new = git(stage.app, "rev-parse", "HEAD")
    assert hand_off(stage, server, new, f"{IMAGE}:1.1@{OTHER_DIGEST}").code == 0
    ran = hand_off(stage, server, old, f"{IMAGE}:1.0@{DIGEST}")
    assert ran.code == 0, ran.err
    assert f"commit {old[:12]} is older than {new[:12]}" in " ".join(ran.out.split())
    assert len(stage.log()) == 2


def test_an_order_that_cannot_be_read_is_refused_with_the_reason(stage: Stage, server: GitServer) -> None:
    assert stage.deliver().code == 0
    released = git(stage.app, "rev-parse", "HEAD")
    write_app(stage, {"README.md": "newer"})
    shallow = stage.app.parent / "shallow"
    git(stage.app.parent, "clone", "--quiet", "--depth=1", f"file://{stage.app}", str(shallow))
    ran = stage.deliver("--source", str(shallow), image=f"{IMAGE}:1.1@{OTHER_DIGEST}")
    assert ran.code == RefusedError.code
    assert f"the history between {released[:12]} and" in ran.err
    assert "cannot read the history" in ran.err


@pytest.fixture
def behind(stage: Stage, server: GitServer) -> Iterator[Clone]:
    """Return a clone without contents, whose remote's branch moved after it was made."""
    with clone(f"{server.url}/manifests.git") as cloned:
        stage.manifests.write({"README.md": "Somebody was faster"})
        stage.manifests.commit("Somebody was faster")
        git(stage.manifests.path, "push", "--quiet", str(stage.remote), "main")
        server.traffic.reset()
        yield cloned


def test_a_clone_without_contents_takes_its_ticket_though_the_branch_moved(
    stage: Stage, server: GitServer, behind: Clone
) -> None:
    queue = PushQueue(behind.repository, ORIGIN, "refs/heads/main", fetches=True)
    assert queue.wait(behind.base) == git(stage.remote, "rev-parse", "main")
    assert [git(stage.remote, "rev-parse", ticket.ref) for ticket in queue.delete_refs] == [behind.base]
    assert server.traffic.kinds["push: refs"] == 1


def test_a_push_that_came_too_late_asks_the_remote_nothing_more(server: GitServer, behind: Clone) -> None:
    commit = make_commit(behind.repository, behind.base, {"deploy/web.yaml": b"landed"}, "Land")
    with pytest.raises(ConflictError, match="refs/heads/main moved in the meantime"):
        push(behind.repository, ORIGIN, [RefUpdate("refs/heads/main", commit, behind.base)])
    assert dict(server.traffic.kinds) == {"push: refs": 1}


def test_a_lost_race_costs_a_ticket_a_look_and_a_fetch(stage: Stage, server: GitServer, behind: Clone) -> None:
    late = Workspace(
        repository=behind.repository, branch=behind.branch, base=behind.base, remote=ORIGIN, is_checkout=False
    )
    draft = PreparedCommit(None, {"deploy/web.yaml": b"landed"}, "Land")
    until_landed(late, lambda newest: publish(newest, [draft]))
    assert stage.log() == ["Land", "Somebody was faster", "Begin"]
    # Refused, ticket, landed; and for the ticket git asks first what the remote has.
    assert dict(server.traffic.kinds) == {"push: refs": 3, "push: data": 2, "fetch: refs": 3, "fetch: data": 3}


def test_a_push_landed_whose_answers_were_lost_though_its_leases_are_old_by_then(
    stage: Stage, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = f"{TICKETS}0000000000000-{'a' * 16}"
    git(stage.remote, "update-ref", ticket, "main")
    with clone(f"{server.url}/manifests.git") as cloned:
        commit = make_commit(cloned.repository, cloned.base, {"deploy/web.yaml": b"landed"}, "Land")
        for name in ("_push", "_list_refs"):
            monkeypatch.setattr(remote, name, losing_the_first_answer(getattr(remote, name)))
        updates = [RefUpdate("refs/heads/main", commit, cloned.base), RefUpdate(ticket, NO_COMMIT, cloned.base)]
        push(cloned.repository, ORIGIN, updates)
    assert git(stage.remote, "rev-parse", "main") == commit
    assert git(stage.remote, "for-each-ref", TICKETS) == ""


def losing_the_first_answer(action: Callable[..., object]) -> Callable[..., object]:
    """Return the action, which fails the first time after it was carried out."""
    calls = count()

    def carried_out(*args: object, **given: object) -> object:
        result = action(*args, **given)
        if next(calls) == 0:
            raise GitError("the remote end hung up")
        return result

    return carried_out


def test_a_review_branch_is_pushed_from_a_clone_without_contents_though_the_branch_moved(
    stage: Stage, behind: Clone
) -> None:
    commit = make_commit(behind.repository, behind.base, {"deploy/web.yaml": b"proposed"}, "Propose")
    branch = "refs/heads/headgate/production/web"
    push(behind.repository, ORIGIN, [RefUpdate(branch, commit, NO_COMMIT)])
    assert git(stage.remote, "rev-parse", branch) == commit
