"""The login challenges of a registry: the header WWW-Authenticate. Pure."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen_record(kw_only=False)
class Challenge:
    """A way to log in: ``scheme`` in lower case (``basic``, ``bearer``), and its parameters."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


# https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1: schemes and parameters share one list, commas may be quoted.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))\s*(?=,|$)')
_SCHEME = re.compile(rf"\s*({_WORD})(?=\s|,|$)(?!\s*=)")


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Return the challenges of a header, up to the first syntax error."""
    challenges: list[tuple[str, dict[str, str]]] = []
    rest = header
    while rest := rest.lstrip(", \t"):
        parameter, scheme = _PARAMETER.match(rest), _SCHEME.match(rest)
        if parameter and challenges:
            quoted = parameter[2]
            value = parameter[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            challenges[-1][1].setdefault(parameter[1].lower(), value)
            rest = rest[parameter.end() :]
        elif scheme:
            challenges.append((scheme[1].lower(), {}))
            rest = rest[scheme.end() :]
        else:
            break
    return tuple(Challenge(scheme, parameters) for scheme, parameters in challenges)
