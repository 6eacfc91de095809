"""Behind a company's proxy, with certificates of its own authority: jobs reach GitLab, by its API and by git."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.certificates import trusted_certificates
from headgate.errors import ConfigError
from support.acme import PREVIEW, jobs_path, make_acme
from support.certificates import authority, server_context
from support.gitlab import serve_gitlab
from support.gitlab.mergeside import open_request
from support.gitlab.pipelines import on_merge_request
from support.gitlab.state import Variable
from support.proxy import serve_proxy
from support.registry import Registry

HOST = "gitlab.company.example"  # nobody but the proxy knows it
READ = ("REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "SSL_CERT_FILE")


@pytest.mark.long
@pytest.mark.parametrize("setup", ["direct", "token"])
def test_a_hand_off_and_a_preview_go_by_the_proxy(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, setup: str
) -> None:
    certificate = server_context(tmp_path, HOST)
    ca_file = str(authority(tmp_path))
    with (
        serve_proxy() as proxy,
        serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path), certificate, HOST, ca_file) as gitlab,
    ):
        monkeypatch.setenv("GIT_SSL_CAINFO", ca_file)  # for people's own pushes
        monkeypatch.setenv("https_proxy", proxy.url)
        acme = make_acme(gitlab, registry, tmp_path, setup=setup, own_config=True)
        for project in (acme.manifests, acme.shop):
            project.variables["HTTPS_PROXY"] = Variable(proxy.url, masked=False)
        if setup == "token":
            trigger = gitlab.trigger_token(acme.manifests, acme.bot)
            acme.shop.variables["HEADGATE_TRIGGER_TOKEN"] = Variable(trigger)
            acme.manifests.allowlist.add("acme/shop")
            ci = gitlab.show(acme.shop, ".gitlab-ci.yml") + "\n      transport: token\n"
            gitlab.push(acme.shop, {".gitlab-ci.yml": ci}, user=acme.dana, message="By token [skip ci]")
        proxy.asked.clear()
        commit = acme.build()
        (ran,) = acme.hydrations()
        assert ran.status == "success", ran.log
        assert f"{acme.image}:{commit[:8]}@sha256:" in acme.deployed()
        assert set(proxy.asked) == {f"CONNECT {gitlab.url.removeprefix('https://')}"}
        if setup == "token":
            return
        acme.manifests.allowlist.add("acme/shop")
        acme.shop.variables["HEADGATE_BRANCH_TOKEN"] = Variable(gitlab.token(acme.dana, "api"))
        ci = gitlab.show(acme.shop, ".gitlab-ci.yml") + PREVIEW
        own = gitlab.show(acme.shop, "deploy/shop.yaml").replace("spec:\n", "spec:\n  replicas: 5\n", 1)
        changed: dict[str, str | None] = {".gitlab-ci.yml": ci, "deploy/shop.yaml": own}
        gitlab.push(acme.shop, changed, user=acme.dana, branch="more")
        request = open_request(gitlab, acme.shop, "more", acme.dana, title="More")
        made = on_merge_request(gitlab, request, acme.dana)
        gitlab.settle()
        assert made.status == "success", made.errors or made.log
        assert "replicas" in next(note.body for note in request.notes if not note.system)


class TestTrustedCertificates:
    @pytest.fixture(autouse=True)
    def _none_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in READ:
            monkeypatch.delenv(name, raising=False)

    @staticmethod
    def named() -> set[str | None]:
        return {os.environ.get(name) for name in READ}

    @pytest.mark.parametrize("name", READ)
    def test_what_one_program_is_told_all_trust(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "own.pem").write_text("own\n")
        with trusted_certificates({name: str(tmp_path / "own.pem")}):
            assert self.named() == {str(tmp_path / "own.pem")}
        assert self.named() == {None}

    def test_that_of_gitlab_comes_beside_the_systems(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "system.pem").write_text("system\n")
        (tmp_path / "gitlab.pem").write_text("gitlab\n")
        monkeypatch.setattr("headgate.certificates._SYSTEM", tmp_path / "system.pem")
        with trusted_certificates({"CI_SERVER_TLS_CA_FILE": str(tmp_path / "gitlab.pem")}):
            (file,) = self.named()
            assert file is not None
            assert Path(file).read_text() == "system\n\ngitlab\n"
        assert not Path(file).exists()

    def test_without_any_it_is_the_systems(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "system.pem").write_text("system\n")
        monkeypatch.setattr("headgate.certificates._SYSTEM", tmp_path / "system.pem")
        with trusted_certificates({}):
            assert self.named() == {str(tmp_path / "system.pem")}
        monkeypatch.setattr("headgate.certificates._SYSTEM", tmp_path / "absent.pem")
        with trusted_certificates({}):
            assert self.named() == {None}

    @pytest.mark.parametrize("name", [*READ, "CI_SERVER_TLS_CA_FILE"])
    def test_a_file_that_is_not_there_is_said(self, tmp_path: Path, name: str) -> None:
        with (
            pytest.raises(ConfigError, match=f"{name}: cannot read .*absent.pem"),
            trusted_certificates({name: str(tmp_path / "absent.pem")}),
        ):
            pass
