"""Objects that SOPS encrypted, which stay byte for byte as they are. Pure.

https://getsops.io/docs/#encryption-protocol

Text written as it was found is read again by others, and readers of YAML do not agree where a document ends:
those of Kubernetes and Kustomize split at every line that begins with ``---``, whatever follows. What passes
here is one object to all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from headgate.errors import ManifestError
from headgate.yamltext.read import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.errors import Place

_BOUNDARY = re.compile(r"^(?:---|\.\.\.)", re.MULTILINE)
_LINE_BREAK = re.compile("\r(?!\n)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ufeff]")  # one only to some readers


def is_encrypted(data: Mapping[Any, Any]) -> bool:
    """Whether SOPS encrypted an object; whoever forges this mark gets an object that Flux cannot decrypt."""
    sops = data.get("sops")
    mac = sops.get("mac") if isinstance(sops, dict) else None
    return isinstance(mac, str) and mac.startswith("ENC[")


def unchanged(document: str, data: Mapping[Any, Any], name: str, where: Place | None) -> str:
    """Return the text of one encrypted object, as it stays, without empty lines around it.

    ``data`` is what was read from it, ``name`` what errors call it. Raises ManifestError where another reader
    could see anything else in it, YamlError where it is not YAML.
    """
    text = document.lstrip("\r\n")
    text = text.rstrip("\r\n") + ("\r\n" if text.endswith("\r\n") else "\n")
    if _BOUNDARY.search(text):
        raise _ambiguous(name, "a line begins with '---' or '...', where others begin another document", where)
    if _LINE_BREAK.search(text):
        raise _ambiguous(name, "it has a character that only some readers take for a line break", where)
    if [one.data for one in read(text, name)] != [data]:
        raise _ambiguous(name, "what its template put in changes its structure", where)
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _ambiguous(name, "it has an anchor or alias, which SOPS never writes", where)
        if tag := getattr(event, "tag", None):
            raise _ambiguous(name, f"it has the tag {tag}, which SOPS never writes", where)
    return text


def _ambiguous(name: str, why: str, where: Place | None) -> ManifestError:
    return ManifestError(
        f"{name} is encrypted, so it would stay as it is, but {why}",
        where=where,
        hint="encrypt it again with sops, which writes plain YAML",
    )
