"""Promote, roll back, pin, freeze, remove, rehydrate, refresh: what each leaves in a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.manifests import DEPLOYMENT, ManifestRepository, git, head
from support.stage import BRANCH, IMAGE, SHARED, TEMPLATE, Stage, make_promoted, write_app


@pytest.fixture
def stage(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Both environments are delivered automatically."""
    return make_promoted(tmp_path, manifests)


@pytest.fixture
def reviewed(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Production is reviewed."""
    return make_promoted(tmp_path, manifests, delivery="review")


@pytest.fixture
def travelling(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Templates reach production with releases."""
    return make_promoted(tmp_path, manifests, templates="promote")


@pytest.fixture
def both(tmp_path: Path, manifests: ManifestRepository) -> Stage:
    """Production takes main as dev does."""
    return make_promoted(tmp_path, manifests, takes="{branch: main}")


# Promote


def test_a_promotion_copies_the_release_and_hydrates(stage: Stage) -> None:
    commit = stage.new_version(1)
    ran = stage.promote()
    assert "pushed" in ran.out
    assert stage.log()[0] == "Promote web to production: as in dev"
    assert stage.running("production") == "1"
    assert stage.release("production")["images"] == stage.release("dev")["images"]
    assert stage.release("production")["newest"] == stage.release("dev")["newest"]
    assert commit in str(stage.release("production"))


@pytest.mark.long
def test_values_of_the_new_environment_apply(tmp_path: Path, manifests: ManifestRepository) -> None:
    app = f"project: acme/web\nimages: {{web: {IMAGE}}}\ntemplate: web\nconfig: deploy\ngrant: [color]\n"
    stage = make_promoted(tmp_path, manifests, app=app)
    text = (
        DEPLOYMENT + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: {{ values.color }}}\n"
    )
    stage.change({"templates/web/web.yaml": None, "templates/web/web.yaml.j2": text})
    write_app(stage, {"deploy/values.yaml": "color: red\n", "deploy/values.production.yaml": "color: blue\n"})
    stage.new_version(1)
    stage.promote()
    assert "color: red" in stage.show("main", "deploy/dev/web/configmap-web.yaml")
    assert "color: blue" in stage.show("main", "deploy/production/web/configmap-web.yaml")


def test_a_promotion_that_nobody_configured_is_refused(stage: Stage) -> None:
    stage.new_version(1)
    ran = stage.command("promote", "web", "--from", "production", "--to", "dev", code=27)
    assert "web in dev takes no promotion from production" in ran.err


@pytest.mark.long
def test_a_reason_has_no_mark_that_turns_lines_or_their_direction(stage: Stage) -> None:
    stage.new_version(1)
    for mark in ("\u2028", "\u202e", "\u200f", "\u2066", "\x85", "\ufeff", "\n"):
        for command in (["freeze", "dev"], ["pin", "web", "--environment", "dev"]):
            assert "expected one line" in stage.command(*command, "--reason", f"a{mark}b", code=10).err, ascii(mark)


def test_nothing_to_promote_is_refused(stage: Stage) -> None:
    assert "web was never released in dev" in stage.promote(27).err


@pytest.mark.long
def test_what_is_older_than_what_runs_is_refused(stage: Stage) -> None:
    stage.new_version(1)
    stage.new_version(2)
    stage.promote()
    stage.command("roll-back", "web", "--environment", "dev", "--reason", "broken")
    ran = stage.promote(27)
    assert "'web': commit" in ran.err
    assert "which runs in production" in ran.err
    assert "--allow-older" in ran.err
    assert stage.running("production") == "2"
    stage.promote(0, "--allow-older")
    assert stage.running("production") == "1"
    assert stage.release("production")["newest"]["web"]["tag"] == "2"  # type: ignore[index]


def test_dev_that_was_edited_by_hand_is_not_promoted(stage: Stage) -> None:
    stage.new_version(1)
    stage.change({"deploy/dev/web/configmap-web.yaml": "by: hand\n"})
    assert "the YAML of web in dev does not match its release" in stage.promote(27).err


@pytest.mark.long
def test_a_reviewed_promotion_is_a_proposal(reviewed: Stage) -> None:
    reviewed.new_version(1)
    reviewed.promote()
    assert reviewed.branches() == [BRANCH]
    assert not reviewed.paths("deploy/production")
    assert reviewed.running("production", BRANCH) == "1"
    reviewed.merge(BRANCH)
    assert reviewed.running("production") == "1"


# Roll back


@pytest.mark.long
def test_promote_then_roll_back_restores_the_bytes(stage: Stage) -> None:
    stage.new_version(1)
    stage.promote()
    before = stage.files()
    stage.new_version(2)
    stage.promote()
    assert stage.files() != before
    stage.command("roll-back", "web", "--environment", "production", "--reason", "it is slow")
    assert stage.files() == before
    assert stage.release("production")["pin"]["by"] == "Ada"  # type: ignore[index]
    assert stage.release("production")["newest"]["web"]["tag"] == "2"  # type: ignore[index]


def test_a_roll_back_sticks(both: Stage) -> None:
    both.new_version(1)
    second = both.new_version(2)
    both.command("roll-back", "web", "--environment", "production", "--reason", "it is slow")
    assert (both.running("dev"), both.running("production")) == ("2", "1")
    ran = both.hand_off(second, 2)  # a retry
    assert ran.code == 0
    assert both.running("production") == "1"
    third = both.new_version(3)
    assert (both.running("dev"), both.running("production")) == ("3", "1")
    assert third in both.show("main", "apps/web/releases/production/held/web/group.yaml")
    commits = both.log()
    assert "2 unchanged" in both.hand_off(third, 3).out
    assert both.log() == commits


@pytest.mark.long
def test_unpin_delivers_the_newest_that_waited(both: Stage) -> None:
    both.new_version(1)
    both.command("pin", "web", "--environment", "production", "--reason", "audit")
    both.new_version(2)
    both.new_version(3)
    assert both.running("production") == "1"
    both.command("unpin", "web", "--environment", "production")
    assert both.running("production") == "3"
    assert "pin" not in both.release("production")
    assert not both.paths("apps/web/releases/production/held")


@pytest.mark.long
def test_what_waited_is_checked_again(both: Stage) -> None:
    both.new_version(1)
    both.command("pin", "web", "--environment", "production", "--reason", "audit")
    both.new_version(2)
    both.change({"apps/web/app.yaml": SHARED.replace("acme/web\n", "acme/other\n", 1)})
    ran = both.command("unpin", "web", "--environment", "production")
    assert "'web' now belongs to acme/other" in ran.out
    assert both.running("production") == "1"


@pytest.mark.long
def test_a_template_change_waits_for_what_is_pinned(both: Stage) -> None:
    both.new_version(1)
    both.command("pin", "web", "--environment", "production", "--reason", "audit")
    both.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    ran = both.command("rehydrate")
    assert "web in production: held: pinned by Ada: audit" in ran.out
    assert "green" in both.show("main", "deploy/dev/web/configmap-web.yaml")
    assert "red" in both.show("main", "deploy/production/web/configmap-web.yaml")
    both.command("unpin", "web", "--environment", "production")
    assert "green" in both.show("main", "deploy/production/web/configmap-web.yaml")


@pytest.mark.long
def test_a_roll_back_takes_its_template_along(both: Stage) -> None:
    both.new_version(1)
    before = both.files()
    both.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    both.command("rehydrate")
    both.new_version(2)
    both.command("roll-back", "web", "--environment", "production", "--reason", "colour")
    assert both.files() == before
    tree = both.release("production")["template"]
    assert both.commit(f"main:templates/.versions/{tree}") == tree
    both.command("unpin", "web", "--environment", "production")
    both.new_version(3)
    assert "green" in both.show("main", "deploy/production/web/configmap-web.yaml")
    assert not both.paths("templates/.versions")


@pytest.mark.long
def test_a_roll_back_with_the_current_template(both: Stage) -> None:
    both.new_version(1)
    both.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    both.new_version(2)
    both.command("roll-back", "web", "--environment", "production", "--reason", "colour", "--template", "current")
    assert both.running("production") == "1"
    assert "green" in both.show("main", "deploy/production/web/configmap-web.yaml")


@pytest.mark.long
def test_the_same_roll_back_twice_goes_back_once(both: Stage) -> None:
    for number in (1, 2, 3):
        both.new_version(number)
    both.command("roll-back", "web", "--environment", "production", "--reason", "slow")
    commits = both.log()
    ran = both.command("roll-back", "web", "--environment", "production", "--reason", "slow", code=27)
    assert "was already rolled back by Ada: slow" in ran.err
    assert both.log() == commits
    assert both.running("production") == "2"


@pytest.mark.long
def test_a_roll_back_goes_to_a_commit_of_the_app(both: Stage) -> None:
    first = both.new_version(1)
    both.new_version(2)
    both.new_version(3)
    for _ in range(2):
        both.command("roll-back", "web", "--environment", "production", "--reason", "slow", "--to", first[:12])
    assert both.running("production") == "1"
    assert [subject.split(" ")[0] for subject in both.log()].count("Roll") == 1


@pytest.mark.long
def test_a_roll_back_to_what_never_was_is_refused(both: Stage) -> None:
    both.new_version(1)
    both.new_version(2)
    for to, words in {
        "7": "cannot go 7 steps back",
        "0": "cannot go 0 steps back",
        "abcdef0": "no release of web",
        "": "is neither a number of steps nor a commit",
        "-x": "is neither a number of steps nor a commit",
    }.items():
        ran = both.command("roll-back", "web", "--environment", "production", "--reason", "x", "--to", to, code=27)
        assert words in ran.err, to


@pytest.mark.long
def test_deliver_now_takes_the_pin_away(both: Stage) -> None:
    both.new_version(1)
    second = both.new_version(2)
    both.command("roll-back", "web", "--environment", "production", "--reason", "slow")
    assert both.hand_off(second, 2, "--now").code == 0
    assert both.running("production") == "2"
    assert "pin" not in both.release("production")


# Freeze and thaw


@pytest.mark.long
def test_what_comes_while_frozen_waits_and_is_delivered_by_thaw(both: Stage) -> None:
    both.new_version(1)
    both.command("freeze", "production", "--reason", "Christmas")
    ran_again = both.command("freeze", "production", "--reason", "Christmas")
    assert "already frozen by Ada" in ran_again.out
    both.new_version(2)
    assert (both.running("dev"), both.running("production")) == ("2", "1")
    both.command("thaw", "production")
    assert both.running("production") == "2"
    assert not both.paths("environments/production/frozen.yaml")
    subjects = both.log()
    both.command("thaw", "production")
    assert both.log() == subjects


@pytest.mark.long
@pytest.mark.parametrize("first", ["thaw", "unpin"])
def test_what_is_pinned_and_frozen_waits_for_both_to_end(both: Stage, first: str) -> None:
    both.new_version(1)
    both.command("pin", "web", "--environment", "production", "--reason", "audit")
    both.command("freeze", "production", "--reason", "Christmas")
    both.new_version(2)
    ends = [("thaw", "production"), ("unpin", "web", "--environment", "production")]
    for end, running in zip(ends if first == "thaw" else ends[::-1], ("1", "2"), strict=True):
        both.command(*end)
        assert both.running("production") == running


def test_a_promotion_by_hand_is_refused_where_it_is_frozen(stage: Stage) -> None:
    stage.new_version(1)
    stage.command("freeze", "production", "--reason", "Christmas")
    assert "production is frozen by Ada: Christmas" in stage.promote(27).err


# Templates that travel


@pytest.mark.long
def test_a_template_change_reaches_production_with_a_promotion(travelling: Stage) -> None:
    stage = travelling
    stage.new_version(1)
    stage.promote()
    stage.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    stage.command("rehydrate")
    assert "green" in stage.show("main", "deploy/dev/web/configmap-web.yaml")
    assert "red" in stage.show("main", "deploy/production/web/configmap-web.yaml")
    stage.promote()
    assert "green" in stage.show("main", "deploy/production/web/configmap-web.yaml")
    (kept,) = git(stage.remote, "ls-tree", "--name-only", "main:templates/.versions").splitlines()
    assert stage.release("production")["template"] == kept


# Remove


def test_remove_takes_releases_output_and_folder_away(stage: Stage) -> None:
    stage.new_version(1)
    stage.promote()
    stage.command("remove", "web")
    assert not stage.paths("apps")
    assert not stage.paths("deploy")


@pytest.mark.long
def test_remove_from_one_environment_keeps_the_others(stage: Stage) -> None:
    stage.new_version(1)
    stage.promote()
    stage.command("remove", "web", "--environment", "dev")
    assert not stage.paths("deploy/dev")
    assert not stage.paths("apps/web/releases/dev")
    assert stage.running("production") == "1"
    assert stage.show("main", "apps/web/app.yaml").splitlines()[-1] == "environments: [production]"
    assert "there is no environment 'dev' of web" in stage.command("remove", "web", "--environment", "dev", code=38).err


@pytest.mark.long
def test_a_reviewed_environment_is_removed_by_a_proposal(reviewed: Stage) -> None:
    stage = reviewed
    stage.new_version(1)
    stage.promote()
    stage.merge(BRANCH)
    stage.command("remove", "web")
    assert not stage.paths("deploy/dev")
    assert stage.paths("deploy/production")
    stage.merge(BRANCH)
    assert not stage.paths("apps")
    assert not stage.paths("deploy")


# Rehydrate


def test_output_of_an_app_that_is_gone_is_taken_away(stage: Stage) -> None:
    stage.new_version(1)
    stage.change({"apps/web": None})
    stage.command("rehydrate")
    assert not stage.paths("deploy")
    assert stage.log()[0] == "Hydrate web in dev"


@pytest.mark.long
def test_a_rename_is_a_removal_and_an_addition(stage: Stage) -> None:
    stage.new_version(1)
    checkout = stage.manifests.path
    git(checkout, "pull", "--quiet")
    git(checkout, "mv", "apps/web", "apps/shop")
    stage.change({"apps/shop/app.yaml": SHARED + "namespace: web\n"})
    ran = stage.command("rehydrate")
    assert "web in dev: 2 removed" in ran.out
    assert "shop in dev: 2 added" in ran.out


@pytest.mark.long
def test_rehydrate_touches_exactly_what_changed(stage: Stage) -> None:
    stage.new_version(1)
    stage.change(
        {
            "apps/other/app.yaml": "template: other\nenvironments: [dev]\n",
            "templates/other/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n",
        }
    )
    assert "1 changed" in stage.command("rehydrate").out
    before = stage.log()
    assert "3 app-environments: 2 unchanged, 1 waiting" in stage.command("rehydrate").out
    assert stage.log() == before


@pytest.mark.long
def test_those_that_can_be_rendered_land(stage: Stage) -> None:
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ missing }}'}\n"
    stage.change({f"apps/{name}/app.yaml": f"template: {name}\nenvironments: [dev]\n" for name in ("good", "bad")})
    stage.change(
        {
            "templates/good/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n",
            "templates/bad/a.yaml.j2": broken,
        }
    )
    ran = stage.command("rehydrate", code=17)
    assert "bad in dev" in ran.err
    assert stage.paths("deploy/dev/good")
    assert not stage.paths("deploy/dev/bad")
    stage.command("rehydrate", code=17)


@pytest.mark.long
def test_a_template_change_over_reviewed_apps_is_one_proposal(reviewed: Stage) -> None:
    stage = reviewed
    stage.change({"apps/other/app.yaml": "template: web\nenvironments: [production]\nnamespace: other\n"})
    stage.new_version(1)
    stage.promote()
    stage.merge(BRANCH)
    stage.command("rehydrate")
    stage.merge("headgate/production/_rehydrate")
    stage.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    stage.command("rehydrate")
    assert stage.branches() == ["headgate/production/_rehydrate"]
    files = ("diff", "--name-only", "main...headgate/production/_rehydrate", "--", "deploy")
    changed = git(stage.remote, *files).splitlines()
    assert {path.split("/")[2] for path in changed} == {"web", "other"}
    before = stage.commit("headgate/production/_rehydrate")
    stage.command("rehydrate")
    assert stage.commit("headgate/production/_rehydrate") == before
    stage.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "red")})
    stage.command("rehydrate")
    assert stage.branches() == []


# Proposals


@pytest.mark.long
def test_a_hand_off_keeps_the_parts_that_are_proposed(tmp_path: Path, manifests: ManifestRepository) -> None:
    app = f"project: acme/web\nimages: {{web: {IMAGE}, api: {IMAGE}-api}}\nconfig: deploy\n"
    stage = make_promoted(tmp_path, manifests, app=app, delivery="review", takes="{branch: main}")
    both = DEPLOYMENT.rstrip() + f"\n        - {{name: api, image: {IMAGE}-api}}\n"
    write_app(stage, {"deploy/web.yaml": both})
    commit = head(stage.app)
    for name, number in (("", 1), ("-api", 1), ("-api", 2), ("", 3)):
        write_app(stage, {"version": f"{name}{number}"})
        commit = head(stage.app)
        image = f"{IMAGE}{name}:{number}@sha256:{number:064d}"
        ran = stage.deliver("--commit", commit, image=image)
        assert ran.code == 0, ran.err
    text = stage.show(BRANCH, "deploy/production/web/deployment.apps-web.yaml")
    assert f"{IMAGE}:3@" in text
    assert f"{IMAGE}-api:2@" in text


@pytest.mark.long
def test_a_refresh_keeps_what_still_fits(reviewed: Stage) -> None:
    reviewed.new_version(1)
    reviewed.promote()
    before = reviewed.commit(BRANCH)
    reviewed.change({"README.md": "hello\n"})
    reviewed.command("refresh")
    assert reviewed.commit(BRANCH) == before


@pytest.mark.long
def test_a_refresh_makes_a_proposal_anew_when_its_inputs_changed(reviewed: Stage) -> None:
    reviewed.new_version(1)
    reviewed.promote()
    reviewed.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    reviewed.command("refresh")
    assert "green" in reviewed.show(BRANCH, "deploy/production/web/configmap-web.yaml")
    assert git(reviewed.remote, "merge-base", "main", BRANCH) == reviewed.commit("main")


@pytest.mark.long
def test_a_refresh_drops_what_became_empty(reviewed: Stage) -> None:
    reviewed.new_version(1)
    reviewed.promote()
    branch = reviewed.commit(BRANCH)
    reviewed.merge(BRANCH)
    git(reviewed.remote, "update-ref", f"refs/heads/{BRANCH}", branch)  # it was merged, but not deleted
    reviewed.command("refresh")
    assert reviewed.branches() == []


# Intents


@pytest.mark.long
def test_a_run_with_the_same_id_does_nothing_twice(both: Stage) -> None:
    both.new_version(1)
    both.new_version(2)
    args = ("roll-back", "web", "--environment", "production", "--reason", "slow", "--intent", "job-7")
    both.command(*args)
    both.command("unpin", "web", "--environment", "production")
    commits = both.log()
    assert "nothing to do: job-7 was already done by" in both.command(*args).out
    assert both.log() == commits
    trailer = "--format=%(trailers:key=Headgate-Intent,valueonly)"
    assert git(both.remote, "log", "-1", "--grep=^Roll back", trailer, "main") == "job-7"


@pytest.mark.long
def test_any_intent_twice_makes_one_commit(stage: Stage) -> None:
    stage.new_version(1)
    for args in (
        ("promote", "web", "--from", "dev", "--to", "production"),
        ("rehydrate",),
        ("refresh",),
        ("pin", "web", "--environment", "dev", "--reason", "audit"),
        ("freeze", "dev", "--reason", "Christmas"),
    ):
        stage.command(*args)
        commits = stage.log()
        stage.command(*args)
        assert stage.log() == commits, args


def test_a_newer_commit_with_the_same_yaml_is_remembered(both: Stage) -> None:
    """Else an older one that comes late would land over it."""
    app = "project: acme/web\nconfig: deploy\n"
    both.change({"apps/web/app.yaml": app})
    commits: list[str] = []
    for text in ("one", "two", "one"):
        manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata: {{text: {text}}}\n"
        write_app(both, {"deploy/web.yaml": manifest, "n": f"{len(commits)}"})
        commits.append(head(both.app))
    for commit in (commits[0], commits[2], commits[1]):
        ran = both.deliver("--commit", commit, image="")
        assert ran.code == 0, ran.err
    assert "text: one" in both.show("main", "deploy/dev/web/configmap-web.yaml")
    assert both.release("dev")["newest"]["config"]["commit"] == commits[2]  # type: ignore[index]


@pytest.mark.long
def test_a_proposal_that_is_replaced_is_named(tmp_path: Path, manifests: ManifestRepository) -> None:
    stage = make_promoted(tmp_path, manifests, delivery="review", takes="{branch: main}")
    first = stage.new_version(1)
    write_app(stage, {"version": "2"})
    second = head(stage.app)
    assert f"web: replaces {first[:12]}, which was proposed" in stage.hand_off(second, 2).out
    assert stage.running("production", BRANCH) == "2"
    assert f"is older than {second[:12]}, which is proposed" in stage.hand_off(first, 1).out


@pytest.mark.long
def test_one_app_that_cannot_take_a_hand_off_does_not_stop_the_others(both: Stage) -> None:
    both.new_version(1)
    both.change({"apps/other/app.yaml": SHARED + "environments: [dev]\nnamespace: other\n"})
    git(both.app, "switch", "--quiet", "--orphan", "rewritten")
    write_app(both, {"version": "2"})
    ran = both.hand_off(head(both.app), 2)
    assert "web in dev: held" in ran.out
    assert "deliver-held delivers it, discard-held drops it" in ran.out
    assert both.running("dev") == "1"
    assert f"{IMAGE}:2@" in both.show("main", "deploy/dev/other/deployment.apps-web.yaml")


@pytest.mark.long
def test_a_commit_that_is_gone_gives_way_to_the_head_of_its_branch(both: Stage) -> None:
    both.new_version(1)
    app = both.app
    git(app, "switch", "--quiet", "--orphan", "new")
    write_app(both, {"version": "2"})
    git(app, "branch", "--quiet", "--delete", "--force", "main")
    git(app, "branch", "--quiet", "--move", "main")
    git(app, "reflog", "expire", "--expire=now", "--all")
    git(app, "gc", "--quiet", "--prune=now")
    ran = both.hand_off(git(app, "rev-parse", "HEAD"), 2)
    assert ran.code == 0, ran.err
    assert "is gone, and" in ran.out
    assert both.running("dev") == "2"


@pytest.mark.long
def test_a_template_travels_with_its_neighbours(travelling: Stage) -> None:
    stage = travelling
    stage.change(
        {
            "templates/web/web.yaml": None,
            "templates/web/kustomization.yaml": "resources: [../base]\n",
            "templates/base/kustomization.yaml": "resources: [web.yaml]\n",
            "templates/base/web.yaml": TEMPLATE.replace("COLOR", "red"),
        }
    )
    stage.new_version(1)
    stage.promote()
    stage.change({"templates/base/web.yaml": TEMPLATE.replace("COLOR", "green")})
    stage.command("rehydrate")
    colours = [stage.show("main", f"deploy/{name}/web/configmap-web.yaml") for name in ("dev", "production")]
    assert ["green" in text for text in colours] == [True, False]
    stage.command("verify")


@pytest.mark.long
def test_a_roll_back_carries_the_template_where_it_travels(travelling: Stage) -> None:
    stage = travelling
    stage.new_version(1)
    stage.promote()
    before = stage.files()
    stage.change({"templates/web/web.yaml": TEMPLATE.replace("COLOR", "green")})
    stage.new_version(2)
    stage.promote()
    assert "green" in stage.show("main", "deploy/production/web/configmap-web.yaml")
    stage.command("roll-back", "web", "--environment", "production", "--reason", "colour")
    assert stage.files() == before
    stage.command("verify")
