"""Work on many devices: asked for once, done row by row with the rights of whoever asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from moorage import devices, tasks
from moorage.kit.doorbell import Doorbells
from moorage.organizations import Permission, Role
from web import World


@dataclass
class Quay:
    """Two applications and some devices in the first."""

    world: World
    admin: AsyncClient
    organization_id: str
    first: str
    second: str
    ids: list[str]

    async def work(self) -> None:
        """Do what was asked for, as a worker does."""
        database = self.world.database
        bells = Doorbells(database, name="moorage-test-bell")
        works = dict.fromkeys(devices.WORK_ON_MANY, devices.ManyDevices(database))
        while await tasks.Runner(database, bells, works).work():
            pass

    async def do(self, verb: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        """Ask for work, have it done, and give the task."""
        asked = await self.admin.post(f"/api/v1/devices/{verb}", json=body, params=query)
        assert asked.status_code == 202, asked.text
        await self.work()
        found: dict[str, Any] = (await self.admin.get(asked.headers["Location"])).json()
        return found

    async def rows(self, task: dict[str, Any], **query: str) -> list[dict[str, Any]]:
        answer = await self.admin.get(f"/api/v1/tasks/{task['id']}/rows", params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def devices(self, **query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (
            await self.admin.get("/api/v1/devices", params=query)
        ).json()["items"]
        return items


@pytest.fixture
async def quay(world: World) -> Quay:
    organization = await world.organization("Aarhus")
    admin = await world.person("a@example.org", organization.id, Role.APPLICATION_ADMIN)

    async def make(path: str, **body: Any) -> str:
        answer = await admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    owner = str(organization.id)
    first = await make("/applications", organizationId=owner, name="Lamps")
    second = await make("/applications", organizationId=owner, name="Bins")
    ids = [
        await make("/devices", applicationId=first, name=f"Lamp {n}", tags=["quay"])
        for n in range(3)
    ]
    return Quay(world, admin, owner, first, second, ids)


async def test_the_same_is_changed_of_devices_that_are_named(quay: Quay) -> None:
    body = {
        "deviceIds": quay.ids[:2],
        "changes": {
            "state": "maintenance", "metadata": {"pole": "4"}, "silentAfter": "PT1H",
            "thresholds": [{"series": "lux", "below": 2}],
        },
        "addTags": ["north"],
        "removeTags": ["quay"],
        "reason": "new lamps",
    }  # fmt: skip

    task = await quay.do("change", body)

    assert (task["state"], task["done"], task["total"]) == ("completed", 2, 2)
    assert task["result"] == {"updated": 2}
    for device_id in quay.ids[:2]:
        device = (await quay.admin.get(f"/api/v1/devices/{device_id}")).json()
        assert (device["state"], device["tags"]) == ("maintenance", ["north"])
        assert (device["metadata"], device["silentAfter"]) == ({"pole": "4"}, "PT1H")
        assert device["thresholds"][0]["below"] == 2
        states = (await quay.admin.get(f"/api/v1/devices/{device_id}/states")).json()
        assert states[0]["reason"] == "new lamps"
    untouched = (await quay.admin.get(f"/api/v1/devices/{quay.ids[2]}")).json()
    assert (untouched["state"], untouched["tags"]) == ("active", ["quay"])
    again = await quay.do("change", body)
    assert again["result"] == {"unchanged": 2}


async def test_each_row_is_told_by_itself(quay: Quay) -> None:
    retired = f"/api/v1/devices/{quay.ids[1]}"
    await quay.admin.patch(retired, json={"state": "retired"})
    stranger = "0190b0a0-0000-7000-8000-000000000000"
    body = {"deviceIds": [*quay.ids, stranger], "changes": {"state": "suspended"}}

    task = await quay.do("change", body)

    assert task["result"] == {"updated": 2, "failed": 2}
    failed = await quay.rows(task, failed="true")
    assert {(r["subjectId"], r["name"], r["problem"]["code"]) for r in failed} == {
        (quay.ids[1], "Lamp 1", "devices.state_not_allowed"),
        (stranger, None, "devices.unknown"),
    }
    rows = await quay.rows(task)
    assert [row["n"] for row in rows] == [1, 2, 3, 4]
    assert sorted(row["outcome"] for row in rows) == ["failed", "failed", "updated", "updated"]
    page = await quay.admin.get(f"/api/v1/tasks/{task['id']}/rows", params={"limit": 3})
    rest = await quay.rows(task, after=page.json()["next"])
    assert [row["n"] for row in rest] == [4]


async def test_filters_say_which_as_they_do_for_a_list(quay: Quay) -> None:
    await quay.admin.patch(f"/api/v1/devices/{quay.ids[0]}", json={"tags": []})

    task = await quay.do("move", {"applicationId": quay.second}, tag="quay")

    assert (task["result"], task["subjectId"]) == ({"updated": 2}, quay.organization_id)
    moved = await quay.devices(applicationId=quay.second)
    assert [device["id"] for device in moved] == quay.ids[1:]
    there = await quay.do("move", {"applicationId": quay.second}, applicationId=quay.second)
    assert (there["result"], there["applicationId"]) == ({"unchanged": 2}, quay.second)


async def test_devices_are_removed_together(quay: Quay) -> None:
    task = await quay.do("remove", {}, applicationId=quay.first)

    assert task["result"] == {"removed": 3}
    assert await quay.devices() == []
    assert [row["name"] for row in await quay.rows(task)] == ["Lamp 0", "Lamp 1", "Lamp 2"]


@pytest.mark.parametrize(
    ("verb", "body", "query", "code"),
    [
        ("remove", {}, {}, "field_invalid"),
        ("remove", {}, {"q": "nothing has this name"}, "field_invalid"),
        ("remove", {}, {"at": "2026-01-01T00:00:00Z", "q": "Lamp"}, "field_invalid"),
        ("change", {"changes": {}}, {"q": "Lamp"}, "field_invalid"),
        ("change", {"changes": {"name": "All the same"}}, {"q": "Lamp"}, "invalid"),
        ("remove", {"deviceIds": ["0190b0a0-0000-7000-8000-000000000000"]}, {}, "devices.unknown"),
    ],
)
async def test_what_is_no_work_is_refused_at_once(
    quay: Quay, verb: str, body: dict[str, Any], query: dict[str, str], code: str
) -> None:
    answer = await quay.admin.post(f"/api/v1/devices/{verb}", json=body, params=query)
    assert answer.json()["code"] == code, answer.text
    assert (await quay.admin.get("/api/v1/tasks")).json()["items"] == []
    assert len(await quay.devices()) == 3


async def test_devices_named_and_filters_do_not_go_together(quay: Quay) -> None:
    body = {"deviceIds": quay.ids}
    answer = await quay.admin.post("/api/v1/devices/remove", json=body, params={"q": "Lamp 1"})
    assert answer.json()["errors"][0]["pointer"] == "/deviceIds"


async def test_devices_of_two_organizations_are_not_taken_together(quay: Quay) -> None:
    other = await quay.world.organization("Odense")
    admin = await quay.world.admin()
    body = {"organizationId": str(other.id), "name": "Far"}
    far = (await admin.post("/api/v1/applications", json=body)).json()["id"]
    device = await admin.post("/api/v1/devices", json={"applicationId": far, "name": "Lamp far"})
    ids = [*quay.ids, device.json()["id"]]
    refused = await admin.post("/api/v1/devices/remove", json={"deviceIds": ids})
    assert refused.json()["errors"][0]["detail"] == "must be devices of one organization"


async def test_a_right_that_was_lost_meanwhile_is_refused_row_by_row(
    quay: Quay, world: World
) -> None:
    group_id = await world.group(
        (await world.organization("Home")).id, Role.READ
    )  # Somewhere to belong to once the rights are gone.
    both = await quay.world.group(
        UUID(quay.organization_id),
        permissions=(Permission.READ_DEVICES, Permission.READ_APPLICATIONS,
                     Permission.MANAGE_DEVICES),
    )  # fmt: skip
    user = await world.user("b@example.org", group_id, both)
    client = await world.sign_in("b@example.org")
    asked = await client.post("/api/v1/devices/remove", json={"deviceIds": quay.ids})
    assert asked.status_code == 202
    admin = await world.admin()
    taken = await admin.delete(f"/api/v1/permissions/{both}/members/user/{user.id}")
    assert taken.status_code == 204

    await quay.work()

    task = (await quay.admin.get(asked.headers["Location"])).json()
    assert task["result"] == {"failed": 3}
    assert len(await quay.devices()) == 3
    # The work was theirs to see while they belonged there.
    assert (await client.get(asked.headers["Location"])).status_code == 404


async def test_work_of_an_account_that_was_closed_fails(quay: Quay, world: World) -> None:
    asked = await quay.admin.post("/api/v1/devices/remove", json={"deviceIds": quay.ids})
    admin = await world.admin()
    me = (await quay.admin.get("/api/v1/auth/me")).json()
    closed = await admin.patch(f"/api/v1/users/{me['id']}", json={"active": False})
    assert closed.status_code == 200, closed.text

    await quay.work()

    task = (await admin.get(asked.headers["Location"])).json()
    assert (task["state"], task["done"]) == ("failed", 0)
    assert task["code"] == "users.asker_gone"
    assert len((await admin.get("/api/v1/devices")).json()["items"]) == 3


async def test_who_manages_some_applications_only_may_ask_and_see(quay: Quay, world: World) -> None:
    admin = await world.admin()
    body = {
        "organizationId": quay.organization_id, "name": "both", "everyApplication": False,
        "roles": ["OrganizationApplicationAdmin"], "applicationIds": [quay.first, quay.second],
    }  # fmt: skip
    group = await admin.post("/api/v1/permissions", json=body)
    await world.user("b@example.org", UUID(group.json()["id"]))
    client = await world.sign_in("b@example.org")
    one = (await quay.devices())[0]["id"]
    await quay.do("move", {"deviceIds": [one], "applicationId": quay.second})

    asked = await client.post("/api/v1/devices/change", json={
        "deviceIds": quay.ids, "addTags": ["seen"]})  # fmt: skip
    assert asked.status_code == 202, asked.text
    await quay.work()

    assert (await client.get(asked.headers["Location"])).json()["result"] == {"updated": 3}
    assert (await client.get("/api/v1/tasks")).json()["items"][0]["done"] == 3
    reader = await world.person("c@example.org", UUID(quay.organization_id), Role.READ)
    assert (await reader.get(asked.headers["Location"])).status_code == 200
    refused = await reader.post("/api/v1/devices/remove", json={"deviceIds": quay.ids})
    assert (refused.status_code, refused.json()["code"]) == (
        403, "organizations.permission_missing",
    )  # fmt: skip


async def test_a_cancelled_work_keeps_what_was_done(quay: Quay) -> None:
    asked = await quay.admin.post("/api/v1/devices/remove", json={"deviceIds": quay.ids})
    cancelled = await quay.admin.post(f"{asked.headers['Location']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    await quay.work()
    assert len(await quay.devices()) == 3


async def test_an_application_is_removed_with_its_devices_as_a_task(quay: Quay) -> None:
    path = f"/api/v1/applications/{quay.first}"
    asked = await quay.admin.delete(
        path, params={"withDevices": "true"}, headers={"Prefer": "respond-async, wait=1"}
    )
    assert (asked.status_code, asked.headers["Preference-Applied"]) == (202, "respond-async")
    assert asked.json()["total"] == 3

    await quay.work()

    task = (await quay.admin.get(asked.headers["Location"])).json()
    assert (task["state"], task["result"]) == ("completed", {"removed": 3})
    assert (await quay.admin.get(path)).status_code == 404
    facts = await (await quay.world.admin()).get("/api/v1/audit", params={"limit": 500})
    names = [fact["name"] for fact in facts.json()["items"]]
    assert names.count("devices.removed") == 3
    by = {f["callerLabel"] for f in facts.json()["items"] if f["name"] == "devices.removed"}
    assert by == {"a@example.org"}


async def test_an_application_with_devices_goes_only_with_the_right_to_both(
    quay: Quay, world: World
) -> None:
    group_id = await world.group(
        UUID(quay.organization_id),
        permissions=(Permission.READ_APPLICATIONS, Permission.MANAGE_APPLICATIONS),
    )
    await world.user("b@example.org", group_id)
    client = await world.sign_in("b@example.org")

    async def asked(application_id: str) -> int:
        answer = await client.delete(
            f"/api/v1/applications/{application_id}", params={"withDevices": "true"},
            headers={"Prefer": "respond-async"},
        )  # fmt: skip
        return answer.status_code

    assert (await asked(quay.first), await asked(quay.second)) == (403, 202)
    await quay.work()
    assert (await quay.admin.get(f"/api/v1/applications/{quay.second}")).status_code == 404
    assert len(await quay.devices(applicationId=quay.first)) == 3


async def test_a_long_import_is_a_task_and_its_preview_changes_nothing(quay: Quay) -> None:
    rows = "".join(f",Bin {n},{'S1' if n in (3, 400) else ''}\n" for n in range(600))
    content = f"id,name,serial\n{rows}{quay.ids[0]},Lamp zero,\n,,\n".encode()

    async def take_in(preview: str) -> dict[str, Any]:
        asked = await quay.admin.post(
            "/api/v1/devices/import", content=content,
            params={"applicationId": quay.second, "mode": "partial", "preview": preview},
            headers={"Content-Type": "text/csv", "Prefer": "respond-async"},
        )  # fmt: skip
        assert asked.status_code == 202, asked.text
        await quay.work()
        found: dict[str, Any] = (await quay.admin.get(asked.headers["Location"])).json()
        return found

    preview = await take_in("true")
    # Two rows in different steps are not held against each other.
    assert preview["result"] == {"created": 600, "updated": 1, "preview": True}
    assert len(await quay.devices(limit="500")) == 3
    done = await take_in("false")
    assert done["result"] == {"created": 599, "updated": 1, "failed": 1, "preview": False}
    (failed,) = await quay.rows(done, failed="true")
    assert (failed["n"], failed["problem"]["code"]) == (402, "devices.serial_taken")
    assert (failed["problem"]["field"], done["done"]) == ("serial", 601)
    found = await quay.admin.get(
        "/api/v1/devices", params={"applicationId": quay.second, "total": "true"}
    )
    assert found.json()["total"] == 599


async def test_an_import_as_a_task_is_of_one_organization_and_partial(quay: Quay) -> None:
    async def refused(**query: str) -> dict[str, Any]:
        answer = await quay.admin.post(
            "/api/v1/devices/import", content=b"name\nBin\n", params=query,
            headers={"Content-Type": "text/csv", "Prefer": "respond-async"},
        )  # fmt: skip
        assert answer.status_code == 422, answer.text
        problem: dict[str, Any] = answer.json()["errors"][0]
        return problem

    assert (await refused(applicationId=quay.first))["pointer"] == "/mode"
    assert (await refused(mode="partial"))["pointer"] == "/applicationId"
