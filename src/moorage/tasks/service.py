"""The rules of long work, and who does it.

Work goes in steps. Each step keeps what it did and the checkpoint it reached in one transaction,
so that after a crash another runner goes on where the last step ended. A runner holds a task by a
lease that each step renews; one that lost it finds out at its next step, which is taken back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller, Reach
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from . import store
from .errors import TaskFinished, TaskLost, TaskUnknown
from .facts import TaskCancelled, TaskStarted
from .model import OPEN, DoneRow, NewTask, Task, TaskState

log = structlog.get_logger()

KEEP_FINISHED = timedelta(days=90)
LOOK_EVERY_S = 10.0

# Does one step of a task, in transactions of its own, and gives it as `advance` or `finish` did.
Work = Callable[[Task], Awaitable[Task]]


async def start(tx: Tx, caller: Caller, new: NewTask, rows: Sequence[tuple[int, Any]] = ()) -> Task:
    """Ask for work; the one who calls has checked that the caller may.

    Args:
        tx: the transaction.
        caller: who asks; the work is theirs, to see and to cancel.
        new: the work.
        rows: what is to be done row by row (`rows_to_do`), each with its number, JSON-able.
    """
    task = await store.add(tx, new)
    if rows:
        await store.add_rows(tx, task.id, rows)
    after = {"kind": new.kind, "subjectId": new.subject_id, "total": new.total}
    tx.announce(TaskStarted(task.id, new.organization_id, after=after))
    return task


async def get(tx: Tx, caller: Caller, task_id: UUID, *, lock: bool = False) -> Task:
    """Read a task. Raises TaskUnknown."""
    task = await store.get(tx, task_id, lock=lock)
    if not _is_own(caller, task) and not caller.may(
        task.seen_with, task.organization_id, task.application_id
    ):
        raise TaskUnknown(id=task_id)
    return task


def _is_own(caller: Caller, task: Task) -> bool:
    # Work on devices of several applications has none, and is yet no business of all who read.
    return task.created_by == caller.id and caller.belongs_to(task.organization_id)


async def list_rows(
    tx: Tx, caller: Caller, task_id: UUID, asked: pages.PageRequest, *, failed: bool = False
) -> pages.Page[DoneRow]:
    """List what became of the rows of a task, or of those that failed. Raises TaskUnknown."""
    await get(tx, caller, task_id)
    return await store.list_rows(tx, task_id, asked, failed=failed)


async def list_tasks(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    states: Collection[TaskState] = (),
    subject_id: UUID | None = None,
) -> pages.Page[Task]:
    """List the tasks the caller may see."""
    seen = {word.value: caller.reach(word) for word in Permission}
    homes = {grant.organization_id for grant in caller.grants}
    home = Reach(None in homes, frozenset(one for one in homes if one is not None))
    return await store.list_tasks(tx, seen, (caller.id, home), asked, states, subject_id)


async def cancel(tx: Tx, caller: Caller, task_id: UUID) -> Task:
    """Stop a task; the step under way is taken back.

    Raises:
        TaskUnknown, PermissionMissing, TaskFinished.
    """
    task = await get(tx, caller, task_id, lock=True)
    if not _is_own(caller, task):
        organizations.require(
            caller, Permission(task.run_with), task.organization_id, task.application_id
        )
    if task.state not in OPEN:
        raise TaskFinished(state=task.state.value)
    tx.announce(TaskCancelled(task_id, task.organization_id, after={"kind": task.kind}))
    return await store.change(
        tx, task_id, state=TaskState.CANCELLED.value, finished_at=tx.now, runner=None
    )


async def amend(tx: Tx, task: Task, result: Mapping[str, Any]) -> Task:
    """Note what became of a finished task's result; the caller has checked access."""
    return await store.change(tx, task.id, result=dict(result))


# --- For those who work ---------------------------------------------------


async def advance(tx: Tx, task: Task, *, done: int, checkpoint: Mapping[str, Any]) -> Task:
    """Note a step in the transaction that keeps what it did. Raises TaskLost."""
    return await store.move(tx, task, done=done, checkpoint=dict(checkpoint))


async def rows_to_do(tx: Tx, task: Task, limit: int) -> list[tuple[int, Any]]:
    """Read the next rows of a task that are not done, with their numbers; none at its end."""
    return await store.rows_to_do(tx, task.id, limit)


async def note_rows(tx: Tx, task: Task, done: Sequence[DoneRow]) -> Task:
    """Note a step's rows in the transaction that did them; its checkpoint counts outcomes.

    Raises:
        TaskLost.
    """
    await store.note_rows(tx, task.id, done)
    counts = Counter(task.checkpoint)
    counts.update(row.outcome for row in done)
    return await advance(tx, task, done=task.done + len(done), checkpoint=counts)


async def finish(tx: Tx, task: Task, result: Mapping[str, Any]) -> Task:
    """Complete a task. Raises TaskLost."""
    return await store.move(
        tx, task, state=TaskState.COMPLETED.value, result=dict(result), finished_at=tx.now
    )


async def trim(tx: Tx) -> None:
    """Forget tasks that ended 90 days ago; for the schedule only."""
    await store.remove_finished(tx, tx.now - KEEP_FINISHED)


class Runner:
    """Works on tasks of the kinds it knows, one at a time."""

    def __init__(self, database: Database, doorbells: Doorbells, works: Mapping[str, Work]) -> None:
        self._database = database
        self._works = works
        self._id = uuid7()
        self._bell = asyncio.Event()
        doorbells.on(store.TASKS_CHANNEL, lambda _payload: self._bell.set())

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._bell.clear()
            try:
                while await self.work():
                    pass
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._bell.wait()
            except TimeoutError:
                continue
            except DatabaseUnavailable as lost:
                log.warning("tasks_interrupted", error=str(lost))
                await asyncio.sleep(1)

    async def work(self) -> bool:
        """Take one task and work on it to its end; tell whether there was one."""
        async with self._database.begin() as tx:
            task = await store.claim(tx, list(self._works), self._id)
        if task is None:
            return False
        try:
            while task.state is TaskState.RUNNING:
                task = await self._works[task.kind](task)
        except TaskLost:
            log.info("task_lost", task_id=task.id)
        except DatabaseUnavailable:
            # Its lease ends, and whoever takes it goes on from the checkpoint.
            raise
        except MoorageError as failed:
            await self._fail(task, str(failed), failed.code)
        except Exception:
            # Tasks must survive whatever one of them does.
            log.exception("task_failed", task_id=task.id)
            await self._fail(task, "The platform made a mistake; its log tells which.")
        return True

    async def _fail(self, task: Task, problem: str, code: str | None = None) -> None:
        try:
            async with self._database.begin() as tx:
                ended = {"state": TaskState.FAILED.value, "finished_at": tx.now}
                await store.move(tx, task, code=code, problem=problem, **ended)
        except TaskLost:
            log.info("task_lost", task_id=task.id)
