"""Long work, as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class TaskState(StrEnum):
    """How far it has come."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (TaskState.WAITING, TaskState.RUNNING)


@dataclass(frozen=True, slots=True)
class NewTask:
    """Work to be done.

    Attributes:
        kind: which work it is, such as `reDecode`.
        subject_id: the thing it works on.
        seen_with: the permission that shows it, held where the thing is.
        run_with: the permission that cancels it.
        given: what the work needs to know, JSON-able.
        total: how many steps `done` will count, if known.
    """

    kind: str
    subject_id: UUID
    organization_id: UUID
    application_id: UUID | None
    seen_with: str
    run_with: str
    given: Mapping[str, Any] = field(default_factory=dict)
    total: int | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row could not be done: an error's code, a sentence, and the field if there is one."""

    code: str
    detail: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class DoneRow:
    """What became of one row of work that is done row by row.

    Attributes:
        n: its number.
        outcome: what became of it, such as `updated`; `failed` where there is a `problem`.
        subject_id, name: the thing it was about, if it came to be known.
    """

    n: int
    outcome: str
    subject_id: UUID | None = None
    name: str | None = None
    problem: RowProblem | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Work under way or done; `checkpoint` is where it goes on after an interruption.

    `authorization_id` is by what an OAuth client asked for it, if one did.
    """

    id: UUID
    kind: str
    subject_id: UUID
    organization_id: UUID
    application_id: UUID | None
    seen_with: str
    run_with: str
    given: Mapping[str, Any]
    state: TaskState
    done: int
    total: int | None
    checkpoint: Mapping[str, Any]
    result: Mapping[str, Any] | None
    code: str | None
    problem: str | None
    runner: UUID | None
    authorization_id: UUID | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID
