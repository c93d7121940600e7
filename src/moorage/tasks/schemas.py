"""Bodies of the tasks' routes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage.kit.http import Instant, Out, Stamped

from .model import TaskState


class RowProblemOut(Out):
    """Why a row could not be done."""

    code: str
    detail: str
    field: str | None


class DoneRowOut(Out):
    """What became of one row; `failed` is the `outcome` where there is a `problem`."""

    n: int
    outcome: str
    subject_id: UUID | None
    name: str | None
    problem: RowProblemOut | None


class TaskOut(Stamped):
    """Long work: how far it has come, and what came of it.

    `done` counts towards `total`, which is null where it is not known beforehand. `problem` says
    why it failed; `code` is the error's, if it was one that can be expected.
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
    code: str | None
    problem: str | None
    finished_at: Instant | None
