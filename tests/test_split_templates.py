"""Templates of another repository, copied at a pinned commit, as docs/scale.md says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support.cli import headgate
from support.manifests import ManifestRepository, git

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: LEVEL}\n"


def platform_at(folder: Path, level: str) -> str:
    """Commit the platform's template, and return the commit."""
    (folder / "web").mkdir(exist_ok=True)
    (folder / "web" / "settings.yaml").write_text(TEMPLATE.replace("LEVEL", level))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")
    return git(folder, "rev-parse", "HEAD")


def copy(repository: ManifestRepository, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["./copy-templates", *args], cwd=repository.path, capture_output=True, text=True, check=False)


def test_changing_the_pin_is_a_template_change(tmp_path: Path, manifests: ManifestRepository) -> None:
    platform = tmp_path / "platform"
    platform.mkdir()
    git(platform, "init", "--quiet", "--initial-branch=main")
    git(platform, "config", "uploadpack.allowAnySHA1InWant", "true")  # as on GitLab
    script = re.search(r"```sh\n(#!/bin/sh\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert script is not None
    manifests.app("shop", "template: web\nenvironments: [dev]\n").write({"copy-templates": script[1].encode()})
    (manifests.path / "copy-templates").chmod(0o755)
    for level in ("info", "debug"):
        manifests.write({"templates.pin": f"{platform} {platform_at(platform, level)}\n"}).commit("Pin")
        before = copy(manifests, "check")
        assert before.returncode != 0
        assert copy(manifests).returncode == 0
        git(manifests.path, "commit", "--quiet", "--message", "Copy templates")
        assert copy(manifests, "check").returncode == 0
        ran = headgate("rehydrate", "--manifests", str(manifests.path))
        assert ran.code == 0, ran.err
        assert f"level: {level}" in (manifests.path / "deploy/dev/shop/configmap-settings.yaml").read_text()
    assert "templates/web is not that of" in before.stdout
