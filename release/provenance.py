"""Where an image comes from, as https://slsa.dev/spec/v1.0/provenance says it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Origin:
    """What a job of GitLab knows of itself; addresses in full.

    ``project`` is the project's, ``pipeline`` and ``job`` those of this run, ``ref`` is ``refs/tags/1.2.3``,
    ``config`` the CI file within the repository.
    """

    project: str
    commit: str
    ref: str
    pipeline: str
    job: str
    runner: str
    config: str = ".gitlab-ci.yml"


def predicate(origin: Origin) -> dict[str, Any]:
    """Return the SLSA provenance of an image that a pipeline built, without the digest, which its signer adds.

    The release job writes it, and no part of GitLab that jobs cannot change: it says which pipeline built the image,
    and the signature that this project's pipeline for that ref says so.
    """
    return {
        "buildDefinition": {
            "buildType": f"{origin.project}/-/blob/{origin.commit}/docs/releasing.md#provenance",
            "externalParameters": {"source": f"git+{origin.project}", "ref": origin.ref, "config": origin.config},
            "internalParameters": {"pipeline": origin.pipeline},
            "resolvedDependencies": [
                {"uri": f"git+{origin.project}@{origin.ref}", "digest": {"gitCommit": origin.commit}}
            ],
        },
        "runDetails": {"builder": {"id": origin.runner}, "metadata": {"invocationId": origin.job}},
    }
