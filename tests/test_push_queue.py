"""Who was refused takes a number: whose turn it is, who is passed over, and that no number is left behind."""

from __future__ import annotations

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from headgate.errors import GitError
from headgate.landing import push_queue
from headgate.repository.git import has_commit
from headgate.repository.remote import ORIGIN, clone, remote_refs
from support.manifests import DIGEST, git
from support.stage import IMAGE, Stage

FIRST = f"{push_queue.TICKETS}0000000000000-{'a' * 16}"
LATER = f"{push_queue.TICKETS}9999999999999-{'b' * 16}"
ODD = f"{push_queue.TICKETS}mine"


@pytest.fixture
def behind(stage: Stage) -> Path:
    """Return a checkout that is behind its remote, from which the first push is refused."""
    other = stage.remote.parent / "other"
    git(stage.remote.parent, "clone", "--quiet", str(stage.remote), str(other))
    git(other, "commit", "--quiet", "--allow-empty", "--message", "Somebody was faster")
    git(other, "push", "--quiet", "origin", "main")
    return stage.manifests.path


def tickets(stage: Stage) -> list[str]:
    return git(stage.remote, "for-each-ref", "--format=%(refname)", push_queue.TICKETS).splitlines()


def forge(stage: Stage, *names: str) -> None:
    for name in names:
        git(stage.remote, "update-ref", name, "main")


def test_who_was_refused_lands_and_leaves_no_ticket(stage: Stage, behind: Path) -> None:
    ran = stage.deliver(to=str(behind))
    assert ran.code == 0, ran.err
    assert stage.log()[1:] == ["Somebody was faster", "Begin"]
    assert tickets(stage) == []


def test_a_ticket_whose_holder_does_not_come_is_passed_over_and_taken_away(
    stage: Stage, behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_queue, "_LONGEST_PATIENCE", 0.1)
    forge(stage, FIRST)
    assert stage.deliver(to=str(behind)).code == 0
    assert len(stage.log()) == 3
    assert tickets(stage) == []


def test_later_tickets_and_odd_names_are_left_alone(stage: Stage, behind: Path) -> None:
    forge(stage, LATER, ODD)
    assert stage.deliver(to=str(behind)).code == 0
    assert sorted(tickets(stage)) == [LATER, ODD]


def test_the_next_in_line_goes_on_as_soon_as_the_branch_moves(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "--quiet", str(stage.remote), "other")
    forge(stage, FIRST)
    with clone(stage.remote.as_uri()) as cloned, ThreadPoolExecutor(1) as pool:
        queue = push_queue.PushQueue(cloned.repository, ORIGIN, "refs/heads/main", fetches=True)
        with monkeypatch.context() as impatient:
            impatient.setattr(push_queue, "_LONGEST_PATIENCE", 0.1)
            queue.wait(cloned.base)  # passes the run ahead over, and is refused again
        assert [update.ref for update in queue.delete_refs[1:]] == [FIRST]
        looked = Event()

        def seen(*asked: Any) -> dict[str, str]:
            found = remote_refs(*asked)
            looked.set()
            return found

        monkeypatch.setattr(push_queue, "remote_refs", seen)
        waiting = pool.submit(queue.wait, cloned.base)
        assert looked.wait(60)
        git(tmp_path / "other", "commit", "--quiet", "--allow-empty", "--message", "The run ahead")
        git(tmp_path / "other", "push", "--quiet", "origin", "main")
        newest = waiting.result(60)
        assert newest == git(stage.remote, "rev-parse", "main").strip()
        assert has_commit(cloned.repository, newest)
        assert len(queue.delete_refs) == 1
    assert FIRST in tickets(stage)


@pytest.mark.long
def test_where_tickets_are_refused_it_lands_all_the_same(stage: Stage, behind: Path) -> None:
    hook = stage.remote / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\ncase "$1" in {push_queue.TICKETS}*) exit 1;; esac\n')
    hook.chmod(0o755)
    assert stage.deliver(to=str(behind)).code == 0
    assert len(stage.log()) == 3
    assert tickets(stage) == []


@pytest.mark.long
def test_a_run_that_fails_leaves_no_ticket(stage: Stage, behind: Path) -> None:
    hook = stage.remote / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
    hook.chmod(0o755)
    assert stage.deliver(to=str(behind)).code == GitError.code
    assert tickets(stage) == []
    assert stage.log()[0] == "Somebody was faster"


@pytest.mark.long
def test_a_run_that_is_cancelled_while_it_waits_leaves_no_ticket(
    stage: Stage, behind: Path, headgate_program: list[str]
) -> None:
    forge(stage, FIRST)
    named = ["--manifests", str(behind), "--project", "acme/web", "--source", str(stage.app)]
    named += ["--commit", git(stage.app, "rev-parse", "HEAD"), "--image", f"{IMAGE}:1.0@{DIGEST}"]
    waiting = subprocess.Popen([*headgate_program, "deliver", *named], stdout=-3, stderr=-3)
    until = time.monotonic() + 60
    while len(tickets(stage)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(60) == 128 + signal.SIGTERM
    assert tickets(stage) == [FIRST]
    assert stage.log()[0] == "Somebody was faster"
