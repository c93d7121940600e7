"""The calendar of incremental aggregations: where a second, a day or a year begins, and what
`within` means.

All times are milliseconds since 1970 in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from .errors import EvaluationFailed

_FIXED_MS = {"sec": 1_000, "min": 60_000, "hour": 3_600_000, "day": 86_400_000}

PER = {
    "sec": "sec",
    "second": "sec",
    "min": "min",
    "minute": "min",
    "hour": "hour",
    "day": "day",
    "month": "month",
    "year": "year",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(ms: int) -> datetime:
    """Give the instant."""
    return _EPOCH + timedelta(milliseconds=ms)


def milliseconds(instant: datetime) -> int:
    """Give an instant's milliseconds since 1970."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def start_of(ms: int, duration: str) -> int:
    """Give where the second, minute, … of a time begins."""
    if duration in _FIXED_MS:
        return ms - ms % _FIXED_MS[duration]
    day = moment(ms).replace(hour=0, minute=0, second=0, microsecond=0)
    day = day.replace(day=1)
    return milliseconds(day.replace(month=1) if duration == "year" else day)


def per(written: str) -> str:
    """Read the duration after `per`. Raises EvaluationFailed."""
    word = written.strip().lower()
    duration = PER.get(word) or PER.get(word.rstrip("s"))
    if duration is None:
        raise EvaluationFailed(
            f"{written!r} is no duration: seconds, minutes, hours, days, months or years"
        )
    return duration


_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d):(\d\d))?")
_PATTERN = re.compile(
    r"(\d{4})-(\d\d|\*\*)-(\d\d|\*\*) (\d\d|\*\*):(\d\d|\*\*):(\d\d|\*\*)(?: ([+-])(\d\d):(\d\d))?"
)


def _zone(sign: str | None, hours: str | None, minutes: str | None) -> timezone:
    if sign is None:
        return UTC
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return timezone(offset if sign == "+" else -offset)


def instant(written: object) -> int:
    """Read a time: milliseconds, or `yyyy-MM-dd HH:mm:ss [±hh:mm]`. Raises EvaluationFailed."""
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    match = _INSTANT.fullmatch(str(written).strip())
    if match is None:
        raise EvaluationFailed(
            f"{written!r} is no time: yyyy-MM-dd HH:mm:ss, with ±hh:mm or without"
        )
    try:
        parts = [int(x) for x in match.groups()[:6]]
        return milliseconds(datetime(*parts, tzinfo=_zone(*match.groups()[6:])))  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise EvaluationFailed(f"{written!r} is no time: {error}") from None


def within(start: object, end: object | None) -> tuple[int, int]:
    """Read `within start, end`, or a pattern like `2017-06-** **:**:**`; the end is left out.
    Raises EvaluationFailed.
    """
    if end is not None:
        low, high = instant(start), instant(end)
        if low >= high:
            raise EvaluationFailed("within: the start comes before the end")
        return low, high
    match = _PATTERN.fullmatch(str(start).strip()) if isinstance(start, str) else None
    if match is None:
        raise EvaluationFailed(f"within: {start!r} is no time and no pattern")
    fields = match.groups()[:6]
    given = [f for f in fields if f != "**"]
    if any(f != "**" for f in fields[len(given) :]):
        raise EvaluationFailed(f"within: in {start!r} stars stand only at the end")
    numbers = [int(f) for f in given] + [1, 1, 0, 0, 0][len(given) - 1 :]
    zone = _zone(*match.groups()[6:])
    try:
        first = datetime(*numbers, tzinfo=zone)  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise EvaluationFailed(f"within: {start!r}: {error}") from None
    if len(given) == 1:
        last = first.replace(year=first.year + 1)
    elif len(given) == 2:
        last = (first + timedelta(days=32)).replace(day=1)
    else:
        last = first + timedelta(**{("days", "hours", "minutes", "seconds")[len(given) - 3]: 1})
    return milliseconds(first), milliseconds(last)
