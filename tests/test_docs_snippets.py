"""The pages' snippets: each is read, rendered or spoken by what it is for. Commands are in test_docs_run.py."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import tools
from headgate.engine.budget import USUAL
from headgate.model import App, Release, Settings
from headgate.notifications.announcement import Announcement
from support.cli import headgate
from support.gitlab.state import MAINTAINER
from support.manifests import COMMIT, DEPLOYMENT, DIGEST, ManifestRepository, git
from support.pages import PAGES, Block, blocks, read_page
from support.place import IMAGE, Place, make_place
from support.validator import use_validator

# --- every snippet is of one kind


def documents(block: Block) -> list[dict[str, Any]]:
    """Return what a block of YAML holds."""
    return [found for found in yaml.safe_load_all(block.text) if found is not None]


def is_configuration(block: Block) -> bool:
    """Whether it is of headgate.yaml or of an app.yaml."""
    return not is_record(block) and all(
        found.keys() <= Settings.model_fields.keys() | App.model_fields.keys() for found in documents(block)
    )


def is_record(block: Block) -> bool:
    """Whether it is of a release.yaml, which Headgate writes."""
    return "/release.yaml" in block.text.splitlines()[0]


def is_object(block: Block) -> bool:
    """Whether it is of Kubernetes' objects: test_docs_objects.py."""
    return "apiVersion:" in block.text


def is_ci(block: Block) -> bool:
    """Whether it is of a CI file: test_ci_local.py."""
    return bool({"include", "workflow"} & {key for found in documents(block) for key in found})


def is_kustomization(block: Block) -> bool:
    """Whether it is of a kustomization."""
    return any({"resources", "replacements"} & found.keys() for found in documents(block))


KINDS = (is_configuration, is_record, is_object, is_ci, is_kustomization)
OF_OTHERS: Mapping[str, str] = {
    "migration/gitlab-agent-0": "what GitLab's agent read until 17.0: nothing reads it any more",
}
"""Snippets that nothing can load here, and why."""
EVERY = {block.name: block for page in PAGES for block in blocks(page, "yaml")}


@pytest.mark.parametrize("name", EVERY)
def test_each_snippet_is_of_one_kind(name: str) -> None:
    kinds = [kind.__name__ for kind in KINDS if kind(EVERY[name])]
    assert len(kinds) == (name not in OF_OTHERS), kinds


# --- configuration


def configurations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the snippets that show configuration."""
    for name, block in EVERY.items():
        if name not in OF_OTHERS and is_configuration(block):
            yield from ((f"{name}-{number}", found) for number, found in enumerate(documents(block)))


CONFIGURATIONS = dict(configurations())


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_each_snippet_of_configuration_is_valid(name: str, tmp_path: Path) -> None:
    made, found = ManifestRepository.make(tmp_path / "manifests"), CONFIGURATIONS[name]
    environments: dict[str, dict[str, Any]] = {"dev": {"delivery": "commit"}, "production": {"delivery": "review"}}
    whole: dict[str, Any] = {"version": 1, "gitlab": {"url": "https://gitlab.example.com", "project": "acme/manifests"}}
    app: dict[str, Any] = {
        "project": "acme/shop",
        "images": {"shop": "registry.example.com/acme/shop"},
        "template": "web",
    }
    if found.keys() <= Settings.model_fields.keys():
        for environment, settings in found.pop("environments", {}).items():
            environments[environment] = {"delivery": "commit", **settings}
        clusters = found.get("clusters", {})
        if not any("cluster" in one for one in environments.values()) and "environments" not in str(clusters):
            environments = {name: {"delivery": "commit"} for name in clusters} | environments
        whole |= found
    else:
        app |= found
    others = [other for other in app.get("depends_on", []) if other != "shop"]
    whole["environments"] = environments
    made.write({"headgate.yaml": yaml.safe_dump(whole, sort_keys=False), "templates/web/web.yaml": DEPLOYMENT})
    for one in ("shop", *others):
        own = {key: value for key, value in app.items() if key != "depends_on" or one == "shop"}
        made.app(one, yaml.safe_dump(own | {"images": {one: f"registry.example.com/acme/{one}"}}))
    ran = made.commit().hydrate("--all", "--check")
    assert "error: headgate.yaml" not in ran.err, ran.err
    assert "app.yaml" not in ran.err, ran.err
    assert ran.code == 0, (ran.out, ran.err)


# --- kustomizations, and what is on record of them


def only(page: str, kind: Callable[[Block], bool]) -> str:
    """Return the one snippet of a page that is of a kind."""
    (found,) = (block for block in blocks(page, "yaml") if kind(block))
    return found.text


def test_replacements_take_values_as_the_page_shows(manifests: ManifestRepository) -> None:
    ingress = """
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: shop}
        spec: {rules: [{host: none}]}
        """
    kustomization = f"resources: [ingress.yaml]\n{only('docs/hydration.md', is_kustomization)}"
    manifests.write(
        {"templates/web/kustomization.yaml": kustomization.encode(), "templates/web/ingress.yaml": ingress}
    ).app("shop", "template: web\nenvironments: [dev]\n", {"values.yaml": "host: shop.example.com\n"})
    ran = manifests.hydrate()
    assert ran.code == 0, ran.err
    (found,) = manifests.objects("deploy/dev/shop")
    assert found["spec"]["rules"][0]["host"] == "shop.example.com"


@pytest.fixture
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with make_place(tmp_path, tmp_path_factory.mktemp("delivered"), monkeypatch) as made:
        yield made


@pytest.mark.long
def test_a_base_comes_along_and_is_on_record_as_the_page_shows(place: Place) -> None:
    page = "docs/dependencies.md"
    shown = yaml.safe_load(only(page, is_record))["config"]["dependencies"]
    base, chart = shown
    platform = place.folder / "bases"
    git(place.folder, "init", "--quiet", "--initial-branch=main", "bases")
    (platform / "web").mkdir()
    (platform / "web/kustomization.yaml").write_text("resources: [web.yaml]\n")
    (platform / "web/web.yaml").write_text(DEPLOYMENT.replace("acme/web", "acme/shop"))
    git(platform, "add", "--all")
    git(platform, "commit", "--quiet", "--message", "Begin")
    git(
        platform, "push", "--quiet", str(place.gitlab.project("platform/bases", {place.ada: MAINTAINER}).folder), "main"
    )
    commit = git(platform, "rev-parse", "HEAD")

    def here(text: str) -> str:
        return text.replace(base["commit"], commit)

    (hosts,) = (block.text for block in blocks(page, "yaml") if "hosts:" in block.text)
    settings = f"version: 1\nenvironments: {{production: {{delivery: commit, takes: {{branch: main}}}}}}\n{hosts}"
    app = f"project: acme/shop\nimages: {{shop: {IMAGE}}}\nconfig: deploy\n"
    place.clone({"headgate.yaml": settings, "apps/shop/app.yaml": app})
    shop = place.folder / "shop"
    (shop / "deploy").mkdir()
    (shop / "deploy/kustomization.yaml").write_text(here(only(page, is_kustomization)))
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message", "Build on a base")
    ran = headgate(
        *("deliver", "--manifests", place.remote, "--project", "acme/shop", "--source", str(shop)),
        *("--commit", git(shop, "rev-parse", "HEAD"), "--image", f"{IMAGE}:1.0@{DIGEST}"),
    )
    assert ran.code == 0, ran.out + ran.err
    release = place.release(place.checkout, "production")
    (recorded,) = release["config"]["dependencies"]
    assert recorded == {key: here(value) for key, value in base.items()}
    assert place.read(place.checkout, f"apps/shop/releases/production/config/{recorded['folder']}/kustomization.yaml")
    release["config"]["dependencies"].append(chart | {"digest": DIGEST})  # which test_chart_dependencies.py brings
    assert Release.model_validate(release)


# --- JSON


def alike(shown: Any, found: Any) -> bool:
    """Whether something is as it is shown, where ``...`` stands for any text."""
    if isinstance(shown, dict):
        return shown.keys() == found.keys() and all(alike(shown[key], found[key]) for key in shown)
    if isinstance(shown, list):
        return len(shown) == len(found) and all(map(alike, shown, found))
    if isinstance(shown, str) and "..." in shown:
        return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), str(found), re.DOTALL) is not None
    return bool(shown == found)


def json_lines(page: str) -> list[dict[str, Any]]:
    """Return the JSON that a page shows, each document once."""
    decoder, found = json.JSONDecoder(), []
    for block in blocks(page, "json"):
        text = block.text.strip()
        while text:
            document, end = decoder.raw_decode(text)
            found.append(document)
            text = text[end:].strip()
    return found


def speak(program: Path | None, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Say messages to a program that speaks the engine's protocol, and return what it says."""
    given = "".join(f"{json.dumps(message)}\n" for message in messages)
    command = [str(program), f"--memory={USUAL.memory}"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_engine_speaks_as_its_page_shows() -> None:
    greeting, tree, an_object, end = json_lines("docs/engine.md")
    chart = tree["files"]["web/Chart.yaml"].replace("...", "name: web\nversion: 1.0.0\n")
    template = '{{ $none := lookup "v1" "Secret" "" "" }}apiVersion: v1\nkind: ConfigMap\n'
    body = {"tree": tree["tree"], "folder": "web", "name": "web", "namespace": "web", "kubernetes": "1.34"}
    said = speak(
        tools.find_engine(),
        {**tree, "files": {"web/Chart.yaml": chart, an_object["source"]: f"{template}metadata: {{name: a}}\n"}},
        {"request": 7, "budget": USUAL.counts, "helm": {**body, "api_versions": [], "values": "{}", "images": {}}},
    )
    assert alike(greeting, said[0])
    assert {**an_object, "object": {**an_object["object"], "metadata": {"name": "a"}}} == said[1]
    warning = said[2]["warnings"][0]
    assert (said[2]["request"], said[2]["done"]) == (7, end["done"])
    assert end["warnings"][0].items() <= warning.items(), warning


def test_the_validator_speaks_as_its_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    use_validator(monkeypatch)
    tree, validate = json_lines("docs/validation.md")
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": next(iter(tree["files"]))},
    }
    deployment = yaml.safe_load(DEPLOYMENT.replace("spec:\n", "spec:\n  replica: 2\n", 1))
    deployment["metadata"]["namespace"] = "web"
    validate["validate"]["objects"] = [validate["validate"]["objects"][0] | deployment]
    validate["budget"] |= USUAL.counts
    said = speak(
        tools.find_validator(), {**tree, "files": dict.fromkeys(tree["files"], json.dumps(definition))}, validate
    )
    (shown,) = re.findall(r"and its answer `(\{.*?\})`\. CRDs", read_page("docs/validation.md"), re.DOTALL)
    answer = json.loads(shown.replace("\n", " "))
    said[1]["value"]["findings"] = [found for found in said[1]["value"]["findings"] if found["field"] == "spec.replica"]
    assert alike(answer, said[1]), said[1]


def test_a_webhook_gets_what_its_page_shows() -> None:
    (shown,) = json_lines("docs/notifications.md")
    data = shown["data"]
    (part,) = data["parts"]
    release = Release.model_validate(
        {
            "version": 1,
            "images": {
                part["name"]: {
                    **{key: part[key] for key in ("project", "ref", "tag")},
                    "repository": IMAGE,
                    "commit": COMMIT,
                    "digest": DIGEST,
                }
            },
        }
    )
    announcement = Announcement(
        **{key: data[key] for key in ("event", "app", "environment", "version", "actor")},
        commit=COMMIT,
        parts=tuple(release.images.items()),
        url=data["url"].replace("...", COMMIT),
    )
    event = announcement.cloud_event(shown["source"], datetime.fromisoformat(shown["time"]))
    assert len(event["id"]) == len(shown["id"])
    assert alike({**shown, "id": "..."}, event), event


def test_no_json_is_shown_elsewhere() -> None:
    shown = {page for page in PAGES if blocks(page, "json")}
    assert shown == {"docs/engine.md", "docs/notifications.md", "docs/validation.md"}
