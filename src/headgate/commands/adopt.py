"""``headgate adopt``: take over a running manifest repository, with proof that its final YAML does not change."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headgate.adoption.choices import Choices, OpenQuestionError
from headgate.adoption.images import Provenance
from headgate.adoption.proposal import propose
from headgate.commands.adopt_options import ANSWERS, AdoptOptions, choices_of
from headgate.commands.exit_code import merge_codes, outcome_codes
from headgate.commands.options import NOTHING_WRITTEN
from headgate.commands.preview_local import project_of
from headgate.errors import ArgumentError, ConfigError, GuardError, Location
from headgate.gitlab.api import connect, project_path
from headgate.message import compose
from headgate.model import Settings
from headgate.registry import digests
from headgate.registry.credentials import access
from headgate.report.adoption import adoption_to_json, describe_adoption, verdict, write_adoption
from headgate.report.terminal import Terminal
from headgate.repository import git
from headgate.repository.commit import Identity, make_commit
from headgate.repository.login import Login, logged_in
from headgate.repository.remote import RefUpdate, push, remote_refs, upstream
from headgate.repository.tree import Tree, prefetch
from headgate.scaffolding import likely_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headgate.adoption.images import Resolve
    from headgate.adoption.proposal import Adoption
    from headgate.objects.images import Reference
    from headgate.repository.git import Repository


def run(request: AdoptOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Propose the files, prove that the YAML stays equal, commit on a branch, and return the exit code.

    Nothing is written where an object would differ, unless that is accepted, and where one cannot be hydrated.
    """
    repository = git.open_repository(request.source)
    git.use_names_of(repository)
    tree = _files(repository)
    target = git.open_repository(request.manifests) if request.manifests is not None else repository
    base = git.head(target)
    terminal = Terminal(sys.stdout, quiet=request.json)
    gitlab = _gitlab(request)
    provenance = Provenance(
        project=request.project or _project(repository),
        commit=git.head(repository),
        ref=f"refs/heads/{git.current_branch(repository) or 'main'}",
    )
    goes_to = tree if target is repository else _files(target)
    resolve = _resolver(gitlab, environ) if request.digests else _unresolved
    adoption = _with_answers(
        choices_of(request),
        lambda choices: propose(tree, goes_to, choices, provenance, gitlab, resolve, terminal.progress),
        asks=not request.json and sys.stdin.isatty() and sys.stdout.isatty(),
    )
    write_adoption(terminal, adoption)
    if request.report is not None:
        request.report.write_text(describe_adoption(adoption), encoding="utf-8")
    written = {} if adoption.failed else _write(request, adoption, target, base, terminal, environ)
    if request.json:
        print(adoption_to_json(adoption, **written))  # noqa: T201  the answer itself
    return merge_codes(outcome_codes(adoption.outcomes))


def _files(repository: Repository) -> Tree:
    """Return the committed files, without uncommitted changes."""
    tree = git.tree_of_commit(repository, git.head(repository))
    prefetch(tree)
    return tree


def _unresolved(reference: Reference) -> Reference:
    return reference


def _resolver(gitlab: Mapping[str, str], environ: Mapping[str, str]) -> Resolve:
    """Return the function that resolves an image's tag to its digest in the registry."""
    data: dict[str, Any] = {"version": 1, "environments": {"any": {"delivery": "commit"}}}
    at = access(Settings.model_validate({**data, "gitlab": dict(gitlab)} if gitlab else data), environ)
    return lambda reference: digests.resolve(reference, at)


def _with_answers(choices: Choices, attempt: Callable[[Choices], Adoption], *, asks: bool) -> Adoption:
    """Attempt it; ask for missing answers if it ``asks``. Raises OpenQuestionError otherwise."""
    while True:
        try:
            return attempt(choices)
        except OpenQuestionError as question:
            if not asks or question.option not in ANSWERS:
                raise
            print(f"{question.what}: {question.hint}")  # noqa: T201
            answer = input(f"{question.option} {question.prefix}").strip()
            choices = ANSWERS[question.option](choices, question.prefix + answer)


def _project(repository: Repository) -> str:
    """Return the project of a checkout; empty if it is unknown."""
    try:
        return project_of(repository)
    except ConfigError:
        return ""


def _gitlab(request: AdoptOptions) -> dict[str, str]:
    """Return the section `gitlab` of headgate.yaml; empty without a server or a project."""
    server = request.server.rstrip("/")
    if request.merge_request and not (server and request.project):
        raise ArgumentError("--merge-request needs the project", hint="pass --server URL --project GROUP/NAME")
    if not (server and request.project):
        return {}
    return {"url": server, "project": request.project, "registry": likely_registry(server)}


# The text of the section `gitlab`


def _write(
    request: AdoptOptions,
    adoption: Adoption,
    target: Repository,
    base: str,
    terminal: Terminal,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Commit on a separate branch, and open the merge request. Raises GuardError if objects would differ."""
    if adoption.differences and not request.accept_differences and not request.dry_run:
        number = adoption.differences
        what = "1 object would differ from" if number == 1 else f"{number} objects would differ from"
        raise GuardError(
            f"{what} today, so nothing was written",
            hint="correct the differences, leave an app out with --leave-out APP, or pass --accept-differences",
        )
    if request.dry_run:
        terminal.line(f"\n{NOTHING_WRITTEN}", "bold")
        return {}
    ref = f"refs/heads/{request.branch}"
    if git.current_branch(target) == request.branch:
        raise ArgumentError(
            f"the branch {request.branch} is checked out", hint="check another one out, or pass --branch"
        )
    apps = dict.fromkeys(found.app for found in adoption.comparisons)
    subject = f"Adopt {len(apps)} apps into Headgate" if len(apps) != 1 else f"Adopt {next(iter(apps))} into Headgate"
    message = compose(subject, [verdict(adoption)], [f"{_TRAILER}: {len(apps)}"])
    before = git.local_refs(target).get(ref, git.NO_COMMIT)
    _check_ours(target, before, request.branch)
    commit = make_commit(target, base, adoption.changes, message, identity=Identity(signing_key=request.signing_key))
    target.git("update-ref", ref, commit, before)
    terminal.line(f"\ncommitted {commit[:12]} to {request.branch}; your working tree is unchanged", "bold")
    if not request.merge_request:
        terminal.line(f"'git push origin {request.branch}' pushes it;")
        terminal.line("with --merge-request, the merge request shows this proof")
        return {"branch": request.branch, "commit": commit}
    url = _open(request, adoption, target, RefUpdate(ref, commit, before), subject, environ)
    terminal.line(f"the merge request: {url}", "bold")
    return {"branch": request.branch, "commit": commit, "merge_request": url}


_TRAILER = "Headgate-Adopts"


def _check_ours(target: Repository, commit: str, branch: str) -> None:
    """Refuse to replace a commit that another program or person made. Raises GuardError."""
    if commit != git.NO_COMMIT and f"\n{_TRAILER}: " not in git.commit_details(target, commit).message:
        raise GuardError(
            f"the branch {branch} has a commit that 'headgate adopt' did not make",
            where=Location(str(target.path)),
            hint="delete or rename that branch, or name another with --branch",
        )


def _open(
    request: AdoptOptions,
    adoption: Adoption,
    target: Repository,
    update: RefUpdate,
    subject: str,
    environ: Mapping[str, str],
) -> str:
    """Push the branch, and open or update its merge request. Returns its address."""
    secret = environ.get(request.token_variable, "")
    if not secret:
        raise ConfigError(
            f"the variable {request.token_variable} is not set",
            where=Location(str(target.path)),
            hint="put a token with the scope api there, of somebody with the role Developer; --token-env NAME names "
            "another variable",
        )
    gitlab = connect(request.server.rstrip("/"), request.token_variable, secret)
    project = gitlab.get(project_path(request.project))
    current = git.current_branch(target)
    remote = upstream(target, current) or "origin"
    address = target.git("config", "--get", f"remote.{remote}.url")
    with logged_in(*([Login(url=address, user="headgate", password=secret)] if re.match("https?:", address) else [])):
        there = remote_refs(target, remote, update.ref).get(update.ref, git.NO_COMMIT)
        if there not in (git.NO_COMMIT, update.old):
            raise GuardError(
                f"the branch {request.branch} on {remote} has a commit that is not in this checkout",
                hint="fetch it and check what somebody changed, or name another branch with --branch",
            )
        push(target, remote, [replace(update, old=there)])
    path = f"{project_path(request.project)}/merge_requests"
    fields = {"title": subject, "description": describe_adoption(adoption)}
    branch = {"source_branch": request.branch, "target_branch": project["default_branch"]}
    is_open = gitlab.get(path, {**branch, "state": "opened"})
    if is_open:
        return str(gitlab.put(f"{path}/{is_open[0]['iid']}", fields)["web_url"])
    return str(gitlab.post(path, {**branch, **fields, "remove_source_branch": True})["web_url"])
