"""Posts announcements: few tries, little time, no redirects. What fails is said, and never fails a run."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from headgate.http import (
    TRANSIENT,
    HttpRequest,
    NoAnswerError,
    RetryLimits,
    is_loopback,
    open_http,
    origin,
    seconds_to_wait,
)
from headgate.records import frozen_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headgate.http import Http
    from headgate.notifications.request import AnnouncementRequest


@frozen_record
class PostLimits:
    """``seconds`` per answer, and ``total`` within which all tries of a run begin.

    ``tries`` per announcement, and the first and the maximum wait between two.
    """

    seconds: float = 10
    total: float = 60
    tries: int = 3
    max_wait: float = 15
    first_wait: float = 0.5


USUAL = PostLimits()


@frozen_record
class Poster:
    """Posts to receivers until ``end``, on the clock of `time.monotonic`."""

    limits: PostLimits
    end: float
    _http: Http = field(repr=False)

    def post(self, address: str, request: AnnouncementRequest) -> str:
        """Post an announcement and return why it was not taken, without the address; empty when it was."""
        reason = "got no more time"
        for tried in range(self.limits.tries):
            if time.monotonic() >= self.end:
                break
            status, reason, wait = self._once(address, request)
            if not reason or (status and status not in TRANSIENT):
                break
            pause = max(wait, self.limits.first_wait * 2**tried)
            is_last = tried + 1 == self.limits.tries
            if is_last or pause > self.limits.max_wait or time.monotonic() + pause >= self.end:
                break
            time.sleep(pause)
        return reason

    def _once(self, address: str, request: AnnouncementRequest) -> tuple[int, str, float]:
        """Return HTTP's status (0 without an answer), the problem, and the seconds that the receiver wants to wait."""
        now = int(time.time())
        sent = HttpRequest(
            verb="POST",
            address=address,
            body=request.body,
            headers=request.headers(now),
            max_bytes=0,  # the answer's text is of no use
        )
        try:
            answer = self._http.exchange(sent)
        except NoAnswerError as error:  # the text of its cause may hold the address
            kind = type(error.cause).__name__
            is_slow = error.is_late or "Timeout" in kind
            return 0, f"did not answer within {self.limits.seconds:g} s" if is_slow else f"did not answer ({kind})", 0
        if answer.status // 100 == 2:  # noqa: PLR2004  https://www.rfc-editor.org/rfc/rfc9110#name-successful-2xx
            return answer.status, "", 0
        redirects = "; redirects are not followed" if answer.redirect(address) else ""
        return (
            answer.status,
            f"answered {answer.status}{redirects}",
            seconds_to_wait(answer.headers.get("Retry-After", ""), now),
        )


@contextmanager
def open_poster(limits: PostLimits = USUAL) -> Iterator[Poster]:
    """Yield what posts. Each try is one request: it is signed with its time."""
    with open_http(RetryLimits(seconds=limits.seconds, tries=1, total=limits.seconds)) as http:
        yield Poster(limits=limits, end=time.monotonic() + limits.total, _http=http)


def post_all(poster: Poster, address: str, requests: Sequence[AnnouncementRequest]) -> str:
    """Post announcements in their order until one is not taken; return why, and how many were not sent."""
    for at, request in enumerate(requests):
        reason = poster.post(address, request)
        if reason:
            left = len(requests) - at
            return f"it {reason}; not sent: {left} of {len(requests)}"
    return ""


def is_postable(address: str) -> bool:
    """Whether an address is https, or http on this machine; without a login in it."""
    found = origin(address)
    return found is not None and (found.scheme == "https" or is_loopback(found.host))


def address_in(variables: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the address in a variable, or why there is none."""
    address = variables.get(name, "").strip()
    if not address:
        return "", f"the variable {name} is not set; a protected one is there only for protected branches"
    return (address, "") if is_postable(address) else ("", f"the variable {name} holds no https address")
