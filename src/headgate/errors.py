"""The errors: each kind has its own exit code, and a message for the person who reads it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from headgate.bounded import bounded
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_PLACE = 1500  # a path has at most 1,000 bytes, a key has no limit


@frozen_record(kw_only=False)
class Location:
    """A place in a file; line 0 is the whole file. A copy is the file ``source`` of its ``origin``, a project."""

    file: str
    line: int = 0
    key: str = ""
    source: str = ""
    origin: str = ""

    def __str__(self) -> str:
        """Return ``file:line: key``, which editors and GitLab's job log link."""
        text = f"{self.source or self.file}:{self.line}" if self.line else self.source or self.file
        text += f" in {self.origin}" if self.origin else ""
        return bounded(f"{text}: {self.key}" if self.key else text, _MAX_PLACE)


class HeadgateError(Exception):
    """A problem that a person can fix: ``what`` happened, ``where``, and what to do (``hint``). Texts are bounded."""

    code: ClassVar[int] = 1
    title: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: Location | None = None, hint: str = "") -> None:
        """Keep the parts separate, so that each report can format them."""
        super().__init__(bounded(what))
        self.what = bounded(what)
        self.where = where
        self.hint = bounded(hint)

    def __str__(self) -> str:
        """Return place and message, and the hint on a line of its own."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.hint}" if self.hint else head

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle all parts."""
        return partial(type(self), where=self.where, hint=self.hint), (self.what,), vars(self)


class SeveralError(HeadgateError):
    """Several app-environments failed with different kinds of errors."""

    code = 9
    title = "several app-environments failed, for different reasons"


class ConfigError(HeadgateError):
    """headgate.yaml, app.yaml, template.yaml or a release is invalid."""

    code = 10
    title = "a configuration file is invalid"


class YamlError(HeadgateError):
    """A file or a rendered document is not YAML, or is YAML that Kubernetes does not accept."""

    code = 11
    title = "invalid YAML"


class GrantError(HeadgateError):
    """An app's values set something that is not granted to the app."""

    code = 12
    title = "a value outside the grant"


class ImageError(HeadgateError):
    """An image is unused or ambiguous, or a container of the app has no digest."""

    code = 13
    title = "an image is unused, ambiguous or without digest"


class UnsafeFileError(HeadgateError):
    """A file that an engine must not read: a symlink, git's own files, a path outside its folder."""

    code = 14
    title = "an unsafe file in the input"


class TooLargeError(HeadgateError):
    """Input above a limit on size, number, depth or aliases."""

    code = 15
    title = "input above a limit"


class ExhaustedError(HeadgateError):
    """A render exceeded its limit of time, memory or output."""

    code = 16
    title = "a render ran out of time or memory"


class RenderError(HeadgateError):
    """The engine cannot render: a template error, a missing value, a missing dependency."""

    code = 17
    title = "a template cannot be rendered"


class ManifestError(HeadgateError):
    """A rendered object is not a valid Kubernetes object, or is not unique."""

    code = 18
    title = "a rendered object is invalid"


class DeniedError(HeadgateError):
    """An app renders an object that it may not render."""

    code = 19
    title = "an object that the app may not render"


class GuardError(HeadgateError):
    """A render is empty or removes too much, or a file that Headgate did not write is in the way."""

    code = 20
    title = "a guard stopped the change"


class UnstableError(HeadgateError):
    """Two renders of the same input would differ."""

    code = 21
    title = "two renders of the same input differ"


class GitError(HeadgateError):
    """git failed, or the folder is not a repository."""

    code = 22
    title = "git failed or there is no repository"


class DirtyError(HeadgateError):
    """The working tree has uncommitted changes, so a commit would differ from the hydrated tree."""

    code = 23
    title = "the working tree has uncommitted changes"


class ToolError(HeadgateError):
    """The engine or git is missing or has the wrong version."""

    code = 24
    title = "a tool is missing or has the wrong version"


class LockError(HeadgateError):
    """headgate.lock names other engine versions."""

    code = 25
    title = "headgate.lock names other versions"


class ConflictError(HeadgateError):
    """Another push moved the branch in the meantime."""

    code = 26
    title = "the branch moved in the meantime"


class RefusedError(HeadgateError):
    """A hand-off that no app or no environment accepts."""

    code = 27
    title = "a hand-off is not accepted"


class HttpError(HeadgateError):
    """A server refused, or did not answer. ``status`` is HTTP's, 0 without an answer."""

    def __init__(self, what: str, *, where: Location | None = None, hint: str = "", status: int = 0) -> None:
        """Keep the status, which distinguishes missing from forbidden."""
        super().__init__(what, where=where, hint=hint)
        self.status = status


class GitLabError(HttpError):
    """GitLab refused, or did not answer."""

    code = 28
    title = "GitLab refused or did not answer"

    @property
    def is_refusal(self) -> bool:
        """Whether GitLab refused, so that nothing was done; if not, that is unknown."""
        return 400 <= self.status < 500  # noqa: PLR2004  https://www.rfc-editor.org/rfc/rfc9110#name-client-error-4xx

    @property
    def is_hidden(self) -> bool:
        """Whether the token has no access: GitLab answers 404 to hide that something exists."""
        return self.status in (401, 403, 404)


class RegistryError(HttpError):
    """A registry refused, did not answer, or contradicts itself."""

    code = 29
    title = "a registry refused, did not answer, or lacks the image"


class DependencyError(HeadgateError):
    """A chart or base of an app's config cannot be fetched: it is not allowed, missing, or changed."""

    code = 30
    title = "a dependency of an app's config cannot be fetched"


class UntrustedError(HeadgateError):
    """The sender of a hand-off is not proved, or the variables of the run contradict each other."""

    code = 31
    title = "the sender is not proved"


class ForbiddenError(HeadgateError):
    """The actor may not do this."""

    code = 32
    title = "the person may not do this"


class SandboxError(HeadgateError):
    """Files of an app are refused, since the engine could not lock itself in."""

    code = 33
    title = "the engine is not locked in"


class InvalidObjectError(HeadgateError):
    """An API server would reject what was rendered, or a rule of validation says that it is an error."""

    code = 34
    title = "an API server would reject an object"


class UnhealthyError(HeadgateError):
    """Flux says that a deployed version failed in the cluster."""

    code = 35
    title = "a deployed version failed in the cluster"


class HealthUnknownError(HeadgateError):
    """Whether what was deployed is healthy cannot be found out."""

    code = 36
    title = "health cannot be determined"


class StillWaitingError(HeadgateError):
    """Flux said nothing final in the time that was given."""

    code = 37
    title = "Flux has not finished yet"


class ArgumentError(HeadgateError):
    """An argument of a command has no meaning, or names something that is not there."""

    code = 38
    title = "an argument names something that does not exist, or is invalid"


def _kinds(base: type[HeadgateError]) -> Iterator[type[HeadgateError]]:
    for kind in base.__subclasses__():
        yield from ([kind] if "code" in vars(kind) else [])
        yield from _kinds(kind)


KINDS = tuple(sorted(_kinds(HeadgateError), key=lambda kind: kind.code))  # by exit code


def did_you_mean(text: str, known: list[str]) -> str:
    """Return ``did you mean 'x'?`` for the most similar known text, or an empty string."""
    import difflib  # noqa: PLC0415  only for errors

    near = difflib.get_close_matches(text, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""
