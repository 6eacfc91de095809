"""Kustomize: overlays of the platform's own templates are built together where that cannot change the result.

Most of a build is process start, so several kustomizations become the resources of one generated parent.
That is safe for those that each have a namespace of their own and use only fields that stay inside
(`kustomization.Kustomization.contained`): references by name do not cross namespaces then. Each object is
marked with the number of its member, outside of anything that Kustomize looks at. What comes out is checked
once more, and if it is not certain, or if the common build fails, each is built alone.
"""

from __future__ import annotations

import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate import process, tools
from headgate.dependencies.kustomization import VALUES, Kustomization, find_root, follow, with_fetched
from headgate.errors import HeadgateError, Place, RenderError
from headgate.objects.images import for_templates
from headgate.objects.kinds import CLUSTER
from headgate.objects.manifest import Rendered, manifests
from headgate.process import ProcessError
from headgate.render.protocol import Result, clean_environment
from headgate.render.values import flat, merge, read_layer, without_nulls
from headgate.repository.tree import Tree
from headgate.yamltext.read import read
from headgate.yamltext.write import write

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from headgate.render.protocol import Bench, Render

MEMBER = "headgateMember"
_GROUP_SIZE = 100


@dataclass(frozen=True)
class _Job:
    """A render with its kustomization, and the folder on disk to build."""

    render: Render
    kustomization: Kustomization
    folder: Path


def render(batch: Sequence[Render], bench: Bench) -> Generator[Result, None, None]:
    """Render all of ``batch``. Raises ToolError when Kustomize is not here."""
    if not batch:
        return
    tools.find("kustomize")
    jobs = []
    for one in batch:
        try:
            jobs.append(_prepare(one, bench))
        except HeadgateError as error:
            yield Result(one, error=error)
    groups = list(_groups(jobs, bench.workers))
    with ThreadPoolExecutor(bench.workers) as pool:
        for results in pool.map(lambda group: _build_group(group, bench), groups):
            yield from results


def _prepare(one: Render, bench: Bench) -> _Job:
    root = find_root(one.scope, one.folder, one.environment, one.label)
    found = follow(one.scope, root, bench.kustomize, one.named)
    scope = with_fetched(one.scope, found) if found.remote else one.scope
    if not found.reads_values:
        # All templates are staged once; a source of an app's is a scope of its own.
        return _Job(one, found, bench.stage(scope) / root)
    tree = _needed(scope, one.folder, found)
    return _Job(one, found, bench.stage(_with_values(one, tree, found)) / root)


def _needed(scope: Tree, folder: str, found: Kustomization) -> Tree:
    """Return the source, and of its neighbours only those that it builds on."""
    tops = {path.split("/")[0] for path in found.folders} | {folder.split("/", maxsplit=1)[0]}
    if "" in tops or "." in tops:
        return scope
    return Tree(
        {path: scope.blob(path) for top in tops for path in [*scope.paths(top), *([top] if top in scope else [])]}
    )


def _with_values(one: Render, tree: Tree, found: Kustomization) -> Tree:
    """Add the ConfigMap with the values to the root, for its ``replacements``; it is not part of the output.

    https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/replacements/
    """
    values = without_nulls(merge(_defaults(one.scope, one.folder), one.values))
    data = {
        **flat(values),
        **flat({"images": for_templates(one.images)}),
        "app": one.app,
        "environment": one.environment,
        "namespace": one.namespace,
    }
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": VALUES, "annotations": {"config.kubernetes.io/local-config": "true"}},
        "data": data,
    }
    root = read(tree.read(found.file), found.file)[0].data
    root = {**root, "resources": [*(root.get("resources") or []), f"{VALUES}.yaml"]}
    beside = posixpath.join(posixpath.dirname(found.file), f"{VALUES}.yaml")
    return tree.with_changes({found.file: write(root).encode(), beside: write(config_map).encode()})


@lru_cache(maxsize=16)
def _defaults(scope: Tree, folder: str) -> dict[str, Any]:
    layer = read_layer(scope, posixpath.join(folder, "values.yaml"))
    return layer.values if layer else {}


def _groups(jobs: list[_Job], workers: int) -> Iterator[list[_Job]]:
    """Split jobs into groups that may share a process: trusted, contained, each with its own namespace."""
    open_groups: list[tuple[set[str], list[_Job]]] = []
    together = [
        job for job in jobs if not job.render.owner and job.kustomization.contained and job.kustomization.namespace
    ]
    size = min(_GROUP_SIZE, -(-len(together) // workers) or 1)
    for job in together:
        namespace = job.kustomization.namespace
        fitting = next((g for g in open_groups if namespace not in g[0] and len(g[1]) < size), None)
        if fitting is None:
            fitting = (set(), [])
            open_groups.append(fitting)
        fitting[0].add(namespace)
        fitting[1].append(job)
    yield from (group for _, group in open_groups)
    chosen = {id(job) for job in together}
    yield from ([job] for job in jobs if id(job) not in chosen)


def _build_group(group: list[_Job], bench: Bench) -> list[Result]:
    if len(group) > 1:
        try:
            results = _build_together(group, bench)
        except (HeadgateError, ProcessError):
            results = None  # one of them is wrong: each alone shows which
        if results is not None:
            return results
    return [_build_alone(job, bench) for job in group]


def _build_alone(job: _Job, bench: Bench) -> Result:
    one = job.render
    try:
        text = _build(job.folder, bench)
    except ProcessError as error:
        return Result(one, error=_explain(error.stderr, job))
    except HeadgateError as error:
        return Result(one, error=error)
    return Result(one, (Rendered(text, job.render.label),))


def _build(folder: Path, bench: Bench) -> str:
    options = bench.kustomize
    args = [str(tools.find("kustomize").path), "build", str(folder)]
    args += ["--enable-alpha-plugins"] if options.plugins else []
    args += ["--enable-helm", "--helm-command", str(tools.find("helm").path)] if options.helm_charts else []
    # A group grows large: collecting seldom is as fast there as never, and takes two fifths of the memory.
    env = {**clean_environment(bench), "GOMAXPROCS": "1", "GOGC": "400"}
    if options.remote_bases or options.helm_charts:
        env |= process.inherited(("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"))
    return process.run(args, env=env, limits=bench.limits).stdout.decode("utf-8", "replace")


def _build_together(group: list[_Job], bench: Bench) -> list[Result] | None:
    """Build a group in one process. Returns None when the result is not certain to be that of each alone."""
    parent = bench.new_folder("group")
    for number, job in enumerate(group):
        member = parent / str(number)
        member.mkdir()
        path = posixpath.relpath(job.folder, member)
        (member / "kustomization.yaml").write_text(write({"resources": [path], "transformers": ["mark.yaml"]}))
        (member / "mark.yaml").write_text(write(_mark(number)))
    (parent / "kustomization.yaml").write_text(write({"resources": [str(n) for n in range(len(group))]}))
    parts: dict[int, list[str]] = {number: [] for number in range(len(group))}
    text = _build(parent, bench)
    for document in re.split(r"^---\n", text, flags=re.MULTILINE):
        match = _MEMBER_LINES.search(document)
        if match is None:
            return None
        parts[int(match[1])].append(document[: match.start()] + document[match.end() :])
    results = []
    for number, job in enumerate(group):
        rendered = (Rendered("---\n".join(parts[number]), job.render.label),)
        parsed = tuple(manifests(rendered))
        if not _is_apart(parsed, job.kustomization.namespace):
            return None
        results.append(Result(job.render, rendered, parsed=parsed))
    return results


_MEMBER_LINES = re.compile(rf"^{MEMBER}:\n  number: \"(\d+)\"\n", re.MULTILINE)


def _mark(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "builtin",
        "kind": "AnnotationsTransformer",
        "metadata": {"name": "member"},
        "annotations": {"number": str(number)},
        "fieldSpecs": [{"path": MEMBER, "create": True}],
    }


# Objects of the cluster that refer to nothing by a name that another member could change. A
# PersistentVolume or a StorageClass can refer to a Secret, whose generated name ends in a hash.
_NO_REFERENCES = CLUSTER - {"PersistentVolume", "StorageClass.storage.k8s.io", "CSIDriver.storage.k8s.io"}


def _is_apart(found: Sequence[Any], namespace: str) -> bool:
    return all(one.namespace == namespace or (not one.namespace and one.kind_name in _NO_REFERENCES) for one in found)


def _explain(words: str, job: _Job) -> RenderError:
    words = re.sub(r"^Error: ", "", words.strip()).replace(f"{job.folder}/", "").replace(str(job.folder), ".")
    words = re.sub(r"(?<!/)/[^\s'\"]*/staged-[^/]+/", "", words)
    return RenderError(f"Kustomize: {words}", where=Place(job.render.label))
