"""Silence, thresholds, contacts."""

from __future__ import annotations

from datetime import timedelta

from fleet import Town, a_device, a_town
from fleet_api import signed_in
from moorage import devices, groups, notifications
from moorage.devices import Connectivity, DeviceState, Location, Threshold
from moorage.devices.service import watch
from moorage.kit.db import Database, Tx
from moorage.kit.pages import PageRequest
from moorage.notifications import Notice, NoticeFilter, NoticeState

HOUR = timedelta(hours=1)


async def notices(tx: Tx, town: Town, *states: NoticeState) -> list[Notice]:
    wanted = NoticeFilter(states=states or (NoticeState.OPEN,))
    return (await notifications.list_notices(tx, town.admin, PageRequest(), wanted)).items


async def test_a_silent_device_is_noticed_once_and_cleared_when_it_returns(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town, silent_after=HOUR))
        await devices.seen(tx, {device.number: tx.now})
        tx.now += HOUR - timedelta(seconds=1)
        assert await watch.watch_silence(tx) == 0
        tx.now += timedelta(seconds=2)
        assert await watch.watch_silence(tx) == 1
        assert await watch.watch_silence(tx) == 0
        (notice,) = await notices(tx, town)
        assert (notice.subject_id, notice.detail["silentAfter"]) == (device.id, "PT1H")
        read = await devices.get(tx, town.admin, device.id)
        assert read.connectivity is Connectivity.SILENT

        await devices.seen(tx, {device.number: tx.now})
        assert await notices(tx, town) == []
        (cleared,) = await notices(tx, town, NoticeState.CLEARED)
        assert cleared.id == notice.id
        read = await devices.get(tx, town.admin, device.id)
        assert read.connectivity is Connectivity.SEEN


async def test_the_applications_limit_holds_for_devices_without_their_own(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        await groups.change(tx, town.admin, town.application_id, {"silent_after": HOUR})
        plain = await devices.enrol(tx, town.admin, a_device(town, "plain"))
        patient = await devices.enrol(
            tx, town.admin, a_device(town, "patient", silent_after=HOUR * 5)
        )
        await devices.seen(tx, {plain.number: tx.now, patient.number: tx.now})
        tx.now += HOUR * 2
        await watch.watch_silence(tx)
        assert [n.subject_name for n in await notices(tx, town)] == ["plain"]


async def test_without_a_limit_the_usual_interval_is_learned(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        regular = await devices.enrol(tx, town.admin, a_device(town, "regular"))
        bursts = await devices.enrol(tx, town.admin, a_device(town, "bursts"))
        for n in range(100):
            tx.now += timedelta(minutes=10)
            await devices.seen(tx, {regular.number: tx.now})
            if n % 25 < 6:
                await devices.seen(tx, {bursts.number: tx.now})
        tx.now += timedelta(minutes=29)
        assert await watch.watch_silence(tx) == 0
        tx.now += timedelta(minutes=2)
        await watch.watch_silence(tx)
        # The long pauses of the other one are usual for it.
        assert [n.subject_name for n in await notices(tx, town)] == ["regular"]
        assert (await notices(tx, town))[0].detail["learned"] is True


async def test_a_retired_device_is_not_missed(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town, silent_after=HOUR))
        await devices.seen(tx, {device.number: tx.now})
        tx.now += HOUR * 2
        await watch.watch_silence(tx)
        await devices.change(tx, town.admin, device.id, {"state": DeviceState.RETIRED})
        await watch.watch_silence(tx)
        assert await notices(tx, town) == []


async def test_the_first_contact_begins_a_planned_device(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town, state=DeviceState.PLANNED))
        await devices.seen(tx, {device.number: tx.now})
        assert (await devices.get(tx, town.admin, device.id)).state is DeviceState.ACTIVE


async def test_a_threshold_opens_one_notice_and_clears_beyond_its_hysteresis(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        limits = (Threshold("t", above=30.0, below=0.0, hysteresis=2.0),)
        device = await devices.enrol(tx, town.admin, a_device(town, thresholds=limits))
        contexts = await devices.context_of(tx, [device.number])

        async def send(*values: float) -> list[str]:
            readings = [(device.number, "t", value, tx.now) for value in values]
            await devices.judge(tx, contexts, readings)
            return [n.cause for n in await notices(tx, town)]

        assert await send(20.0, 30.0) == []
        assert await send(31.0) == ["t:above"]
        assert await send(35.0) == ["t:above"]
        assert await send(29.0) == ["t:above"]
        assert await send(28.0) == []
        assert await send(31.0, -1.0) == ["t:below"]
        assert len(await notices(tx, town, NoticeState.CLEARED)) == 1
        (notice,) = await notices(tx, town)
        assert notice.detail == {"series": "t", "below": 0.0, "value": -1.0,
                                 "at": notice.detail["at"]}  # fmt: skip


async def test_devices_without_thresholds_cost_no_statement(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        contexts = await devices.context_of(tx, [device.number])
    # The transaction has ended, so any statement would fail.
    await devices.judge(tx, contexts, [(device.number, "t", 1.0, tx.now)])


async def test_a_device_goes_where_its_messages_say_it_is(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        start = Location(10.0, 56.0, 5.0)
        device = await devices.enrol(tx, town.admin, a_device(town, location=start))
        await devices.located(tx, {device.number: Location(11.0, 57.0)})
        assert (await devices.get(tx, town.admin, device.id)).location == Location(11.0, 57.0, 5.0)


async def test_notices_are_acknowledged_inside_their_organisation_only(database: Database) -> None:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        device = await devices.enrol(tx, town.admin, a_device(town, silent_after=HOUR))
        await devices.seen(tx, {device.number: tx.now})
        tx.now += HOUR * 2
        await watch.watch_silence(tx)
        (notice,) = await notices(tx, town)
    path = f"/api/v1/notices/{notice.id}"
    async with signed_in(database, other.admin) as client:
        assert (await client.get("/api/v1/notices")).json()["items"] == []
        assert (await client.get(path)).status_code == 404
        assert (await client.post(path + "/acknowledge")).status_code == 404
    async with signed_in(database, town.admin) as client:
        (listed,) = (await client.get("/api/v1/notices?state=open")).json()["items"]
        assert listed["subjectId"] == str(device.id)
        done = (await client.post(path + "/acknowledge")).json()
        assert (done["state"], done["acknowledgedBy"]) == ("acknowledged", str(town.admin.id))
        assert (await client.get("/api/v1/notices?state=open")).json()["items"] == []
        assert (await client.delete(f"/api/v1/devices/{device.id}")).status_code == 204
        assert (await client.get(path)).status_code == 404
