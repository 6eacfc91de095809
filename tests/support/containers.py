"""Jobs in containers, as GitLab's runner with its Docker executor runs them.

https://docs.gitlab.com/runner/executors/docker/: the job's image without its ENTRYPOINT, as the user that it names; the
script on the standard input of a shell, which is bash where the image has one; a folder that root made, and that
everybody may write to (the helper's umask is 0000).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from support.gitlab.runner import Task, executed

IMAGE = os.environ.get("HEADGATE_IMAGE", "headgate:latest")
"""The image under test."""

_DETECT = "if [ -x /usr/local/bin/bash ] || [ -x /usr/bin/bash ] || [ -x /bin/bash ]; then exec bash; else exec sh; fi"
_OUTSIDE = ("HOME", "PATH")
"""What a runner does not set: it is the image's."""


def docker() -> str:
    """Return the client that image/with-engine found."""
    return os.environ.get("DOCKER", "docker")


def in_container(*options: str) -> Callable[[Task], tuple[str, int]]:
    """Return what runs a task in its image, with more options of ``docker run``.

    In the machine's network, where the tests' servers are. Variables come by the client's environment, not by its
    arguments, which everybody on the machine can read.
    """

    def run(task: Task) -> tuple[str, int]:
        task.folder.chmod(0o777)
        inside = "/builds/project"
        env = {name: value for name, value in task.env.items() if name not in _OUTSIDE} | {"CI_PROJECT_DIR": inside}
        args: Sequence[str] = [
            *(docker(), "run", "--rm", "--interactive", "--pull=never", "--network=host", "--entrypoint="),
            *(f"--volume={task.folder}:{inside}", f"--workdir={inside}", *options),
            *(f"--env={name}" for name in env),
            *(task.image, "sh", "-c", _DETECT),
        ]
        return executed(args, task.script, env={**os.environ, **env})

    return run
