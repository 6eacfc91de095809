"""id_tokens as GitLab signs them: https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from support.gitlab.state import LEVEL_NAMES

if TYPE_CHECKING:
    from support.gitlab.state import Job


def new_key() -> RSAPrivateKey:
    """Return a key that nobody knows."""
    return generate_private_key(65537, 2048)


_usual_key = cache(new_key)


@dataclass
class Keys:
    """GitLab's key: all GitLabs of a test run have the same, unless one is given, since a key takes long to make."""

    kid: str = field(default_factory=lambda: secrets.token_hex(8))
    key: RSAPrivateKey = field(default_factory=_usual_key, repr=False)

    def public(self) -> dict[str, Any]:
        """Return what GitLab shows at /oauth/discovery/keys."""
        told = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**told, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims."""
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})


def id_token(keys: Keys, url: str, job: Job, audience: str, *, is_protected: bool, lasts: int = 300) -> str:
    """Return a job's id_token for an audience."""
    pipeline, begins = job.pipeline, int(time.time())
    kind = "tag" if pipeline.is_tag else "branch"
    return keys.sign(
        {
            "iss": url,
            "aud": audience,
            "iat": begins,
            "nbf": begins - 5,
            "exp": begins + lasts,
            "jti": secrets.token_hex(8),
            "sub": f"project_path:{pipeline.project.path}:ref_type:{kind}:ref:{pipeline.ref}",
            "project_id": str(pipeline.project.id),
            "project_path": pipeline.project.path,
            "user_id": str(pipeline.user.id),
            "user_login": pipeline.user.name,
            "user_access_level": LEVEL_NAMES.get(pipeline.project.level(pipeline.user)),
            "pipeline_id": str(pipeline.id),
            "pipeline_source": pipeline.source,
            "job_id": str(job.id),
            "ref": pipeline.ref,
            "ref_type": kind,
            "ref_path": f"refs/{'tags' if pipeline.is_tag else 'heads'}/{pipeline.ref}",
            "ref_protected": str(is_protected).lower(),
            "sha": pipeline.sha,
        }
    )
