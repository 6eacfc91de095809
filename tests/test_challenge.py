from __future__ import annotations

import pytest

from headgate.registry.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a registry"', [("basic", {"realm": "a registry"})]),
        (
            (
                'Bearer realm="https://gitlab.example.com/jwt/auth",service="container_registry",'
                'scope="repository:acme/shop:pull,push"'
            ),
            [
                (
                    "bearer",
                    {
                        "realm": "https://gitlab.example.com/jwt/auth",
                        "service": "container_registry",
                        "scope": "repository:acme/shop:pull,push",
                    },
                )
            ],
        ),
        ('bearer  Realm = "https://a" , service=b', [("bearer", {"realm": "https://a", "service": "b"})]),
        ('Basic realm="x", Bearer realm="https://a"', [("basic", {"realm": "x"}), ("bearer", {"realm": "https://a"})]),
        ('Negotiate, Bearer realm="https://a"', [("negotiate", {}), ("bearer", {"realm": "https://a"})]),
        (r'Basic realm="a \"quoted\", comma"', [("basic", {"realm": 'a "quoted", comma'})]),
        ('Bearer realm="https://a",realm="https://b"', [("bearer", {"realm": "https://a"})]),
        ('Bearer realm=""', [("bearer", {"realm": ""})]),
        ('Bearer realm="https://a', [("bearer", {})]),
        ('realm="https://a"', []),
        (",,,", []),
        ("\x00", []),
    ],
)
def test_ways_to_log_in_are_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(header) == tuple(Challenge(*one) for one in expected)
