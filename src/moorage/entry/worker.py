"""The part that decodes, keeps and forwards what came in, and keeps the schedules."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Protocol

import psycopg
import structlog

from moorage import decoders, devices, ingest, ledger, targets, telemetry
from moorage import tasks as long_work
from moorage.audit.jobs import Sealing, Sending, system_log_kept
from moorage.entry import database as databases
from moorage.entry import root_key
from moorage.entry.lifeline import Lifeline
from moorage.entry.schedules import HOUR_S, SCHEDULES
from moorage.entry.settings import Settings
from moorage.kit import jobs, mail, secrets
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells
from moorage.kit.outbound import Outbound
from moorage.users import jobs as users_jobs

log = structlog.get_logger()
TRY_EVERY_S = 2.0


class Work(Protocol):
    """Something one worker at a time does for a partition."""

    async def run(self) -> None:
        """Work until cancelled."""
        ...


async def serve(settings: Settings, line: Lifeline) -> None:
    """Work until told to stop."""
    url = databases.url_of(settings)
    database = Database(url, pool_size=8, name="moorage-work")
    # What is made of the ledger is made again from it; nobody waits for the disk for it.
    making = Database(url, pool_size=8, name="moorage-work", durable=False)
    doorbells = Doorbells(database, name="moorage-work-bell")
    runtimes = decoders.find_runtimes()
    workshop = decoders.Workshop(database, doorbells, runtimes)
    try:
        if not await databases.await_answer(database, line):
            return
        # Each by itself: both wait for other processes that start and do the same.
        async with database.begin() as tx:
            sealer = await secrets.load_sealer(tx, root_key.load(settings))
        async with database.begin() as tx:
            partitions = await ledger.open_log(tx, settings.ledger.partitions)
            await telemetry.make_days(tx)
            await targets.make_days(tx)
        outbound = Outbound(settings.reachable)
        line.adjusted.append(lambda changed: outbound.allow(changed.reachable))
        deriver = ingest.Deriver(database, doorbells, workshop)
        means = targets.Means(database, targets.find_kinds(), sealer, outbound, deriver)
        async with system_log_kept(database, part="work"), asyncio.TaskGroup() as tasks:
            work = []
            for p in range(partitions):
                process = ingest.Process(making, doorbells, workshop, p)
                intake = targets.Intake(making, doorbells, p, deriver)
                work.append(tasks.create_task(_hold(database, "process", process, p)))
                work.append(tasks.create_task(_hold(database, "intake", intake, p)))
            replayer = targets.Replayer(database, doorbells, partitions, deriver)
            work.append(tasks.create_task(replayer.run()))
            work.append(tasks.create_task(targets.Dispatch(means, doorbells).run()))
            re_decoder = ingest.ReDecoder(database, doorbells, workshop)
            runner = long_work.Runner(database, doorbells, {ingest.RE_DECODE: re_decoder})
            work.append(tasks.create_task(runner.run()))
            # Apart, so that nobody's dozen of devices waits behind a year that is decoded anew.
            many = dict.fromkeys(devices.WORK_ON_MANY, devices.ManyDevices(database))
            work.append(tasks.create_task(long_work.Runner(database, doorbells, many).run()))
            sealing = Sealing(database, doorbells, sealer)
            work.append(tasks.create_task(_hold(database, "audit", sealing, 0)))
            sending = Sending(
                database,
                doorbells,
                sealer,
                outbound,
                settings.host_name,
                settings.audit.checkpoint_dir,
            )
            work.append(tasks.create_task(_hold(database, "audit-sending", sending, 0)))
            lists = devices.ListFetcher(database, outbound)
            work.append(tasks.create_task(_hold(database, "lists", lists, 0)))
            sealer_of_days = telemetry.Sealer(database)
            work.append(tasks.create_task(_hold(database, "sealing", sealer_of_days, 0)))
            postman = mail.Postman(database, doorbells, sealer, settings.mail_server)
            work.append(tasks.create_task(postman.run()))
            work.append(tasks.create_task(doorbells.run()))
            # It signs what is left, so it needs more than a transaction.
            dropping = jobs.Schedule("audit.drop", HOUR_S, sealing.drop)
            learning = secrets.keep_learning(
                database, sealer, functools.partial(root_key.load, settings)
            )
            work.append(tasks.create_task(learning))
            post = mail.Post(sealer, settings.public_url, works=settings.mail.host is not None)
            answering = functools.partial(users_jobs.answer_wishes, post=post)
            wishes = jobs.Schedule("users.answer_wishes", 2.0, answering)
            schedules = (*SCHEDULES, dropping, wishes)
            work.append(tasks.create_task(jobs.keep(database, schedules)))
            line.ready()
            await line.stop.wait()
            for task in work:
                task.cancel()
    finally:
        await workshop.close()
        await making.close()
        await database.close()


async def _hold(database: Database, what: str, work: Work, partition: int) -> None:
    """Work on a partition while holding its lock; whoever comes second waits for the first."""
    while True:
        with contextlib.suppress(psycopg.Error, OSError, DatabaseUnavailable):
            async with await database.connect(name=f"moorage-{what}-lock-{partition}") as lock:
                if await _locked(lock, what, partition):
                    await _while_locked(lock, work)
        await asyncio.sleep(TRY_EVERY_S)


async def _locked(lock: psycopg.AsyncConnection[object], what: str, partition: int) -> bool:
    cursor = await lock.execute(
        "SELECT pg_try_advisory_lock(hashtext(%s), %s)", (f"moorage.{what}", partition)
    )
    row = await cursor.fetchone()
    return bool(row and row[0])  # type: ignore[index]


async def _while_locked(lock: psycopg.AsyncConnection[object], work: Work) -> None:
    """Run it until the connection that holds the lock is lost."""
    running = asyncio.create_task(work.run())
    try:
        while not running.done():
            await asyncio.wait([running], timeout=TRY_EVERY_S)
            await lock.execute("SELECT 1")
        await running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
