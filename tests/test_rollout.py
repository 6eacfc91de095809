"""From a push to pods that run: real Flux on real API servers, whose nodes and pods are only said to run."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from support.cluster import Cluster, secret, wait_for
from support.gitlab.mergeside import merge
from support.gitlab.state import Project, Variable
from support.keys import artifact_key
from support.publishing import MANIFEST
from support.rollout import ENDED, HOOK, SECONDS, Rollout, rollout

pytestmark = pytest.mark.cluster

SETTINGS = """
environments:
  dev: {takes: {branch: main}, delivery: commit, on_failure: roll-back}
  production: {takes: {promotion: dev, auto: healthy}, delivery: review}
  tools: {delivery: commit}
  store: {delivery: commit, output: {oci: {repository: "{registry}/deploy/{environment}"}}}
clusters:
  eu:
    environments: [dev, tools]
    flux: {{unasked}, receiver: flux-receiver, service_account: "apply-{environment}"}
    health: {kubernetes: eu}
  us:
    environments: [dev, production, store]
    flux: {{flux}, statuses: flux-statuses, cosign: artifacts, sops: sops-keys}
    health: {statuses: flux-bot}
"""
APP = "environments: {dev: {}, production: {namespace: NAME-production}}\n"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers: [{name: app, image: IMAGE}]
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  volumeName: keeper
  resources: {requests: {storage: 1Gi}}
"""
VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "keeper"},
    "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}},
}
TOOLS = [f"tool-{number:02}" for number in range(1, 21)]
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ app }}}
spec:
  selector: {matchLabels: {app: {{ app }}}}
  template:
    metadata: {labels: {app: {{ app }}}}
    spec:
      containers: [{name: app, image: registry.example.com/platform/tool:1.0}]
"""
GREEDY = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: above-all}
value: 1000000
"""
STORED = TEMPLATE.replace("registry.example.com/platform/tool:1.0", "{{ values.image }}")
SOPS = Path(__file__).parent / "cluster/sops"


@dataclass(frozen=True)
class Apps:
    """What runs, and the apps whose first versions were pushed, with their commits."""

    rollout: Rollout
    projects: dict[str, Project]
    first: dict[str, str]


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Run all of it, with the first versions of all apps on their way."""
    with rollout(tmp_path_factory.mktemp("rollout"), SETTINGS, "eu", "us") as made:
        made.clusters["eu"].apply(VOLUME)
        made.clusters["us"].apply(VOLUME)
        add_accounts(made.clusters["eu"])
        key, public = artifact_key(tmp_path_factory.mktemp("key"))
        made.acme.manifests.variables["HEADGATE_ARTIFACT_KEY"] = Variable(str(key), protected=True, masked=False)
        keys = secret("sops-keys", **{"test.agekey": (SOPS / "test.agekey").read_text()})
        made.clusters["us"].apply(keys, secret("artifacts", **{"artifacts.pub": public.read_text()}))
        projects = {name: add(made, name, {}) for name in ("web", "cart", "late")}
        projects["keeper"] = add(made, "keeper", {"claim.yaml": CLAIM})
        first = {
            name: made.push(project, {"version": "1"}, crashes=name == "late") for name, project in projects.items()
        }
        made.call_flux("eu")
        yield Apps(made, projects, first)


def add_accounts(cluster: Cluster) -> None:
    """Add the accounts by which Flux applies: one has all rights, that of the tools has them in their namespace."""
    cluster.kubectl("create", "namespace", "tools")
    for environment in ("dev", "tools"):
        cluster.kubectl("create", "serviceaccount", f"apply-{environment}", "--namespace=flux-system")
    dev, tools = (f"--serviceaccount=flux-system:apply-{environment}" for environment in ("dev", "tools"))
    cluster.kubectl("create", "clusterrolebinding", "apply-dev", "--clusterrole=cluster-admin", dev)
    cluster.kubectl("create", "rolebinding", "apply-tools", "--namespace=tools", "--clusterrole=admin", tools)


def add(made: Rollout, name: str, more: dict[str, str]) -> Project:
    files = {"app.yaml": DEPLOYMENT.replace("NAME", name), **more}
    return made.add_app(name, APP.replace("NAME", name), files)


def statuses(project: Project, commit: str) -> dict[str, tuple[str, str]]:
    """Return the newest commit statuses of an app's commit, by name: state and text."""
    return {one["name"]: (one["status"], one["description"]) for one in project.statuses if one["sha"] == commit}


def wait(apps: Apps, *args: str) -> subprocess.CompletedProcess[str]:
    """Run ``headgate wait`` as a person does who may read the clusters and the manifest project."""
    acme = apps.rollout.acme
    token = acme.gitlab.token(acme.max, "read_api")
    env = {"PATH": os.environ["PATH"], "KUBECONFIG": str(apps.rollout.kubeconfig), "HEADGATE_TOKEN": token}
    command = [sys.executable, "-m", "headgate", "wait", *args, "--manifests", acme.manifests.folder.as_uri()]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SECONDS)


def request_of(apps: Apps, name: str) -> list[str]:
    """Return the titles of the open merge requests that would bring an app to production."""
    acme = apps.rollout.acme
    found = acme.gitlab.open_requests(acme.manifests)
    return [one.title for one in found if one.source == f"headgate/production/{name}"]


def test_a_push_becomes_healthy_on_two_clusters_and_then_is_promoted(apps: Apps) -> None:
    made, web, commit = apps.rollout, apps.projects["web"], apps.first["web"]
    made.wait_for_deployment(web, "dev", commit, "running", "success")
    for cluster in ("eu", "us"):
        made.wait_for_flux(cluster, f"web.dev.{cluster}")
        assert f"/acme/web:{commit[:8]}@sha256:" in made.image_in(cluster, "web", "web")
        pods = made.clusters[cluster].get("pods", namespace="web")
        assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    assert wait(apps, "web", "--environment", "dev", "--timeout", "30s").returncode == 0
    assert request_of(apps, "web") == []
    made.run_schedule()
    assert made.wait_for_deployment(web, "dev", commit, "success")
    state, text = statuses(web, commit)["headgate: dev"]
    assert (state, text.endswith(", healthy")) == ("success", True)

    (request,) = [one for one in made.acme.gitlab.open_requests(made.acme.manifests) if "/web" in one.source]
    assert made.image_in("us", "web-production", "web") == ""
    merge(made.acme.gitlab, request, made.acme.max)
    made.wait_for_flux("us", "web.production.us")
    assert made.image_in("us", "web-production", "web") == made.image_in("us", "web", "web")
    assert made.clusters["eu"].get("deployments", "web", "web-production") is None
    made.run_schedule()
    assert made.wait_for_deployment(web, "production", commit, "success")


def test_an_image_that_never_gets_ready_fails_and_is_rolled_back(apps: Apps) -> None:
    made, cart, late = apps.rollout, apps.projects["cart"], apps.projects["late"]
    for cluster in ("eu", "us"):
        made.wait_for_flux(cluster, f"cart.dev.{cluster}")
    good = made.image_in("eu", "cart", "cart")
    bad = made.push(cart, {"version": "2"}, crashes=True)
    made.wait_for_deployment(cart, "dev", bad, "running")
    landed = made.head()
    for cluster in ("eu", "us"):
        made.wait_for_flux(cluster, f"cart.dev.{cluster}", landed, "HealthCheckFailed")
    assert f"crashes-{bad[:8]}" in made.image_in("eu", "cart", "cart")
    ran = wait(apps, "cart", "--environment", "dev", "--json")
    (told,) = json.loads(ran.stdout)["apps"]
    assert (ran.returncode, told["health"]) == (35, "failed")
    assert told["reason"].startswith("HealthCheckFailed")

    made.run_schedule()
    assert made.wait_for_deployment(cart, "dev", bad, "failed")
    assert statuses(cart, bad)["headgate: dev"][0] == "failed"
    assert [title for title in request_of(apps, "cart") if bad[:8] in title] == []
    assert made.acme.gitlab.subjects(made.acme.manifests)[0].startswith("Roll back cart in dev")
    rolled_back = made.head()
    for cluster in ("eu", "us"):
        made.wait_for_flux(cluster, f"cart.dev.{cluster}", rolled_back)
        assert made.image_in(cluster, "cart", "cart") == good

    # The one whose first version failed has nothing to go back to, and goes on with the next.
    assert made.wait_for_deployment(late, "dev", apps.first["late"], "failed")
    assert request_of(apps, "late") == []
    fixed = made.push(late, {"version": "2"})
    made.wait_for_deployment(late, "dev", fixed, "running")
    for cluster in ("eu", "us"):
        made.wait_for_flux(cluster, f"late.dev.{cluster}", made.head())
    assert fixed[:8] in made.image_in("us", "late", "late")


def test_removal_takes_the_objects_away_and_keeps_the_data(apps: Apps) -> None:
    made = apps.rollout
    for cluster in ("eu", "us"):
        made.wait_for_flux(cluster, f"keeper.dev.{cluster}")
    made.push_manifests({"apps/keeper/app.yaml": None}, message="Remove keeper")
    for name, found in made.clusters.items():
        wait_for(lambda: is_gone(apps, name), SECONDS, f"keeper goes from {name}")  # noqa: B023
        assert found.names("deployments", "keeper") == []
        assert found.names("deployments", "web") == ["web"]
        assert found.get("persistentvolumeclaims", "data", "keeper")["status"]["phase"] == "Bound"
        assert found.kubectl("get", "namespace", "keeper", "--output=jsonpath={.status.phase}") == "Active"


def is_gone(apps: Apps, cluster: str) -> bool:
    return apps.rollout.clusters[cluster].get("kustomizations", f"keeper.dev.{cluster}") is None


def test_a_change_of_a_template_reaches_twenty_apps_by_one_commit(apps: Apps) -> None:
    made, eu = apps.rollout, apps.rollout.clusters["eu"]
    files = {f"apps/{name}/app.yaml": "template: tool\nnamespace: tools\nenvironments: [tools]\n" for name in TOOLS}
    made.push_manifests({"templates/tool/tool.yaml.j2": TEMPLATE, **files}, message="Twenty tools")
    for name in TOOLS:
        made.wait_for_flux("eu", f"{name}.tools.eu")
    assert eu.names("deployments", "tools") == TOOLS
    before = made.head()
    changed = TEMPLATE.replace("tool:1.0", "tool:1.1")
    pushed = made.push_manifests({"templates/tool/tool.yaml.j2": changed}, message="Tool 1.1")
    wait_for(lambda: made.head() not in (before, pushed), SECONDS, "the template's apps are hydrated")
    hydrated = made.head()
    assert made.acme.gitlab.commit(made.acme.manifests, f"{hydrated}^") == pushed
    for name in TOOLS:
        made.wait_for_flux("eu", f"{name}.tools.eu", hydrated)
    found = eu.get("deployments", namespace="tools")
    images = {one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found}
    assert (len(found), images) == (len(TOOLS), {"registry.example.com/platform/tool:1.1"})
    ran = wait(apps, "--environment", "tools", "--timeout", "60s")
    assert (ran.returncode, ran.stdout.count(": healthy since ")) == (0, len(TOOLS)), ran.stdout


def test_an_app_may_only_what_its_service_account_may(apps: Apps) -> None:
    """All else on ``eu`` is applied by such accounts, too."""
    made = apps.rollout
    app = "template: greedy\nnamespace: tools\nenvironments: [tools]\n"
    files: dict[str, str | None] = {"apps/greedy/app.yaml": app, "templates/greedy/greedy.yaml.j2": GREEDY}
    made.push_manifests(files, message="A greedy app")
    made.wait_for_flux("eu", "greedy.tools.eu", reason="ReconciliationFailed")
    ran = wait(apps, "greedy", "--environment", "tools", "--json")
    (found,) = json.loads(ran.stdout)["apps"]
    assert (ran.returncode, found["health"]) == (35, "failed"), found
    assert "system:serviceaccount:flux-system:apply-tools" in found["reason"]
    assert "forbidden" in found["reason"]
    assert "above-all" not in made.clusters["eu"].kubectl("get", "priorityclasses", "--output=name")


def test_signed_artifacts_are_applied_in_order_and_decrypted(apps: Apps) -> None:
    made, us = apps.rollout, apps.rollout.clusters["us"]
    placed = "namespace: store\nenvironments: [store]\n"
    files: dict[str, str | None] = {
        "apps/database/app.yaml": f"template: stored\n{placed}",
        "apps/database/values.yaml": "image: registry.example.com/platform/database:crashes\n",
        "apps/backend/app.yaml": f"template: stored\n{placed}depends_on: [database]\n",
        "apps/backend/values.yaml": "image: registry.example.com/platform/backend:1.0\n",
        "apps/passwords/app.yaml": f"template: passwords\n{placed}",
        "templates/stored/stored.yaml.j2": STORED,
        "templates/passwords/secret.yaml": (SOPS / "secret.yaml").read_text(),
    }
    made.push_manifests(files, message="A store")
    made.wait_for_flux("us", "passwords.store.us")
    assert condition(us.get("ocirepositories", "headgate.store"), "SourceVerified")["status"] == "True"
    decrypted = json.loads(us.kubectl("get", "secret", "login", "--namespace=store", "--output=json"))["data"]
    assert base64.b64decode(decrypted["password"]).decode() == "correct horse battery staple"

    wait_for(lambda: us.get("deployments", "database", "store"), SECONDS, "the database is applied")
    wait_for(lambda: ready(us, "backend").get("reason") == "DependencyNotReady", SECONDS, "the backend waits for it")
    assert us.get("deployments", "backend", "store") is None
    fixed = {"apps/database/values.yaml": "image: registry.example.com/platform/database:1.0\n"}
    pushed = made.push_manifests(fixed, message="A database that starts")
    made.wait_for_flux("us", "backend.store.us")
    assert us.get("deployments", "backend", "store")["status"]["readyReplicas"] == 1
    ran = wait(apps, "--environment", "store", "--timeout", "60s")
    assert (ran.returncode, ran.stdout.count(": healthy since ")) == (0, 3), ran.stdout
    hydrated = next(one for one in made.commits() if made.acme.gitlab.commit(made.acme.manifests, f"{one}^") == pushed)
    names = [one["name"] for one in made.acme.manifests.statuses if one["sha"] == hydrated]
    assert any(name.startswith("kustomization/database.store.us/") for name in names), names


def ready(cluster: Cluster, app: str) -> dict[str, Any]:
    """Return what Flux says of an app in the store."""
    return condition(cluster.get("kustomizations", f"{app}.store.us"), "Ready")


def condition(found: Any, kind: str) -> dict[str, Any]:
    """Return a condition of an object; nothing where it has none."""
    conditions = ((found or {}).get("status") or {}).get("conditions") or ()
    return next((dict(one) for one in conditions if one["type"] == kind), {})


def test_an_artifact_that_nobody_signed_is_refused(apps: Apps) -> None:
    """After the one above, and after all pipelines: each of them would put what is in git there again."""
    made, us, registry = apps.rollout, apps.rollout.clusters["us"], apps.rollout.acme.registry
    wait_for(lambda: all(one.status in ENDED for one in made.acme.manifests.pipelines), SECONDS, "pipelines have ended")
    manifest = registry.request("GET", "deploy/store", "manifests/latest", headers=MANIFEST)
    altered = json.dumps({**manifest.json(), "annotations": {}}).encode()
    kind = {"Content-Type": MANIFEST["Accept"]}
    registry.request("PUT", "deploy/store", "manifests/latest", data=altered, headers=kind)

    def refused() -> bool:  # between its tries it says that it goes on
        found = us.get("ocirepositories", "headgate.store")
        reason = condition(found, "Ready").get("reason")
        return condition(found, "SourceVerified").get("status") == "False" and reason == "VerificationError"

    wait_for(refused, SECONDS, "Flux refuses the artifact")
    assert us.names("deployments", "store") == ["backend", "database"]
    made.run_schedule()  # puts what is in git there again
    wait_for(lambda: not refused(), SECONDS, "Flux takes the artifact")


def test_flux_looks_at_once_when_gitlab_calls_with_the_token(apps: Apps) -> None:
    """All of ``eu`` depends on it: there Flux looks by itself every ten minutes."""
    address = apps.rollout.receiver("eu")
    for token, status in ((HOOK, 200), ("wrong", 400)):
        headers = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token}
        assert requests.post(address, json={}, headers=headers, timeout=30).status_code == status
