"""``headgate app add``, ``environment add``, ``template add``: what people wrote stays, byte by byte."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest
import yaml

from headgate.scaffolding import SETUPS
from headgate.yamltext.insert import UnusualTextError, with_entry, with_item
from support.cli import headgate
from support.manifests import git, make_empty

SETTINGS = """\
# ours: do not reorder
version: 1
gitlab: {url: "https://gitlab.example.com", project: acme/manifests,   registry: registry.example.com}   # odd spaces

environments:
    dev:   # for everybody
        takes: {branch: 'main'}
        delivery: "commit"
        kubernetes: '1.34'

        # a word on dev
    production:
        takes: [{promotion: dev}, {tag: "v*", order: semver}]
        delivery: review     # people look
        kubernetes: "1.33"
        review:
            labels: [
                production,
            ]
# the end
commits: {message: 'Deploy {what}'}
"""


def files(folder: Path) -> dict[str, str]:
    """Return all files of a checkout."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def added(before: str, after: str) -> list[str]:
    """Return the lines that were added; every other line has to be as it was."""
    changes = list(difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True)))
    assert not [line for line in changes if line.startswith("- ")], "".join(changes)
    return [line[2:] for line in changes if line.startswith("+ ")]


@pytest.fixture(params=SETUPS)
def setup(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def manifests(tmp_path: Path, setup: str) -> Path:
    return begin(tmp_path / "manifests", setup)


def begin(folder: Path, setup: str, *args: str) -> Path:
    """Write a manifest repository as ``headgate init`` does, and commit it."""
    server = ("--server", "https://gitlab.example.com", "--project", "acme/manifests")
    ran = headgate("init", str(folder), *server, "--setup", setup, *args)
    assert ran.code == 0, ran.err
    make_empty(folder)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit all."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")


def test_an_app_is_added_and_handed_off(manifests: Path, setup: str, tmp_path: Path) -> None:
    before = files(manifests)
    ran = headgate("app", "add", "cart", "--app-project", "acme/cart", "--manifests", str(manifests))
    assert ran.code == 0, ran.err
    after = files(manifests)
    assert {path for path in after if before.get(path) != after[path]} == {"apps/cart/app.yaml", "CODEOWNERS"}
    assert after["CODEOWNERS"].startswith(before["CODEOWNERS"])
    assert "^[cart]\n/apps/cart/app.yaml @acme\n" in after["CODEOWNERS"]
    assert "images: registry.example.com/acme/cart:$CI_COMMIT_SHORT_SHA" in ran.out
    assert ("transport: token" in ran.out) == (setup == "token")
    steps = ran.out.partition("New steps in GitLab:")[2]
    assert "In acme/cart:" in steps
    assert "Protected branches" not in steps
    assert "Pipeline schedules" not in steps
    commit(manifests)
    app = tmp_path / "app"
    app.mkdir()
    make_empty(app)
    git(app, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    done = headgate(
        *("deliver", "--manifests", str(manifests), "--project", "acme/cart", "--source", str(app)),
        *("--commit", git(app, "rev-parse", "HEAD"), "--image", f"registry.example.com/acme/cart:1@sha256:{'1' * 64}"),
    )
    assert done.code == 0, done.err
    assert "acme/cart:1@sha256:" in git(manifests, "show", "main:deploy/dev/cart/deployment.apps-cart.yaml")


@pytest.mark.long
def test_an_environment_is_added_between_two_and_taken(manifests: Path, tmp_path: Path) -> None:
    (manifests / "headgate.yaml").write_text(SETTINGS)
    (manifests / "apps/shop/app.yaml").write_text(
        "project: acme/shop\nimages: {shop: registry.example.com/acme/shop}\ntemplate: web\n"
        "environments: [ dev , production ]   # all\n"
    )
    commit(manifests)
    before = files(manifests)
    ran = headgate(
        *("environment", "add", "staging", "--delivery", "commit", "--after", "dev", "--takes", "branch:main"),
        *("--app", "shop", "--manifests", str(manifests)),
    )
    assert ran.code == 0, ran.err
    after = files(manifests)
    assert added(before["headgate.yaml"], after["headgate.yaml"]) == [
        "    staging:\n",
        "      takes: {branch: main}\n",
        "      delivery: commit\n",
        '      kubernetes: "1.34"\n',
    ]
    assert list(yaml.safe_load(after["headgate.yaml"])["environments"]) == ["dev", "staging", "production"]
    assert "        kubernetes: '1.34'\n    staging:" in after["headgate.yaml"]
    assert "environments: [ dev, staging , production ]   # all\n" in after["apps/shop/app.yaml"]
    for path in (".gitlab-ci.yml", "intake.gitlab-ci.yml"):
        if path in before:
            assert after[path].replace(", staging", "").replace('"staging", ', "") == before[path]
            inputs = yaml.safe_load(after[path].partition("---")[0])["spec"]["inputs"]
            assert inputs["environment"]["options"] == ["", "dev", "staging", "production"]
            assert inputs["from"]["options"] == ["", "dev", "staging", "production"]
    assert "Nothing." in ran.out
    assert headgate("hydrate", "--manifests", str(manifests), "--check").code == 0
    commit(manifests)
    done = headgate(
        *("deliver", "--manifests", str(manifests), "--project", "acme/shop", "--commit", "1" * 40),
        *("--image", f"registry.example.com/acme/shop:1@sha256:{'1' * 64}"),
    )
    assert done.code == 0, done.err
    assert git(manifests, "show", "main:deploy/staging/shop/deployment.apps-shop.yaml")


OWNERS = """\
# ours
* @acme/platform

[Shop][2] @acme/leads
/apps/shop/app.yaml
/deploy/production/shop/ @ada # more of it is ours
# the end of shop

^[cart]
/apps/team/cart/app.yaml @acme/cart @dana
/deploy/production/cart/ @acme/cart

[mail]
/apps/mail/values.yaml @acme"""


def test_what_is_reviewed_has_code_owners_as_init_writes_them(tmp_path: Path) -> None:
    deliveries = ("--environment", "dev:commit", "--environment", "qa:review")
    whole = begin(tmp_path / "whole", "direct", *deliveries)
    grown = begin(tmp_path / "grown", "direct", *deliveries[:2])
    args = ("environment", "add", "qa", "--delivery", "review", "--manifests", str(grown))
    before = files(grown)
    assert headgate(*args, "--dry-run").code == 0
    assert files(grown) == before
    ran = headgate(*args)
    assert (ran.code, "No section of" in ran.out) == (0, False), ran.err
    assert files(grown)["CODEOWNERS"] == files(whole)["CODEOWNERS"]
    assert files(grown)["CODEOWNERS"] != before["CODEOWNERS"]


def test_owners_are_those_of_each_apps_section_and_the_rest_stays(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests", "direct")
    (folder / "CODEOWNERS").unlink()
    (folder / ".gitlab").mkdir()
    (folder / ".gitlab/CODEOWNERS").write_text(OWNERS)
    app = (folder / "apps/shop/app.yaml").read_text()
    for name in ("team/cart", "mail", "only-dev"):
        (folder / "apps" / name).mkdir(parents=True)
        more = "environments: [dev]\n" if name == "only-dev" else ""
        (folder / "apps" / name / "app.yaml").write_text(f"{app}\n{more}")
    ran = headgate("environment", "add", "qa", "--delivery", "review", "--manifests", str(folder))
    assert ran.code == 0, ran.err
    after = (folder / ".gitlab/CODEOWNERS").read_text()
    assert added(OWNERS, after) == ["/deploy/qa/shop/\n", "/deploy/qa/cart/ @acme/cart @dana\n"]
    assert "is ours\n/deploy/qa/shop/\n# the end" in after
    assert "No section of .gitlab/CODEOWNERS names the app.yaml of: mail\n" in ran.out
    assert not (folder / "CODEOWNERS").exists()
    ran = headgate(
        *("environment", "add", "free", "--delivery", "commit", "--takes", "branch:main", "--manifests", str(folder))
    )
    assert (ran.code, (folder / ".gitlab/CODEOWNERS").read_text()) == (0, after)


def test_what_an_environment_makes_necessary_in_gitlab_is_said(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests", "direct", "--environment", "dev:commit")
    ran = headgate(
        "environment", "add", "production", "--delivery", "review", "--takes", "tag:v*", "--manifests", str(folder)
    )
    assert ran.code == 0, ran.err
    steps = ran.out.partition("New steps in GitLab:")[2]
    assert "acme/manifests: Settings > CI/CD > Variables: HEADGATE_TOKEN" in steps
    assert "each app's project: Settings > Repository > Protected tags: add v*" in steps
    assert 'takes: {tag: "v*"}' in (folder / "headgate.yaml").read_text()


def test_a_cluster_is_added_with_its_flux_objects(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests", "token", "--flux")
    before = files(folder)["headgate.yaml"]
    args = ("--delivery", "commit", "--after", "dev", "--takes", "branch:main")
    ran = headgate("environment", "add", "staging", *args, "--manifests", str(folder))
    assert ran.code == 0, ran.err
    after = files(folder)["headgate.yaml"]
    assert added(before, after)
    settings = yaml.safe_load(after)
    assert list(settings["clusters"]) == ["dev", "staging", "production"]
    assert settings["clusters"]["staging"] == settings["clusters"]["dev"]
    assert "flux bootstrap gitlab" in ran.out
    commit(folder)
    done = headgate(
        *("deliver", "--manifests", str(folder), "--project", "acme/shop", "--commit", "1" * 40),
        *("--image", f"registry.example.com/acme/shop:1@sha256:{'1' * 64}"),
    )
    assert done.code == 0, done.err
    assert "deploy/staging/shop" in git(folder, "grep", "path:", "main", "--", "clusters/staging")


@pytest.mark.long
def test_a_template_is_added_and_rendered(manifests: Path) -> None:
    before = files(manifests)
    assert headgate("template", "add", "worker", "--manifests", str(manifests)).code == 0
    after = files(manifests)
    assert {path.split("/")[1] for path in after.keys() - before.keys()} == {"worker"}
    assert before == {path: text for path, text in after.items() if path in before}
    assert "\nname: worker\n" in after["templates/worker/Chart.yaml"]
    again = headgate("template", "add", "worker", "--manifests", str(manifests))
    assert (again.code, "template worker already exists" in again.err) == (38, True)
    ran = headgate(
        *("app", "add", "mail", "--app-project", "acme/mail", "--template", "worker", "--manifests", str(manifests))
    )
    assert ran.code == 0, ran.err
    assert "template: worker\n" in (manifests / "apps/mail/app.yaml").read_text()
    assert headgate("hydrate", "--manifests", str(manifests), "--check").code == 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("app", "add", "shop", "--app-project", "acme/x"), 38, "app shop already exists"),
        (("app", "add", "cart"), 38, "pass --app-project"),
        (("app", "add", "Cart", "--app-project", "acme/x"), 10, "Cart"),
        (("app", "add", "cart", "--app-project", "acme/x", "--template", "none"), 38, "there is no template none"),
        (("app", "add", "cart", "--app-project", "acme/x", "--environment", "moon"), 10, "moon"),
        (("environment", "add", "dev", "--delivery", "commit"), 38, "environment dev already exists"),
        (("environment", "add", "qa", "--delivery", "later"), 10, "later"),
        (("environment", "add", "qa", "--delivery", "commit", "--after", "moon"), 38, "there is no environment moon"),
        (("environment", "add", "qa", "--delivery", "commit", "--takes", "main"), 10, "expected promotion:ENV"),
        (("environment", "add", "qa", "--delivery", "commit", "--app", "moon"), 38, "there is no app moon"),
        (("template", "add"), 38, "pass its name"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_written(
    tmp_path: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    folder = begin(tmp_path / "manifests", "direct")
    before = files(folder)
    ran = headgate(*args, "--manifests", str(folder))
    assert (ran.code, words in ran.err) == (code, True), ran.err
    assert files(folder) == before


def test_what_would_be_added_is_shown(tmp_path: Path) -> None:
    folder = begin(tmp_path / "manifests", "direct")
    before = files(folder)
    ran = headgate("environment", "add", "qa", "--delivery", "commit", "--dry-run", "--manifests", str(folder))
    assert ran.code == 0
    assert "would write headgate.yaml" in ran.out
    assert files(folder) == before


@pytest.mark.parametrize(
    ("source", "after", "expected"),
    [
        ("a:\n  x: 1 # one\n\n# more\nb: 2\n", "", "a:\n  x: 1 # one\n  n: 0\n\n# more\nb: 2\n"),
        ("a:\n  x: 1\n  y:\n    - 1\n    - 2\nb: 2", "x", "a:\n  x: 1\n  n: 0\n  y:\n    - 1\n    - 2\nb: 2"),
        ("a: {x: 1, y: 2} # all\n", "x", "a: {x: 1, n: 0, y: 2} # all\n"),
        ("a: {}\n", "", "a: {n: 0}\n"),
        ("a:\n  x: |\n    text\n\n  # end\n", "", "a:\n  x: |\n    text\n  n: 0\n\n  # end\n"),
        ("a:\n  x:\n  y: 1\n", "x", "a:\n  x:\n  n: 0\n  y: 1\n"),
        ("a:\r\n  x: 1\r\n", "", "a:\r\n  x: 1\r\n  n: 0\r\n"),
        ("a:\n  x: 1", "", "a:\n  x: 1\n  n: 0\n"),
    ],
)
def test_an_entry_goes_where_it_belongs(source: str, after: str, expected: str) -> None:
    assert with_entry(source, ("a",), ("n: 0", "n: 0"), after=after) == expected
    assert yaml.safe_load(expected)["a"]["n"] == 0


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('o: ["", dev]\n---\no: [z]\n', 'o: ["", dev, qa]\n---\no: [z]\n'),
        ("o:\n  - dev # first\n  - prod\nx: 1\n", "o:\n  - dev # first\n  - qa\n  - prod\nx: 1\n"),
        ("o:\n- dev\n- prod\n", "o:\n- dev\n- qa\n- prod\n"),
        ("o: []\n", "o: [qa]\n"),
        ("o: [\n  dev,\n  prod,\n]\n", "o: [\n  dev, qa,\n  prod,\n]\n"),
    ],
)
def test_an_item_goes_where_it_belongs(source: str, expected: str) -> None:
    assert with_item(source, ("o",), "qa", after="dev") == expected


@pytest.mark.parametrize("source", ["a: 1\n", "b: {}\n", "a: [\n", "a: {x: 1}\na: {y: 1}\n", ""])
def test_what_is_unusual_is_left_to_people(source: str) -> None:
    with pytest.raises(UnusualTextError):
        with_entry(source, ("a",), ("n: 0", "n: 0"))


def test_the_program_asks_in_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = begin(tmp_path / "manifests", "direct")
    answers = iter(["qa", "commit"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda question, **_: next(answers))
    ran = headgate("environment", "add", "--manifests", str(folder))
    assert ran.code == 0, ran.err
    assert re.search(r"(?m)^  qa:$", (folder / "headgate.yaml").read_text())
