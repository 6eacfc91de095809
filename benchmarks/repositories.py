"""Build the manifest repositories that are measured. Each is a git repository with its inputs committed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from benchmarks.chart import CHART
from benchmarks.sources import jinja_extras, jinja_template, kustomize_base, kustomize_overlay, plain_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENVIRONMENTS = ("dev", "staging", "production")
KUBERNETES = "1.34"

_GIT = (
    "git",
    "-c",
    "user.name=Ada",
    "-c",
    "user.email=ada@example.com",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "gc.auto=0",
)


def app_names(number: int) -> list[str]:
    """Name so many apps."""
    return [f"app-{index:03}" for index in range(number)]


def helm(root: Path, apps: int) -> int:
    """Build: all apps use one chart, in three environments, with values of their own.

    Returns how many app-environments there are, as all that follow do.
    """
    _write(root / "templates/web", CHART)
    for index, name in enumerate(app_names(apps)):
        values = {"values.yaml": _chart_values(name, index)}
        values |= {f"values.{env}.yaml": _chart_values_of(name, env, index) for env in ENVIRONMENTS}
        _app(root, name, "template: web", values)
    for environment in ENVIRONMENTS:
        text = f"config:\n  STAGE: {environment}\n  REGION: eu-1\nannotations:\n  stage: {environment}\n"
        _write(root / "environments" / environment, {"values.yaml": text})
    return _finish(root, apps, ENVIRONMENTS)


def podinfo(root: Path, apps: int) -> int:
    """Build: the same with the real chart of the folder that PODINFO_CHART names, and values that it knows."""
    shutil.copytree(os.environ["PODINFO_CHART"], root / "templates/web")
    for index, name in enumerate(app_names(apps)):
        values = {"values.yaml": f"replicaCount: {index % 3 + 1}\nui: {{message: Hello {name}}}\n"}
        values |= {f"values.{env}.yaml": f"ingress: {{enabled: true, className: {env}}}\n" for env in ENVIRONMENTS}
        _write(root / "apps" / name, {"app.yaml": "template: web\nhooks: drop\n", **values})
    for environment in ENVIRONMENTS:
        _write(root / "environments" / environment, {"values.yaml": "logLevel: info\nredis: {enabled: true}\n"})
    return _finish(root, apps, ENVIRONMENTS)


def value_files(root: Path, name: str, environment: str) -> list[Path]:
    """Return the values files of an app of `helm`, lowest first, as Headgate merges them."""
    everywhere, app = root / "environments" / environment, root / "apps" / name
    return [everywhere / "values.yaml", app / "values.yaml", app / f"values.{environment}.yaml"]


def kustomize(root: Path, apps: int) -> int:
    """Build: each app has a small overlay on one base, in its own namespace; one environment."""
    _write(root / "templates/base", kustomize_base())
    for index, name in enumerate(app_names(apps)):
        _write(root / "templates" / name, kustomize_overlay(name, index))
        _app(root, name, f"template: {name}", {}, ENVIRONMENTS[:1])
    return _finish(root, apps, ENVIRONMENTS[:1])


def jinja2(root: Path, apps: int) -> int:
    """Build: all apps use one Jinja2 template (Deployment, Service, Ingress), in three environments."""
    _write(root / "templates/web", jinja_template())
    for index, name in enumerate(app_names(apps)):
        values = {"values.yaml": f"cpu: {50 + index}m\n"}
        values |= {
            f"values.{env}.yaml": f"host: {name}.{env}.example.com\nreplicas: {number + index % 3 + 1}\n"
            for number, env in enumerate(ENVIRONMENTS)
        }
        _app(root, name, "template: web", values)
    return _finish(root, apps, ENVIRONMENTS)


def large(root: Path, apps: int) -> int:
    """Build: like `jinja2`, with six objects for each app-environment, and apps in folders of teams of a hundred."""
    _write(root / "templates/web", {**jinja_template(), **jinja_extras()})
    for index in range(apps):
        name = f"app-{index:05}"
        values = {"values.yaml": f"cpu: {50 + index % 200}m\n"}
        values |= {f"values.{env}.yaml": f"host: {name}.{env}.example.com\n" for env in ENVIRONMENTS}
        _app(root, name, "template: web", values, folder=f"apps/team-{index // 100:03}/{name}")
    return _finish(root, apps, ENVIRONMENTS)


def plain(root: Path, apps: int) -> int:
    """Build: each app brings a Deployment, a Service and an Ingress along, in three environments."""
    for index, name in enumerate(app_names(apps)):
        _app(root, name, "config: deploy", {})
        for env in ENVIRONMENTS:
            _write(root / "apps" / name / "releases" / env / "config", plain_config(name, env, index))
    return _finish(root, apps, ENVIRONMENTS)


def plain_shared(root: Path, apps: int) -> int:
    """Build: all apps use one template of plain YAML, in three environments."""
    _write(root / "templates/web", plain_config("web", ENVIRONMENTS[0], 0))
    for name in app_names(apps):
        _app(root, name, "template: web", {}, image="registry.example.com/acme/web")
    return _finish(root, apps, ENVIRONMENTS)


def reviewed(root: Path, apps: int) -> int:
    """Build: apps of one project with one image, from one template, in one environment that people review."""
    _write(root / "templates/web", plain_config("web", ENVIRONMENTS[0], 0))
    for name in app_names(apps):
        text = "project: acme/web\nimages: {web: registry.example.com/acme/web}\ntemplate: web\n"
        _write(root / "apps" / name, {"app.yaml": text})
    renders = _finish(root, apps, ENVIRONMENTS[:1])
    settings = root / "headgate.yaml"
    settings.write_text(settings.read_text("utf-8").replace("delivery: commit", "delivery: review"), "utf-8")
    commit_all(root)
    return renders


def one_plain_app(root: Path) -> int:
    """Build: one app with plain YAML in one environment."""
    _app(root, "app-000", "config: deploy", {}, ENVIRONMENTS[:1])
    _write(root / "apps/app-000/releases/dev/config", plain_config("app-000", "dev", 0))
    return _finish(root, 1, ENVIRONMENTS[:1])


def not_yet_released(root: Path, apps: int) -> int:
    """Build: each app has a plain YAML template of its own, and waits for its first hand-off; one environment."""
    for index, name in enumerate(app_names(apps)):
        _write(root / "templates" / name, plain_config(name, ENVIRONMENTS[0], index))
        image = f"registry.example.com/acme/{name}"
        text = f"project: acme/{name}\nimages:\n  {name}: {image}\ntemplate: {name}\n"
        _write(root / "apps" / name, {"app.yaml": text})
    return _finish(root, apps, ENVIRONMENTS[:1])


def no_app(root: Path) -> int:
    """Build: environments, and nothing that runs in them."""
    root.mkdir(parents=True)
    return _finish(root, 0, ENVIRONMENTS)


def commit_all(root: Path) -> None:
    """Commit all files of a repository."""
    for args in (("add", "--all"), ("commit", "--quiet", "--message", "Hydrate")):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run([*_GIT, *args], cwd=root, env=env, check=True)


def _finish(root: Path, apps: int, environments: tuple[str, ...]) -> int:
    lines = ["version: 1", "environments:"]
    for environment in environments:
        lines += [f"  {environment}:", "    takes: {branch: main}", "    delivery: commit"]
        lines += [f'    kubernetes: "{KUBERNETES}"']
    _write(root, {"headgate.yaml": "\n".join(lines) + "\n"})
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", "--template="], cwd=root, check=True)
    commit_all(root)
    return apps * len(environments)


def _app(
    root: Path,
    name: str,
    source: str,
    values: Mapping[str, str],
    environments: tuple[str, ...] = ENVIRONMENTS,
    image: str = "",
    folder: str = "",
) -> None:
    """Write an app with one image, which has been released everywhere."""
    folder = folder or f"apps/{name}"
    image = image or f"registry.example.com/acme/{name}"
    text = f"project: acme/{name}\nimages:\n  {name}: {image}\n{source}\n"
    _write(root / folder, {"app.yaml": text, **values})
    for environment in environments:
        release = release_text(name, image, environment, config="config:" in source)
        _write(root / folder / "releases" / environment, {"release.yaml": release})


def release_text(name: str, image: str, version: str, *, config: bool) -> str:
    """Return the record of a release; its commit and digest depend on the version."""
    digest = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
    commit = digest[:40]
    part = {"project": f"acme/{name}", "commit": commit, "ref": "refs/heads/main", "pipeline": "4711"}
    built = {"tag": f'"{commit[:12]}"', "digest": f"sha256:{digest}"}
    return (
        "# Written by Headgate. A change by hand is lost with the next hand-off.\nversion: 1\nimages:\n"
        + _mapping(name, {**part, "repository": image, **built}, "  ")
        + (_mapping("config", {**part, "path": "deploy"}) if config else "")
        + "newest:\n"
        + _mapping(name, {"commit": commit, "ref": "refs/heads/main", "pipeline": "4711", **built}, "  ")
    )


def _mapping(key: str, items: Mapping[str, str], pad: str = "") -> str:
    return f"{pad}{key}:\n" + "".join(f"{pad}  {name}: {value}\n" for name, value in items.items())


def _chart_values(name: str, index: int) -> str:
    return f"""\
image:
  repository: registry.example.com/acme/{name}
port: {8000 + index}
env:
  OWNER: team-{index % 7}
  UPSTREAM: "http://{{{{ .Release.Name }}}}-backend.{name}.svc:8080"
  FEATURES: "search,basket,checkout"
config:
  TIMEOUT: {10 + index}s
  CACHE_SIZE: "{index * 16}"
resources:
  requests:
    cpu: {50 + index}m
    memory: 96Mi
"""


def _chart_values_of(name: str, environment: str, index: int) -> str:
    return f"""\
ingress:
  host: {name}.{environment}.example.com
  annotations:
    cert-manager.io/cluster-issuer: {environment}
autoscaling:
  minReplicas: {1 + index % 2}
  maxReplicas: {4 + index % 5}
env:
  LOG_LEVEL: {"debug" if environment == "dev" else "info"}
"""


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
