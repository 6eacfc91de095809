"""An app's repository and a manifest repository that takes its hand-offs: all that happens without a GitLab."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from support.cli import Ran, headgate
from support.copies import folder_of_the_process
from support.manifests import DEPLOYMENT, DIGEST, ManifestRepository, git, head, make_empty

IMAGE = "registry.example.com/acme/web"
OTHER_DIGEST = "sha256:" + "2" * 64
APP = f"project: acme/web\nimages: {{web: {IMAGE}}}\nconfig: deploy\n"
SHARED = f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\n"
TEMPLATE = DEPLOYMENT + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: COLOR}\n"
BRANCH = "headgate/production/web"


class Remote:
    """What a manifest repository holds where it is pushed to."""

    def git(self, *args: str) -> str:
        """Run git there."""
        raise NotImplementedError

    def show(self, revision: str, path: str) -> str:
        """Return a file of the remote."""
        return self.git("show", f"{revision}:{path}")

    def log(self, revision: str = "main") -> list[str]:
        """Return the subjects of a branch of the remote."""
        return self.git("log", "--format=%s", revision).splitlines()

    def commit(self, revision: str = "main") -> str:
        """Return the commit of a branch of the remote."""
        return self.git("rev-parse", revision)

    def branches(self) -> list[str]:
        """Return the branches of the remote but for the default one."""
        names = self.git("for-each-ref", "--format=%(refname:short)", "refs/heads/").splitlines()
        return [name for name in names if name != "main"]

    def paths(self, folder: str, revision: str = "main") -> list[str]:
        """Return the paths of the files in a folder of the remote."""
        return self.git("ls-tree", "-r", "--name-only", revision, "--", folder).splitlines()

    def files(self, revision: str = "main", folder: str = "deploy/production") -> dict[str, str]:
        """Return the YAML below a folder of the remote."""
        return {path: self.show(revision, path) for path in self.paths(folder, revision) if path.endswith(".yaml")}

    def running(self, environment: str = "dev", revision: str = "main") -> str:
        """Return the tag that an environment's final YAML names."""
        text = self.show(revision, f"deploy/{environment}/web/deployment.apps-web.yaml")
        return text.split(f"{IMAGE}:")[1].split("@")[0]

    def release(self, environment: str, folder: str = "", revision: str = "main") -> dict[str, object]:
        """Return a release as data."""
        file = f"apps/web/releases/{environment}/{folder}release.yaml"
        found: dict[str, object] = yaml.safe_load(self.show(revision, file))
        return found


@dataclass(frozen=True)
class Stage(Remote):
    """An app's repository, a bare manifest repository and a checkout of it."""

    app: Path
    manifests: ManifestRepository
    remote: Path

    def git(self, *args: str) -> str:
        """Run git in the remote."""
        return git(self.remote, *args)

    @property
    def origin(self) -> str:
        """How an error names where the app's files are from."""
        return f"acme/web at {head(self.app)[:8]}"

    def words(self, *args: str, image: str = f"{IMAGE}:1.0@{DIGEST}", ref: str = "main", to: str = "") -> list[str]:
        """Return the command line that hands the newest commit of the app off."""
        return [
            *("deliver", "--manifests", to or str(self.remote), "--project", "acme/web", "--source", str(self.app)),
            *("--commit", head(self.app), "--ref", ref, *(("--image", image) if image else ()), *args),
        ]

    def deliver(self, *args: str, image: str = f"{IMAGE}:1.0@{DIGEST}", ref: str = "main", to: str = "") -> Ran:
        """Hand the newest commit of the app off."""
        return headgate(*self.words(*args, image=image, ref=ref, to=to))

    def build(self, number: int) -> str:
        """Commit version ``number`` of the app, on the branch that is checked out, and return the commit."""
        write_app(self, {"version": str(number)})
        return head(self.app)

    def hand_off(self, commit: str, number: int, *args: str, ref: str = "main") -> Ran:
        """Hand a commit off with the image of version ``number``, to the remote's address as a job knows it."""
        image = f"{IMAGE}:{number}@sha256:{number:064d}"
        return self.deliver("--commit", commit, *args, image=image, ref=ref, to=self.remote.as_uri())

    def new_version(self, number: int, *args: str) -> str:
        """Build version ``number``, hand it off, and return its commit."""
        commit = self.build(number)
        ran = self.hand_off(commit, number, *args)
        assert ran.code == 0, ran.out + ran.err
        return commit

    def run(self, *args: str) -> Ran:
        """Run a command on the remote."""
        return headgate(*args, "--manifests", self.remote.as_uri())

    def command(self, *args: str, code: int = 0) -> Ran:
        """Run a command on the remote as Ada; it ends with ``code``."""
        ran = self.run(*args, *(("--by", "Ada") if args[0] in ("roll-back", "pin", "freeze") else ()))
        assert ran.code == code, ran.out + ran.err
        return ran

    def promote(self, code: int = 0, *args: str) -> Ran:
        """Promote from dev to production."""
        return self.command("promote", "web", "--from", "dev", "--to", "production", *args, code=code)

    def checkout(self) -> Path:
        """Take the newest default branch into the checkout, and return that."""
        return self.manifests.newest()

    def change(self, files: dict[str, str | None], message: str = "Change by hand") -> None:
        """Change or delete files and folders on the default branch, as a person does."""
        self.manifests.change(files, message)

    def merge(self, branch: str = BRANCH) -> None:
        """Merge the branch of a proposal into main and delete it, as a person does on GitLab."""
        work = self.checkout()
        git(work, "merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}")
        git(work, "push", "--quiet", "origin", "main", f":{branch}")


def write_app(stage: Stage, files: dict[str, str]) -> None:
    """Write files of the app's repository and commit them."""
    write_files(stage.app, files)


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files of a checkout and commit them."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "Change")


def replicas(number: int) -> str:
    """Return the app's YAML with so many replicas."""
    return DEPLOYMENT.replace("spec:\n", f"spec:\n  replicas: {number}\n", 1)


PROMOTED = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: TAKES, delivery: DELIVERY, templates: TEMPLATES}
"""


def promoted(*, delivery: str = "commit", templates: str = "follow", takes: str = "{promotion: dev}") -> str:
    """Return headgate.yaml: dev takes main, and production what is promoted there."""
    return PROMOTED.replace("TAKES", takes).replace("DELIVERY", delivery).replace("TEMPLATES", templates)


def make_promoted(tmp_path: Path, manifests: ManifestRepository, app: str = SHARED, **settings: str) -> Stage:
    """Return an app with a template that dev takes from main, and production as `promoted` says."""
    manifests.write({"headgate.yaml": promoted(**settings), "templates/web/web.yaml": TEMPLATE.replace("COLOR", "red")})
    return make_stage(tmp_path, manifests, app)


def make_proposed(tmp_path: Path, settings: str) -> Stage:
    """Return an app with one version that is landed, and one with three replicas that is proposed in production."""
    manifests = ManifestRepository.make(tmp_path / "manifests")
    manifests.write({"headgate.yaml": settings})
    made = make_stage(tmp_path, manifests)
    assert made.deliver().code == 0
    made.merge()
    write_app(made, {"deploy/web.yaml": replicas(3)})
    assert made.deliver().code == 0
    return made


def make_stage(tmp_path: Path, manifests: ManifestRepository, app_yaml: str = APP) -> Stage:
    """Return an app with plain YAML of its own, accepted from main in dev and from tags in production.

    A new manifest repository with the same files is copied from one that was made before.
    """
    manifests.app("web", app_yaml)
    if not manifests.is_new:
        return _make(tmp_path, manifests)
    files = tuple((path, (manifests.path / path).read_bytes()) for path in manifests.files())
    begun = _begun(files, tuple(sorted(item for item in os.environ.items() if item[0].startswith("GIT_"))))
    shutil.rmtree(manifests.path)
    shutil.copytree(begun / "manifests", manifests.path)
    made = Stage(tmp_path / "app", manifests, tmp_path / "manifests.git")
    for folder in (made.app, made.remote):
        shutil.copytree(begun / folder.name, folder)
    config = manifests.path / ".git/config"
    config.write_text(config.read_text().replace(str(begun), str(tmp_path)))
    return made


@cache
def _begun(files: tuple[tuple[str, bytes], ...], _environment: tuple[tuple[str, str], ...]) -> Path:
    """Make the repositories with these files once for all tests of a process."""
    folder = folder_of_the_process("stage")
    _make(folder, ManifestRepository.make(folder / "manifests").write(dict(files)))
    return folder


def _make(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    manifests.commit("Begin")
    remote = tmp_path / "manifests.git"
    _copy_bare(manifests.path / ".git", remote)
    tracking = manifests.path / ".git/refs/remotes/origin/main"
    tracking.parent.mkdir(parents=True)
    tracking.write_text(f"{head(manifests.path)}\n")
    with (manifests.path / ".git/config").open("a") as config:
        config.write(_CLONED.format(remote=remote))
    shutil.copytree(_app(), tmp_path / "app")
    return Stage(tmp_path / "app", manifests, remote)


def _copy_bare(source: Path, remote: Path) -> None:
    """Make the repository that a checkout was cloned from, as GitLab serves it: in parts, and cleaned up by itself."""
    shutil.copytree(source, remote, ignore=shutil.ignore_patterns("index", "logs", "COMMIT_EDITMSG"))
    config = remote / "config"
    config.write_text(
        config.read_text().replace("bare = false", "bare = true").replace("\tlogallrefupdates = true\n", "")
        + "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[receive]\n\tautogc = false\n"
    )


_CLONED = """\
[remote "origin"]
\turl = {remote}
\tfetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
\tremote = origin
\tmerge = refs/heads/main
"""


@cache
def _app() -> Path:
    """Make the app's repository once for all tests of a process."""
    folder = folder_of_the_process("app")
    make_empty(folder)
    write_files(folder, {"deploy/web.yaml": DEPLOYMENT, "README.md": "not taken"})
    return folder
