"""The final YAML before a Kubernetes API server: it takes every object, and reads each as Headgate does."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from headgate.engine import reading
from support.apiserver import ApiServer, serve_apiserver
from support.cli import headgate
from support.manifests import ManifestRepository

pytestmark = pytest.mark.long

KUBERNETES = "1.37"  # as in tests/apiserver/kubernetes/go.mod
DEFINITION = "CustomResourceDefinition"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Real charts: each is rendered with its own defaults, and with each values file under its ci/.
CHARTS = {
    "argo-rollouts": "charts/argo-rollouts",
    "cert-manager": "charts/cert-manager",
    "ingress-nginx": "charts/ingress-nginx",
    "keda": "charts/keda",
    "metrics-server": "charts/metrics-server",
    "opentelemetry-collector": "charts/opentelemetry-collector",
    "podinfo": "podinfo/charts/podinfo",
}
# cert-manager's CRDs are wanted: other charts have Certificates and Issuers.
PLATFORM_VALUES = {"cert-manager": "crds: {enabled: true}\n"}
UNRENDERABLE = {
    ("opentelemetry-collector", "defaults"),  # its NOTES.txt fails where no values name an image
    ("metrics-server", "tls-helm"),  # it makes a new certificate whenever it is rendered, which Headgate refuses
}

BASES = ("backend", "cache", "database", "frontend")
OVERLAYS = ("dev", "staging", "production")
COMPONENTS = (
    "alloydb",
    "container-images-registry",
    "container-images-tag",
    "container-images-tag-suffix",
    "custom-base-url",
    "cymbal-branding",
    "google-cloud-operations",
    "memorystore",
    "network-policies",
    "non-public-frontend",
    "service-mesh-istio",
    "shopping-assistant",
    "single-shared-session",
    "spanner",
    "without-loadgenerator",
)
COMBINATIONS = (
    "memorystore-with-all-components",
    "service-mesh-istio-with-all-components",
    "spanner-with-all-components",
)

# What no chart brings a CRD for, by repository: the server cannot be asked about these objects.
UNDEFINED = {
    "examples": [],
    "real": [
        "gateway.networking.k8s.io/v1beta1 Gateway istio-gateway",
        "gateway.networking.k8s.io/v1beta1 HTTPRoute frontend-route",
        "networking.istio.io/v1alpha3 ServiceEntry allow-egress-google-metadata",
        "networking.istio.io/v1alpha3 ServiceEntry allow-egress-googleapis",
        "networking.istio.io/v1alpha3 VirtualService frontend",
    ],
}

# A kind whose objects hold another object as it is: the server answers with how it read that.
READING: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": DEFINITION,
    "metadata": {"name": "readings.test.example.com"},
    "spec": {
        "group": "test.example.com",
        "names": {"kind": "Reading", "plural": "readings"},
        "scope": "Cluster",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"read": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}


def read_final_yaml(text: str) -> Any:
    """Return the object in a file of final YAML, as Headgate reads it."""
    (found,) = reading.objects(text, "final.yaml")
    return found.data


@dataclass(frozen=True)
class Final:
    """A file of final YAML, and the object in it."""

    path: Path
    text: str
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        """``VERSION KIND``."""
        return f"{self.data['apiVersion']} {self.data['kind']}"

    def __str__(self) -> str:
        return f"{self.kind} {self.data['metadata']['name']}"


@dataclass(frozen=True)
class Output:
    """What a manifest repository holds: the objects that the server knows, and those whose kind it does not."""

    source: str
    known: Sequence[Final]
    undefined: Sequence[Final]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server that knows the kind `READING`."""
    with serve_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        create(running, [READING])
        yield running


@pytest.fixture(scope="module", params=["examples", "real"])
def output(request: pytest.FixtureRequest, server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """Hydrate a repository; its namespaces and CRDs are then in the cluster."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "examples":
        deploy = hydrate_examples(folder)
    else:
        deploy = hydrate_real(folder, request.getfixturevalue("real"))
    files = [
        Final(path, path.read_text(), read_final_yaml(path.read_text())) for path in sorted(deploy.rglob("*.yaml"))
    ]
    create(server, namespaces(files))
    create(server, {file.data["metadata"]["name"]: file.data for file in files if is_definition(file)}.values())
    is_known = cache(lambda kind: knows(server, kind))
    return Output(
        request.param,
        [file for file in files if is_known(file.kind)],
        [file for file in files if not is_known(file.kind)],
    )


def hydrate_examples(folder: Path) -> Path:
    """Hand the example apps off to the example manifest repository, as the demo does; return its final YAML."""
    ran = headgate("demo", "--directory", str(folder))
    assert ran.code == 0, ran.err
    deploy = folder / "manifest-repo/deploy"
    apps = {str(path.relative_to(deploy)) for path in deploy.glob("*/*")}
    engines = ("shop", "cart", "mail", "landing")  # Helm, Kustomize, Jinja2, plain YAML
    assert apps == {f"{environment}/{app}" for environment in ("dev", "production") for app in engines}
    return deploy


def hydrate_real(folder: Path, real: Path) -> Path:
    """Hydrate real charts and kustomizations, each variant in an environment of its own; return the final YAML."""
    repository = ManifestRepository.make(folder / "manifests")
    environments: dict[str, None] = {}
    for name, source in CHARTS.items():
        environments |= dict.fromkeys(add_chart(repository, name, real / source))
    environments |= dict.fromkeys(add_boutique(repository, real / "online-boutique/kustomize"))
    environments |= dict.fromkeys(add_podinfo(repository, real / "podinfo/deploy"))
    settings = f'{{delivery: commit, kubernetes: "{KUBERNETES}"}}'
    lines = "".join(f"  {name}: {settings}\n" for name in environments)
    repository.write({"headgate.yaml": f"version: 1\nenvironments:\n{lines}"})
    ran = repository.hydrate()
    assert ran.code == 0, ran.err
    assert "82 app-environments: 82 changed" in ran.out
    return repository.path / "deploy"


def add_chart(repository: ManifestRepository, name: str, source: Path) -> list[str]:
    """Add an app with a chart; return its environments, one for each values file."""
    shutil.copytree(source, repository.path / "templates" / name)
    variants = {"defaults": PLATFORM_VALUES.get(name, "")}
    for path in sorted(source.glob("ci/*-values.yaml")):
        variants[path.name.removesuffix("-values.yaml").lower()] = path.read_text()
    variants = {variant: text for variant, text in variants.items() if (name, variant) not in UNRENDERABLE}
    names = ", ".join(variants)
    repository.app(
        name,
        f"template: {name}\nhooks: keep\nallow: {{kinds: [Secret]}}\nenvironments: [{names}]\n",
        {f"values.{variant}.yaml": text for variant, text in variants.items()},
    )
    return list(variants)


def add_boutique(repository: ManifestRepository, source: Path) -> list[str]:
    """Add Online Boutique; return its environments, one for each component and combination of components."""
    shutil.copytree(source, repository.path / "templates/boutique")
    overlay = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    added = {name: f"resources: [../../base]\ncomponents: [../../components/{name}]\n" for name in COMPONENTS}
    added |= {name: f"resources: [../../tests/{name}]\n" for name in COMBINATIONS}
    repository.write(
        {f"templates/boutique/overlays/{name}/kustomization.yaml": overlay + text for name, text in added.items()}
    )
    environments = ["defaults", *added]
    repository.app("boutique", f"template: boutique\nenvironments: [{', '.join(environments)}]\n")
    return environments


def add_podinfo(repository: ManifestRepository, source: Path) -> list[str]:
    """Add podinfo's overlays as one app, and each of its bases as one; return their environments."""
    shutil.copytree(source, repository.path / "templates/overlays")
    settings = ", ".join(f"{name}: {{namespace: {name}}}" for name in OVERLAYS)
    repository.app("overlays", f"template: overlays\nenvironments: {{{settings}}}\n")
    for name in BASES:
        shutil.copytree(source / "bases" / name, repository.path / "templates" / name)
        repository.app(name, f"template: {name}\nenvironments: [defaults]\n")
    return ["defaults", *OVERLAYS]


def is_definition(file: Final) -> bool:
    return bool(file.data["kind"] == DEFINITION)


def namespaces(files: Iterable[Final]) -> list[dict[str, Any]]:
    """Return the namespaces that objects are in."""
    names = {file.data["metadata"].get("namespace") for file in files} - {None}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted(names)]


def create(server: ApiServer, objects: Iterable[Mapping[str, Any]]) -> None:
    """Create objects for real; CRDs are in use afterwards."""
    items = list(objects)
    if not items:
        return
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    server.kubectl("apply", "--server-side", "--filename=-", stdin=given)
    definitions = [f"crd/{item['metadata']['name']}" for item in items if item["kind"] == DEFINITION]
    if definitions:
        server.kubectl("wait", "--for=condition=Established", "--timeout=60s", *definitions)


def knows(server: ApiServer, kind: str) -> bool:
    """Tell whether the server has a kind (``VERSION KIND``)."""
    version, name = kind.split(" ")
    answer = server.get(f"/apis/{version}" if "/" in version else f"/api/{version}")
    return answer.ok and name in {resource["kind"] for resource in answer.json()["resources"]}


def dry_run(server: ApiServer, files: Sequence[Final], *options: str) -> list[dict[str, Any]]:
    """Let the server take files without keeping them; return the objects that it would keep."""
    named = [f"--filename={file.path}" for file in files]
    answer = json.loads(server.kubectl("apply", "--dry-run=server", "--output=json", *options, *named))
    kept: list[dict[str, Any]] = answer["items"]
    assert [object_["metadata"]["name"] for object_ in kept] == [file.data["metadata"]["name"] for file in files]
    return kept


def lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yield where what was given is not in what the server keeps, but for what Kubernetes takes for the same."""
    if given is None or (not given and kept is None):  # what is empty need not be written
        return
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept.get(key), f"{path}.{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(value, other, f"{path}[{index}]")
    elif canonical(given) != canonical(kept) and not (".resources." in path and quantity(given) == kept):
        yield f"{path}: {given!r} became {kept!r}"


def canonical(value: Any) -> str:
    """Return a value as JSON, which tells 1, 1.0, true and "1" apart."""
    return json.dumps(value, sort_keys=True)


def quantity(value: Any) -> str:
    """Return a quantity as Kubernetes writes it: 1 and 1000m are "1"."""
    return re.sub(r"^([0-9]+)000m$", r"\1", str(value))


@pytest.fixture(scope="module")
def applied(server: ApiServer, output: Output) -> list[tuple[Final, dict[str, Any]]]:
    """Return each object with what the server makes of it; large CRDs do not fit into the annotation of kubectl."""
    files = [file for file in output.known if not is_definition(file)]
    return list(zip(files, dry_run(server, files), strict=True))


def test_the_server_takes_every_object(output: Output, applied: list[tuple[Final, dict[str, Any]]]) -> None:
    assert len(applied) >= {"examples": 17, "real": 1300}[output.source]
    assert {str(file): found for file, kept in applied if (found := list(lost(file.data, kept)))} == {}


def test_the_server_takes_every_object_as_flux_applies_it(server: ApiServer, output: Output) -> None:
    kept = dry_run(server, output.known, "--server-side")
    pairs = zip(output.known, kept, strict=True)
    assert {str(file): found for file, object_ in pairs if (found := list(lost(file.data, object_)))} == {}


def test_kubectl_reads_every_object_as_headgate_does(applied: list[tuple[Final, dict[str, Any]]]) -> None:
    for file, kept in applied:
        read = json.loads(kept["metadata"]["annotations"][LAST_APPLIED])
        annotations = file.data["metadata"].get("annotations") or {}  # kubectl adds a map for its own
        assert canonical(read) == canonical(
            {**file.data, "metadata": {**file.data["metadata"], "annotations": annotations}}
        ), file.path


def test_the_server_reads_every_object_as_headgate_does(server: ApiServer, output: Output) -> None:
    head = "apiVersion: test.example.com/v1\nkind: Reading\nmetadata: {name: reading}\nread:\n"
    for file in [*output.known, *output.undefined]:
        text = head + textwrap.indent(file.text, "  ", lambda _: True)
        answer = server.post("/apis/test.example.com/v1/readings", text, "application/yaml", dryRun="All")
        assert canonical(answer["read"]) == canonical(file.data), file.path


def test_objects_without_a_crd_are_these(output: Output) -> None:
    assert sorted({str(file) for file in output.undefined}) == UNDEFINED[output.source]


def test_what_kubernetes_does_not_know_is_refused(server: ApiServer, tmp_path: Path) -> None:
    misspelt = tmp_path / "configmap.yaml"
    misspelt.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\nDATA: {a: b}\n")
    with pytest.raises(AssertionError, match='unknown field "DATA"'):
        server.kubectl("apply", "--dry-run=server", f"--filename={misspelt}")
