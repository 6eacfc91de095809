"""What the pages show of what is printed, as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.manifests import DEPLOYMENT, ManifestRepository, git
from support.pages import PAGES, blocks
from support.stage import Stage
from support.validator import use_validator

SETTINGS = """\
version: 1
environments:
  dev: {takes: {branch: main}, delivery: commit}
  production: {takes: {promotion: dev}, delivery: commit}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: NAME, namespace: NAME}\nspec: {ports: [{port: 80}]}\n"
SKETCHES = {
    "README-0": "the way of a hand-off",
    "README-1": "the folders of a manifest repository",
    "adopting-0": "the way of an adoption",
    "engine-0": "the engine's two ends",
    "scale-0": "a file that test_split_templates.py writes its own of",
}
"""Blocks without a language that nothing prints."""
PRINTED = {"reading-0", "reading-1", "reading-2", "validation-0", "policies-0", "policies-1"}
"""Those that tests compare with what is printed: here, and in test_policies.py."""


def shown(page: str, number: int) -> str:
    """Return what a page says is printed."""
    return blocks(page, "")[number].text


def assert_printed(text: str, printed: str) -> None:
    """Assert that something is printed, but for times, ages, the rest of a digest, and commits that nobody chose."""
    pattern = r"\s+".join(re.escape(word) for word in text.split())
    for of_a_time, any_of_them in (
        (r"\d{4}\\-\d\d\\-\d\d", r"\\d{4}-\\d\\d-\\d\\d"),
        (r"\d\d:\d\d(?=,|\\s)", r"\\d\\d:\\d\\d"),
        (r"(?<=\\s\+)\d+[mhdw](?=\\s)", r"\\w+"),
        (r"\\\.\\\.\\\.", r"[0-9a-f]+"),
        (r"(?<=,\\s\+)[0-9a-f]{12}", r"[0-9a-f]{12}"),
    ):
        pattern = re.sub(of_a_time, any_of_them, pattern)
    assert re.search(pattern, printed), f"{pattern}\n{printed}"


def deliver(fleet: Stage, app: str, tag: str, commit: str, digest: str = "5") -> None:
    image = f"registry.example.com/acme/{app}:{tag}@sha256:{digest:0<64}"
    named = ("--project", f"acme/{app}", "--commit", f"{commit:0<40}", "--image", image, "--pipeline", "811")
    fleet.command("deliver", *named, "--by", "mia", "--allow-diverged")


def promote(fleet: Stage, app: str) -> None:
    fleet.command("promote", app, "--from", "dev", "--to", "production", "--by", "mia")


@pytest.fixture
def fleet(tmp_path: Path) -> Stage:
    """Return a manifest repository with two apps, and a checkout in which people work by hand."""
    made = ManifestRepository.make(tmp_path / "begin")
    made.write({"headgate.yaml": SETTINGS})
    for app in ("cart", "shop"):
        template = DEPLOYMENT.replace("web", app).replace("spec:\n", "spec:\n  replicas: {{ values.replicas }}\n", 1)
        made.write({f"templates/{app}/{app}.yaml.j2": template, f"templates/{app}/values.yaml": "replicas: 2\n"})
        image = f"registry.example.com/acme/{app}"
        made.app(app, f"project: acme/{app}\nimages: {{{app}: {image}}}\ntemplate: {app}\n")
    made.write({"templates/old/old.yaml": SERVICE.replace("NAME", "old")})
    made.app("old", "template: old\nenvironments: [dev]\n").commit()
    assert made.hydrate("--commit").code == 0
    git(tmp_path, "clone", "--quiet", "--bare", str(made.path), "remote.git")
    git(tmp_path, "clone", "--quiet", "remote.git", "checkout")
    found = Stage(tmp_path, ManifestRepository(tmp_path / "checkout"), tmp_path / "remote.git")
    found.change({"apps/old/app.yaml": None})
    for app, tag, commit, digest in (("cart", "1.4.2", "9f04c1d2ab77", "4"), ("shop", "2.0.7", "1f6e2b90cc01", "7d0c")):
        deliver(found, app, tag, commit, digest)
        promote(found, app)
    return found


@pytest.mark.long
def test_status(fleet: Stage) -> None:
    deliver(fleet, "cart", "1.5.0", "4bc8c747eac6")
    fleet.command("pin", "cart", "--environment", "dev", "--reason", "the new cart loses items")
    deliver(fleet, "cart", "1.5.1", "5bc8c747eac6")
    deliver(fleet, "shop", "2.1.0", "b5bf35f56dff")
    fleet.change({"headgate.yaml": SETTINGS.replace("dev}, delivery: commit", "dev}, delivery: review")})
    promote(fleet, "shop")
    fleet.command("freeze", "production", "--reason", "holidays")
    fleet.change({"apps/shop/values.dev.yaml": "replicas: 3\n"})
    assert_printed(shown("docs/reading.md", 0), fleet.command("status").out)


@pytest.mark.long
def test_where(fleet: Stage) -> None:
    assert_printed(shown("docs/reading.md", 1), fleet.command("where", "registry.example.com/acme/shop:2.0.7").out)


@pytest.mark.long
def test_verify(fleet: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    file = "deploy/production/cart/deployment.apps-cart.yaml"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Eve")
    fleet.change({file: fleet.show("main", file).replace("replicas: 2", "replicas: 9")}, "Scale up")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bob")
    fleet.change({"deploy/production/cart/extra.yaml": SERVICE.replace("NAME", "cart")}, "Try something")
    assert_printed(shown("docs/reading.md", 2), fleet.command("verify", code=1).out)


def test_what_a_server_would_reject(manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    use_validator(monkeypatch)
    wrong = DEPLOYMENT.replace("web", "shop").replace("spec:\n", "spec:\n  replica: 2\n", 1)
    manifests.write({"templates/web/deployment.yaml": wrong})
    manifests.app("shop", "template: web\nenvironments: [dev]\n")
    ran = manifests.hydrate()
    assert_printed(shown("docs/validation.md", 0), ran.err)


def test_a_policy_that_cannot_be_used(manifests: ManifestRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    use_validator(monkeypatch)
    policy = blocks("docs/policies.md", "yaml")[0].text.partition("\n")[2]
    manifests.write({"policies/replicas.yaml": policy.replace("object.spec.replicas <= 10", "objekt.a <= 10").encode()})
    manifests.write({"templates/web/web.yaml": DEPLOYMENT}).app("shop", "template: web\nenvironments: [dev]\n")
    ran = manifests.hydrate()
    assert ran.code != 0
    assert_printed(shown("docs/policies.md", 1), ran.err)


def test_nothing_else_is_shown() -> None:
    assert {block.name for page in PAGES for block in blocks(page, "")} == {*SKETCHES, *PRINTED}
