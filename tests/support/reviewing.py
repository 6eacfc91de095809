"""A GitLab with an app, a manifest project and a bot: hand-offs and other runs as jobs, one after another."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from support.gitlab.double import Double, serve_gitlab
from support.gitlab.gitside import refs, write_commit
from support.gitlab.mergeside import merge
from support.gitlab.state import DEVELOPER, MAINTAINER, Job, MergeRequest, Pipeline, Project, User

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
    """How a run ended, and what it said."""

    code: int
    out: str


@dataclass
class Scene:
    """The projects, the people, and what was handed off."""

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
    runs: list[Ended] = field(default_factory=list)

    def alone(self) -> Scene:
        """Return the same for one of several tests, with runs and variables of its own; `put_back` does the rest."""
        return replace(self, variables=dict(self.variables), runs=list(self.runs))

    def push(self, project: Project, files: dict[str, str | None], branch: str = "main") -> str:
        """Commit files on a branch behind GitLab's back, and return the commit."""
        known = refs(project)
        head = known.get(f"refs/heads/{branch}", known.get("refs/heads/main", ""))
        return write_commit(project.folder, f"refs/heads/{branch}", head, files, "Test", "Change")

    def job(self, source: str, user: User | None = None, sha: str = "") -> Job:
        """Begin a pipeline of the manifest project with one running job."""
        main = sha or refs(self.manifests)["refs/heads/main"]
        pipeline = Pipeline(self.manifests, "main", main, source, user or self.bot, status="running")
        pipeline.jobs.append(Job("hydrate", "deploy", {}, pipeline, status="running"))
        self.manifests.pipelines.append(pipeline)
        return pipeline.jobs[0]

    def run(
        self, action: Callable[[Run, JobReport], int], source: str = "push", *, token: str | None = None, sha: str = ""
    ) -> Ended:
        """Run what a job runs, and keep what it said. Its token is worth nothing afterwards."""
        job = self.job(source, sha=sha)
        return self._as_job(job, Tokens(job=job.token, write=self.token if token is None else token), action)

    def _as_job(self, job: Job, tokens: Tokens, action: Callable[[Run, JobReport], int]) -> Ended:
        event = Event(
            server=self.gitlab.url,
            manifests="platform/manifests",
            handoff="",
            form=Form(),
            upstream=0,
            upstream_project=0,
            tokens=tokens,
            registry_variables=dict(self.variables),
            artifact_key=self.artifact_key,
        )
        out, report = io.StringIO(), JobReport(self.gitlab.url, self.folder / "headgate-report")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                found = open_run(event)
                login = found.branch_login if tokens.branch else found.manifests_login
                with logged_in(login):
                    code = action(found, report)
                notify(found, report.announcements, self.variables)
            except HeadgateError as error:
                code = error.code
                out.write(str(error))
        job.status = job.pipeline.status = "failed" if code else "success"
        self.runs.append(Ended(code, out.getvalue()))
        return self.runs[-1]

    def hand_off(
        self, commit: str = "", tag: str = "", *, token: str | None = None, digest: str = "", actor: str = ""
    ) -> Ended:
        """Hand a commit of the app off, the newest one when none is named."""
        self.versions += 1
        sent = commit or refs(self.app)["refs/heads/main"]
        image = f"{IMAGE}:{tag or f'1.{self.versions}.0'}@sha256:{digest or f'{self.versions:064x}'}"
        hand_off = HandOff(
            project="acme/web",
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

    def new_version(self, files: dict[str, str | None] | None = None, **options: str) -> Ended:
        """Change the app and hand it off."""
        self.push(self.app, files or {"src": str(self.versions)})
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
def make_scene(folder: Path, review: str = "{}", app_yaml: str = APP) -> Iterator[Scene]:
    """Return a GitLab with the app ``web``, for as long as the block lasts."""
    with serve_gitlab(folder / "gitlab") as gitlab:
        bot, person = gitlab.user("headgate-bot"), gitlab.user("alice")
        manifests = gitlab.project("platform/manifests", {})
        app = gitlab.project("acme/web", {})
        for project in (manifests, app):
            project.members |= {bot.id: MAINTAINER, person.id: DEVELOPER}
        app.allowlist.add("platform/manifests")
        scene = Scene(gitlab, folder, bot, person, manifests, app, gitlab.token(bot, "api"))
        scene.push(manifests, {"headgate.yaml": settings(gitlab.url, review), "apps/web/app.yaml": app_yaml})
        scene.push(app, {"deploy/web.yaml": DEPLOYMENT, "README.md": "web"})
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
