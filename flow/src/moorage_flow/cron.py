"""Cron expressions with seconds, as Quartz reads them: second minute hour day month weekday [year].

Source: Quartz 2.1 CronTrigger tutorial, https://www.quartz-scheduler.org/documentation/.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from .errors import AppInvalid
from .language.syntax import NOWHERE, Place

_MONTHS = {name.upper(): at for at, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: at for at, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_YEARS = range(1970, 2100)


class Cron:
    """A cron expression; times are UTC milliseconds."""

    def __init__(self, text: str, place: Place = NOWHERE) -> None:
        fields = text.split()
        if len(fields) not in {6, 7}:
            raise AppInvalid(
                f"a cron expression has 6 or 7 fields, not {len(fields)}: {text!r}", place
            )
        try:
            self._seconds = _numbers(fields[0], 0, 59)
            self._minutes = _numbers(fields[1], 0, 59)
            self._hours = _numbers(fields[2], 0, 23)
            self._day = fields[3].upper()
            self._months = _numbers(fields[4].upper(), 1, 12, _MONTHS)
            self._weekday = fields[5].upper()
            self._years = (
                _numbers(fields[6], _YEARS.start, _YEARS.stop - 1) if len(fields) == 7 else None
            )
            self._matches_day(datetime(2024, 1, 1, tzinfo=UTC))
        except ValueError as error:
            raise AppInvalid(f"{text!r} is no cron expression: {error}", place) from None

    def after(self, now: int) -> int | None:
        """Give the first time after `now`; None when there is none."""
        moment = datetime.fromtimestamp(now // 1000, UTC) + timedelta(seconds=1)
        while moment.year < _YEARS.stop:
            if (self._years and moment.year not in self._years) or moment.month not in self._months:
                moment = _next_month(moment)
            elif not self._matches_day(moment):
                moment = moment.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif moment.hour not in self._hours:
                moment = moment.replace(minute=0, second=0) + timedelta(hours=1)
            elif moment.minute not in self._minutes:
                moment = moment.replace(second=0) + timedelta(minutes=1)
            elif moment.second not in self._seconds:
                moment += timedelta(seconds=1)
            else:
                return int(moment.timestamp()) * 1000
        return None

    def _matches_day(self, moment: datetime) -> bool:
        return self._matches_day_of_month(moment) and self._matches_weekday(moment)

    def _matches_day_of_month(self, moment: datetime) -> bool:
        if self._day in {"*", "?"}:
            return True
        last = calendar.monthrange(moment.year, moment.month)[1]
        if self._day.startswith("L"):
            back = int(self._day[2:]) if "-" in self._day else 0
            day = last - back
            return moment.day == (
                _weekday_near(moment, day, last) if self._day.endswith("W") else day
            )
        if self._day.endswith("W"):
            return moment.day == _weekday_near(moment, min(int(self._day[:-1]), last), last)
        return moment.day in _numbers(self._day, 1, 31)

    def _matches_weekday(self, moment: datetime) -> bool:
        if self._weekday in {"*", "?"}:
            return True
        today = moment.isoweekday() % 7 + 1
        if (nth := re.fullmatch(r"(\w+)#([1-5])", self._weekday)) is not None:
            return today == _number(nth[1], _DAYS) and (moment.day - 1) // 7 + 1 == int(nth[2])
        if self._weekday != "L" and self._weekday.endswith("L"):
            last = calendar.monthrange(moment.year, moment.month)[1]
            return today == _number(self._weekday[:-1], _DAYS) and moment.day + 7 > last
        if self._weekday == "L":
            return today == 7
        return today in _numbers(self._weekday, 1, 7, _DAYS)


def _number(text: str, names: dict[str, int]) -> int:
    if text not in names and not text.isdigit():
        raise ValueError(f"{text} is no number")
    return names[text] if text in names else int(text)


def _numbers(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    chosen: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in {"*", "?"}:
            first, last = low, high
        elif "-" in span:
            first, last = (_number(x, names or {}) for x in span.split("-"))
        else:
            first = _number(span, names or {})
            last = high if step else first
        if not low <= first <= high or not low <= last <= high:
            raise ValueError(f"{part} is not within {low} and {high}")
        by = _number(step, {}) if step else 1
        if by < 1:
            raise ValueError(f"{part} does not advance")
        if first <= last:
            chosen.update(range(first, last + 1, by))
        else:
            chosen.update([*range(first, high + 1), *range(low, last + 1)][::by])
    return chosen


def _weekday_near(moment: datetime, day: int, last: int) -> int:
    weekday = calendar.weekday(moment.year, moment.month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _next_month(moment: datetime) -> datetime:
    first = moment.replace(day=1, hour=0, minute=0, second=0)
    return (first + timedelta(days=32)).replace(day=1)
