"""Bodies of the tasks' routes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage.kit.http import Instant, Stamped

from .model import TaskState


class TaskOut(Stamped):
    """Long work: how far it has come, and what came of it.

    `done` counts towards `total`, which is null where it is not known beforehand.
    """

    id: UUID
    kind: str
    subject_id: UUID
    organization_id: UUID
    application_id: UUID | None
    state: TaskState
    done: int
    total: int | None
    result: dict[str, Any] | None
    problem: str | None
    finished_at: Instant | None
