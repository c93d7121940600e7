"""Groups of long periods are the same from summaries as from the rows themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fleet import ROOT
from history import DAY, MIDNIGHT, History, a_history, regular, us
from moorage import devices, tasks, telemetry
from moorage.kit.db import Database
from moorage.kit.ids import uuid7
from moorage.organizations import Permission, Role
from moorage.telemetry import Calendar, Window, jobs
from telemetry.test_sealing import MESSAGES
from web import World

HOUR = timedelta(hours=1)
ZONE = ZoneInfo("Europe/Copenhagen")
WHOLE = Window(MIDNIGHT - 60 * DAY, MIDNIGHT + DAY)
UNEVEN = Window(MIDNIGHT - 5.3 * DAY, MIDNIGHT - 0.12 * DAY, ("a", "s"))
AGGREGATES = ("mean", "min", "max", "sum", "count", "first", "last")
STEPS = (900, 3_600, 10_800, 86_400, Calendar.DAY, Calendar.WEEK, Calendar.MONTH)


def grouped(window: Window, step: Calendar | int, how: str) -> Window:
    if isinstance(step, Calendar):
        return replace(window, every=step, aggregate=how)
    return replace(window, step_s=step, aggregate=how)


# Every aggregate over hours, every step with one or the other.
WINDOWS = [
    *(grouped(UNEVEN, 10_800, how) for how in AGGREGATES),
    *(grouped(WHOLE, step, how) for step, how in zip(STEPS, AGGREGATES, strict=True)),
    *(grouped(UNEVEN, step, how) for step, how in zip(STEPS, reversed(AGGREGATES), strict=True)),
]


async def ask(history: History, window: Window) -> list[telemetry.Row]:
    async with history.database.begin() as tx:
        return await telemetry.readings(tx, ROOT, history.device.id, window)


def start_of(at: datetime, window: Window) -> datetime:
    """Give the start of an instant's group, in the plainest way."""
    if window.step_s is not None:
        step_us = window.step_s * 1_000_000
        return at - timedelta(microseconds=us(at) % step_us)
    local = at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    if window.every is Calendar.WEEK:
        local -= timedelta(days=local.weekday())
    return local.replace(day=1) if window.every is Calendar.MONTH else local


def value_of(values: list[Any], how: str) -> Any:
    numbers = [value for value in values if type(value) is float]
    if how == "count":
        return len(values)
    if how == "first":
        return values[0]
    if how == "last" or not numbers:
        return values[-1]
    plain = {"min": min, "max": max, "sum": sum, "mean": lambda some: sum(some) / len(some)}
    return plain[how](numbers)  # type: ignore[operator]


async def agrees(history: History) -> None:
    """Hold every grouped answer against one made of the rows."""
    for window in WINDOWS:
        rows = await ask(history, replace(window, step_s=None, every=None))
        groups: dict[datetime, dict[str, list[Any]]] = {}
        for row in rows:
            group = groups.setdefault(start_of(row.at, window), {})
            for name, value in row.values.items():
                group.setdefault(name, []).append(value)
        found = await ask(history, window)
        assert [row.at for row in found] == sorted(groups)
        for row in found:
            expected = {n: value_of(v, window.aggregate) for n, v in groups[row.at].items()}
            assert row.values.keys() == expected.keys()
            for name, value in row.values.items():
                if type(value) is float:
                    assert value == pytest.approx(expected[name], rel=1e-9, abs=1e-6), window
                else:
                    assert value == expected[name]


async def summaries(history: History) -> int:
    async with history.database.begin() as tx:
        given = {"device": history.device.number}
        count = "SELECT count(*) FROM telemetry_hours WHERE device = :device"
        found: int = (await tx.execute(count, given)).scalar_one()
        return found


@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(first=MESSAGES, late=MESSAGES)
async def test_groups_are_those_of_the_rows_in_both_tiers(
    database: Database, first: list[Any], late: list[Any]
) -> None:
    history = await a_history(database)
    for messages in (first, late):
        # Sums of numbers of all sizes depend on their order.
        await history.keep(
            [([p for p in points if type(p.values.get("a")) is not float or
               abs(p.values["a"]) < 1e6], flags) for points, flags in messages]
        )  # fmt: skip
        await agrees(history)
        await telemetry.Sealer(database).work()
        await agrees(history)


async def test_summaries_stay_when_readings_go(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 800 * DAY, 3 * 24 * 4, timedelta(minutes=15)))
    window = Window(MIDNIGHT - 900 * DAY, MIDNIGHT, step_s=86_400, aggregate="mean")
    before = await ask(history, window)
    await telemetry.Sealer(database).work()

    async with database.begin() as tx:
        await jobs.drop_old(tx)

    assert await history.tiers() == (0, 0)
    assert [row.at for row in before] == [MIDNIGHT - d * DAY for d in (800, 799, 798)]
    found = await ask(history, window)
    assert [row.at for row in found] == [row.at for row in before]
    assert [row.values["a"] for row in found] == pytest.approx([r.values["a"] for r in before])


async def test_an_applied_re_decode_is_seen_in_summaries(database: Database) -> None:
    history = await a_history(database)
    await history.keep(regular(MIDNIGHT - 9 * DAY, 4 * 24 * 2, 0.5 * HOUR))
    await telemetry.Sealer(database).work()
    period = MIDNIGHT - 8 * DAY, MIDNIGHT - 7.3 * DAY
    changed = [
        telemetry.Derived(
            49 + i, history.device.number, bytes(16), at := us(period[0] + i * 0.5 * HOUR), at, "",
            None, None, [telemetry.Point(at, {"a": -1.5, "b": True} if i % 3 else {"a": 7.0})],
        )
        for i in range(30)
    ]  # fmt: skip
    async with database.begin(ROOT) as tx:
        new = tasks.NewTask(
            "test", uuid7(), history.device.organization_id, None,
            Permission.READ_DEVICES, Permission.MANAGE_DEVICES,
        )  # fmt: skip
        task = await tasks.start(tx, ROOT, new)
        await telemetry.stage(tx, task.id, 0, changed)
        await telemetry.put_in_place(tx, task.id, period)

    await agrees(history)
    await telemetry.Sealer(database).work()
    await agrees(history)
    (row,) = await ask(history, Window(*period, ("b",), 86_400 * 30, None, "count"))
    assert row.values == {"b": 20.0}


async def test_days_of_the_calendar_begin_at_local_midnight(world: World) -> None:
    organization = await world.organization("Aarhus")
    admin = await world.person("a@example.org", organization.id, Role.APPLICATION_ADMIN)
    owner = {"organizationId": str(organization.id), "name": "Bins"}
    application = (await admin.post("/api/v1/applications", json=owner)).json()
    body = {"applicationId": application["id"], "name": "Bin"}
    device_id = (await admin.post("/api/v1/devices", json=body)).json()["id"]
    key = (await admin.post(f"/api/v1/devices/{device_id}/credentials", json={})).json()["secret"]
    await world.client(X_Device_Key=key).post("/ingest/v1/up", json={"t": 4})
    await world.work()
    path = f"/api/v1/devices/{device_id}/readings"

    found = await admin.get(path, params={"every": "day", "aggregate": "max"})
    refused = await admin.get(path, params={"every": "day", "step": "P1D"})

    (item,) = found.json()["items"]
    at = datetime.fromisoformat(item["at"]).astimezone(ZoneInfo(organization.time_zone))
    assert (at.hour, at.minute, item["values"]) == (0, 0, {"t": 4.0})
    assert refused.status_code == 422


async def test_summaries_go_with_their_device_only(database: Database) -> None:
    kept, removed = await a_history(database), await a_history(database)
    for one in (kept, removed):
        await one.keep(regular(MIDNIGHT - 9 * DAY, 24, HOUR))
    await telemetry.Sealer(database).work()
    async with database.begin(ROOT) as tx:
        await devices.remove(tx, ROOT, removed.device.id)

    async with database.begin() as tx:
        await jobs.erase_removed(tx)

    assert (await summaries(kept), await summaries(removed)) == (1, 0)
