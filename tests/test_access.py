"""With which logins a pipeline's run reads what an app's config builds on."""

from __future__ import annotations

from typing import Any, cast

from headgate.gitlab.event import read_event
from headgate.gitlab.run import Run
from headgate.model import Settings
from headgate.registry.credentials import Credential

SURROUNDINGS = {
    "HEADGATE_SERVER": "https://gitlab.example.com:8443",
    "HEADGATE_MANIFESTS": "acme/manifests",
    "CI_JOB_TOKEN": "job-secret",
    "CI_SERVER_URL": "https://gitlab.example.com:8443",
    "CI_API_V4_URL": "https://gitlab.example.com:8443/api/v4",
    "CI_PROJECT_URL": "https://gitlab.example.com:8443/acme/manifests",
}
SETTINGS = Settings.model_validate(
    {
        "version": 1,
        "environments": {"dev": {"delivery": "commit"}},
        "gitlab": {
            "url": "https://gitlab.example.com:8443",
            "project": "acme/manifests",
            "registry": "registry.example.com",
        },
    }
)


def run(**variables: str) -> Run:
    """Return a run in these surroundings, of which nothing is asked."""
    nobody = cast("Any", None)
    event = read_event({**SURROUNDINGS, **variables})
    return Run(event=event, job=nobody, by_job=nobody, read=nobody, write=None, branch=None)


def test_gitlabs_host_gets_the_jobs_token_and_no_other_host_does() -> None:
    access = run(HEADGATE_TOKEN="write-secret").access(SETTINGS)
    assert access.credentials == {"gitlab.example.com:8443": ("gitlab-ci-token", "job-secret")}
    job = Credential("the job token", "registry.example.com", "gitlab-ci-token", "job-secret")
    assert access.registries.credentials == (job,)


def test_the_token_that_reads_goes_before_the_jobs() -> None:
    access = run(HEADGATE_READ_TOKEN="read-secret").access(SETTINGS)
    assert access.credentials == {"gitlab.example.com:8443": ("headgate", "read-secret")}
    assert access.registries.credentials[0].secret == "read-secret"
