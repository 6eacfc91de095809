"""``headgate init``: what it writes works, and it takes nothing away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import __version__
from headgate.report.terminal import WIDTH
from headgate.scaffolding import SETUPS
from support.cli import Ran, headgate
from support.components import (
    CiFile,
    complaints,
    component,
    fill_in,
    header_complaints,
    read_ci,
    resolved,
    yamlfmt,
)
from support.manifests import git, make_empty

COMMIT = "3f" * 20
VARIABLES = {"CI_COMMIT_SHORT_SHA": COMMIT[:8], "CI_COMMIT_SHA": COMMIT, "CI_PROJECT_ID": "7"}
HANDOFF = f"headgate/1 project=7 commit={COMMIT} images=registry.example.com/acme/shop:{COMMIT[:8]}"


def init(folder: Path, setup: str, *args: str, project: str = "acme/manifests") -> Ran:
    """Run ``headgate init`` in a folder."""
    return headgate(
        *("init", str(folder), "--server", "https://gitlab.example.com", "--project", project),
        *("--setup", setup, *args),
    )


def files(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder by their paths."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def ci_files(folder: Path) -> dict[str, CiFile]:
    """Return the CI files of a folder, taken apart."""
    return {path.name: read_ci(path.read_text()) for path in sorted(folder.glob("*gitlab-ci.yml"))}


def snippet(ran: Ran) -> str:
    """Return the lines for an app's repository that were printed."""
    return ran.out.partition("\ninclude:\n")[2].partition("\nTo do in GitLab")[0].rstrip()


def included(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the component that a CI file includes, by its name, and the inputs that it gets."""
    (one,) = document["include"]
    address, _, version = one["component"].partition("@")
    project, _, name = address.rpartition("/")
    assert project == "$CI_SERVER_FQDN/headgate/headgate"
    # Another version of an engine is a change to review where it changes the final YAML, and nowhere else.
    assert version == (__version__ if name == "hydrate" else __version__.partition(".")[0])
    return name, one["inputs"]


@pytest.fixture(params=SETUPS)
def setup(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_it_writes_hydrates(tmp_path: Path, setup: str) -> None:
    make_empty(tmp_path)
    assert init(tmp_path, setup).code == 0
    done = headgate("hydrate", "--manifests", str(tmp_path), "--check")
    assert (done.code, done.err) == (0, "")
    assert "2 waiting for a hand-off" in done.out


@pytest.mark.long
def test_the_first_hand_off_lands(tmp_path: Path, setup: str) -> None:
    make_empty(tmp_path)
    init(tmp_path, setup)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    app = tmp_path.parent / f"{tmp_path.name}-app"
    app.mkdir()
    make_empty(app)
    git(app, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    commit = git(app, "rev-parse", "HEAD")
    done = headgate(
        *("deliver", "--manifests", str(tmp_path), "--project", "acme/shop", "--commit", commit, "--source", str(app)),
        *("--image", f"registry.example.com/acme/shop:1.0@sha256:{'1' * 64}"),
    )
    assert done.code == 0, done.err
    deployment = git(tmp_path, "show", "main:deploy/dev/shop/deployment.apps-shop.yaml")
    assert f"registry.example.com/acme/shop:1.0@sha256:{'1' * 64}" in deployment


def test_its_ci_files_pass_gitlabs_schema(tmp_path: Path, setup: str) -> None:
    init(tmp_path, setup)
    found = ci_files(tmp_path)
    assert list(found) == [".gitlab-ci.yml", *(["intake.gitlab-ci.yml"] if setup == "intake" else [])]
    for file in found.values():
        assert header_complaints(file.spec) == []
        for given in ({}, {"handoff": HANDOFF}, {"action": "roll-back", "environment": "production", "to": "2"}):
            assert complaints(fill_in(file, given, {}, VARIABLES)) == []


def test_yamlfmt_has_nothing_to_change(tmp_path: Path, setup: str) -> None:
    init(tmp_path, setup)
    written = [path for path in tmp_path.rglob("*.y*ml") if "templates" not in path.parts]
    done = yamlfmt(*written)
    assert done.returncode == 0, done.stderr


def test_the_form_asks_what_the_component_takes(tmp_path: Path, setup: str) -> None:
    init(tmp_path, setup)
    expected = component("hydrate").inputs
    for file in ci_files(tmp_path).values():
        assert list(file.inputs) == ["handoff", "action", "app", "environment", "from", "to", "reason"]
        for name, declared in file.inputs.items():
            if name in ("environment", "from"):
                assert declared["options"] == ["", "dev", "production"]
            else:
                same = ("default", "regex", "options", "type")
                assert {key: declared.get(key) for key in same} == {key: expected[name].get(key) for key in same}


def test_a_hand_off_reaches_the_job_from_the_apps_lines_on(tmp_path: Path, setup: str) -> None:
    ran = init(tmp_path, setup)
    name, given = included(yaml.safe_load(f"include:\n{snippet(ran)}"))
    assert name == "deliver"
    (sent,) = resolved(fill_in(component("deliver"), given, {"sha": "c0" * 20}, VARIABLES)).values()
    if setup == "token":
        assert sent["variables"]["HEADGATE_MANIFESTS"] == "acme/manifests"
        handoff = HANDOFF
    else:
        assert sent["trigger"]["project"] == {"direct": "acme/manifests", "intake": "acme/manifests-intake"}[setup]
        handoff = sent["trigger"]["inputs"]["handoff"]
    file = ci_files(tmp_path)["intake.gitlab-ci.yml" if setup == "intake" else ".gitlab-ci.yml"]
    name, given = included(fill_in(file, {"handoff": handoff}, {}, {}))
    assert name == "hydrate"
    job = fill_in(component("hydrate"), given, {"sha": "c0" * 20}, {})["hydrate"]
    assert job["variables"]["HEADGATE_HANDOFF"] == HANDOFF
    assert job["variables"]["HEADGATE_MANIFESTS"] == "acme/manifests"
    assert job["variables"]["HEADGATE_SERVER"] == "https://gitlab.example.com"


def test_the_apps_lines_are_five(tmp_path: Path) -> None:
    for name in ("direct", "intake"):
        assert len(snippet(init(tmp_path / name, name)).splitlines()) + 1 == 5


@pytest.mark.parametrize("setup", SETUPS)
def test_the_steps_are_as_wide_as_a_terminal(tmp_path: Path, setup: str) -> None:
    out = init(tmp_path, setup, "--flux").out.partition("To do in GitLab")[2]
    assert out
    assert [line for line in out.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("setup", ["direct", "intake", "token"])
def test_it_says_every_setting_by_its_name(tmp_path: Path, setup: str) -> None:
    out = " ".join(init(tmp_path, setup).out.split())
    assert "__" not in out
    for words in (
        "'Minimum role to use pipeline variables': No one allowed",
        "Protected branches",
        "'CI/CD job token allowlist'",
        "Build > Pipeline schedules",
        "'Masked and hidden'",
        f"headgate doctor --setup {setup}",
    ):
        assert words in out
    assert ("'Allow Git push requests to the repository': on" in out) == (setup == "direct")
    assert ("intake.gitlab-ci.yml@acme/manifests" in out) == (setup == "intake")
    assert ("HEADGATE_TRIGGER_TOKEN" in out) == (setup == "token")


def test_again_it_changes_nothing(tmp_path: Path, setup: str) -> None:
    init(tmp_path, setup)
    before = files(tmp_path)
    ran = init(tmp_path, setup, "--environment", "staging:commit", "--version", "2")
    assert ran.code == 0
    assert files(tmp_path) == before
    assert {line.split()[-1] for line in ran.out.splitlines() if line.startswith("left alone")} == set(before)
    assert "wrote" not in ran.out


def test_a_headgate_yaml_that_is_there_says_which_environments_the_form_offers(tmp_path: Path) -> None:
    text = 'version: 1\nenvironments:\n  test: {delivery: commit}\n  "live": {delivery: review}\n'
    (tmp_path / "headgate.yaml").write_text(text)
    assert init(tmp_path, "direct").code == 0
    assert (tmp_path / "headgate.yaml").read_text() == text
    assert ci_files(tmp_path)[".gitlab-ci.yml"].inputs["environment"]["options"] == ["", "test", "live"]


def test_a_repository_with_apps_gets_no_example(tmp_path: Path) -> None:
    (tmp_path / "apps/team/mail").mkdir(parents=True)
    (tmp_path / "apps/team/mail/app.yaml").write_text("template: worker\n")
    init(tmp_path, "direct")
    written = {path for path in files(tmp_path) if not path.startswith(".headgate/")}
    assert written == {"apps/team/mail/app.yaml", "headgate.yaml", ".gitlab-ci.yml"}
    init(tmp_path, "direct", "--app", "cart")
    assert "apps/cart/app.yaml" in files(tmp_path)


@pytest.mark.parametrize(
    ("project", "name", "image"),
    [
        ("Acme/Shop", "shop", "registry.example.com/acme/shop"),
        ("acme/My_App.Service", "my-app-service", "registry.example.com/acme/my_app.service"),
    ],
)
def test_a_project_with_capitals_has_an_app_and_an_image_without(
    tmp_path: Path, project: str, name: str, image: str
) -> None:
    ran = init(tmp_path, "direct", "--app-project", project)
    assert ran.code == 0, ran.err
    app = yaml.safe_load((tmp_path / f"apps/{name}/app.yaml").read_text())
    assert (app["project"], app["images"]) == (project, {name: image})


def test_what_is_told_is_written(tmp_path: Path) -> None:
    ran = init(
        *(tmp_path, "intake", "--environment", "test:review", "--environment", "live:review", "--version", "1.2.3"),
        *("--app", "cart", "--app-project", "other/carts", "--image", "images.example.com/carts/cart"),
        *("--registry", "images.example.com", "--intake", "acme/door", "--component", "tools/headgate"),
    )
    assert ran.code == 0, ran.err
    settings = yaml.safe_load((tmp_path / "headgate.yaml").read_text())
    assert settings["gitlab"] == {
        "url": "https://gitlab.example.com",
        "project": "acme/manifests",
        "registry": "images.example.com",
    }
    assert {name: (one["takes"], one["delivery"]) for name, one in settings["environments"].items()} == {
        "test": ({"branch": "main"}, "review"),
        "live": ({"promotion": "test"}, "review"),
    }
    app = yaml.safe_load((tmp_path / "apps/cart/app.yaml").read_text())
    assert (app["project"], app["images"]) == ("other/carts", {"cart": "images.example.com/carts/cart"})
    body = ci_files(tmp_path)["intake.gitlab-ci.yml"].body
    assert body["include"][0]["component"] == "$CI_SERVER_FQDN/tools/headgate/hydrate@1.2.3"
    assert body["include"][0]["inputs"]["image"] == "$CI_REGISTRY/tools/headgate"
    assert "manifests: acme/door" in snippet(ran)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--environment", "dev"), "expected NAME:commit or NAME:review"),
        (("--environment", "dev:later"), "expected NAME:commit or NAME:review"),
        (("--environment", "Dev:commit"), "a name of at most 63 characters"),
        (("--version", "main"), "the version is 'main'"),
        (("--component", "headgate"), "the component is 'headgate'"),
        (("--intake", "acme/a\nb"), "the intake is"),
        (("--app-project", "shop"), "the app's project (--app-project) is 'shop'"),
        (("--image", "shop:1.0"), "without tag"),
        (("--app", "Shop"), "Shop"),
        (("--registry", "https://registry.example.com"), "a host such as"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, args: tuple[str, ...], words: str
) -> None:
    ran = init(tmp_path / "new", "direct", *args)
    assert ran.code == 10, ran.out
    assert words in ran.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("server", "project", "words"),
    [
        ("gitlab.example.com", "acme/manifests", "the server (--server) is 'gitlab.example.com', expected an address"),
        ("https://gitlab.example.com", "manifests", "the project (--project) is 'manifests', expected the path"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_given(tmp_path: Path, server: str, project: str, words: str) -> None:
    ran = headgate("init", str(tmp_path / "new"), "--server", server, "--project", project, "--setup", "direct")
    assert ran.code == 10
    assert words in " ".join(ran.err.split())


def test_another_app_gets_what_is_new_only(tmp_path: Path, setup: str) -> None:
    first = init(tmp_path, setup)
    second = init(tmp_path, setup, "--app", "api", "--app-project", "acme/api")
    assert "wrote       apps/api/app.yaml" in second.out
    assert "acme/api" in second.out
    told = second.out.partition("To do in GitLab")[2]
    assert "Protected branches" in first.out
    assert "Protected branches" not in told
    assert "Pipeline schedules" not in told
    assert f"headgate doctor --setup {setup}" in told


def test_more_environments_than_a_form_has_options(tmp_path: Path) -> None:
    names = [f"e{number}" for number in range(60)]
    given = [word for name in names for word in ("--environment", f"{name}:commit")]
    assert init(tmp_path, "direct", *given).code == 0
    inputs = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text().partition("---")[0])["spec"]["inputs"]
    for one in ("environment", "from"):
        assert "options" not in inputs[one]
        assert re.fullmatch(inputs[one]["regex"], "e59")


def test_there_are_three_set_ups(tmp_path: Path) -> None:
    ran = init(tmp_path, "indirect")
    assert (ran.code, list(tmp_path.iterdir())) == (10, [])
    assert "expected one of: direct, intake, token" in ran.err


def test_a_project_that_yaml_would_take_for_something_else(tmp_path: Path) -> None:
    assert init(tmp_path, "direct", project="1/2").code == 0
    assert yaml.safe_load((tmp_path / "headgate.yaml").read_text())["gitlab"]["project"] == "1/2"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/apps").symlink_to(outside)
    ran = init(tmp_path / "repo", "direct")
    assert ran.code == 14
    assert list(outside.iterdir()) == []


def test_flux_objects_for_each_environment(tmp_path: Path) -> None:
    ran = init(tmp_path, "token", "--flux")
    assert ran.code == 0, ran.err
    settings = yaml.safe_load((tmp_path / "headgate.yaml").read_text())
    flux = {"fetch_interval": "1m", "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}
    assert settings["clusters"] == {name: {"flux": flux} for name in settings["environments"]}
    shown = " ".join(ran.out.split())
    assert "--hostname=gitlab.example.com --owner=acme --repository=manifests" in shown
    git(tmp_path, "init", "--quiet")
    assert headgate("status", "--manifests", str(commit_all(tmp_path))).code == 0


def commit_all(folder: Path) -> Path:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def test_flux_for_a_repository_that_is_there_is_told(tmp_path: Path) -> None:
    init(tmp_path, "token")
    before = (tmp_path / "headgate.yaml").read_bytes()
    ran = init(tmp_path, "token", "--flux")
    assert (tmp_path / "headgate.yaml").read_bytes() == before
    section = "clusters:" + ran.out.partition("\nclusters:")[2].partition("\nFor Flux")[0]
    (tmp_path / "headgate.yaml").write_bytes(before + section.encode())
    assert list(yaml.safe_load((tmp_path / "headgate.yaml").read_text())["clusters"]) == ["dev", "production"]
    git(tmp_path, "init", "--quiet")
    assert headgate("status", "--manifests", str(commit_all(tmp_path))).code == 0


def test_no_flux_objects_unless_they_are_wanted(tmp_path: Path) -> None:
    ran = init(tmp_path, "token")
    assert "clusters" not in yaml.safe_load((tmp_path / "headgate.yaml").read_text())
    assert "flux bootstrap" not in ran.out


def test_code_owners_are_asked_about_what_headgate_does_not_push(tmp_path: Path) -> None:
    init(tmp_path, "intake", "--environment", "dev:commit", "--environment", "production:review")
    owned = [line for line in (tmp_path / "CODEOWNERS").read_text().splitlines() if not line.startswith("#")]
    paths = ["/apps/shop/app.yaml", "/apps/shop/values*.yaml", "/deploy/production/shop/"]
    assert owned == ["^[shop]", *(f"{path} @acme" for path in paths)]
    second = init(tmp_path, "intake", "--app", "api", "--owners", "@acme/api @dana")
    assert "Add to CODEOWNERS, which already exists:\n\n" in second.out
    assert "^[api]\n/apps/api/app.yaml @acme/api @dana\n" in second.out
    assert "[api]" not in (tmp_path / "CODEOWNERS").read_text()
    wrong = init(tmp_path / "other", "intake", "--owners", "acme")
    assert wrong.code == 10
    assert "the owners (--owners) is 'acme', expected users, groups or roles" in wrong.err
