"""Verification of GitLab's id_tokens. https://docs.gitlab.com/ci/secrets/id_token_authentication/."""

from __future__ import annotations

import json
from typing import Any

from headgate.errors import GitLabError, UntrustedError
from headgate.http import OK, HttpRequest, NoAnswerError, RetryLimits, TooLongError, open_http

_MAX_BYTES = 1024 * 1024


def verified_claims(token: str, server: str, audience: str) -> dict[str, Any]:
    """Return the claims of an unexpired id_token that GitLab at ``server`` signed for ``audience``.

    Raises UntrustedError for any other token, GitLabError when GitLab's keys cannot be fetched.
    """
    import jwt  # noqa: PLC0415  it loads cryptography

    try:
        header = jwt.get_unverified_header(token)
        key = _key(server, str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=server,
            leeway=10,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise UntrustedError(
            f"the id_token is not one that {server} issued for {audience}: {error}",
            hint="declare it under id_tokens in the job that sends it, with this audience",
        ) from None
    return claims


def _key(server: str, kid: str) -> Any:
    from jwt import InvalidKeyError, PyJWK  # noqa: PLC0415

    for key in _fetch(f"{server}/oauth/discovery/keys").get("keys", []):
        if key.get("kid") == kid and key.get("kty") == "RSA":
            return PyJWK(key, algorithm="RS256").key
    raise InvalidKeyError("GitLab does not publish its key")


def _fetch(address: str) -> dict[str, Any]:
    """Fetch GitLab's public keys, at the ``jwks_uri`` of /.well-known/openid-configuration. Sends no token."""
    try:
        with open_http(RetryLimits()) as http:
            response = http.exchange(HttpRequest(address=address, max_bytes=_MAX_BYTES))
        if response.status != OK:
            raise GitLabError(f"cannot fetch GitLab's keys from {address}: it answered {response.status}")
        keys = json.loads(response.body)
    except (NoAnswerError, TooLongError, ValueError) as error:
        raise GitLabError(f"cannot fetch GitLab's keys from {address}: {error}") from None
    return keys if isinstance(keys, dict) else {}
