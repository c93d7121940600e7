"""Bodies of the notices' routes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage.kit.http import Instant, Out

from .model import NoticeKind, NoticeState, SubjectKind


class NoticeOut(Out):
    """Something to look at."""

    id: UUID
    kind: NoticeKind
    cause: str
    subject_kind: SubjectKind
    subject_id: UUID
    subject_name: str
    organization_id: UUID | None
    application_id: UUID | None
    detail: dict[str, Any]
    state: NoticeState
    opened_at: Instant
    acknowledged_at: Instant | None
    acknowledged_by: UUID | None
    cleared_at: Instant | None
    updated_at: Instant
