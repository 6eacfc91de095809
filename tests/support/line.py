"""An app that dev takes from main, and production by promotion: hand-offs, commands, and what the remote holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from support.cli import Ran, headgate
from support.manifests import DEPLOYMENT, ManifestRepository, git
from support.stage import IMAGE, Stage, make_stage, write_app

DIRECT = """
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: [{promotion: dev}, {branch: main}], delivery: DELIVERY, templates: TEMPLATES}
"""
SHARED = f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\n"
TEMPLATE = DEPLOYMENT + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: COLOR}\n"
BRANCH = "headgate/production/web"


@dataclass(frozen=True)
class Line:
    """An app that dev takes from main, and production by promotion."""

    stage: Stage

    @property
    def address(self) -> str:
        """The remote's address, from which files come only when they are asked for."""
        return f"file://{self.stage.remote}"

    def deliver(self, number: int, *args: str) -> str:
        """Build and hand off version ``number`` and return its commit."""
        write_app(self.stage, {"version": str(number)})
        commit = git(self.stage.app, "rev-parse", "HEAD")
        ran = self.hand_off(commit, number, *args)
        assert ran.code == 0, ran.out + ran.err
        return commit

    def hand_off(self, commit: str, number: int, *args: str) -> Ran:
        """Hand a commit off."""
        image = f"{IMAGE}:{number}@sha256:{number:064d}"
        return self.stage.deliver("--commit", commit, *args, image=image, to=self.address)

    def run(self, *args: str, code: int = 0) -> Ran:
        """Run a command on the remote; it ends with ``code``."""
        by = ("--by", "Ada") if args[0] in ("roll-back", "pin", "freeze") else ()
        ran = headgate(*args, *by, "--manifests", self.address)
        assert ran.code == code, ran.out + ran.err
        return ran

    def promote(self, code: int = 0, *args: str) -> Ran:
        """Promote from dev to production."""
        return self.run("promote", "web", "--from", "dev", "--to", "production", *args, code=code)

    def files(self, revision: str = "main", folder: str = "deploy/production") -> dict[str, str]:
        """Return the YAML below a folder of the remote."""
        paths = git(self.stage.remote, "ls-tree", "-r", "--name-only", revision, f"{folder}/").splitlines()
        return {path: self.stage.show(revision, path) for path in paths if path.endswith(".yaml")}

    def running(self, environment: str, revision: str = "main") -> str:
        """Return the tag that an environment's final YAML names."""
        text = self.stage.show(revision, f"deploy/{environment}/web/deployment.apps-web.yaml")
        return text.split(f"{IMAGE}:")[1].split("@")[0]

    def release(self, environment: str, folder: str = "", revision: str = "main") -> dict[str, object]:
        """Return a release as data."""
        file = f"apps/web/releases/{environment}/{folder}release.yaml"
        found: dict[str, object] = yaml.safe_load(self.stage.show(revision, file))
        return found

    def has(self, path: str, revision: str = "main") -> bool:
        """Whether there is such a file or folder in the remote."""
        return bool(git(self.stage.remote, "ls-tree", revision, path))

    def change(self, files: dict[str, str | None], message: str = "Change by hand") -> None:
        """Change files on the default branch, as a person does."""
        checkout = self.stage.manifests.path
        git(checkout, "pull", "--quiet", "--ff-only")
        for name, text in files.items():
            if text is None:
                git(checkout, "rm", "-r", "--quiet", name)
            else:
                self.stage.manifests.write({name: text})
        self.stage.manifests.commit(message)
        git(checkout, "push", "--quiet", "origin", "main")

    def merge(self, branch: str) -> None:
        """Merge a proposal, as a reviewer does."""
        checkout = self.stage.manifests.path
        git(checkout, "pull", "--quiet", "--ff-only")
        git(checkout, "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
        git(checkout, "merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}")
        git(checkout, "push", "--quiet", "origin", "main", f":refs/heads/{branch}")

    def branches(self) -> list[str]:
        """Return the branches of the remote but for the default one."""
        names = git(self.stage.remote, "for-each-ref", "--format=%(refname:short)", "refs/heads/").splitlines()
        return [name for name in names if name != "main"]


def make_line(
    tmp_path: Path,
    manifests: ManifestRepository,
    *,
    app: str = SHARED,
    delivery: str = "commit",
    templates: str = "follow",
    takes: str = "{promotion: dev}",
) -> Line:
    settings = DIRECT.replace("DELIVERY", delivery).replace("TEMPLATES", templates)
    settings = settings.replace("[{promotion: dev}, {branch: main}]", takes)
    manifests.write({"headgate.yaml": settings, "templates/web/web.yaml": TEMPLATE.replace("COLOR", "red")})
    stage = make_stage(tmp_path, manifests, app)
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):  # as GitLab has it
        git(stage.remote, "config", name, "true")
    return Line(stage)
