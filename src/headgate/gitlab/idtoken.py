"""GitLab's id_tokens: signed by GitLab, read here. https://docs.gitlab.com/ci/secrets/id_token_authentication/."""

from __future__ import annotations

import json
from typing import Any

from headgate.errors import GitLabError, UntrustedError

_SECONDS = 30
_MOST = 1024 * 1024


def verified(token: str, server: str, audience: str) -> dict[str, Any]:
    """Return the claims of an id_token that GitLab at ``server`` signed for ``audience`` and that has not expired.

    Raises UntrustedError when it is another one, GitLabError when GitLab's keys cannot be had.
    """
    import jwt  # noqa: PLC0415  it loads cryptography

    try:
        header = jwt.get_unverified_header(token)
        key = _key(server, str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            *(token, key),
            algorithms=["RS256"],
            audience=audience,
            issuer=server,
            leeway=10,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise UntrustedError(
            f"the id_token is not one that {server} made for {audience}: {error}",
            hint="the job that sends it declares it with id_tokens, and with this audience",
        ) from None
    return claims


def _key(server: str, kid: str) -> Any:
    from jwt import InvalidKeyError, PyJWK  # noqa: PLC0415

    for one in _fetch(f"{server}/oauth/discovery/keys").get("keys", []):
        if one.get("kid") == kid and one.get("kty") == "RSA":
            return PyJWK(one, algorithm="RS256").key
    raise InvalidKeyError("GitLab has no such key")


def _fetch(address: str) -> dict[str, Any]:
    """Return GitLab's public keys, which it names in /.well-known/openid-configuration. No token is sent."""
    import requests  # noqa: PLC0415

    try:
        with requests.get(address, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
            answer.raise_for_status()
            found = json.loads(answer.raw.read(_MOST, decode_content=True))
    except (requests.RequestException, ValueError) as error:
        raise GitLabError(f"GitLab's keys cannot be read at {address}: {type(error).__name__}") from None
    return found if isinstance(found, dict) else {}
