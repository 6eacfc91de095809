"""The text of a hand-off between two projects' pipelines. Nothing in it is proved."""

from __future__ import annotations

import re
from dataclasses import field

from headgate.errors import ConfigError, UntrustedError
from headgate.objects.images import Reference, parse_reference
from headgate.records import frozen_record
from headgate.releases.handoff import COMMIT

PATTERN = r"^(headgate/1( (project|commit|images|token)=[A-Za-z0-9._:/@,+-]*)+)?$"
"""The pattern of the manifest project's input ``handoff``: no ``$``, which GitLab would expand, no line break."""


@frozen_record
class Claim:
    """What a triggered pipeline received: project id, commit, images; ``token`` is an id_token that may prove them."""

    project: int
    commit: str
    images: tuple[Reference, ...]
    token: str = field(default="", repr=False)


def parse_claim(text: str) -> Claim:
    """Parse a hand-off's text. Raises UntrustedError unless it has the form that the component ``deliver`` sends."""
    version, _, rest = text.partition(" ")
    values = dict(entry.partition("=")[::2] for entry in rest.split(" "))
    if version != "headgate/1" or not re.fullmatch(PATTERN, text) or len(values) != len(rest.split(" ")):
        raise UntrustedError(
            f"cannot read the hand-off {text[:40]!r}",
            hint="use the same major version of the component 'deliver' in the app's pipeline and 'hydrate' here",
        )
    project, commit = values.get("project", ""), values.get("commit", "")
    if not re.fullmatch(r"[0-9]{1,18}", project) or not re.fullmatch(COMMIT, commit):
        raise UntrustedError(
            f"the hand-off names project {project!r} and commit {commit!r}; expected a project id and a full commit id"
        )
    images = [image for image in values.get("images", "").split(",") if image]
    references = tuple(map(parse_reference, images))
    return Claim(project=int(project), commit=commit, images=references, token=values.get("token", ""))


def read_images(text: str) -> tuple[str, ...]:
    """Return the images that a job was given, one by one. Raises ConfigError where a variable was left in them.

    What GitLab does not know stays as it was written: https://docs.gitlab.com/ci/variables/where_variables_can_be_used/.
    """
    if "$" in text:
        raise ConfigError(
            f"the images are {text!r}, with a variable that is not set here",
            hint="pass it to the job with 'artifacts: reports: dotenv' of the build job, or write out its value",
        )
    return tuple(filter(None, (image.strip() for image in text.split(","))))


def write_claim(claim: Claim) -> str:
    """Return the text that `parse_claim` reads."""
    images = ",".join(map(str, claim.images))
    parts = [f"project={claim.project}", f"commit={claim.commit}"]
    parts += [f"images={images}"] if images else []
    parts += [f"token={claim.token}"] if claim.token else []
    return " ".join(["headgate/1", *parts])
