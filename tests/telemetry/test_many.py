"""Readings and latest values of several devices, and downloads of them."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from httpx2 import AsyncClient

from fleet import ROOT, Town, a_device, a_town, reader
from history import DAY, MIDNIGHT, History, regular, us
from moorage import devices, telemetry
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.errors import CursorInvalid
from moorage.organizations import Role
from moorage.telemetry import RangeReversed, RangeTooWide, Window, service
from moorage.telemetry.model import DeviceRow, Selection
from web import World

WHOLE = Window(MIDNIGHT - 40 * DAY, MIDNIGHT + DAY)
MINUTE = timedelta(minutes=1)


async def a_fleet(database: Database, name: str) -> tuple[Town, list[History]]:
    """Make two devices of a town with sealed days and hot ones, and one that never sent."""
    async with database.begin(ROOT) as tx:
        town = await a_town(tx, name)
        fleet = [
            History(database, await devices.enrol(tx, ROOT, a_device(town, f"{name} {i}")))
            for i in range(3)
        ]
    for number, history in enumerate(fleet[:2]):
        await history.keep(regular(MIDNIGHT - 30 * DAY + number * MINUTE, 40, 6 * 60 * MINUTE))
    await telemetry.Sealer(database).work()
    for history in fleet[:2]:
        await history.keep(regular(MIDNIGHT, 5, MINUTE))
        same = [telemetry.Point(us(MIDNIGHT - DAY), {"b": True}, None)]
        await history.keep([(same, 0), (same, 0), (same, 0)])
        late = telemetry.Point(us(MIDNIGHT - 25 * DAY), {"s": "late", "a": 7.5}, {"a": "Cel"})
        await history.keep([([late], int(telemetry.Flag.CLOCK))])
    return town, fleet


async def read_all(
    database: Database, caller: Caller, chosen: Selection, window: Window, limit: int
) -> tuple[list[DeviceRow], list[int]]:
    """Read page after page; give all rows and the pages' sizes."""
    rows: list[DeviceRow] = []
    sizes: list[int] = []
    after = None
    for _ in range(1000):
        part = Window(
            window.start, window.end, window.series, window.step_s, window.every,
            window.aggregate, limit,
        )  # fmt: skip
        async with database.begin() as tx:
            page = await service.readings_of_many(tx, caller, chosen, part, after)
        rows += page.items
        sizes.append(len(page.items))
        if (after := page.next) is None:
            return rows, sizes
    raise AssertionError("The pages do not end.")


async def alone(database: Database, history: History, window: Window) -> list[Any]:
    async with database.begin() as tx:
        rows = await telemetry.readings(tx, ROOT, history.device.id, window)
    return [(history.device.id, row.at, row.values, row.units, row.quality) for row in rows]


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_pages_of_several_devices_hold_what_each_device_has(
    database: Database, limit: int
) -> None:
    town, fleet = await a_fleet(database, "Aarhus")
    for window in (WHOLE, Window(WHOLE.start, WHOLE.end, step_s=86_400, aggregate="count")):
        rows, sizes = await read_all(
            database, town.admin, Selection(application_id=town.application_id), window, limit
        )

        expected = [one for history in fleet for one in await alone(database, history, window)]
        assert [(r.device_id, r.at, r.values, r.units, r.quality) for r in rows] == expected
        # Rows of one instant are not torn apart.
        assert max(sizes) <= max(limit, 3)


async def test_an_export_gives_all_rows_however_small_its_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import asynccontextmanager

    town, fleet = await a_fleet(database, "Aarhus")
    monkeypatch.setattr("moorage.telemetry.service.many.ROWS_AT_ONCE", 4)
    monkeypatch.setattr("moorage.telemetry.service.many.DEVICES_AT_ONCE", 1)

    @asynccontextmanager
    async def opened() -> Any:
        async with database.begin() as tx:
            yield tx, town.admin

    found = [
        (row.device_id, row.at, row.values, row.units, row.quality)
        async for batch in service.export(opened, Selection(), WHOLE)
        for row in batch
    ]
    assert found == [one for history in fleet for one in await alone(database, history, WHOLE)]


async def test_nobody_reads_devices_of_others(database: Database) -> None:
    north, north_fleet = await a_fleet(database, "North")
    south, south_fleet = await a_fleet(database, "South")
    theirs = {history.device.id for history in south_fleet}
    both = (north_fleet[0].device.id, south_fleet[0].device.id)
    limited = reader(north.organization_id, north.application_id)
    for caller in (north.admin, limited):
        rows, _ = await read_all(database, caller, Selection(), WHOLE, 1000)
        assert rows
        assert not theirs & {row.device_id for row in rows}
        for chosen, refused in (
            (Selection(device_ids=both), devices.DeviceUnknown),
            (Selection(application_id=south.application_id), Exception),
        ):
            async with database.begin() as tx:
                with pytest.raises(refused, match="There is no"):
                    await service.readings_of_many(tx, caller, chosen, WHOLE, None)
                with pytest.raises(refused, match="There is no"):
                    await service.latest_of_many(tx, caller, chosen, pages.PageRequest())
        rows, _ = await read_all(
            database, caller, Selection(organization_id=south.organization_id), WHOLE, 1000
        )
        assert rows == []


async def test_latest_values_of_several_devices_come_by_pages(database: Database) -> None:
    town, fleet = await a_fleet(database, "Aarhus")
    await a_fleet(database, "Odense")
    found = []
    after = None
    while True:
        async with database.begin() as tx:
            page = await service.latest_of_many(
                tx, town.admin, Selection(), pages.PageRequest(2, after)
            )
            found += page.items
        if (after := page.next) is None:
            break
    assert [one.device_id for one in found] == [history.device.id for history in fleet]
    async with database.begin() as tx:
        single = await telemetry.latest(tx, town.admin, fleet[0].device.id)
        chosen = Selection(device_ids=(fleet[2].device.id, fleet[0].device.id))
        some = await service.latest_of_many(tx, town.admin, chosen, pages.PageRequest())
        with pytest.raises(CursorInvalid):
            await service.latest_of_many(tx, ROOT, chosen, pages.PageRequest(2, "kQE"))
    assert (found[0].latest, found[0].message_count) == (single.latest, single.message_count)
    assert (found[2].latest, found[2].received_at) == ((), None)
    assert [one.device_id for one in some.items] == [fleet[0].device.id, fleet[2].device.id]


async def test_a_period_that_cannot_be_is_refused(database: Database) -> None:
    async with database.begin() as tx:
        for window, refused in (
            (Window(MIDNIGHT, MIDNIGHT), RangeReversed),
            (Window(MIDNIGHT - 365 * DAY, MIDNIGHT, step_s=1), RangeTooWide),
        ):
            with pytest.raises(refused):
                await service.readings_of_many(tx, ROOT, Selection(), window, None)


# --- By HTTP ----------------------------------------------------------------

PERIOD = {"from": WHOLE.start.isoformat(), "to": WHOLE.end.isoformat()}


async def get(client: AsyncClient, path: str, accept: str, **query: Any) -> bytes:
    answer = await client.get(f"/api/v1{path}", params=PERIOD | query, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith(accept)
    assert "attachment" in answer.headers["Content-Disposition"]
    return answer.content


async def test_downloads_hold_every_value_with_its_unit(world: World, tmp_path: Path) -> None:
    admin = await world.admin()
    _town, fleet = await a_fleet(world.database, "Aarhus")
    ids = [str(history.device.id) for history in fleet]
    expected: list[tuple[str, str, Any, str | None, str]] = []
    for history in fleet:
        for device_id, at, values, units, quality in await alone(world.database, history, WHOLE):
            text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            expected += [
                (str(device_id), text, name, value, units.get(name), quality.value)
                for name, value in values.items()
            ]  # type: ignore[misc]

    lines = [
        json.loads(line)
        for line in (await get(admin, "/readings", "application/x-ndjson", deviceId=ids)).split(
            b"\n"
        )
        if line
    ]
    assert [
        (o["deviceId"], o["at"], name, value, o["units"].get(name), o["quality"])
        for o in lines
        for name, value in o["values"].items()
    ] == expected

    content = (await get(admin, "/readings", "text/csv", deviceId=ids)).decode()
    head, *rows = csv.reader(io.StringIO(content))
    assert head == ["deviceId", "device", "at", "series", "value", "unit", "quality"]
    assert [(r[0], r[2], r[3], r[4], r[5] or None, r[6]) for r in rows] == [
        (d, at, n, str(v), u, q) for d, at, n, v, u, q in expected
    ]

    file = tmp_path / "readings.parquet"
    file.write_bytes(await get(admin, "/readings", "application/vnd.apache.parquet", deviceId=ids))
    with duckdb.connect() as database:
        found = database.sql(
            f'SELECT device_id, epoch_us("at"), series, number, boolean, text, unit, quality '
            f"FROM '{file}'"
        ).fetchall()
    assert [
        (d, n, number if number is not None else text if flag is None else flag, u, q)
        for d, _us, n, number, flag, text, u, q in found
    ] == [(d, n, v, u, q) for d, _at, n, v, u, q in expected]

    wide = (await get(admin, f"/devices/{ids[0]}/readings", "text/csv")).decode()
    head, *rows = csv.reader(io.StringIO(wide))
    assert head == ["at", "quality", "a (Cel)", "b", "s"]
    assert len(rows) == len(await alone(world.database, fleet[0], WHOLE))

    async with world.database.begin() as tx:
        facts = await tx.execute(
            "SELECT subject_id, organization_id FROM facts "
            "WHERE name = 'telemetry.readings_exported' ORDER BY id"
        )
        seen = [(row.subject_id, row.organization_id) for row in facts]
    assert len(seen) == 4
    assert {organization_id for _subject, organization_id in seen} == {
        fleet[0].device.organization_id
    }
    assert seen[-1][0] == fleet[0].device.id


async def test_latest_values_are_read_by_every_filter(world: World) -> None:
    admin = await world.admin()
    town, fleet = await a_fleet(world.database, "Aarhus")
    first = str(fleet[0].device.id)
    alone = (await admin.get(f"/api/v1/devices/{first}/latest")).json()
    for query in (
        {}, {"deviceId": first}, {"applicationId": str(town.application_id)},
        {"organizationId": str(town.organization_id)},
    ):  # fmt: skip
        answer = await admin.get("/api/v1/latest", params=query)
        assert answer.status_code == 200, answer.text
        shown = answer.json()["items"]
        assert len(shown) == (1 if "deviceId" in query else 3)
        assert alone | {"deviceId": first, "deviceName": "Aarhus 0"} in shown
    then = await admin.get("/api/v1/latest", params={"at": MIDNIGHT.isoformat()})
    assert then.status_code == 200, then.text


async def test_messages_are_downloaded_as_they_were_received(world: World) -> None:
    admin = await world.admin()
    aarhus = await world.organization("Aarhus")
    member = await world.person("m@aarhus.example", aarhus.id, Role.APPLICATION_ADMIN)
    odense = await world.organization("Odense")
    stranger = await world.person("s@odense.example", odense.id, Role.APPLICATION_ADMIN)

    async def make(path: str, **body: Any) -> dict[str, Any]:
        answer = await admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    application = await make("/applications", organizationId=str(aarhus.id), name="Water")
    device = await make("/devices", applicationId=application["id"], name="Meter 1")
    key = (await make(f"/devices/{device['id']}/credentials", kind="key"))["secret"]
    bodies = [{"at": (MIDNIGHT - i * MINUTE).isoformat(), "values": {"n": i}} for i in range(7)]
    sent = await world.client(X_Device_Key=key).post("/ingest/v1/up", json=bodies)
    assert sent.status_code == 202
    await world.work()
    path = f"/api/v1/devices/{device['id']}/messages"
    lines = {"Accept": "application/x-ndjson"}

    answer = await member.get(path, headers=lines)
    shown = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["values"]["n"] for one in shown] == [6, 5, 4, 3, 2, 1, 0]
    pages_of = (await member.get(path)).json()["items"]
    assert shown == pages_of[::-1]
    period = {
        "from": (MIDNIGHT - 4 * MINUTE).isoformat(), "to": (MIDNIGHT - MINUTE).isoformat(),
    }  # fmt: skip
    answer = await member.get(path, params=period, headers=lines)
    assert [json.loads(line)["values"]["n"] for line in answer.text.splitlines()] == [4, 3, 2]
    narrowed = (await member.get(path, params=period)).json()["items"]
    assert [one["values"]["n"] for one in narrowed] == [2, 3, 4]
    both = await member.get(path, params=period | {"total": True})
    assert both.status_code == 422
    for accept in ("application/json", "application/x-ndjson"):
        refused = await stranger.get(path, headers={"Accept": accept})
        assert refused.status_code == 404
    reversed_ = {"from": period["to"], "to": period["from"]}
    for headers in ({}, lines):
        assert (await member.get(path, params=reversed_, headers=headers)).status_code == 422
    async with world.database.begin() as tx:
        count = await tx.execute(
            "SELECT count(*) FROM facts WHERE name = 'telemetry.messages_exported' "
            "AND subject_id = :id",
            {"id": device["id"]},
        )
        assert count.scalar_one() == 2
