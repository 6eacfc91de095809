"""What a job of this project's pipeline is told, and whether it can be a release."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from changelog import CHANGELOG, UNRELEASED, notes_of
from cosign import Signer
from failure import ReleaseError, ended
from headgate import __version__
from provenance import Origin
from versions import Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Image:
    """The image that this pipeline built and tested: its repository, its digest, the commit that it is of."""

    repository: str
    digest: str
    commit: str

    @property
    def reference(self) -> str:
        """Name it by its digest."""
        return f"{self.repository}@{self.digest}"


def version_of(tag: str, text: str) -> Version:
    """Return the version that a tag releases, with this checkout's version and the changelog's ``text``.

    Raises ReleaseError unless all three are about the same version.
    """
    version = parse_version(tag)
    if version is None:
        raise ReleaseError(
            f"the tag '{tag}' is no semantic version", hint="tags of releases are like 1.2.3 or 1.2.3-rc.1"
        )
    if tag != __version__:
        raise ReleaseError(
            f"the tag is {tag}, and src/headgate/__init__.py says {__version__}",
            hint="set __version__ in a merge request first, and tag the commit that it is in",
        )
    notes_of(text, tag)
    return version


def built_image(environ: Mapping[str, str]) -> Image:
    """Return the image that the job `digest` of this pipeline passes on.

    Raises ReleaseError when there is none: nothing else may be released.
    """
    digest = environ.get("IMAGE_DIGEST", "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ReleaseError(
            f"this pipeline has tested no image: IMAGE_DIGEST is '{digest}'",
            hint="the job 'digest' passes it on as a report; run the whole pipeline of this commit again",
        )
    return Image(needed(environ, "CI_REGISTRY_IMAGE"), digest, needed(environ, "CI_COMMIT_SHA"))


def origin_of(environ: Mapping[str, str], ref: str) -> Origin:
    """Return where what this pipeline built comes from."""
    project, runner = needed(environ, "CI_PROJECT_URL"), needed(environ, "CI_RUNNER_ID")
    return Origin(
        project,
        needed(environ, "CI_COMMIT_SHA"),
        ref,
        needed(environ, "CI_PIPELINE_URL"),
        needed(environ, "CI_JOB_URL"),
        f"{project}/-/runners/{runner}",
        environ.get("CI_CONFIG_PATH") or ".gitlab-ci.yml",
    )


def signer_of(environ: Mapping[str, str], origin: Origin) -> Signer:
    """Return who signs: the key in COSIGN_PRIVATE_KEY, or this pipeline itself where Sigstore knows its GitLab.

    https://docs.gitlab.com/ci/yaml/signing_examples/: "You must be using GitLab.com". Raises ReleaseError where
    neither can be.
    """
    if environ.get("COSIGN_PRIVATE_KEY"):
        needed(environ, "COSIGN_PUBLIC_KEY")
        return Signer(private="env://COSIGN_PRIVATE_KEY", public="env://COSIGN_PUBLIC_KEY")
    issuer = needed(environ, "CI_SERVER_URL")
    if issuer != "https://gitlab.com":
        raise ReleaseError(
            f"nothing to sign with: Sigstore knows no pipelines of {issuer}",
            hint="'cosign generate-key-pair gitlab://PROJECT' makes the variables of a key; let them be protected",
        )
    needed(environ, "SIGSTORE_ID_TOKEN")
    return Signer(identity=f"{origin.project}//{origin.config}@{origin.ref}", issuer=issuer)


def needed(environ: Mapping[str, str], name: str) -> str:
    """Return a variable. Raises ReleaseError when it is not set."""
    if not environ.get(name):
        raise ReleaseError(f"{name} is not set", hint="GitLab sets it in the jobs of .gitlab-ci.yml")
    return environ[name]


def main() -> None:
    """Check early in the pipeline of a tag, given, that it can be released; without one, that the next one could."""
    text = CHANGELOG.read_text(encoding="utf-8")
    if len(sys.argv) > 1:
        print(f"{version_of(sys.argv[1], text)} can be released")
    else:
        print(f"{next_version(text)[0]} could be released")


def next_version(text: str) -> tuple[Version, str]:
    """Return the version that this checkout has, and its notes: what is not released yet, where it has none."""
    version = parse_version(__version__)
    if version is None:
        raise ReleaseError(f"src/headgate/__init__.py says {__version__}, which is no semantic version")
    try:
        return version, notes_of(text, __version__)
    except ReleaseError:
        return version, notes_of(text, UNRELEASED)


if __name__ == "__main__":
    ended(main)
