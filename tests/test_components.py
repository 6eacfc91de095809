"""The components under ``templates/``: what GitLab's schema says, and the rules that keep inputs harmless."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from headgate.gitlab.claim import PATTERN, Claim, parse_claim, write_claim
from headgate.gitlab.identity import audience
from headgate.model.actions import ACTIONS
from headgate.objects.images import parse_reference
from headgate.report.files import FOLDER, LANDED
from support.components import (
    NAMES,
    TEMPLATES,
    complaints,
    component,
    fill_in,
    header_complaints,
    matches,
    resolved,
    yamlfmt,
)
from support.gitlab.ciconfig import ConfigurationError

COMMIT = "3f" * 20
CONTEXT = {"sha": "c0" * 20}
VARIABLES = {
    "CI_REGISTRY_IMAGE": "registry.example.com/acme/shop",
    "CI_COMMIT_SHORT_SHA": COMMIT[:8],
    "CI_COMMIT_SHA": COMMIT,
    "CI_PROJECT_ID": "7",
}
INPUTS = [(name, one) for name in NAMES for one in component(name).inputs]
WITHOUT_DEFAULT = {("deliver", "manifests"), ("preview", "manifests")}
HOSTILE = ("a\nb", "a b;id", "$(id)", "`id`", "a$b", 'a"b', "a'b", "a\\b", "$[[ inputs.to ]]", "\x1b[1m", "a&b", "a|b")


def filled(name: str, **given: Any) -> dict[str, Any]:
    """Return a component's jobs for inputs, written with ``_`` for ``-``; ``manifests`` is given."""
    values = {"manifests": "acme/manifests", **{key.replace("_", "-"): value for key, value in given.items()}}
    return fill_in(component(name), values, CONTEXT, VARIABLES)


def choices(name: str) -> list[dict[str, Any]]:
    """Return all combinations of inputs whose values are worth telling apart."""
    axes: dict[str, list[Any]] = {
        "job-prefix": ["", "shop:"],
        "runner-tags": [[], ["large", "linux"]],
        "rules": [[{"if": "$CI_COMMIT_TAG =~ /^v/"}]],
        "transport": ["pipeline", "token"],
        "images": ["", "registry.example.com/acme/shop:$CI_COMMIT_TAG", "$SHOP_IMAGE,$WORKER_IMAGE"],
    }
    axes = {key: values for key, values in axes.items() if key in component(name).inputs}
    axes["rules"] = [component(name).inputs["rules"]["default"], *axes["rules"]]
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", NAMES)
def test_header_passes_gitlabs_schema(name: str) -> None:
    assert header_complaints(component(name).spec) == []


@pytest.mark.parametrize("name", NAMES)
def test_filled_in_it_passes_gitlabs_schema_for_every_combination(name: str) -> None:
    for given in choices(name):
        body = filled(name, **{key.replace("-", "_"): value for key, value in given.items()})
        assert complaints(body | resolved(body)) == [], given


def test_gitlabs_schema_refuses_what_is_wrong() -> None:
    assert header_complaints({"inputs": {"app": {"description": "x", "descripton": "x"}}})
    assert header_complaints({"inputs": {"app": {"description": "x", "type": "text"}}})
    assert complaints({"deliver": {"trigger": {"project": "a/b", "strategy": "copy"}}})
    assert complaints({"job": {"script": ["x"], "tags": "$[[ inputs.tags ]]"}})


@pytest.mark.parametrize(("name", "one"), INPUTS)
def test_every_input_says_what_it_is_and_takes_nothing_else(name: str, one: str) -> None:
    declared = component(name).inputs[one]
    assert len(declared["description"]) > 10
    assert ("default" not in declared) == ((name, one) in WITHOUT_DEFAULT)
    if declared.get("type", "string") != "string":
        assert isinstance(declared["default"], {"array": list, "number": int}[declared["type"]])
        return
    assert ("regex" in declared) != ("options" in declared)
    if "options" in declared:
        assert declared["default"] in declared["options"]
        assert len(declared["options"]) <= 50  # GitLab's limit
        return
    assert declared["regex"].startswith("^")
    assert declared["regex"].endswith("$")
    if "default" in declared:
        assert matches(declared["regex"], declared["default"])


@pytest.mark.parametrize(("name", "one"), INPUTS)
def test_hostile_text_is_refused(name: str, one: str) -> None:
    declared = component(name).inputs[one]
    if declared.get("type") == "array" or one == "reason":
        return
    for text in HOSTILE:
        harmless = one in ("images", "image") and text == "a$b"  # a variable's name, whose value GitLab puts in
        harmless |= one == "stage" and text == "a&b"  # the name of a stage, which nothing else reads
        if not harmless:
            with pytest.raises(ConfigurationError, match=f"`{one}` input"):
                filled(name, **{one.replace("-", "_"): text})


def test_a_reason_is_any_one_line_that_no_variable_is_in() -> None:
    regex = component("hydrate").inputs["reason"]["regex"]
    assert all(matches(regex, text) for text in ("", 'It\'s "slow" since 2.0; see #12 — really', "`id` & a|b"))
    assert all(matches(regex, text) for text in ("Überlastet 🔥", "日本語", "שלום", "“so” … €"))
    assert not any(matches(regex, text) for text in ("$HOME", "a\nb", "a\\b", "\x1b[1m", "x" * 201))


@pytest.mark.parametrize(
    "mark", ["\x85", "\x9b", *map(chr, (0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)))]
)
def test_a_reason_breaks_no_line_and_turns_no_writing(mark: str) -> None:
    assert not matches(component("hydrate").inputs["reason"]["regex"], f"a{mark}b")


@pytest.mark.parametrize(("name", "one"), INPUTS)
def test_a_regex_means_the_same_in_gitlab_and_in_browsers(name: str, one: str) -> None:
    """RE2 has no lookaround and no backreferences; classes like \\w differ, and inline flags too."""
    regex = component(name).inputs[one].get("regex", "")
    assert not re.search(r"\(\?|\\[a-wyzA-Z1-9]|\[\[:|[*+?}]\+", regex)


def jobs_of(name: str) -> list[str]:
    """Return the jobs of a component: it is named as its only one, but that `hydrate` can have one that waits."""
    return [name, "wait"] if name == "hydrate" else [name]


@pytest.mark.parametrize("name", NAMES)
def test_it_has_jobs_only(name: str) -> None:
    assert not set(component(name).body) & {
        *("default", "include", "stages", "variables", "workflow", "image", "services", "cache"),
        *("before_script", "after_script", "pages"),
    }
    jobs = {key: job for key, job in component(name).body.items() if not key.startswith(".")}
    assert list(jobs) == [f"$[[ inputs.job-prefix ]]{job}" for job in jobs_of(name)]
    for job in jobs.values():
        assert job["stage"] == "$[[ inputs.stage ]]"
        assert job["rules"] == "$[[ inputs.rules ]]" or job["rules"][-1] == "$[[ inputs.rules ]]"


@pytest.mark.parametrize("name", NAMES)
def test_inputs_reach_the_program_as_whole_values_of_variables(name: str) -> None:
    for key, job in component(name).body.items():
        for value in job.get("variables", {}).values():
            is_input = re.fullmatch(r"\$\[\[ inputs\.[a-z-]+ \]\]", value)
            assert is_input or value in ("none", "headgate-results", f"{FOLDER}/{LANDED}"), (key, value)
        script = job.get("script", [])
        assert len(script) <= 1
        assert all(re.fullmatch(r"headgate [a-z-]+", line) for line in script)
        assert not {"before_script", "after_script"} & set(job)


@pytest.mark.parametrize("name", NAMES)
def test_every_input_is_used(name: str) -> None:
    file = component(name)
    used = set(re.findall(r"inputs\.([a-z-]+)", "\n".join(strings(file.body))))
    assert used == set(file.inputs)


@pytest.mark.parametrize("name", NAMES)
def test_the_image_is_that_of_the_components_version(name: str) -> None:
    jobs = resolved(filled(name, **({"transport": "token"} if name == "deliver" else {})))
    assert {job["image"] for job in jobs.values()} == {f"$CI_REGISTRY/headgate/headgate:{CONTEXT['sha']}"}


def test_at_most_eight_inputs_are_for_people() -> None:
    form = {"handoff", "action", "app", "environment", "from", "to", "reason"}
    assert form <= set(component("hydrate").inputs)
    assert len(form) <= 8


def test_the_form_offers_what_the_program_does() -> None:
    inputs = component("hydrate").inputs
    assert inputs["action"]["options"] == ["", *ACTIONS]
    assert inputs["handoff"]["regex"] == PATTERN


def test_what_deliver_sends_is_what_hydrate_reads() -> None:
    (job,) = resolved(filled("deliver")).values()
    handoff = job["trigger"]["inputs"]["handoff"]
    assert matches(component("hydrate").inputs["handoff"]["regex"], handoff)
    image = parse_reference(f"registry.example.com/acme/shop:{COMMIT[:8]}")
    assert parse_claim(handoff) == Claim(project=7, commit=COMMIT, images=(image,))
    hydrate = filled("hydrate", handoff=handoff)["hydrate"]
    assert hydrate["variables"]["HEADGATE_HANDOFF"] == handoff


def test_a_variable_that_gitlab_does_not_know_is_refused_downstream() -> None:
    (job,) = resolved(filled("deliver", images="$SHOP_IMAGE")).values()
    assert not matches(component("hydrate").inputs["handoff"]["regex"], job["trigger"]["inputs"]["handoff"])


def test_a_claim_with_a_token_passes_the_same_door() -> None:
    text = write_claim(Claim(project=7, commit=COMMIT, images=(), token="eyJhbGciOiJSUzI1NiJ9.eyJh-_8.c2ln"))
    assert matches(component("hydrate").inputs["handoff"]["regex"], text)


def test_a_token_is_made_for_the_manifest_project() -> None:
    (job,) = resolved(filled("deliver", transport="token")).values()
    assert job["id_tokens"] == {"HEADGATE_ID_TOKEN": {"aud": audience("acme/manifests")}}
    assert "trigger" not in job


def test_a_trigger_job_has_only_what_gitlab_allows_there() -> None:
    """https://docs.gitlab.com/ci/yaml/#trigger."""
    (job,) = resolved(filled("deliver")).values()
    allowed = {"inherit", "interruptible", "trigger", "rules", "stage", "variables", "needs", "when", "environment"}
    assert set(job) <= allowed
    assert job["inherit"] == {"variables": False}
    assert job["trigger"]["forward"] == {"yaml_variables": False}, "else the app's variables restrict who may trigger"
    assert job["interruptible"] is False, "else a newer pipeline of the app cancels a hand-off"


@pytest.mark.parametrize("name", NAMES)
def test_stages_and_prefixes_are_what_people_have(name: str) -> None:
    for stage in ("deploy", "deploy:prod", "Build & push", "1. test", ".pre", ".post"):
        assert {job["stage"] for job in resolved(filled(name, stage=stage)).values()} == {stage}
    assert list(resolved(filled(name, job_prefix="shop: "))) == [f"shop: {job}" for job in jobs_of(name)]
    for hidden in (".", ".hidden ", " .", "/"):
        with pytest.raises(ConfigurationError, match="`job-prefix` input"):
            filled(name, job_prefix=hidden)


@pytest.mark.parametrize(("name", "one"), INPUTS)
def test_every_input_has_a_bound(name: str, one: str) -> None:
    declared = component(name).inputs[one]
    if one in ("handoff", "sender") or "regex" not in declared:
        return  # one is fixed; the other carries a token, as long as GitLab makes it
    begin = {"manifests": "a/", "server": "https://"}.get(one, "")
    assert not matches(declared["regex"], f"{begin}{'a' * 1001}")
    assert not matches(declared["regex"], f"{begin}a{'/a' * 1001}")
    bounds = [int(found) for found in re.findall(r",([0-9]+)\}", declared["regex"])]
    assert bounds
    assert max(bounds) <= 1000, "RE2 repeats nothing more often"
    for inner, outer in re.findall(r",([0-9]+)\}\)\{[0-9]+,([0-9]+)\}", declared["regex"]):
        assert int(inner) * int(outer) <= 1000, "nor in one that is repeated itself"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "warm"])
def test_paths_and_addresses_are_those_that_gitlab_has(name: str) -> None:
    """A whole path is 255 characters long at most (app/models/route.rb of GitLab); here each later part 100."""
    inputs = component(name).inputs
    for path in (
        "a/b",
        "acme/platform/manifests",
        f"a/{'b' * 100}",
        f"{'a' * 253}/b",
        f"{'a' * 90}/{'b' * 90}/c",
        "a/" * 10 + "b",
    ):
        assert matches(inputs["manifests"]["regex"], path), path
    for address in ("https://gitlab.example.com", "https://gitlab.example.com:8443/a/gitlab", "http://10.0.0.1"):
        assert matches(inputs["server"]["regex"], address), address


def test_the_job_that_waits_follows_the_rules_but_where_nothing_lands() -> None:
    rules = [{"if": "$CI_COMMIT_TAG"}]
    body = filled("hydrate", wait="15m", job_prefix="eu:", rules=rules)
    never = [
        {"if": '"15m" == ""', "when": "never"},
        {"if": '$CI_PIPELINE_SOURCE == "merge_request_event"', "when": "never"},
    ]
    assert body["eu:wait"]["rules"] == [*never, *rules]
    assert body["eu:wait"]["needs"] == ["eu:hydrate"]
    assert "resource_group" not in body["eu:wait"]


def test_two_includes_with_prefixes_do_not_mix() -> None:
    both = {**filled("deliver", job_prefix="a:", manifests="acme/a"), **filled("deliver", job_prefix="b:")}
    assert {name: job["trigger"]["project"] for name, job in resolved(both).items()} == {
        "a:deliver": "acme/a",
        "b:deliver": "acme/manifests",
    }


def test_yamlfmt_has_nothing_to_change() -> None:
    done = yamlfmt(TEMPLATES)
    assert done.returncode == 0, done.stderr


def test_yamlfmt_would_say_so(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("a:   1\n")
    assert yamlfmt(tmp_path).returncode != 0
