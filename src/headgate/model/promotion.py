"""When a promotion is automatic."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from headgate.model.fields import StrictModel, Text


class AfterHealth(StrictModel):
    """A promotion that follows when the source is healthy."""

    healthy: Literal[True] = True
    """Always `true`."""
    after: Text | None = None
    """How long the source must have been healthy: `30m`, `2h`, `1d`. Default: not at all."""


def _auto(value: Any) -> Any:
    if value == "healthy":
        return AfterHealth()
    if isinstance(value, dict) and value.keys() <= {"healthy", "after"} and value.get("healthy") is True:
        after = value.get("after")
        if after is None or (isinstance(after, str) and re.fullmatch(_TIME, after)):
            return AfterHealth(after=after)
    if isinstance(value, bool | AfterHealth) or (isinstance(value, str) and re.fullmatch(_TIME, value)):
        return value
    raise ValueError("true, false, a time such as 30m, 2h or 1d, healthy, or {healthy: true, after: 30m}")


_TIME = r"\d+[mhd]"

Auto = Annotated[Any, BeforeValidator(_auto, json_schema_input_type=bool | str | AfterHealth)]
