"""JSON Schemas of all files, from their models."""

from __future__ import annotations

import ast
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.model import (
    App,
    FreezeRecord,
    GroupRecord,
    Lock,
    ProposalRecord,
    Rejected,
    Release,
    Settings,
    StrictModel,
    TemplateSettings,
    UnapprovedMerges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES: dict[str, type[StrictModel]] = {
    "headgate.yaml": Settings,
    "headgate.lock": Lock,
    "app.yaml": App,
    "template.yaml": TemplateSettings,
    "release.yaml": Release,
    "frozen.yaml": FreezeRecord,
    "group.yaml": GroupRecord,
    "proposal.yaml": ProposalRecord,
    "rejected.yaml": Rejected,
    "unapproved.yaml": UnapprovedMerges,
}


@cache
def schema_text(file: str) -> str:
    """Return the schema of one of `FILES`, as it is committed under ``schema/``."""
    return json.dumps(schema(FILES[file]), indent=2) + "\n"


_ATTRIBUTES = {"from": "since", "except": "exceptions"}
"""Keys that are Python keywords, and their attribute names."""


def schema(model: type[StrictModel]) -> dict[str, Any]:
    """Return the JSON Schema of a file, with the text below each field as its description."""
    result = model.model_json_schema(mode="validation")
    texts = _field_texts()
    for name, definition in [(model.__name__, result), *result.get("$defs", {}).items()]:
        for key, property_schema in definition.get("properties", {}).items():
            property_schema["description"] = texts[name][_ATTRIBUTES.get(key, key)]
            property_schema.pop("title", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result}


@cache
def _field_texts() -> dict[str, dict[str, str]]:
    # Read from the source only to print a schema: Pydantic's own way reads it at every start.
    sources = sorted((Path(__file__).parent / "model").glob("*.py"))
    nodes = [node for source in sources for node in ast.parse(source.read_bytes()).body]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    own = {node.name: dict(_texts_below(node.body)) for node in classes}
    for node in classes:
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in own:
                own[node.name] = {**own[base.id], **own[node.name]}
    return own


def _texts_below(body: list[Any]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        name = getattr(getattr(field, "target", None), "id", "")
        value = getattr(getattr(text, "value", None), "value", None)
        if name and isinstance(value, str):
            yield name, " ".join(value.split())
