"""Where the person of a page is when its blocks are typed: a folder, and what is in it."""

from __future__ import annotations

import base64
import json
import shlex
import sys
from collections.abc import Callable, Mapping

import yaml

from headgate import tools
from headgate.hydration.output import output_id
from headgate.repository import git as headgate_git
from headgate.repository.worktree import tree_of_folder
from support.adopting import DIGEST, SERVICE, deployment, flux_kustomization
from support.cli import Ran, headgate
from support.judges import judge
from support.manifests import DEPLOYMENT, git
from support.pages import blocks
from support.place import HOST, IMAGE, Place
from support.terminal import Run

Scene = Callable[[Place], None]
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def in_checkout(place: Place) -> None:
    """In a checkout of the manifest repository."""
    place.terminal.folder = place.checkout


def above(place: Place) -> None:
    """In the folder with that checkout."""
    place.terminal.folder = place.folder


def with_nothing(place: Place) -> None:
    """In an empty folder; what is written there becomes a repository before the next command, as init says."""
    place.terminal.folder = place.folder / "empty"
    place.terminal.folder.mkdir()
    as_is = place.terminal.around

    def around(words: list[str], run: Run) -> Ran:
        ran = as_is(words, run)
        for written in place.terminal.folder.glob("*/headgate.yaml"):
            if not (written.parent / ".git").exists():
                git(written.parent, "init", "--quiet", "--initial-branch=main")
                git(written.parent, "add", "--all")
                git(written.parent, "commit", "--quiet", "--message", "Begin")
        return ran

    place.terminal.around = around


def in_empty_project(place: Place) -> None:
    """In a clone of the manifest project, in which nothing is yet."""
    place.terminal.folder = place.clone({})


def after_init(place: Place) -> None:
    """In a checkout of what ``init`` wrote."""
    folder = place.clone({})
    where = ("--server", f"https://{HOST}", "--project", "acme/manifests", "--setup", "intake")
    ran = headgate("init", str(folder), *where, "--app-project", "acme/shop")
    assert ran.code == 0, ran.err
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    place.terminal.folder = folder


def in_the_smallest(place: Place) -> None:
    """In a checkout of the smallest manifest repository that works, as the README shows it."""
    settings, app, *_ = (block.text for block in blocks("README.md", "yaml"))
    template = DEPLOYMENT.replace("acme/web", "acme/shop")
    files = {"headgate.yaml": settings, "apps/shop/app.yaml": app, "templates/web/web.yaml": template}
    place.terminal.folder = place.clone(files)


def in_app_of_the_smallest(place: Place) -> None:
    """In a clone of the app whose manifest repository that is."""
    in_the_smallest(place)
    in_app(place)


def in_app(place: Place) -> None:
    """In a clone of the app."""
    place.terminal.folder = place.folder / "shop"


def in_app_with_config(place: Place) -> None:
    """In a clone of an app that brings its own config."""
    settings, *_ = (block.text for block in blocks("README.md", "yaml"))
    app = f"project: acme/shop\nimages: {{shop: {{repository: {IMAGE}, optional: true}}}}\nconfig: deploy\n"
    place.clone({"headgate.yaml": settings, "apps/shop/app.yaml": app})
    in_app(place)
    (place.terminal.folder / "deploy").mkdir()
    (place.terminal.folder / "deploy/web.yaml").write_text(DEPLOYMENT)
    git(place.terminal.folder, "add", "--all")
    git(place.terminal.folder, "commit", "--quiet", "--message", "Deploy")


def in_checkout_up_to_date(place: Place) -> None:
    """In the checkout, after what was delivered before."""
    git(place.checkout, "pull", "--quiet", "--ff-only")
    in_checkout(place)


def hydrated_by_1_0(place: Place) -> None:
    """In a checkout that 1.0.0 hydrated: another version of the lock, and another spelling of the same YAML."""
    folder, record = "deploy/dev/shop", "deploy/dev/shop/.headgate.json"
    file = place.checkout / folder / "deployment.apps-web.yaml"
    assert "name: web\n" in file.read_text()
    place.push(
        {
            "headgate.lock": "version: 1\noutput: 1\n",
            str(file.relative_to(place.checkout)): file.read_text().replace("name: web\n", 'name: "web"\n'),
        }
    )
    tree = tree_of_folder(headgate_git.open_repository(place.checkout))
    known = json.loads((place.checkout / record).read_text())
    known |= {"output": output_id(tree, folder, tuple(known["files"])), "inputs": "0" * 64, "quick": "0" * 64}
    place.push({record: json.dumps(known)})
    in_checkout(place)


def committed(place: Place) -> None:
    """In the same checkout, when what was written there is committed and pushed."""
    place.push({})


# --- running repositories of other layouts


def _running(place: Place, files: Mapping[str, str]) -> None:
    place.terminal.folder = place.clone(dict(files))


def with_plain_yaml(place: Place) -> None:
    """In a repository with a folder of YAML for each environment and app."""
    _running(place, {f"{name}/shop/deployment.yaml": deployment() for name in ("dev", "production")})


def with_own_environments(place: Place) -> None:
    """The same, with environments that have other names."""
    _running(place, {f"{name}/shop/deployment.yaml": deployment() for name in ("integration", "live")})


def with_flux(place: Place) -> None:
    """In a repository with overlays that Flux's Kustomizations apply."""
    files = {
        "apps/base/shop/deployment.yaml": deployment(),
        "apps/base/shop/kustomization.yaml": f"{KUSTOMIZATION}resources: [deployment.yaml]\n",
    }
    for name, count in (("dev", 2), ("production", 7)):
        replicas = f"replicas: [{{name: shop, count: {count}}}]\n"
        files[f"apps/{name}/shop/kustomization.yaml"] = f"{KUSTOMIZATION}resources: [../../base/shop]\n{replicas}"
        files[f"clusters/{name}/shop.yaml"] = flux_kustomization("shop", f"apps/{name}/shop")
    _running(place, files)
    place.terminal.add_program("flux", FLUX.format(python=sys.executable, kustomize=str(judge("kustomize"))))


FLUX = """\
#!{python}
# As cmd/flux/build_kustomization.go of fluxcd/flux2 has it: a dry run needs the Kustomization's own file.
import pathlib, subprocess, sys
verb, kind, name, *options = sys.argv[1:]
given = dict(zip(options[1::2], options[2::2]))
assert (verb, kind, options[0]) == ("build", "kustomization", "--dry-run"), sys.argv
assert given.keys() == {{"--path", "--kustomization-file"}}, "dry-run mode requires a kustomization file"
assert f"name: {{name}}\\n" in pathlib.Path(given["--kustomization-file"]).read_text()
sys.exit(subprocess.run(["{kustomize}", "build", given["--path"]]).returncode)
"""


def with_chart(place: Place) -> None:
    """In a repository with a chart and values beside it."""
    text = deployment(image=f"{IMAGE}:__TAG__").replace("__TAG__", "{{ .Values.image.tag }}")
    files = {
        "charts/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
        "charts/shop/templates/deployment.yaml": text.replace("  namespace: shop\n", ""),
        "charts/shop/values.yaml": "image: {tag: none}\n",
    }
    files |= {f"charts/shop/values-{name}.yaml": f"image: {{tag: 1.4.2-{name}}}\n" for name in ("dev", "production")}
    _running(place, files)
    place.terminal.add_program("helm", f'#!/bin/sh\nexec {judge("helm")} "$@"\n')


def with_digests(place: Place) -> None:
    """In a repository whose files name images by tag and digest."""
    image = f"{IMAGE}:1.4.2@{DIGEST}"
    _running(place, {f"{name}/shop/deployment.yaml": deployment(image) for name in ("dev", "production")})


def with_image_automation(place: Place) -> None:
    """In a repository that Flux's image automation writes: a HelmRelease, and markers."""
    _running(
        place,
        {
            **{f"{name}/shop/release.yaml": _helm_release("shop", marker=True) for name in ("dev", "production")},
            **_chart("charts/shop", "shop", ""),
        },
    )


def of_the_agent(place: Place) -> None:
    """In a repository that GitLab's agent applied: one environment, objects that name no namespace."""
    _running(place, {"production/shop/service.yaml": SERVICE.replace(", namespace: shop", "")})


def of_gitopscli(place: Place) -> None:
    """In a config repository of gitopscli: a chart for each environment of an app, with the tag in its values."""
    files: dict[str, str] = {}
    for name in ("dev", "prod"):
        files |= _chart(f"apps/shop-{name}", "shop", "")
        files[f"apps/shop-{name}/values.yaml"] = f"image:\n  tag: 1.4.2-{name}\n"
    _running(place, files)


def beside_podinfo(place: Place) -> None:
    """In a folder with charts, beside a repository that releases one of them, which has a hook."""
    hook = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: before\n  annotations: {helm.sh/hook: pre-upgrade}\n"
        "data: {a: b}\n"
    )
    place.clone({f"{name}/podinfo/release.yaml": _helm_release("podinfo") for name in ("dev", "production")})
    beside = place.folder / "beside"
    for file, text in _chart("charts/podinfo", "podinfo", hook).items():
        (beside / file).parent.mkdir(parents=True, exist_ok=True)
        (beside / file).write_text(text)
    place.terminal.folder = beside


def _chart(folder: str, name: str, hook: str) -> dict[str, str]:
    text = deployment(image=f"registry.example.com/acme/{name}:__TAG__").replace("__TAG__", "{{ .Values.image.tag }}")
    return {
        f"{folder}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
        f"{folder}/templates/deployment.yaml": text.replace("  namespace: shop\n", ""),
        f"{folder}/templates/hook.yaml": hook,
        f"{folder}/values.yaml": "image:\n  tag: 1.4.2\n",
    }


def _helm_release(name: str, *, marker: bool = False) -> str:
    tag = '1.4.2 # {"$imagepolicy": "flux-system:shop:tag"}' if marker else "1.4.2"
    source = {"kind": "HelmRepository", "name": "charts", "namespace": "flux-system"}
    release = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": name},
        "spec": {"interval": "10m", "chart": {"spec": {"chart": name, "version": "1.0.0", "sourceRef": source}}},
    }
    return f"{yaml.safe_dump(release)}  values:\n    image:\n      tag: {tag}\n"


# --- programs that cannot do here what they do


def with_release(place: Place) -> None:
    """Where a release is verified: cosign and crane take the options, and say what they would of a released image."""
    envelope = {"payload": base64.b64encode(json.dumps({"predicate": {"bomFormat": "CycloneDX"}}).encode()).decode()}
    for name, answer in (("cosign", json.dumps(envelope)), ("crane", f"sha256:{'5' * 64}")):
        program = tools.own_folder() / name
        place.terminal.add_program(
            name, OPTIONS.format(python=sys.executable, program=str(program), answer=shlex.quote(answer))
        )


OPTIONS = """\
#!{python}
# Takes the options that the real program has, and refuses others.
import re, subprocess, sys
command, *rest = sys.argv[1:]
shown = subprocess.run(["{program}", command, "--help"], capture_output=True, text=True, check=True).stdout
known = set(re.findall(r"--[a-z0-9-]+", shown))
unknown = [word for word in rest if word.startswith("--") and word not in known]
assert not unknown, unknown
subprocess.run("echo " + {answer!r}, shell=True, check=True)
"""
