"""Promote, roll back, pin, freeze, remove, rehydrate, refresh: what each leaves in a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cli import headgate
from support.line import BRANCH, SHARED, TEMPLATE, Line, make_line
from support.manifests import DEPLOYMENT, ManifestRepository, git
from support.stage import IMAGE, write_app


@pytest.fixture
def line(tmp_path: Path, manifests: ManifestRepository) -> Line:
    """Both environments are delivered automatically."""
    return make_line(tmp_path, manifests)


@pytest.fixture
def reviewed(tmp_path: Path, manifests: ManifestRepository) -> Line:
    """Production is reviewed."""
    return make_line(tmp_path, manifests, delivery="review")


@pytest.fixture
def travelling(tmp_path: Path, manifests: ManifestRepository) -> Line:
    """Templates reach production with releases."""
    return make_line(tmp_path, manifests, templates="promote")


@pytest.fixture
def both(tmp_path: Path, manifests: ManifestRepository) -> Line:
    """Production takes main as dev does."""
    return make_line(tmp_path, manifests, takes="{branch: main}")


# Promote


def test_a_promotion_copies_the_release_and_hydrates(line: Line) -> None:
    commit = line.deliver(1)
    ran = line.promote()
    assert "pushed" in ran.out
    assert line.stage.log()[0] == "Promote web to production: as in dev"
    assert line.running("production") == "1"
    assert line.release("production")["images"] == line.release("dev")["images"]
    assert line.release("production")["newest"] == line.release("dev")["newest"]
    assert commit in str(line.release("production"))


@pytest.mark.long
def test_a_promotion_again_makes_no_commit(line: Line) -> None:
    line.deliver(1)
    line.promote()
    before = line.stage.log()
    assert "1 unchanged" in line.promote().out
    assert line.stage.log() == before


@pytest.mark.long
def test_values_of_the_new_environment_apply(tmp_path: Path, manifests: ManifestRepository) -> None:
    app = f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\nconfig: deploy\ngrant: [color]\n"
    line = make_line(tmp_path, manifests, app=app)
    text = (
        DEPLOYMENT + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: {{ values.color }}}\n"
    )
    line.change({"templates/web/web.yaml": None, "templates/web/web.yaml.j2": text})
    write_app(line.stage, {"deploy/values.yaml": "color: red\n", "deploy/values.production.yaml": "color: blue\n"})
    line.deliver(1)
    line.promote()
    assert "color: red" in line.stage.show("main", "deploy/dev/web/configmap-web.yaml")
    assert "color: blue" in line.stage.show("main", "deploy/production/web/configmap-web.yaml")


def test_a_promotion_that_nobody_configured_is_refused(line: Line) -> None:
    line.deliver(1)
    ran = line.run("promote", "web", "--from", "production", "--to", "dev", code=27)
    assert "web in dev takes no promotion from production" in ran.err


@pytest.mark.long
def test_a_reason_has_no_mark_that_turns_lines_or_their_direction(line: Line) -> None:
    line.deliver(1)
    for mark in ("\u2028", "\u202e", "\u200f", "\u2066", "\x85", "\ufeff", "\n"):
        for command in (["freeze", "dev"], ["pin", "web", "--environment", "dev"]):
            assert "expected one line" in line.run(*command, "--reason", f"a{mark}b", code=10).err, ascii(mark)


def test_nothing_to_promote_is_refused(line: Line) -> None:
    assert "web was never released in dev" in line.promote(27).err


@pytest.mark.long
def test_what_is_older_than_what_runs_is_refused(line: Line) -> None:
    line.deliver(1)
    line.deliver(2)
    line.promote()
    line.run("roll-back", "web", "--environment", "dev", "--reason", "broken")
    ran = line.promote(27)
    assert "'web': commit" in ran.err
    assert "which runs in production" in ran.err
    assert "--allow-older" in ran.err
    assert line.running("production") == "2"
    line.promote(0, "--allow-older")
    assert line.running("production") == "1"
    assert line.release("production")["newest"]["web"]["tag"] == "2"  # type: ignore[index]


def test_dev_that_was_edited_by_hand_is_not_promoted(line: Line) -> None:
    line.deliver(1)
    line.change({"deploy/dev/web/configmap-web.yaml": "by: hand\n"})
    assert "the YAML of web in dev does not match its release" in line.promote(27).err


@pytest.mark.long
def test_a_reviewed_promotion_is_a_proposal(reviewed: Line) -> None:
    reviewed.deliver(1)
    reviewed.promote()
    assert reviewed.branches() == [BRANCH]
    assert not reviewed.has("deploy/production")
    assert reviewed.running("production", BRANCH) == "1"
    reviewed.merge(BRANCH)
    assert reviewed.running("production") == "1"


# Roll back


@pytest.mark.long
def test_promote_then_roll_back_restores_the_bytes(line: Line) -> None:
    line.deliver(1)
    line.promote()
    before = line.files()
    line.deliver(2)
    line.promote()
    assert line.files() != before
    line.run("roll-back", "web", "--environment", "production", "--reason", "it is slow")
    assert line.files() == before
    assert line.release("production")["pin"]["by"] == "Ada"  # type: ignore[index]
    assert line.release("production")["newest"]["web"]["tag"] == "2"  # type: ignore[index]


def test_a_roll_back_sticks(both: Line) -> None:
    both.deliver(1)
    second = both.deliver(2)
    both.run("roll-back", "web", "--environment", "production", "--reason", "it is slow")
    assert (both.running("dev"), both.running("production")) == ("2", "1")
    ran = both.hand_off(second, 2)  # a retry
    assert ran.code == 0
    assert both.running("production") == "1"
    third = both.deliver(3)
    assert (both.running("dev"), both.running("production")) == ("3", "1")
    assert third in both.stage.show("main", "apps/web/releases/production/held/web/group.yaml")
    commits = both.stage.log()
    assert "2 unchanged" in both.hand_off(third, 3).out
    assert both.stage.log() == commits


@pytest.mark.long
def test_unpin_delivers_the_newest_that_waited(both: Line) -> None:
    both.deliver(1)
    both.run("pin", "web", "--environment", "production", "--reason", "audit")
    both.deliver(2)
    both.deliver(3)
    assert both.running("production") == "1"
    both.run("unpin", "web", "--environment", "production")
    assert both.running("production") == "3"
    assert "pin" not in both.release("production")
    assert not both.has("apps/web/releases/production/held")


@pytest.mark.long
def test_what_waited_is_checked_again(both: Line) -> None:
    both.deliver(1)
    both.run("pin", "web", "--environment", "production", "--reason", "audit")
    both.deliver(2)
    both.change({"apps/web/app.yaml": SHARED.replace("acme/web\n", "acme/other\n", 1)})
    ran = both.run("unpin", "web", "--environment", "production")
    assert "'web' now belongs to acme/other" in ran.out
    assert both.running("production") == "1"


@pytest.mark.long
def test_a_template_change_waits_for_what_is_pinned(both: Line) -> None:
    both.deliver(1)
    both.run("pin", "web", "--environment", "production", "--reason", "audit")
    both.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    ran = both.run("rehydrate")
    assert "web in production: held: pinned by Ada: audit" in ran.out
    assert "green" in both.stage.show("main", "deploy/dev/web/configmap-web.yaml")
    assert "red" in both.stage.show("main", "deploy/production/web/configmap-web.yaml")
    both.run("unpin", "web", "--environment", "production")
    assert "green" in both.stage.show("main", "deploy/production/web/configmap-web.yaml")


@pytest.mark.long
def test_a_roll_back_takes_its_template_along(both: Line) -> None:
    both.deliver(1)
    before = both.files()
    both.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    both.run("rehydrate")
    both.deliver(2)
    both.run("roll-back", "web", "--environment", "production", "--reason", "colour")
    assert both.files() == before
    tree = both.release("production")["template"]
    assert git(both.stage.remote, "rev-parse", f"main:templates/.versions/{tree}") == tree
    both.run("unpin", "web", "--environment", "production")
    both.deliver(3)
    assert "green" in both.stage.show("main", "deploy/production/web/configmap-web.yaml")
    assert not both.has("templates/.versions")


@pytest.mark.long
def test_a_roll_back_with_the_current_template(both: Line) -> None:
    both.deliver(1)
    both.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    both.deliver(2)
    both.run("roll-back", "web", "--environment", "production", "--reason", "colour", "--template", "current")
    assert both.running("production") == "1"
    assert "green" in both.stage.show("main", "deploy/production/web/configmap-web.yaml")


@pytest.mark.long
def test_the_same_roll_back_twice_goes_back_once(both: Line) -> None:
    for number in (1, 2, 3):
        both.deliver(number)
    both.run("roll-back", "web", "--environment", "production", "--reason", "slow")
    commits = both.stage.log()
    ran = both.run("roll-back", "web", "--environment", "production", "--reason", "slow", code=27)
    assert "was already rolled back by Ada: slow" in ran.err
    assert both.stage.log() == commits
    assert both.running("production") == "2"


@pytest.mark.long
def test_a_roll_back_goes_to_a_commit_of_the_app(both: Line) -> None:
    first = both.deliver(1)
    both.deliver(2)
    both.deliver(3)
    for _ in range(2):
        both.run("roll-back", "web", "--environment", "production", "--reason", "slow", "--to", first[:12])
    assert both.running("production") == "1"
    assert [subject.split(" ")[0] for subject in both.stage.log()].count("Roll") == 1


@pytest.mark.long
def test_a_roll_back_to_what_never_was_is_refused(both: Line) -> None:
    both.deliver(1)
    both.deliver(2)
    for to, words in {
        "7": "cannot go 7 steps back",
        "0": "cannot go 0 steps back",
        "abcdef0": "no release of web",
        "": "is neither a number of steps nor a commit",
        "-x": "is neither a number of steps nor a commit",
    }.items():
        ran = both.run("roll-back", "web", "--environment", "production", "--reason", "x", "--to", to, code=27)
        assert words in ran.err, to


@pytest.mark.long
def test_deliver_now_takes_the_pin_away(both: Line) -> None:
    both.deliver(1)
    second = both.deliver(2)
    both.run("roll-back", "web", "--environment", "production", "--reason", "slow")
    assert both.hand_off(second, 2, "--now").code == 0
    assert both.running("production") == "2"
    assert "pin" not in both.release("production")


# Freeze and thaw


@pytest.mark.long
def test_what_comes_while_frozen_waits_and_is_delivered_by_thaw(both: Line) -> None:
    both.deliver(1)
    both.run("freeze", "production", "--reason", "Christmas")
    ran_again = both.run("freeze", "production", "--reason", "Christmas")
    assert "already frozen by Ada" in ran_again.out
    both.deliver(2)
    assert (both.running("dev"), both.running("production")) == ("2", "1")
    both.run("thaw", "production")
    assert both.running("production") == "2"
    assert not both.has("environments/production/frozen.yaml")
    subjects = both.stage.log()
    both.run("thaw", "production")
    assert both.stage.log() == subjects


@pytest.mark.long
def test_thaw_leaves_what_is_pinned(both: Line) -> None:
    both.deliver(1)
    both.run("pin", "web", "--environment", "production", "--reason", "audit")
    both.run("freeze", "production", "--reason", "Christmas")
    both.deliver(2)
    both.run("thaw", "production")
    assert both.running("production") == "1"
    both.run("unpin", "web", "--environment", "production")
    assert both.running("production") == "2"


@pytest.mark.long
def test_unpin_while_frozen_goes_on_waiting(both: Line) -> None:
    both.deliver(1)
    both.run("pin", "web", "--environment", "production", "--reason", "audit")
    both.run("freeze", "production", "--reason", "Christmas")
    both.deliver(2)
    both.run("unpin", "web", "--environment", "production")
    assert both.running("production") == "1"
    both.run("thaw", "production")
    assert both.running("production") == "2"


def test_a_promotion_by_hand_is_refused_where_it_is_frozen(line: Line) -> None:
    line.deliver(1)
    line.run("freeze", "production", "--reason", "Christmas")
    assert "production is frozen by Ada: Christmas" in line.promote(27).err


# Templates that travel


@pytest.mark.long
def test_a_template_change_reaches_production_with_a_promotion(travelling: Line) -> None:
    line = travelling
    line.deliver(1)
    line.promote()
    line.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    line.run("rehydrate")
    assert "green" in line.stage.show("main", "deploy/dev/web/configmap-web.yaml")
    assert "red" in line.stage.show("main", "deploy/production/web/configmap-web.yaml")
    line.promote()
    assert "green" in line.stage.show("main", "deploy/production/web/configmap-web.yaml")
    (kept,) = git(line.stage.remote, "ls-tree", "--name-only", "main:templates/.versions").splitlines()
    assert line.release("production")["template"] == kept


# Remove


def test_remove_takes_releases_output_and_folder_away(line: Line) -> None:
    line.deliver(1)
    line.promote()
    line.run("remove", "web")
    assert not line.has("apps")
    assert not line.has("deploy")


@pytest.mark.long
def test_remove_from_one_environment_keeps_the_others(line: Line) -> None:
    line.deliver(1)
    line.promote()
    line.run("remove", "web", "--environment", "dev")
    assert not line.has("deploy/dev")
    assert not line.has("apps/web/releases/dev")
    assert line.running("production") == "1"
    assert line.stage.show("main", "apps/web/app.yaml").splitlines()[-1] == "environments: [production]"
    assert "there is no environment 'dev' of web" in line.run("remove", "web", "--environment", "dev", code=38).err


@pytest.mark.long
def test_a_reviewed_environment_is_removed_by_a_proposal(reviewed: Line) -> None:
    line = reviewed
    line.deliver(1)
    line.promote()
    line.merge(BRANCH)
    line.run("remove", "web")
    assert not line.has("deploy/dev")
    assert line.has("deploy/production")
    line.merge(BRANCH)
    assert not line.has("apps")
    assert not line.has("deploy")


# Rehydrate


def test_output_of_an_app_that_is_gone_is_taken_away(line: Line) -> None:
    line.deliver(1)
    line.change({"apps/web": None})
    line.run("rehydrate")
    assert not line.has("deploy")
    assert line.stage.log()[0] == "Hydrate web in dev"


@pytest.mark.long
def test_a_rename_is_a_removal_and_an_addition(line: Line) -> None:
    line.deliver(1)
    checkout = line.stage.manifests.path
    git(checkout, "pull", "--quiet")
    git(checkout, "mv", "apps/web", "apps/shop")
    line.change({"apps/shop/app.yaml": SHARED + "namespace: web\n"})
    ran = line.run("rehydrate")
    assert "web in dev: 2 removed" in ran.out
    assert "shop in dev: 2 added" in ran.out


@pytest.mark.long
def test_rehydrate_touches_exactly_what_changed(line: Line) -> None:
    line.deliver(1)
    line.change(
        {
            "apps/other/app.yaml": "template: other\nenvironments: [dev]\n",
            "templates/other/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n",
        }
    )
    assert "1 changed" in line.run("rehydrate").out
    before = line.stage.log()
    assert "3 app-environments: 2 unchanged, 1 waiting" in line.run("rehydrate").out
    assert line.stage.log() == before


@pytest.mark.long
def test_those_that_can_be_rendered_land(line: Line) -> None:
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ missing }}'}\n"
    line.change({f"apps/{name}/app.yaml": f"template: {name}\nenvironments: [dev]\n" for name in ("good", "bad")})
    line.change(
        {
            "templates/good/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n",
            "templates/bad/a.yaml.j2": broken,
        }
    )
    ran = line.run("rehydrate", code=17)
    assert "bad in dev" in ran.err
    assert line.has("deploy/dev/good")
    assert not line.has("deploy/dev/bad")
    line.run("rehydrate", code=17)


@pytest.mark.long
def test_a_template_change_over_reviewed_apps_is_one_proposal(reviewed: Line) -> None:
    line = reviewed
    line.change({"apps/other/app.yaml": "template: web\nenvironments: [production]\nnamespace: other\n"})
    line.deliver(1)
    line.promote()
    line.merge(BRANCH)
    line.run("rehydrate")
    line.merge("headgate/production/_rehydrate")
    line.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    line.run("rehydrate")
    assert line.branches() == ["headgate/production/_rehydrate"]
    files = ("diff", "--name-only", "main...headgate/production/_rehydrate", "--", "deploy")
    changed = git(line.stage.remote, *files).splitlines()
    assert {path.split("/")[2] for path in changed} == {"web", "other"}
    before = git(line.stage.remote, "rev-parse", "headgate/production/_rehydrate")
    line.run("rehydrate")
    assert git(line.stage.remote, "rev-parse", "headgate/production/_rehydrate") == before
    line.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "red")})
    line.run("rehydrate")
    assert line.branches() == []


# Proposals


@pytest.mark.long
def test_a_hand_off_keeps_the_parts_that_are_proposed(tmp_path: Path, manifests: ManifestRepository) -> None:
    app = f"project: acme/web\nimages: {{web: {IMAGE}, api: {IMAGE}-api}}\nconfig: deploy\n"
    line = make_line(tmp_path, manifests, app=app, delivery="review", takes="{branch: main}")
    both = DEPLOYMENT.rstrip() + f"\n        - {{name: api, image: {IMAGE}-api}}\n"
    write_app(line.stage, {"deploy/web.yaml": both})
    commit = git(line.stage.app, "rev-parse", "HEAD")
    for name, number in (("", 1), ("-api", 1), ("-api", 2), ("", 3)):
        write_app(line.stage, {"version": f"{name}{number}"})
        commit = git(line.stage.app, "rev-parse", "HEAD")
        image = f"{IMAGE}{name}:{number}@sha256:{number:064d}"
        ran = line.stage.deliver("--commit", commit, image=image)
        assert ran.code == 0, ran.err
    text = line.stage.show(BRANCH, "deploy/production/web/deployment.apps-web.yaml")
    assert f"{IMAGE}:3@" in text
    assert f"{IMAGE}-api:2@" in text


@pytest.mark.long
def test_a_refresh_keeps_what_still_fits(reviewed: Line) -> None:
    reviewed.deliver(1)
    reviewed.promote()
    before = git(reviewed.stage.remote, "rev-parse", BRANCH)
    reviewed.change({"README.md": "hello\n"})
    reviewed.run("refresh")
    assert git(reviewed.stage.remote, "rev-parse", BRANCH) == before


@pytest.mark.long
def test_a_refresh_makes_a_proposal_anew_when_its_inputs_changed(reviewed: Line) -> None:
    reviewed.deliver(1)
    reviewed.promote()
    reviewed.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    reviewed.run("refresh")
    assert "green" in reviewed.stage.show(BRANCH, "deploy/production/web/configmap-web.yaml")
    assert git(reviewed.stage.remote, "merge-base", "main", BRANCH) == git(reviewed.stage.remote, "rev-parse", "main")


@pytest.mark.long
def test_a_refresh_drops_what_became_empty(reviewed: Line) -> None:
    reviewed.deliver(1)
    reviewed.promote()
    branch = git(reviewed.stage.remote, "rev-parse", BRANCH)
    reviewed.merge(BRANCH)
    git(reviewed.stage.remote, "update-ref", f"refs/heads/{BRANCH}", branch)  # it was merged, but not deleted
    reviewed.run("refresh")
    assert reviewed.branches() == []


# Intents


@pytest.mark.long
def test_a_run_with_the_same_id_does_nothing_twice(both: Line) -> None:
    both.deliver(1)
    both.deliver(2)
    args = ("roll-back", "web", "--environment", "production", "--reason", "slow", "--intent", "job-7")
    both.run(*args)
    both.run("unpin", "web", "--environment", "production")
    commits = both.stage.log()
    assert "nothing to do: job-7 was done by" in both.run(*args).out
    assert both.stage.log() == commits
    message = git(
        both.stage.remote,
        "log",
        "-1",
        "--grep=^Roll back",
        "--format=%(trailers:key=Headgate-Intent,valueonly)",
        "main",
    )
    assert message == "job-7"


@pytest.mark.long
def test_any_intent_twice_makes_one_commit(line: Line) -> None:
    line.deliver(1)
    for args in (
        ("promote", "web", "--from", "dev", "--to", "production"),
        ("rehydrate",),
        ("refresh",),
        ("pin", "web", "--environment", "dev", "--reason", "audit"),
        ("freeze", "dev", "--reason", "Christmas"),
    ):
        line.run(*args)
        commits = line.stage.log()
        line.run(*args)
        assert line.stage.log() == commits, args


def test_a_newer_commit_with_the_same_yaml_is_remembered(both: Line) -> None:
    """Else an older one that comes late would land over it."""
    app = "project: acme/web\nconfig: deploy\n"
    both.change({"apps/web/app.yaml": app})
    commits: list[str] = []
    for text in ("one", "two", "one"):
        manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{text: {text}}}\n"
        write_app(both.stage, {"deploy/web.yaml": manifest, "n": f"{len(commits)}"})
        commits.append(git(both.stage.app, "rev-parse", "HEAD"))
    for commit in (commits[0], commits[2], commits[1]):
        ran = headgate(
            *("deliver", "--manifests", str(both.stage.remote), "--project", "acme/web", "--commit", commit),
            *("--source", str(both.stage.app)),
        )
        assert ran.code == 0, ran.err
    assert "text: one" in both.stage.show("main", "deploy/dev/web/configmap-web.yaml")
    assert both.release("dev")["newest"]["config"]["commit"] == commits[2]  # type: ignore[index]


@pytest.mark.long
def test_a_proposal_that_is_replaced_is_named(tmp_path: Path, manifests: ManifestRepository) -> None:
    line = make_line(tmp_path, manifests, delivery="review", takes="{branch: main}")
    first = line.deliver(1)
    write_app(line.stage, {"version": "2"})
    second = git(line.stage.app, "rev-parse", "HEAD")
    assert f"web: replaces {first[:12]}, which was proposed" in line.hand_off(second, 2).out
    assert line.running("production", BRANCH) == "2"
    assert f"is older than {second[:12]}, which is proposed" in line.hand_off(first, 1).out


@pytest.mark.long
def test_one_app_that_cannot_take_a_hand_off_does_not_stop_the_others(both: Line) -> None:
    both.deliver(1)
    both.change({"apps/other/app.yaml": SHARED + "environments: [dev]\nnamespace: other\n"})
    git(both.stage.app, "switch", "--quiet", "--orphan", "rewritten")
    write_app(both.stage, {"version": "2"})
    ran = both.hand_off(git(both.stage.app, "rev-parse", "HEAD"), 2)
    assert "web in dev: held" in ran.out
    assert "deliver-held delivers it, discard-held drops it" in ran.out
    assert both.running("dev") == "1"
    assert f"{IMAGE}:2@" in both.stage.show("main", "deploy/dev/other/deployment.apps-web.yaml")


@pytest.mark.long
def test_a_commit_that_is_gone_gives_way_to_the_head_of_its_branch(both: Line) -> None:
    both.deliver(1)
    app = both.stage.app
    git(app, "switch", "--quiet", "--orphan", "new")
    write_app(both.stage, {"version": "2"})
    git(app, "branch", "--quiet", "--delete", "--force", "main")
    git(app, "branch", "--quiet", "--move", "main")
    git(app, "reflog", "expire", "--expire=now", "--all")
    git(app, "gc", "--quiet", "--prune=now")
    ran = both.hand_off(git(app, "rev-parse", "HEAD"), 2)
    assert ran.code == 0, ran.err
    assert "is gone, and" in ran.out
    assert both.running("dev") == "2"


@pytest.mark.long
def test_a_template_travels_with_its_neighbours(travelling: Line) -> None:
    line = travelling
    line.change(
        {
            "templates/web/web.yaml": None,
            "templates/web/kustomization.yaml": "resources: [../base]\n",
            "templates/base/kustomization.yaml": "resources: [web.yaml]\n",
            "templates/base/web.yaml": TEMPLATE.replace("COLOR", "red"),
        }
    )
    line.deliver(1)
    line.promote()
    line.change({"templates/base/web.yaml": TEMPLATE.replace("COLOR", "green")})
    line.run("rehydrate")
    colours = [line.stage.show("main", f"deploy/{name}/web/configmap-web.yaml") for name in ("dev", "production")]
    assert ["green" in text for text in colours] == [True, False]
    line.run("verify")


@pytest.mark.long
def test_a_roll_back_carries_the_template_where_it_travels(travelling: Line) -> None:
    line = travelling
    line.deliver(1)
    line.promote()
    before = line.files()
    line.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    line.deliver(2)
    line.promote()
    assert "green" in line.stage.show("main", "deploy/production/web/configmap-web.yaml")
    line.run("roll-back", "web", "--environment", "production", "--reason", "colour")
    assert line.files() == before
    line.run("verify")
