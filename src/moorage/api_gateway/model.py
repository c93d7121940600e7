"""Limits, and answers kept for repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

ANSWERS_KEPT = timedelta(hours=24)
# A request that was cut down with its process may be tried again after this.
UNDERWAY_AT_MOST = timedelta(minutes=1)
LONGEST_KEPT_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: how many at once, and how many a second after that."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may ask of the API, per process.

    `signed` is per person or key, `unsigned` per network address.
    """

    signed: Rate = Rate(300, 50)
    unsigned: Rate = Rate(60, 5)
    body_bytes: int = 16 * 1024 * 1024
    unsigned_body_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a repeated request gets again."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request may go on, and what is left in the bucket."""

    admitted: bool
    bucket: str
    rate: Rate
    left: int
    retry_after_s: float
