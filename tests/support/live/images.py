"""Images, pushed to GitLab's container registry as somebody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests

from headgate.http import is_loopback
from support.live.api import Account, Project
from support.registry import Registry, push_image

_SECONDS = 60


def push_small_image(account: Account, project: Project, tag: str) -> str:
    """Push an image of a few hundred bytes, which holds nothing, to a project's registry; return its digest."""
    host, _, repository = project.images.partition("/")
    scheme = "http" if is_loopback(host) else "https"
    registry = Registry(host, lambda name: _login(account, f"{scheme}://{host}", name), scheme)
    return push_image(registry, repository, tag)


def _login(account: Account, registry: str, repository: str) -> Mapping[str, str]:
    """Return what opens a repository: a token, asked for where the registry says, which must be this GitLab.

    https://distribution.github.io/distribution/spec/auth/token/
    """
    asked = requests.get(f"{registry}/v2/", timeout=_SECONDS)
    told = dict(re.findall(r'(\w+)="([^"]*)"', asked.headers.get("WWW-Authenticate", "")))
    assert asked.status_code == 401, f"{registry} wants no login: it is not GitLab's"
    assert urlsplit(told["realm"]).netloc == account.gitlab.host, f"{registry} asks for tokens at {told['realm']}"
    scope = {"service": told["service"], "scope": f"repository:{repository}:pull,push"}
    answer = requests.get(told["realm"], params=scope, auth=(account.name, account.token), timeout=_SECONDS)
    assert answer.ok, f"{told['realm']}: {answer.status_code} {answer.text}"
    return {"Authorization": f"Bearer {answer.json()['token']}"}
