"""Which plain scalars every YAML reader takes for a string."""

from __future__ import annotations

import re
from functools import lru_cache

# Every plain scalar that YAML 1.1, YAML 1.2, JSON or Go's yaml packages (which read it in Kubernetes, Flux,
# Helm and Kustomize) do not take for a string. https://yaml.org/type/ and
# https://yaml.org/spec/1.2.2/#103-core-schema
_NOT_A_STRING = re.compile(
    r"""(?:
      ~ | null | Null | NULL
    | true | True | TRUE | false | False | FALSE
    | y | Y | yes | Yes | YES | n | N | no | No | NO | on | On | ON | off | Off | OFF
    | [-+]? 0 (?: [bB] [-+]? [01_]+ | [oO] [-+]? [0-7_]+ | [xX] [0-9a-fA-F_]+ )
    | [-+]? (?: [0-9] [0-9_]* \.? [0-9_]* | \. [0-9_]+ ) (?: [eE] [-+]? [0-9]+ )?
    | [-+]? [0-9] [0-9_]* (?: : [0-5]? [0-9] )+ (?: \. [0-9_]* )?
    | [-+]? \. (?: inf | Inf | INF ) | \. (?: nan | NaN | NAN )
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: (?: [Tt] | [ \t]+ ) [0-9:.]+ [ \t]* (?: Z | [-+] [0-9:]+ )? )?
    | [-+] _+
    | << | =
    )?""",
    re.VERBOSE,
)


_BEGINS_A_NUMBER = frozenset("+-.0123456789")


@lru_cache(maxsize=65536)
def is_plain_string(text: str) -> bool:
    """Whether every YAML reader takes ``text``, written without quotes, for a string."""
    if _NOT_A_STRING.fullmatch(text):
        return False
    # Go's yaml packages drop all underscores before they look for a number: 1e_3, 0_x1F.
    return not ("_" in text and text[0] in _BEGINS_A_NUMBER and _NOT_A_STRING.fullmatch(text.replace("_", "")))
