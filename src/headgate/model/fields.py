"""Types that the files share, and the base of their records."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from headgate.model.actions import PERMISSIONS
from headgate.yamltext import valuepath

Engine = Literal["helm", "kustomize", "jinja2", "plain"]
Delivery = Literal["commit", "review"]
Hooks = Literal["drop", "keep"]
Level = Literal["developer", "maintainer", "owner"]
OrderRule = Literal["ancestry", "semver"]
if TYPE_CHECKING:
    Permission = str
else:
    Permission = Literal[PERMISSIONS]

PATTERNS: dict[str, str] = {}
"""The description of each pattern, for error messages."""


def pattern(expression: str, description: str) -> StringConstraints:
    """Return a constraint on text with a description for error messages."""
    PATTERNS[expression] = description
    return StringConstraints(pattern=expression)


# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Name = Annotated[str, pattern(rf"^{LABEL}$", "a name of at most 63 characters a-z, 0-9 and '-'")]
Text = Annotated[str, StringConstraints(min_length=1)]
Commit = Annotated[str, pattern(r"^[0-9a-f]{40}([0-9a-f]{24})?$", "a commit id in full")]
Tree = Annotated[str, pattern(r"^[0-9a-f]{40,64}$", "a tree id in full")]
Digest = Annotated[str, pattern(r"^sha256:[0-9a-f]{64}$", "a digest such as sha256:...")]
Project = Annotated[str, pattern(r"^[\w.+-]+(/[\w.+-]+)+$", "a project's path such as acme/shop")]
Host = Annotated[
    str, pattern(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d{1,5})?$", "a host such as registry.example.com, or with a port")
]
# http only for this machine itself, since tokens go there.
Url = Annotated[
    str,
    pattern(
        r"^(https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:\d{1,5})?(/[\w.-]+)*$",
        "an address such as https://gitlab.example.com, without a trailing slash",
    ),
]
# As for Helm's --kube-version: two or three numbers, and suffixes of providers.
# https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions
_ADDED = r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
_BUILD = r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
Minor = Annotated[
    str,
    pattern(rf"^v?1\.[0-9]+(\.[0-9]+)?{_ADDED}{_BUILD}$", 'a version of Kubernetes such as "1.34"'),
]
Repository = Annotated[
    str,
    pattern(
        r"^([a-z0-9._-]+(:\d+)?/)?[a-z0-9._-]+(/[a-z0-9._-]+)*$",
        "an image's repository without tag, such as registry.example.com/acme/shop",
    ),
]
KindName = Annotated[
    str,
    pattern(
        r"^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
        "a kind such as Secret, or Rollout.argoproj.io outside of the core group",
    ),
]
# Commits put '<' and '>' around the address and have no escapes.
PersonName = Annotated[
    str,
    pattern(
        r"^[^<>\s\x00-\x1f\x7f]([^<>\x00-\x1f\x7f]*[^<>\s\x00-\x1f\x7f])?$",
        "a name on one line without '<' and '>'",
    ),
]
Email = Annotated[
    str, pattern(r"^[^<>@\s\x00-\x1f\x7f]+@[^<>@\s\x00-\x1f\x7f]+$", "an address such as bot@example.com")
]


def _check_folder(value: str) -> str:
    parts = value.split("/")
    unsafe = any(part in ("", ".", "..") or part.lower().startswith(".git") for part in parts)
    if unsafe or "\\" in value or not value.isprintable() or len(value) > _MAX_PATH:
        raise ValueError("a folder inside the repository, without '.' and '..'")
    return value


_MAX_PATH = 400


def _check_path(value: str) -> str:
    try:
        valuepath.parse(value)
    except ValueError as error:
        raise ValueError(f'a path of values such as a."b.c"[*].d ({error})') from None
    return value


# https://git-scm.com/docs/git-check-ref-format
_NO_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|^[-/.@]|//|\.\.|@\{|/\.|\.lock(/|$)|[/.]$")


def _check_branch(value: str) -> str:
    unusable = not value.isprintable() or _NO_BRANCH.search(value) or value.startswith(("headgate/", "refs/"))
    if not value or unusable or len(value) > _MAX_PATH:
        raise ValueError("the name of a branch such as 'env/{environment}' (headgate/ is reserved for reviews)")
    return value


SafeFolder = Annotated[str, BeforeValidator(lambda v: _check_folder(v) if isinstance(v, str) else v)]
Branch = Annotated[str, BeforeValidator(lambda v: _check_branch(v) if isinstance(v, str) else v)]
ValuePath = Annotated[Text, BeforeValidator(lambda v: _check_path(v) if isinstance(v, str) else v)]


def listed(value: Any) -> Any:
    """Convert a single value to a tuple."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def keyed(key: str) -> Any:
    """Return a function that converts a string to a mapping with this key."""
    return lambda value: {key: value} if isinstance(value, str) else value


def named(value: Any) -> Any:
    """Convert a list of names to a mapping without values. Raises ValueError for a repeated name."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        return value
    repeated = next((name for name in value if value.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"'{repeated}' only once")
    return dict.fromkeys(value, None)


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(WEEKDAYS)


def _days(value: object) -> object:
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("a time zone such as Europe/Berlin")
    return name


def _real_dates(text: str) -> str:
    try:
        days = [date.fromisoformat(day) for day in text.split("/")]
    except ValueError:
        raise ValueError("a date such as 2026-12-24, or two with a slash between") from None
    if days != sorted(days):
        raise ValueError("the earlier date first")
    return text


Days = Annotated[
    str,
    BeforeValidator(_days, json_schema_input_type=str | list[str]),
    pattern(rf"^({_DAY})(-({_DAY}))?(\s*,\s*({_DAY})(-({_DAY}))?)*$", "days such as mon-thu or mon,wed"),
]
Clock = Annotated[str, pattern(r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", 'a time in quotes such as "09:00"')]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
DateRange = Annotated[
    str,
    pattern(r"^\d{4}-\d\d-\d\d(/\d{4}-\d\d-\d\d)?$", "a date such as 2026-12-24, or two with a slash between"),
    AfterValidator(_real_dates),
]


def switched_off(value: Any) -> Any:
    """YAML reads ``off`` as false."""
    return "off" if value is False else value


class StrictModel(BaseModel):
    """The base of all records: unknown keys are errors, types are strict, records are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


Item = TypeVar("Item")
ListOf = Annotated[tuple[Item, ...], Field(strict=False)]
"""A list in a file, a tuple here, since that is immutable; what is strict about its items remains."""
Texts = ListOf[Text]
Hosts = ListOf[Host]


RiskFlag = Literal[
    "removed",
    "rbac",
    "admission",
    "crd",
    "scaled-to-zero",
    "unpinned-image",
    "older-image",
    "host-namespaces",
    "host-path",
    "privileged",
    "exposed",
]
"""What a change of an object may be flagged with."""
