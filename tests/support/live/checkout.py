"""Commits, made here and pushed by git over HTTP as somebody; git gets the token by its environment alone."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.live.api import Account, Project

_SECONDS = 300


class PushRefusedError(AssertionError):
    """GitLab did not take what was pushed."""


@dataclass(frozen=True)
class Checkout:
    """A clone of a project, as somebody."""

    account: Account
    folder: Path

    def git(self, *args: str) -> str:
        """Run git in it and return what it printed. Raises AssertionError."""
        done = self._run(*args)
        assert done.returncode == 0, f"git {args}: {done.stderr}"
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | None], message: str) -> str:
        """Write files, or remove those that are None, commit, and return the commit."""
        for name, text in files.items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text) if text is not None else target.unlink()
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str = "main") -> None:
        """Push HEAD to a branch. Raises PushRefusedError with GitLab's words."""
        done = self._run("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        if done.returncode:
            raise PushRefusedError(done.stderr)

    def _run(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *args],
            cwd=self.folder,
            env=_environment(self.account),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


@contextmanager
def checkout(account: Account, project: Project, branch: str = "main") -> Iterator[Checkout]:
    """Clone a project into a folder of its own, which may be empty still. ``branch`` is made where it is not there."""
    with tempfile.TemporaryDirectory(prefix="checkout-") as folder:
        made = Checkout(account, Path(folder))
        made.git("init", "--quiet", "--initial-branch", branch)
        made.git("remote", "add", "origin", f"{account.gitlab.url}/{project.path}.git")
        made.git("fetch", "--quiet", "origin")
        known = made.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split()
        start = next((one for one in (branch, "main") if one in known), None)
        if start:
            made.git("reset", "--quiet", "--hard", f"origin/{start}")
        yield made


def _environment(account: Account) -> dict[str, str]:
    """Return git's environment: nothing of the user's, an identity, and a login for this GitLab that follows no one."""
    login = base64.b64encode(f"{account.name}:{account.token}".encode()).decode()
    config = {
        f"http.{account.gitlab.url}/.extraHeader": f"Authorization: Basic {login}",
        f"http.{account.gitlab.url}/.followRedirects": "false",
        "user.name": account.name,
        "user.email": f"{account.name}@example.com",
    }
    kept = ("PATH", "SSL_CERT_FILE", "GIT_SSL_CAINFO", "TMPDIR")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    env["GIT_CONFIG_COUNT"] = str(len(config))
    for number, (key, value) in enumerate(config.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env
