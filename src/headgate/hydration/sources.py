"""The inputs of a render one by one, for the record beside its output. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.hydration.template import Source
    from headgate.render.protocol import Render


def fingerprint(facts: Any) -> str:
    """Return an id of data that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


_SHORT = 16


def input_sources(facts: Any, render: Render, source: Source, config: Source | None) -> dict[str, str]:
    """Return the inputs of a render one by one, so that a change of its output can name its cause.

    Keys are ``image NAME``, ``config``, ``template NAME``, ``values FILE`` and ``settings``; values identify content.
    """
    found = {f"image {name}": fingerprint(image.reference) for name, image in render.images.items()}
    found |= {} if config is None else {"config": config.id}
    found |= {} if source is config else {f"template {source.label.rpartition('/')[2]}": source.id}
    layers = [layer for layer in render.layers if not layer.from_app]
    found |= {f"values {layer.text.file}": fingerprint(layer.values) for layer in layers}
    return {key: value[:_SHORT] for key, value in {**found, "settings": fingerprint(facts)}.items()}
