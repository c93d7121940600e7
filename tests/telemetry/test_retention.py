"""Readings go when their time has come, and with their device."""

from __future__ import annotations

from datetime import timedelta

from fleet import ROOT, a_device, a_town
from history import DAY, History, a_history, midnight, regular
from moorage import devices, groups, telemetry
from moorage.kit.db import Database
from moorage.organizations import service as organizations_service
from moorage.telemetry import jobs


async def test_readings_are_kept_as_long_as_the_application_says(database: Database) -> None:
    history, today = await a_history(database), midnight()
    async with database.begin(ROOT) as tx:
        town = await a_town(tx, "Odense")
        short = await devices.enrol(tx, ROOT, a_device(town))
        await groups.change(tx, ROOT, town.application_id, {"keep_readings": timedelta(days=7)})
    other = History(database, short)
    for one in (history, other):
        # More than shares a block, so that days go one by one.
        await one.keep(regular(today - 9 * DAY, 3 * 1440, timedelta(minutes=1)))
        await one.keep(regular(today - 2 * DAY, 2, DAY))
        await one.keep(regular(today - 800 * DAY, 1, DAY))
    await telemetry.Sealer(database).work()
    await other.keep(regular(today - 9 * DAY, 5, timedelta(minutes=1)))

    async with database.begin() as tx:
        await jobs.drop_old(tx)

    assert await history.tiers() == (2, 3)
    assert await other.tiers() == (2, 1)


async def test_what_a_removed_device_sent_is_erased(database: Database) -> None:
    kept, removed = await a_history(database), await a_history(database)
    for one in (kept, removed):
        await one.keep(regular(midnight() - 5 * DAY, 50, 0.1 * DAY))
    await telemetry.Sealer(database).work()
    async with database.begin(ROOT) as tx:
        await devices.remove(tx, ROOT, removed.device.id)

    async with database.begin() as tx:
        await jobs.erase_removed(tx)

    assert await removed.tiers() == (0, 0)
    assert await kept.tiers() == (20, 1)
    async with database.begin() as tx:
        assert not await telemetry.states(tx, [removed.device.number])


async def test_summaries_stay_unless_somebody_says_and_no_shorter_than_readings(
    database: Database,
) -> None:
    plain = await a_history(database)
    async with database.begin(ROOT) as tx:
        town = await a_town(tx, "Odense")
        others = [History(database, await devices.enrol(tx, ROOT, a_device(town)))]
        keeps = timedelta(days=30), timedelta(days=100)
        await organizations_service.change(
            tx, ROOT, town.organization_id, {"keep_readings": keeps[0], "keep_summaries": keeps[1]}
        )
        for name, keep in (("Short", timedelta(days=7)), ("Long", timedelta(days=1000))):
            made = await groups.make(
                tx, ROOT, groups.NewApplication(town.organization_id, name, keep_summaries=keep)
            )
            device = a_device(town, name, application_id=made.id)
            others.append(History(database, await devices.enrol(tx, ROOT, device)))
    histories, today = [plain, *others], midnight()
    for one in histories:
        for days in (5, 20, 50, 200, 900, 2000):
            await one.keep(regular(today - days * DAY, 1, DAY))
    await telemetry.Sealer(database).work()

    async with database.begin() as tx:
        await jobs.drop_old(tx)
        found = await tx.execute("SELECT device, count(*) AS days FROM telemetry_hours GROUP BY 1")
        days_left = {row.device: row.days for row in found}
    # The default, the organisation's 100 days, 7 days lifted to the readings' 30, and 1,000.
    assert [days_left[one.device.number] for one in histories] == [6, 3, 2, 5]
