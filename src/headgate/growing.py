"""Additions to the files of a manifest repository: an app, an environment, options of the form. Pure.

The rest of these files stays unchanged, character by character.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from headgate.errors import ConfigError, Location
from headgate.paths import SETTINGS
from headgate.records import frozen_record
from headgate.scaffolding import CI, CLOSED, INTAKE_CI
from headgate.yamltext.insert import UnusualTextError, with_entry, with_item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.model import Settings
    from headgate.scaffolding import Setup

_INPUTS = ("environment", "from")
"""The inputs of the form that name environments."""


@frozen_record
class NewEnvironment:
    """An environment to add. ``takes`` is a rule in flow style; ``after`` is the environment that it follows."""

    name: str
    delivery: str
    takes: str
    kubernetes: str
    after: str
    cluster: str = ""

    @property
    def entry(self) -> tuple[str, str]:
        """Its entry in headgate.yaml, in block and in flow style."""
        facts = [f"takes: {self.takes}", f"delivery: {self.delivery}", f'kubernetes: "{self.kubernetes}"']
        facts += [f"cluster: {self.cluster}"] if self.cluster else []
        block = "\n".join([f"{self.name}:", *(f"  {fact}" for fact in facts)])
        return block, f"{self.name}: {{{', '.join(facts)}}}"


def rule(text: str) -> str:
    """Return a rule of ``takes`` in flow style: ``promotion:dev``, ``branch:main``, ``tag:v*``. Raises ConfigError."""
    kind, _, name = text.partition(":")
    if kind not in ("promotion", "branch", "tag") or not name:
        raise ConfigError(f"the rule is {text!r}, expected promotion:ENV, branch:PATTERN or tag:PATTERN")
    return f"{{{kind}: {name if re.fullmatch('[a-z][a-z0-9/-]*', name) else json.dumps(name)}}}"


def settings_with(text: str, settings: Settings, new: NewEnvironment, cluster: str) -> str:
    """Return headgate.yaml with an environment, and with a cluster of its name where there are clusters.

    ``cluster`` is its entry in block style; empty to add none. Raises ConfigError.
    """
    try:
        text = with_entry(text, ("environments",), new.entry, after=new.after)
        runs_on = settings.clusters.get(new.cluster)
        if runs_on is not None and runs_on.environments:
            text = with_item(text, ("clusters", new.cluster, "environments"), new.name)
        if cluster:
            text = with_entry(text, ("clusters",), (cluster, f"{new.name}: {{flux: {{}}}}"), after=new.after)
    except UnusualTextError:
        raise _by_hand(SETTINGS, f"environments, {new.entry[1]}") from None
    return text


def form_with(text: str, file: str, header: Any, new: NewEnvironment) -> str:
    """Return a CI file whose form offers an environment: in each input that has options. Raises ConfigError."""
    for name in _offering(header):
        try:
            text = with_item(text, ("spec", "inputs", name, "options"), new.name, after=new.after)
        except UnusualTextError:
            raise _by_hand(file, f"spec: inputs: {name}: options, {new.name}") from None
    return text


def _offering(header: Any) -> Iterator[str]:
    spec = header.get("spec") if isinstance(header, dict) else None
    inputs = spec.get("inputs") if isinstance(spec, dict) else None
    for name in _INPUTS:
        found = (inputs or {}).get(name)
        if isinstance(found, dict) and found.get("options"):
            yield name


def app_with(text: str, file: str, new: NewEnvironment) -> str:
    """Return an app.yaml that lists its environments with one more. Raises ConfigError."""
    with suppress(UnusualTextError):
        return with_item(text, ("environments",), new.name, after=new.after)
    try:
        return with_entry(text, ("environments",), (f"{new.name}: {{}}", f"{new.name}: {{}}"), after=new.after)
    except UnusualTextError:
        raise _by_hand(file, f"environments, {new.name}") from None


def owners_with(text: str, section: str) -> str:
    """Return CODEOWNERS with one more section at its end."""
    return f"{text.rstrip()}\n\n{section}" if text.strip() else section


def owners_of_environment(text: str, apps: Mapping[str, str], output: str) -> tuple[str, list[str]]:
    """Return CODEOWNERS with an environment that is reviewed, and the apps that have no entry to add one next to.

    ``apps`` are folders by names; ``output`` is where the environment's YAML is, with ``{app}``. In the section that is
    called like an app, whom its app.yaml names owns that, too: https://docs.gitlab.com/user/project/codeowners/reference/.
    """
    lines, without = text.splitlines(keepends=True), []
    for name, folder in apps.items():
        entries = _entries(lines, name)
        found = next((at for at in entries if lines[at].split()[0] == f"/{folder}/app.yaml"), None)
        if found is None:
            without.append(name)
            continue
        entry = " ".join([f"/{output.replace('{app}', name)}/", *lines[found].split()[1:]])
        lines[entries[-1]] = lines[entries[-1]].rstrip("\n") + "\n"
        lines.insert(entries[-1] + 1, f"{entry}\n")
    return "".join(lines), without


def _entries(lines: Sequence[str], section: str) -> list[int]:
    """Return the places of the entries in a section; sections are called the same whatever their letters' case."""
    found, is_inside = [], False
    for at, line in enumerate(lines):
        if header := re.match(r"\^?\[([^\]]+)\]", line):
            is_inside = header[1].lower() == section
        elif is_inside and line.strip() and not line.startswith("#"):
            found.append(at)
    return found


def _by_hand(file: str, what: str) -> ConfigError:
    message = "cannot add to this file without changing other lines"
    return ConfigError(message, where=Location(file), hint=f"add by hand: {what}")


def setup_of(ci: Mapping[str, Any]) -> Setup | None:
    """Return the set-up of the CI files, by the pipelines that they exclude; None if they do not tell.

    ``ci`` holds their bodies by their names.
    """
    if INTAKE_CI in ci:
        return "intake"
    workflow = ci[CI].get("workflow") if isinstance(ci.get(CI), dict) else None
    rules = (workflow or {}).get("rules") or ()
    closed = [str(found.get("if")) for found in rules if isinstance(found, dict) and found.get("when") == "never"]
    return next((setup for setup, door in CLOSED.items() if setup != "intake" and door in closed), None)


def components_of(ci: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the project of Headgate's components and their version, as the CI file includes them."""
    included = ci[CI].get("include") if isinstance(ci.get(CI), dict) else None
    for entry in included if isinstance(included, list) else [included]:
        address = str(entry.get("component", "")) if isinstance(entry, dict) else ""
        found = re.fullmatch(r"[^/]+/(.+)/hydrate@(.+)", address)
        if found:
            return found[1], found[2]
    return None
