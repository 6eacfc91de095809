"""A template change over 600 app-environments, rendered by four jobs of GitLab and hydrated by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headgate import __version__
from support.acme import Acme, jobs_path, make_acme
from support.gitlab import serve_gitlab
from support.gitlab.runner import Task, in_shell
from support.gitlab.state import Pipeline
from support.registry import Registry

pytestmark = pytest.mark.long
APPS = 300
SETTINGS = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: settings}\ndata: {app: '{{ app }}', size: 'SIZE'}\n"
COMPONENT = f"  - component: $CI_SERVER_FQDN/headgate/headgate/warm@{__version__}\n    inputs: {{at-least: 100}}\n"


@pytest.fixture
def acme(tmp_path: Path, registry: Registry) -> Iterator[Acme]:
    """Return a manifest repository with 300 apps of one template in two environments, all hydrated."""
    with serve_gitlab(tmp_path / "gitlab", jobs_path(tmp_path)) as gitlab:
        made = make_acme(gitlab, registry, tmp_path, environments=("dev:commit", "test:commit"))
        ci = gitlab.show(made.manifests, ".gitlab-ci.yml")
        head, include, rest = ci.partition("include:\n")
        files: dict[str, str | None] = {".gitlab-ci.yml": f"{head}{include}{COMPONENT}{rest}"}
        files |= {f"apps/app-{number}/app.yaml": "template: settings\n" for number in range(APPS)}
        files["templates/settings/settings.yaml.j2"] = SETTINGS.replace("SIZE", "1")
        gitlab.push(made.manifests, files, user=made.max, message="Apps [skip ci]")
        yield made


def change_template(acme: Acme, size: str) -> Pipeline:
    files: dict[str, str | None] = {"templates/settings/settings.yaml.j2": SETTINGS.replace("SIZE", size)}
    commit = acme.gitlab.push(acme.manifests, files, user=acme.max)
    acme.gitlab.settle()
    (ran,) = (one for one in acme.manifests.pipelines if one.sha == commit)
    for number in (0, APPS - 1):
        for environment in ("dev", "test"):
            file = f"deploy/{environment}/app-{number}/configmap-settings.yaml"
            assert f'size: "{size}"' in acme.gitlab.show(acme.manifests, file)
    return ran


def taken(ran: Pipeline) -> tuple[int, int]:
    """Return how many results the hydration took from other jobs, and how many it rendered."""
    found = re.search(r"(\d+) results were rendered by other jobs, (\d+) here", ran.jobs[-1].log)
    assert found, ran.jobs[-1].log
    return int(found[1]), int(found[2])


def test_four_jobs_render_and_one_hydrates(acme: Acme) -> None:
    ran = change_template(acme, "2")
    assert [one.name for one in ran.jobs] == [*(f"warm {shard}/4" for shard in range(1, 5)), "hydrate"]
    assert ran.status == "success", ran.log
    shares = [re.search(r"shard . of 4: (\d+) of 600", one.log) for one in ran.jobs[:4]]
    assert [int(one[1]) for one in shares if one] == [150] * 4
    others, here = taken(ran)
    assert others + here == 2 * APPS
    assert here < 40  # one in fifty is rendered again

    acme.build()  # a hand-off's commit changes no template
    later = acme.manifests.pipelines[acme.manifests.pipelines.index(ran) + 1 :]
    assert [(one.source, [job.name for job in one.jobs]) for one in later if one.source != "push"] == [
        ("pipeline", ["hydrate"])
    ]
    assert all(job.name == "hydrate" for one in later for job in one.jobs), later


def stopped(task: Task) -> tuple[str, int]:
    return "cancelled\n", 1


def poisoned(task: Task) -> tuple[str, int]:
    log, code = in_shell(task)
    for file in (task.folder / "headgate-results").glob("*"):
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
    return log, code


@pytest.mark.parametrize("fault", [stopped, poisoned])
def test_what_a_job_did_not_give_is_rendered(acme: Acme, fault: Callable[[Task], tuple[str, int]]) -> None:
    acme.gitlab.execute = lambda task: fault(task) if task.env.get("CI_NODE_INDEX") == "2" else in_shell(task)
    ran = change_template(acme, "3")
    assert ran.jobs[1].status == ("failed" if fault is stopped else "success")
    assert ran.jobs[-1].status == "success", ran.jobs[-1].log
    others, here = taken(ran)
    assert others + here == 2 * APPS
    assert here >= APPS // 2
    assert ("150 kept results were not used" in ran.jobs[-1].log) == (fault is poisoned)
