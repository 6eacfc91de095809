"""The one family of errors: each kind has one exit code, and a message made for the person who reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Location:
    """Where in a file something was found. ``line`` counts from 1; 0 means the whole file."""

    file: str
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        """Write the place as editors and GitLab's job log link it: ``file:line: key``."""
        text = f"{self.file}:{self.line}" if self.line else self.file
        return bounded(f"{text}: {self.key}" if self.key else text, _MAX_PLACE)


_MAX_PLACE = 1500  # a path has at most 1,000 bytes, a key any number
_MAX_TEXT = 8000
_MAX_LINES = 50


def bounded(text: str, characters: int = _MAX_TEXT, lines: int = _MAX_LINES) -> str:
    """Return the beginning of a text, and how much more there was: nobody reads all of it, and GitLab cuts long logs.

    What is bounded already stays as it is.
    """
    if len(text) <= characters and text.count("\n") < lines:
        return text
    kept = text[: characters - _MAX_REST].split("\n")[: lines - 1]
    rest = text.count("\n") + 1 - len(kept)
    if rest:
        return "\n".join((*kept, f"    ... and {rest} more lines"))
    shown = "\n".join(kept)
    return f"{shown}... and {len(text) - len(shown)} more characters"


_MAX_REST = 60  # what is said of the rest


class HeadgateError(Exception):
    """Something a person can mend. ``what`` happened, ``where``, and what to do (``hint``). Each text is bounded."""

    code: ClassVar[int] = 1
    title: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: Location | None = None, hint: str = "") -> None:
        """Keep the three parts apart, so that every report can lay them out in its own way."""
        super().__init__(bounded(what))
        self.what = bounded(what)
        self.where = where
        self.hint = bounded(hint)

    def __str__(self) -> str:
        """Write the message on one to three lines: place and fact first, the way out last."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.hint}" if self.hint else head

    def __reduce__(self) -> tuple[object, ...]:
        """Let errors cross process borders whole."""
        return _rebuild, (type(self), self.what, self.where, self.hint)


def _rebuild(kind: type[HeadgateError], what: str, where: Location | None, hint: str) -> HeadgateError:
    return kind(what, where=where, hint=hint)


class SeveralError(HeadgateError):
    """More than one app-environment failed, for reasons of different kinds."""

    code = 9
    title = "several app-environments failed, for different reasons"


class ConfigError(HeadgateError):
    """headgate.yaml, app.yaml, template.yaml or a release does not say what it must."""

    code = 10
    title = "a configuration file is wrong"


class YamlError(HeadgateError):
    """A file or a rendered document is not YAML, or is YAML that Kubernetes does not take."""

    code = 11
    title = "broken YAML"


class GrantError(HeadgateError):
    """An app's values set something that the app was not granted."""

    code = 12
    title = "a value outside the grant"


class ImageError(HeadgateError):
    """An image is used nowhere, is ambiguous, or a container of the app's stays unpinned."""

    code = 13
    title = "an image is unused, ambiguous or unpinned"


class UnsafeFileError(HeadgateError):
    """A file that an engine must not see: a symlink, git's own files, a path that leaves its folder."""

    code = 14
    title = "an unsafe file in the input"


class TooLargeError(HeadgateError):
    """Input above a limit on size, number, depth or aliases."""

    code = 15
    title = "input above a limit"


class ExhaustedError(HeadgateError):
    """A render used more time, memory or output than it may."""

    code = 16
    title = "a render ran out of time or memory"


class RenderError(HeadgateError):
    """The engine could not render: a template error, a missing value, a missing dependency."""

    code = 17
    title = "a template could not be rendered"


class ManifestError(HeadgateError):
    """What was rendered is not a set of Kubernetes objects with names, places and one identity each."""

    code = 18
    title = "a rendered object is not valid"


class DeniedError(HeadgateError):
    """An app's config renders what the app is not allowed to."""

    code = 19
    title = "an object that the app may not render"


class GuardError(HeadgateError):
    """A render that is empty or removes too much, or a file in the way that Headgate did not write."""

    code = 20
    title = "a guard stopped the change"


class UnstableError(HeadgateError):
    """Two renders of one input differ."""

    code = 21
    title = "two renders of one input differ"


class GitError(HeadgateError):
    """git refused, or the folder is not a repository."""

    code = 22
    title = "git failed or there is no repository"


class DirtyError(HeadgateError):
    """The working tree has changes of its own, so a commit would not be what was hydrated."""

    code = 23
    title = "the working tree has uncommitted changes"


class ToolError(HeadgateError):
    """Helm, Kustomize or git is missing, or has another version than the pinned one."""

    code = 24
    title = "a tool is missing or has the wrong version"


class LockError(HeadgateError):
    """headgate.lock names other engine versions than these."""

    code = 25
    title = "headgate.lock names other versions"


class ConflictError(HeadgateError):
    """Somebody else moved the branch in the meantime."""

    code = 26
    title = "the branch moved in the meantime"


class RefusedError(HeadgateError):
    """A hand-off that no app or no environment accepts."""

    code = 27
    title = "a hand-off is not accepted"


class GitLabError(HeadgateError):
    """GitLab refused, or did not answer. ``status`` is HTTP's, 0 when there was no answer."""

    code = 28
    title = "GitLab refused or did not answer"

    def __init__(self, what: str, *, where: Location | None = None, hint: str = "", status: int = 0) -> None:
        """Keep the status, by which callers tell what is missing from what is forbidden."""
        super().__init__(what, where=where, hint=hint)
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Whether GitLab understood and refused, so that nothing was done; else it is not known."""
        return 400 <= self.status < 500  # noqa: PLR2004  https://www.rfc-editor.org/rfc/rfc9110#name-client-error-4xx

    @property
    def is_hidden(self) -> bool:
        """Whether the token may not see it: GitLab answers 404 to those who are not to know that something is there."""
        return self.status in (401, 403, 404)


class RegistryError(HeadgateError):
    """A registry refused, did not answer, or says what cannot be. ``status`` is HTTP's, 0 when there was no answer."""

    code = 29
    title = "a registry refused, did not answer, or does not have the image"

    def __init__(self, what: str, *, where: Location | None = None, hint: str = "", status: int = 0) -> None:
        """Keep the status, by which callers tell what is missing from what is forbidden."""
        super().__init__(what, where=where, hint=hint)
        self.status = status


class DependencyError(HeadgateError):
    """A chart or a base that an app's config needs is not to be had: not allowed, not there, or not what it was."""

    code = 30
    title = "a dependency of an app's config is not to be had"


class UntrustedError(HeadgateError):
    """It is not proved who sent a hand-off, or the surroundings of the run contradict each other."""

    code = 31
    title = "who sent it is not proved"


class ForbiddenError(HeadgateError):
    """The person who asks for it may not do it."""

    code = 32
    title = "the person may not do this"


class SandboxError(HeadgateError):
    """What an app wrote is not read or rendered, since the engine could not lock itself in."""

    code = 33
    title = "the engine is not locked in"


class UnhealthyError(HeadgateError):
    """Flux says that what was deployed failed in the cluster."""

    code = 34
    title = "what was deployed failed in the cluster"


class HealthUnknownError(HeadgateError):
    """Whether what was deployed is healthy cannot be found out."""

    code = 35
    title = "whether it is healthy cannot be found out"


class StillWaitingError(HeadgateError):
    """Flux said nothing final in the time that was given."""

    code = 36
    title = "Flux is not done yet"


KINDS: tuple[type[HeadgateError], ...] = (
    SeveralError,
    ConfigError,
    YamlError,
    GrantError,
    ImageError,
    UnsafeFileError,
    TooLargeError,
    ExhaustedError,
    RenderError,
    ManifestError,
    DeniedError,
    GuardError,
    UnstableError,
    GitError,
    DirtyError,
    ToolError,
    LockError,
    ConflictError,
    RefusedError,
    GitLabError,
    RegistryError,
    DependencyError,
    UntrustedError,
    ForbiddenError,
    SandboxError,
    UnhealthyError,
    HealthUnknownError,
    StillWaitingError,
)


def first_few(texts: Sequence[str], limit: int = 10) -> list[str]:
    """Return the first texts, and how many more there are in place of the others."""
    return [*texts[:limit], f"... and {len(texts) - limit} more"] if len(texts) > limit else list(texts)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return ``did you mean 'x'?`` for the known word that is nearest to ``word``, or an empty string."""
    import difflib  # noqa: PLC0415  only when something is wrong

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""
