"""``headgate adopt``: what it writes, what it asks, and what stops it. Layouts are in test_adopt_layouts.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support.adopting import (
    BRANCH,
    DIGEST,
    IMAGE,
    SERVICE,
    Running,
    deployment,
    differing,
    equal,
    flux_kustomization,
    make_running,
    marked,
    stands,
)
from support.manifests import git


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return make_running(tmp_path)


def test_one_value_that_differs_is_named_and_nothing_is_written(running: Running, tmp_path: Path) -> None:
    running.write({f"{name}/shop/deployment.yaml": deployment() for name in ("dev", "production")})
    for name, replicas in (("dev", 1), ("production", 5)):
        file = tmp_path / f"today/{name}/shop.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(deployment(replicas=replicas))
    today = ("--today", str(tmp_path / "today"))
    ran = running.adopt(*today)
    assert ran.code == 20
    assert "1 object would differ from today, so nothing was written" in ran.err
    assert not running.is_written()
    shown = " ".join(ran.out.split())
    assert "1 object would differ from what runs today, of 2 objects" in shown
    assert "spec.replicas - 5 + 1" in shown

    ((environment, action, name, fields),) = differing(running.proof(*today, "--accept-differences"))
    assert (environment, action, name) == ("production", "changed", "Deployment shop")
    assert [(field["path"], field["old"], field["new"]) for field in fields] == [("spec.replicas", "5", "1")]
    assert running.is_written()


def test_a_single_folder_needs_its_environment(running: Running, tmp_path: Path) -> None:
    running.write({"manifests/shop/deployment.yaml": deployment()})
    ran = running.adopt()
    assert ran.code == 38
    assert "found nothing to adopt" in ran.err
    assert equal(running.proof("--environment", "production:review")) == {("shop", "production"): 1}
    stands(running, tmp_path / "adopted")


def test_a_namespace_that_no_file_names_is_asked_for(running: Running) -> None:
    running.write({"dev/shop/deployment.yaml": deployment().replace("  namespace: shop\n", "")})
    ran = running.adopt()
    assert ran.code == 38
    assert "no object of 'shop' in dev names its namespace, and Deployment shop needs one" in ran.err
    assert "pass --namespace shop=NAMESPACE" in ran.err
    proof = running.proof("--namespace", "shop=web")
    assert equal(proof) == {("shop", "dev"): 1}
    assert proof["apps"][0]["namespace"] == "web"


def test_a_folder_that_names_no_app_is_asked_for(running: Running) -> None:
    running.write({"production/deployment.yaml": deployment()})
    ran = running.adopt()
    assert ran.code == 38
    assert "the folder production names no app" in ran.err
    assert "pass --app NAME={environment}" in ran.err
    assert equal(running.proof("--app", "shop={environment}")) == {("shop", "production"): 1}


def test_an_encrypted_object_stays_byte_for_byte(running: Running) -> None:
    encrypted = (
        "# encrypted with age\nkind:   Secret\napiVersion: v1\nmetadata: {name: db,   namespace: shop}\nstringData:\n"
        "    password: ENC[AES256_GCM,data:abc=,iv:def=,tag:ghi=,type:str]\nsops:\n"
        "    mac: ENC[AES256_GCM,data:xyz=,iv:uvw=,tag:rst=,type:str]\n    version: 3.9.0\n"
    )
    running.write({"dev/shop/secret.yaml": encrypted, "dev/shop/service.yaml": SERVICE})
    assert equal(running.proof()) == {("shop", "dev"): 2}
    assert running.show("deploy/dev/shop/secret-db.yaml") == encrypted.strip()


def test_a_secret_in_plain_text_stops_it(running: Running) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: hunter2}\n"
    running.write({"dev/shop/secret.yaml": secret, "dev/cart/service.yaml": SERVICE.replace("shop", "cart")})
    ran = running.adopt("--report", str(running.path / "proof.md"))
    assert ran.code == 19
    assert "Secret shop/db: a Secret in plain text" in ran.err
    assert "encrypt the Secret with SOPS, or let External Secrets fetch it in the cluster" in ran.err
    assert not running.is_written()
    for text in (ran.out, ran.err, (running.path / "proof.md").read_text()):
        assert "hunter2" not in text
    assert equal(running.proof("--leave-out", "shop")) == {("cart", "dev"): 1}


def test_hooks_are_differences_with_their_reason(running: Running, tmp_path: Path) -> None:
    hook = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: before, annotations: {helm.sh/hook: pre-upgrade}}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
    )
    running.write(
        {
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "web/templates/a.yaml": hook,
            "web/values-dev.yaml": "",
        }
    )
    ran = running.adopt("--namespace", "web")
    assert ran.code == 38
    assert "the chart of 'web' has hooks (ConfigMap before: pre-upgrade), which Helm runs" in ran.err
    assert "pass --hooks web=drop, or web=keep" in ran.err
    proof = running.proof("--namespace", "web", "--hooks", "web=drop", "--dry-run")
    ((_, action, name, _),) = differing(proof)
    assert (action, name) == ("removed", "ConfigMap before")
    assert proof["apps"][0]["differences"][0]["reason"].startswith("a Helm hook, which Helm runs by itself")
    assert equal(running.proof("--namespace", "web", "--hooks", "web=keep")) == {("web", "dev"): 2}


def test_what_flux_does_on_the_way_is_done(running: Running, tmp_path: Path) -> None:
    running.write(
        {
            "apps/shop/deployment.yaml": deployment().replace("  namespace: shop\n", ""),
            "clusters/dev/shop.yaml": flux_kustomization("shop", "apps/shop", targetNamespace="dev-shop"),
            "clusters/production/shop.yaml": flux_kustomization(
                *("shop", "apps/shop"),
                targetNamespace="live-shop",
                patches=[
                    {
                        "target": {"kind": "Deployment"},
                        "patch": '[{"op": "replace", "path": "/spec/replicas", "value": 9}]',
                    }
                ],
            ),
        }
    )
    proof = running.proof()
    assert equal(proof) == {("shop", "dev"): 1, ("shop", "production"): 1}
    assert [found["namespace"] for found in proof["apps"]] == ["dev-shop", "live-shop"]
    live = yaml.safe_load(running.show("deploy/production/shop/deployment.apps-shop.yaml"))
    assert (live["metadata"]["namespace"], live["spec"]["replicas"]) == ("live-shop", 9)
    stands(running, tmp_path / "adopted")


def test_images_that_flux_updates_become_parts_of_releases(running: Running, tmp_path: Path) -> None:
    marked(running, f"{IMAGE}@{DIGEST}")
    proof = running.proof("--app-project", "shop=acme/shop", "--project", "acme/manifests")
    assert equal(proof) == {("shop", "dev"): 1, ("shop", "production"): 1}
    assert any("delete the ImageUpdateAutomation images (automation/images.yaml)" in step for step in proof["steps"])
    app = yaml.safe_load(running.show("apps/shop/app.yaml"))
    assert (app["project"], app["images"]) == ("acme/shop", {"shop": "registry.example.com/acme/shop"})
    release = yaml.safe_load(running.show("apps/shop/releases/production/release.yaml"))
    assert release["images"]["shop"] == {
        "project": "acme/manifests",
        "commit": git(running.path, "rev-parse", "main"),
        "ref": "refs/heads/main",
        "repository": "registry.example.com/acme/shop",
        "tag": "1.4.2",
        "digest": DIGEST,
    }
    stands(running, tmp_path / "adopted")


def test_an_image_without_a_digest_stays_as_it_is_and_is_named(running: Running) -> None:
    marked(running, IMAGE)
    proof = running.proof("--app-project", "shop=acme/shop")
    equal(proof)
    assert proof["images"] == {"shop": ["registry.example.com/acme/shop"]}
    assert "#   shop: registry.example.com/acme/shop" in running.show("apps/shop/app.yaml")
    assert running.files("apps/shop") == ["app.yaml"]


def test_what_is_in_the_way_is_not_replaced(running: Running) -> None:
    running.write({"dev/shop/service.yaml": SERVICE, "templates/shop/service.yaml": "mine: true\n"})
    ran = running.adopt()
    assert ran.code == 20
    assert "templates/shop/service.yaml: a file is in the way" in ran.err
    running.write({"environments/dev/values.yaml": "a: 1\n"})
    ran = running.adopt()
    assert ran.code == 20
    assert (
        "environments/dev/values.yaml: Headgate would read this file, which has another meaning, as one of its own"
        in ran.err
    )


def test_the_checkout_stays_as_it_is(running: Running) -> None:
    running.write({"dev/shop/service.yaml": SERVICE})
    before = git(running.path, "rev-parse", "main")
    assert "nothing was written (--dry-run)" in running.adopt("--dry-run").out
    assert not running.is_written()
    assert running.adopt().code == 0
    assert git(running.path, "rev-parse", "HEAD") == before
    assert git(running.path, "status", "--porcelain") == ""
    assert running.adopt().code == 0, "it replaces its own commit"
    git(running.path, "branch", "--force", BRANCH, "main")
    ran = running.adopt()
    assert ran.code == 20
    assert "has a commit that 'headgate adopt' did not make" in ran.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--environment", "dev:later"), "expected NAME, NAME:commit or NAME:review"),
        (("--namespace", "shop="), "expected APP=..."),
        (("--hooks", "shop=run"), "expected drop or keep"),
        (("--charts", "/nowhere"), "--charts names no folder"),
        (("--layout", "flux"), "the repository has no Flux Kustomization"),
        (("--app", "shop=nowhere/{environment}"), "nothing to render in nowhere/{environment}"),
        (("--merge-request",), "--merge-request needs the project"),
    ],
)
def test_what_cannot_be_meant_is_refused(running: Running, args: tuple[str, ...], words: str) -> None:
    running.write({"dev/shop/service.yaml": SERVICE})
    ran = running.adopt(*args)
    assert ran.code == 38
    assert words in ran.err
    assert not running.is_written()


def test_what_no_name_explains_is_listed_and_nothing_else_is_taken_for_it(running: Running) -> None:
    running.write(
        {
            "apps/smoke-test/overlays/dev/kustomization.yaml": "kind: Kustomization\nresources: [service.yaml]\n",
            "apps/smoke-test/overlays/dev/service.yaml": SERVICE,
            "prod-eu/shop/service.yaml": SERVICE,
            "tools/chart/Chart.yaml": "apiVersion: v2\nname: tool\nversion: 1.0.0\n",
        }
    )
    proof = running.proof()
    assert equal(proof) == {("smoke-test", "dev"): 1}
    found = [(item["what"], item["environment"]) for item in proof["left_out"]]
    assert found == [("prod-eu/shop", None), ("tools/chart", None)]
    assert "no adopted app has its objects" in proof["left_out"][0]["reason"]
