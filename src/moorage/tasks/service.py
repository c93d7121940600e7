"""The rules of long work, and who does it.

Work goes in steps. Each step keeps what it did and the checkpoint it reached in one transaction,
so that after a crash another runner goes on where the last step ended. A runner holds a task by a
lease that each step renews; one that lost it finds out at its next step, which is taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from . import store
from .errors import TaskFinished, TaskLost, TaskUnknown
from .facts import TaskCancelled, TaskStarted
from .model import OPEN, NewTask, Task, TaskState

log = structlog.get_logger()

KEEP_FINISHED = timedelta(days=90)
LOOK_EVERY_S = 10.0

# Does one step of a task, in transactions of its own, and gives it as `advance` or `finish` did.
Work = Callable[[Task], Awaitable[Task]]


async def start(tx: Tx, caller: Caller, new: NewTask) -> Task:
    """Ask for work. Raises PermissionMissing."""
    organizations.require(caller, Permission(new.run_with), new.organization_id, new.application_id)
    task = await store.add(tx, new)
    after = {"kind": new.kind, "subjectId": new.subject_id}
    tx.announce(TaskStarted(task.id, new.organization_id, after=after))
    return task


async def get(tx: Tx, caller: Caller, task_id: UUID, *, lock: bool = False) -> Task:
    """Read a task. Raises TaskUnknown."""
    task = await store.get(tx, task_id, lock=lock)
    if not caller.may(task.seen_with, task.organization_id, task.application_id):
        raise TaskUnknown(id=task_id)
    return task


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
    return await store.list_tasks(tx, seen, asked, states, subject_id)


async def cancel(tx: Tx, caller: Caller, task_id: UUID) -> Task:
    """Stop a task; the step under way is taken back.

    Raises:
        TaskUnknown, PermissionMissing, TaskFinished.
    """
    task = await get(tx, caller, task_id, lock=True)
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
            await self._fail(task, str(failed))
        except Exception:
            # Tasks must survive whatever one of them does.
            log.exception("task_failed", task_id=task.id)
            await self._fail(task, "The platform made a mistake; its log tells which.")
        return True

    async def _fail(self, task: Task, problem: str) -> None:
        try:
            async with self._database.begin() as tx:
                await store.move(
                    tx, task, state=TaskState.FAILED.value, problem=problem, finished_at=tx.now
                )
        except TaskLost:
            log.info("task_lost", task_id=task.id)
