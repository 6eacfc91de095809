"""Files that are listed folder by folder, as they are looked up, are the same files; and few folders are read."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.repository.git import Repository, head, tree_as_needed
from headgate.repository.stored import StoredListing
from headgate.repository.tree import MemoryBlob, Tree
from support.manifests import git
from support.stage import IMAGE, OTHER_DIGEST, Stage, write_app

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = st.sampled_from(["a", "a-b", "a.b", "app.yaml", "1 app.yaml", "b", "é", "\udcff"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def without_clashes(paths: set[str]) -> set[str]:
    """Leave out files that are in the place of a folder of others."""
    return {path for path in paths if not any(other.startswith(f"{path}/") for other in paths)}


FILES = st.sets(PATHS, min_size=1, max_size=12).map(without_clashes)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True)
    return Repository(folder, bare=True)


def committed(repository: Repository, paths: set[str]) -> str:
    """Commit these files, each with its path as content."""
    stream = [b"commit refs/heads/main\ncommitter A <a@example.com> 0 +0000\ndata 0\ndeleteall\n"]
    for path in sorted(paths):
        raw = path.encode("utf-8", "surrogateescape")
        stream.append(b'M 100644 inline "%s"\ndata %d\n%s\n' % (raw, len(raw), raw))
    repository.git("fast-import", "--quiet", "--force", stdin=b"".join(stream))
    return head(repository, "refs/heads/main")


@pytest.mark.long
@settings(max_examples=25)
@given(files=FILES, changed=st.dictionaries(PATHS, st.sampled_from([b"new", None]), max_size=3), names=st.lists(PATHS))
@example(files={"a/b/app.yaml", "a/a/b/app.yaml"}, changed={}, names=["a"])
def test_they_are_those_of_a_whole_listing(
    repository: Repository, files: set[str], changed: dict[str, bytes | None], names: list[str]
) -> None:
    known = Tree({path: MemoryBlob(path.encode("utf-8", "surrogateescape")) for path in files})
    for look_up_first in (True, False):
        stored = tree_as_needed(repository, committed(repository, files))
        if look_up_first:
            stored.look_up(names)
        assert stored.texts([*names, *files]) == {path: known.read(path) for path in {*names, *files} if path in known}
        for found, expected in ((stored, known), (stored.with_changes(changed), known.with_changes(changed))):
            for name in names:
                assert found.paths(name) == expected.paths(name)
                assert (name in found, found.oid(name)) == (name in expected, expected.oid(name))
                assert found.outermost("app.yaml", name) == expected.outermost("app.yaml", name)
                assert found.folder(name).id == expected.folder(name).id
            assert found.paths() == expected.paths()
            assert found.id == expected.id


OTHER = "project: acme/other\nimages: {web: registry.example.com/acme/other}\nconfig: deploy\n"


def test_a_new_version_reads_no_folder_of_another_app_below_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cart", "mail"):
        files = {"releases/dev/release.yaml": "version: 1\n", "values.yaml": "a: 1\n"}
        stage.manifests.app(name, OTHER, files).write({f"deploy/dev/{name}/service-{name}.yaml": "kind: Service\n"})
    stage.manifests.commit("Add apps")
    git(stage.manifests.path, "push", "--quiet", "origin", "HEAD:main")
    read: set[str] = set()
    original = StoredListing._stored

    def noted(listing: StoredListing[Any], oids: Mapping[str, str]) -> dict[str, bytes]:
        read.update(oids)
        return original(listing, oids)

    monkeypatch.setattr(StoredListing, "_stored", noted)
    assert stage.deliver().code == 0
    assert "deploy/dev/cart" in read, "the objects are new, so they might be another app's"
    read.clear()
    write_app(stage, {"README.md": "changed"})
    assert stage.deliver(image=f"{IMAGE}:1.1@{OTHER_DIGEST}").code == 0
    assert "deploy/dev/web" in read
    assert {path for path in read if "cart" in path or "mail" in path} == {"apps/cart", "apps/mail"}
