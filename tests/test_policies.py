"""Policies of the repository: which objects they find, what becomes of that, who may weaken them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from headgate.config import load
from headgate.configuration import Configuration
from headgate.errors import ConfigError, DeniedError
from headgate.hydration.judging import check_proposed_policies
from support.manifests import DEPLOYMENT, HEADGATE_YAML, ManifestRepository
from support.reviewing import make_scene, settings
from support.trees import HEADGATE, tree_of

pytestmark = pytest.mark.usefixtures("validator")

POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: replicas
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
    - expression: object.spec.replicas <= 3
      message: at most 3 replicas
"""
FEW = DEPLOYMENT.replace("acme/web\n", "acme/web:1\n").replace(
    "spec:\n  selector", "spec:\n  replicas: 2\n  selector", 1
)
MANY = FEW.replace("replicas: 2", "replicas: 4")
FOUND = "Deployment web/web: at most 3 replicas [policy/replicas]"


def app(manifests: ManifestRepository, text: str, name: str = "web", more: str = "") -> None:
    """Write an app that renders a text in dev."""
    manifests.write({f"templates/{name}/all.yaml": text})
    manifests.app(name, f"template: {name}\nenvironments: [dev]\n{more}")


def settle(manifests: ManifestRepository, section: str, policy: str = POLICY) -> None:
    """Write a policy, and what becomes of what it finds."""
    manifests.write({"headgate.yaml": f"{HEADGATE_YAML}{section}\n", "policies/replicas.yaml": policy})


def test_what_a_policy_finds_is_a_warning_shown_when_it_comes(manifests: ManifestRepository) -> None:
    settle(manifests, "")
    app(manifests, MANY)
    app(manifests, FEW, "other")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert ran.out.count("[policy/replicas]") == 1
    assert f"warning: {FOUND}" in ran.out
    app(manifests, MANY.replace("web:1", "web:2"))
    again = manifests.hydrate()
    assert "1 changed" in again.out
    assert "warning" not in again.out


def test_what_a_policy_refuses_fails_alone_and_each_time(manifests: ManifestRepository) -> None:
    settle(manifests, "policies: {replicas: {outcome: refuse}}")
    app(manifests, MANY)
    app(manifests, FEW, "other")
    for text in (MANY, MANY.replace("web:1", "web:2")):
        app(manifests, text)
        ran = manifests.hydrate()
        assert ran.code == DeniedError.code
        assert f"dev refuses the rendered objects:\n    {FOUND}" in ran.err
        assert "templates/web/all.yaml" in ran.err
        assert "policies/replicas.yaml:10: spec.validations[0].expression in the manifest repository" in ran.err
        assert (manifests.path / "deploy/dev/other").is_dir()
        assert not (manifests.path / "deploy/dev/web").exists()


def test_outcome_may_differ_by_environment(manifests: ManifestRepository) -> None:
    app(manifests, MANY)
    settle(manifests, "policies: {replicas: {outcome: refuse, environments: {dev: off}}}")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "warning" not in ran.out
    settle(manifests, "policies: {replicas: {outcome: off, environments: {dev: refuse}}}")
    assert manifests.hydrate("--all").code == DeniedError.code


def test_waiver_lets_pass_what_a_policy_refuses(manifests: ManifestRepository) -> None:
    until = date.today() + timedelta(days=30)  # noqa: DTZ011  a day more or less does not matter here
    waiver = f"{{rule: policy/replicas, object: Deployment/web, reason: a sale, until: {until}}}"
    section = f"policies: {{replicas: {{outcome: refuse}}}}\nvalidation: {{waivers: [{waiver}]}}"
    settle(manifests, section)
    app(manifests, MANY)
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert f"waived until {until} (a sale): {FOUND}" in ran.out
    settle(manifests, section.replace("Deployment/web", "Deployment/api"))
    assert manifests.hydrate("--all").code == DeniedError.code


def test_policy_compares_old_and_new_and_sees_what_goes(manifests: ManifestRepository) -> None:
    step = POLICY.replace("CREATE, UPDATE", "UPDATE, DELETE").replace(
        "object.spec.replicas <= 3", "object != null && object.spec.replicas >= oldObject.spec.replicas"
    )
    settle(manifests, "policies: {replicas: {outcome: refuse}}", step)
    other = FEW.replace("name: web\nspec", "name: api\nspec")
    app(manifests, f"{MANY}---{other}")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    app(manifests, f"{FEW}---{other}")
    assert manifests.hydrate().code == DeniedError.code
    app(manifests, MANY.replace("web:1", "web:2"))
    gone = manifests.hydrate()
    assert gone.code == DeniedError.code
    assert "Deployment web/api: at most 3 replicas" in gone.err
    kept = other.replace("name: api\n", "name: api\n  annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}\n", 1)
    app(manifests, f"{MANY}---{kept}")
    assert manifests.hydrate().code == 0
    app(manifests, MANY.replace("web:1", "web:2"))
    assert manifests.hydrate().code == 0  # Flux leaves it in the cluster


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("object.spec.replicas <= 3", "object.spec.replicas <= 3 && foo()", 10, "undeclared reference to 'foo'"),
        ("object.spec.replicas <= 3", "|\n        true &&\n        foo()", 12, "undeclared reference to 'foo'"),
        (
            "  matchC",
            "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  matchC",
            6,
            "parameters are objects of a cluster",
        ),
        ("  name: replicas", "  name: replicas\n---\nkind: Other", 6, "expected a ValidatingAdmissionPolicy"),
        ("message:", "masage:", 11, "unknown field"),
    ],
)
def test_policy_that_cannot_be_used_is_told_with_its_line(
    manifests: ManifestRepository, old: str, new: str, line: int, problem: str
) -> None:
    app(manifests, FEW)
    settle(manifests, "", POLICY.replace(old, new, 1))
    ran = manifests.hydrate()
    assert ran.code == ConfigError.code
    assert f"policies/replicas.yaml:{line}: " in ran.err
    assert problem in ran.err
    assert not (manifests.path / "deploy/dev/web").exists()


def test_second_document_is_placed_in_its_file(manifests: ManifestRepository) -> None:
    app(manifests, FEW)
    second = POLICY.replace("name: replicas", "name: second").replace("<= 3", "<= foo()")
    settle(manifests, "", f"{POLICY}---\n{second}")
    lines = f"{POLICY}---\n{second}".split("\n")
    line = next(number for number, text in enumerate(lines, start=1) if "foo()" in text)
    assert f"policies/replicas.yaml:{line}: " in manifests.hydrate().err


def test_bindings_and_policies_of_other_programs_are_the_clusters(manifests: ManifestRepository) -> None:
    app(manifests, FEW)
    settle(manifests, "")
    binding = (
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: a}\n"
    )
    other = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\n"
    manifests.write({"policies/of/others.yaml": f"{binding}---\n{other}", "policies/README.md": "# Policies"})
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "warning" not in ran.out


def test_settings_of_a_policy_that_is_not_there_are_an_error(manifests: ManifestRepository) -> None:
    app(manifests, FEW)
    settle(manifests, "policies: {replica: {outcome: refuse}}")
    ran = manifests.hydrate()
    assert ran.code == ConfigError.code
    assert "no policy 'replica' in policies/" in ran.err
    assert "did you mean 'replicas'?" in ran.err


def test_same_name_twice_is_an_error(manifests: ManifestRepository) -> None:
    app(manifests, FEW)
    settle(manifests, "")
    manifests.write({"policies/again.yaml": POLICY})
    assert "two policies are called 'replicas'" in manifests.hydrate().err


def configured(policy: str, section: str = "") -> Configuration:
    """Return the configuration of a repository with a policy."""
    return load(tree_of({"headgate.yaml": f"{HEADGATE}{section}", "policies/a.yaml": policy}))


def test_merge_request_does_not_weaken_policies() -> None:
    target = configured(POLICY, "policies: {replicas: {outcome: refuse}}\n")
    weaker = configured(POLICY.replace("3", "9")).guarded_by(target)
    assert weaker.policies.read("a.yaml") == POLICY.encode()
    assert weaker.settings.policies["replicas"].outcome == "refuse"
    check_proposed_policies(weaker)
    with pytest.raises(ConfigError, match="undeclared reference to 'foo'"):
        check_proposed_policies(configured(POLICY.replace("3", "foo()")).guarded_by(target))


@pytest.mark.long
def test_merge_request_has_the_findings_and_the_labels_of_policies(tmp_path: Path) -> None:
    with make_scene(tmp_path) as scene:
        section = "policies: {replicas: {outcome: label, labels: [capacity, large]}}\n"
        scene.push(scene.manifests, {"headgate.yaml": settings(scene.gitlab.url) + section, "policies/a.yaml": POLICY})
        scene.hand_off()
        request = scene.the_request()
        assert request.labels == []
        assert "policy/replicas" not in request.description
        assert scene.new_version(replicas=4).code == 0
        assert scene.the_request() is request
        assert request.labels == ["capacity", "large"]
        assert re.search(r"\*\*Look at this\*\*: .*1 warning", request.description)
        assert "at most 3 replicas" in request.description
        assert "policy/replicas" in request.description
        suites = {suite.get("name"): suite for suite in ET.parse(tmp_path / "headgate-report/junit.xml").getroot()}
        cases = {case.get("name"): case for case in suites["validation"]}
        assert list(cases) == [
            f"web in {name}: Deployment web/web: [policy/replicas]" for name in ("dev", "production")
        ]
        assert [case[0].get("message") for case in cases.values()] == [FOUND, FOUND]


def documented(page: str, kind: str) -> list[str]:
    """Return the blocks of a page of the documentation."""
    text = (Path(__file__).parents[1] / "docs" / page).read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_documented_policy_finds_what_the_page_says(manifests: ManifestRepository) -> None:
    policy, section, *_ = documented("policies.md", "yaml")
    warning, *_ = documented("policies.md", "")
    manifests.write({"policies/exposed.yaml": POLICY.replace("name: replicas", "name: exposed")})
    settle(manifests, section.replace("outcome: label", "environments: {dev: off}, outcome: label"), policy)
    app(manifests, FEW.replace("replicas: 2", "replicas: 10").replace("name: web\nspec", "name: shop\nspec"), "shop")
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    assert "warning" not in ran.out
    app(manifests, FEW.replace("replicas: 2", "replicas: 21").replace("name: web\nspec", "name: shop\nspec"), "shop")
    ran = manifests.hydrate()
    assert warning.strip() in ran.out
    assert "Deployment shop/shop: more than doubled: 10 to 21 [policy/replicas]" in ran.out


def test_policy_of_the_example_finds_privileged_containers(manifests: ManifestRepository) -> None:
    example = Path(__file__).parents[1] / "examples/manifest-repo/policies/privileged.yaml"
    settle(manifests, "", example.read_text())
    app(manifests, FEW)
    assert "warning" not in manifests.hydrate().out
    app(manifests, FEW.replace("- name: web", "- name: web\n          securityContext: {privileged: true}"))
    assert "Deployment web/web: containers must not be privileged: web [policy/privileged]" in manifests.hydrate().out
