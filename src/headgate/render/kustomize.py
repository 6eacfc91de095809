"""Kustomize, in the engine: builds overlays/ENV if it exists, else the folder itself."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headgate.dependencies.kustomization import find_root
from headgate.engine.protocol import Request
from headgate.objects.images import for_templates
from headgate.objects.lookup import without_nulls
from headgate.render.batch import render_batch
from headgate.render.values import flat, merge, read_layer

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from headgate.engine.budget import Budget
    from headgate.engine.protocol import Failure
    from headgate.errors import HeadgateError
    from headgate.render.protocol import Render, Result
    from headgate.repository.tree import Tree


def render(batch: Sequence[Render]) -> Generator[Result, None, None]:
    """Build a batch of kustomizations."""
    return render_batch(batch, _request, _explain, lambda render, file: render.named(file))


def _request(render: Render) -> Request:
    root = find_root(render.scope, render.folder, render.environment, render.label)
    body = {
        "tree": render.scope.id,
        "root": root,
        "name": render.app,
        "namespace": render.namespace,
        "kubernetes": render.kubernetes,
        "api_versions": list(render.api_versions),
        "values": _values(render),
        "hooks": render.hooks,
    }
    return Request(kind="kustomize", body=body, owner=render.owner, tree=render.scope, budget=render.budget)


def _values(render: Render) -> dict[str, str]:
    """Return the data of the ConfigMap headgate-values, which ``replacements`` can read."""
    defaults = _defaults(render.scope, render.folder, render.file("values.yaml"), render.owner, render.budget)
    values = without_nulls(merge(defaults, render.values))
    return {
        **flat(values),
        **flat({"images": for_templates(render.images)}),
        "app": render.app,
        "environment": render.environment,
        "namespace": render.namespace,
    }


@lru_cache(maxsize=16)
def _defaults(scope: Tree, folder: str, named: str, owner: str, budget: Budget) -> dict[str, Any]:
    layer = read_layer(scope, posixpath.join(folder, "values.yaml"), named=named, owner=owner, budget=budget)
    return layer.values if layer else {}


def _explain(render: Render, failure: Failure) -> HeadgateError:
    return failure.error(render.named, render.label)
