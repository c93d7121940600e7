"""HTTP of tasks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid
from moorage.kit.http import Asked, PageOut, Signed, Tx, may_fail
from moorage.organizations import PermissionMissing

from . import service
from .errors import TaskFinished, TaskUnknown
from .model import DoneRow, Task, TaskState
from .schemas import DoneRowOut, TaskOut

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])


@router.get("", response_model=PageOut[TaskOut],
            responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_tasks(
    tx: Tx, caller: Signed, asked: Asked,
    state: Annotated[list[TaskState], Query(description="Any of these.")] = [],  # noqa: B006
    subject_id: Annotated[UUID | None, Query(alias="subjectId")] = None,
) -> pages.Page[Task]:  # fmt: skip
    """List long work, the newest first."""
    return await service.list_tasks(tx, caller, asked, states=state, subject_id=subject_id)


@router.get("/{task_id}", response_model=TaskOut, responses=may_fail(TaskUnknown))
async def get_task(task_id: UUID, tx: Tx, caller: Signed) -> Task:
    """Read how far a task has come."""
    return await service.get(tx, caller, task_id)


@router.get("/{task_id}/rows", response_model=PageOut[DoneRowOut],
            responses=may_fail(TaskUnknown, CursorInvalid, FieldInvalid))  # fmt: skip
async def list_task_rows(
    task_id: UUID, tx: Tx, caller: Signed, asked: Asked,
    failed: Annotated[bool, Query(description="Only those with a problem.")] = False,
) -> pages.Page[DoneRow]:  # fmt: skip
    """List what became of each row so far, of work that is done row by row."""
    return await service.list_rows(tx, caller, task_id, asked, failed=failed)


@router.post("/{task_id}/cancel", response_model=TaskOut,
             responses=may_fail(TaskUnknown, PermissionMissing, TaskFinished))  # fmt: skip
async def cancel_task(task_id: UUID, tx: Tx, caller: Signed) -> Task:
    """Stop a task; the step under way is taken back."""
    return await service.cancel(tx, caller, task_id)
