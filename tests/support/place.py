"""Where the people of the documentation work: GitLab at the address that pages name, with Acme's repositories.

Its double is served by TLS as ``https://gitlab.example.com``, to which a proxy leads programs as they would go there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from headgate import __version__
from support.certificates import authority, server_context
from support.cli import headgate
from support.gitlab import serve_gitlab
from support.gitlab.double import Double
from support.gitlab.state import DEVELOPER, MAINTAINER, OWNER, Group, Project, User
from support.manifests import DEPLOYMENT, ManifestRepository, git, make_empty
from support.proxy import serve_proxy
from support.terminal import Terminal

if TYPE_CHECKING:
    import pytest

HOST = "gitlab.example.com"
ADDRESS = f"https://{HOST}/acme/manifests.git"
IMAGE = "registry.example.com/acme/shop"
SETTINGS = f"""\
version: 1
gitlab: {{url: "https://{HOST}", project: acme/manifests}}
environments:
  dev: {{takes: {{branch: main}}, delivery: commit}}
  production: {{takes: {{promotion: dev}}, delivery: commit}}
"""
VERSIONS = (("9f04c1d2ab77", "2.0.7", "7d0c1f6e2b90"), ("a1b2c3d4e5f6", "2.1.0", "8e1d2a7f3c01"))
"""The versions that the pages name, and one after them: commit, tag, digest."""
NEWER = ("c3d4e5f6a1b2", "2.2.0", "9f2e3b8a4d12")


def deliver(manifests: str, version: Sequence[str], *args: str) -> None:
    """Hand a version of the shop off, as Mia."""
    commit, tag, digest = version
    named = ("--project", "acme/shop", "--commit", f"{commit:0<40}", "--by", "mia", "--allow-diverged")
    ran = headgate("deliver", "--manifests", manifests, *named, "--image", f"{IMAGE}:{tag}@sha256:{digest:0<64}", *args)
    assert ran.code == 0, ran.out + ran.err


def make_repository(folder: Path) -> None:
    """Make the manifest repository of the pages: the shop in two environments, whose versions both ran in both."""
    made = ManifestRepository.make(folder / "begin")
    made.write({"headgate.yaml": SETTINGS, "templates/web/web.yaml": DEPLOYMENT.replace("acme/web", "acme/shop")})
    made.app("shop", f"project: acme/shop\nimages: {{web: {IMAGE}}}\ntemplate: web\n").commit("Begin")
    git(folder, "clone", "--quiet", "--bare", str(made.path), "manifests.git")
    bare = str(folder / "manifests.git")
    for version in VERSIONS:
        deliver(bare, version)
        ran = headgate("promote", "shop", "--from", "dev", "--to", "production", "--by", "mia", "--manifests", bare)
        assert ran.code == 0, ran.err


@dataclass(kw_only=True)
class Place:
    """Everything that is there. ``folder`` has the checkout ``manifests`` and a clone of the app, ``shop``."""

    folder: Path
    gitlab: Double
    ada: User
    token: str
    terminal: Terminal

    @property
    def checkout(self) -> Path:
        """A checkout of the manifest repository."""
        return self.folder / "manifests"

    @property
    def project(self) -> Project:
        """The manifest project."""
        return self.find("acme/manifests")

    @property
    def remote(self) -> str:
        """Where the manifest repository is on this machine."""
        return str(self.project.folder)

    def find(self, path: str) -> Project:
        """Return a project that must be there."""
        found = self.gitlab.find_project(path)
        assert found is not None, path
        return found

    def tip(self, folder: Path) -> str:
        """Return the newest commit of a manifest repository: what its remote has, or what is committed here."""
        if git(folder, "remote"):
            git(folder, "fetch", "--quiet", "--prune", "origin")
            return git(folder, "rev-parse", "origin/main")
        return git(folder, "rev-parse", "HEAD")

    def read(self, folder: Path, path: str) -> Any:
        """Return a YAML file of the newest commit, or None."""
        tip = self.tip(folder)
        if not git(folder, "ls-tree", tip, "--", path):
            return None
        return yaml.safe_load(git(folder, "show", f"{tip}:{path}"))

    def release(self, folder: Path, environment: str, app: str = "shop") -> Any:
        """Return the release of an app."""
        return self.read(folder, f"apps/{app}/releases/{environment}/release.yaml")

    def push(self, files: dict[str, str | None], message: str = "Change") -> None:
        """Commit files in the checkout and push them."""
        ManifestRepository(self.checkout).change(files, message)

    def clone(self, files: dict[str, str]) -> Path:
        """Begin the manifest project anew with these files, and return a checkout by its address."""
        shutil.rmtree(self.checkout, ignore_errors=True)
        path = self.checkout
        path.mkdir()
        make_empty(path)
        made = ManifestRepository(path).write(dict(files))
        git(path, "remote", "add", "origin", ADDRESS)
        if files:
            made.commit("Begin")
            git(path, "push", "--quiet", "--force", self.remote, "main")
            git(path, "fetch", "--quiet", "origin")
            git(path, "branch", "--quiet", "--set-upstream-to=origin/main")
        else:
            git(Path(self.remote), "update-ref", "-d", "refs/heads/main")
        return path


def _askpass(folder: Path, token: str) -> str:
    """Write what answers git's questions for a login."""
    program = folder / "askpass"
    program.write_text(f'#!/bin/sh\ncase "$1" in Username*) echo ada ;; *) echo {token} ;; esac\n')
    program.chmod(0o755)
    return str(program)


@contextmanager
def make_place(folder: Path, delivered: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Serve it for as long as the block lasts. ``delivered`` keeps the repository that each place begins with."""
    if not (delivered / "manifests.git").exists():
        make_repository(delivered)
    certificate = server_context(folder, HOST)
    with serve_gitlab(folder / "gitlab", tls=certificate, name=HOST, ca_file=str(authority(folder))) as gitlab:
        port = int(gitlab.url.rsplit(":", 1)[1])
        with serve_proxy({443: port}) as proxy:
            gitlab.url = f"https://{HOST}"
            for name in ("GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
                monkeypatch.setenv(name, str(authority(folder)))
            monkeypatch.setenv("https_proxy", proxy.url)
            ada, mia = gitlab.user("ada"), gitlab.user("mia")
            gitlab.groups.append(Group("acme", ada))
            people = {ada: OWNER, mia: DEVELOPER}
            components = gitlab.project("headgate/headgate", {ada: MAINTAINER}, visibility="public")
            components.releases.append(__version__)
            manifests = gitlab.project("acme/manifests", people, variables_role="developer")
            shop = gitlab.project("acme/shop", people)
            token = gitlab.token(ada, "api")
            monkeypatch.setenv("GIT_ASKPASS", _askpass(folder, token))
            work = folder / "work"
            work.mkdir()
            git(work, "clone", "--quiet", str(delivered / "manifests.git"), "manifests")
            git(work / "manifests", "push", "--quiet", str(manifests.folder), "main")
            git(work / "manifests", "remote", "set-url", "origin", str(manifests.folder))
            git(work, "init", "--quiet", "--initial-branch=main", "shop")
            git(work / "shop", "commit", "--quiet", "--allow-empty", "--message", "Begin")
            git(work / "shop", "remote", "add", "origin", f"https://{HOST}/acme/shop.git")
            git(work / "shop", "push", "--quiet", str(shop.folder), "main")
            terminal = Terminal(programs=folder / "bin", folder=work / "manifests", around=lambda _, run: run())
            yield Place(folder=work, gitlab=gitlab, ada=ada, token=token, terminal=terminal)
