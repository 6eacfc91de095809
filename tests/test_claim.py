"""The text of a hand-off: what is written is read, and nothing else is."""

from __future__ import annotations

import re

import pytest

from headgate.errors import ConfigError, UntrustedError
from headgate.gitlab.claim import PATTERN, Claim, parse_claim, write_claim
from headgate.objects.images import Reference

COMMIT = "a" * 40
DIGEST = "sha256:" + "1" * 64
IMAGE = Reference("registry.example.com:5000/acme/shop", "1.0", DIGEST)


@pytest.mark.parametrize(
    "claim",
    [
        Claim(project=7, commit=COMMIT, images=()),
        Claim(project=7, commit=COMMIT, images=(IMAGE,)),
        Claim(project=7, commit=COMMIT, images=(IMAGE, Reference("acme/web", "x"), Reference("acme/web"))),
        Claim(project=7, commit=COMMIT, images=(IMAGE,), token="eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_c"),
    ],
)
def test_what_is_written_is_read_again(claim: Claim) -> None:
    text = write_claim(claim)
    assert re.fullmatch(PATTERN, text)
    assert parse_claim(text) == claim


def test_what_the_component_sends_is_read() -> None:
    # templates/deliver.yml, after GitLab has filled its variables in
    claim = parse_claim(f"headgate/1 project=7 commit={COMMIT} images=registry.example.com/acme/shop:abc1234")
    assert claim == Claim(project=7, commit=COMMIT, images=(Reference("registry.example.com/acme/shop", "abc1234"),))


def test_token_is_not_printed_with_the_claim() -> None:
    assert "secret" not in repr(Claim(project=7, commit=COMMIT, images=(), token="secret"))


@pytest.mark.parametrize(
    "text",
    [
        "headgate/2 project=7 commit=" + COMMIT,
        "project=7 commit=" + COMMIT,
        f"headgate/1 project=7 project=8 commit={COMMIT}",
        f"headgate/1 project=acme/shop commit={COMMIT}",
        "headgate/1 project=7 commit=main",
        f"headgate/1 project=7 commit={COMMIT[:12]}",
        f"headgate/1 project=$CI_PROJECT_ID commit={COMMIT}",
        f"headgate/1 project=7 commit={COMMIT} ref=refs/heads/main",
        f"headgate/1 project=7 commit={COMMIT}\nimages=x",
        f"headgate/1 project=7 commit={COMMIT} images=a b",
        f"headgate/1 project=7 commit={COMMIT} images=$(id)",
        f"headgate/1  project=7 commit={COMMIT}",
        "headgate/1",
        "x" * 5000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UntrustedError):
        parse_claim(text)


@pytest.mark.parametrize("image", ["shop:tag:tag", "shop@sha256:1", "https://registry/shop"])
def test_image_that_is_none_is_refused(image: str) -> None:
    with pytest.raises((ConfigError, UntrustedError)):
        parse_claim(f"headgate/1 project=7 commit={COMMIT} images={image}")
