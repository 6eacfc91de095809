"""``headgate adopt`` on repositories of all layouts, real ones too: nothing differs from what other programs render."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    rendered,
    stands,
)
from support.cli import headgate
from support.gitlab.double import Double, serve_gitlab
from support.gitlab.gitside import refs, write_commit
from support.gitlab.state import MAINTAINER, Project
from support.judges import judge
from support.manifests import git
from support.registry import Registry, push_image

pytestmark = pytest.mark.long


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return make_running(tmp_path)


@pytest.fixture
def overlays(running: Running, real: Path, tmp_path: Path) -> tuple[Running, Path]:
    """Return podinfo's overlays, and what ``kustomize build`` prints of them."""
    running.copy(real / "podinfo/deploy", "apps/podinfo")
    today = tmp_path / "today"
    for name in ("dev", "staging", "production"):
        rendered(today, name, "podinfo", "kustomize", "build", str(running.path / f"apps/podinfo/overlays/{name}"))
    return running, today


def test_real_overlays_give_what_kustomize_gives(overlays: tuple[Running, Path], tmp_path: Path) -> None:
    running, today = overlays
    found = equal(running.proof("--today", str(today)))
    assert found == {("podinfo", name): 25 for name in ("dev", "staging", "production")}
    kept = (running.path / "apps/podinfo/bases/cache/redis.conf").read_text()
    assert running.show("templates/podinfo/bases/cache/redis.conf") == kept.strip()
    assert "overlays/dev/kustomization.yaml" in running.files("templates/podinfo")
    assert yaml.safe_load(running.show("headgate.yaml"))["environments"] == {
        "dev": {"takes": {"branch": "main"}, "delivery": "commit", "kubernetes": "1.34"},
        "staging": {"takes": {"promotion": "dev"}, "delivery": "review", "kubernetes": "1.34"},
        "production": {"takes": {"promotion": "staging"}, "delivery": "review", "kubernetes": "1.34"},
    }
    stands(running, tmp_path / "adopted")


def test_one_value_of_a_real_one_that_differs_is_named(overlays: tuple[Running, Path]) -> None:
    running, today = overlays
    file = today / "staging/podinfo.yaml"
    assert file.read_text().count("maxReplicas: 4\n") == 1
    file.write_text(file.read_text().replace("maxReplicas: 4\n", "maxReplicas: 5\n", 1))
    ran = running.adopt("--today", str(today))
    assert ran.code == 20
    assert "1 object would differ from today, so nothing was written" in ran.err
    assert not running.is_written()
    shown = " ".join(ran.out.split())
    assert "1 object would differ from what runs today, of 75 objects" in shown
    assert "spec.maxReplicas - 5 + 4" in shown

    ((environment, action, name, fields),) = differing(running.proof("--today", str(today), "--accept-differences"))
    assert (environment, action) == ("staging", "changed")
    assert name.startswith("HorizontalPodAutoscaler ")
    assert [(field["path"], field["old"], field["new"]) for field in fields] == [("spec.maxReplicas", "5", "4")]
    assert running.is_written()


def test_a_missing_and_a_foreign_object_are_named(overlays: tuple[Running, Path]) -> None:
    running, today = overlays
    file = today / "dev/podinfo.yaml"
    parts = file.read_text().split("\n---\n")
    foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: by-hand, namespace: dev}\n"
    file.write_text("\n---\n".join([*parts[1:], foreign]))
    found = differing(running.proof("--today", str(today), "--dry-run"))
    first = yaml.safe_load(parts[0])
    assert {found[1:3] for found in found} == {
        ("added", f"{first['kind']} {first['metadata']['name']}"),
        ("removed", "ConfigMap by-hand"),
    }


def test_a_base_and_an_overlay_elsewhere_are_kept_together(running: Running, tmp_path: Path) -> None:
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    running.write(
        {
            "apps/base/shop/kustomization.yaml": f"{kustomization}resources: [deployment.yaml]\n",
            "apps/base/shop/deployment.yaml": deployment(),
            **{
                f"apps/{name}/shop/kustomization.yaml": f"{kustomization}resources: [../../base/shop]\n"
                f"replicas: [{{name: shop, count: {count}}}]\n"
                for name, count in (("dev", 2), ("production", 7))
            },
            **{
                f"apps/{name}/kustomization.yaml": f"{kustomization}resources: [shop]\n"
                for name in ("dev", "production")
            },
        }
    )
    assert equal(running.proof()) == {("shop", "dev"): 1, ("shop", "production"): 1}
    assert "replicas: 7" in running.show("deploy/production/shop/deployment.apps-shop.yaml")
    stands(running, tmp_path / "adopted")


@pytest.mark.parametrize(
    "folder",
    ["{environment}/{app}", "{app}/{environment}", "apps/{app}/manifests/{environment}", "k8s/{app}-{environment}"],
)
def test_folders_of_plain_yaml(running: Running, tmp_path: Path, folder: str) -> None:
    for name, replicas in (("dev", 1), ("production", 5)):
        here = folder.format(app="shop", environment=name)
        running.write({f"{here}/deployment.yaml": deployment(replicas=replicas), f"{here}/service.yaml": SERVICE})
    assert equal(running.proof()) == {("shop", "dev"): 2, ("shop", "production"): 2}
    assert running.files("templates/shop") == [
        "base/kustomization.yaml",
        "base/service.yaml",
        "overlays/dev/deployment.yaml",
        "overlays/dev/kustomization.yaml",
        "overlays/production/deployment.yaml",
        "overlays/production/kustomization.yaml",
    ]
    assert running.show("templates/shop/overlays/dev/deployment.yaml") == deployment().strip()
    stands(running, tmp_path / "adopted")


def test_real_plain_yaml_stays_as_it_is(running: Running, real: Path, tmp_path: Path) -> None:
    for name in ("dev", "production"):
        for service in ("frontend", "cartservice", "redis"):
            source = real / f"online-boutique/kustomize/base/{service}.yaml"
            if source.is_file():
                target = running.path / name / service / "all.yaml"
                target.parent.mkdir(parents=True)
                shutil.copy(source, target)
    running.commit()
    found = equal(running.proof("--namespace", "boutique-{environment}"))
    assert len(found) == 4
    assert sum(found.values()) == 2 * (4 + 5)
    assert yaml.safe_load(running.show("apps/frontend/app.yaml"))["environments"] == {
        "dev": {"namespace": "boutique-dev"},
        "production": {"namespace": "boutique-production"},
    }
    assert running.files("templates/frontend") == ["all.yaml"]
    stands(running, tmp_path / "adopted")


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
  namespace: podinfo
spec:
  interval: 50m
  chart:
    spec:
      chart: podinfo
      version: {version}
      sourceRef: {{kind: HelmRepository, name: podinfo}}
  {more}
  values:
    redis: {{enabled: true}}
    ingress: {{enabled: true, className: nginx}}
"""


KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


RESOURCES = "resources: [namespace.yaml, repository.yaml, release.yaml]\n"


def helm_releases(running: Running, *, version: str = "'>=1.0.0'", more: str = "releaseName: podinfo") -> Running:
    """Write the layout of Flux's own example: a base, an overlay for each environment, and what applies them."""
    files = {
        "apps/base/podinfo/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: podinfo}\n",
        "apps/base/podinfo/repository.yaml": (
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
            "metadata: {name: podinfo, namespace: podinfo}\nspec: {interval: 5m, url: https://charts.example.com}\n"
        ),
        "apps/base/podinfo/release.yaml": RELEASE.format(version=version, more=more),
        "apps/base/podinfo/kustomization.yaml": f"{KUSTOMIZATION}{RESOURCES}",
    }
    for name, count in (("staging", 1), ("production", 3)):
        files[f"apps/{name}/kustomization.yaml"] = (
            f"{KUSTOMIZATION}resources: [../base/podinfo]\npatches: [{{path: podinfo.yaml}}]\n"
        )
        files[f"apps/{name}/podinfo.yaml"] = (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: podinfo, namespace: podinfo}\n"
            f"spec: {{values: {{replicaCount: {count}, ingress: {{hosts: [{{host: {name}.example.com, paths: "
            "[{path: /, pathType: Prefix}]}]}}}\n"
        )
        files[f"clusters/{name}/apps.yaml"] = flux_kustomization("apps", f"apps/{name}")
        files[f"clusters/{name}/flux-system/gotk-sync.yaml"] = flux_kustomization("flux-system", f"clusters/{name}")
    return running.write(files)


VALUES = "{redis: {enabled: true}, ingress: {enabled: true, className: nginx}}"


def helm_template(folder: Path, real: Path, chart: Path | None = None) -> Path:
    """Write what ``helm template`` prints of podinfo with the values that HelmReleases merge."""
    folder.mkdir()
    for name, count in (("staging", 1), ("production", 3)):
        values = folder / f"{name}.yaml"
        own = yaml.safe_load(VALUES)
        own["ingress"]["hosts"] = [{"host": f"{name}.example.com", "paths": [{"path": "/", "pathType": "Prefix"}]}]
        values.write_text(yaml.safe_dump({**own, "replicaCount": count}))
        rendered(
            *(folder, name, "podinfo", "helm", "template", "podinfo", str(chart or real / "podinfo/charts/podinfo")),
            *(
                "--namespace",
                "podinfo",
                "--include-crds",
                "--kube-version",
                "1.34",
                "--no-hooks",
                "--values",
                str(values),
            ),
        )
        objects = folder / name / "podinfo-objects.yaml"
        objects.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: podinfo}\n")
    return folder


def test_helm_releases_give_what_helm_gives(running: Running, real: Path, tmp_path: Path) -> None:
    helm_releases(running)
    today = helm_template(tmp_path / "today", real)
    proof = running.proof("--charts", str(real / "podinfo/charts"), "--today", str(today))
    assert equal(proof) == {
        ("podinfo", "staging"): 6,
        ("podinfo", "production"): 6,
        ("podinfo-objects", "staging"): 1,
        ("podinfo-objects", "production"): 1,
    }
    assert any("for '>=1.0.0': check that this is the version that runs" in note for note in proof["notes"])
    assert [item["what"] for item in proof["left_out"] if item["stays"]] == ["HelmRepository podinfo/podinfo"] * 2
    steps = "\n".join(proof["steps"])
    assert "set 'suspend: true' in git in the HelmReleases podinfo" in steps
    assert "apps in clusters/production/apps.yaml (./apps/production is now deploy/production/podinfo" in steps
    assert yaml.safe_load(running.show("apps/podinfo/values.yaml")) == yaml.safe_load(VALUES)
    assert yaml.safe_load(running.show("apps/podinfo/values.production.yaml"))["replicaCount"] == 3
    assert "templates/deployment.yaml" in running.files("templates/podinfo")
    stands(running, tmp_path / "adopted")


def test_a_chart_that_is_not_there_is_left_out_with_the_reason(running: Running, real: Path) -> None:
    helm_releases(running, version="1.2.3")
    proof = running.proof()
    assert equal(proof) == {("podinfo-objects", "staging"): 1, ("podinfo-objects", "production"): 1}
    reasons = {item["reason"] for item in proof["left_out"] if item["what"] == "HelmRelease podinfo/podinfo"}
    (reason,) = reasons
    assert "the chart podinfo 1.2.3 was not found: it is not in the repository and not in --charts" in reason
    proof = running.proof("--charts", str(real / "podinfo/charts"), "--dry-run")
    assert "only 6.14.1 is in --charts" in next(item["reason"] for item in proof["left_out"] if not item["stays"])


def test_an_archive_of_a_chart_will_do(running: Running, real: Path, tmp_path: Path) -> None:
    helm_releases(running, version="6.14.1")
    charts = tmp_path / "charts"
    charts.mkdir()
    chart = str(real / "podinfo/charts/podinfo")
    subprocess.run([judge("helm"), "package", chart, "--destination", str(charts)], check=True, capture_output=True)
    proof = running.proof("--charts", str(charts), "--today", str(helm_template(tmp_path / "today", real)))
    assert equal(proof)["podinfo", "production"] == 6
    assert not [note for note in proof["notes"] if "check that this is the version" in note]


def test_two_versions_of_a_chart_stay_where_they_are(running: Running, tmp_path: Path) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {version: '{{ .Chart.Version }}'}\n"
    for version in ("1.0.0", "2.0.0"):
        files = {"Chart.yaml": f"apiVersion: v2\nname: web\nversion: {version}\n", "templates/a.yaml": template}
        running.write({f"vendored/{version}/{name}": text for name, text in files.items()})
    for name, version in (("dev", "2.0.0"), ("production", "1.0.0")):
        release = (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: web}\n"
            f"spec: {{chart: {{spec: {{chart: ./vendored/{version}, "
            "sourceRef: {kind: GitRepository, name: here}}}}\n"
        )
        running.write({f"{name}/web/release.yaml": release})
    assert equal(running.proof()) == {("web", "dev"): 1, ("web", "production"): 1}
    assert "version: 2.0.0" in running.show("deploy/dev/web/configmap-web.yaml")
    assert "version: 1.0.0" in running.show("deploy/production/web/configmap-web.yaml")
    assert yaml.safe_load(running.show("headgate.yaml"))["environments"]["production"]["templates"] == "promote"
    stands(running, tmp_path / "adopted")


def test_values_of_a_config_map_are_below_the_release_s_own(running: Running, real: Path) -> None:
    helm_releases(running, more="valuesFrom: [{kind: ConfigMap, name: podinfo-values}]")
    generator = (
        f"{KUSTOMIZATION}{RESOURCES}"
        "configMapGenerator: [{name: podinfo-values, namespace: podinfo, files: [values.yaml=defaults.yaml], "
        "options: {disableNameSuffixHash: true}}]\n"
    )
    running.write(
        {
            "apps/base/podinfo/kustomization.yaml": generator,
            "apps/base/podinfo/defaults.yaml": "redis: {enabled: false}\nlogLevel: debug\n",
        }
    )
    equal(running.proof("--charts", str(real / "podinfo/charts")))
    values = yaml.safe_load(running.show("apps/podinfo/values.yaml"))
    assert values["redis"] == {"enabled": True}
    assert values["logLevel"] == "debug"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("valuesFrom: [{kind: Secret, name: podinfo}]", "its values come from the Secret podinfo"),
        ("postRenderers: [{kustomize: {images: []}}]", "it patches the rendered chart"),
        ("valuesFrom: [{kind: ConfigMap, name: gone}]", "the ConfigMap gone with its values is not in the repository"),
    ],
)
def test_what_a_helm_release_does_beyond_values_is_named(running: Running, real: Path, more: str, reason: str) -> None:
    helm_releases(running, more=more)
    proof = running.proof("--charts", str(real / "podinfo/charts"), "--dry-run")
    assert {item["reason"].startswith(reason) for item in proof["left_out"] if not item["stays"]} == {True}
    assert "podinfo" not in {found["app"] for found in proof["apps"]}


def test_variables_that_flux_fills_in_are_named(running: Running) -> None:
    text = deployment(image="registry.example.com/acme/shop:${version}")
    running.write(
        {
            "apps/production/shop/deployment.yaml": text,
            "apps/production/cart/service.yaml": SERVICE.replace("shop", "cart"),
            "clusters/production/shop.yaml": flux_kustomization(
                "shop", "apps/production/shop", postBuild={"substitute": {"version": "1.0"}}
            ),
            "clusters/production/cart.yaml": flux_kustomization("cart", "apps/production/cart"),
        }
    )
    proof = running.proof()
    assert equal(proof) == {("cart", "production"): 1}
    (left,) = proof["left_out"]
    assert left["what"] == "shop"
    assert "fills variables in (postBuild)" in left["reason"]


def test_the_first_hand_off_after_an_adoption_lands(running: Running, tmp_path: Path) -> None:
    marked(running, f"{IMAGE}@{DIGEST}")
    assert running.adopt("--app-project", "shop=acme/shop", "--project", "acme/manifests").code == 0
    git(running.path, "merge", "--quiet", BRANCH)
    app = tmp_path / "app"
    app.mkdir()
    git(app, "init", "--quiet", "--initial-branch=main")
    git(app, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    ran = headgate(
        *("deliver", "--manifests", str(running.path), "--project", "acme/shop", "--source", str(app)),
        *("--commit", git(app, "rev-parse", "HEAD"), "--image", f"registry.example.com/acme/shop:2@sha256:{'6' * 64}"),
    )
    assert ran.code == 0, ran.err
    landed = git(running.path, "show", "main:deploy/dev/shop/deployment.apps-shop.yaml")
    assert f"registry.example.com/acme/shop:2@sha256:{'6' * 64}" in landed


CHART = {
    "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
    "templates/deployment.yaml": deployment(image="registry.example.com/acme/shop:__TAG__", replicas=1)
    .replace("__TAG__", "{{ .Values.image.tag }}")
    .replace("name: shop\n  namespace: shop", "name: {{ .Release.Name }}"),
}


@pytest.mark.parametrize("folder", ["apps/shop-{name}", "apps/shop/{name}", "{name}/shop"])
def test_a_chart_for_each_environment_with_a_tag_in_its_values(running: Running, tmp_path: Path, folder: str) -> None:
    for name in ("dev", "prod"):
        here = folder.format(name=name)
        running.write({f"{here}/{path}": text for path, text in CHART.items()})
        running.write({f"{here}/values.yaml": f"# set by gitopscli\nimage:\n  tag: 1.4.2-{name}\nlist: [{name}]\n"})
    ran = running.adopt("--dry-run")
    assert ran.code == 38
    assert "pass --namespace shop=NAMESPACE" in ran.err
    assert equal(running.proof("--namespace", "shop-{environment}")) == {("shop", "dev"): 1, ("shop", "prod"): 1}
    files = [
        path for path in git(running.path, "ls-tree", "-r", "--name-only", BRANCH).splitlines() if "values." in path
    ]
    (values,) = [path for path in files if path.endswith("shop/values.prod.yaml")]
    assert yaml.safe_load(running.show(values)) == {"image": {"tag": "1.4.2-prod"}, "list": ["prod"]}
    stands(running, tmp_path / "adopted")


@pytest.mark.parametrize(
    "values", ["values-{name}.yaml", "values.{name}.yaml", "values/{name}.yaml", "{name}/values.yaml"]
)
def test_values_beside_one_chart(running: Running, tmp_path: Path, values: str) -> None:
    running.write({f"shop/{path}": text for path, text in CHART.items()})
    running.write({"shop/values.yaml": "image: {tag: none}\n"})
    for name in ("dev", "prod"):
        running.write({f"shop/{values.format(name=name)}": f"image: {{tag: 1.4.2-{name}}}\n"})
    assert equal(running.proof("--namespace", "shop")) == {("shop", "dev"): 1, ("shop", "prod"): 1}
    assert "acme/shop:1.4.2-prod" in running.show("deploy/prod/shop/deployment.apps-shop.yaml")
    stands(running, tmp_path / "adopted")


def test_an_old_folder_deploy_is_left_alone(running: Running, tmp_path: Path) -> None:
    running.write({"deploy/dev/shop/service.yaml": SERVICE})
    assert equal(running.proof()) == {("shop", "dev"): 1}
    assert running.show("hydrated/dev/shop/service-shop.yaml")
    assert running.files("deploy") == ["dev/shop/service.yaml"]
    stands(running, tmp_path / "adopted")


def test_one_app_after_the_other(running: Running, tmp_path: Path) -> None:
    running.write(
        {
            f"{name}/{app}/service.yaml": SERVICE.replace("shop", app)
            for name in ("dev", "live")
            for app in ("shop", "cart")
        }
    )
    assert equal(running.proof("--leave-out", "cart")) == {("shop", "dev"): 1, ("shop", "live"): 1}
    git(running.path, "merge", "--quiet", BRANCH)
    before = git(running.path, "show", "main:headgate.yaml")
    assert equal(running.proof()) == {("cart", "dev"): 1, ("cart", "live"): 1}
    assert running.show("headgate.yaml") == before
    stands(running, tmp_path / "adopted")


def test_another_repository_can_get_the_files(running: Running, tmp_path: Path) -> None:
    running.write({"dev/shop/service.yaml": SERVICE})
    target = tmp_path / "target"
    target.mkdir()
    git(target, "init", "--quiet", "--initial-branch=main")
    git(target, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    assert running.adopt("--manifests", str(target)).code == 0
    assert not running.is_written()
    assert Running(target).files("deploy") == ["dev/shop/.headgate.json", "dev/shop/service-shop.yaml"]
    assert Running(target).files("dev") == []


def test_what_it_says_fits_a_terminal(overlays: tuple[Running, Path], tmp_path: Path) -> None:
    running, _ = overlays
    ran = running.adopt("--report", str(tmp_path / "proof.md"))
    assert [line for line in ran.out.splitlines() if len(line) > 80] == []
    text = (tmp_path / "proof.md").read_text()
    assert "Nothing differs: 75 objects of 3 app-environments" in text
    assert "| `podinfo` | `staging` | `staging` | 25 | - | `apps/podinfo/overlays/staging` |" in text


def test_registries_are_asked_for_digests_when_that_is_wanted(running: Running, registry: Registry) -> None:
    digest = push_image(registry, "acme/shop", "1.4.2")
    image = f"{registry.host}/acme/shop:1.4.2"
    running.write({f"{name}/shop/deployment.yaml": deployment(image) for name in ("dev", "production")})
    args = (
        "--app-project",
        "shop=acme/shop",
        "--image",
        f"shop={registry.host}/acme/shop",
        "--project",
        "acme/manifests",
    )
    assert equal(running.proof(*args)) == {("shop", "dev"): 1, ("shop", "production"): 1}

    proof = running.proof(*args, "--digests", "--accept-differences")
    reasons = {each["reason"] for found in proof["apps"] for each in found["differences"]}
    assert reasons == {"the image is the same, with the digest that the release records"}
    fields = [found[3] for found in differing(proof)]
    assert [(field["old"], field["new"]) for (field,) in fields] == [(image, f"{image}@{digest}")] * 2
    release = yaml.safe_load(running.show("apps/shop/releases/dev/release.yaml"))
    assert release["images"]["shop"]["digest"] == digest


def test_in_a_terminal_it_asks(running: Running, headgate_program: list[str]) -> None:
    running.write({"dev/shop/deployment.yaml": deployment().replace("  namespace: shop\n", "")})
    screen, keyboard = pty.openpty()
    program = subprocess.Popen(
        [*headgate_program, "adopt", str(running.path), "--dry-run"], stdin=keyboard, stdout=keyboard, stderr=keyboard
    )
    os.close(keyboard)
    os.write(screen, b"web\n")
    shown = b""
    with contextlib.suppress(OSError):  # the program's end closes the terminal
        while data := os.read(screen, 4096):
            shown += data
    assert program.wait(60) == 0, shown
    text = shown.decode()
    assert "no object of 'shop' in dev names its namespace" in text
    assert "--namespace shop=" in text
    assert "Nothing differs: 1 object of 1 app-environment" in text


def test_infrastructure_of_all_clusters_is_adopted_in_each(running: Running, real: Path, tmp_path: Path) -> None:
    def release(name: str, chart: str, **spec: Any) -> str:
        chart_spec = {"spec": {"chart": chart, "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}
        head = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease"}
        metadata = {"name": name, "namespace": name}
        return yaml.safe_dump({**head, "metadata": metadata, "spec": {"chart": chart_spec, **spec}})

    keda = release("keda", "keda", values={"operator": {"replicaCount": 2}})
    certificates = release("cert-manager", "cert-manager", targetNamespace="certificates")
    running.write({"infrastructure/all.yaml": f"{keda}---\n{certificates}"})
    running.write(
        {f"clusters/{name}/infra.yaml": flux_kustomization("infra", "infrastructure") for name in ("dev", "production")}
    )
    args = ("--charts", str(real / "charts"), "--dry-run")
    ran = running.adopt(*args)
    assert "the chart of 'certificates-cert-manager' has hooks" in ran.err
    proof = running.proof(*args, "--hooks", "certificates-cert-manager=keep")
    assert {found["app"]: found["namespace"] for found in proof["apps"]} == {
        "keda": "keda",
        "certificates-cert-manager": "certificates",
    }
    today = tmp_path / "today"
    values = tmp_path / "values.yaml"
    values.write_text("{operator: {replicaCount: 2}}")
    for name in ("dev", "production"):
        rendered(
            *(today, name, "keda", "helm", "template", "keda", str(real / "charts/keda"), "--namespace", "keda"),
            *("--include-crds", "--kube-version", "1.34", "--no-hooks", "--values", str(values)),
        )
    proof = running.proof(*args[:2], "--leave-out", "certificates-cert-manager", "--today", str(today))
    assert equal(proof)["keda", "production"] > 20


def test_what_cannot_be_rendered_is_left_out_alone(running: Running) -> None:
    broken = {"Chart.yaml": CHART["Chart.yaml"], "templates/a.yaml": "{{ .Values.a.b }}", "values-dev.yaml": ""}
    running.write({f"cart/{name}": text for name, text in broken.items()})
    proof = running.write({"dev/shop/service.yaml": SERVICE, "dev/mail/a.yaml": "apiVersion: v1\nkind: [a\n"}).proof(
        "--namespace", "cart"
    )
    assert equal(proof) == {("shop", "dev"): 1}
    reasons = {item["what"]: item["reason"] for item in proof["left_out"]}
    assert "it cannot be rendered: Helm: " in reasons["cart"]
    assert "(dev/mail/a.yaml" in reasons["mail"]


def test_apps_that_share_an_overlay_are_told_apart(running: Running, tmp_path: Path) -> None:
    files = {
        "apps/production/kustomization.yaml": f"{KUSTOMIZATION}resources: [../base/cart, ../base/shop]\n"
        'patches: [{target: {kind: Deployment}, patch: \'[{"op": "remove", "path": "/spec/replicas"}]\'}]\n',
        "clusters/production/apps.yaml": flux_kustomization("apps", "apps/production"),
    }
    for app in ("cart", "shop"):
        files[f"apps/base/{app}/deployment.yaml"] = deployment().replace("shop", app)
        files[f"apps/base/{app}/kustomization.yaml"] = f"{KUSTOMIZATION}resources: [deployment.yaml]\n"
    proof = running.write(files).proof()
    assert equal(proof) == {("cart", "production"): 1, ("shop", "production"): 1}
    assert "cart in production: its objects are written out as apps/production gives them" in proof["notes"]
    stands(running, tmp_path / "adopted")


@dataclass(frozen=True)
class OnGitLab:
    """A manifest project on a GitLab, and a checkout of it."""

    gitlab: Double
    project: Project
    running: Running


@pytest.fixture
def on_gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnGitLab]:
    with serve_gitlab(tmp_path / "gitlab") as gitlab:
        person = gitlab.user("ada")
        project = gitlab.project("acme/manifests", {person: MAINTAINER})
        write_commit(project.folder, "refs/heads/main", "", {"dev/shop/service.yaml": SERVICE}, "Test", "Begin")
        token = gitlab.token(person, "api")
        monkeypatch.setenv("HEADGATE_TOKEN", token)
        address = f"{gitlab.url}/acme/manifests.git"
        checkout = tmp_path / "checkout"
        git(tmp_path, "clone", "--quiet", address.replace("://", f"://ada:{token}@"), str(checkout))
        git(checkout, "remote", "set-url", "origin", address)
        yield OnGitLab(gitlab, project, Running(checkout))


def test_one_merge_request_has_the_proof(on_gitlab: OnGitLab) -> None:
    gitlab, running = on_gitlab.gitlab, on_gitlab.running
    args = ("--merge-request", "--server", gitlab.url, "--project", "acme/manifests")
    first = running.proof(*args)
    (request,) = gitlab.open_requests(on_gitlab.project)
    assert first["merge_request"].endswith(f"/-/merge_requests/{request.iid}")
    assert (request.source, request.target, request.sha) == (BRANCH, "main", first["commit"])
    assert request.title == "Adopt shop into Headgate"
    assert "Nothing differs: 1 object of 1 app-environment" in request.description
    assert yaml.safe_load(running.show("headgate.yaml"))["gitlab"]["project"] == "acme/manifests"

    running.write({"dev/cart/service.yaml": SERVICE.replace("shop", "cart")})
    second = running.proof(*args)
    (request,) = gitlab.open_requests(on_gitlab.project)
    assert request.sha == second["commit"] == refs(on_gitlab.project)[f"refs/heads/{BRANCH}"]
    assert (request.title, "`cart`" in request.description) == ("Adopt 2 apps into Headgate", True)

    ref = f"refs/heads/{BRANCH}"
    write_commit(on_gitlab.project.folder, ref, request.sha, {"apps/cart/values.yaml": "a: 1\n"}, "Ada", "Mine")
    ran = running.adopt(*args)
    assert ran.code == 20
    assert "has a commit that is not in this checkout" in ran.err


def test_without_a_token_there_is_none(on_gitlab: OnGitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADGATE_TOKEN")
    ran = on_gitlab.running.adopt("--merge-request", "--server", on_gitlab.gitlab.url, "--project", "acme/manifests")
    assert ran.code == 10
    assert "the variable HEADGATE_TOKEN is not set" in ran.err
    assert on_gitlab.gitlab.open_requests(on_gitlab.project) == []
