"""Types that the files share, and what all their records have in common."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from headgate.model.actions import PERMISSIONS
from headgate.yamltext import valuepath

Engine = Literal["helm", "kustomize", "jinja2", "plain"]
Delivery = Literal["commit", "review"]
Hooks = Literal["drop", "keep"]
Level = Literal["developer", "maintainer", "owner"]
if TYPE_CHECKING:
    Permission = str
else:
    Permission = Literal[PERMISSIONS]

PATTERNS: dict[str, str] = {}
"""What each pattern asks for, in words."""


def pattern(expression: str, words: str) -> StringConstraints:
    """Return a constraint on text, and remember its words for error messages."""
    PATTERNS[expression] = words
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
# http only for this machine itself: tokens go there.
Url = Annotated[
    str,
    pattern(
        r"^(https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:\d{1,5})?(/[\w.-]+)*$",
        "an address such as https://gitlab.example.com, without a slash at its end",
    ),
]
# What Helm's --kube-version takes: two or three numbers, and what providers add to them.
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
# What stands between '<' and '>' in a commit, which knows no escapes.
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
        raise ValueError("the name of a branch, as in 'env/{environment}' (what is below headgate/ is for reviews)")
    return value


SafeFolder = Annotated[str, BeforeValidator(lambda v: _check_folder(v) if isinstance(v, str) else v)]
Branch = Annotated[str, BeforeValidator(lambda v: _check_branch(v) if isinstance(v, str) else v)]
ValuePath = Annotated[Text, BeforeValidator(lambda v: _check_path(v) if isinstance(v, str) else v)]


def listed(value: Any) -> Any:
    """Take one for a list of one."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def as_tuple(value: Any) -> Any:
    """Take a list for a tuple, which does not change."""
    return tuple(value) if isinstance(value, list) else value


def keyed(key: str) -> Any:
    """Return what takes a string for a mapping with this one key."""
    return lambda value: {key: value} if isinstance(value, str) else value


def named(value: Any) -> Any:
    """Take a list of names for a mapping that says nothing more of each. Raises ValueError for a name twice."""
    if not isinstance(value, (list, tuple)) or not _all_names(value):
        return value
    twice = next((name for name in value if value.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"'{twice}' once")
    return dict.fromkeys(value, None)


def _all_names(value: Any) -> bool:
    return all(isinstance(item, str) for item in value)


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


class StrictModel(BaseModel):
    """What all files have in common: unknown keys are errors, types are not guessed, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


Texts = Annotated[tuple[Text, ...], BeforeValidator(as_tuple, json_schema_input_type=list[Text])]
Hosts = Annotated[tuple[Host, ...], BeforeValidator(as_tuple, json_schema_input_type=list[Host])]
