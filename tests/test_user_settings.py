"""Whose settings git runs with: the user's, as they hold in the folder that it works in."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.repository.identity import author_name
from support.cli import headgate
from support.manifests import ManifestRepository, git
from support.stage import make_stage

MIA = "[user]\n\tname = Mia\n\temail = mia@example.com\n"
ZOE = "[user]\n\tname = Zoe\n"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's own settings, which say who commits."""
    file = tmp_path / "gitconfig"
    file.write_text(MIA)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name)
    return file


def test_the_users_name_is_taken(mine: Path, manifests: ManifestRepository) -> None:
    assert author_name(str(manifests.path)) == "Mia"


def test_what_is_included_for_one_folder_holds_there(mine: Path, tmp_path: Path, manifests: ManifestRepository) -> None:
    (tmp_path / "zoe").write_text(ZOE)
    mine.write_text(f'{MIA}[includeIf "gitdir:{manifests.path}/"]\n\tpath = {tmp_path}/zoe\n')
    other = ManifestRepository.make(tmp_path / "other")
    names = [author_name(str(made.path)) for made in (manifests, other)]
    assert names == ["Zoe", "Mia"]


def test_a_remote_that_is_a_mirror_gets_only_what_is_pushed(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_stage(tmp_path, manifests)
    checkout = stage.checkout()
    git(checkout, "config", "remote.origin.mirror", "true")
    git(checkout, "branch", "mine")
    ran = stage.deliver(to=str(checkout))
    assert ran.code == 0, ran.err
    assert stage.running() == "1.0"
    assert stage.branches() == []


def test_the_way_out_of_a_clone_without_folders_works_as_it_is_written(
    tmp_path: Path, manifests: ManifestRepository
) -> None:
    stage = make_stage(tmp_path, manifests)
    assert stage.deliver().code == 0
    git(tmp_path, "clone", "--quiet", "--filter=tree:0", stage.remote.as_uri(), "treeless")
    ran = headgate("history", "web", "--manifests", str(tmp_path / "treeless"))
    assert (ran.code, ran.out) == (22, "")
    command = ran.err.split("'")[-2]
    assert command == "git fetch --refetch --filter=blob:none"
    git(tmp_path / "treeless", *command.split()[1:])
    assert headgate("history", "web", "--manifests", str(tmp_path / "treeless")).code == 0
