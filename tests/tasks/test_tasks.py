"""Long work survives those who do it, and can be stopped."""

from __future__ import annotations

import pytest

from fleet import ROOT, Town, a_town, administrator, reader
from moorage import tasks
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.organizations import Permission, PermissionMissing
from moorage.tasks import Task, TaskState

KIND = "count"


class MachineStopped(BaseException):
    """Stands in for a kill -9 between two steps."""


class Counter:
    """Work that counts to three, a step a number."""

    def __init__(self, database: Database, stop_after: int = 99) -> None:
        self.database = database
        self.steps = 0
        self.stop_after = stop_after

    async def __call__(self, task: Task) -> Task:
        if self.steps == self.stop_after:
            raise MachineStopped
        self.steps += 1
        async with self.database.begin() as tx:
            if task.done == 3:
                return await tasks.finish(tx, task, {"counted": task.checkpoint["n"]})
            return await tasks.advance(tx, task, done=task.done + 1, checkpoint={"n": task.done})


def a_runner(database: Database, work: tasks.Work) -> tasks.Runner:
    return tasks.Runner(database, Doorbells(database, name="moorage-test-bell"), {KIND: work})


async def a_task(database: Database) -> tuple[Town, Task]:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        new = tasks.NewTask(
            KIND, uuid7(), town.organization_id, town.application_id,
            Permission.READ_DEVICES, Permission.MANAGE_DEVICES, total=3,
        )  # fmt: skip
        return town, await tasks.start(tx, town.admin, new)


async def test_a_task_is_worked_on_to_its_end(database: Database) -> None:
    town, task = await a_task(database)

    assert await a_runner(database, Counter(database)).work()

    async with database.begin() as tx:
        done = await tasks.get(tx, town.admin, task.id)
        assert (done.state, done.done, done.result) == (TaskState.COMPLETED, 3, {"counted": 2})
    assert not await a_runner(database, Counter(database)).work()


async def test_another_runner_goes_on_where_a_killed_one_ended(database: Database) -> None:
    town, task = await a_task(database)
    with pytest.raises(MachineStopped):
        await a_runner(database, Counter(database, stop_after=2)).work()
    second = Counter(database)
    assert not await a_runner(database, second).work(), "the lease still holds"
    async with database.begin() as tx:
        await tx.execute("UPDATE tasks SET lease_until = now() - interval '1 second'")

    assert await a_runner(database, second).work()

    assert second.steps == 2
    async with database.begin() as tx:
        assert (await tasks.get(tx, town.admin, task.id)).state is TaskState.COMPLETED


async def test_a_cancelled_task_takes_its_step_back(database: Database) -> None:
    town, task = await a_task(database)

    async def work(task: Task) -> Task:
        async with database.begin() as tx:
            await tasks.cancel(tx, town.admin, task.id)
        async with database.begin() as tx:
            return await tasks.advance(tx, task, done=1, checkpoint={})

    assert await a_runner(database, work).work()

    async with database.begin() as tx:
        stopped = await tasks.get(tx, town.admin, task.id)
        assert (stopped.state, stopped.done) == (TaskState.CANCELLED, 0)
        with pytest.raises(tasks.TaskFinished):
            await tasks.cancel(tx, town.admin, task.id)


async def test_a_task_that_fails_says_so(database: Database) -> None:
    town, task = await a_task(database)

    async def work(task: Task) -> Task:
        raise tasks.TaskUnknown(id=task.id)

    await a_runner(database, work).work()

    async with database.begin() as tx:
        failed = await tasks.get(tx, town.admin, task.id)
        assert failed.state is TaskState.FAILED
        assert failed.code == "tasks.task_unknown"
        assert failed.problem == f"There is no task {task.id} that you may see."


async def test_a_task_shows_to_whom_its_subject_shows(database: Database) -> None:
    town, task = await a_task(database)

    async with database.begin() as tx:
        watching = reader(town.organization_id, town.application_id)
        assert (await tasks.get(tx, watching, task.id)).id == task.id
        with pytest.raises(PermissionMissing):
            await tasks.cancel(tx, watching, task.id)
        with pytest.raises(tasks.TaskUnknown):
            await tasks.get(tx, administrator(uuid7()), task.id)
