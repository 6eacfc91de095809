"""The engine is locked in inside the image, too: attacked there, and by what it and Headgate say of themselves."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from headgate import tools
from headgate.errors import SandboxError
from support.acme import ROOT
from support.containers import IMAGE, docker
from support.engines import OWN_CONFIGS, config_with
from support.manifests import ManifestRepository

pytestmark = pytest.mark.image
ANY_USER = (
    *("--user=54321:54321", "--tmpfs=/tmp:mode=1777", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    "--env=CI=true",
)
MAY_SKIP = {"TestStandardOutputMayBeFile", "TestLandlockAloneDeniesFiles"}
"""What a root that is read-only, or a kernel without Landlock, has no place for."""

# One engine with its input left open, so that the kernel can be asked about it.
ASK_KERNEL = """
set -e
mkfifo /tmp/input
headgate-engine </tmp/input >/tmp/greeting &
exec 3>/tmp/input
until [ -s /tmp/greeting ]; do sleep 0.1; done
cat /tmp/greeting
for who in self $!; do grep -E '^(NoNewPrivs|CapEff|Seccomp_filters):' /proc/$who/status; done
"""


def in_image(*args: str, options: tuple[str, ...] = (), script: str = "", code: int = 0) -> str:
    """Run a command in the image, on a read-only root and without a network; return what it printed."""
    run = (docker(), "run", "--rm", "--interactive", "--read-only", "--network=none", *options, IMAGE)
    done = subprocess.run(
        [*run, *args], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def lock_tests() -> set[str]:
    """Return the names of the lock's own tests."""
    return set(re.findall(r"^func (Test\w+)\(t ", (ROOT / "image/lock/lock_test.go").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def attacker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the lock's tests as a static program, which the image can run."""
    program = tmp_path_factory.mktemp("attacker") / "engine.test"
    build = ["../go", str(tools.own_folder()), "test", "-c", "-o", str(program), "."]
    subprocess.run(build, cwd=ROOT / "image/lock", check=True)
    program.parent.chmod(0o755)
    return program


@pytest.mark.parametrize("user", ["0:0", "65534:65534"], ids=["root", "nobody"])
def test_attacks_on_the_lock_achieve_nothing(attacker: Path, user: str) -> None:
    # Docker's default profile: a container that has none, or one of its own, proves nothing of where jobs run.
    assert re.search(
        r"seccomp,profile=(builtin|default)\b",
        subprocess.run(
            [docker(), "info", "--format={{.SecurityOptions}}"], check=True, capture_output=True, text=True
        ).stdout,
    )
    names = lock_tests()
    mount = f"--volume={attacker}:/engine.test:ro"
    told = in_image("/engine.test", "-test.v", f"-test.run=^({'|'.join(names)})$", options=(mount, f"--user={user}"))
    passed = set(re.findall(r"^--- PASS: (\w+)", told, re.MULTILINE))
    assert {"TestLockedProcessAchievesNothing", "TestAttemptsSucceedWithoutLock"} <= passed
    assert names - MAY_SKIP <= passed <= names, told


def test_the_kernel_confirms_it_of_the_engine_of_the_image() -> None:
    greeting, *lines = in_image("sh", options=ANY_USER, script=ASK_KERNEL).splitlines()
    assert json.loads(greeting)["sandbox"] is True
    told = [line.split() for line in lines]
    shell, engine = dict(told[:3]), dict(told[3:])
    assert int(engine["Seccomp_filters:"]) == int(shell["Seccomp_filters:"]) + 1, "the container's, and its own"
    assert engine["NoNewPrivs:"] == "1"
    assert int(engine["CapEff:"], 16) == 0


def hydrated(folder: Path, *options: str, code: int = 0) -> dict[str, str]:
    """Hydrate, for each engine, an app with a config of its own; return what became of each."""
    manifests = ManifestRepository.make(folder)
    for engine in OWN_CONFIGS:
        manifests.app(engine, f"project: acme/{engine}\nconfig: deploy\nenvironments: [dev]\n")
        manifests.release(engine, "dev", config=config_with(engine, engine, "hello"))
    checkout = (f"--volume={folder}:/builds:ro", "--workdir=/builds")
    # Docker forwards the two streams of a container in any order, so the errors must not come into the JSON.
    command = ("sh", "-c", "headgate hydrate --check --json 2>/dev/null")
    apps = json.loads(in_image(*command, options=(*ANY_USER, *checkout, *options), code=code))["apps"]
    return {one["app"]: f"{one['state']} {(one['error'] or {'code': 0})['code']}" for one in apps}


def test_what_apps_wrote_is_rendered_locked_in(tmp_path: Path) -> None:
    assert re.search(r"^sandbox +seccomp$", in_image("headgate", "version", options=ANY_USER), re.MULTILINE)
    assert hydrated(tmp_path / "manifests", code=1) == dict.fromkeys(OWN_CONFIGS, "changed 0")


def test_what_apps_wrote_is_refused_in_a_container_that_forbids_the_lock(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    denied = {"names": ["seccomp"], "action": "SCMP_ACT_ERRNO"}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [denied]}))
    forbid = f"--security-opt=seccomp={profile}"
    told = in_image("headgate", "version", options=(*ANY_USER, forbid))
    assert "sandbox    none: seccomp is forbidden here" in told
    found = hydrated(tmp_path / "manifests", forbid, code=SandboxError.code)
    assert found == dict.fromkeys(OWN_CONFIGS, f"failed {SandboxError.code}")
