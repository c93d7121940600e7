"""Housekeeping by the clock, each job once in its interval over all workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Column, DateTime, Table, Text, text

from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.tables import metadata

log = structlog.get_logger()

# How long to let the database be when it does not answer.
AWAY_S = 1.0

job_runs = Table(
    "job_runs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job and how often it is due, in seconds; it may run twice, so it is harmless twice."""

    name: str
    every_s: float
    job: Callable[[Tx], Awaitable[object]]


async def keep(database: Database, schedules: Sequence[Schedule]) -> None:
    """Run what is due until cancelled; a job that fails is logged and tried again when due."""
    due = {schedule.name: 0.0 for schedule in schedules}
    while True:
        now = time.monotonic()
        for schedule in schedules:
            if due[schedule.name] <= now:
                due[schedule.name] = now + schedule.every_s
                await _run(database, schedule)
        wait_s = min(due.values()) - time.monotonic()
        await asyncio.sleep(max(0.01, wait_s))


async def _run(database: Database, schedule: Schedule) -> None:
    try:
        async with database.begin() as tx:
            if await _claim(tx, schedule):
                await schedule.job(tx)
    except DatabaseUnavailable as lost:
        log.warning("job_postponed", job=schedule.name, error=str(lost))
        await asyncio.sleep(AWAY_S)
    except Exception:
        # The schedule must survive whatever one job does.
        log.exception("job_failed", job=schedule.name)


async def _claim(tx: Tx, schedule: Schedule) -> bool:
    """Take this interval's run; the row lock holds until the job has committed."""
    claimed = await tx.execute(
        text(
            "INSERT INTO job_runs AS r (name, at) VALUES (:name, :now) "
            "ON CONFLICT (name) DO UPDATE SET at = :now WHERE r.at <= :before RETURNING name"
        ),
        {
            "name": schedule.name,
            "now": tx.now,
            "before": tx.now - timedelta(seconds=schedule.every_s * 0.9),
        },
    )
    return claimed.one_or_none() is not None
