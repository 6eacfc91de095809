"""Jobs that gitlab-ci-local runs with its Docker executor, as people try their pipelines on their own machine.

It reads the project's own CI file and the components that this includes, by git, fills the inputs in, and starts the
job's image. What only GitLab knows (identifiers, tokens, who is who) comes from the job that the double made, which is
running there meanwhile. https://github.com/firecow/gitlab-ci-local
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from headgate.repository.login import basic
from support.containers import docker
from support.gitlab.locally import command
from support.gitlab.runner import Task, executed

_KNOWN = ("CI_", "GITLAB_")
_INPUTS = ("handoff", "action", "app", "environment", "from", "to", "reason")
_NAMES = {"from": "SOURCE"}
"""Inputs whose variable has another name than they."""


def by_gitlab_ci_local(home: Path, token: str) -> Callable[[Task], tuple[str, int]]:
    """Return what runs a task as the job of its name in its project's CI file, with the inputs of its pipeline.

    A person calls it, whose token git logs in with. Artifacts are not kept: its helper would need an rsync, which
    no image has here.
    """

    def run(task: Task) -> tuple[str, int]:
        env = _environment(task, home, token)
        for args in (
            ["init", "--quiet", "--initial-branch=main"],
            ["remote", "add", "origin", f"{task.env['CI_PROJECT_URL']}.git"],
            ["fetch", "--quiet", "origin", task.env["CI_COMMIT_SHA"]],
            ["checkout", "--quiet", "-B", "main", "FETCH_HEAD"],
            ["update-ref", "refs/remotes/origin/main", "HEAD"],
            ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"],
        ):
            subprocess.run(["git", *args], cwd=task.folder, env=env, check=True, capture_output=True)
        named = {name: task.env.get(f"HEADGATE_{_NAMES.get(name, name).upper()}", "") for name in _INPUTS}
        inputs = {name: value for name, value in named.items() if value}
        (task.folder / ".gitlab-ci-local-inputs.yml").write_text(yaml.safe_dump(inputs))
        known = {name: value for name, value in task.env.items() if name.startswith(_KNOWN) or "TOKEN" in name}
        del known["CI_PROJECT_DIR"]  # it is another one in the container
        (task.folder / ".gitlab-ci-local-variables.yml").write_text(yaml.safe_dump(known))
        args = [
            *command(),
            *("--network=host", "--pull-policy=if-not-present", f"--helper-image={os.environ['BASE']}"),
            *(
                f"--container-executable={docker()}",
                f"--ignore-predefined-vars={','.join(known)}",
                task.env["CI_JOB_NAME"],
            ),
        ]
        return executed(args, "", cwd=task.folder, env=env)

    return run


def _environment(task: Task, home: Path, token: str) -> dict[str, str]:
    """Let git log in, and find where it is served what gitlab-ci-local looks for by https."""
    server = task.env["CI_SERVER_URL"]
    config = {
        f"http.{server}/.extraHeader": f"Authorization: {basic('oauth2', token)}",
        f"url.{server}/.insteadOf": server.replace("http://", "https://") + "/",
        "user.name": "x",
        "user.email": "x@example.com",
    }
    told = {"GIT_CONFIG_COUNT": str(len(config)), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for number, (key, value) in enumerate(config.items()):
        told |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    kept = ("PATH", "DOCKER_HOST", "DOCKER", "TMPDIR")
    return {"HOME": str(home), **told, **{name: os.environ[name] for name in kept if name in os.environ}}
