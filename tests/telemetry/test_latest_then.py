"""The values that were the latest ones at an instant, out of both tiers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet import ROOT, a_device, a_town
from history import DAY, MIDNIGHT, History, us
from moorage import devices, telemetry
from moorage.kit import pages
from moorage.kit.db import Database
from moorage.telemetry import service
from moorage.telemetry.model import Selection

HOUR = timedelta(hours=1)
START = MIDNIGHT - 5 * DAY


async def test_latest_values_are_what_they_were(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        device = await devices.enrol(tx, ROOT, a_device(town))
        quiet = await devices.enrol(tx, ROOT, a_device(town, "Quiet"))
        # It has been here for as long as its messages.
        await tx.execute("UPDATE devices SET created_at = created_at - interval '10 days'")
    history = History(database, device)
    point = telemetry.Point
    await history.keep([
        ([point(us(START), {"a": 1.0, "b": True}, {"a": "Cel"})], 0),
        ([point(us(START + HOUR), {"a": 2.0})], 0),
        ([point(us(START + DAY), {"b": False, "c": "x"})], 0),
        ([point(us(MIDNIGHT - 2 * HOUR), {"a": 3.0})], 0),
        ([point(us(MIDNIGHT + timedelta(microseconds=1)), {"a": 4.0})], 0),
    ])  # fmt: skip
    expected = [
        (START - HOUR, {}),
        (START, {"a": 1.0, "b": True}),
        (START + HOUR, {"a": 2.0, "b": True}),
        (START + DAY - HOUR, {"a": 2.0, "b": True}),
        (START + DAY, {"a": 2.0, "b": False, "c": "x"}),
        (MIDNIGHT, {"a": 3.0, "b": False, "c": "x"}),
    ]
    for tier in ("hot", "sealed"):
        for at, values in expected:
            async with database.begin(town.admin) as tx:
                state = await telemetry.latest(tx, town.admin, device.id, at)
                page = await service.latest_of_many(
                    tx, town.admin, Selection(), pages.PageRequest(), at
                )
            assert {one.series: one.value for one in state.latest} == values, (tier, at)
            assert (state.received_at, state.message_count) == (None, None)
            assert [(one.device_id, one.latest) for one in page.items] == [
                (device.id, state.latest), (quiet.id, ()),
            ]  # fmt: skip
        await telemetry.Sealer(database).work()
    assert (await history.tiers())[1] > 0
    async with database.begin() as tx:
        with pytest.raises(devices.DeviceUnknown):
            await telemetry.latest(tx, other.admin, device.id, START)
        page = await service.latest_of_many(
            tx, other.admin, Selection(), pages.PageRequest(), START
        )
        assert page.items == []
        with pytest.raises(devices.NotThereThen):
            await telemetry.latest(tx, town.admin, device.id, START - 10 * DAY)
