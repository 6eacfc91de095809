"""Acme on a GitLab: Headgate's components, a manifest project set up by ``headgate init``, people, apps."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.acme import ROOT
from support.cli import headgate
from support.live.api import Account, Project
from support.live.checkout import checkout
from support.live.images import push_small_image
from support.live.looks import file
from support.live.pipelines import Pipeline, pipeline_of, run_form, succeeded
from support.live.place import DEVELOPER, MAINTAINER, NO_ONE, REPORTER, Place, make_person, make_place, make_project
from support.live.settings import allow_jobs, configure, protect, set_variable
from support.live.target import Target
from support.reviewing import SHOP

QUIET = "[skip ci]"


@dataclass(frozen=True)
class Home:
    """What all set-ups share. ``dana`` develops apps, ``max`` keeps the manifests, ``bot`` is Headgate's.

    ``version`` is the commit of the components.
    """

    place: Place
    dana: Account
    max: Account
    bot: Account
    components: Project
    version: str


@dataclass(frozen=True)
class Acme:
    """A manifest project, and its intake where it has one."""

    home: Home
    setup: str
    manifests: Project
    intake: Project | None

    @property
    def triggered(self) -> Project:
        """The project that apps trigger."""
        return self.intake or self.manifests

    def form(self, **inputs: str) -> Pipeline:
        """Fill the form of the manifest project in, as who keeps it, and wait until it was done."""
        asked = {key.rstrip("_"): value for key, value in inputs.items()}
        return succeeded(self.home.max, run_form(self.home.max, self.manifests, asked))


@dataclass(frozen=True)
class App:
    """An app, and its project."""

    acme: Acme
    name: str
    project: Project

    def build(self, files: Mapping[str, str | None] | None = None, branch: str = "main") -> tuple[str, Pipeline]:
        """Commit as its developer, push an image of the commit, then the commit; return it and its pipeline's end."""
        dana = self.acme.home.dana
        with checkout(dana, self.project, branch) as clone:
            count = clone.git("rev-list", "--count", "HEAD")
            commit = clone.commit({"app.py": f"print({count})\n", **(files or {})}, "Change")
            push_small_image(dana, self.project, commit[:8])
            clone.push(branch)
        return commit, pipeline_of(dana, self.project, commit)

    def deliver(self, files: Mapping[str, str | None] | None = None) -> str:
        """Build, and wait until the hand-off was taken; return the commit."""
        commit, pipeline = self.build(files)
        succeeded(self.acme.home.max, pipeline)
        return commit

    def deployed(self, environment: str = "dev", revision: str = "main") -> str:
        """Return the final YAML of its Deployment."""
        path = f"deploy/{environment}/{self.name}/deployment.apps-{self.name}.yaml"
        return file(self.acme.home.max, self.acme.manifests, path, revision)

    @property
    def config(self) -> str:
        """The Deployment in the repository of an app that is configured with its code."""
        return SHOP.replace("shop", self.name).replace("IMAGE", self.project.images)

    @property
    def proposed(self) -> str:
        """The branch of its proposal for production."""
        return f"headgate/production/{self.name}"


@contextmanager
def make_home(target: Target) -> Iterator[Home]:
    """Make a group with people and Headgate's components for as long as the block lasts."""
    with make_place(target) as place:
        dana, maxi, bot = (make_person(place, name) for name in ("dana", "max", "bot"))
        components = make_project(place, "headgate", {dana: REPORTER, maxi: MAINTAINER, bot: REPORTER})
        texts = {f"templates/{one.name}": one.read_text() for one in (ROOT / "templates").glob("*.yml")}
        if target.image:  # else the image with the commit's id is taken, which nobody built for this commit
            named = "image: $[[ inputs.image ]]:$[[ component.sha ]]"
            assert all(named in text for text in texts.values())
            texts = {name: text.replace(named, f"image: {target.image}") for name, text in texts.items()}
        with checkout(maxi, components) as clone:
            version = clone.commit({**texts, "README.md": "# Headgate's components\n"}, "Components")
            clone.push()
        yield Home(place, dana, maxi, bot, components, version)


def set_up(home: Home, setup: str, *environments: str) -> App:
    """Set a manifest project up with a first app, which a shared template renders, as ``headgate init`` writes it.

    First the files, then what that says is to be done in GitLab (src/headgate/scaffold/steps).
    """
    acme = _projects(home, setup)
    app = App(acme, "shop", _app_project(acme, f"{setup}-shop"))
    with checkout(home.max, acme.manifests) as clone:
        lines = _init(app, clone.folder, *(option for one in environments for option in ("--environment", one)))
        clone.commit({}, f"Begin {QUIET}")
        clone.push()
    _follow_the_steps(acme)
    _begin(app, lines, {"README.md": "# Shop\n"})
    return app


def make_app(
    acme: Acme, name: str, *, own_config: bool = False, own_template: bool = False, everywhere: bool = False
) -> App:
    """Add an app: configured with its code, or by a shared template, of which it may set how many replicas there are.

    ``own_template`` makes a copy of the template for it alone, ``everywhere`` lets production take main as well.
    """
    app = App(acme, name, _app_project(acme, name))
    with checkout(acme.home.max, acme.manifests) as clone:
        lines = _init(app, clone.folder)
        place = clone.folder / "apps" / name / "app.yaml"
        rendered = "config: deploy" if own_config else "template: web\nconfig: deploy\ngrant: [replicas]"
        text = place.read_text().replace("template: web", rendered)
        if own_template:
            shutil.copytree(clone.folder / "templates" / "web", clone.folder / "templates" / name)
            text = text.replace("template: web", f"template: {name}")
        if everywhere:
            text += "environments:\n  dev:\n  production: {takes: {branch: main}}\n"
        clone.commit({f"apps/{name}/app.yaml": text}, f"Add {name} {QUIET}")
        clone.push()
    own = {"deploy/app.yaml": app.config} if own_config else {"deploy/values.yaml": "replicas: 2\n"}
    _begin(app, lines, own)
    return app


def _projects(home: Home, setup: str) -> Acme:
    is_direct = setup == "direct"
    roles = {home.dana: DEVELOPER if is_direct else REPORTER, home.max: MAINTAINER}
    roles[home.bot] = DEVELOPER if is_direct else MAINTAINER
    manifests = make_project(home.place, f"{setup}-manifests", roles)
    intake = None
    if setup == "intake":
        intake = make_project(home.place, "handoffs", {home.dana: DEVELOPER, home.max: MAINTAINER})
    return Acme(home, setup, manifests, intake)


def _app_project(acme: Acme, name: str) -> Project:
    home = acme.home
    return make_project(home.place, name, {home.dana: DEVELOPER, home.max: MAINTAINER, home.bot: DEVELOPER})


def _init(app: App, folder: Path, *more: str) -> str:
    """Run ``headgate init`` for an app, and return the lines that it gives for the app's CI configuration."""
    acme, home = app.acme, app.acme.home
    ran = headgate(
        *("init", str(folder), "--server", home.place.admin.gitlab.url, "--setup", acme.setup),
        *("--project", acme.manifests.path, *(("--intake", acme.intake.path) if acme.intake else ())),
        *("--app", app.name, "--app-project", app.project.path, "--image", app.project.images),
        *("--registry", app.project.images.partition("/")[0]),
        *("--component", home.components.path, "--version", home.version, *more),
    )
    assert ran.code == 0, ran.out + ran.err
    found = re.search(r"(?ms)^include:\n.*?(?=^(To do in GitLab|Add to CODEOWNERS))", ran.out)
    assert found, ran.out
    return found[0].strip() + "\n"


def _follow_the_steps(acme: Acme) -> None:
    home, manifests = acme.home, acme.manifests
    closed = {"ci_pipeline_variables_minimum_override_role": "no_one_allowed"}
    if acme.intake is None:
        protect(home.max, manifests, push=DEVELOPER, merge=DEVELOPER)
        configure(home.max, manifests, **closed, ci_push_repository_for_job_token_allowed=True)
    else:
        protect(home.max, manifests, push=MAINTAINER, merge=MAINTAINER)
        configure(home.max, manifests, **closed)
        with checkout(home.max, acme.intake) as clone:
            clone.commit({"README.md": "# Hand-offs\n"}, f"Begin {QUIET}")
            clone.push()
        configure(home.max, acme.intake, **closed, ci_config_path=f"intake.gitlab-ci.yml@{manifests.path}")
        protect(home.max, acme.intake, push=NO_ONE, merge=DEVELOPER)
        set_variable(home.max, acme.intake, "HEADGATE_TOKEN", home.bot.token, protected=True)
    set_variable(home.max, manifests, "HEADGATE_TOKEN", home.bot.token, protected=True)
    set_variable(home.max, manifests, "HEADGATE_BRANCH_TOKEN", home.dana.token, protected=False)


def _begin(app: App, ci: str, files: Mapping[str, str]) -> None:
    """Fill an app's repository, let its developers push, and let the jobs read it that hand-offs start."""
    home = app.acme.home
    with checkout(home.max, app.project) as clone:
        clone.commit({".gitlab-ci.yml": ci, **files}, f"Begin {QUIET}")
        clone.push()
    protect(home.max, app.project, push=DEVELOPER, merge=DEVELOPER)
    allow_jobs(home.max, app.project, app.acme.triggered)
