"""The only SQL of tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from .errors import TaskLost, TaskUnknown
from .model import OPEN, NewTask, Task, TaskState
from .tables import tasks

TASKS_CHANNEL = "moorage_tasks"
LEASE = timedelta(seconds=60)
_FIELDS = tuple(f.name for f in fields(Task))
_OPEN = [state.value for state in OPEN]


def _task(row: Any) -> Task:
    values = {name: row._mapping[name] for name in _FIELDS}
    return Task(**values | {"state": TaskState(row.state)})


async def add(tx: Tx, new: NewTask) -> Task:
    """Insert one that waits."""
    values = asdict(new) | {"state": TaskState.WAITING.value, "done": 0, "checkpoint": {}}
    statement = insert(tasks).values(id=uuid7(), **values, **tx.stamp()).returning(tasks)
    made = (await tx.execute(statement)).one()
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": TASKS_CHANNEL})
    return _task(made)


async def get(tx: Tx, task_id: UUID, *, lock: bool = False) -> Task:
    """Read one. Raises TaskUnknown."""
    query = select(tasks).where(tasks.c.id == task_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise TaskUnknown(id=task_id)
    return _task(row)


async def list_tasks(
    tx: Tx,
    seen: Mapping[str, Reach],
    asked: pages.PageRequest,
    states: Collection[TaskState],
    subject_id: UUID | None,
) -> pages.Page[Task]:
    """Read a page of what the reach of each permission shows."""
    shown = [
        tasks.c.seen_with == word
        if reach.everywhere
        else and_(
            tasks.c.seen_with == word,
            or_(
                tasks.c.organization_id.in_(reach.organization_ids),
                tasks.c.application_id.in_(reach.application_ids),
            ),
        )
        for word, reach in seen.items()
        if reach
    ]
    query = select(tasks).where(or_(false(), *shown))
    if states:
        query = query.where(tasks.c.state.in_([state.value for state in states]))
    if subject_id is not None:
        query = query.where(tasks.c.subject_id == subject_id)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"createdAt": tasks.c.created_at, "updatedAt": tasks.c.updated_at},
        default="-createdAt",
        key=tasks.c.id,
        read=_task,
    )


async def claim(tx: Tx, kinds: Collection[str], runner: UUID) -> Task | None:
    """Take the oldest that waits, or whose runner has gone silent."""
    free = (
        select(tasks.c.id)
        .where(
            tasks.c.kind.in_(kinds),
            tasks.c.state.in_(_OPEN),
            or_(tasks.c.lease_until.is_(None), tasks.c.lease_until < func.now()),
        )
        .order_by(tasks.c.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        update(tasks)
        .where(tasks.c.id == free)
        .values(
            state=TaskState.RUNNING.value,
            runner=runner,
            lease_until=func.now() + LEASE,
            updated_at=tx.now,
        )
        .returning(tasks)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _task(row)


async def move(tx: Tx, task: Task, **values: Any) -> Task:
    """Change a task that is still its runner's. Raises TaskLost."""
    statement = (
        update(tasks)
        .where(
            tasks.c.id == task.id,
            tasks.c.state == TaskState.RUNNING.value,
            tasks.c.runner == task.runner,
        )
        .values(updated_at=tx.now, lease_until=func.now() + LEASE, **values)
        .returning(tasks)
    )
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        raise TaskLost(id=task.id)
    return _task(row)


async def change(tx: Tx, task_id: UUID, **values: Any) -> Task:
    """Change a task, whoever works on it."""
    statement = update(tasks).where(tasks.c.id == task_id).values(**values, **tx.restamp())
    return _task((await tx.execute(statement.returning(tasks))).one())


async def remove_finished(tx: Tx, before: datetime) -> None:
    """Delete what ended before then."""
    await tx.execute(delete(tasks).where(tasks.c.finished_at < before))
