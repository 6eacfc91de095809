"""The pages' commands: each is typed into a terminal as it stands there, and does what it is for.

Every page with shell blocks is walked, or another test runs it. What cannot run here is listed, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from headgate.registry.signature import read_key
from support import scenes
from support.pages import PAGES, ROOT, all_blocks, blocks, command_lines, read_page
from support.place import NEWER, Place, make_place
from support.promises import kept
from support.scenes import Scene

SECRET_KEYS = "^(data|stringData)$"
REFERENCE = "docs/reference/commands.md"

WALKED: Mapping[str, tuple[Scene | None, ...]] = {
    "README.md": (None, scenes.in_app_of_the_smallest, scenes.in_checkout_up_to_date, scenes.with_nothing),
    "docs/adopting.md": (
        *(scenes.with_plain_yaml, scenes.with_own_environments, scenes.with_flux, scenes.with_chart),
        scenes.with_digests,
    ),
    "docs/delivery.md": (scenes.above,),
    "docs/how-to/application-operator.md": (scenes.in_checkout,),
    "docs/how-to/developer.md": (scenes.in_checkout,),
    "docs/how-to/devops-engineer.md": (scenes.with_nothing,),
    "docs/how-to/platform-engineer.md": (scenes.above,),
    "docs/how-to/release-manager.md": (scenes.in_checkout,),
    "docs/how-to/security-analyst.md": (scenes.in_checkout,),
    "docs/how-to/security-operations.md": (scenes.in_checkout,),
    "docs/how-to/team-lead.md": (scenes.in_checkout,),
    "docs/how-to/test-engineer.md": (scenes.in_checkout,),
    "docs/migration/flux-image-automation.md": (scenes.with_image_automation,),
    "docs/migration/gitlab-agent.md": (scenes.of_the_agent,),
    "docs/migration/gitopscli.md": (scenes.of_gitopscli,),
    "docs/migration/upgrade-from-1.0.md": (scenes.hydrated_by_1_0, None, scenes.committed),
    "docs/reading.md": (scenes.in_checkout,),
    "docs/releasing.md": (scenes.with_release,),
    "docs/setup.md": (scenes.in_empty_project,),
    "docs/site.md": (scenes.above,),
}
"""Pages whose blocks are typed here, with the scene of each block; one without is typed where the one before it was."""

ELSEWHERE: Mapping[str, str] = {
    "docs/scale.md": "test_split_templates.py",
    "docs/tutorial.md": "test_tutorial.py",
    "docs/tutorial-gitlab.md": "test_tutorial_on_gitlab.py",
}
"""Pages whose blocks another test runs as they stand there."""

_SOPS = "the recipient is a person's own, and tests have no SOPS; test_rollout.py has a file that it wrote"
NOT_RUN: Mapping[str, str] = {
    "make demo": "installs what it needs; what it runs is `headgate demo`, which the reference has as an example",
    "make cluster": "builds for minutes; test_rollout.py and test_cluster_demo.py run the clusters that it starts",
    "make test": "runs this test",
    "headgate demo --cluster": "needs the clusters' programs; test_cluster_demo.py runs it",
    "headgate ci": "runs in a pipeline's job, which tests/live run",
    "headgate hand-off": "runs in a pipeline's job, which tests/live run",
    "headgate preview": "runs in a pipeline's job, which tests/live run",
    "headgate warm --shard 1/4": "runs in a pipeline's job, which test_warm_jobs.py runs",
    f"sops encrypt --encrypted-regex '{SECRET_KEYS}' --age AGE_RECIPIENT --in-place secret.yaml": _SOPS,
}
"""Lines that cannot run here, and why."""

STAND_INS: Mapping[str, str] = {
    "flux": "its CLI cannot be built of its module; kustomize builds what it would, with the options that it asks for",
    "cosign": "it would verify a release on GitLab.com with Sigstore's log; which options it has is read from its help",
    "crane": "it would ask GitLab.com's registry for that release",
}
"""Programs of others that something stands for here, and why."""

PLACEHOLDERS: Mapping[str, Mapping[str, Callable[[Place], str]]] = {
    "README.md": {"sha256:...": lambda _: f"sha256:{NEWER[2]:0<64}"},
    "docs/setup.md": {
        "SETUP_TOKEN=...": lambda place: f"SETUP_TOKEN={place.token}",
        "DOCTOR_TOKEN=...": lambda place: f"DOCTOR_TOKEN={place.token}",
    },
    REFERENCE: {"sha256:...": lambda _: f"sha256:{NEWER[2]:0<64}", "4bc8...": lambda _: f"{'4bc8':0<40}"},
}
"""What of a page a person fills in, and with what."""

EXAMPLE_SCENES: Mapping[str, Scene] = {
    "adopt": scenes.with_plain_yaml,
    "adopt ../manifests": scenes.beside_podinfo,
    "app add": scenes.after_init,
    "demo": scenes.with_nothing,
    "deliver ": scenes.in_the_smallest,
    "doctor": scenes.after_init,
    "environment add": scenes.after_init,
    "init": scenes.in_empty_project,
    "preview": scenes.in_app_with_config,
}
"""Where an example is typed, by what it begins with; elsewhere it is the checkout."""


def _with_key(place: Place) -> None:
    """The key that openssl made is one that Headgate signs with, and its public half verifies."""
    key = read_key(str(place.terminal.folder / "artifacts.pem"))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert (place.terminal.folder / "artifacts.pub").read_bytes() == public


AFTER: Mapping[str, Callable[[Place], None]] = {"docs/delivery.md": _with_key}
"""What is so when the blocks of a page ran that have no command of Headgate's."""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that keeps what all places begin with."""
    return tmp_path_factory.mktemp("delivered")


@pytest.fixture
def place(tmp_path: Path, delivered: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with make_place(tmp_path, delivered, monkeypatch) as made:
        made.terminal.around = partial(kept, made)
        monkeypatch.setenv("HEADGATE_TOKEN", made.token)
        yield made


def filled_in(page: str, text: str, place: Place) -> str:
    """Return a block as a person types it: without what cannot run, and with what is theirs to fill in."""
    lines = re.findall(r"(?:.*\\\n)*.*\n", text)
    runs = "".join(line for line in lines if not is_left_out(line))
    for placeholder, value in PLACEHOLDERS.get(page, {}).items():
        runs = runs.replace(placeholder, value(place))
    return runs


LONG = (
    *("README.md", "docs/adopting.md", "docs/migration/flux", "docs/migration/gitlab", "docs/migration/gitops"),
    *("docs/releasing.md", "docs/setup.md", "docs/site.md"),
)
"""Pages that take longer, or need what only the long tests build."""


@pytest.mark.long
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.long if page.startswith(LONG) else ()) for page in WALKED]
)
def test_each_command_of_a_page_does_what_it_is_for(page: str, place: Place) -> None:
    found = blocks(page, "sh")
    assert len(WALKED[page]) <= len(found)
    for block in found:
        scene = WALKED[page][block.number] if block.number < len(WALKED[page]) else None
        if scene is not None:
            scene(place)
        text = filled_in(page, block.text, place)
        if text.strip():
            place.terminal.run(text)
    if page in AFTER:
        AFTER[page](place)


def examples() -> list[str]:
    """Return the examples of the reference that can run here."""
    return [line for line in command_lines(REFERENCE) if not is_left_out(line)]


def is_left_out(line: str) -> bool:
    """Whether a line cannot run here."""
    return line.partition(" #")[0].strip() in NOT_RUN


@pytest.mark.long
@pytest.mark.parametrize("line", examples(), ids=lambda line: line[:70])
def test_each_example_of_the_reference_does_what_it_is_for(
    line: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_RESULTS", str(place.folder / "results"))
    monkeypatch.setenv("HEADGATE_RESULTS_KEY", "a secret")
    begins = [words for words in EXAMPLE_SCENES if line.startswith(f"headgate {words}")]
    if begins:
        EXAMPLE_SCENES[max(begins, key=len)](place)
    place.terminal.run(filled_in(REFERENCE, f"{line}\n", place))


def test_each_page_with_commands_is_run() -> None:
    lists = [*WALKED, *ELSEWHERE, REFERENCE]
    assert len(set(lists)) == len(lists)
    assert {page for page in PAGES if not all(map(is_left_out, command_lines(page)))} == set(lists)
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / "tests" / test).read_text()


def test_no_list_names_what_no_page_has() -> None:
    lines = [line.partition(" #")[0].strip() for page in PAGES for line in command_lines(page)]
    assert NOT_RUN.keys() <= set(lines)
    for program in STAND_INS:
        assert any(re.search(rf"\b{program} ", line) for line in lines), program
    for page, placeholders in PLACEHOLDERS.items():
        assert all(placeholder in read_page(page) for placeholder in placeholders)


def test_no_block_escapes_these_tests() -> None:
    for page in PAGES:
        fences = re.findall(r"^ *```", read_page(page), re.MULTILINE)
        assert len(fences) == 2 * len(all_blocks(page)), page
        for block in blocks(page, ""):  # what has no language is what something prints, or a picture
            assert not re.match(r"\$ |(headgate|git|kubectl|make) [a-z]", block.text), block.name
