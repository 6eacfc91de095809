"""The environment and settings of the git binary: chosen by us, never by a repository."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path

from headgate import process
from headgate.repository.login import has_logins, login_config

# What git needs of our environment to reach remotes as the user does. GIT_DIR and the like are left out: they would
# point every command at another repository.
_INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSH_AGENT_PID"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_ASKPASS", "SSH_ASKPASS"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"),
    *("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"),
)
_FIXED = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # we fetch missing objects in bulk, never one by one
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",  # never ext:: or fd::, which run commands from an address
}
# Git reads a repository's own settings in any case: override those that run programs or change what a push does.
_OVERRIDES = (
    *("safe.bareRepository=all", "push.gpgSign=false", "push.followTags=false", "push.recurseSubmodules=no"),
    *("fetch.recurseSubmodules=false", "core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0"),
)
OVERRIDES = tuple(arg for setting in _OVERRIDES for arg in ("-c", setting))

TREELESS_HINT = (
    "this clone was made without the folders of earlier commits: 'git fetch --refetch --filter=blob:none' brings them"
)
"""What to do where git may not fetch a missing folder by itself."""

# The user's settings for identity and for reaching remotes. All others serve the user's own work with git: a format,
# a signature, a hook or a default would change the commits or stop a push.
_USER_SETTINGS = (
    *("user.", "author.", "committer.", "credential.", "http.", "https.", "url.", "ssh.", "safe.directory"),
    *("core.sshcommand", "core.askpass", "core.gitproxy"),
)


def environment(cwd: Path | None) -> dict[str, str]:
    """Return the environment in which git runs in a folder."""
    env = {**process.inherited(_INHERITED), **_FIXED, **login_config()}
    env |= {"GIT_CONFIG_GLOBAL": _user_settings_file(str(cwd) if cwd else ""), "GIT_CONFIG_NOSYSTEM": "1"}
    if has_logins():
        env["HOME"] = os.devnull  # a pipeline's git uses only the logins of `login_config`, not ~/.netrc
    return env


def _user_settings_file(folder: str) -> str:
    """Write the relevant settings of user and system, as they hold in a folder, to a file; return its path.

    They differ from folder to folder only where one is included on a condition.
    """
    return str(_settings_file("".join(setting_text(key, value) for key, value in _relevant(folder))))


def user_settings(folder: str) -> dict[str, str]:
    """Return the same settings: the last value of each key."""
    return dict(_relevant(folder))


def _relevant(folder: str) -> list[tuple[str, str]]:
    env = tuple(process.inherited(_INHERITED).items())
    settings = _settings(env, "")
    if any(key.lower().startswith("includeif.") for _, key, _ in settings):
        settings = _settings(env, folder)
    return [
        (key, value)
        for scope, key, value in settings
        if scope in ("system", "global") and key.lower().startswith(_USER_SETTINGS)
    ]


@cache
def _settings(inherited: tuple[tuple[str, str], ...], folder: str) -> list[tuple[str, str, str]]:
    """Return scope, key and value of each setting that git has in a folder; outside of all repositories without one."""
    env = {**dict(inherited), **_FIXED}
    if env.get("GIT_CONFIG_NOSYSTEM") == "1" and env.get("GIT_CONFIG_GLOBAL") == os.devnull:
        return []  # nobody has any, so git need not be asked
    cwd = Path(folder) if folder and Path(folder).is_dir() else Path("/")
    try:
        output = process.run(
            ["git", "-c", "safe.bareRepository=all", "config", "--list", "-z", "--show-scope", "--includes"],
            env=env,
            cwd=cwd,
        ).stdout.decode("utf-8", "surrogateescape")
    except process.ProcessError:
        output = ""
    tokens = output.split("\0")
    entries = zip(tokens[::2], (token.partition("\n") for token in tokens[1::2]), strict=False)
    return [(scope, key, value) for scope, (key, _, value) in entries]


def setting_text(key: str, value: str) -> str:
    """Format a setting: https://git-scm.com/docs/git-config#_syntax."""
    section, _, name = key.rpartition(".")
    section, _, rest = section.partition(".")
    header = f'[{section} "{_escaped(rest)}"]' if rest else f"[{section}]"
    return f'{header}\n\t{name} = "{_escaped(value)}"\n'


def _escaped(text: str) -> str:
    """Escape a value for quotes: https://git-scm.com/docs/git-config#_syntax."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@cache
def _settings_file(text: str) -> Path:
    if not text:
        return Path(os.devnull)
    descriptor, name = tempfile.mkstemp(prefix="headgate-", suffix=".gitconfig")
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)
