"""Kustomize bases from elsewhere, brought along by a hand-off; hydration afterwards finds nobody to ask."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from headgate.dependencies.basefetch import fetch_bases
from headgate.dependencies.bases import RemoteBase
from headgate.dependencies.download import DownloadAccess
from headgate.errors import ConfigError, DependencyError, Location, TooLargeError, UnsafeFileError
from support.brought import config_of, deliver, delivered, hydrated_again, released, set_config, stage_with
from support.charts import objects
from support.charts import write as write_files
from support.fileserver import serve_files
from support.githttp import GitServer, allow_partial, serve
from support.judges import judge
from support.manifests import HEADGATE_YAML, ManifestRepository, git, make_empty
from support.stage import make_stage
from support.templates import config_map
from support.web import Reply


@dataclass(frozen=True)
class Bases:
    """A git server, and folders from which its repositories are made."""

    server: GitServer
    sources: Path

    @property
    def host(self) -> str:
        return self.server.url.removeprefix("http://")

    def commit(self, name: str, files: dict[str, str | bytes]) -> str:
        """Commit files to the repository ``name``.git, and return the commit."""
        source, bare = self.sources / name, self.server.root / f"{name}.git"
        if not bare.exists():
            source.mkdir(parents=True)
            make_empty(source)
            git(self.sources, "init", "--quiet", "--bare", str(bare))
            allow_partial(bare)
        write_files(source, files)
        git(source, "add", "--all", "--force")
        git(source, "commit", "--quiet", "--message", "Change")
        git(source, "push", "--quiet", str(bare), "HEAD:refs/heads/main")
        return git(source, "rev-parse", "HEAD")

    def url(self, name: str, commit: str, path: str = "", *, suffix: str = ".git") -> str:
        """Return the address of a base."""
        return f"{self.server.url}/{name}{suffix}//{path}?ref={commit}"


@pytest.fixture
def bases(tmp_path: Path) -> Iterator[Bases]:
    """Return a git server without repositories."""
    root, sources = tmp_path / "git", tmp_path / "sources"
    root.mkdir()
    sources.mkdir()
    with serve(root) as server:
        yield Bases(server, sources)


def kustomize(folder: Path) -> str:
    """Build with the pinned Kustomize, which may use the network, and return what it printed."""
    done = subprocess.run([str(judge("kustomize")), "build", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kustomization(**fields: object) -> str:
    """Return a kustomization."""
    return yaml.safe_dump(fields, sort_keys=False)


PLATFORM = {
    "web/base/kustomization.yaml": kustomization(
        resources=["web.yaml", "../more"],
        configMapGenerator=[{"name": "files", "files": ["all.txt", "key=sub/one.txt"], "envs": ["my.env"]}],
        patches=[{"path": "patch.yaml", "target": {"kind": "ConfigMap", "name": "web"}}],
        transformers=["label.yaml"],
    ),
    "web/base/web.yaml": config_map("web", size="'1'"),
    "web/base/all.txt": "all\n",
    "web/base/sub/one.txt": "one\n",
    "web/base/my.env": "A=b\n",
    "web/base/patch.yaml": "- {op: add, path: /data/patched, value: 'yes'}\n",
    "web/base/label.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: deep.yaml\n"
    "target: {name: web}\n",
    "web/base/deep.yaml": "- {op: add, path: /metadata/labels, value: {deep: 'yes'}}\n",
    "web/base/unused.yaml": "not: used\n",
    "web/more/kustomization.yml": kustomization(resources=["more.yaml"]),
    "web/more/more.yaml": config_map("more", a="b"),
    "web/part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    "resources: [part.yaml]\n",
    "web/part/part.yaml": config_map("part", a="b"),
    "web/.gitignore": "x\n",
    "link": "target",
}


# Bases that are brought along


def test_bases_are_brought_along_and_give_what_kustomize_gives(
    tmp_path: Path, manifests: ManifestRepository, bases: Bases
) -> None:
    first = bases.commit("acme/platform", dict(PLATFORM))
    outer = kustomization(namePrefix="o-", resources=[bases.url("acme/platform", first, "web/base")])
    second = bases.commit("acme/deep/outer", {"kustomization.yaml": outer})
    stage = stage_with(tmp_path, manifests, bases.host)
    config = {
        "base/kustomization.yaml": kustomization(resources=[bases.url("acme/platform", first, "web/base")]),
        "overlays/dev/kustomization.yaml": "# As people write it.\n"
        + kustomization(
            resources=["../../base", f"git::{bases.url('acme/deep/outer', second)}&timeout=90s"],
            components=[bases.url("acme/platform", first, "web/part")],
            commonAnnotations={"version": "1.10"},
        ),
    }
    set_config(stage, config)
    expected = objects(kustomize(stage.app / "deploy/overlays/dev"))
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    bases.server.traffic.reset()
    assert delivered(stage) == expected
    names = {one["metadata"]["name"].split("-files")[0] for one in expected}
    assert {"web", "o-web", "more", "o-more", "part"} <= names
    assert hydrated_again(stage, tmp_path).code == 0
    assert bases.server.traffic.requests == 0
    for path, text in config.items():
        assert stage.show("main", f"apps/web/releases/dev/config/{path}") == text.strip()


def test_what_was_brought_along_is_recorded_and_lies_open(
    tmp_path: Path, manifests: ManifestRepository, bases: Bases
) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    stage = stage_with(tmp_path, manifests, bases.host)
    set_config(stage, {"kustomization.yaml": kustomization(resources=[bases.url("acme/platform", commit, "web/more")])})
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    folder = f"headgate-bases/{bases.host.replace(':', '_')}/acme/platform@{commit}/web/more"
    assert released(stage) == [{"url": f"{bases.server.url}/acme/platform.git", "commit": commit, "folder": folder}]
    brought = [f"{folder}/kustomization.yml", f"{folder}/more.yaml"]
    assert config_of(stage) == [*brought, "kustomization.yaml"]


def test_a_repository_is_called_with_and_without_its_suffix(
    tmp_path: Path, manifests: ManifestRepository, bases: Bases
) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    stage = stage_with(tmp_path, manifests, bases.host)
    set_config(
        stage,
        {"kustomization.yaml": kustomization(resources=[bases.url("acme/platform", commit, "web/more", suffix="")])},
    )
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert [one["metadata"]["name"] for one in delivered(stage)] == ["more"]


def test_values_reach_a_base_from_elsewhere(tmp_path: Path, manifests: ManifestRepository, bases: Bases) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    source = {"kind": "ConfigMap", "name": "headgate-values", "fieldPath": "data.size"}
    targets = [{"select": {"name": "more"}, "fieldPaths": ["data.a"]}]
    root = kustomization(
        resources=[bases.url("acme/platform", commit, "web/more")],
        replacements=[{"source": source, "targets": targets}],
    )
    stage = stage_with(tmp_path, manifests, bases.host)
    set_config(stage, {"kustomization.yaml": root, "values.yaml": "size: big\n"})
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    assert [one["data"] for one in delivered(stage)] == [{"a": "big"}]


@pytest.mark.long
def test_a_repository_is_fetched_once_for_all_bases_and_environments(
    tmp_path: Path, manifests: ManifestRepository, bases: Bases
) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    text = HEADGATE_YAML.lstrip().replace('tag: "v*", order: semver', "branch: main")
    manifests.write({"headgate.yaml": text + f"dependencies: {{hosts: ['{bases.host}']}}\n"})
    stage = make_stage(tmp_path, manifests, "project: acme/web\nconfig: deploy\n")
    both = [bases.url("acme/platform", commit, f"web/{name}") for name in ("more", "base")]
    overlays = zip(("dev", "production"), both, strict=True)
    set_config(stage, {f"overlays/{name}/kustomization.yaml": kustomization(resources=[url]) for name, url in overlays})
    bases.server.traffic.reset()
    ran = deliver(stage)
    assert ran.code == 0, ran.err
    # The commit; of each base its kustomization and its other files; and a file that names one more.
    assert bases.server.traffic.kinds["fetch: refs"] <= 6
    assert {one["folder"].rsplit("/", 1)[-1] for one in released(stage)} == {"more", "base"}


# Bases that are refused


@pytest.mark.long
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("HOST/acme/platform.git//web?ref=main", "names the branch, tag or short commit 'main', which may move"),
        ("HOST/acme/platform.git//web?ref=v1.2.3", "names the branch, tag or short commit 'v1.2.3', which may move"),
        ("HOST/acme/platform.git//web?ref=COMMIT12", "names the branch, tag or short commit"),
        ("HOST/acme/platform.git//web", "names no commit, and not a commit in full"),
        ("HOST/acme/platform/raw/x.yaml", "is a file that may change at any time"),
        ("ssh://git@example.com/acme/platform.git//web?ref=COMMIT", "is no address that a base is read from"),
        ("git@example.com:acme/platform.git?ref=COMMIT", "is no address that a base is read from"),
        ("https://me:secret@example.com/acme/platform.git?ref=COMMIT", "is no address that a base is read from"),
        ("HOST/acme/platform.git//../web?ref=COMMIT", "is no address of a folder in a git repository"),
    ],
)
def test_bases_that_are_not_pinned_or_not_readable(
    tmp_path: Path, manifests: ManifestRepository, bases: Bases, entry: str, message: str
) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    stage = stage_with(tmp_path, manifests, bases.host)
    written = entry.replace("HOST", bases.server.url).replace("COMMIT12", commit[:12]).replace("COMMIT", commit)
    set_config(stage, {"kustomization.yaml": kustomization(resources=[written])})
    bases.server.traffic.reset()
    ran = deliver(stage)
    assert ran.code == ConfigError.code, ran.err
    assert f"deploy/kustomization.yaml in {stage.origin}: '" in ran.err
    assert message in ran.err
    assert bases.server.traffic.requests == 0


def test_a_host_that_is_not_allowed(tmp_path: Path, manifests: ManifestRepository, bases: Bases) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    stage = stage_with(tmp_path, manifests)
    set_config(stage, {"kustomization.yaml": kustomization(resources=[bases.url("acme/platform", commit, "web/more")])})
    bases.server.traffic.reset()
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    assert f"deploy/kustomization.yaml in {stage.origin}: host {bases.host} is not allowed" in ran.err
    assert f"set in headgate.yaml: dependencies: {{hosts: [{bases.host}]}}" in ran.err
    assert bases.server.traffic.requests == 0


@pytest.mark.long
def test_a_base_of_a_base_needs_the_same(tmp_path: Path, manifests: ManifestRepository, bases: Bases) -> None:
    inner = kustomization(resources=["https://elsewhere.example.com/acme/x//y?ref=" + "1" * 40])
    commit = bases.commit("acme/platform", {"kustomization.yaml": inner})
    stage = stage_with(tmp_path, manifests, bases.host)
    set_config(stage, {"kustomization.yaml": kustomization(resources=[bases.url("acme/platform", commit)])})
    ran = deliver(stage)
    assert ran.code == DependencyError.code
    place = f"{bases.server.url}/acme/platform.git@{commit[:12]}/kustomization.yaml"
    assert f"{place}: host elsewhere.example.com is not allowed" in ran.err
    unpinned = kustomization(bases=[f"{bases.server.url}/a/b//c?ref=v1"])
    other = bases.commit("acme/platform", {"kustomization.yaml": unpinned})
    set_config(stage, {"kustomization.yaml": kustomization(resources=[bases.url("acme/platform", other)])})
    ran = deliver(stage)
    assert ran.code == ConfigError.code
    assert "names the branch, tag or short commit 'v1'" in ran.err


@pytest.mark.long
def test_a_base_that_is_not_there(tmp_path: Path, manifests: ManifestRepository, bases: Bases) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    stage = stage_with(tmp_path, manifests, bases.host)
    for url, message in (
        (bases.url("acme/platform", commit, "nowhere"), "no kustomization in"),
        (bases.url("acme/platform", "1" * 40, "web/more"), ": git fetch failed"),
        (bases.url("acme/nobody", commit, "web/more"), ": git fetch failed"),
    ):
        set_config(stage, {"kustomization.yaml": kustomization(resources=[url])})
        ran = deliver(stage)
        assert ran.code == DependencyError.code, ran.err
        assert message in ran.err


@pytest.mark.long
def test_files_of_a_base_are_as_hostile_as_the_apps(
    tmp_path: Path, manifests: ManifestRepository, bases: Bases
) -> None:
    bases.commit("acme/platform", {"kustomization.yaml": kustomization(resources=["link.yaml"])})
    (bases.sources / "acme/platform/link.yaml").symlink_to("/etc/passwd")
    linked = bases.commit("acme/platform", {})
    (bases.sources / "acme/platform/link.yaml").unlink()
    outside = bases.commit("acme/platform", {"kustomization.yaml": kustomization(resources=["../../web.yaml"])})
    large = bases.commit(
        "acme/platform",
        {"kustomization.yaml": kustomization(resources=["a.yaml"]), "a.yaml": b"#" * (11 * 1024 * 1024)},
    )
    stage = stage_with(tmp_path, manifests, bases.host)
    for commit, kind, message in (
        (linked, UnsafeFileError, ": a symlink, which is never followed"),
        (outside, UnsafeFileError, "'../../web.yaml' leaves the repository of the base"),
        (large, TooLargeError, ": 11.0 MiB, the limit for a file is 10 MiB"),
    ):
        set_config(stage, {"kustomization.yaml": kustomization(resources=[bases.url("acme/platform", commit)])})
        ran = deliver(stage)
        assert ran.code == kind.code, ran.err
        assert message in ran.err


def test_the_folder_for_bases_is_a_hand_offs(tmp_path: Path, manifests: ManifestRepository, bases: Bases) -> None:
    stage = stage_with(tmp_path, manifests, bases.host)
    files = {"kustomization.yaml": kustomization(resources=["a.yaml"]), "a.yaml": config_map("a", b="c")}
    set_config(stage, {**files, "headgate-bases/x.yaml": "a: b\n"})
    ran = deliver(stage)
    assert ran.code == UnsafeFileError.code
    assert f"deploy/headgate-bases in {stage.origin}: the name of this folder is reserved" in ran.err


@pytest.mark.long
def test_redirects_of_a_git_host_are_not_followed(tmp_path: Path, manifests: ManifestRepository, bases: Bases) -> None:
    commit = bases.commit("acme/platform", dict(PLATFORM))
    with serve_files(tmp_path / "sources") as elsewhere:
        path = "/acme/platform.git/info/refs"
        target = f"{bases.server.url}{path}?service=git-upload-pack"
        elsewhere.replies[path] = lambda _: Reply(301, headers={"Location": target})
        stage = stage_with(tmp_path, manifests, elsewhere.host)
        url = f"{elsewhere.url}/acme/platform.git//web/more?ref={commit}"
        set_config(stage, {"kustomization.yaml": kustomization(resources=[url])})
        bases.server.traffic.reset()
        ran = deliver(stage)
        assert ran.code == DependencyError.code
        assert elsewhere.asked
        assert bases.server.traffic.requests == 0


@pytest.mark.long
def test_a_password_goes_to_its_host_only(tmp_path: Path) -> None:
    commit = "1" * 40
    with serve_files(tmp_path) as ours, serve_files(tmp_path) as other:
        hosts = frozenset({ours.host, other.host})
        for server in (ours, other):
            access = DownloadAccess(hosts, {ours.host: ("me", "secret")})
            base = RemoteBase(f"{server.url}/acme/platform.git", "web", commit)
            with pytest.raises(DependencyError) as refused:
                fetch_bases([(base, Location("kustomization.yaml"))], access, "web")
            assert "secret" not in str(refused.value)
        basic = "Basic " + base64.b64encode(b"me:secret").decode()
        assert ours.site.logins
        assert set(ours.site.logins) == {basic}
        assert other.asked
        assert other.site.logins == []
