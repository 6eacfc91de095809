"""A pipeline's configuration: inputs checked, components included and filled in, as GitLab does it.

https://docs.gitlab.com/ci/inputs/ and https://docs.gitlab.com/ci/components/. Everything after that (extends, rules)
is left to gitlab-ci-local, which lets unknown inputs pass and knows no functions.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from support.gitlab.gitside import refs, text_at
from support.gitlab.modelled import check_declared, check_include
from support.gitlab.state import Project, User

if TYPE_CHECKING:
    from support.gitlab.double import Double


class ConfigurationError(Exception):
    """The pipeline cannot be made, in GitLab's words."""


class NothingToRunError(ConfigurationError):
    """The rules leave nothing to run: a push makes no pipeline then, silently."""


@dataclass(frozen=True)
class Scope:
    """What a text is filled in with: inputs, the component's own facts, and the variables known when it is made."""

    inputs: Mapping[str, Any]
    variables: Mapping[str, str]
    component: Mapping[str, Any] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()
    """Names of variables that are not to be shown: ``expand_vars`` refuses them."""


def read_configuration(
    double: Double,
    project: Project,
    sha: str,
    user: User,
    inputs: Mapping[str, Any],
    variables: Mapping[str, str],
    masked: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return a pipeline's configuration, with everything included. Raises ConfigurationError."""
    path, _, elsewhere = project.ci_config_path.partition("@")
    holder = double.find_project(elsewhere) if elsewhere else project
    if holder is None or (elsewhere and not holder.is_read_by(user)):
        raise ConfigurationError(f"Project `{elsewhere}` not found or access denied!")
    revision = refs(holder)[f"refs/heads/{holder.default_branch}"] if elsewhere else sha
    text = text_at(holder, revision, path)
    if not text:
        raise ConfigurationError("Missing CI config file")
    header, body = split(text)
    given = check_inputs((header.get("spec") or {}).get("inputs") or {}, inputs)
    scope = Scope(given, variables, masked=masked)
    return _with_includes(double, holder, revision, user, fill(body, scope), scope)


def split(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a file's header and body."""
    documents = list(yaml.safe_load_all(text))
    if len(documents) > 1:
        return documents[0] or {}, documents[-1] or {}
    return ({}, documents[0] or {}) if "spec" not in (documents[0] or {}) else (documents[0], {})


def _with_includes(
    double: Double, project: Project, sha: str, user: User, body: dict[str, Any], scope: Scope
) -> dict[str, Any]:
    includes = body.pop("include", [])
    merged: dict[str, Any] = {}
    for one in includes if isinstance(includes, list) else [includes]:
        check_include(one)
        if "component" in one:
            merged = deep_merge(merged, _component(double, one, user, scope))
        else:
            local = yaml.safe_load(text_at(project, sha, one["local"].lstrip("/")))
            merged = deep_merge(merged, local)
    return deep_merge(merged, body)


def deep_merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Put a configuration over another: hashes key by key, everything else replaced."""
    merged = dict(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = deep_merge(merged[key], value) if both else value
    return merged


def _component(double: Double, include: dict[str, Any], user: User, scope: Scope) -> dict[str, Any]:
    address, _, version = expand(include["component"], scope.variables).partition("@")
    host = double.url.partition("://")[2]
    path, _, name = address.removeprefix(f"{host}/").rpartition("/")
    project = double.find_project(path)
    if not address.startswith(f"{host}/") or project is None or not project.is_read_by(user):
        raise ConfigurationError(f"Component '{include['component']}' - content not found")
    sha = component_sha(project, version)
    text = text_at(project, sha, f"templates/{name}.yml") if sha else ""
    if not text:
        raise ConfigurationError(f"Component '{include['component']}' - content not found")
    header, body = split(text)
    spec = header.get("spec") or {}
    unknown = set(spec) - {"inputs", "component", "description"}
    if unknown:
        raise ConfigurationError(f"component cannot use `spec:{unknown.pop()}`")
    facts = {
        "name": name,
        "sha": sha,
        "version": version if version in project.releases else None,
        "reference": version,
    }
    context = {key: facts[key] for key in spec.get("component") or []}
    given = check_inputs(spec.get("inputs") or {}, include.get("inputs") or {})
    filled: dict[str, Any] = fill(body, replace(scope, inputs=given, component=context))
    return filled


def component_sha(project: Project, version: str) -> str:
    """Return the commit of a component's version: a SHA, a tag, a branch, or part of a released version."""
    known = refs(project)
    if re.fullmatch(r"[0-9a-f]{40}", version):
        return version
    released = sorted((one for one in project.releases if re.fullmatch(r"\d+\.\d+\.\d+", one)), key=_numbers)
    if re.fullmatch(r"\d+(\.\d+)?|~latest", version):
        released = [one for one in released if version == "~latest" or one.startswith(f"{version}.")]
        return known.get(f"refs/tags/{released[-1]}", "") if released else ""
    return known.get(f"refs/tags/{version}") or known.get(f"refs/heads/{version}", "")


def _numbers(version: str) -> list[int]:
    return [int(one) for one in version.split(".")]


_TYPES: dict[str, Any] = {"number": (int, float), "boolean": bool, "array": list}


def check_inputs(declared: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with their defaults. Raises ConfigurationError in GitLab's words."""
    check_declared(declared)
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise ConfigurationError(f"unknown input arguments: {', '.join(unknown)}")
    return {name: _check_input(name, spec or {}, given.get(name)) for name, spec in declared.items()}


def _check_input(name: str, spec: Mapping[str, Any], given: Any) -> Any:
    if given is None and "default" not in spec:
        raise ConfigurationError(f"`{name}` input: required value has not been provided")
    value = spec.get("default") if given is None else given
    kind = spec.get("type", "string")
    if kind == "string":
        value = "" if value is None else value if isinstance(value, str) else _text(value)
    elif kind == "array" and isinstance(value, str):
        value = json.loads(value)
    if kind in _TYPES and not isinstance(value, _TYPES[kind]):
        raise ConfigurationError(f"`{name}` input: provided value is not a {kind}")
    if "options" in spec and value not in spec["options"]:
        raise ConfigurationError(
            f"`{name}` input: `{value}` cannot be used because it is not in the list of allowed options"
        )
    if "regex" in spec and not re.search(re.sub(r"\$$", r"\\Z", spec["regex"]), str(value)):
        raise ConfigurationError(f"`{name}` input: provided value does not match required RegEx pattern")
    return value


_BLOCK = re.compile(r"\$\[\[\s*(.*?)\s*\]\]")


def fill(node: Any, scope: Scope) -> Any:
    """Fill the blocks of a parsed configuration in: keys and values."""
    if isinstance(node, dict):
        return {fill(key, scope): fill(value, scope) for key, value in node.items()}
    if isinstance(node, list):
        spliced: list[Any] = []
        for one in node:
            value = fill(one, scope)
            spliced += value if isinstance(value, list) and isinstance(one, str) else [value]
        return spliced
    if not isinstance(node, str):
        return node
    whole = _BLOCK.fullmatch(node)
    if whole and node.count("$[[") == 1:
        return _value(whole[1], scope)
    return _BLOCK.sub(lambda block: _eaten(_text(_value(block[1], scope))), node)


def _eaten(value: str) -> str:
    """Return a value as it is left inside of a longer text: it is the replacement of Ruby's gsub."""
    return re.sub(r"\\(.)", lambda match: match[1] if match[1] == "\\" else "", value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (list, dict, bool)) else str(value)


def _value(expression: str, scope: Scope) -> Any:
    name, *functions = [part.strip() for part in expression.split("|")]
    where, _, key = name.partition(".")
    known = {"inputs": scope.inputs, "component": scope.component}.get(where, {})
    if key not in known:
        raise ConfigurationError(f"unknown interpolation provided: `{key}` in `{name}`")
    value = known[key]
    for function in functions:
        value = _call(function, value, scope)
    return value


def _call(function: str, value: Any, scope: Scope) -> Any:
    if not isinstance(value, str):
        raise ConfigurationError(f"error in `{function}` function: only string inputs")
    if function == "expand_vars":
        if scope.masked & names(value):
            raise ConfigurationError("variable expansion error: masked variables cannot be expanded")
        return expand(value, scope.variables)
    if function == "posix_escape":
        return shlex.quote(value)
    if match := re.fullmatch(r"truncate\((\d+),\s*(\d+)\)", function):
        return value[int(match[1]) : int(match[1]) + int(match[2])]
    raise ConfigurationError(
        f"no function matching `{function}`: check that the function name, arguments, and types are correct"
    )


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in, once; names that are not known stay."""

    def replaced(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[2], match[0])

    return _VARIABLE.sub(replaced, text)


_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")


def names(text: str) -> frozenset[str]:
    """Return the names of the variables that a text asks for."""
    return frozenset(match[1] or match[2] for match in _VARIABLE.finditer(text))
