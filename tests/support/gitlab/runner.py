"""Jobs, run as GitLab's runner runs them: a fresh folder, a shell that reads the script, GitLab's variables alone."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.gitlab.ciconfig import expand
from support.gitlab.idtokens import id_token
from support.gitlab.predefined import is_protected, job_variables, pipeline_variables

if TYPE_CHECKING:
    from support.gitlab.double import Double
    from support.gitlab.state import Job

_SECONDS = 120


@dataclass(frozen=True)
class Task:
    """What a runner is to run: a script, in a folder, with these variables, in an image where it runs containers."""

    script: str
    env: Mapping[str, str]
    folder: Path
    image: str


def in_shell(task: Task) -> tuple[str, int]:
    """Run a task in a shell on this machine, and return its log and exit code."""
    return executed(["sh"], task.script, cwd=task.folder, env=task.env)


def executed(args: Sequence[str], script: str, **where: Any) -> tuple[str, int]:
    """Run a program that reads a script, and return what it wrote and its exit code."""
    try:
        done = subprocess.run(
            args,
            input=script.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
            **where,
        )
    except subprocess.TimeoutExpired as error:
        return f"{(error.output or b'').decode()}\nERROR: Job failed: execution took longer", 1
    return done.stdout.decode("utf-8", "replace"), done.returncode


def run(double: Double, job: Job) -> None:
    """Run a job's script to its end; keep its log with secrets masked, and its artifacts."""
    job.status = "running"
    with tempfile.TemporaryDirectory(prefix="job-") as scratch:
        home, folder = Path(scratch) / "home", Path(scratch) / "builds"
        home.mkdir()
        folder.mkdir()
        variables = environment(double, job)
        if variables.get("GIT_STRATEGY") != "none":
            _checkout(double, job, folder)
        for earlier in earlier_jobs(job):
            _unpack(earlier.artifacts, folder)
        env = {"HOME": str(home), "PATH": double.path, "CI_PROJECT_DIR": str(folder), **variables}
        script = "\n".join(["set -eu", *_lines(job.config.get("before_script")), *_lines(job.config.get("script"))])
        image = job.config.get("image") or ""
        name = expand(image["name"] if isinstance(image, dict) else image, variables)
        log, code = double.execute(Task(script, env, folder, name))
        job.artifacts = _kept(folder, job.config.get("artifacts") or {})
    if any(line.startswith("headgate ") for line in script.splitlines()):
        double.violations += _leaks(double, job, [log.encode(), *job.artifacts.values()])
    job.dotenv = _dotenv(job)
    job.log = _masked(double, job, log)
    job.status = "failed" if code else "success"
    job.failure_reason = "script_failure" if code else None


def _lines(script: Any) -> list[str]:
    return [script] if isinstance(script, str) else list(script or [])


def environment(double: Double, job: Job) -> dict[str, str]:
    """Return a job's variables: https://docs.gitlab.com/ci/variables/#cicd-variable-precedence."""
    one = job.pipeline
    outside = pipeline_variables(double, one)
    told = {name: value for earlier in earlier_jobs(job) for name, value in earlier.dotenv.items()}
    own = {**job_variables(double, job), **one.config_variables, **(job.config.get("variables") or {}), **told}
    stronger = {name for name in (*one.project.variables, *one.variables) if name in outside}
    merged = {**outside, **{name: str(value) for name, value in own.items() if name not in stronger}}
    for name, spec in (job.config.get("id_tokens") or {}).items():
        audience = expand(str(spec["aud"]), merged)
        merged[name] = id_token(double.keys, double.url, job, audience, is_protected=is_protected(double, one))
    return {name: expand(value, merged) for name, value in merged.items()}


def earlier_jobs(job: Job) -> list[Job]:
    """Return the jobs that a job waits for, and gets artifacts of: those that it needs, else all of earlier stages.

    https://docs.gitlab.com/ci/yaml/#needsartifacts, https://docs.gitlab.com/ci/jobs/job_artifacts/
    """
    others, needs = job.pipeline.jobs, job.config.get("needs")
    if needs is not None:
        names = {one if isinstance(one, str) else one["job"] for one in needs}
        return [one for one in others if one.name in names]
    before = others[: others.index(job)]
    return [one for one in before if one.stage != job.stage]


def _unpack(artifacts: dict[str, bytes], folder: Path) -> None:
    for name, data in artifacts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _dotenv(job: Job) -> dict[str, str]:
    """Return the variables that a job hands on: https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv."""
    file = ((job.config.get("artifacts") or {}).get("reports") or {}).get("dotenv", "")
    lines = job.artifacts.get(file, b"").decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _checkout(double: Double, job: Job, folder: Path) -> None:
    """Check the commit out, detached, with the job's token in the address, as the runner does."""
    one = job.pipeline
    address = f"{double.url}/{one.project.path}.git".replace("://", f"://gitlab-ci-token:{job.token}@")
    for args in (
        ["init", "--quiet"],
        ["remote", "add", "origin", address],
        ["fetch", "--quiet", "--depth=20", "origin", one.sha],
    ):
        subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)
    subprocess.run(["git", "checkout", "--quiet", "--detach", one.sha], cwd=folder, check=True, capture_output=True)


def _kept(folder: Path, artifacts: dict[str, Any]) -> dict[str, bytes]:
    wanted = [
        *artifacts.get("paths", []),
        *(one for one in (artifacts.get("reports") or {}).values() if isinstance(one, str)),
    ]
    files = [
        file for one in wanted for file in ((folder / one).rglob("*") if (folder / one).is_dir() else [folder / one])
    ]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


def _leaks(double: Double, job: Job, written: Sequence[bytes]) -> list[str]:
    """Return which tokens Headgate itself wrote: not even a log that GitLab masks may have one."""
    secrets = {job.token, *(one.value for one in double.tokens), *job.pipeline.project.trigger_tokens}
    return [f"{job.name} wrote a token" for one in secrets if one and any(one.encode() in text for text in written)]


def _masked(double: Double, job: Job, log: str) -> str:
    """Hide what GitLab hides in logs: the job's token, and masked variables."""
    secret = [job.token, *(one.value for one in job.pipeline.project.variables.values() if one.masked)]
    for value in secret:
        log = log.replace(value, "[MASKED]") if value else log
    return log
