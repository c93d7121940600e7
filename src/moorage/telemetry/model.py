"""Readings over time, as the platform keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import Any
from uuid import UUID

import msgspec

Value = float | bool | str


class Calendar(StrEnum):
    """A stretch of an organisation's calendar; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Quality(StrEnum):
    """How far a reading's time can be trusted."""

    GOOD = "good"
    CLOCK = "clock"


class Flag(IntFlag):
    """What a kept row says beside its values."""

    CLOCK = 1  # The device's time was out of bounds; the time is that of receipt.
    PROBLEM = 2  # The message could not be decoded, or not wholly.
    FURTHER = 4  # Not the first instant of its message.


class Point(msgspec.Struct, array_like=True, gc=False):
    """The values of one instant.

    Attributes:
        at_us: microseconds since 1970, UTC.
        values: by series name, in the order of the message.
        units: UCUM codes by series name, where known.
    """

    at_us: int
    values: dict[str, Value]
    units: dict[str, str] | None = None


class Derived(msgspec.Struct, array_like=True, gc=False):
    """One message after decoding; an entry of the derived log.

    Attributes:
        n: its position in the raw log's partition.
        id: the message id.
        channel: as in the raw message.
        decoder: hash of the decoder, in hex; None for plain formats.
        document: JSON, verbatim; None where there is none.
        points: the readings, by instant; empty where there are none.
        location: latitude, longitude and, if known, altitude in metres.
        problem: why there is no document, or what was wrong on the way.
        flags: `Flag`s of the first point.
    """

    n: int
    device: int
    id: bytes
    received_us: int
    at_us: int
    channel: str
    decoder: str | None
    document: bytes | None
    points: list[Point]
    location: tuple[float, float, float | None] | None = None
    problem: str | None = None
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """Which series a row's packed values hold, in which order.

    `kinds` has a letter a series: `f` float64, `b` boolean, `t` text.
    """

    id: int
    names: tuple[str, ...]
    kinds: str
    units: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest good value of one series."""

    series: str
    value: Value
    at: datetime
    unit: str | None


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a device right now, from what it sent; of the past only the values.

    `dropped_values` came under names beyond the most series that a device may have.
    """

    received_at: datetime | None
    message_count: int | None
    latest: tuple[Latest, ...]
    dropped_values: int | None = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One instant of a device, from whichever tier it lies in."""

    at: datetime
    values: Mapping[str, Value]
    units: Mapping[str, str]
    quality: Quality


@dataclass(frozen=True, slots=True)
class Selection:
    """Devices that are asked about together: all that are seen, less what is not given here."""

    device_ids: tuple[UUID, ...] = ()
    application_id: UUID | None = None
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One instant of one of several devices."""

    device_id: UUID
    device_name: str
    at: datetime
    values: Mapping[str, Value]
    units: Mapping[str, str]
    quality: Quality


@dataclass(frozen=True, slots=True)
class DeviceLatest:
    """What is known of one of several devices right now."""

    device_id: UUID
    device_name: str
    received_at: datetime | None
    message_count: int | None
    latest: tuple[Latest, ...]
    dropped_values: int | None


class Tally(msgspec.Struct, array_like=True, gc=False):
    """What values of one series and kind come to: `f` numbers, `b` booleans, `t` texts.

    Attributes:
        count: how many values.
        clock: how many of them have the time of receipt, as the device's was out of bounds.
        low, high, total: the least, the greatest and the sum; of numbers only.
    """

    kind: str
    unit: str | None
    count: int
    clock: int
    first_us: int
    last_us: int
    first: Value
    last: Value
    low: float
    high: float
    total: float


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message in a device's history: where it lies and what came of it."""

    partition: int
    n: int
    at: datetime
    problem: bool
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Change:
    """One message's points before and after a re-decode, each with `at` and `values`."""

    device: int
    partition: int
    n: int
    before: Sequence[Mapping[str, Any]]
    after: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a re-decode would change: counts of values, and each message that differs."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    changes: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class Recent:
    """One of the newest messages, and whose it is."""

    partition: int
    device_id: UUID
    device_name: str
    entry: Derived


@dataclass(frozen=True, slots=True)
class Window:
    """A question about readings.

    `step_s` groups by that many seconds with `aggregate` (`mean`, `min`, `max`, `sum`, `count`,
    `first`, `last`), `every` by the calendar of the device's organisation; neither gives the rows
    as they are.
    """

    start: datetime
    end: datetime
    series: Sequence[str] = ()
    step_s: int | None = None
    every: Calendar | None = None
    aggregate: str = "mean"
    limit: int = 10_000
