"""The text that a hand-off travels as, from one project's pipeline to another's: what it says is only claimed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from headgate.errors import ConfigError, UntrustedError
from headgate.objects.images import Reference, parse_reference
from headgate.releases.handoff import COMMIT

PATTERN = r"^(headgate/1( (project|commit|images|token)=[A-Za-z0-9._:/@,+-]*)+)?$"
"""What the manifest project's input ``handoff`` takes: no ``$``, which GitLab would expand again, and no line break."""


@dataclass(frozen=True)
class Claim:
    """What a triggered pipeline was told: project (its number), commit, images; and, with ``token``, GitLab's word."""

    project: int
    commit: str
    images: tuple[Reference, ...]
    token: str = field(default="", repr=False)


def parse_claim(text: str) -> Claim:
    """Read a hand-off's text. Raises UntrustedError when it is not what the component ``deliver`` sends."""
    version, _, rest = text.partition(" ")
    fields = dict(one.partition("=")[::2] for one in rest.split(" "))
    if version != "headgate/1" or not re.fullmatch(PATTERN, text) or len(fields) != len(rest.split(" ")):
        raise UntrustedError(
            f"the hand-off is not one that this version reads: {text[:40]!r}",
            hint="the component 'deliver' in the app's pipeline and 'hydrate' here must be of the same major version",
        )
    project, commit = fields.get("project", ""), fields.get("commit", "")
    if not re.fullmatch(r"[0-9]{1,18}", project) or not re.fullmatch(COMMIT, commit):
        raise UntrustedError(
            f"the hand-off names project {project!r} and commit {commit!r}, expected their ids in full"
        )
    images = [one for one in fields.get("images", "").split(",") if one]
    return Claim(int(project), commit, tuple(parse_reference(one) for one in images), fields.get("token", ""))


def read_images(text: str) -> tuple[str, ...]:
    """Return the images that a job was given, one by one. Raises ConfigError where a variable was left in them.

    What GitLab does not know stays as it was written: https://docs.gitlab.com/ci/variables/where_variables_can_be_used/.
    """
    if "$" in text:
        raise ConfigError(
            f"the images are {text!r}, in which a variable is not known here",
            hint="let the job have it: by 'artifacts: reports: dotenv' of the job that builds, or write it out",
        )
    return tuple(one for one in (part.strip() for part in text.split(",")) if one)


def write_claim(claim: Claim) -> str:
    """Return the text for a claim."""
    images = ",".join(map(str, claim.images))
    parts = [f"project={claim.project}", f"commit={claim.commit}"]
    parts += [f"images={images}"] if images else []
    parts += [f"token={claim.token}"] if claim.token else []
    return " ".join(["headgate/1", *parts])
