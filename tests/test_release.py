"""What a release is made of: versions, notes, and what must agree before anything is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from changelog import UNRELEASED, notes_of
from failure import ReleaseError
from headgate import __version__
from job import Image, built_image, next_version, origin_of, signer_of, version_of
from provenance import predicate
from versions import parse_version, tags_of

ROOT = Path(__file__).resolve().parents[1]
DIGEST = f"sha256:{'1a' * 32}"
COMMIT = "3f" * 20
LOG = """# Changelog

Words.

## Unreleased

- to come

## 1.2.3 (2026-11-23)

### Added

- `this`, and "that"

## 1.2.2

## 1.2.1-rc.1

- first
"""
JOB = {
    "CI_REGISTRY_IMAGE": "registry.example.com/headgate/headgate",
    "CI_COMMIT_SHA": COMMIT,
    "IMAGE_DIGEST": DIGEST,
    "CI_PROJECT_URL": "https://gitlab.com/headgate/headgate",
    "CI_PIPELINE_URL": "https://gitlab.com/headgate/headgate/-/pipelines/7",
    "CI_JOB_URL": "https://gitlab.com/headgate/headgate/-/jobs/9",
    "CI_RUNNER_ID": "5",
    "CI_SERVER_URL": "https://gitlab.com",
}


@pytest.mark.parametrize("text", ["1.2.3", "0.0.0", "10.20.30", "1.0.0-rc.1", "1.0.0-0.3.7", "1.0.0-x-y.z", "1.0.0-1a"])
def test_semantic_version_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_version(text)) == text


@pytest.mark.parametrize(
    "text",
    ["v1.2.3", "1.2", "1", "", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+5", "1.2.3-a..b", "1.2.3\n", "latest", "٣.1.1"],
)
def test_other_tags_are_no_versions(text: str) -> None:
    assert parse_version(text) is None


@pytest.mark.parametrize(
    ("version", "there", "tags"),
    [
        ("1.2.3", [], ["1.2.3", "1.2", "1"]),
        ("1.2.3", ["1.2.2", "1.2", "1", COMMIT, "v9.9.9"], ["1.2.3", "1.2", "1"]),
        ("1.2.3", ["1.3.0"], ["1.2.3", "1.2"]),
        ("1.2.3", ["2.0.0", "1.2.2"], ["1.2.3", "1.2", "1"]),
        ("1.2.3", ["1.2.10"], ["1.2.3"]),
        ("1.2.3", ["1.2.3"], ["1.2.3", "1.2", "1"]),  # run again
        ("1.9.0", ["1.10.0"], ["1.9.0", "1.9"]),  # numbers, not text
        ("1.2.3", ["1.2.4-rc.1", "1.3.0-rc.1"], ["1.2.3", "1.2", "1"]),
        ("1.2.3-rc.1", [], ["1.2.3-rc.1"]),
        ("2.0.0-rc.1", ["1.2.3"], ["2.0.0-rc.1"]),
        ("0.1.0", [], ["0.1.0", "0.1", "0"]),
    ],
)
def test_a_line_moves_only_forwards(version: str, there: list[str], tags: list[str]) -> None:
    parsed = parse_version(version)
    assert parsed is not None
    assert tags_of(parsed, there) == tags


def test_notes_are_the_section_of_the_version() -> None:
    assert notes_of(LOG, "1.2.3") == '### Added\n\n- `this`, and "that"\n'
    assert notes_of(LOG, "1.2.1-rc.1") == "- first\n"
    assert notes_of(LOG, "Unreleased") == "- to come\n"


@pytest.mark.parametrize(
    ("text", "version", "why"),
    [
        (LOG, "1.2.4", "no section '## 1.2.4'"),
        (LOG, "1.2", "no section"),
        (LOG, "1.2.2", "nothing stands under '## 1.2.2'"),
        (LOG + "\n## 1.2.3\n\n- again\n", "1.2.3", "2 sections '## 1.2.3'"),
    ],
)
def test_notes_that_are_not_there_are_an_error(text: str, version: str, why: str) -> None:
    with pytest.raises(ReleaseError, match=why):
        notes_of(text, version)


def test_the_next_release_has_notes() -> None:
    version, notes = next_version((ROOT / "CHANGELOG.md").read_text())
    assert str(version) == __version__
    assert len(notes) > 20


def test_tag_version_and_changelog_must_agree() -> None:
    log = f"## {__version__}\n\n- words\n"
    assert str(version_of(__version__, log)) == __version__
    for tag, text, why in (
        (f"v{__version__}", log, "is no semantic version"),
        ("99.0.0", log, f"the tag is 99.0.0, and src/headgate/__init__.py says {__version__}"),
        (__version__, LOG, "no section"),
    ):
        with pytest.raises(ReleaseError, match=why):
            version_of(tag, text)


def test_only_a_built_image_can_be_released() -> None:
    assert built_image(JOB) == Image(JOB["CI_REGISTRY_IMAGE"], DIGEST, COMMIT)
    for digest in ("", "latest", DIGEST[:-1], f"{DIGEST}\n"):
        with pytest.raises(ReleaseError, match="this pipeline has tested no image") as raised:
            built_image({**JOB, "IMAGE_DIGEST": digest})
        assert "run the whole pipeline of this commit again" in raised.value.hint


def test_a_pipeline_signs_as_itself_where_sigstore_knows_its_gitlab() -> None:
    origin = origin_of(JOB, "refs/tags/1.2.3")
    signer = signer_of({**JOB, "SIGSTORE_ID_TOKEN": "x"}, origin)
    assert signer.identity == "https://gitlab.com/headgate/headgate//.gitlab-ci.yml@refs/tags/1.2.3"
    assert (signer.issuer, signer.private, signer.public) == ("https://gitlab.com", "", "")
    with pytest.raises(ReleaseError, match="SIGSTORE_ID_TOKEN is not set"):
        signer_of(JOB, origin)


def test_elsewhere_a_key_signs() -> None:
    elsewhere = {**JOB, "CI_SERVER_URL": "https://gitlab.example.com", "SIGSTORE_ID_TOKEN": "x"}
    origin = origin_of(elsewhere, "refs/tags/1.2.3")
    with pytest.raises(ReleaseError, match=r"Sigstore knows no pipelines of https://gitlab.example.com") as raised:
        signer_of(elsewhere, origin)
    assert "cosign generate-key-pair gitlab://PROJECT" in raised.value.hint
    signer = signer_of({**elsewhere, "COSIGN_PRIVATE_KEY": "k", "COSIGN_PUBLIC_KEY": "p"}, origin)
    assert (signer.private, signer.public) == ("env://COSIGN_PRIVATE_KEY", "env://COSIGN_PUBLIC_KEY")


def test_provenance_names_the_commit_and_the_pipeline_and_no_secret() -> None:
    found = predicate(origin_of({**JOB, "CI_JOB_TOKEN": "s3cret"}, "refs/tags/1.2.3"))
    definition, details = found["buildDefinition"], found["runDetails"]
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": COMMIT}
    assert definition["externalParameters"]["ref"] == "refs/tags/1.2.3"
    assert definition["internalParameters"]["pipeline"] == JOB["CI_PIPELINE_URL"]
    assert details["builder"]["id"] == "https://gitlab.com/headgate/headgate/-/runners/5"
    assert details["metadata"]["invocationId"] == JOB["CI_JOB_URL"]
    assert "s3cret" not in str(found)


def ran(program: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "release" / program, *args], env={}, capture_output=True, text=True, check=False
    )


def test_a_tag_that_is_not_protected_is_not_released() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "release" / "publish.py"],
        env={**JOB, "CI_COMMIT_TAG": __version__, "CI_COMMIT_REF_PROTECTED": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"the tag {__version__} is not protected" in done.stderr
    assert "Settings > Repository > Protected tags" in done.stderr


def test_programs_say_what_to_do_and_fail() -> None:
    for program, args, why, hint in (
        ("changelog.py", ["98.0.0"], "no section '## 98.0.0'", "rename '## Unreleased'"),
        ("job.py", ["98.0.0"], "the tag is 98.0.0", "set __version__"),
        ("publish.py", [], "CI_COMMIT_TAG is not set", "GitLab sets it"),
        ("join.py", [], "CI_REGISTRY_IMAGE is not set", "GitLab sets it"),
    ):
        done = ran(program, *args)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert why in done.stderr
        assert hint in done.stderr
        assert "Traceback" not in done.stderr
    assert ran("job.py").stdout == f"{__version__} could be released\n"
    assert ran("changelog.py", UNRELEASED).stdout == notes_of((ROOT / "CHANGELOG.md").read_text(), "Unreleased")
