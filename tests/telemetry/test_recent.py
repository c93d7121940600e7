"""The newest messages over all devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from httpx2 import AsyncClient

from fleet import Town, a_device, a_town, reader
from history import derive
from moorage import devices, ledger
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.errors import CursorInvalid
from moorage.organizations import Role
from moorage.telemetry.service import recent
from web import World


async def seconds(tx: Tx, caller: Caller, limit: int, **asked: Any) -> list[list[int]]:
    """Read page after page; give when each message was received."""
    found: list[list[int]] = []
    after = None
    for _ in range(100):
        page = await recent.recent_messages(tx, caller, limit=limit, after=after, **asked)
        found.append([one.entry.received_us // 1_000_000 for one in page.items])
        if (after := page.next) is None:
            return found
    raise AssertionError("The pages do not end.")


def flat(found: Sequence[Sequence[int]]) -> list[int]:
    return [second for page in found for second in page]


async def two_towns(tx: Tx) -> tuple[Town, Town]:
    await ledger.open_log(tx, 2)
    north, south = await a_town(tx, "North"), await a_town(tx, "South")
    bins = await devices.enrol(tx, north.admin, a_device(north, "Bin"))
    lamps = await devices.enrol(tx, south.admin, a_device(south, "Lamp"))
    await derive(tx, 0, bins, 1, 3, 4)
    await derive(tx, 1, lamps, 2, 5)
    await derive(tx, 1, bins, 6, 8)
    await derive(tx, 0, bins, 7, 9)
    await derive(tx, 0, lamps, 10)
    return north, south


async def test_pages_run_from_the_newest_back_over_partitions_and_envelopes(
    database: Database,
) -> None:
    async with database.begin() as tx:
        north, south = await two_towns(tx)
        mine = reader(north.organization_id)
        assert await seconds(tx, mine, 3) == [[9, 8, 7], [6, 4, 3], [1]]
        assert await seconds(tx, mine, 50) == [[9, 8, 7, 6, 4, 3, 1]]
        assert flat(await seconds(tx, reader(south.organization_id), 1)) == [10, 5, 2]
        assert flat(await seconds(tx, mine, 2, problems_only=True)) == [9, 7, 3, 1]
        chosen = {"application_id": north.application_id}
        assert flat(await seconds(tx, mine, 4, **chosen)) == [9, 8, 7, 6, 4, 3, 1]


async def test_one_question_looks_at_so_much_and_hands_back_where_to_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.begin() as tx:
        north, south = await two_towns(tx)
        monkeypatch.setattr(recent, "STEP_ENVELOPES", 1)
        monkeypatch.setattr(recent, "MOST_LOOKED_AT", 3)
        pages = await seconds(tx, reader(south.organization_id), 50)
        assert flat(pages) == [10, 5, 2]
        assert len(pages) > 2
        assert flat(await seconds(tx, reader(north.organization_id), 50)) == [9, 8, 7, 6, 4, 3, 1]


@pytest.mark.parametrize("cursor", ["", "x", "gA", "k6FhoWGhYQ", "lAECAwQF"])
async def test_a_cursor_from_elsewhere_is_refused(database: Database, cursor: str) -> None:
    async with database.begin() as tx:
        north, _ = await two_towns(tx)
        with pytest.raises(CursorInvalid):
            await recent.recent_messages(tx, reader(north.organization_id), limit=5, after=cursor)


async def a_sender(world: World, name: str) -> tuple[AsyncClient, AsyncClient]:
    """Give a person of a new organisation, and a device of it with its key."""
    organization = await world.organization(name)
    person = await world.person(
        f"{name}@example.org", organization.id, Role.APPLICATION_ADMIN, Role.READ
    )
    body: dict[str, Any] = {"organizationId": str(organization.id), "name": "Bins"}
    application = (await person.post("/api/v1/applications", json=body)).json()
    body = {"applicationId": application["id"], "name": f"Bin of {name}"}
    device = (await person.post("/api/v1/devices", json=body)).json()
    shown = await person.post(f"/api/v1/devices/{device['id']}/credentials", json={})
    return person, world.client(X_Device_Key=shown.json()["secret"])


async def test_everybody_reads_what_his_own_devices_sent(world: World) -> None:
    anna, her_bin = await a_sender(world, "anna")
    _bert, his_bin = await a_sender(world, "bert")
    for n, device in enumerate((her_bin, his_bin, her_bin)):
        sent = await device.post("/ingest/v1/up/level", json={"n": n})
        assert sent.status_code == 202
    await world.work()
    listed = (await anna.get("/api/v1/messages")).json()
    assert [one["values"] for one in listed["items"]] == [{"n": 2.0}, {"n": 0.0}]
    assert listed["next"] is None
    newest = listed["items"][0]
    assert (newest["deviceName"], newest["channel"]) == ("Bin of anna", "level")
    whole = await anna.get(f"/api/v1/devices/{newest['deviceId']}/messages/{newest['position']}")
    assert whole.json()["messageId"] == newest["messageId"]
    stranger = await anna.get("/api/v1/messages", params={"applicationId": newest["deviceId"]})
    assert stranger.status_code == 404


async def test_they_are_narrowed_to_a_device_and_a_period(world: World) -> None:
    anna, first = await a_sender(world, "anna")
    device = (await anna.get("/api/v1/devices")).json()["items"][0]
    body = {"applicationId": device["applicationId"], "name": "Another"}
    other = (await anna.post("/api/v1/devices", json=body)).json()
    shown = await anna.post(f"/api/v1/devices/{other['id']}/credentials", json={})
    second = world.client(X_Device_Key=shown.json()["secret"])
    for n, sender in enumerate((first, second, first)):
        assert (await sender.post("/ingest/v1/up", json={"n": n})).status_code == 202
    await world.work()

    async def asked(**query: str) -> list[float]:
        answer = await anna.get("/api/v1/messages", params=query)
        assert answer.status_code == 200, answer.text
        return [one["document"]["n"] for one in answer.json()["items"]]

    assert await asked(deviceId=other["id"]) == [1]
    everything = (await anna.get("/api/v1/messages")).json()["items"]
    middle = everything[1]["receivedAt"]
    assert await asked(**{"from": middle}) == [2, 1]
    assert await asked(to=middle) == [0]
    assert await asked(**{"from": middle, "to": middle}) == []
    assert await asked(organizationId=device["organizationId"]) == [2, 1, 0]
    assert await asked(organizationId=device["id"]) == []
    assert (await anna.get("/api/v1/messages", params={"from": "now"})).status_code == 422
    missing = {"deviceId": device["applicationId"]}
    assert (await anna.get("/api/v1/messages", params=missing)).status_code == 404
