"""Entries of the audit and of the system log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

# Where an organisation does not say, and of what belongs to none.
FACTS_KEPT = timedelta(days=5 * 365)
MOST_DROPPED = 20_000
SYSTEM_LOG_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class FactEntry:
    """One fact: who, when, what, before and after, from where.

    `number` is None until the fact is numbered, within a second.
    """

    id: UUID
    number: int | None
    at: datetime
    name: str
    organization_id: UUID | None
    subject_id: UUID
    caller_kind: str
    caller_id: UUID
    caller_label: str
    origin: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which facts are asked for; None means any.

    `name` is the beginning of a fact's name; `from_` is inside the range, `to` outside.
    """

    organization_id: UUID | None = None
    subject_id: UUID | None = None
    caller_id: UUID | None = None
    name: str | None = None
    from_: datetime | None = None
    to: datetime | None = None


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """A warning or error of a process or an integration."""

    id: int
    at: datetime
    part: str
    component: str
    level: str
    event: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewSystemEntry:
    """What a process reports."""

    at: datetime
    part: str
    component: str
    level: str
    event: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WantedEntries:
    """Which system log entries are asked for; None means any."""

    part: str | None = None
    component: str | None = None
    level: str | None = None
    q: str | None = None
    from_: datetime | None = None
    to: datetime | None = None
