"""``headgate schema``: the JSON Schemas of the files, for editors and for checks."""

from __future__ import annotations

import json

from headgate.errors import ArgumentError, did_you_mean
from headgate.schemas import FILES, schema, schema_text


def text(file: str) -> str:
    """Return the schema of one file, as it is committed under ``schema/``. Raises ArgumentError."""
    if file not in FILES:
        raise ArgumentError(
            f"there is no schema for '{file}', expected one of: {', '.join(FILES)}",
            hint=did_you_mean(file, list(FILES)),
        )
    return schema_text(file)


def all_schemas() -> str:
    """Return all schemas as one JSON object by file name."""
    return json.dumps({name: schema(model) for name, model in FILES.items()}, indent=2) + "\n"
