"""Check that an app may render its objects. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.bounded import first_few
from headgate.errors import DeniedError
from headgate.objects.kinds import denied_because
from headgate.yamltext import valuepath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.errors import Location
    from headgate.model import Allow
    from headgate.objects.kinds import Scope
    from headgate.objects.manifest import Manifest


def check_allowed(
    scoped: Sequence[tuple[Manifest, Scope | None]],
    allow: Allow,
    namespace: str,
    app_file: str,
    *,
    own_config: bool,
) -> None:
    """Refuse objects that an app may not render. Templates of the platform may render everything but plain Secrets.

    Raises DeniedError with all denied objects, the reasons, and the line to add.
    """
    problems: list[str] = []
    kinds: list[str] = []
    namespaces: list[str] = []
    places: list[Location | None] = []
    has_plain_secret = False
    for manifest, scope in scoped:
        before = len(problems)
        reason = _plain_secret(manifest)
        has_plain_secret |= bool(reason) and manifest.kind_name not in allow.kinds
        if not reason and own_config:
            reason = denied_because(manifest.group, manifest.kind, scope)
        if reason and manifest.kind_name not in allow.kinds:
            problems.append(f"{manifest}: {reason}")
            kinds.append(manifest.kind_name)
        if own_config and manifest.namespace not in ("", namespace, *allow.namespaces):
            problems.append(f"{manifest}: another namespace than the app's ({namespace})")
            namespaces.append(manifest.namespace)
        places += [manifest.place] * (len(problems) - before)
    if problems:
        raise DeniedError(
            "renders objects that the app may not render:\n    " + "\n    ".join(first_few(problems)),
            where=places[0] if len(set(places)) == 1 else None,
            hint=(_PLAIN_HINT if has_plain_secret else "")
            + f"to allow it, add to {app_file}: {_allow_line(allow, kinds, namespaces)}",
        )


_PLAIN_HINT = (
    "encrypt the Secret with SOPS, or let External Secrets fetch it in the cluster: whoever can read git can read its "
    "values\n  "
)


def _plain_secret(manifest: Manifest) -> str:
    if manifest.kind_name != "Secret":
        return ""
    fields = [manifest.data.get(field) for field in ("data", "stringData")]
    values = [
        value for field in fields for _, value in valuepath.leaves(field) if value not in ({}, []) and value is not None
    ]
    if manifest.verbatim:
        values = [value for value in values if not (isinstance(value, str) and value.startswith("ENC["))]
    return "a Secret in plain text" if values else ""


def _allow_line(allow: Allow, kinds: list[str], namespaces: list[str]) -> str:
    named = (("kinds", allow.kinds, kinds), ("namespaces", allow.namespaces, namespaces))
    parts = [f"{key}: [{_with_new(known, new)}]" for key, known, new in named if known or new]
    return f"allow: {{{', '.join(parts)}}}"


def _with_new(known: Sequence[str], new: Sequence[str]) -> str:
    return ", ".join((*known, *first_few([name for name in dict.fromkeys(new) if name not in known])))
