"""Bodies of the audit's routes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage.kit.http import Instant, Out


class FactOut(Out):
    """One fact: who, when, what, before and after, from where."""

    id: UUID
    number: int | None
    at: Instant
    name: str
    organization_id: UUID | None
    subject_id: UUID
    caller_kind: str
    caller_id: UUID
    caller_label: str
    origin: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class SystemEntryOut(Out):
    """A warning or error of a process or an integration."""

    id: int
    at: Instant
    part: str
    component: str
    level: str
    event: str
    detail: dict[str, Any]
