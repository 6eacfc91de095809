"""What `validate.py` judges: app-environments of five objects each, one of them of a CRD, before and after a change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.repositories import release_text

from headgate.hydration.record import RECORD, OutputRecord, record_text
from headgate.objects.canonical import file_name, to_text
from headgate.objects.manifest import Manifest
from headgate.repository.tree import MemoryBlob, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ENVIRONMENTS = ("dev", "staging", "production")
KUBERNETES = "1.34"
Owner = tuple[str, str]

CRD: Mapping[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "routes.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Route", "listKind": "RouteList", "plural": "routes", "singular": "route"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["host", "weight"],
                                "properties": {
                                    "host": {"type": "string", "maxLength": 253},
                                    "weight": {"type": "integer", "minimum": 0, "maximum": 100},
                                },
                                "x-kubernetes-validations": [{"rule": "self.weight % 5 == 0"}],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def objects(app: str, environment: str, version: int) -> list[Manifest]:
    """Return the objects of an app in an environment; those of another version have other images, and run more."""
    labels = {"app.kubernetes.io/name": app}
    meta = {"name": app, "namespace": app, "labels": labels}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}}
    container = {
        "name": "app",
        "image": f"registry.example.com/acme/{app}:{version}@sha256:{version:064x}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "STAGE", "value": environment}, {"name": "URL", "value": f"https://{app}.example.com"}],
        "envFrom": [{"configMapRef": {"name": app}}],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    }
    pod = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": app, "containers": [container]}}
    spec = {"replicas": version, "selector": {"matchLabels": labels}, "template": pod}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    every: list[dict[str, Any]] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": ports}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"VERSION": str(version), "LEVEL": "info"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**meta, "annotations": {"version": str(version)}}},
        {
            "apiVersion": "example.com/v1",
            "kind": "Route",
            "metadata": meta,
            "spec": {"host": app, "weight": 5 * version},
        },
    ]
    return [_manifest(data) for data in every]


def _manifest(data: dict[str, Any]) -> Manifest:
    group = data["apiVersion"].rpartition("/")[0]
    meta = data["metadata"]
    return Manifest(group=group, kind=data["kind"], namespace=meta["namespace"], name=meta["name"], data=data)


def owners(number: int, name: str = "app") -> list[Owner]:
    """Name so many app-environments."""
    return [(f"{name}-{at // len(ENVIRONMENTS):03}", ENVIRONMENTS[at % len(ENVIRONMENTS)]) for at in range(number)]


def tree_of(output: Mapping[Owner, Sequence[Manifest]], version: int) -> Tree:
    """Return a manifest repository with this final YAML, in memory; its inputs are said to be another version's."""
    settings = "".join(
        f'  {name}: {{takes: {{branch: main}}, delivery: review, kubernetes: "{KUBERNETES}"}}\n'
        for name in ENVIRONMENTS
    )
    texts = {
        "headgate.yaml": f"version: 1\nenvironments:\n{settings}validation: {{crds: [crds]}}\n",
        "crds/routes.yaml": json.dumps(CRD),
        "templates/web/web.yaml": "\n",
    }
    for app, environment in output:
        texts[f"apps/{app}/app.yaml"] = (
            f"project: acme/{app}\nimages: {{app: registry.example.com/acme/{app}}}\ntemplate: web\n"
        )
        release = release_text("app", f"registry.example.com/acme/{app}", str(version), config=False)
        texts[f"apps/{app}/releases/{environment}/release.yaml"] = release
        folder = f"deploy/{environment}/{app}"
        files = {file_name(manifest, app): to_text(manifest) for manifest in output[app, environment]}
        texts |= {f"{folder}/{name}": text for name, text in files.items()}
        sources = {"image app": str(version), "values values.yaml": str(version), "template web": "the same"}
        record = OutputRecord(inputs=str(version), files=tuple(files), sources=sources)
        texts[f"{folder}/{RECORD}"] = record_text(record).decode()
    return Tree({path: MemoryBlob(text.encode()) for path, text in texts.items()})


def write_schemas(swagger: Path, folder: Path) -> None:
    """Write the schemas that kubeconform reads, from the API server's own description of its kinds.

    As kubernetes-json-schema has them: all definitions in one file, and a file for each kind that refers to its own.
    """
    definitions = json.loads(swagger.read_text("utf-8"))["definitions"]
    text_or_number = {"oneOf": [{"type": "string"}, {"type": "number"}]}
    for name in ("util.intstr.IntOrString", "api.resource.Quantity"):
        definitions[f"io.k8s.apimachinery.pkg.{name}"] = text_or_number
    folder.mkdir(parents=True)
    (folder / "_definitions.json").write_text(json.dumps({"definitions": definitions}), "utf-8")
    for name, file in _kinds(definitions):
        (folder / file).write_text(json.dumps({"$ref": f"_definitions.json#/definitions/{name}"}), "utf-8")
    (folder / "route-example-v1.json").write_text(
        json.dumps(CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]), "utf-8"
    )


def _kinds(definitions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].partition(".")[0]
            yield name, "-".join(filter(None, [kind["kind"].lower(), group, kind["version"]])) + ".json"
