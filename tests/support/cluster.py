"""Kubernetes clusters with Flux as plain processes on loopback: all is real but nodes and pods, which kwok says to run.

with serve_clusters(tmp_path, "dev", "eu") as (dev, eu):
    dev.follow("http://127.0.0.1:1234/acme/manifests.git", "reader", "secret")
    dev.kubectl("get", "kustomizations", "--all-namespaces")

A pod runs as soon as it has a node, unless its image has ``crashes`` in its name: tests/cluster/kwok/stages.yaml.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate import tools
from support.apiserver import ApiServer, free_ports, running, serve_apiserver

STAGES = Path(__file__).resolve().parents[1] / "cluster/kwok/stages.yaml"
FETCH_INTERVAL, INTERVAL = "3s", "1m"
"""How often Flux looks for commits, and for drift; by Headgate's default every 10 minutes for both."""

_NODE: dict[str, Any] = {"name": "machine", "annotations": {"kwok.x-k8s.io/node": "fake"}}
_FLUX = "flux-system"
_GROUPS = {
    "deployments": "apis/apps/v1",
    "gitrepositories": "apis/source.toolkit.fluxcd.io/v1",
    "ocirepositories": "apis/source.toolkit.fluxcd.io/v1",
    "kustomizations": "apis/kustomize.toolkit.fluxcd.io/v1",
    "persistentvolumeclaims": "api/v1",
    "pods": "api/v1",
    "receivers": "apis/notification.toolkit.fluxcd.io/v1",
}
_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running cluster: its name, also of its context in kubeconfigs, its API server, and where webhooks go."""

    name: str
    server: ApiServer
    receiver: str

    def kubectl(self, *args: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed; what fails raises."""
        return self.server.kubectl(*args, stdin=stdin)

    def get(self, kind: str, name: str = "", namespace: str = _FLUX) -> Any:
        """Return an object, or all of a kind in a namespace; None for what is not there."""
        answer = self.server.get(f"/{_GROUPS[kind]}/namespaces/{namespace}/{kind}/{name}".rstrip("/"))
        assert answer.ok or answer.status_code == _NOT_FOUND, answer.text
        found = answer.json() if answer.ok else None
        return found["items"] if found and not name else found

    def names(self, kind: str, namespace: str) -> list[str]:
        """Return the names of the objects of a kind in a namespace, but of those that are going."""
        every = [one["metadata"] for one in self.get(kind, namespace=namespace)]
        return [metadata["name"] for metadata in every if "deletionTimestamp" not in metadata]

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects as kubectl does."""
        data = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(data))

    def follow(self, url: str, user: str, password: str) -> None:
        """Let Flux apply the folder ``clusters/NAME`` of a repository, as ``flux bootstrap`` does."""
        self.apply(secret(_FLUX, username=user, password=password), *sync_objects(self.name, url))


def secret(name: str, **values: str) -> dict[str, Any]:
    """Return a Secret in the namespace of Flux."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": _FLUX}, "data": data}


def sync_objects(cluster: str, url: str) -> list[dict[str, Any]]:
    """Return what ``flux bootstrap`` writes to ``clusters/NAME/flux-system/gotk-sync.yaml``."""
    repository = {"interval": FETCH_INTERVAL, "ref": {"branch": "main"}, "secretRef": {"name": _FLUX}, "url": url}
    source = {"kind": "GitRepository", "name": _FLUX}
    applied = {"interval": INTERVAL, "path": f"./clusters/{cluster}", "prune": True, "sourceRef": source}
    return [
        _flux_object("source.toolkit.fluxcd.io/v1", "GitRepository", repository),
        _flux_object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", applied),
    ]


@contextmanager
def serve_clusters(folder: Path, *names: str) -> Iterator[list[Cluster]]:
    """Run clusters side by side, all files of each in a folder of its name, for as long as the block lasts."""
    with ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
        yield list(pool.map(lambda name: stack.enter_context(_serve(folder / name, name)), names))


def write_kubeconfig(file: Path, clusters: Sequence[Cluster]) -> Path:
    """Write one kubeconfig with a context for each cluster, of its name."""
    every = [json.loads(cluster.server.kubeconfig.read_text()) for cluster in clusters]
    merged = {
        **every[0],
        **{key: [item for one in every for item in one[key]] for key in ("clusters", "users", "contexts")},
    }
    file.write_text(json.dumps(merged))
    return file


def wait_for(check: Callable[[], Any], seconds: float, what: str, pause: float = 0.2) -> Any:
    """Return what a check gives as soon as that is something. Raises AssertionError when it takes longer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:g} s: {what}")


@contextmanager
def _serve(folder: Path, name: str) -> Iterator[Cluster]:
    with ExitStack() as stack:
        server = stack.enter_context(serve_apiserver(folder, name))
        storage, events, receiver = free_ports(3)
        cluster = Cluster(name=name, server=server, receiver=f"http://127.0.0.1:{receiver}")
        crds = sorted((tools.own_folder() / "flux-crds/cluster").rglob("*.yaml"))
        server.kubectl("apply", "--server-side", *(f"--filename={path}" for path in crds))
        server.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        cluster.apply(
            {"apiVersion": "v1", "kind": "Node", "metadata": _NODE},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _FLUX}},
        )
        env = {"HOME": str(folder), "TMPDIR": str(folder), "RUNTIME_NAMESPACE": _FLUX}
        env["KUBECONFIG"] = str(server.kubeconfig)
        started = {
            program: stack.enter_context(running(program, flags, folder, env, seconds_to_stop=1))
            for program, flags in _flags(folder, server, storage, events, receiver).items()
        }
        server.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "node", _NODE["name"])
        ended = [name for name, process in started.items() if process.poll() is not None]
        assert not ended, "\n".join((folder / f"{name}.log").read_text()[-2000:] for name in ended)
        yield cluster


def _flags(folder: Path, server: ApiServer, storage: int, events: int, receiver: int) -> dict[str, list[str]]:
    """Return the programs' flags. The numbers are ports: of artifacts, of events, of webhooks."""
    (folder / "storage").mkdir()
    kubeconfig = f"--kubeconfig={server.kubeconfig}"
    control = [kubeconfig, "--leader-elect=false", "--secure-port=0"]
    quiet = ["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"]
    flux = [*quiet, f"--events-addr=http://127.0.0.1:{events}/"]
    return {
        "kube-controller-manager": [*control, f"--service-account-private-key-file={folder / 'service-accounts.pem'}"],
        "kube-scheduler": control,
        "kwok": [
            kubeconfig,
            f"--config={STAGES}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--manage-all-nodes=false",
            "--node-lease-duration-seconds=40",
            "--node-ip=127.0.0.1",
            "--server-address=127.0.0.1:0",
        ],
        "source-controller": [
            *flux,
            f"--storage-path={folder / 'storage'}",
            f"--storage-addr=127.0.0.1:{storage}",
            f"--storage-adv-addr=127.0.0.1:{storage}",
        ],
        "kustomize-controller": [*flux, "--requeue-dependency=2s", "--concurrent=20"],
        "notification-controller": [
            *quiet,
            f"--events-addr=127.0.0.1:{events}",
            f"--receiverAddr=127.0.0.1:{receiver}",
        ],
    }


def _metadata() -> dict[str, str]:
    return {"name": _FLUX, "namespace": _FLUX}


def _flux_object(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": _metadata(), "spec": spec}
