"""The validator for tests, which leave it out otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate import tools

WRONG = Path(__file__).resolve().parents[3] / "shared" / "validation"


def use_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge what is hydrated in this test."""
    monkeypatch.delenv("HEADGATE_VALIDATOR", raising=False)
    if tools.find_validator() is None:
        pytest.fail(f"{tools.own_folder() / tools.VALIDATOR} is not here: run 'make validator'")


def wrong_objects() -> Path:
    """Return the folder with wrong objects; skip where it is not."""
    if not WRONG.is_dir():
        pytest.skip("the folder ../shared/validation with wrong objects is not here")
    return WRONG
