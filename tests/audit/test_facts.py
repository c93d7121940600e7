"""The audit: what it shows to whom, and in which order facts are numbered."""

from __future__ import annotations

import asyncio
import csv
import io
import json

from moorage import organizations
from moorage.audit import service
from moorage.organizations import NewOrganization, Role
from web import OPERATOR, World


async def seal(world: World) -> int:
    async with world.database.begin() as tx:
        return await service.seal(tx)


async def test_a_change_shows_who_when_what_and_from_where(world: World) -> None:
    admin = await world.admin()
    made = (await admin.post("/api/v1/organizations", json={"name": "North"})).json()
    url = f"/api/v1/organizations/{made['id']}"
    await admin.patch(url, json={"name": "Northern"})
    query = {"subjectId": made["id"], "name": "organizations.changed"}
    (fact,) = (await admin.get("/api/v1/audit", params=query)).json()["items"]
    assert fact["before"] == {"name": "North"}
    assert fact["after"] == {"name": "Northern"}
    assert fact["callerLabel"] == "admin@example.org"
    assert fact["origin"] == world.origin
    assert fact["organizationId"] == made["id"]


async def test_facts_are_seen_only_in_organizations_whose_audit_one_reads(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    reader = await world.person("anna@example.org", north.id, Role.READ)
    seen = (await admin.get("/api/v1/audit", params={"limit": 500})).json()["items"]
    assert {f["organizationId"] for f in seen} == {str(north.id)}
    assert (await reader.get("/api/v1/audit")).json()["items"] == []
    query = {"organizationId": str(south.id)}
    assert (await admin.get("/api/v1/audit", params=query)).json()["items"] == []
    everything = await world.admin()
    seen = (await everything.get("/api/v1/audit", params={"limit": 500})).json()["items"]
    assert {f["organizationId"] for f in seen} == {str(north.id), str(south.id), None}
    assert (await admin.get("/api/v1/system-log")).status_code == 403


async def test_the_audit_is_paged_filtered_and_exported_whole(world: World) -> None:
    admin = await world.admin()
    for n in range(7):
        await world.organization(f"={n}")
    query = {"name": "organizations.f", "limit": "3"}
    names, after = [], None
    while True:
        page = (
            await admin.get(
                "/api/v1/audit", params={**query, **({"after": after} if after else {})}
            )
        ).json()
        names += [f["after"]["name"] for f in page["items"]]
        if (after := page["next"]) is None:
            break
    assert names == [f"={n}" for n in reversed(range(7))]

    lines = (
        await admin.get("/api/v1/audit", params=query, headers={"Accept": "application/x-ndjson"})
    ).text.splitlines()
    assert [json.loads(line)["after"]["name"] for line in lines] == [f"={n}" for n in range(7)]
    answer = await admin.get("/api/v1/audit", params=query, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "audit.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [json.loads(r["after"])["name"] for r in rows] == [f"={n}" for n in range(7)]

    empty = {"from": "2030-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z"}
    for headers in ({}, {"Accept": "text/csv"}):
        refused = await admin.get("/api/v1/audit", params=empty, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "audit.range_empty")
    assert (await admin.get("/api/v1/audit", params={"from": empty["from"]})).json()["items"] == []


async def test_facts_are_numbered_without_gaps_in_the_order_of_their_transactions(
    world: World,
) -> None:
    await seal(world)
    async with world.database.begin() as tx:
        start = (await tx.execute("SELECT coalesce(max(number), 0) FROM facts")).scalar_one()

    async with world.database.begin(OPERATOR) as slow:
        await slow.execute("SELECT pg_current_xact_id()")
        await world.organization("Later, but committed first")
        # The slow one may still write a fact that belongs before.
        assert await seal(world) == 0
        await organizations.found(slow, OPERATOR, NewOrganization("Sooner"))

    # A transaction of any other test on this server holds the numbers back as well.
    async with asyncio.timeout(60):
        numbered = 0
        while (numbered := numbered + await seal(world)) < 8:
            await asyncio.sleep(0.05)
    assert numbered == 8
    async with world.database.begin() as tx:
        rows = await tx.execute(
            "SELECT number, name, after FROM facts WHERE number > :start ORDER BY number",
            {"start": start},
        )
        found = rows.all()
    assert [r.number for r in found] == list(range(start + 1, start + 9))
    founded = [r.after["name"] for r in found if r.name == "organizations.founded"]
    assert founded == ["Sooner", "Later, but committed first"]
    assert await seal(world) == 0
