"""Who gives out tokens for a registry, as GitLab's ``/jwt/auth`` does: https://distribution.github.io/distribution/spec/auth/token/."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from support.registry import Registry, serve_registry
from support.web import Asked, Reply, Site, serve

SERVICE = "container_registry"
PUBLIC = "public/"
"""Repositories below this are for everybody."""


@cache
def key() -> rsa.RSAPrivateKey:
    """Return the key that signs."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Guarded:
    """A registry that wants tokens, and who gives them out."""

    registry: Registry
    tokens: Site


@contextmanager
def serve_guarded(folder: Path, logins: Mapping[tuple[str, str], str]) -> Iterator[Guarded]:
    """Run a registry that wants tokens. ``logins`` says which may pull below which path."""
    with serve(lambda asked: _answer(asked, logins)) as tokens:
        auth = wanted(folder, f"http://{tokens.host}/jwt/auth")
        with serve_registry(folder, auth, _may_push) as registry:
            yield Guarded(registry, tokens)


def wanted(folder: Path, realm: str) -> Mapping[str, Any]:
    """Return what makes a registry want the tokens that `token` makes; ``realm`` is the address that gives them out."""
    folder.mkdir(parents=True, exist_ok=True)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key().public_key()))
    (folder / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "test", "alg": "RS256", "use": "sig"}]}))
    return {"token": {"realm": realm, "service": SERVICE, "issuer": "test", "jwks": str(folder / "jwks.json")}}


def _may_push(repository: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token(repository, ['pull', 'push'])}"}


def _answer(asked: Asked, logins: Mapping[tuple[str, str], str]) -> Reply:
    path = asked.query["scope"][0].split(":")[1]
    below = PUBLIC
    if login := asked.headers.get("Authorization"):
        user, _, secret = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")
        if (user, secret) not in logins:
            return Reply(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "HTTP Basic: Access denied"}]}')
        below = logins[user, secret]
    actions = ["pull"] if path.startswith((below, PUBLIC)) else []
    return Reply(200, json.dumps({"token": token(path, actions)}).encode())


def token(repository: str, actions: list[str]) -> str:
    """Return a token that opens a repository for these actions, ``pull`` and ``push``."""
    now = int(time.time())
    claims: dict[str, Any] = {"iss": "test", "aud": SERVICE, "sub": "", "jti": str(time.monotonic_ns())}
    claims |= {"iat": now, "nbf": now - 10, "exp": now + 300}
    claims["access"] = [{"type": "repository", "name": repository, "actions": actions}] if actions else []
    return jwt.encode(claims, key(), algorithm="RS256", headers={"kid": "test"})
