"""Who is at a broker that tells of its connections, and whose connections are ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest_asyncio

from brokers.desk import Desk, Thing
from moorage import devices, ingest, sessions
from moorage.brokers.model import Registered
from moorage.brokers.service.watching.attendance import Attendance, Visit
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.sections import IngestSettings
from moorage.sources import BrokerKind
from web import OPERATOR


@dataclass
class Watch:
    """An attendance, and what it had ended."""

    desk: Desk
    attendance: Attendance
    ended: list[str] = field(default_factory=list)

    async def number(self, thing: Thing) -> int:
        async with self.desk.world.database.begin() as tx:
            return (await devices.numbers_of(tx, [UUID(thing.id)]))[UUID(thing.id)]

    async def connected(self, thing: Thing) -> dict[str, bool]:
        """Tell, by client id, who of a device is there."""
        async with self.desk.world.database.begin(OPERATOR) as tx:
            _device, found = await sessions.presence_of(tx, OPERATOR, UUID(thing.id))
        return {one.client_id: one.connected for one in found}

    async def until(self, thing: Thing, **wanted: bool) -> None:
        async with asyncio.timeout(20):
            while await self.connected(thing) != wanted:
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def watch(desk: Desk) -> AsyncIterator[Watch]:
    database = desk.world.database
    doorbells = Doorbells(database)
    door = ingest.Door(database, doorbells, IngestSettings(), 1, name="here:1")
    broker = Registered(uuid7(), desk.organization_id, "Front", BrokerKind.RABBITMQ, False, ())
    ended: list[str] = []

    async def end(visit: Visit) -> None:
        ended.append(visit.key)

    running = [asyncio.create_task(part.run()) for part in (doorbells, door)]
    async with asyncio.timeout(20):
        while door.listener_id is None:
            await asyncio.sleep(0.02)
    yield Watch(desk, Attendance(broker, database, door, end), ended)
    for task in running:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_connection_is_noted_when_it_comes_and_when_it_goes(watch: Watch) -> None:
    thing = await watch.desk.thing(user_name="pump 7")
    await watch.attendance.came(Visit("1", "pump 7", "one", "10.0.0.7"))
    await watch.attendance.came(Visit("2", "pump 7", "two"))
    await watch.until(thing, one=True, two=True)
    watch.attendance.went("1", "lost")
    await watch.until(thing, one=False, two=True)
    watch.attendance.leave()
    await watch.until(thing, one=False, two=False)
    assert not watch.ended


async def test_a_list_tells_who_is_gone_and_revives_nobody(watch: Watch) -> None:
    thing = await watch.desk.thing(user_name="pump 7")
    one, two = Visit("1", "pump 7", "one"), Visit("2", "pump 7", "two")
    await watch.attendance.are({"1": one, "2": two}, time.monotonic())
    await watch.until(thing, one=True, two=True)
    asked_at = time.monotonic()
    # One leaves and another comes while the broker writes its list.
    watch.attendance.went("1", "client")
    await watch.attendance.came(Visit("3", "pump 7", "three"))
    await watch.attendance.are({"1": one}, asked_at)
    await watch.until(thing, one=False, two=False, three=True)


async def test_who_has_changed_has_to_sign_in_anew_and_others_stay(watch: Watch) -> None:
    thing, other = await watch.desk.thing(), await watch.desk.thing()
    await watch.attendance.came(Visit("1", thing.user_name, "one"))
    await watch.attendance.came(Visit("2", other.user_name, "two"))
    await watch.attendance.came(Visit("3", thing.user_name, "three"))
    await watch.attendance.changed([await watch.number(thing)])
    assert watch.ended == ["1", "3"]


async def test_names_that_were_never_a_device_s_are_left_alone(watch: Watch) -> None:
    elsewhere = await watch.desk.thing(application_id=await watch.desk.elsewhere())
    for key, name in (("1", "operator"), ("2", "moorage"), ("3", elsewhere.user_name)):
        await watch.attendance.came(Visit(key, name, key))
    assert not watch.ended
    assert await watch.connected(elsewhere) == {}


async def test_who_slips_in_with_what_is_revoked_is_sent_away(watch: Watch) -> None:
    thing = await watch.desk.thing()
    await watch.attendance.came(Visit("1", thing.user_name, "one"))
    async with watch.desk.world.database.begin(OPERATOR) as tx:
        await devices.revoke_credential(tx, OPERATOR, UUID(thing.id), thing.credential_id)
    async with asyncio.timeout(20):
        turn = 2
        while not watch.ended:
            await watch.attendance.came(Visit(str(turn), thing.user_name, "one"))
            turn += 1
            await asyncio.sleep(0.05)
    assert "1" not in watch.ended
