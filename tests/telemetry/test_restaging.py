"""Readings derived anew replace those that stand, in both tiers, at once."""

from __future__ import annotations

from uuid import UUID

import pytest

from fleet import ROOT
from history import DAY, MIDNIGHT, History, a_history, us
from moorage import tasks, telemetry
from moorage.kit.db import Database
from moorage.organizations import Permission
from moorage.telemetry import store

TIMES = [MIDNIGHT - days * DAY for days in (5, 4, 1)]


def derived(history: History, n: int, value: float) -> telemetry.Derived:
    at_us = us(TIMES[n - 1])
    point = telemetry.Point(at_us, {"a": value})
    return telemetry.Derived(
        n, history.device.number, bytes(16), at_us, at_us, "", None, None, [point]
    )


async def staged(database: Database) -> tuple[History, UUID]:
    """Keep three messages, two of them sealed, and stage other values for the last two."""
    history = await a_history(database)
    async with database.begin() as tx:
        batch = [derived(history, n, n) for n in (1, 2, 3)]
        await telemetry.Keeper(0).append(tx, batch)
    await telemetry.Sealer(database).work()
    assert await history.tiers() == (1, 1)
    device = history.device
    async with database.begin(ROOT) as tx:
        new = tasks.NewTask(
            "reDecode", device.id, device.organization_id, device.application_id,
            Permission.READ_DEVICES, Permission.MANAGE_DEVICES,
        )  # fmt: skip
        generation = (await tasks.start(tx, ROOT, new)).id
        again = [derived(history, n, 10 * n) for n in (2, 3)]
        difference = await telemetry.stage(tx, generation, 0, again)
    assert (difference.added, difference.changed, difference.removed) == (0, 2, 0)
    return history, generation


async def latest(history: History) -> list[tuple[str, object, object]]:
    async with history.database.begin() as tx:
        state = await telemetry.latest(tx, ROOT, history.device.id)
    return [(one.series, one.value, one.at) for one in state.latest]


async def test_latest_values_are_found_anew_in_both_tiers(database: Database) -> None:
    history, generation = await staged(database)
    # Once the others have other series, the first message has the newest value of its own.
    async with database.begin() as tx:
        other = derived(history, 2, 0)
        other.points = [telemetry.Point(us(TIMES[1]), {"b": True})]
        last = derived(history, 3, 0)
        last.points = [telemetry.Point(us(TIMES[2]), {"c": "x"})]
        await tx.execute("DELETE FROM telemetry_staged")
        await telemetry.stage(tx, generation, 0, [other, last])
    assert await latest(history) == [("a", 3.0, TIMES[2])]
    async with database.begin() as tx:
        await telemetry.put_in_place(tx, generation, (TIMES[0], TIMES[2]))
    expected = [("a", 1.0, TIMES[0]), ("b", True, TIMES[1]), ("c", "x", TIMES[2])]

    for partition in (1, 0):
        async with database.begin() as tx:
            assert not await telemetry.Keeper(partition).renew(tx)

    assert await latest(history) == expected
    await telemetry.Sealer(database).work()
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO telemetry_stale VALUES (:device, 0, '{}')",
            {"device": history.device.number},
        )
        await telemetry.Keeper(0).renew(tx)
    assert await latest(history) == expected


async def values(history: History) -> list[object]:
    async with history.database.begin() as tx:
        window = telemetry.Window(MIDNIGHT - 9 * DAY, MIDNIGHT)
        rows = await telemetry.readings(tx, ROOT, history.device.id, window)
    return [row.values["a"] for row in rows]


async def test_staged_readings_replace_hot_and_sealed_ones(database: Database) -> None:
    history, generation = await staged(database)
    assert await values(history) == [1, 2, 3]

    async with database.begin() as tx:
        await telemetry.put_in_place(tx, generation, (TIMES[0], TIMES[2]))

    assert await values(history) == [1, 20, 30]
    await telemetry.Sealer(database).work()
    assert await values(history) == [1, 20, 30]
    assert await history.tiers() == (1, 1)


async def test_an_interrupted_swap_leaves_the_old_readings(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, generation = await staged(database)
    put = store.put_in_place

    async def put_and_die(*given: object) -> None:
        await put(*given)  # type: ignore[arg-type]
        raise RuntimeError("the machine stopped")

    monkeypatch.setattr(store, "put_in_place", put_and_die)
    with pytest.raises(RuntimeError, match="stopped"):
        async with database.begin() as tx:
            await telemetry.put_in_place(tx, generation, (TIMES[0], TIMES[2]))

    assert await values(history) == [1, 2, 3]
