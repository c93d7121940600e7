"""What the doors and workers ask of devices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from moorage import devices, groups, organizations
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Database
from moorage.kit.ids import uuid7

ROOT = Caller(CallerKind.PERSON, uuid7(), "root", (Grant(frozenset(organizations.Permission)),))


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, pool_size=3)
    yield made
    await made.close()


async def test_a_key_names_its_sender(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        organization = await organizations.found(tx, ROOT, organizations.NewOrganization("Town"))
        application = await groups.make(tx, ROOT, groups.NewApplication(organization.id, "Bins"))
        device = await devices.enrol(tx, ROOT, devices.NewDevice(application.id, "Bin 1"))
        shown = await devices.make_credential(tx, ROOT, device.id, devices.CredentialKind.KEY)
        start = await devices.senders_changed(tx, None)
    async with database.begin(ROOT) as tx:
        sender = await devices.find_sender(tx, devices.CredentialKind.KEY, shown.secret)
        assert sender is not None
        assert (sender.number, sender.device_id) == (device.number, device.id)
        contexts = await devices.context_of(tx, [device.number])
        assert contexts[device.number].name == "Bin 1"
        await devices.seen(tx, {device.number: tx.now})
        await devices.revoke_credential(tx, ROOT, device.id, shown.credential.id)
    async with database.begin(ROOT) as tx:
        assert await devices.find_sender(tx, devices.CredentialKind.KEY, shown.secret) is None
        assert (await devices.senders_changed(tx, start.next)).numbers == [device.number]
        assert (await devices.get(tx, ROOT, device.id)).last_seen_at is not None
        await devices.remove(tx, ROOT, device.id)
