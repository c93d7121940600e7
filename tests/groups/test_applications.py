"""Applications over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from fleet import ROOT, a_device, a_town, administrator
from fleet_api import signed_in
from moorage import devices, groups, notifications, organizations
from moorage.groups import service
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database
from moorage.kit.errors import MoorageError
from moorage.kit.ids import uuid7
from moorage.kit.pages import PageRequest
from moorage.organizations import service as organizations_service

FULL = {
    "name": "Waste bins",
    "description": "Fill levels.",
    "status": "inOperation",
    "startDate": "2026-01-01",
    "endDate": "2027-01-01",
    "category": "waste",
    "owner": "Environment",
    "contacts": [{"name": "Ada", "role": "lead", "email": "ada@example.org", "phone": "+45 8940"}],
    "personalData": True,
    "hardware": "Ultrasonic",
    "controlledProperties": ["fillingLevel"],
    "deviceKinds": ["lorawan"],
    "metadata": {"budget": "12"},
    "keepMessages": "P90D",
    "keepReadings": "P2Y",
    "silentAfter": "PT6H",
}


async def test_an_application_keeps_what_it_is_given(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    async with signed_in(database, town.admin) as client:
        body = FULL | {"organizationId": str(town.organization_id)}
        made = await client.post("/api/v1/applications", json=body)
        assert made.status_code == 201, made.text
        read = (await client.get(made.headers["Location"])).json()
    expected = body | {"keepReadings": "P730D"}
    assert {key: read[key] for key in expected} == expected
    assert read["deviceCount"] == 0
    assert read["createdAt"] == read["updatedAt"]


async def test_a_name_is_unique_in_its_organisation_whatever_the_case(database: Database) -> None:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
    async with signed_in(database, ROOT) as client:
        path = "/api/v1/applications"
        body = {"name": "Måler", "organizationId": str(town.organization_id)}
        assert (await client.post(path, json=body)).status_code == 201
        refused = await client.post(path, json=body | {"name": "MÅLER"})
        assert (refused.status_code, refused.json()["code"]) == (
            409,
            "groups.application_name_taken",
        )
        elsewhere = body | {"organizationId": str(other.organization_id)}
        assert (await client.post(path, json=elsewhere)).status_code == 201


WRONG: list[dict[str, object]] = [
    {"name": " "},
    {"name": "x" * 101},
    {"status": "started"},
    {"metadata": {" ": "x"}},
    {"metadata": {"x": ""}},
    {"keepMessages": 90},
    {"keepMessages": "PT1H"},
    {"contacts": [{"name": "A", "email": "nobody"}]},
    {"endDate": "2025-01-01"},
    {"colour": "red"},
]


async def test_bad_fields_are_refused(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    async with signed_in(database, town.admin) as client:
        body = FULL | {"organizationId": str(town.organization_id)}
        for wrong in WRONG:
            answer = await client.post("/api/v1/applications", json=body | wrong)
            assert answer.status_code == 422, wrong
        assert (await client.post("/api/v1/applications", json=body)).status_code == 201


async def test_lists_filter_before_they_page_and_count_devices(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        for n in range(30):
            status = groups.ApplicationStatus.PROJECT if n % 3 else groups.ApplicationStatus.OTHER
            new = groups.NewApplication(town.organization_id, f"App {n:02}", status=status)
            await groups.make(tx, town.admin, new)
        for n in range(3):
            await devices.enrol(tx, town.admin, a_device(town, f"Bin {n}"))
    async with signed_in(database, town.admin) as client:
        query = "/api/v1/applications?status=other&status=none&limit=4&total=true"
        first = (await client.get(query)).json()
        assert first["total"] == 11
        assert [item["name"] for item in first["items"]] == ["App 00", "App 03", "App 06", "App 09"]
        rest = (await client.get(query + f"&after={first['next']}&limit=20")).json()
        assert rest["items"][-1]["name"] == "Bins of Aarhus"
        assert rest["items"][-1]["deviceCount"] == 3


async def test_a_change_merges_and_minds_the_version(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    path = f"/api/v1/applications/{town.application_id}"
    async with signed_in(database, town.admin) as client:
        read = await client.get(path)
        patch = {"metadata": {"a": "1", "b": "2"}, "owner": "Roads"}
        changed = await client.patch(path, json=patch, headers={"If-Match": read.headers["ETag"]})
        assert changed.status_code == 200, changed.text
        again = await client.patch(path, json=patch, headers={"If-Match": read.headers["ETag"]})
        assert again.status_code == 412
        merged = await client.patch(path, json={"metadata": {"a": None, "c": "3"}})
        assert merged.json()["metadata"] == {"b": "2", "c": "3"}
        assert merged.json()["owner"] == "Roads"


async def test_an_application_with_devices_goes_only_with_them(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
    path = f"/api/v1/applications/{town.application_id}"
    async with signed_in(database, town.admin) as client:
        refused = await client.delete(path)
        assert refused.status_code == 409
        assert refused.json()["devices"] == 1
        assert (await client.delete(path + "?withDevices=true")).status_code == 204
        assert (await client.get(path)).status_code == 404
        assert (await client.get(f"/api/v1/devices/{device.id}")).status_code == 404


async def test_a_moved_application_takes_its_devices_and_leaves_its_readers(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        device = await devices.enrol(tx, town.admin, a_device(town))
        group = await organizations.make_group(
            tx,
            ROOT,
            organizations.NewPermissionGroup(
                town.organization_id,
                "Bin readers",
                (organizations.Role.READ,),
                every_application=False,
                application_ids=(town.application_id,),
            ),
        )
        member = uuid7()
        await organizations.grant(tx, ROOT, group.id, organizations.MemberKind.USER, member)
        start = await devices.senders_changed(tx, None)
    both = Caller(CallerKind.PERSON, uuid7(), "both", (*town.admin.grants, *other.admin.grants))
    path = f"/api/v1/applications/{town.application_id}/move"
    body = {"organizationId": str(other.organization_id)}
    async with signed_in(database, town.admin) as client:
        assert (await client.post(path, json=body)).status_code == 404
    async with signed_in(database, both) as client:
        moved = await client.post(path, json=body)
        assert moved.status_code == 200, moved.text
    async with database.begin() as tx:
        assert (await devices.get(tx, other.admin, device.id)).name == device.name
        with pytest.raises(devices.DeviceUnknown):
            await devices.get(tx, town.admin, device.id)
        assert (await devices.senders_changed(tx, start.next)).numbers == [device.number]
        held = await organizations.grants_held(tx, organizations.MemberKind.USER, member)
        reader = Caller(CallerKind.PERSON, member, "reader", held)
        with pytest.raises(devices.DeviceUnknown):
            await devices.get(tx, reader, device.id)


async def test_nothing_is_seen_across_the_border(database: Database) -> None:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
    path = f"/api/v1/applications/{town.application_id}"
    async with signed_in(database, other.admin) as client:
        listed = (await client.get("/api/v1/applications?total=true")).json()
        assert [item["name"] for item in listed["items"]] == ["Bins of Odense"]
        assert listed["total"] == 1
        query = f"/api/v1/applications?organizationId={town.organization_id}"
        assert (await client.get(query)).json()["items"] == []
        for answer in (
            await client.get(path),
            await client.patch(path, json={"owner": "me"}),
            await client.delete(path + "?withDevices=true"),
        ):
            assert answer.status_code == 404


async def test_an_administrator_of_one_application_sees_that_one_only(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        new = groups.NewApplication(town.organization_id, "Other")
        await groups.make(tx, town.admin, new)
    scoped = administrator(town.organization_id, town.application_id)
    async with signed_in(database, scoped) as client:
        listed = (await client.get("/api/v1/applications")).json()["items"]
        assert [item["id"] for item in listed] == [str(town.application_id)]
        body = {"name": "Mine", "organizationId": str(town.organization_id)}
        assert (await client.post("/api/v1/applications", json=body)).status_code == 403


async def test_a_reached_end_date_opens_one_notice_until_it_is_put_off(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        ends = {"end_date": tx.now.date()}
        await groups.change(tx, town.admin, town.application_id, ends)
        await service.notice_ends(tx)
        await service.notice_ends(tx)
        standing = notifications.NoticeFilter(states=(notifications.NoticeState.OPEN,))
        (notice,) = (
            await notifications.list_notices(tx, town.admin, PageRequest(), standing)
        ).items
        assert notice.kind is notifications.NoticeKind.APPLICATION_ENDED
        await groups.change(tx, town.admin, town.application_id, {"end_date": None})
        page = await notifications.list_notices(tx, town.admin, PageRequest(), standing)
        assert page.items == []


async def test_an_organisation_says_how_long_its_applications_keep_things(
    database: Database,
) -> None:
    month, week = timedelta(days=30), timedelta(days=7)
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        keep = {"keep_messages": week, "keep_readings": month}
        await organizations_service.change(tx, ROOT, town.organization_id, keep)
        new = groups.NewApplication(town.organization_id, "Short", keep_readings=week)
        short = await groups.make(tx, town.admin, new)
        readings = await groups.periods(tx, organizations.Kept.READINGS)
        messages = await groups.periods(tx, organizations.Kept.MESSAGES)
    assert readings == {town.application_id: month, short.id: week}
    assert messages == {town.application_id: week, short.id: week}
    assert other.application_id not in readings


async def test_an_application_ends_with_the_day_where_it_is(database: Database) -> None:
    async with database.begin() as tx:
        tx.now = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)
        open_in = {}
        for zone in ("Europe/Copenhagen", "America/New_York", "Pacific/Kiritimati"):
            new = organizations.NewOrganization(zone, time_zone=zone)
            organization = await organizations.found(tx, ROOT, new)
            for day in (1, 2, 3):
                name = f"Ends on June {day}"
                ends = groups.NewApplication(organization.id, name, end_date=date(2026, 6, day))
                await groups.make(tx, ROOT, ends)
            open_in[organization.id] = zone
        await service.notice_ends(tx)
        standing = notifications.NoticeFilter(states=(notifications.NoticeState.OPEN,))
        page = await notifications.list_notices(tx, ROOT, PageRequest(), standing)
    found = sorted((open_in[n.organization_id], n.subject_name[-1]) for n in page.items)
    assert found == [
        ("America/New_York", "1"),
        ("Europe/Copenhagen", "1"), ("Europe/Copenhagen", "2"),
        ("Pacific/Kiritimati", "1"), ("Pacific/Kiritimati", "2"),
    ]  # fmt: skip


async def test_an_organisation_with_applications_is_not_dissolved(database: Database) -> None:
    async with database.begin(ROOT) as tx:
        town = await a_town(tx)
        with pytest.raises(MoorageError, match="still has applications"):
            await organizations_service.dissolve(tx, ROOT, town.organization_id)
        await groups.remove(tx, ROOT, town.application_id)
        await organizations_service.dissolve(tx, ROOT, town.organization_id)
