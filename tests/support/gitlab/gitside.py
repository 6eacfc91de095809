"""git over HTTP as GitLab serves it: who may read, who may push what, and what a push sets off."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support.copies import folder_of_the_process
from support.githttp import allow_partial
from support.gitlab.state import DEVELOPER, Job, Project, Token, User
from support.gitlab.web import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.gitlab.double import Double

NOTHING = "0" * 40


@dataclass(frozen=True)
class Who:
    """Whom a request is from: a person by a token, or a job."""

    user: User | None = None
    token: Token | None = None
    job: Job | None = None

    @property
    def kind(self) -> str:
        """What kind of token it came with."""
        return "job" if self.job else self.token.kind if self.token else "none"


@dataclass(frozen=True)
class Update:
    """One ref of a push."""

    ref: str
    old: str
    new: str


HOOK = """#!/bin/sh
# Refuses what the double decided on; a ref that may not be rewritten must only go forward.
[ -z "$DOUBLE_REFUSAL" ] || { echo "GitLab: $DOUBLE_REFUSAL" >&2; exit 1; }
while read -r old new ref; do
  case " $DOUBLE_FORWARD_ONLY " in
    *" $ref "*)
      if [ "$old" != 0000000000000000000000000000000000000000 ] && ! git merge-base --is-ancestor "$old" "$new"; then
        echo "GitLab: You are not allowed to force push code to a protected branch on this project." >&2; exit 1
      fi ;;
  esac
done
"""


TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def make_repository(folder: Path) -> None:
    """Make a bare repository as GitLab serves it: in parts, and any commit by its id."""
    shutil.copytree(_empty_repository(), folder)


@cache
def _empty_repository() -> Path:
    """Make an empty repository once for all tests of a process, since that takes git a few processes."""
    folder = folder_of_the_process("empty.git")
    args = ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main"]
    subprocess.run([*args, str(folder)], check=True)
    allow_partial(folder)
    subprocess.run(["git", "-C", str(folder), "config", "receive.advertisePushOptions", "true"], check=True)
    (folder / "hooks").mkdir()
    hook = folder / "hooks" / "pre-receive"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    return folder


def answer_git(double: Double, request: Request) -> Answer:
    """Answer a request of git's, and note what a push changed."""
    match = re.fullmatch(r"/(.+?)\.git/(info/refs|git-upload-pack|git-receive-pack)", request.path)
    project = double.find_project(match[1]) if match else None
    who = double.who_by_basic(request)
    if who.user is None:
        return Answer(
            401, raw=b"HTTP Basic: Access denied", headers={**TEXT, "WWW-Authenticate": 'Basic realm="GitLab"'}
        )
    is_push = "receive-pack" in request.path or request.query.get("service") == "git-receive-pack"
    if match and project is None and is_push:
        project = _made_by_push(double, who, match[1])
    if match is None or project is None or not may_read(double, who, project):
        return Answer(
            404, raw=b"The project you were looking for could not be found or you don't have permission", headers=TEXT
        )
    refusal = may_push(double, who, project) if is_push else ""
    if refusal:
        return Answer(403, raw=refusal.encode(), headers=TEXT)
    if not request.path.endswith("/git-receive-pack"):
        return _backend(project, request, match[2], {})
    updates, options = read_push(request.body)
    env = {"DOUBLE_REFUSAL": refused(double, who, project, updates)}
    env["DOUBLE_FORWARD_ONLY"] = " ".join(
        one.ref for one in updates if project.protection(one.ref.removeprefix("refs/heads/"))
    )
    with double.lock:
        before = refs(project)
        answer = _backend(project, request, match[2], env)
        after = refs(project)
        moved = [one for one in updates if before.get(one.ref) != after.get(one.ref)]
    double.pushed(project, who, moved, options)
    return answer


def _made_by_push(double: Double, who: Who, path: str) -> Project | None:
    """Make the project that somebody pushes to: https://docs.gitlab.com/topics/git/project/ (create with git push)."""
    group = next((one for one in double.groups if one.path == path.rpartition("/")[0]), None)
    if group is None or group.owner is not who.user or who.job is not None:
        return None
    return double.project_in(group, path)


def may_read(double: Double, who: Who, project: Project) -> bool:
    """Whether somebody may read a private project: https://docs.gitlab.com/ci/jobs/ci_job_token/ (facts, part 3)."""
    if who.user is None or not project.is_read_by(who.user):
        return False
    return who.job is None or double.is_allowed(who.job, project)


def may_push(double: Double, who: Who, project: Project) -> str:
    """Say why somebody may not push to a project at all; empty when he may."""
    if who.user is None or project.level(who.user) < DEVELOPER:
        return "You are not allowed to push code to this project."
    if who.token and not {"api", "write_repository"} & set(who.token.scopes):
        return "The token lacks the scope write_repository."
    if who.job is None:
        return ""
    # https://docs.gitlab.com/ci/jobs/ci_job_token/#allow-git-push-requests-to-your-project-repository (facts, part 3)
    if not project.job_token_push:
        return "You are not allowed to upload code."
    if who.job.pipeline.project is project:
        return ""
    # from another project: 19.0, both settings, on the allowlist with ADMIN_REPOSITORIES (facts, parts 3 and 12)
    is_open = double.is_newer_than(19, 0) and project.cross_project_push
    is_let = is_open and not double.job_refusal(who.job, project, "admin_repositories")
    return "" if is_let else "You are not allowed to upload code."


def refused(double: Double, who: Who, project: Project, updates: list[Update]) -> str:
    """Say why a push is refused: https://docs.gitlab.com/user/project/repository/branches/protected/."""
    user = who.user
    assert user is not None
    for one in updates:
        if one.ref.startswith("refs/heads/"):
            protection = project.protection(one.ref.removeprefix("refs/heads/"))
            if protection and one.new == NOTHING:
                return "You cannot delete a protected branch through git."
            if protection and (not protection.push or project.level(user) < protection.push):
                return "You are not allowed to push code to protected branches on this project."
        if one.ref.startswith("refs/tags/"):
            needed = double.tag_protection(project, one.ref.removeprefix("refs/tags/"))
            if needed and project.level(user) < needed:
                return "You are not allowed to create this tag as it is protected."
    return project.push_rule


def read_push(body: bytes) -> tuple[list[Update], list[str]]:
    """Read the refs and options of a push: https://git-scm.com/docs/gitprotocol-pack#_reference_update_request."""
    lines, position = _pkt_lines(body, 0)
    lines = [line for line in lines if not line.startswith(b"shallow ")]  # where the pusher's history is cut off
    capabilities = lines[0].split(b"\0")[1] if lines and b"\0" in lines[0] else b""
    updates = []
    for line in lines:
        old, new, ref = line.split(b"\0")[0].decode().strip().split(" ", 2)
        updates.append(Update(ref, old, new))
    options: list[str] = []
    if b"push-options" in capabilities:
        options = [one.decode() for one in _pkt_lines(body, position)[0]]
    return updates, options


def _pkt_lines(body: bytes, position: int) -> tuple[list[bytes], int]:
    lines = []
    while (size := int(body[position : position + 4], 16)) >= 4:
        lines.append(body[position + 4 : position + size])
        position += size
    return lines, position + 4


def _backend(project: Project, request: Request, what: str, more: dict[str, str]) -> Answer:
    key = _key(project, request, what)
    answer = _answers.get(key) or _answer(project, request, what, more)
    if key and answer.status == 200:
        _answers[key] = answer
    return answer


def _key(project: Project, request: Request, what: str) -> tuple[object, ...]:
    """Return on what the answer to a request that reads depends; empty for another request.

    By version 2 of the protocol a server first only says what it can do, by its configuration, and to the same question
    about the same refs it says the same: https://git-scm.com/docs/protocol-v2. A run asks most of them again and again.
    """
    if request.headers.get("git-protocol") != "version=2":
        return ()
    if what == "info/refs" and request.query_text == "service=git-upload-pack":
        return ((project.folder / "config").read_bytes(),)
    if what == "git-upload-pack":
        heads = (project.folder / "HEAD").read_text()
        return (project.folder, heads, tuple(stored_refs(project).items()), request.body)
    return ()


_answers: dict[tuple[object, ...], Answer] = {}


def _answer(project: Project, request: Request, what: str, more: dict[str, str]) -> Answer:
    """Let git answer as Gitaly does: https://git-scm.com/docs/http-protocol#_smart_server_response."""
    service, protocol = str(request.query.get("service", what)), request.headers.get("git-protocol", "")
    is_greeting = what == "info/refs"
    env = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **more,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROTOCOL": protocol,
    }
    args = ["git", service.removeprefix("git-"), "--stateless-rpc", *(["--advertise-refs"] if is_greeting else [])]
    done = subprocess.run([*args, str(project.folder)], env=env, input=request.body, capture_output=True, check=False)
    title = f"# service={service}\n".encode() if is_greeting and protocol != "version=2" else b""
    head = b"%04x%s0000" % (len(title) + 4, title) if title else b""
    kind = f"application/x-{service}-{'advertisement' if is_greeting else 'result'}"
    return Answer(200, raw=head + done.stdout, headers={"Content-Type": kind, "Cache-Control": "no-cache"})


def basic(request: Request) -> tuple[str, str]:
    """Return name and password of a request; empty without them."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    user, _, password = base64.b64decode(told).decode().partition(":")
    return user, password


def git(project: Project, *args: str, stdin: str = "", check: bool = True) -> str:
    """Run git in a project's repository and return what it printed."""
    done = subprocess.run(
        ["git", "-C", str(project.folder), *args], input=stdin, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"git {args}: {done.stderr}")
    return done.stdout.strip() if not done.returncode else ""


def git_once(project: Project, *args: str, check: bool = True) -> str:
    """Run git for what cannot change, since all commits in it are named by their ids, once for all tests that ask."""
    key = (project.folder, args)
    found = _lasting.get(key) or git(project, *args, check=check)
    if found:  # what is not there yet may come
        _lasting[key] = found
    return found


_lasting: dict[tuple[Path, tuple[str, ...]], str] = {}


def refs(project: Project) -> dict[str, str]:
    """Return where all refs are; tags by the commit that they name."""
    found = stored_refs(project).items()
    return {ref: _commit_of(project, sha) if ref.startswith("refs/tags/") else sha for ref, sha in found}


def stored_refs(project: Project) -> dict[str, str]:
    """Return where all refs are.

    Read as git keeps them (https://git-scm.com/docs/gitrepository-layout), since it is asked at every turn.
    """
    loose: dict[str, str] = {}
    for folder, _, names in os.walk(project.folder / "refs"):
        for name in names:
            file = Path(folder, name)
            with contextlib.suppress(FileNotFoundError):  # deleted just now
                loose[file.relative_to(project.folder).as_posix()] = file.read_text().strip()
    packed = project.folder / "packed-refs"  # read last, as what is packed is written before it goes from the folders
    lines = packed.read_text().splitlines() if packed.is_file() else []
    known = {ref: sha for sha, _, ref in (line.partition(" ") for line in lines if line[0] not in "#^")} | loose
    return {ref: sha for ref, sha in sorted(known.items()) if not ref.endswith(".lock")}


def _commit_of(project: Project, sha: str) -> str:
    return git_once(project, "rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}", check=False) or sha


def write_commit(
    repository: Path, ref: str, head: str, files: Mapping[str, str | None], name: str, message: str
) -> str:
    """Commit changes on top of ``head`` (none where it is empty) to a ref, and return the commit. None removes.

    By one process: https://git-scm.com/docs/git-fast-import.
    """
    told = [f"commit {ref}\ncommitter {name} <{name}@example.com> now", _data(message)]
    told += [f"from {head}"] if head else []
    told += [f"D {path}" if text is None else f"M 100644 inline {path}\n{_data(text)}" for path, text in files.items()]
    subprocess.run(
        ["git", "-C", str(repository), "fast-import", "--quiet", "--force", "--date-format=now"],
        input="\n".join([*told, ""]).encode(),
        check=True,
        capture_output=True,
    )
    commit = (repository / ref).read_text().strip()
    before = _files.get((repository, head)) if head else {}
    if before is not None:
        kept = {
            path: text for path, text in before.items() if not any(f"{path}/".startswith(f"{one}/") for one in files)
        }
        _files[repository, commit] = kept | {path: text for path, text in files.items() if text is not None}
    _lasting[repository, (*_MESSAGE, commit)] = message
    return commit


_files: dict[tuple[Path, str], dict[str, str]] = {}
"""The files of the commits that were written here, from the first one on."""


def text_at(project: Project, sha: str, path: str) -> str:
    """Return a file of a commit; empty where there is none."""
    known = _files.get((project.folder, sha))
    return known.get(path, "") if known is not None else git_once(project, "show", f"{sha}:{path}", check=False)


_MESSAGE = ("show", "--no-patch", "--format=%B")
_FACTS = ("show", "--no-patch", "--format=%an%x00%ae%x00%aI%x00%P%x00%s%x00%B")


def message_of(project: Project, sha: str) -> str:
    """Return the message of a commit."""
    return _lasting.get((project.folder, (*_MESSAGE, sha))) or commit_facts(project, sha)[-1]


def commit_facts(project: Project, sha: str) -> list[str]:
    """Return author, address, date, parents, title and message of a commit."""
    return git_once(project, *_FACTS, sha).split("\0")


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"
