"""``doctor`` says that hand-offs go through exactly when the next hand-off does, whatever is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.gitlab.saved import put_back
from support.gitlab.state import DEVELOPER, MAINTAINER, NO_ONE, REPORTER
from support.registry import serve_registry
from support.settingup import Example, Said, Stages, make_stages

VERSIONS = ("18.10.0", "18.11.2", "19.0.1", "19.3.0")
LEVELS = (NO_ONE, DEVELOPER, MAINTAINER)
CHANGES: dict[str, tuple[Any, ...]] = {
    "tagged": (True,),
    "proofs": ("trigger-jobs", "id-token", "upstream", "upstream, id-token"),
    "push": LEVELS,
    "merge": LEVELS,
    "is_protected": (False,),
    "door_push": (DEVELOPER, MAINTAINER),
    "door_merge": (NO_ONE, MAINTAINER),
    "is_door_protected": (False,),
    "variables_role": ("developer", "maintainer", "owner"),
    "jobs_push": (True, False),
    "bot": ("none", "expired", "weak", "stranger"),
    "bot_level": (0, REPORTER, DEVELOPER),
    "bot_level_in_app": (0, REPORTER),
    "is_bot_shown_to_all": (True,),
    "door_bot": ("none", "expired", "weak", "stranger"),
    "branch_token": ("good", "expired", "weak", "bot"),
    "read_token": ("good", "expired", "weak", "stranger"),
    "is_listed": (False,),
    "dana_in_manifests": (0, REPORTER, DEVELOPER, MAINTAINER),
    "dana_in_door": (0, REPORTER, MAINTAINER),
    "visibility": ("internal", "public"),
    "is_ref_protected": (False,),
    "trigger": ("none", "stranger"),
}
ONLY = {
    "intake": ("door_push", "door_merge", "is_door_protected", "door_bot", "dana_in_door"),
    "token": ("trigger", "bot_level_in_app"),
}


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Return an installation that is set as it should be, but for at most three things."""
    setup = draw(st.sampled_from(("direct", "intake", "token")))
    elsewhere = {name for other, names in ONLY.items() if other != setup for name in names}
    names = [name for name in CHANGES if name not in elsewhere]
    changed = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
    more = {name: draw(st.sampled_from(CHANGES[name])) for name in changed}
    delivery = draw(st.sampled_from(("commit", "review")))
    apart = delivery == "review" and draw(st.booleans())
    version = draw(st.sampled_from(VERSIONS))
    return Example(setup=setup, version=version, delivery=delivery, records_apart=apart, **more)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    folder = tmp_path_factory.mktemp("stages")
    with serve_registry(folder / "registry") as registry, make_stages(folder, registry) as made:
        yield made


def check(stages: Stages, example: Example) -> Said:
    """Ask the doctor, hand off, and compare; return what the doctor said."""
    installation = stages[example.setup]
    with put_back(installation.acme.gitlab):
        installation.set(example)
        said = installation.doctor(example)
        ended = installation.hand_off(example)
        arrived = installation.arrived(example)
        logs = "\n".join([ended.log, *(pipeline.log for pipeline in installation.acme.triggered.pipelines)])
        words = f"{example}\ndoctor: {said.hand_offs} {said.stopping}\n{logs}"
        assert arrived == (ended.status == "success" and bool(installation.acme.hydrations())), words
        if said.hand_offs == "cannot tell":  # a group may give a token, which the double has none of; docs/setup.md
            assert any("a group may give it" in text for text in said.stopping), words
        else:
            assert (said.hand_offs == "ok") == arrived, words
        return said


USUAL = (
    Example(setup="direct", bot="none"),
    Example(setup="intake", version="19.3.0"),
    Example(setup="token", delivery="review", records_apart=True, version="18.10.0"),
)


@pytest.mark.parametrize(
    "example", [pytest.param(one, id=one.setup, marks=() if one is USUAL[0] else pytest.mark.long) for one in USUAL]
)
def test_what_init_asks_for_is_ok_and_goes_through(stages: Stages, example: Example) -> None:
    assert check(stages, example).hand_offs == "ok"


SHARED = settings(
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    database=None,
)


@pytest.mark.long
@settings(SHARED, max_examples=6, derandomize=True)
@given(example=examples())
def test_ok_is_said_exactly_when_a_hand_off_goes_through(stages: Stages, example: Example) -> None:
    check(stages, example)


@pytest.mark.soak
@settings(SHARED, max_examples=400)
@given(example=examples())
def test_ok_is_said_exactly_when_many_hand_offs_go_through(stages: Stages, example: Example) -> None:
    check(stages, example)


@pytest.mark.parametrize(
    "setup",
    [
        pytest.param("direct", marks=pytest.mark.soak),
        pytest.param("intake", marks=pytest.mark.long),
        pytest.param("token", marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("name", list(CHANGES))
def test_each_single_change_is_told_rightly(stages: Stages, setup: str, name: str) -> None:
    if any(name in names for other, names in ONLY.items() if other != setup):
        pytest.skip(f"{name} is no matter of the set-up {setup}")
    for value in CHANGES[name]:
        check(stages, replace(Example(setup=setup), **{name: value}))
