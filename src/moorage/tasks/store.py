"""The only SQL of tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx, to_json
from moorage.kit.ids import uuid7

from .errors import TaskLost, TaskUnknown
from .model import OPEN, DoneRow, NewTask, RowProblem, Task, TaskState
from .tables import task_rows, tasks

TASKS_CHANNEL = "moorage_tasks"
LEASE = timedelta(seconds=60)
_FIELDS = tuple(f.name for f in fields(Task))
_OUTCOME = ("outcome", "subject_id", "name", "problem")
_OPEN = [state.value for state in OPEN]


def _task(row: Any) -> Task:
    values = {name: row._mapping[name] for name in _FIELDS}
    return Task(**values | {"state": TaskState(row.state)})


async def add(tx: Tx, new: NewTask) -> Task:
    """Insert one that waits."""
    values = asdict(new) | {"state": TaskState.WAITING.value, "done": 0, "checkpoint": {}}
    values["authorization_id"] = tx.caller.authorization_id
    statement = insert(tasks).values(id=uuid7(), **values, **tx.stamp()).returning(tasks)
    made = (await tx.execute(statement)).one()
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": TASKS_CHANNEL})
    return _task(made)


async def add_rows(tx: Tx, task_id: UUID, rows: Iterable[tuple[int, Any]]) -> None:
    """Insert the rows of a task, each with its number."""
    async with (
        tx.driver.cursor() as cursor,
        cursor.copy("COPY task_rows (task_id, n, work) FROM STDIN") as copy,
    ):
        for n, work in rows:
            await copy.write_row((task_id, n, to_json(work)))


async def rows_to_do(tx: Tx, task_id: UUID, limit: int) -> list[tuple[int, Any]]:
    """Read the next rows that are not done, with their numbers."""
    c = task_rows.c
    query = select(c.n, c.work).where(c.task_id == task_id, c.outcome.is_(None))
    rows = await tx.execute(query.order_by(c.n).limit(limit))
    return [(row.n, row.work) for row in rows]


async def note_rows(tx: Tx, task_id: UUID, done: Sequence[DoneRow]) -> None:
    """Keep what became of rows in place of what was to be done."""
    c = task_rows.c
    outcome = {name: bindparam(f"its_{name}", type_=c[name].type) for name in _OUTCOME}
    statement = (
        update(task_rows)
        .where(c.task_id == task_id, c.n == bindparam("row"))
        .values(work=null(), **outcome)
    )
    values = [
        {"row": one["n"], **{f"its_{name}": one[name] for name in _OUTCOME}}
        for one in map(asdict, done)
    ]
    await tx.execute(statement, values)


async def list_rows(
    tx: Tx, task_id: UUID, asked: pages.PageRequest, *, failed: bool
) -> pages.Page[DoneRow]:
    """Read a page of the rows that are done, or of those of them that failed."""
    c = task_rows.c
    query = select(c.n, *(c[name] for name in _OUTCOME)).where(
        c.task_id == task_id, c.problem.is_not(None) if failed else c.outcome.is_not(None)
    )
    return await pages.page(
        tx, query, asked, sorts={"n": c.n}, default="n", key=c.n, read=_done_row
    )


def _done_row(row: Any) -> DoneRow:
    problem = None if row.problem is None else RowProblem(**row.problem)
    return DoneRow(row.n, row.outcome, row.subject_id, row.name, problem)


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
    mine: tuple[UUID, Reach],
    asked: pages.PageRequest,
    states: Collection[TaskState],
    subject_id: UUID | None,
) -> pages.Page[Task]:
    """Read a page of what the reach of each permission shows, and of what is somebody's own.

    `mine` is who asks, and where they belong: their own work is shown to them there.
    """
    who, home = mine
    own = tasks.c.created_by == who
    if not home.everywhere:
        own = and_(own, tasks.c.organization_id.in_(home.organization_ids))
    shown = [own] + [
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
    query = select(tasks).where(or_(*shown))
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
