"""Windows of days and times in which an environment takes automatic changes. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from headgate.model.fields import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.model import Window

_LOOK_AHEAD = 400  # days: longer than any realistic exception


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether one of the windows is open at a moment, or there are no windows.

    A window belongs to the day on which it begins, even if it ends after midnight. When clocks go forward, a time that
    does not exist is the moment of the change; when they go back, a time that occurs twice is the first one.
    """
    return not windows or any(_is_open(window, now) for window in windows)


def _is_open(window: Window, now: datetime) -> bool:
    today = now.astimezone(ZoneInfo(window.time_zone)).date()
    return any(begin <= now < end for day in (today - timedelta(1), today) for begin, end in _span(window, day))


def _span(window: Window, day: date) -> list[tuple[datetime, datetime]]:
    if WEEKDAYS[day.weekday()] not in window.weekdays or _is_exception(window, day):
        return []
    begin, end = _time(window.since), _time(window.to)
    last = day if end > begin else day + timedelta(1)
    return [(_moment(window, day, begin), _moment(window, last, end))]


def _moment(window: Window, day: date, at: time) -> datetime:
    zone = ZoneInfo(window.time_zone)
    # For a time that does not exist, Python takes the offset from before the change: that moment is after it.
    local = datetime.combine(day, at, tzinfo=zone)
    return local.astimezone(ZoneInfo("UTC"))


def _time(text: str) -> time:
    return time.max if text == "24:00" else time.fromisoformat(text)


def _is_exception(window: Window, day: date) -> bool:
    for entry in window.exceptions:
        first, _, last = entry.partition("/")
        if date.fromisoformat(first) <= day <= date.fromisoformat(last or first):
            return True
    return False


def next_open(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the next window opens after a moment; None if none opens within a year."""
    for ahead in range(_LOOK_AHEAD):
        begins = [
            begin
            for window in windows
            for begin, _ in _span(window, now.astimezone(ZoneInfo(window.time_zone)).date() + timedelta(ahead))
            if begin > now
        ]
        if begins:
            return min(begins)
    return None


def closed(environment: str, windows: Sequence[Window], now: datetime) -> str:
    """Return the reason that an environment is outside of its windows, and until when; empty inside of them."""
    if is_open(windows, now):
        return ""
    opens = next_open(windows, now)
    zone = ZoneInfo(windows[0].time_zone)
    until = f"until {opens.astimezone(zone):%Y-%m-%d %H:%M} {windows[0].time_zone}" if opens else "for good"
    return f"{environment} is outside of its windows {until}"
