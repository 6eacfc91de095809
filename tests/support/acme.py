"""Acme's GitLab: Headgate's components, a manifest project, an app, people with roles, a registry."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate import __version__
from support.cli import headgate
from support.gitlab import Double
from support.gitlab.state import (
    DEVELOPER,
    MAINTAINER,
    NO_ONE,
    REPORTER,
    Pipeline,
    Project,
    Protection,
    User,
    Variable,
)
from support.registry import Registry, push_image
from support.reviewing import SHOP

ROOT = Path(__file__).resolve().parents[2]
MAJOR = __version__.partition(".")[0]
PREVIEW = f"""
  - component: $CI_SERVER_FQDN/headgate/headgate/preview@{MAJOR}
    inputs: {{manifests: acme/manifests}}
"""
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ app }}
spec:
  replicas: {{ values.replicas }}
  selector: {matchLabels: {app: {{ app }}}}
  template:
    metadata: {labels: {app: {{ app }}}}
    spec:
      containers:
        - name: app
          image: {{ images.shop.repository }}
"""


@dataclass
class Acme:
    """All of it. ``dana`` develops the app, ``max`` keeps the manifests, ``bot`` is Headgate's."""

    gitlab: Double
    registry: Registry
    dana: User
    max: User
    bot: User
    headgate: Project
    manifests: Project
    shop: Project
    intake: Project | None = None

    @property
    def image(self) -> str:
        """The app's image, without a tag."""
        return f"{self.registry.host}/acme/shop"

    @property
    def triggered(self) -> Project:
        """The project that the app triggers."""
        return self.intake or self.manifests

    def build(self, files: dict[str, str | None] | None = None, **push: Any) -> str:
        """Commit and push, with an image of the commit, and let the pipelines run; return the commit."""
        changed = {"app.py": f"print({len(self.gitlab.subjects(self.shop))})\n", **(files or {})}
        commit = self.gitlab.push(self.shop, changed, user=push.pop("user", self.dana), **push)
        push_image(self.registry, "acme/shop", commit[:8], labels={})
        self.gitlab.settle()
        return commit

    def deployed(self, environment: str = "dev", revision: str = "main") -> str:
        """Return the final YAML of the app's Deployment."""
        return self.gitlab.show(self.manifests, f"deploy/{environment}/shop/deployment.apps-shop.yaml", revision)

    def hydrations(self) -> list[Pipeline]:
        """Return the pipelines that hand-offs started."""
        return [one for one in self.triggered.pipelines if one.source in ("pipeline", "trigger")]

    def form(self, user: User, **inputs: str) -> Pipeline:
        """Fill GitLab's form in."""
        return self.gitlab.run_form(self.manifests, user, {key.rstrip("_"): value for key, value in inputs.items()})


def jobs_path(scratch: Path) -> str:
    """Return a PATH with this Headgate, and nothing else that is not the system's."""
    folder = scratch / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "headgate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m headgate "$@"\n')
    program.chmod(0o755)
    return f"{folder}:/usr/local/bin:/usr/bin:/bin"


def make_acme(
    gitlab: Double,
    registry: Registry,
    scratch: Path,
    *,
    setup: str = "direct",
    own_config: bool = False,
    environments: tuple[str, ...] = ("dev:commit", "production:review"),
) -> Acme:
    """Set everything up as a person would: with ``headgate init`` and the settings that it asks for."""
    gitlab.registry = registry.host
    dana, maxi, bot = gitlab.user("dana"), gitlab.user("max"), gitlab.user("headgate-bot")
    everybody = {dana: DEVELOPER, maxi: MAINTAINER, bot: DEVELOPER}
    components = gitlab.project("headgate/headgate", everybody)
    templates: dict[str, str | None] = {
        f"templates/{one.name}": one.read_text() for one in (ROOT / "templates").glob("*.yml")
    }
    gitlab.push(components, templates, user=maxi, message="Components", tag=__version__)
    components.releases.append(__version__)
    manifests = gitlab.project("acme/manifests", everybody)
    shop = gitlab.project("acme/shop", everybody)
    intake = gitlab.project("acme/intake", everybody) if setup == "intake" else None
    acme = Acme(gitlab, registry, dana, maxi, bot, components, manifests, shop, intake)
    folder = scratch / "init"
    folder.mkdir()
    chosen = [option for one in environments for option in ("--environment", one)]
    ran = headgate(
        *("init", str(folder), "--server", gitlab.url, "--project", "acme/manifests", "--setup", setup),
        *("--app", "shop", "--app-project", "acme/shop", "--image", acme.image, "--registry", registry.host),
        *(("--intake", "acme/intake") if setup == "intake" else ()),
        *chosen,
    )
    assert ran.code == 0, ran.out + ran.err
    _set_up(acme, folder, setup, own_config=own_config)
    shutil.rmtree(folder)
    return acme


def _set_up(acme: Acme, folder: Path, setup: str, *, own_config: bool) -> None:
    gitlab, manifests, shop = acme.gitlab, acme.manifests, acme.shop
    files = {str(one.relative_to(folder)): one.read_text() for one in folder.rglob("*") if one.is_file()}
    app = f"project: acme/shop\nimages: {{shop: {acme.image}}}\n"
    if own_config:
        files["apps/shop/app.yaml"] = f"{app}config: deploy\n"
    else:
        files["apps/shop/app.yaml"] = f"{app}template: web\nconfig: deploy\ngrant: [replicas]\n"
        files = {name: text for name, text in files.items() if not name.startswith("templates/")}
        files |= {"templates/web/web.yaml.j2": TEMPLATE, "templates/web/values.yaml": "replicas: 1\n"}
    gitlab.push(manifests, dict(files), user=acme.max, message="Begin")
    for project in gitlab.projects:
        project.pipelines.clear()
    token = gitlab.token(acme.bot, "api", "write_repository")
    shop.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
    # the app's project lets the other one's jobs read it
    shop.allowlist.add(acme.triggered.path)
    manifests.protected_branches["main"] = Protection(push=DEVELOPER, merge=DEVELOPER)
    manifests.job_token_push = True
    for project in (acme.triggered, manifests):
        project.variables["HEADGATE_TOKEN"] = Variable(token, protected=True)
    if acme.intake is not None:
        acme.intake.ci_config_path = "intake.gitlab-ci.yml@acme/manifests"
        gitlab.push(acme.intake, {"README.md": "hand-offs\n"}, user=acme.max)
        acme.intake.pipelines.clear()
        acme.intake.protected_branches["main"] = Protection(push=NO_ONE, merge=DEVELOPER)
    include = include_deliver(acme.triggered.path, acme.image)
    own = SHOP.replace("IMAGE", acme.image) if own_config else "replicas: 2\n"
    config = {"deploy/shop.yaml": own} if own_config else {"deploy/values.yaml": own}
    first: dict[str, str | None] = {".gitlab-ci.yml": include, **config}
    gitlab.push(shop, first, user=acme.dana, message="Begin [skip ci]")
    shop.pipelines.clear()


def include_deliver(manifests: str, image: str) -> str:
    """Return the CI configuration of an app that hands its image off."""
    return (
        f"include:\n  - component: $CI_SERVER_FQDN/headgate/headgate/deliver@{MAJOR}\n    inputs:\n"
        f"      manifests: {manifests}\n      images: {image}:$CI_COMMIT_SHORT_SHA\n"
    )


def follow_the_steps(acme: Acme, setup: str) -> None:
    """Set what ``headgate init`` prints, and nothing more: src/headgate/scaffold/steps."""
    acme.manifests.schedules.append({"id": 1, "ref": "refs/heads/main", "cron": "0 3 * * *", "active": True})
    if setup == "direct":
        acme.manifests.variables.clear()
        return
    acme.manifests.protected_branches["main"] = Protection(push=MAINTAINER, merge=MAINTAINER)
    acme.manifests.job_token_push = False
    acme.manifests.members |= {acme.dana.id: REPORTER, acme.bot.id: MAINTAINER}
    if acme.intake is not None:
        acme.intake.protected_branches["main"] = Protection(push=NO_ONE, merge=DEVELOPER)
        del acme.intake.members[acme.bot.id]
    if setup == "token":
        trigger = acme.gitlab.trigger_token(acme.manifests, acme.bot)
        acme.shop.variables["HEADGATE_TRIGGER_TOKEN"] = Variable(trigger, protected=True)
        acme.manifests.allowlist.add("acme/shop")
        acme.shop.members[acme.bot.id] = REPORTER
        ci = acme.gitlab.show(acme.shop, ".gitlab-ci.yml") + "\n      transport: token\n"
        acme.gitlab.push(acme.shop, {".gitlab-ci.yml": ci}, user=acme.dana, message="By token [skip ci]")
        acme.shop.pipelines.clear()
