"""``headgate init --apply`` and ``doctor --fix``: what the steps say is set by API, once, and said."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate import __version__
from headgate.scaffolding import SETUPS
from support.acme import MAJOR, ROOT, jobs_path
from support.cli import Ran, headgate
from support.gitlab import Double, serve_gitlab
from support.gitlab.state import DEVELOPER, MAINTAINER, OWNER, REPORTER, Group, Project, User, Variable
from support.inprocess import in_process
from support.manifests import make_empty
from support.registry import Registry, push_image

Make = Callable[[str], "NewPlace"]
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(kw_only=True)
class NewPlace:
    """A GitLab with nothing set: an empty manifest project, an app, and people."""

    gitlab: Double
    registry: Registry
    folder: Path
    setup: str
    max: User
    dana: User
    bot: User
    manifests: Project
    shop: Project
    secrets: list[str]

    @property
    def image(self) -> str:
        """The app's image."""
        return f"{self.registry.host}/acme/shop"

    @property
    def checkout(self) -> Path:
        """Where the manifest repository is written."""
        return self.folder / "checkout"

    def init(self, *args: str) -> Ran:
        """Run ``headgate init --apply``."""
        return headgate(
            *("init", str(self.checkout), "--server", self.gitlab.url, "--project", "acme/manifests", "--apply"),
            *("--setup", self.setup, "--app-project", "acme/shop", "--image", self.image),
            *("--registry", self.registry.host, "--token-env", "APPLY_TOKEN", *args),
        )

    def doctor(self, *args: str) -> Ran:
        """Run the doctor in the checkout."""
        where = ("--manifests", str(self.checkout), "--setup", self.setup, "--token-env", "APPLY_TOKEN")
        return headgate("doctor", *where, *args)

    def wrong(self) -> list[str]:
        """Return what the doctor finds wrong."""
        found = json.loads(self.doctor("--json").out)["findings"]
        return [f"{one['check']}: {one['project']}: {one['told']}" for one in found if one["state"] == "wrong"]

    def written(self) -> list[str]:
        """Return the requests that wrote something, and forget all."""
        found = [
            f"{one.method} {one.path} {one.status}"
            for one in self.gitlab.requests
            if one.method in WRITES and ".git/" not in one.path
        ]
        self.gitlab.requests.clear()
        return found

    def project(self, path: str) -> Project:
        """Return a project."""
        found = self.gitlab.find_project(path)
        assert found is not None
        return found

    def people_do_their_part(self) -> None:
        """Push what was written, and give roles: what is left in the steps."""
        files = {
            str(one.relative_to(self.checkout)): one.read_text() for one in self.checkout.rglob("*") if one.is_file()
        }
        self.gitlab.push(self.manifests, dict(files), user=self.max, message="Begin")
        make_empty(self.checkout)
        self.manifests.members[self.dana.id] = DEVELOPER if self.setup == "direct" else REPORTER
        if self.setup == "intake":
            self.project("acme/manifests-intake").members[self.dana.id] = DEVELOPER

    def hand_off(self, lines: str) -> str:
        """Push the app with the lines that ``init`` printed for its CI file; return the deployed YAML."""
        ci = {".gitlab-ci.yml": lines.replace("/deliver@" + __version__.partition(".")[0], f"/deliver@{MAJOR}")}
        commit = self.gitlab.push(self.shop, dict(ci), user=self.dana)
        push_image(self.registry, "acme/shop", commit[:8], labels={})
        with in_process(self.gitlab):
            self.gitlab.settle()
        logs = "\n".join(one.log for project in self.gitlab.projects for one in project.pipelines)
        assert "error" not in logs, logs
        shown = self.gitlab.show(self.manifests, "deploy/dev/shop/deployment.apps-shop.yaml")
        assert f"{self.image}:{commit[:8]}@sha256:" in shown, logs
        return logs


@pytest.fixture
def make(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    with contextlib.ExitStack() as stack:

        def made(setup: str) -> NewPlace:
            gitlab = stack.enter_context(serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)))
            gitlab.registry = registry.host
            maxi, dana, bot = (gitlab.user(name) for name in ("max", "dana", "headgate-bot"))
            gitlab.groups.append(Group("acme", maxi))
            components = gitlab.project("headgate/headgate", {maxi: MAINTAINER}, visibility="public")
            texts = {f"templates/{one.name}": one.read_text() for one in (ROOT / "templates").glob("*.yml")}
            gitlab.push(components, dict(texts), user=maxi, message="Components", tag=__version__)
            components.releases.append(__version__)
            manifests = gitlab.project("acme/manifests", {maxi: OWNER}, variables_role="developer")
            shop = gitlab.project("acme/shop", {maxi: MAINTAINER, dana: DEVELOPER})
            shop.protected_branches["main"].push = shop.protected_branches["main"].merge = DEVELOPER
            secrets = [gitlab.token(maxi, "api")]
            monkeypatch.setenv("APPLY_TOKEN", secrets[0])
            if setup == "token":
                secrets.append(gitlab.token(bot, "api"))
                monkeypatch.setenv("HEADGATE_BOT_TOKEN", secrets[1])
            return NewPlace(
                gitlab=gitlab,
                registry=registry,
                folder=tmp_path,
                setup=setup,
                max=maxi,
                dana=dana,
                bot=bot,
                manifests=manifests,
                shop=shop,
                secrets=secrets,
            )

        yield made


@pytest.mark.long
@pytest.mark.parametrize("setup", SETUPS)
def test_a_hand_off_goes_through_after_it(make: Make, setup: str) -> None:
    place = make(setup)
    ran = place.init()
    assert ran.code == 0, ran.out + ran.err
    first = place.written()
    assert first
    assert all(entry.endswith((" 200", " 201", " 204")) for entry in first)
    lines = "include:\n" + ran.out.partition("\ninclude:\n")[2].partition("\nTo set in GitLab")[0]
    place.people_do_their_part()
    logs = place.hand_off(lines)
    assert place.wrong() == []
    assert json.loads(place.doctor("--json").out)["hand_offs"] == "ok"
    place.written()
    again = place.init()
    assert "GitLab has all settings." in again.out
    assert place.written() == []
    every = [*(token.value for token in place.gitlab.tokens), *place.manifests.trigger_tokens]
    texts = [ran.out, ran.err, again.out, logs, *(one.path for one in place.gitlab.requests)]
    texts += [file.read_text() for file in place.checkout.rglob("*") if file.is_file() and ".git" not in file.parts]
    assert not [secret for secret in every for text in texts if secret in text]


def test_only_what_people_have_to_do_is_left_in_the_steps(make: Make) -> None:
    place = make("direct")
    ran = place.init()
    assert ran.code == 0, ran.out
    left = ran.out.partition("Left to do by hand:")[2]
    assert "Settings >" not in left
    assert "Manage > Members: whoever runs pipelines of the apps, as Developer" in left
    assert "Commit, and push to the default branch of acme/manifests" in left
    token = place.manifests.variables["HEADGATE_TOKEN"]
    assert (token.hidden, token.masked, token.protected) == (True, True, True)
    assert "made the access token 'headgate', the bot's, which expires on 2027-11-01" in " ".join(ran.out.split())


def test_a_branch_is_protected_all_the_time_while_its_rule_is_made_anew(make: Make) -> None:
    place = make("direct")
    place.init()
    found = [entry for entry in place.written() if "protected_branches" in entry]
    at = "/api/v4/projects/acme/manifests/protected_branches"
    assert found == [f"POST {at} 201", f"DELETE {at}/main 204", f"POST {at} 201", f"DELETE {at}/main* 204"]
    assert list(place.manifests.protected_branches) == ["main"]


def test_what_would_be_set_is_shown_and_nothing_written(make: Make) -> None:
    place = make("intake")
    ran = place.init("--preview")
    assert (ran.code, place.written(), place.checkout.exists()) == (0, [], False)
    assert "would write headgate.yaml" in ran.out
    shown = " ".join(ran.out.partition("\n1. ")[0].split())
    assert "would set acme/manifests-intake: Create the project acme/manifests-intake" in shown
    assert "would set acme/shop: Settings > CI/CD > Job token permissions" in shown
    assert "Settings > CI/CD > Job token permissions" in ran.out.partition("\n1. ")[2]


def test_what_the_token_may_not_write_is_left_with_who_may(make: Make) -> None:
    place = make("direct")
    place.shop.members[place.max.id] = DEVELOPER
    ran = place.init()
    shown = " ".join(ran.out.split())
    assert ran.code == 1
    assert "left acme/shop: Settings > CI/CD > Job token permissions" in shown
    assert "GitLab does not show it to APPLY_TOKEN: a Maintainer of acme/shop sees it" in shown
    assert "'CI/CD job token allowlist': add acme/manifests" in shown.partition("Left to do by hand:")[2]
    assert place.manifests.variables_role == "no_one_allowed"
    place.shop.members[place.max.id] = MAINTAINER
    assert place.init().code == 0
    assert "acme/manifests" in place.shop.allowlist


def test_a_setting_that_is_refused_is_told_and_the_others_are_written(make: Make) -> None:
    place = make("direct")
    place.gitlab.fail("POST", "/access_tokens$", 403)
    ran = place.init()
    shown = " ".join(ran.out.split())
    assert ran.code == 1
    assert "GitLab answered 403 to POST /projects/acme%2Fmanifests/access_tokens (with APPLY_TOKEN)" in shown
    assert "a Maintainer of acme/manifests may, by a token with the scope api" in shown
    assert place.manifests.job_token_push
    assert len(place.manifests.schedules) == 1


def test_no_second_bot_is_made_where_its_token_is_there_and_hidden(make: Make) -> None:
    place = make("intake")
    place.manifests.variables["HEADGATE_TOKEN"] = Variable("glpat-somebody-else", protected=True, hidden=True)
    ran = place.init()
    assert ran.code == 1
    assert "put it into the variable HEADGATE_BOT_TOKEN, and run this again" in " ".join(ran.out.split())
    assert not [entry for entry in place.written() if "access_tokens" in entry]
    assert "HEADGATE_TOKEN" not in place.project("acme/manifests-intake").variables


@pytest.mark.long
def test_the_doctor_fixes_what_moved(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make("direct")
    place.gitlab.judge = lambda _request, _answer: []  # other tests make the same exchanges
    place.init()
    place.people_do_their_part()
    assert place.wrong() == []
    place.manifests.variables_role = "developer"
    place.manifests.is_allowlist_on = False
    place.manifests.variables["HEADGATE_TOKEN"].protected = False
    place.shop.allowlist.clear()
    assert len(place.wrong()) == 4
    place.written()
    preview = place.doctor("--fix", "--preview")
    assert (preview.code, preview.out.count("would set"), place.written()) == (1, 4, [])
    fixed = place.doctor("--fix")
    assert (fixed.code, len(place.written())) == (0, 4)
    assert "every branch could read HEADGATE_TOKEN before: make a new token" in " ".join(fixed.out.split())
    assert place.wrong() == []
    assert place.doctor("--fix").code == 0
    assert place.written() == []
    unclear = headgate("doctor", "--manifests", str(place.checkout), "--token-env", "APPLY_TOKEN", "--fix")
    assert (unclear.code, "pass --setup" in unclear.err) == (10, True)
    monkeypatch.delenv("APPLY_TOKEN")
    nobody = place.doctor("--fix")
    assert (nobody.code, "the variable APPLY_TOKEN is not set" in nobody.err) == (10, True)
    assert "a token with the scope api" in nobody.err
