"""A GitLab to play with on one's machine: ``make gitlab``. It has an app and a manifest repository, and runs pipelines.

    python -m support.playground [FOLDER]

A push to the app builds an image (a small one, to a registry of its own) and triggers the manifest repository; what
comes of it can be read and merged on the pages whose address is printed. All is on loopback and goes with the process.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.acme import Acme, jobs_path, make_acme
from support.gitlab import serve_gitlab
from support.gitlab.byitself import running
from support.gitlab.pages import answer_page
from support.registry import serve_registry

_TESTS = Path(__file__).resolve().parents[1]
BUILD = """
build:
  stage: build
  script:
    - push-image "$CI_PROJECT_PATH" "$CI_COMMIT_SHORT_SHA"
"""


@dataclass(frozen=True)
class Playground:
    """What is there, and the tokens of the people in it."""

    acme: Acme
    tokens: dict[str, str]

    def address(self, project: str, person: str) -> str:
        """Return where somebody clones a project from, with the password in it: nothing here is worth hiding."""
        scheme, _, host = self.acme.gitlab.url.partition("://")
        return f"{scheme}://{person}:{self.tokens[person]}@{host}/{project}.git"


@contextmanager
def playground(folder: Path) -> Iterator[Playground]:
    """Run it for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = jobs_path(folder)
    with serve_registry(folder / "registry") as registry, serve_gitlab(folder / "gitlab", path) as gitlab:
        _write_builder(folder / "bin/push-image", registry.host)
        acme = make_acme(gitlab, registry, folder)
        own = gitlab.show(acme.shop, ".gitlab-ci.yml")
        gitlab.push(acme.shop, {".gitlab-ci.yml": f"{own}\n{BUILD}"}, user=acme.dana, message="Build [skip ci]")
        acme.shop.pipelines.clear()
        people = {"dana": acme.dana, "max": acme.max}
        gitlab.pages = lambda request: answer_page(gitlab, request, acme.max)
        with running(gitlab):
            yield Playground(acme, {name: gitlab.token(one, "api", "write_repository") for name, one in people.items()})


def _write_builder(program: Path, host: str) -> None:
    """Write what stands for ``docker build`` and ``docker push`` in the app's pipeline."""
    program.write_text(
        f"#!{sys.executable}\n"
        f"import sys\nsys.path.insert(0, {str(_TESTS)!r})\n"
        "from support.registry import Registry, push_image\n"
        "repository, tag = sys.argv[1:]\n"
        f"print('pushed', push_image(Registry({host!r}, lambda _: {{}}), repository, tag, labels={{}}))\n"
    )
    program.chmod(0o755)


def main() -> None:
    """Run it until it is interrupted."""
    with tempfile.TemporaryDirectory(prefix="headgate-gitlab-") as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        with playground(folder) as found:
            sys.stdout.write(_WORDS.format(url=found.acme.gitlab.url, shop=found.address("acme/shop", "dana")))
            sys.stdout.flush()
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                sys.stdout.write("gone\n")


_WORDS = """\
A GitLab to play with runs at {url}

  1. git clone {shop} shop && cd shop
  2. change deploy/values.yaml (replicas), commit, push
  3. look at {url}/acme/shop: the pipeline builds an image and triggers the manifests
     {url}/acme/manifests: dev has it by a commit
  4. {url}/acme/manifests/-/pipelines/new: action promote, app shop, environment production, from dev
     and merge what that proposes

Ctrl-C ends it.
"""


if __name__ == "__main__":
    main()
