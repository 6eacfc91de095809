from __future__ import annotations

from importlib.metadata import version

import pytest

from headgate.config import parse
from headgate.errors import LockError
from headgate.hydration import lock
from headgate.model import Lock
from headgate.objects.canonical import OUTPUT_FORMAT
from headgate.paths import LOCK
from headgate.validation.rules import GENERATION

HERE = version("jinja2")
HEADER = (
    "# Written by Headgate: the versions that hydrated this repository. 'headgate hydrate --upgrade' changes them.\n"
)


def locked(output: int = OUTPUT_FORMAT, **engines: str) -> Lock:
    return Lock.model_validate({"version": 2, "output": output, "engines": engines})


def text_of(before: Lock | None, *engines: str, upgrade: bool = False) -> str:
    (data,) = lock.changes(before, engines, upgrade=upgrade).values()
    assert data is not None
    return data.decode()


@pytest.mark.parametrize(
    "before", [None, locked(), locked(jinja2=HERE), locked(helm="1.0.0"), locked(helm="1.0.0", jinja2=HERE)]
)
def test_lock_of_these_versions_or_of_other_engines_is_fine(before: Lock | None) -> None:
    lock.check(before, ["jinja2", "plain"])


def test_other_version_of_an_engine_is_refused() -> None:
    with pytest.raises(LockError) as caught:
        lock.check(locked(jinja2="2.0.0"), ["jinja2"])
    assert str(caught.value) == (
        f"headgate.lock: the repository was hydrated with jinja2 2.0.0 (here: {HERE})\n"
        "  use those versions, or upgrade in a merge request, whose pipeline hydrates everything again; "
        "without GitLab, run 'headgate hydrate --upgrade' and review its changes"
    )


def test_other_output_format_is_refused() -> None:
    with pytest.raises(LockError) as caught:
        lock.check(locked(99), [])
    assert caught.value.what == f"the repository was hydrated with output format 99 (here: {OUTPUT_FORMAT})"


def test_all_other_versions_are_told_at_once() -> None:
    with pytest.raises(LockError) as caught:
        lock.check(locked(99, jinja2="2.0.0"), ["jinja2"])
    assert caught.value.what == (
        f"the repository was hydrated with jinja2 2.0.0 (here: {HERE}), output format 99 (here: {OUTPUT_FORMAT})"
    )


def test_first_hydration_writes_the_lock() -> None:
    text = text_of(None, "jinja2", "plain")
    assert text == f"{HEADER}version: 2\noutput: {OUTPUT_FORMAT}\nengines:\n  jinja2: {HERE}\nrules: {GENERATION}\n"


def test_lock_that_was_written_is_read_back() -> None:
    found, _ = parse(text_of(None, "jinja2").encode(), LOCK, Lock)
    assert found == locked(jinja2=HERE).model_copy(update={"rules": GENERATION})
    assert lock.changes(found, ["jinja2"], upgrade=False) == {}
    assert lock.changes(found, ["jinja2"], upgrade=True) == {}


def test_rules_stay_those_that_the_repository_began_with() -> None:
    assert "rules" not in text_of(locked(jinja2="2.0.0"), "jinja2", upgrade=True)


def test_new_engine_joins_the_lock() -> None:
    assert f"engines:\n  helm: 1.0.0\n  jinja2: {HERE}\n" in text_of(locked(helm="1.0.0"), "jinja2")


def test_lock_without_upgrade_keeps_its_versions() -> None:
    assert lock.changes(locked(jinja2="2.0.0"), ["jinja2"], upgrade=False) == {}


def test_upgrade_writes_these_versions() -> None:
    text = text_of(locked(99, helm="1.0.0", jinja2="2.0.0"), "jinja2", upgrade=True)
    assert text == f"{HEADER}version: 2\noutput: {OUTPUT_FORMAT}\nengines:\n  helm: 1.0.0\n  jinja2: {HERE}\n"


def test_engine_without_a_program_is_not_locked() -> None:
    assert lock.changes(None, ["plain"], upgrade=False, lands=False) == {}


def test_what_lands_raises_a_lock_of_version_1_and_a_hydration_on_a_laptop_does_not() -> None:
    old = Lock.model_validate({"version": 1, "output": OUTPUT_FORMAT, "engines": {"jinja2": HERE}})
    assert "version: 2\n" in text_of(old)
    assert lock.changes(old, ["jinja2"], upgrade=False, lands=False) == {}
