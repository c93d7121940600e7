"""Rows for PostgreSQL's binary COPY, and instants as microseconds."""

from __future__ import annotations

from datetime import UTC, datetime

# PostgreSQL counts microseconds from 2000-01-01.
EPOCH_2000_US = 946_684_800_000_000
COPY_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TAIL = b"\xff\xff"


def to_us(at: datetime) -> int:
    """Give an instant in microseconds since 1970."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def from_us(us: int) -> datetime:
    """Give the instant of microseconds since 1970."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)
