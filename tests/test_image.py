"""The scripts that make the image. What is in it, and that it works, is shown by image/smoke.sh."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from notices import modules_of
from sbom import _go

IMAGE = Path(__file__).parents[1] / "image"
HELM = (
    "helm: go1.26.6\n"
    "\tpath\thelm.sh/helm/v4/cmd/helm\n"
    "\tmod\thelm.sh/helm/v4\tv4.3.1\th1:Und=\n"
    "\tdep\tgithub.com/Masterminds/sprig/v3\tv3.3.0\th1:mQh0=\n"
    "\tdep\texample.com/old\tv1.0.0\n"
    "\t=>\texample.com/new\tv1.2.3+incompatible\th1:abc=\n"
    "\tbuild\t-trimpath=true\n"
)


def _distribution(folder: Path, name: str, licence: str = "") -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n"
    )
    record = f"{info.name}/METADATA,,\n"
    if licence:
        info.joinpath("licenses").mkdir()
        info.joinpath("licenses", "LICENSE").write_text(licence)
        record += f"{info.name}/licenses/LICENSE,,\n"
    info.joinpath("RECORD").write_text(record)


def _notices(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, IMAGE / "notices.py", *args], env=env, capture_output=True, text=True, check=False
    )


def test_notices_hold_each_text_once_and_name_every_package(tmp_path: Path) -> None:
    _distribution(tmp_path, "alpha", "May be used by anybody.")
    _distribution(tmp_path, "beta", "May be used by anybody.")
    done = _notices("python", tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("May be used by anybody.") == 1
    assert "alpha 1.0\nLicence: MIT\n" in done.stdout
    assert "beta 1.0\n" in done.stdout
    assert "The same text as that of alpha 1.0." in done.stdout


def test_package_without_a_licence_text_is_an_error(tmp_path: Path) -> None:
    _distribution(tmp_path, "alpha", "May be used by anybody.")
    _distribution(tmp_path, "silent")
    done = _notices("python", tmp_path)
    assert done.returncode == 1
    assert "no licence text found for silent 1.0" in done.stderr


def test_go_notices_come_from_the_module_cache_under_its_spelling(tmp_path: Path) -> None:
    for folder in (
        "root/src/vendor/golang.org/x/net",
        "cache/github.com/!masterminds/sprig/v3@v3.3.0",
        "cache/example.com/new@v1.2.3+incompatible",
        "cache/helm.sh/helm/v4@v4.3.1",
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "LICENSE.txt").write_text(f"Licence in {folder}")
    (tmp_path / "helm.modules").write_text(HELM)
    done = _notices("go", tmp_path / "helm.modules", GOMODCACHE=str(tmp_path / "cache"), GOROOT=str(tmp_path / "root"))
    assert done.returncode == 0, done.stderr
    assert "Licence in cache/github.com/!masterminds/sprig/v3@v3.3.0" in done.stdout
    assert "Source: module github.com/Masterminds/sprig/v3 v3.3.0 of the Go module proxy" in done.stdout
    assert "Licence in root/src/vendor/golang.org/x/net" in done.stdout


def test_replaced_module_is_told_as_what_replaces_it() -> None:
    assert modules_of(HELM) == {
        ("helm.sh/helm/v4", "v4.3.1"),
        ("github.com/Masterminds/sprig/v3", "v3.3.0"),
        ("example.com/new", "v1.2.3+incompatible"),
    }


def test_module_of_two_programs_is_one_component() -> None:
    found = {one["purl"]: one for one in _go({"helm": HELM, "kustomize": HELM})}
    assert set(found) == {
        "pkg:golang/stdlib@1.26.6",
        "pkg:golang/helm.sh/helm/v4@v4.3.1",
        "pkg:golang/github.com/Masterminds/sprig/v3@v3.3.0",
        "pkg:golang/example.com/new@v1.2.3%2Bincompatible",
    }
    assert [one["value"] for one in found["pkg:golang/stdlib@1.26.6"]["properties"]] == ["helm", "kustomize"]


def test_no_engine_is_said_and_told_by_the_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "image/with-engine", "touch", tmp_path / "ran"],
        cwd=IMAGE.parent,
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/none"},
        user=65534 if os.getuid() == 0 else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 77
    assert "no Docker engine here: none is running, or you may not use it, and only root can start one" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start an engine")
def test_engine_that_was_started_ends_with_the_command(tmp_path: Path) -> None:
    """A stand-in for dockerd that only waits: it must be gone, and the command's code must come through."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "docker").write_text(
        "#!/bin/sh\ncase $1 in --version) echo 'Docker version 20.10.24, build x' ;; buildx) exit 1 ;;\n"
        f"info) case $DOCKER_HOST in unix:///tmp/*) test -e {tmp_path}/started ;; *) exit 1 ;; esac ;; esac\n"
    )
    (programs / "dockerd").write_text(f"#!/bin/sh\necho $$ >{tmp_path}/started\nexec sleep 600\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    checkout = tmp_path / "checkout" / "image"
    checkout.mkdir(parents=True)
    (checkout / "with-engine").write_bytes((IMAGE / "with-engine").read_bytes())
    done = subprocess.run(
        ["sh", checkout / "with-engine", "sh", "-c", f'echo "$DOCKER"; kill -0 $(cat {tmp_path}/started) && exit 5'],
        env={"PATH": f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin", "DOCKER_HOST": "unix:///none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, f"{programs}/docker\n"), done.stderr
    assert not Path("/proc", (tmp_path / "started").read_text().strip()).exists()
