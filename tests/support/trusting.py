"""Hand-offs as they reach the manifest project, true ones and forged ones, on a GitLab and a registry."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.commands import ci
from headgate.errors import HeadgateError
from support.gitlab import Double, serve_gitlab
from support.gitlab.gitside import refs
from support.gitlab.runner import environment
from support.gitlab.state import DEVELOPER, MAINTAINER, Job, Pipeline, Project, Protection, User, Variable, number
from support.registry import Registry, push_image

SETTINGS = """\
version: 1
gitlab: {{url: '{url}', project: acme/manifests}}
environments:
  dev: {{takes: {{branch: main}}, delivery: commit, kubernetes: "1.34"}}
  try: {{takes: {{branch: "try/*", protected: false}}, delivery: review, kubernetes: "1.34"}}
  production: {{takes: {{tag: "v*"}}, delivery: commit, kubernetes: "1.34"}}
permissions: {{dev: {{pin: developer}}}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: IMAGE}]}
"""


@dataclass
class Ended:
    """How a job ended, what it said, and what it changed: the branches of the manifest repository that moved."""

    code: int
    out: str
    moved: list[str]


@dataclass
class Trust:
    """A GitLab with an app, another app, and the manifests of both."""

    gitlab: Double
    registry: Registry
    dana: User
    max: User
    manifests: Project
    shop: Project
    other: Project
    signing_key: str = ""

    @property
    def image(self) -> str:
        """The app's image, without a tag."""
        return f"{self.registry.host}/acme/shop"

    @property
    def head(self) -> str:
        """The app's newest commit on main."""
        return refs(self.shop)["refs/heads/main"]

    def change(
        self, project: Project | None = None, *, message: str = "Change", user: User | None = None, **push: Any
    ) -> str:
        """Commit and push something in an app's project, with an image of it; return the commit."""
        files = push.pop("files", None) or {"src": f"{number()}\n"}
        found = project or self.shop
        commit = self.gitlab.push(found, files, user=user or self.dana, message=message, **push)
        push_image(self.registry, found.path, commit[:8], labels={})
        return commit

    def upstream(self, project: Project | None = None, **fields: Any) -> Pipeline:
        """Make a running pipeline of an app's project, with a trigger job, and another job that runs."""
        found = project or self.shop
        sha = fields.pop("sha", "") or refs(found)["refs/heads/main"]
        made = Pipeline(
            found, fields.pop("ref", "main"), sha, fields.pop("source", "push"), self.dana, **fields, status="running"
        )
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
        return self.run(job, {"HEADGATE_HANDOFF": text or self.claim(upstream, **claim)})

    def hand_off(self, **fields: Any) -> Ended:
        """Hand off as the component does, from a new pipeline."""
        return self.triggered(self.upstream(**fields))

    def job(self, source: str, user: User, **fields: Any) -> Job:
        """Begin a pipeline of the manifest project with one running job."""
        sha = fields.pop("sha", "") or refs(self.manifests)["refs/heads/main"]
        made = Pipeline(self.manifests, fields.pop("ref", "main"), sha, source, user, **fields, status="running")
        config = {"id_tokens": {"HEADGATE_ID_TOKEN": {"aud": "headgate-run:acme/manifests"}}}
        made.jobs.append(Job("hydrate", "deploy", config, made, status="running"))
        self.manifests.pipelines.append(made)
        return made.jobs[0]

    def form(self, user: User, **form: str) -> Ended:
        """Run what somebody asked for in GitLab's form."""
        told = {f"HEADGATE_{key.upper()}": value for key, value in form.items()}
        return self.run(self.job("web", user), told)

    def run(self, job: Job, variables: Mapping[str, str]) -> Ended:
        """Run ``headgate ci`` with what a runner gives a job."""
        own = {"HEADGATE_SERVER": self.gitlab.url, "HEADGATE_MANIFESTS": "acme/manifests"}
        own |= {"HEADGATE_SIGNING_KEY": self.signing_key} if self.signing_key else {}
        before, out = refs(self.manifests), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = ci.run({**environment(self.gitlab, job), **own, **variables})
            except HeadgateError as error:
                code = error.code
                out.write(str(error))
        job.status = job.pipeline.status = "success"
        after = refs(self.manifests)
        moved = sorted(ref for ref in {*before, *after} if before.get(ref) != after.get(ref))
        return Ended(code, out.getvalue(), [ref.removeprefix("refs/") for ref in moved])


@contextmanager
def make_trust(folder: Path, registry: Registry) -> Iterator[Trust]:
    """Return the projects, for as long as the block lasts."""
    with serve_gitlab(folder / "gitlab") as gitlab:
        gitlab.registry = registry.host
        dana, maxi, bot = gitlab.user("dana"), gitlab.user("max"), gitlab.user("headgate-bot")
        everybody = {dana: DEVELOPER, maxi: MAINTAINER, bot: MAINTAINER}
        made = [gitlab.project(path, everybody) for path in ("acme/manifests", "acme/shop", "acme/other")]
        manifests, shop, other = made
        trust = Trust(gitlab, registry, dana, maxi, manifests, shop, other)
        apps = {
            f"apps/{name}/app.yaml": f"project: acme/{name}\nconfig: deploy\n"
            f"images: {{{name}: {registry.host}/acme/{name}}}\n"
            for name in ("shop", "other")
        }
        gitlab.push(manifests, {"headgate.yaml": SETTINGS.format(url=gitlab.url), **apps}, user=maxi)
        token = gitlab.token(bot, "api", "write_repository")
        manifests.variables["HEADGATE_TOKEN"] = Variable(token, protected=True)
        for project in (shop, other):
            project.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
            project.protected_tags["v*"] = DEVELOPER
            project.allowlist.add("acme/manifests")
            own = DEPLOYMENT.replace("IMAGE", f"{registry.host}/{project.path}")
            trust.change(project, files={"deploy/shop.yaml": own})
        yield trust
