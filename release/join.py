"""Make the image of a commit out of the images for each platform, and pass its digest on to the jobs that follow.

``python release/join.py`` after the jobs that built REPOSITORY:COMMIT-amd64 and REPOSITORY:COMMIT-arm64.
"""

from __future__ import annotations

import os
from pathlib import Path

import crane
from failure import ReleaseError, ended
from job import needed

ARCHITECTURES = ("amd64", "arm64")
REPORT = Path("image.env")


def join(repository: str, commit: str) -> str:
    """Join the images of a commit and return the digest.

    Raises ReleaseError when one is not there, or is for another platform.
    """
    members = []
    for architecture in ARCHITECTURES:
        member = f"{repository}:{commit}-{architecture}"
        if not crane.is_there(member):
            raise ReleaseError(f"{member} is not there", hint=f"run the job 'build {architecture}' again")
        members.append(f"{repository}@{crane.digest(member)}")
    digest = crane.join(repository, commit, members)
    wanted = {f"linux/{one}" for one in ARCHITECTURES}
    found = set(crane.platforms(repository, digest))
    if found != wanted:
        raise ReleaseError(
            f"{repository}:{commit} is for {', '.join(sorted(found))}, not for {', '.join(sorted(wanted))}"
        )
    return digest


def main() -> None:
    """Join the images of this pipeline's commit, and write the digest as GitLab reads variables of a report."""
    digest = join(needed(os.environ, "CI_REGISTRY_IMAGE"), needed(os.environ, "CI_COMMIT_SHA"))
    REPORT.write_text(f"IMAGE_DIGEST={digest}\n")
    print(f"the image of this commit is {digest}")


if __name__ == "__main__":
    ended(main)
