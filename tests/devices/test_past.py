"""The fleet as it was, over HTTP and real transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import ROOT, a_device, a_town, administrator, reader
from fleet_api import signed_in
from moorage import devices, groups, sessions
from moorage.devices import jobs
from moorage.devices.service import registry
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database
from moorage.kit.ids import uuid7
from moorage.kit.pages import PageRequest

POINT = {"type": "Point", "coordinates": [10.2039, 56.1629]}
ELSEWHERE = {"type": "Point", "coordinates": [12.5683, 55.6761]}


async def now(database: Database) -> datetime:
    """Give an instant between what was done before and what comes after."""
    async with database.begin() as tx:
        return tx.now


async def ask(database: Database, caller: Caller, path: str, at: datetime, **query: Any) -> Any:
    async with signed_in(database, caller) as client:
        answer = await client.get(path, params={"at": at.isoformat(), **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def names(database: Database, caller: Caller, at: datetime, **query: Any) -> list[str]:
    page = await ask(database, caller, "/api/v1/devices", at, total=True, **query)
    assert page["total"] == len(page["items"])
    return [item["name"] for item in page["items"]]


async def refusal(
    database: Database, caller: Caller, path: str, at: datetime, **query: Any
) -> tuple[int, str]:
    async with signed_in(database, caller) as client:
        answer = await client.get(path, params={"at": at.isoformat(), **query})
    return answer.status_code, answer.json()["code"]


async def test_devices_are_as_they_were(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    before = await now(database)
    async with signed_in(database, town.admin) as client:
        body = {
            "applicationId": str(town.application_id), "name": "Bin 1", "tags": ["red"],
            "location": POINT, "metadata": {"floor": "1"}, "state": "planned",
            "identifiers": [{"kind": "mac", "value": "00:00:00:00:00:01"}],
        }  # fmt: skip
        made = (await client.post("/api/v1/devices", json=body)).json()
        path = f"/api/v1/devices/{made['id']}"
        first = await now(database)
        changes = {
            "name": "Tank 1", "tags": ["blue"], "location": ELSEWHERE, "state": "active",
            "metadata": {"floor": "2"}, "identifiers": [],
        }  # fmt: skip
        changed = (await client.patch(path, json=changes)).json()
        second = await now(database)
        await client.patch(path, json={"name": "Tank 2", "location": None})
        later = a_device(town, "Later")
    async with database.begin(ROOT) as tx:
        await devices.enrol(tx, ROOT, later)

    assert await names(database, town.admin, before) == []
    assert await names(database, town.admin, first) == ["Bin 1"]
    assert await names(database, town.admin, second) == ["Tank 1"]
    assert await names(database, town.admin, await now(database)) == ["Later", "Tank 2"]
    assert await refusal(database, town.admin, path, before) == (404, "devices.not_there_then")
    assert await ask(database, town.admin, path, first) == made
    assert await ask(database, town.admin, path, second) == changed

    # Every filter looks at what was.
    for wanted in (
        {"tag": "red"}, {"q": "bin"}, {"state": "planned"}, {"metadata": "floor=1"},
        {"bbox": "10,56,11,57"}, {"near": "10.2,56.16"}, {"connectivity": "neverSeen"},
        {"q": "000000000001"}, {"located": True},
    ):  # fmt: skip
        assert await names(database, town.admin, first, **wanted) == ["Bin 1"], wanted
        assert await names(database, town.admin, second, **wanted) == (
            ["Tank 1"] if wanted.keys() & {"connectivity", "located"} else []
        ), wanted
    assert await names(database, town.admin, await now(database), located=True) == []

    world = {"bbox": "-180,-90,180,90"}
    (then,) = await ask(database, town.admin, "/api/v1/devices/map", first, **world)
    assert then["device"] == {"id": made["id"], "name": "Bin 1"}
    assert then["location"] == POINT
    (then,) = await ask(database, town.admin, "/api/v1/devices/map", second, **world)
    assert (then["device"]["name"], then["location"]) == ("Tank 1", ELSEWHERE)
    assert await ask(database, town.admin, "/api/v1/devices/map", before, **world) == []

    async with signed_in(database, town.admin) as client:
        answer = await client.get("/api/v1/devices/export", params={"at": first.isoformat()})
    assert "Bin 1" in answer.text
    assert "Tank" not in answer.text


async def test_the_past_comes_in_pages(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        made = [await devices.enrol(tx, ROOT, a_device(town, f"Bin {n}")) for n in range(5)]
    then = await now(database)
    async with database.begin(ROOT) as tx:
        for device in made[::2]:
            await devices.change(tx, ROOT, device.id, {"name": f"New {device.name}"})
        await devices.change(tx, ROOT, made[0].id, {"name": "Newer"})
    found: list[str] = []
    after = None
    while True:
        asked = {"limit": 2, "sort": "-name", "total": True} | ({"after": after} if after else {})
        page = await ask(database, town.admin, "/api/v1/devices", then, **asked)
        found += [item["name"] for item in page["items"]]
        assert (page["total"], page["removed"]) == (5, 0)
        if (after := page["next"]) is None:
            break
    assert found == [f"Bin {n}" for n in (4, 3, 2, 1, 0)]
    slim = await ask(database, town.admin, "/api/v1/devices", then, fields="name", limit=1)
    assert slim["removed"] == 0


async def test_contact_and_place_are_known_as_they_were_written_down(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, ROOT, a_device(town, location=devices.Location(10, 56)))
    instants = []

    async def noted() -> None:
        async with database.begin() as tx:
            await jobs.note_past(tx)
        instants.append(await now(database))

    async def course(connected: bool, place: devices.Location) -> None:
        async with database.begin() as tx:
            await devices.seen(tx, {device.number: tx.now})
            await devices.connected(tx, {device.number: connected})
            await devices.located(tx, {device.number: place})
        await noted()

    await noted()
    await course(True, devices.Location(10.00001, 56))  # Noise.
    await course(False, devices.Location(10.00001, 56))
    async with database.begin() as tx:
        await tx.execute("UPDATE device_contacts SET silent_since = now(), last_seen_at = :at",
                         {"at": instants[1]})  # fmt: skip
    await noted()
    # Soon after the place before, which was written down with the contact.
    async with database.begin() as tx:
        await devices.located(tx, {device.number: devices.Location(11, 57)})
    await noted()
    async with database.begin() as tx:
        await tx.execute("UPDATE device_noted SET since = since - interval '1 hour'")
        await tx.execute("UPDATE device_courses SET until = until - interval '1 hour'")
        await tx.execute("UPDATE devices SET created_at = created_at - interval '2 hours'")
    instants = [at - timedelta(hours=1) for at in instants]
    await noted()
    await noted()  # Nothing new, nothing written.

    path = f"/api/v1/devices/{device.id}"
    told = [await ask(database, town.admin, path, at) for at in instants]
    assert [one["connectivity"] for one in told] == [
        "neverSeen", "connected", "seen", "silent", "silent", "silent", "silent",
    ]  # fmt: skip
    assert [one["location"]["coordinates"][0] for one in told] == [
        10, 10.00001, 10.00001, 10.00001, 10.00001, 11, 11,
    ]  # fmt: skip
    # The last contact is known of one that had fallen silent only.
    assert [one["lastSeenAt"] is not None for one in told] == [False] * 3 + [True] * 4
    for at, connectivity in zip(
        instants, ("neverSeen", "connected", "seen", "silent"), strict=False
    ):
        assert await names(database, town.admin, at, connectivity=connectivity) == ["Bin 1"]
        assert await names(database, town.admin, at, connectivity="connected") == (
            ["Bin 1"] if connectivity == "connected" else []
        )
    world = {"bbox": "9,55,12,58"}
    for at, silent in ((instants[1], 0), (instants[3], 1)):
        (cluster,) = await ask(database, town.admin, "/api/v1/devices/map", at, **world)
        assert cluster["silent"] == silent
    async with database.begin() as tx:
        written = await tx.execute("SELECT count(*) FROM device_courses")
        assert written.scalar_one() == 4


async def test_a_contact_over_mqtt_and_a_first_one_are_history(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, ROOT, a_device(town, state=devices.DeviceState.PLANNED))
    planned = await now(database)
    async with database.begin() as tx:
        await devices.seen(tx, {device.number: tx.now})
        listener = await sessions.start_listener(tx, "here:1883")
        event = sessions.PresenceEvent(
            number=device.number, client_id="bin", connected=True, at=tx.now, protocol="mqtt",
            version="5", address="", tls=False,
        )  # fmt: skip
        await sessions.record(tx, listener, [event])
        await jobs.note_past(tx)
    met = await now(database)
    path = f"/api/v1/devices/{device.id}"
    then = await ask(database, town.admin, path, planned)
    assert (then["state"], then["connectivity"]) == ("planned", "neverSeen")
    then = await ask(database, town.admin, path, met)
    assert (then["state"], then["connectivity"]) == ("active", "connected")


async def test_who_was_removed_is_counted_and_nothing_more_is_told(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        second = await groups.make(tx, ROOT, groups.NewApplication(town.organization_id, "Tanks"))
        gone = await devices.enrol(tx, ROOT, a_device(town, "Gone"))
        kept = await devices.enrol(tx, ROOT, a_device(town, "Retired"))
        swept = await devices.enrol(tx, ROOT, a_device(town, "Swept", application_id=second.id))
    then = await now(database)
    async with database.begin(ROOT) as tx:
        await devices.remove(tx, ROOT, gone.id)
        await devices.remove_application(tx, ROOT, second.id, with_devices=True)
        await devices.change(tx, ROOT, kept.id, {"state": devices.DeviceState.RETIRED})

    page = await ask(database, town.admin, "/api/v1/devices", then, total=True)
    assert ([d["name"] for d in page["items"]], page["removed"]) == (["Retired"], 2)
    assert page["items"][0]["state"] == "active"
    assert str(swept.id) not in str(page)
    # Who sees one application only counts what was in it; another organisation counts nothing.
    one = reader(town.organization_id, town.application_id)
    assert (await ask(database, one, "/api/v1/devices", then))["removed"] == 1
    assert (await ask(database, other.admin, "/api/v1/devices", then))["removed"] == 0
    page = await ask(database, ROOT, "/api/v1/devices", then, applicationId=str(second.id))
    assert page["removed"] == 1
    path = f"/api/v1/devices/{gone.id}"
    assert await refusal(database, one, path, then) == (404, "devices.removed_since")
    assert await refusal(database, other.admin, path, then) == (404, "devices.unknown")
    async with signed_in(database, one) as client:
        assert "removed" in (await client.get("/api/v1/devices")).json()


async def test_a_moved_device_is_shown_to_who_may_see_both_places(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        tanks = await groups.make(tx, ROOT, groups.NewApplication(town.organization_id, "Tanks"))
        within = await devices.enrol(tx, ROOT, a_device(town, "Within"))
        abroad = await devices.enrol(tx, ROOT, a_device(town, "Secret"))
        await devices.enrol(tx, ROOT, a_device(town, "Stays"))
    then = await now(database)
    async with database.begin(ROOT) as tx:
        await devices.move(tx, ROOT, within.id, tanks.id)
        await devices.change(tx, ROOT, abroad.id, {"name": "Public"})
        await devices.move(tx, ROOT, abroad.id, other.application_id)
    since = await now(database)

    grants = (*town.admin.grants, *other.admin.grants)
    both = Caller(CallerKind.PERSON, uuid7(), "both", grants)
    only_bins = reader(town.organization_id, town.application_id)
    only_tanks = reader(town.organization_id, tanks.id)
    for caller, seen in (
        (ROOT, ["Secret", "Stays", "Within"]),
        (both, ["Secret", "Stays", "Within"]),
        (town.admin, ["Stays", "Within"]),
        (other.admin, []),
        (only_bins, ["Stays"]),
        (only_tanks, []),
    ):
        assert await names(database, caller, then) == seen, caller.label
        for device, name in ((within, "Within"), (abroad, "Secret")):
            if name not in seen:
                status, code = await refusal(database, caller, f"/api/v1/devices/{device.id}", then)
                assert status == 404
                assert code in ("devices.not_there_then", "devices.unknown")
    assert await names(database, other.admin, since) == ["Public"]
    # As filters go, it was where it was.
    where = {"applicationId": str(town.application_id)}
    assert await names(database, ROOT, then, **where) == ["Secret", "Stays", "Within"]
    assert await names(database, ROOT, since, **where) == ["Stays"]
    told = await ask(database, both, f"/api/v1/devices/{abroad.id}", then)
    assert told["organizationId"] == str(town.organization_id)


async def test_an_application_handed_over_takes_no_past_across_the_border(
    database: Database,
) -> None:
    async with database.begin(ROOT) as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        await devices.enrol(tx, ROOT, a_device(town, "Secret"))
        second = await groups.make(tx, ROOT, groups.NewApplication(town.organization_id, "Own"))
        stays = await devices.enrol(tx, ROOT, a_device(town, "Moves"))
    then = await now(database)
    async with database.begin(ROOT) as tx:
        await devices.move(tx, ROOT, stays.id, second.id)
    async with database.begin(ROOT) as tx:
        await registry.move_application(tx, ROOT, town.application_id, other.organization_id)
    since = await now(database)
    # Rights in the application come from its new organisation, and say nothing of the old one.
    heir = administrator(other.organization_id, town.application_id)
    own = administrator(town.organization_id, second.id)
    pieced = Caller(CallerKind.PERSON, uuid7(), "pieced", (*heir.grants, *own.grants))
    for caller in (heir, other.admin, pieced, town.admin):
        seen = ["Moves"] if caller is town.admin else []
        assert await names(database, caller, then) == seen, caller.label
    assert await names(database, heir, since) == ["Secret"]
    assert await names(database, ROOT, then) == ["Moves", "Secret"]


async def test_a_gateway_of_then_is_told(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        gateways = [
            await devices.enrol(tx, ROOT, a_device(town, f"G{n}", kind=devices.DeviceKind.GATEWAY))
            for n in range(2)
        ]
        children = [
            await devices.enrol(tx, ROOT, a_device(town, f"C{n}", gateway_id=gateway.id))
            for n, gateway in enumerate(gateways)
        ]
    then = await now(database)
    async with database.begin(ROOT) as tx:
        await devices.remove(tx, ROOT, gateways[0].id)
        await devices.move(tx, ROOT, gateways[1].id, other.application_id)
    for child, gateway in zip(children, gateways, strict=True):
        told = await ask(database, town.admin, f"/api/v1/devices/{child.id}", then)
        assert told["gatewayId"] == str(gateway.id)
        async with database.begin(ROOT) as tx:
            assert (await devices.get(tx, ROOT, child.id)).gateway_id is None


async def test_what_cannot_be_told_is_refused_by_name(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, ROOT, a_device(town))
    at = await now(database)
    paths = ("/api/v1/devices", "/api/v1/devices/export", f"/api/v1/devices/{device.id}")
    for path in paths:
        future = datetime.now(UTC) + timedelta(hours=1)
        assert await refusal(database, town.admin, path, future) == (422, "field_invalid")
        assert await refusal(database, town.admin, path, at - timedelta(days=367)) == (
            422, "devices.past_not_kept",
        )  # fmt: skip
    async with signed_in(database, town.admin) as client:
        for wrong in ("yesterday", "2026-01-01T00:00:00"):
            answer = await client.get("/api/v1/devices", params={"at": wrong})
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"] == "/at"
        for name, value in (
            ("lastSeenFrom", at.isoformat()), ("lastSeenTo", at.isoformat()),
            ("sort", "-lastSeenAt"),
        ):  # fmt: skip
            answer = await client.get("/api/v1/devices", params={"at": at.isoformat(), name: value})
            assert (answer.status_code, answer.json()["code"]) == (422, "devices.past_not_known")
            assert name in answer.json()["detail"]


async def test_the_past_is_forgotten_after_its_time(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, ROOT, a_device(town))
        other = await devices.enrol(tx, ROOT, a_device(town))
    async with database.begin(ROOT) as tx:
        place = devices.Location(10, 56)
        await devices.change(tx, ROOT, device.id, {"name": "New", "location": place})
        await devices.remove(tx, ROOT, other.id)

    async def kept() -> list[int]:
        async with database.begin() as tx:
            await jobs.forget_past(tx)
            return [
                (await tx.execute(f"SELECT count(*) FROM {name}")).scalar_one()
                for name in ("device_versions", "device_courses", "device_removals")
            ]

    assert await kept() == [1, 1, 1]
    async with database.begin() as tx:
        for table, column in (
            ("device_versions", "until"), ("device_courses", "until"),
            ("device_removals", "removed_at"),
        ):  # fmt: skip
            await tx.execute(f"UPDATE {table} SET {column} = {column} - interval '367 days'")
    assert await kept() == [0, 0, 0]


async def test_two_changes_at_once_keep_their_order(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, ROOT, a_device(town, "One"))
    first = await now(database)
    async with database.begin(ROOT) as early:
        async with database.begin(ROOT) as late:
            await devices.change(late, ROOT, device.id, {"name": "Two"})
        await devices.change(early, ROOT, device.id, {"name": "Three"})
    assert await names(database, town.admin, first) == ["One"]
    assert await names(database, town.admin, await now(database)) == ["Three"]
    async with database.begin(ROOT) as tx:
        page = await devices.list_devices(tx, ROOT, PageRequest(), devices.DeviceFilter(at=first))
    assert [one.id for one in page.items] == [device.id]
