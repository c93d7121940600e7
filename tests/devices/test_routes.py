"""Devices over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from fleet import ROOT, Town, a_device, a_town, administrator, reader
from fleet_api import signed_in
from moorage import decoders, devices, groups
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.kit.pages import PageRequest

FULL: dict[str, Any] = {
    "name": "Bin 7",
    "kind": "lorawan",
    "manufacturer": "Binfo",
    "model": "Level 2",
    "serial": "SN-7",
    "identifiers": [{"kind": "devEui", "value": "00-80-E1-15-00-0A-FE-38"}],
    "location": {"type": "Point", "coordinates": [10.2039, 56.1629, 12.5]},
    "place": "By the harbour",
    "comment": "Behind the crane",
    "metadata": {"floor": "0"},
    "tags": ["harbour", "big", "harbour"],
    "owner": "Harbour office",
    "ownership": "corporate",
    "state": "planned",
    "silentAfter": "PT2H",
    "thresholds": [{"series": "fill", "above": 90, "hysteresis": 5}],
}


async def both_towns(database: Database) -> tuple[Town, Town, Caller]:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
    grants = (*town.admin.grants, *other.admin.grants)
    return town, other, Caller(CallerKind.PERSON, uuid7(), "both", grants)


async def test_a_device_keeps_what_it_is_given(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    async with signed_in(database, town.admin) as client:
        body = FULL | {"applicationId": str(town.application_id)}
        made = await client.post("/api/v1/devices", json=body)
        assert made.status_code == 201, made.text
        read = (await client.get(made.headers["Location"])).json()
    assert read["identifiers"] == [{"kind": "devEui", "value": "0080e115000afe38", "network": ""}]
    assert read["tags"] == ["harbour", "big"]
    assert read["thresholds"] == [
        {"series": "fill", "above": 90.0, "below": None, "hysteresis": 5.0}
    ]
    same = FULL.keys() - {"identifiers", "tags", "thresholds"}
    assert {key: read[key] for key in same} == {key: FULL[key] for key in same}
    assert read["connectivity"] == "neverSeen"
    assert "number" not in read


WRONG = [
    ({"name": " "}, "name"),
    ({"location": {"type": "Point", "coordinates": [56.1]}}, "location"),
    ({"location": {"type": "Point", "coordinates": [10, 96]}}, "location"),
    ({"location": {"type": "Point", "coordinates": ["10", "56"]}}, "location"),
    ({"identifiers": [{"kind": "devEui", "value": "12"}]}, "identifiers"),
    ({"metadata": {"": "x"}}, "metadata"),
    ({"thresholds": [{"series": "t"}]}, "thresholds"),
    ({"silentAfter": "2 hours"}, "silentAfter"),
    ({"state": "retired"}, "state"),
    ({"number": 7}, "number"),
]


async def test_bad_fields_are_named(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    async with signed_in(database, town.admin) as client:
        body = FULL | {"applicationId": str(town.application_id)}
        for wrong, where in WRONG:
            answer = await client.post("/api/v1/devices", json=body | wrong)
            assert answer.status_code == 422, wrong
            assert answer.json()["errors"][0]["pointer"].startswith(f"/{where}")
        assert (await client.post("/api/v1/devices", json=body)).status_code == 201


async def test_an_identifier_is_unique_over_all_organisations_without_telling_whose(
    database: Database,
) -> None:
    town, other, _ = await both_towns(database)
    async with signed_in(database, town.admin) as client:
        body = FULL | {"applicationId": str(town.application_id)}
        holder = (await client.post("/api/v1/devices", json=body)).json()
    async with signed_in(database, other.admin) as client:
        body = FULL | {"applicationId": str(other.application_id), "name": "Mine"}
        refused = await client.post("/api/v1/devices", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "devices.identifier_taken")
        for secret in (holder["id"], holder["name"], "Aarhus", str(town.organization_id)):
            assert secret not in refused.text
        # Another network may use the same value, and another organisation the same serial.
        elsewhere = [{"kind": "devEui", "value": "0080E115000AFE38", "network": "private"}]
        made = await client.post("/api/v1/devices", json=body | {"identifiers": elsewhere})
        assert made.status_code == 201, made.text


async def test_a_serial_is_unique_in_its_organisation(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        await devices.enrol(tx, town.admin, a_device(town, serial="SN-1"))
        free = await devices.enrol(tx, town.admin, a_device(town))
    async with signed_in(database, town.admin) as client:
        body = {"name": "x", "serial": "SN-1", "applicationId": str(town.application_id)}
        refused = await client.post("/api/v1/devices", json=body)
        assert refused.json()["code"] == "devices.serial_taken"
        refused = await client.patch(f"/api/v1/devices/{free.id}", json={"serial": "SN-1"})
        assert refused.json()["code"] == "devices.serial_taken"


async def test_the_lifecycle_allows_only_its_steps_and_is_remembered(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
    path = f"/api/v1/devices/{device.id}"
    async with signed_in(database, town.admin) as client:
        for state in ("suspended", "lost", "retired"):
            params = {"reason": f"was {state}"}
            changed = await client.patch(path, json={"state": state}, params=params)
            assert changed.status_code == 200, changed.text
        refused = await client.patch(path, json={"state": "active"})
        assert refused.status_code == 409
        assert refused.json()["allowed"] == "planned"
        states = (await client.get(path + "/states")).json()
    assert [s["state"] for s in states] == ["retired", "lost", "suspended", "active"]
    assert states[0]["reason"] == "was retired"
    assert states[0]["by"] == str(town.admin.id)


async def test_devices_are_found_by_what_and_where_they_are(database: Database) -> None:
    places = {
        "a": (10.2039, 56.1629), "b": (10.2100, 56.1629), "c": (12.5683, 55.6761),
        "d": (179.999, -16.5), "e": (-179.999, -16.5), "f": (0.0, 89.99), "g": (180.0, 89.99),
    }  # fmt: skip
    async with database.begin() as tx:
        town = await a_town(tx)
        for name, (longitude, latitude) in places.items():
            enrolled = await devices.enrol(
                tx,
                town.admin,
                a_device(
                    town,
                    name,
                    location=devices.Location(longitude, latitude),
                    manufacturer="Elsys" if name < "c" else "Milesight",
                    model=f"ERS {name}",
                    serial=f"SN-{name}",
                    owner="Parks" if name == "c" else "",
                ),
            )
            if name == "b":
                await devices.seen(tx, {enrolled.number: tx.now})
        await devices.enrol(tx, town.admin, a_device(town, "nowhere"))
    async with signed_in(database, town.admin) as client:

        async def names(query: str) -> str:
            answer = await client.get(f"/api/v1/devices?{query}")
            assert answer.status_code == 200, answer.text
            return "".join(item["name"] for item in answer.json()["items"])

        assert await names("manufacturer=elsys") == "ab"
        assert await names("manufacturer=milesight&model=ers d") == "d"
        assert await names("serial=sn-C") == "c"
        assert await names("owner=parks") == "c"
        assert await names("bbox=10,56,11,57") == "ab"
        assert await names("bbox=179,-17,-179,-16") == "de"
        assert await names("near=10.2039,56.1629&withinM=300") == "a"
        assert await names("near=10.2039,56.1629&withinM=500") == "ab"
        assert await names("near=180,-16.5&withinM=200") == "de"
        assert await names("near=0,90&withinM=2000") == "fg"
        assert await names("near=90,89.995&withinM=2000") == "fg"
        assert await names("lastSeenFrom=2026-01-01T00:00:00Z") == "b"
        assert await names("lastSeenTo=2026-01-01T00:00:00Z") == ""
        clusters = await client.get(
            "/api/v1/devices/map?bbox=-180,-90,180,90&lastSeenFrom=2026-01-01T00:00:00Z"
        )
        assert [one["count"] for one in clusters.json()] == [1]
        for wrong in ("near=1", "near=181,0", "near=nan,0", "bbox=1,2,3", "withinM=0"):
            assert (await client.get(f"/api/v1/devices?{wrong}")).status_code == 422, wrong


async def test_filters_combine_and_search_looks_everywhere(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        new = groups.NewApplication(town.organization_id, "Other")
        other = await groups.make(tx, town.admin, new)
        for n in range(6):
            await devices.enrol(
                tx,
                town.admin,
                a_device(
                    town,
                    f"Sensor {n}",
                    application_id=other.id if n > 3 else town.application_id,
                    kind=devices.DeviceKind.MQTT if n % 2 else devices.DeviceKind.HTTP,
                    tags=("odd",) if n % 2 else ("even", "100%_sure"),
                    metadata={"room": f"r{n}"},
                    identifiers=(devices.Identifier("mac", f"00000000000{n}"),),
                ),
            )
    async with signed_in(database, town.admin) as client:

        async def names(query: str) -> list[str]:
            answer = await client.get(f"/api/v1/devices?{query}")
            assert answer.status_code == 200, answer.text
            return [item["name"][-1] for item in answer.json()["items"]]

        assert await names("kind=mqtt&tag=odd") == ["1", "3", "5"]
        assert await names(f"kind=mqtt&applicationId={other.id}") == ["5"]
        assert await names("metadata=room=r2") == ["2"]
        assert await names("q=SENSOR r4") == ["4"]
        assert await names("q=000000000003") == ["3"]
        assert await names("q=100%25_") == ["0", "2", "4"]
        assert await names("q=nowhere") == []
        assert await names("sort=-name&limit=2") == ["5", "4"]
        assert await names("connectivity=neverSeen&state=active&limit=1") == ["0"]
        assert await names("connectivity=connected") == []
        refused = await client.get("/api/v1/devices?sort=colour")
        assert refused.json()["errors"][0]["pointer"] == "/sort"
        slim = (await client.get("/api/v1/devices?fields=name&limit=1")).json()["items"]
        assert slim[0].keys() == {"id", "name"}


async def test_pages_meet_without_gap_or_repeat(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        made = [await devices.enrol(tx, town.admin, a_device(town, f"D{n % 3}")) for n in range(7)]
        await devices.seen(tx, {device.number: tx.now for device in made[:3]})
    async with signed_in(database, town.admin) as client:
        for sort in ("name", "-lastSeenAt", "createdAt", "-state"):
            found, after = [], ""
            while after is not None:
                query = f"sort={sort}&limit=3&total=true" + (f"&after={after}" if after else "")
                page = (await client.get(f"/api/v1/devices?{query}")).json()
                assert page["total"] == 7
                found += [item["id"] for item in page["items"]]
                after = page["next"]
            assert sorted(found) == sorted(str(device.id) for device in made), sort


async def test_a_list_costs_a_fixed_number_of_statements(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        for n in range(20):
            await devices.enrol(tx, town.admin, a_device(town, f"D{n}"))
    async with database.begin(town.admin) as tx:
        asked: list[Any] = []
        execute = tx.execute

        async def counted(*arguments: Any) -> Any:
            asked.append(arguments)
            return await execute(*arguments)

        tx.execute = counted  # type: ignore[method-assign]
        page = await devices.list_devices(
            tx, town.admin, PageRequest(limit=20, total=True), devices.DeviceFilter()
        )
        assert (len(page.items), len(asked)) == (20, 2)


async def test_a_moved_device_takes_its_history_and_touches_no_other(database: Database) -> None:
    town, other, both = await both_towns(database)
    async with database.begin(both) as tx:
        device = await devices.enrol(tx, both, a_device(town))
        stays = await devices.enrol(tx, both, a_device(town, "Bin 2"))
        shown = await devices.make_credential(tx, both, device.id, devices.CredentialKind.KEY)
        start = await devices.senders_changed(tx, None)
    path = f"/api/v1/devices/{device.id}/move"
    body = {"applicationId": str(other.application_id)}
    async with signed_in(database, town.admin) as client:
        assert (await client.post(path, json=body)).status_code == 404
    async with signed_in(database, both) as client:
        moved = await client.post(path, json=body)
        assert moved.json()["organizationId"] == str(other.organization_id)
    async with database.begin() as tx:
        sender = await devices.find_sender(tx, devices.CredentialKind.KEY, shown.secret)
        assert sender is not None
        assert (sender.number, sender.application_id) == (device.number, other.application_id)
        assert (await devices.senders_changed(tx, start.next)).numbers == [device.number]
        assert await devices.get(tx, town.admin, stays.id) == stays


async def test_nothing_is_seen_or_done_across_the_border(database: Database) -> None:
    town, other, _ = await both_towns(database)
    async with database.begin() as tx:
        located = {"location": devices.Location(10.0, 56.0)}
        device = await devices.enrol(tx, town.admin, a_device(town, "Secret bin", **located))
        made = await devices.make_credential(tx, town.admin, device.id, devices.CredentialKind.KEY)
    path = f"/api/v1/devices/{device.id}"
    async with signed_in(database, other.admin) as client:
        for query in ("", "q=secret", f"applicationId={town.application_id}", "total=true"):
            listed = (await client.get(f"/api/v1/devices?{query}")).json()
            assert listed["items"] == []
            assert not listed["total"]
        assert (await client.get("/api/v1/devices/map?bbox=-180,-90,180,90")).json() == []
        assert "Secret" not in (await client.get("/api/v1/devices/export")).text
        row = [{"id": str(device.id), "name": "Mine"}]
        report = (await client.post("/api/v1/devices/import", json=row)).json()
        assert report["rows"][0]["problem"]["code"] == "devices.unknown"
        mine = {"name": "x", "applicationId": str(town.application_id)}
        assert (await client.post("/api/v1/devices", json=mine)).status_code == 404
        credential = f"{path}/credentials/{made.credential.id}"
        answers = [
            await client.get(path),
            await client.patch(path, json={"name": "Mine"}),
            await client.delete(path),
            await client.get(path + "/states"),
            await client.get(path + "/photo"),
            await client.put(path + "/photo", content=b"\xff\xd8\xff"),
            await client.get(path + "/presence"),
            await client.get(path + "/operations"),
            await client.get(path + "/connect"),
            await client.get(path + "/credentials"),
            await client.post(path + "/credentials", json={}),
            await client.delete(credential),
            await client.post(
                path + "/rotate-credential", json={"credentialId": str(made.credential.id)}
            ),
        ]
        assert [a.status_code for a in answers] == [404] * len(answers)
    async with signed_in(database, town.admin) as client:
        assert (await client.get(path)).json()["name"] == "Secret bin"


async def test_a_reader_reads_and_changes_nothing(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
    path = f"/api/v1/devices/{device.id}"
    async with signed_in(database, reader(town.organization_id)) as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.get(path + "/credentials")).status_code == 200
        answers = [
            await client.patch(path, json={"name": "Mine"}),
            await client.delete(path),
            await client.post(path + "/credentials", json={}),
            await client.post(path + "/operations", json={"code": "open"}),
        ]
        assert [a.status_code for a in answers] == [403] * len(answers)


async def test_an_administrator_of_one_application_does_not_reach_the_next(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        other = await groups.make(
            tx, town.admin, groups.NewApplication(town.organization_id, "Other")
        )
        mine = await devices.enrol(tx, town.admin, a_device(town))
        theirs = await devices.enrol(tx, town.admin, a_device(town, application_id=other.id))
    scoped = administrator(town.organization_id, town.application_id)
    async with signed_in(database, scoped) as client:
        listed = (await client.get("/api/v1/devices?total=true")).json()
        assert ([i["id"] for i in listed["items"]], listed["total"]) == ([str(mine.id)], 1)
        assert (await client.get(f"/api/v1/devices/{theirs.id}")).status_code == 404
        body = {"applicationId": str(other.id)}
        assert (await client.post(f"/api/v1/devices/{mine.id}/move", json=body)).status_code == 404


async def test_the_map_gathers_devices_into_clusters(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        for n, place in enumerate([(10.0, 56.0), (10.001, 56.001), (10.9, 56.9), (179.9, 0.0)]):
            location = {"location": devices.Location(*place)}
            await devices.enrol(tx, town.admin, a_device(town, f"D{n}", **location))
        await devices.enrol(tx, town.admin, a_device(town, "nowhere"))
    async with signed_in(database, town.admin) as client:
        path = "/api/v1/devices/map?cells=8&bbox="
        clusters = (await client.get(path + "9.5,55.5,11.5,57.5")).json()
        assert [c["count"] for c in clusters] == [2, 1]
        assert clusters[0]["location"]["coordinates"] == pytest.approx([10.0005, 56.0005])
        assert clusters[0]["device"] is None
        assert clusters[1]["device"]["name"] == "D2"
        around = (await client.get(path + "170,-10,-170,10")).json()
        assert [c["device"]["name"] for c in around] == ["D3"]
        assert around[0]["location"]["coordinates"] == pytest.approx([179.9, 0.0])
        for wrong in ("1,2,3", "a,b,c,d", "0,10,1,5", "nan,0,1,1"):
            assert (await client.get(path + wrong)).status_code == 422


async def test_a_photo_is_kept_if_it_is_one(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
    own = f"/api/v1/devices/{device.id}"
    path = f"{own}/photo"
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    async with signed_in(database, town.admin) as client:
        assert (await client.put(path, content=b"<svg onload=alert(1)>")).status_code == 422
        assert (await client.get(path)).status_code == 404
        assert (await client.put(path, content=png)).status_code == 204
        read = await client.get(path)
        assert (read.headers["content-type"], read.content) == ("image/png", png)
        assert (await client.get(own)).json()["photoAt"] is not None
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(own)).json()["photoAt"] is None
        assert (await client.delete(path)).status_code == 404


async def test_a_gateway_speaks_for_its_children_and_nobody_elses(database: Database) -> None:
    town, other, both = await both_towns(database)
    async with database.begin(both) as tx:
        gateway = await devices.enrol(
            tx, both, a_device(town, "Gateway", kind=devices.DeviceKind.GATEWAY)
        )
        child = await devices.enrol(tx, both, a_device(town, "Child", gateway_id=gateway.id))
        stranger = await devices.enrol(tx, both, a_device(town, "Stranger"))
        shown = await devices.make_credential(tx, both, gateway.id, devices.CredentialKind.KEY)
        sender = await devices.find_sender(tx, devices.CredentialKind.KEY, shown.secret)
        assert sender is not None
        found = await devices.children_of(tx, sender)
        assert {i: s.number for i, s in found.items()} == {str(child.id): child.number}
        assert await devices.gateways_of(tx, [child.number, stranger.number]) == [gateway.number]
        await devices.move(tx, both, gateway.id, other.application_id)
        assert await devices.children_of(tx, sender) == {}
    async with signed_in(database, both) as client:
        body = {"gatewayId": str(stranger.id)}
        refused = await client.patch(f"/api/v1/devices/{child.id}", json=body)
        assert refused.json()["code"] == "devices.gateway_unfit"


async def test_each_change_announces_one_fact_without_secrets(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        tx.announced.clear()
        device = await devices.enrol(tx, ROOT, a_device(town))
        shown = await devices.make_credential(tx, ROOT, device.id, devices.CredentialKind.KEY)
        await devices.change(tx, ROOT, device.id, {"name": "Renamed"})
        told = list(tx.announced)
    assert [fact.name for fact in told] == [
        "devices.enrolled",
        "devices.credential_made",
        "devices.changed",
    ]
    assert (told[2].before, told[2].after) == ({"name": "Bin 1"}, {"name": "Renamed"})
    assert shown.secret not in repr([(fact.before, fact.after) for fact in told])


async def test_a_decoder_of_another_organisation_is_neither_used_nor_left_behind(
    database: Database,
) -> None:
    town, other, both = await both_towns(database)
    new = decoders.NewDecoder(town.organization_id, "Bins", "cayenne-lpp")
    workshop = decoders.Workshop(database, Doorbells(database), decoders.find_runtimes())
    decoder = await decoders.make(workshop, ROOT, new)
    async with database.begin(ROOT) as tx:
        device = await devices.enrol(tx, ROOT, a_device(town, decoder_id=decoder.id))
    async with signed_in(database, other.admin) as client:
        body = {"name": "x", "applicationId": str(other.application_id)}
        refused = await client.post("/api/v1/devices", json=body | {"decoderId": str(decoder.id)})
        assert (refused.status_code, refused.json()["code"]) == (404, "decoders.unknown")
    async with signed_in(database, both) as client:
        body = {"applicationId": str(other.application_id)}
        refused = await client.post(f"/api/v1/devices/{device.id}/move", json=body)
        assert refused.json()["code"] == "devices.decoder_stays"
        await client.patch(f"/api/v1/devices/{device.id}", json={"decoderId": None})
        moved = await client.post(f"/api/v1/devices/{device.id}/move", json=body)
        assert moved.status_code == 200, moved.text
