"""Each way of working in each set-up, on each version of GitLab, with each combination of tokens in docs/setup.md.

What is there works, or is refused with the name of what is missing, and then nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.acme import PREVIEW, Acme, follow_the_steps, jobs_path, make_acme
from support.gitlab import Double, serve_gitlab
from support.gitlab.gitside import refs, write_commit
from support.gitlab.mergeside import open_request
from support.gitlab.pipelines import on_merge_request
from support.gitlab.saved import put_back
from support.gitlab.state import DEVELOPER, REPORTER, MergeRequest, Pipeline, Project, Protection, Variable
from support.inprocess import in_process
from support.registry import serve_registry

VERSIONS = ("18.10.0", "18.11.2", "19.0.1", "19.3.0")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way of working, with the tokens and settings that are there.

    ``refusal`` is what its message must name: on every version, or on those before ``since``.
    """

    setup: str
    way: str
    given: tuple[str, ...]
    refusal: tuple[str, ...] = ()
    since: tuple[int, ...] = ()

    def is_refused(self, gitlab: Double) -> bool:
        """Whether this GitLab lacks what the way needs."""
        return bool(self.refusal) and not (self.since and gitlab.is_newer_than(*self.since))


def _cases() -> Iterator[Case]:
    for setup, pushing in (("direct", ("job push",)), ("direct", ("bot",)), ("intake", ("bot",)), ("token", ("bot",))):
        trigger = ("trigger",) if setup == "token" else ()
        for way in ("hand-off", "reviewed"):
            for reading in ("allowlist", "read token"):
                yield Case(setup=setup, way=way, given=(*pushing, *trigger, reading))
            yield Case(setup=setup, way=way, given=(*pushing, *trigger), refusal=NOBODY_MAY_LOOK)
        yield Case(setup=setup, way="form", given=pushing)
        yield Case(setup=setup, way="form", given=(*pushing, "read token"))
    for setup in ("direct", "intake", "token"):
        for reading in ("allowlist", "read token"):
            yield Case(setup=setup, way="preview", given=(reading,))
            yield Case(setup=setup, way="preview", given=(reading, "branch token"))
        yield Case(
            setup=setup, way="preview", given=("allowlist", "unknown image"), refusal=("$NO_IMAGE", "not set here")
        )
        yield Case(setup=setup, way="preview", given=(), refusal=("acme/manifests", "the job token", "allowlist"))
    for way in ("hand-off", "reviewed", "form"):
        yield Case(setup="direct", way=way, given=("allowlist",), refusal=MAY_NOT_PUSH)
        yield Case(setup="intake", way=way, given=("allowlist",), refusal=("HEADGATE_TOKEN",))
        yield Case(setup="intake", way=way, given=CROSSING, refusal=MAY_NOT_CROSS, since=(19, 0))
        for missing in CROSSING[: 3 if way == "form" else 4]:  # the form is filled in by somebody who may push anyway
            given = tuple(one for one in CROSSING if one != missing)
            yield Case(setup="intake", way=way, given=given, refusal=MAY_NOT_CROSS)
    yield Case(setup="intake", way="form", given=CROSSING[:3], refusal=("the role of max", "HEADGATE_READ_TOKEN"))
    yield Case(setup="token", way="hand-off", given=("bot", "allowlist"), refusal=("HEADGATE_TRIGGER_TOKEN", "add it"))


NOBODY_MAY_LOOK = ("no token here may read who sent", "allowlist", "HEADGATE_READ_TOKEN")
MAY_NOT_PUSH = ("Allow Git push requests to the repository", "HEADGATE_TOKEN")
CROSSING = ("job push", "cross push", "listed intake", "pushing person", "allowlist", "read token")
MAY_NOT_CROSS = ("HEADGATE_TOKEN", "GitLab 19.0", "Allow cross-project Git push requests from allowlisted projects")
CASES = tuple(_cases())


def _tests() -> Iterator[object]:
    """Yield each case on each version.

    The quick tests have one of each way that works, and one that does not, the long ones each case on one version.
    """
    quick = {(case.way, bool(case.refusal)): case for case in reversed(CASES)}
    for number, case in enumerate(CASES):
        for at, version in enumerate(VERSIONS):
            name = "-".join([case.setup, case.way, "+".join(case.given) or "nothing", version])
            is_quick = case in quick.values() and at == number % len(VERSIONS)
            rest = pytest.mark.long if at == (number + 2) % len(VERSIONS) else pytest.mark.soak
            yield pytest.param(case, version, id=name.replace(" ", "_"), marks=() if is_quick else rest)


World = Callable[[str], Acme]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return what gives one GitLab for each set-up, where one version is in dev already; made when it is first used."""
    made: dict[str, Acme] = {}
    with ExitStack() as stack:

        def world(setup: str) -> Acme:
            if setup not in made:
                folder = tmp_path_factory.mktemp(setup)
                registry = stack.enter_context(serve_registry(folder / "registry"))
                gitlab = stack.enter_context(serve_gitlab(folder / "gitlab", jobs_path(folder)))
                acme = make_acme(gitlab, registry, folder, setup=setup, own_config=True)
                follow_the_steps(acme, setup)
                acme.gitlab.user("reader")
                with in_process(gitlab):
                    acme.build(message="First")
                assert acme.hydrations()[-1].status == "success", acme.hydrations()[-1].log
                made[setup] = acme
            return made[setup]

        yield world


@pytest.mark.parametrize(("case", "version"), list(_tests()))
def test_it_works_or_says_what_is_missing(
    worlds: World, case: Case, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    acme = worlds(case.setup)
    with put_back(acme.gitlab):
        acme.gitlab.version = version
        _give(acme, case)
        before = refs(acme.manifests)
        with in_process(acme.gitlab):
            ran, is_done = _WAYS[case.way](acme, case)
        if not case.is_refused(acme.gitlab):
            assert ran.status == "success", ran.errors or ran.log
            assert is_done, ran.log
            return
        assert ran.status == "failed", ran.log
        words = " ".join(ran.log.split())
        assert [one for one in case.refusal if one not in words] == [], ran.log
        assert (refs(acme.manifests), acme.manifests.merge_requests) == (before, [])


# --- what is given


def _give(acme: Acme, case: Case) -> None:
    """Let there be the tokens and settings of a case, and no others."""
    reads, is_read = (acme.shop, acme.manifests) if case.way == "preview" else (acme.triggered, acme.shop)
    for project in (acme.manifests, acme.triggered, acme.shop):
        project.variables = {key: one for key, one in project.variables.items() if not key.startswith("HEADGATE_")}
    for project in {acme.manifests, acme.triggered} if "bot" in case.given else ():
        _variable(acme, project, "HEADGATE_TOKEN", "headgate-bot", "api", "write_repository")
    if "read token" in case.given:
        reader = next(one for one in acme.gitlab.users if one.name == "reader")
        is_read.members[reader.id] = REPORTER
        acme.manifests.members[reader.id] = REPORTER
        _variable(acme, reads, "HEADGATE_READ_TOKEN", "reader", "read_api", "read_repository")
    if "branch token" in case.given:
        _variable(acme, acme.shop, "HEADGATE_BRANCH_TOKEN", "dana", "api")
    if "trigger" in case.given:
        (token,) = acme.manifests.trigger_tokens
        acme.shop.variables["HEADGATE_TRIGGER_TOKEN"] = Variable(token, protected=True)
    is_read.allowlist.discard(reads.path)
    if "allowlist" in case.given:
        is_read.allowlist.add(reads.path)
    acme.manifests.job_token_push = "job push" in case.given
    acme.manifests.cross_project_push = "cross push" in case.given
    if "listed intake" in case.given:
        acme.manifests.allowlist.add(acme.triggered.path)
    if "pushing person" in case.given:
        acme.manifests.members[acme.dana.id] = DEVELOPER
        acme.manifests.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
    if case.way == "reviewed":
        text = acme.gitlab.show(acme.manifests, "headgate.yaml")
        _rewrite(acme.manifests, "headgate.yaml", text.replace("delivery: commit", "delivery: review"))


def _variable(acme: Acme, project: Project, name: str, user: str, *scopes: str) -> None:
    found = next(one for one in acme.gitlab.users if one.name == user)
    value = next((one.value for one in acme.gitlab.tokens if (one.user, one.scopes) == (found, scopes)), "")
    value = value or acme.gitlab.token(found, *scopes)
    project.variables[name] = Variable(value, protected=name == "HEADGATE_TOKEN")


# --- the ways of working


def _hand_off(acme: Acme, case: Case) -> tuple[Pipeline, bool]:
    commit = acme.build()
    return _last(acme, case), f"{acme.image}:{commit[:8]}@sha256:" in acme.deployed()


def _reviewed(acme: Acme, case: Case) -> tuple[Pipeline, bool]:
    before, commit = acme.deployed(), acme.build()
    found = [one.source for one in acme.gitlab.open_requests(acme.manifests)]
    is_proposed = found == ["headgate/dev/shop"] and commit[:8] in acme.deployed(revision=found[0])
    return _last(acme, case), is_proposed and acme.deployed() == before


def _form(acme: Acme, case: Case) -> tuple[Pipeline, bool]:
    inputs = {"action": "promote", "app": "shop", "environment": "production", "from": "dev"}
    ran = acme.gitlab.run_form(acme.triggered, acme.max, inputs)
    found = [one.source for one in acme.gitlab.open_requests(acme.manifests)]
    return ran, found == ["headgate/production/shop"]


def _preview(acme: Acme, case: Case) -> tuple[Pipeline, bool]:
    before = refs(acme.manifests)
    own = acme.gitlab.show(acme.shop, "deploy/shop.yaml").replace("spec:\n  selec", "spec:\n  replicas: 5\n  selec")
    images = ", images: $NO_IMAGE}" if "unknown image" in case.given else "}"
    ci = acme.gitlab.show(acme.shop, ".gitlab-ci.yml") + PREVIEW.replace("}\n", f"{images}\n")
    files = {"deploy/shop.yaml": own, ".gitlab-ci.yml": ci}
    write_commit(acme.shop.folder, "refs/heads/more", refs(acme.shop)["refs/heads/main"], files, "dana", "More")
    request = open_request(acme.gitlab, acme.shop, "more", acme.dana)
    ran = on_merge_request(acme.gitlab, request, acme.dana)
    acme.gitlab.settle()
    is_said = "replicas" in (_note(request) if "branch token" in case.given else ran.log)
    return ran, is_said and refs(acme.manifests) == before


def _note(request: MergeRequest) -> str:
    (note,) = [one.body for one in request.notes if not one.system]
    return note


def _last(acme: Acme, case: Case) -> Pipeline:
    """Return the pipeline that a hand-off ended in: the app's own where nothing could be triggered."""
    is_triggered = case.setup != "token" or "trigger" in case.given
    return acme.hydrations()[-1] if is_triggered else acme.shop.pipelines[-1]


def _rewrite(project: Project, path: str, text: str) -> None:
    """Change a file behind GitLab's back, so that no pipeline comes of it."""
    head = refs(project)["refs/heads/main"]
    write_commit(project.folder, "refs/heads/main", head, {path: f"{text}\n"}, "max", f"Change {path}")


_WAYS = {"hand-off": _hand_off, "reviewed": _reviewed, "form": _form, "preview": _preview}
