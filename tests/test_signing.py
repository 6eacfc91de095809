"""Commits by whom headgate.yaml names, signed with an SSH key that git verifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.errors import ConfigError, HeadgateError, ToolError
from headgate.repository.signing import signed
from support.keys import allowed, make_key
from support.manifests import HEADGATE_YAML, git
from support.stage import Stage

BOT = "commits: {author: {name: Head Gate, email: bot@example.com}, committer: {name: Gate, email: gate@example.com}}\n"
COMMIT = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\nx\n"


def configure(stage: Stage, text: str) -> None:
    stage.change({"headgate.yaml": HEADGATE_YAML + text})


def test_author_and_committer_are_those_of_the_configuration(stage: Stage) -> None:
    configure(stage, BOT)
    assert stage.deliver().code == 0
    told = git(stage.remote, "log", "-1", "--format=%an <%ae>, %cn <%ce>", "main")
    assert told == "Head Gate <bot@example.com>, Gate <gate@example.com>"


def test_what_the_configuration_does_not_say_is_git_s_own(stage: Stage) -> None:
    configure(stage, "commits: {author: {name: Head Gate, email: bot@example.com}}\n")
    assert stage.deliver().code == 0
    told = git(stage.remote, "log", "-1", "--format=%an <%ae>, %cn <%ce>", "main")
    assert told == "Head Gate <bot@example.com>, Test <test@example.com>"


def test_the_subject_follows_the_configuration(stage: Stage) -> None:
    configure(stage, 'commits: {message: "OPS-1 {apps} in {environments}"}\n')
    assert stage.deliver().code == 0
    assert stage.log()[0] == "OPS-1 web in dev"
    assert "Headgate-App: web" in git(stage.remote, "log", "-1", "--format=%(trailers)", "main")


@pytest.mark.long
@pytest.mark.parametrize("ref", ["main", "refs/tags/v1.0.0"])
def test_what_is_delivered_is_signed(stage: Stage, tmp_path: Path, ref: str) -> None:
    configure(stage, BOT)
    git(stage.app, "tag", "v1.0.0")
    key = make_key(tmp_path / "key")
    key.chmod(0o666)
    ran = stage.deliver("--signing-key", str(key), ref=ref)
    assert ran.code == 0, ran.out
    branch = "main" if ref == "main" else "headgate/production/web"
    trust = allowed(key, "gate@example.com")
    git(stage.remote, *trust, "verify-commit", branch)
    assert git(stage.remote, *trust, "log", "-1", "--format=%G? %GS", branch) == "G gate@example.com"
    assert git(stage.remote, "log", "-1", "--format=%s", branch).startswith("Deliver web to ")
    git(stage.remote, "fsck", "--strict")


def test_hydrate_signs_too_and_the_environment_may_name_the_key(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(stage, BOT)
    key = make_key(tmp_path / "key")
    stage.manifests.app("plain", "template: plain\nenvironments: [dev]\n")
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: plain}\n"
    stage.manifests.write({"templates/plain/account.yaml": account}).commit("Add")
    monkeypatch.setenv("HEADGATE_SIGNING_KEY", str(key))
    ran = stage.manifests.hydrate("--commit", "--app", "plain")
    assert ran.code == 0, ran.out
    git(stage.manifests.path, *allowed(key, "gate@example.com"), "verify-commit", "HEAD")
    assert git(stage.manifests.path, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\n" + data + b"\n\n",
    ],
)
def test_a_key_as_people_paste_it_signs(tmp_path: Path, spoil: object) -> None:
    key = make_key(tmp_path / "key")
    key.write_bytes(spoil(key.read_bytes()))  # type: ignore[operator]
    before = key.read_bytes(), key.stat().st_mode
    assert b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n " in signed(COMMIT, str(key))
    assert (key.read_bytes(), key.stat().st_mode) == before


def test_an_old_key_without_its_public_half_signs(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", kind="rsa", form="PEM")
    key.with_suffix(".pub").unlink()
    assert b"gpgsig" in signed(COMMIT, str(key))


def test_no_copy_of_the_key_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    signed(COMMIT, str(make_key(tmp_path / "key")))
    with pytest.raises(ConfigError):
        signed(COMMIT, str(make_key(tmp_path / "locked", passphrase="a long one")))
    assert list(scratch.iterdir()) == []


def refused(key: str) -> HeadgateError:
    with pytest.raises(HeadgateError) as caught:
        signed(COMMIT, key)
    return caught.value


def test_what_is_no_usable_key_is_said_without_showing_it(tmp_path: Path) -> None:
    good = make_key(tmp_path / "good")
    secret = good.read_text().splitlines()[2]
    broken = tmp_path / "broken"
    broken.write_text(good.read_text().replace(secret, secret[:20]))
    words = tmp_path / "words"
    words.write_text("my password\n")
    cases = {
        str(make_key(tmp_path / "locked", passphrase="a long one")): "has a passphrase",
        str(broken): "ssh-keygen cannot read the key",
        str(words): "found no private key",
        f"{good}.pub": "found a public key",
        str(tmp_path / "nothing"): "cannot be read: No such file",
        str(tmp_path): "cannot be read: Is a directory",
        good.read_text(): "the signing key's setting holds the key itself",
    }
    for key, told in cases.items():
        error = refused(key)
        assert isinstance(error, ConfigError)
        assert told in error.what
        assert secret[:20] not in str(error)
        assert "password" not in str(error)
        assert "/headgate-" not in str(error)


def test_without_ssh_keygen_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(tmp_path / "key")
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(str(key))
    assert isinstance(error, ToolError)
    assert "install OpenSSH" in error.hint


def test_with_a_key_that_cannot_sign_nothing_is_pushed(stage: Stage, tmp_path: Path) -> None:
    ran = stage.deliver("--signing-key", str(tmp_path / "nothing"))
    assert ran.code == ConfigError.code
    assert stage.log() == ["Begin"]
