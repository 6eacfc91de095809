"""A Kubernetes API server with its store as plain processes on loopback: it takes objects and runs none of them.

with serve_apiserver(tmp_path) as cluster:
    cluster.kubectl("apply", "--dry-run=server", "--filename", str(file))
    cluster.post("/api/v1/namespaces", text, "application/yaml")
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate import tools

_SECONDS_TO_START = 600  # 4 on an idle machine; on a busy one this is not what is tested
_SECONDS_TO_STOP = 30


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """A running API server: its address, and how its administrator reaches it."""

    url: str
    kubeconfig: Path
    session: requests.Session = field(repr=False)

    def kubectl(self, *args: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return what it printed; what fails raises, with kubectl's words."""
        done = subprocess.run(
            [program("kubectl"), f"--kubeconfig={self.kubeconfig}", *args],
            input=stdin,
            env={"HOME": str(self.kubeconfig.parent)},  # it keeps a cache there
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {args[0]} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def get(self, path: str) -> requests.Response:
        """Ask for a path, whatever the answer is."""
        return self.session.get(f"{self.url}{path}", timeout=30)

    def post(self, path: str, body: str, content_type: str, **params: str) -> dict[str, Any]:
        """Send an object as it stands and return the answer; what is refused raises, with the server's words."""
        headers = {"Content-Type": content_type}
        answer = self.session.post(f"{self.url}{path}", data=body.encode(), headers=headers, params=params, timeout=30)
        assert answer.ok, f"POST {path}: {answer.status_code} {answer.text}"
        created: dict[str, Any] = answer.json()
        return created


@contextmanager
def serve_apiserver(folder: Path, context: str = "test") -> Iterator[ApiServer]:
    """Run an API server with nothing in it, all its files in ``folder``, for as long as the block lasts.

    ``context`` is what its kubeconfig calls it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store_port, port = free_ports(2)
    store, url = f"http://127.0.0.1:{store_port}", f"https://127.0.0.1:{port}"
    token = secrets.token_hex()
    _write_keys(folder, token)
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False  # no proxies, no .netrc
        session.verify = str(_authority(folder))
        session.headers["Authorization"] = f"Bearer {token}"
        server = ApiServer(url=url, kubeconfig=_write_kubeconfig(folder, context, url, token), session=session)
        stack.enter_context(running("etcd", _etcd_flags(folder, store), folder))
        process = stack.enter_context(running("kube-apiserver", _apiserver_flags(folder, store, port), folder))
        _wait_until_ready(server, process, folder)
        yield server


def program(name: str) -> str:
    """Return the program that `make apiserver` built, or `make cluster-tools`."""
    path = tools.own_folder() / name
    if not path.is_file():
        target = "apiserver" if name in ("etcd", "kube-apiserver", "kubectl") else "cluster-tools"
        pytest.fail(f"{path} is not here: run 'make {target}'")
    return str(path)


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _authority(folder: Path) -> Path:
    """Return the file where the server writes its certificate, which is its own authority."""
    return folder / "certificates/apiserver.crt"


def _write_keys(folder: Path, token: str) -> None:
    """Write what the server reads: who the administrator is, and what signs the tokens of service accounts."""
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / "service-accounts.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))


def _write_kubeconfig(folder: Path, context: str, url: str, token: str) -> Path:
    configuration = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": url, "certificate-authority": str(_authority(folder))}}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    return file


def _etcd_flags(folder: Path, store: str) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        "--listen-peer-urls=http://127.0.0.1:0",  # there are no others
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver_flags(folder: Path, store: str, port: int) -> list[str]:
    key = folder / "service-accounts.pem"
    return [
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={_authority(folder).parent}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",  # as every installer sets it
        "--disable-admission-plugins=ServiceAccount",  # no controller makes the accounts that it asks for
    ]


@contextmanager
def running(
    name: str,
    flags: list[str],
    folder: Path,
    env: Mapping[str, str] = MappingProxyType({}),
    *,
    seconds_to_stop: float = _SECONDS_TO_STOP,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with an environment of its own, its output in a log, and end it."""
    with (folder / f"{name}.log").open("wb") as output:
        process = subprocess.Popen([program(name), *flags], cwd=folder, stdout=output, stderr=output, env=dict(env))
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=seconds_to_stop)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: ApiServer, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        if _is_ready(server):
            return
        time.sleep(0.1)
    logs = "\n".join((folder / f"{name}.log").read_text()[-3000:] for name in ("etcd", "kube-apiserver"))
    raise AssertionError(f"the API server did not start:\n{logs}")


def _is_ready(server: ApiServer) -> bool:
    try:
        return server.get("/readyz").ok
    except OSError:  # it does not listen yet, or its certificate is not written yet
        return False
