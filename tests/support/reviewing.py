"""A GitLab with an app, a manifest project, people and a bot: hand-offs and other runs as jobs, one after another.

`make_scene` is for what comes after a hand-off, which nobody verifies there; in `make_sender_scene` a pipeline of the
app sends each, with an image in a registry, and ``headgate ci`` takes it or not.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headgate.commands import ci
from headgate.errors import HeadgateError
from headgate.feedback.apps import Scope
from headgate.feedback.jobreport import JobReport
from headgate.feedback.notify import notify
from headgate.gitlab.event import Event, Form, Tokens
from headgate.gitlab.run import Run, open_run
from headgate.intents.deliver import Deliver
from headgate.objects.images import parse_reference
from headgate.releases.handoff import HandOff
from headgate.releases.source import app_source
from headgate.repository.login import logged_in
from support.flux import NotificationController
from support.gitlab.double import Double, serve_gitlab
from support.gitlab.gitside import git, refs, write_commit
from support.gitlab.mergeside import merge
from support.gitlab.runner import environment
from support.gitlab.state import (
    DEVELOPER,
    MAINTAINER,
    Job,
    MergeRequest,
    Pipeline,
    Project,
    Protection,
    User,
    Variable,
    number,
)
from support.registry import Registry, push_image
from support.stage import Remote

BRANCH = "headgate/production/web"
IMAGE = "registry.example.com/acme/web"
APP = "project: acme/web\nimages: {web: registry.example.com/acme/web}\nconfig: deploy\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example.com/acme/web}]}
"""
SHOP = DEPLOYMENT.replace("  replicas: 2\n", "").replace(IMAGE, "IMAGE").replace("web", "shop")
SETTINGS = """\
version: 1
gitlab: {{url: '{url}', project: acme/manifests}}
environments:
  dev: {{takes: {{branch: main}}, delivery: commit, kubernetes: "1.34"}}
  try: {{takes: {{branch: "try/*", protected: false}}, delivery: review, kubernetes: "1.34"}}
  production: {{takes: {{tag: "v*"}}, delivery: commit, kubernetes: "1.34"}}
permissions: {{dev: {{pin: developer}}}}
"""


def settings(url: str, review: str = "{}") -> str:
    """Return headgate.yaml: dev at once, production reviewed."""
    return (
        "version: 1\n"
        f"gitlab: {{url: '{url}', project: platform/manifests}}\n"
        "environments:\n"
        "  dev: {takes: {branch: main}, delivery: commit}\n"
        f"  production: {{takes: {{branch: main}}, delivery: review, review: {review}}}\n"
    )


@dataclass
class Ended:
    """How a job ended, what it said, and what it changed: the branches of the manifest repository that moved."""

    code: int
    out: str
    moved: list[str]


@dataclass
class Scene(Remote):
    """The projects, the people, and what was handed off. ``person`` develops the app, the bot is Headgate's."""

    gitlab: Double
    folder: Path
    bot: User
    person: User
    manifests: Project
    app: Project
    token: str
    versions: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    artifact_key: str = ""
    signing_key: str = ""
    runs: list[Ended] = field(default_factory=list)
    images: Registry | None = None

    def git(self, *args: str) -> str:
        """Run git in the manifest project's repository."""
        return git(self.manifests, *args)

    @property
    def registry(self) -> Registry:
        """The registry with the app's images."""
        assert self.images is not None, "make_sender_scene has one"
        return self.images

    @property
    def image(self) -> str:
        """The app's image in that registry, without a tag."""
        return f"{self.registry.host}/{self.app.path}"

    @property
    def other(self) -> Project:
        """The project of another app."""
        return next(one for one in self.gitlab.projects if one.path == "acme/other")

    @property
    def maintainer(self) -> User:
        """Who keeps the manifests."""
        return next(one for one in self.gitlab.users if one.name == "max")

    @property
    def head(self) -> str:
        """The app's newest commit on main."""
        return refs(self.app)["refs/heads/main"]

    @property
    def main(self) -> str:
        """The manifest project's newest commit on main."""
        return refs(self.manifests)["refs/heads/main"]

    def alone(self) -> Scene:
        """Return the same for one of several tests, with runs and variables of its own; `put_back` does the rest."""
        return replace(self, variables=dict(self.variables), runs=list(self.runs))

    def push(self, project: Project, files: dict[str, str | None], branch: str = "main") -> str:
        """Commit files on a branch behind GitLab's back, and return the commit."""
        known = refs(project)
        head = known.get(f"refs/heads/{branch}", known.get("refs/heads/main", ""))
        return write_commit(project.folder, f"refs/heads/{branch}", head, files, "Test", "Change")

    def job(self, source: str, user: User | None = None, sha: str = "", **fields: Any) -> Job:
        """Begin a pipeline of the manifest project with one running job."""
        ref = fields.pop("ref", "main")
        made = Pipeline(self.manifests, ref, sha or self.main, source, user or self.bot, **fields, status="running")
        config = {"id_tokens": {"HEADGATE_ID_TOKEN": {"aud": f"headgate-run:{self.manifests.path}"}}}
        made.jobs.append(Job("hydrate", "deploy", config, made, status="running"))
        self.manifests.pipelines.append(made)
        return made.jobs[0]

    def run(
        self, action: Callable[[Run, JobReport], int], source: str = "push", *, token: str | None = None, sha: str = ""
    ) -> Ended:
        """Run what a job runs, and keep what it said. Its token is worth nothing afterwards."""
        job = self.job(source, sha=sha)
        return self._as_job(job, Tokens(job=job.token, write=self.token if token is None else token), action)

    def _as_job(self, job: Job, tokens: Tokens, action: Callable[[Run, JobReport], int]) -> Ended:
        event = Event(
            server=self.gitlab.url,
            manifests=self.manifests.path,
            handoff="",
            form=Form(),
            upstream=0,
            upstream_project=0,
            tokens=tokens,
            registry_variables=dict(self.variables),
            artifact_key=self.artifact_key,
        )
        report = JobReport(self.gitlab.url, self.folder / "headgate-report")

        def run() -> int:
            found = open_run(event)
            login = found.branch_login if tokens.branch else found.manifests_login
            with logged_in(login):
                code = action(found, report)
            notify(found, report.announcements, self.variables)
            return code

        return self._ended(job, run)

    def _ended(self, job: Job, run: Callable[[], int]) -> Ended:
        before, out = refs(self.manifests), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = run()
            except HeadgateError as error:
                code = error.code
                out.write(str(error))
        job.status = job.pipeline.status = "failed" if code else "success"
        after = refs(self.manifests)
        moved = sorted(ref.removeprefix("refs/") for ref in {*before, *after} if before.get(ref) != after.get(ref))
        self.runs.append(Ended(code, out.getvalue(), moved))
        return self.runs[-1]

    def hand_off(
        self, commit: str = "", tag: str = "", *, token: str | None = None, digest: str = "", actor: str = ""
    ) -> Ended:
        """Hand a commit of the app off, the newest one when none is named."""
        self.versions += 1
        sent = commit or self.head
        image = f"{IMAGE}:{tag or f'1.{self.versions}.0'}@sha256:{digest or f'{self.versions:064x}'}"
        hand_off = HandOff(
            project=self.app.path,
            commit=sent,
            ref="refs/heads/main",
            images=(parse_reference(image),),
            pipeline=1000 + self.versions,
            project_id=self.app.id,
            is_protected=True,
            actor=actor,
        )

        def action(run: Run, report: JobReport) -> int:
            scope = Scope(sent=(self.app.id, sent, "refs/heads/main"))
            with app_source(str(self.app.folder), sent) as source:
                return ci.run_job(run, report, lambda *_: Deliver(hand_off, source), scope)

        return self.run(action, "pipeline", token=token)

    def new_version(
        self, files: dict[str, str | None] | None = None, *, replicas: int | None = None, **options: str
    ) -> Ended:
        """Change the app, or how many replicas it has, and hand it off."""
        yaml = DEPLOYMENT.replace("replicas: 2", f"replicas: {replicas}")
        self.push(self.app, files or ({"src": str(self.versions)} if replicas is None else {"deploy/web.yaml": yaml}))
        return self.hand_off(**options)

    def pushed(self, sha: str = "") -> Ended:
        """Run the pipeline of a push to the default branch."""
        return self.run(ci.push, "push", sha=sha)

    def schedule(self) -> Ended:
        """Run a scheduled pipeline."""
        return self.run(ci.schedule, "schedule")

    def merge_request(self, one: MergeRequest) -> Ended:
        """Run the pipeline of a merge request, which has the token that writes its branch and notes, and no other."""
        job = self.job("merge_request_event", one.author, refs(self.manifests)[f"refs/heads/{one.source}"])
        job.pipeline.ref = f"refs/merge-requests/{one.iid}/head"
        return self._as_job(job, Tokens(job=job.token, branch=self.token), ci.merge_request)

    def change(
        self, project: Project | None = None, *, message: str = "Change", user: User | None = None, **push: Any
    ) -> str:
        """Commit and push something in an app's project, with an image of it; return the commit."""
        files = push.pop("files", None) or {"src": f"{number()}\n"}
        found = project or self.app
        commit = self.gitlab.push(found, files, user=user or self.person, message=message, **push)
        push_image(self.registry, found.path, commit[:8], labels={})
        return commit

    def upstream(self, project: Project | None = None, **fields: Any) -> Pipeline:
        """Make a running pipeline of an app's project, with a trigger job, and another job that runs."""
        found = project or self.app
        sha = fields.pop("sha", "") or refs(found)["refs/heads/main"]
        ref, source = fields.pop("ref", "main"), fields.pop("source", "push")
        made = Pipeline(found, ref, sha, source, self.person, **fields, status="running")
        made.jobs.append(Job("deliver", "deploy", {"trigger": {}}, made, status="running"))
        made.jobs.append(Job("build", "build", {"script": ["true"]}, made, status="running"))
        found.pipelines.append(made)
        return made

    def claim(self, upstream: Pipeline, **changed: str) -> str:
        """Return the text that the component sends for a pipeline, with other values where they are given."""
        told = {"project": str(upstream.project.id), "commit": upstream.sha}
        told |= {"images": f"{self.registry.host}/{upstream.project.path}:{upstream.sha[:8]}"}
        return " ".join(["headgate/1", *(f"{key}={value}" for key, value in {**told, **changed}.items())])

    def triggered(
        self, upstream: Pipeline, *, is_linked: bool = True, source: str = "pipeline", text: str = "", **claim: str
    ) -> Ended:
        """Run the manifest project's job for a hand-off of this pipeline."""
        bridge = upstream.jobs[0]
        job = self.job(source, upstream.user, upstream=bridge if is_linked else None)
        if is_linked:
            bridge.downstream = job.pipeline
        return self.run_ci(job, {"HEADGATE_HANDOFF": text or self.claim(upstream, **claim)})

    def from_pipeline(self, **fields: Any) -> Ended:
        """Hand off as the component does, from a new pipeline of the app."""
        return self.triggered(self.upstream(**fields))

    def form(self, user: User, **form: str) -> Ended:
        """Run what somebody asked for in GitLab's form."""
        told = {f"HEADGATE_{key.upper()}": value for key, value in form.items()}
        return self.run_ci(self.job("web", user), told)

    def run_ci(self, job: Job, variables: Mapping[str, str]) -> Ended:
        """Run ``headgate ci`` with what a runner gives a job."""
        own = {"HEADGATE_SERVER": self.gitlab.url, "HEADGATE_MANIFESTS": self.manifests.path}
        own |= {"HEADGATE_SIGNING_KEY": self.signing_key} if self.signing_key else {}
        return self._ended(job, lambda: ci.run({**environment(self.gitlab, job), **own, **variables}))

    def flux(self) -> NotificationController:
        """Return what posts commit statuses as Flux does, by a user of its own."""
        user = self.gitlab.user("flux-bot")
        self.manifests.members[user.id] = DEVELOPER
        return NotificationController(self.gitlab.url, self.manifests.path, self.gitlab.token(user, "api"))

    def requests(self) -> list[MergeRequest]:
        """Return the open merge requests of the manifest project."""
        return self.gitlab.open_requests(self.manifests)

    def the_request(self) -> MergeRequest:
        """Return the one merge request that is open."""
        (one,) = self.requests()
        return one

    def written(self) -> list[str]:
        """Return what was asked of GitLab's API that changes something, and forget it."""
        found = [
            f"{one.method} {one.path.split('/api/v4', 1)[1]}"
            for one in self.gitlab.requests
            if one.method in ("POST", "PUT") and "/api/v4" in one.path and ".git/" not in one.path
        ]
        self.gitlab.requests.clear()
        return found

    def statuses(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the newest status of each name: state and description."""
        return {one["name"]: (one["status"], one["description"]) for one in self.app.statuses if one["sha"] == commit}


@contextmanager
def _begun(folder: Path, manifests: str, app: str, person: str) -> Iterator[Scene]:
    with serve_gitlab(folder / "gitlab") as gitlab:
        bot, developer = gitlab.user("headgate-bot"), gitlab.user(person)
        ours, theirs = (gitlab.project(path, {bot: MAINTAINER, developer: DEVELOPER}) for path in (manifests, app))
        theirs.allowlist.add(manifests)
        yield Scene(gitlab, folder, bot, developer, ours, theirs, gitlab.token(bot, "api"))


@contextmanager
def make_scene(folder: Path, review: str = "{}", app_yaml: str = APP) -> Iterator[Scene]:
    """Return a GitLab with the app ``web``, for as long as the block lasts."""
    with _begun(folder, "platform/manifests", "acme/web", "alice") as scene:
        files: dict[str, str | None] = {"headgate.yaml": settings(scene.gitlab.url, review)}
        scene.push(scene.manifests, {**files, "apps/web/app.yaml": app_yaml})
        scene.push(scene.app, {"deploy/web.yaml": DEPLOYMENT, "README.md": "web"})
        yield scene


@contextmanager
def make_sender_scene(folder: Path, registry: Registry) -> Iterator[Scene]:
    """Return a GitLab with the app ``shop``, another app and a registry, for as long as the block lasts."""
    with _begun(folder, "acme/manifests", "acme/shop", "dana") as scene:
        gitlab, scene.images, gitlab.registry = scene.gitlab, registry, registry.host
        keeper, manifests = gitlab.user("max"), scene.manifests
        other = gitlab.project("acme/other", {scene.bot: MAINTAINER, scene.person: DEVELOPER})
        for project in (manifests, scene.app, other):
            project.members[keeper.id] = MAINTAINER
        apps = {
            f"apps/{name}/app.yaml": f"project: acme/{name}\nconfig: deploy\n"
            f"images: {{{name}: {registry.host}/acme/{name}}}\n"
            for name in ("shop", "other")
        }
        gitlab.push(manifests, {"headgate.yaml": SETTINGS.format(url=gitlab.url), **apps}, user=keeper)
        manifests.variables["HEADGATE_TOKEN"] = Variable(scene.token, protected=True)
        for project in (scene.app, other):
            project.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
            project.protected_tags["v*"] = DEVELOPER
            project.allowlist.add("acme/manifests")
            scene.change(project, files={"deploy/shop.yaml": SHOP.replace("IMAGE", f"{registry.host}/{project.path}")})
        yield scene


@contextmanager
def make_merged_scene(folder: Path) -> Iterator[Scene]:
    """Return what make_scene does, with one version in dev that was also reviewed and merged for production."""
    with make_scene(folder) as scene:
        assert scene.hand_off().code == 0
        merge(scene.gitlab, scene.the_request(), scene.person)
        assert scene.pushed().code == 0
        yield scene


def quiet(scene: Scene) -> None:
    """Run the schedule again and assert that it writes nothing anywhere."""
    before = refs(scene.manifests)
    scene.written()
    ended = scene.schedule()
    assert ended.code == 0, ended.out
    assert scene.written() == []
    assert refs(scene.manifests) == before


def freeze(scene: Scene, *, frozen: bool = True) -> None:
    """Freeze production by hand, or thaw it, and run the pipeline of that push."""
    text = f"version: 1\nby: alice\nreason: holidays @all\nsince: {'a' * 40}\n" if frozen else None
    ended = scene.pushed(scene.push(scene.manifests, {"environments/production/frozen.yaml": text}))
    assert ended.code == 0, ended.out
