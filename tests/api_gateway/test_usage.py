"""Usage: what is counted, for whom, who sees it, and that nothing is counted twice."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

import programs
from moorage.api_gateway import Meter
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.ids import uuid7
from moorage.organizations import Role
from web import World

ME = "/api/v1/auth/me"
HOUR_S = 3_600


async def a_key(world: World, admin: AsyncClient, organization_id: UUID) -> tuple[str, AsyncClient]:
    group_id = await world.group(organization_id, Role.READ)
    body = {
        "organizationId": str(organization_id),
        "name": f"key {group_id}",
        "permissionGroupIds": [str(group_id)],
    }
    made = (await admin.post("/api/v1/api-keys", json=body)).json()
    return made["id"], world.client(X_API_KEY=made["key"])


async def totals(world: World, client: AsyncClient, **query: Any) -> list[dict[str, Any]]:
    await world.app.state.meter.write()
    answer = await client.get("/api/v1/usage/totals", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_calls_errors_and_bytes_are_counted_by_caller_and_area(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    answers = [await key.get(ME), await key.get("/api/v1/organizations")]
    answers.append(await key.post("/api/v1/organizations", json={"name": "x"}))
    answers.append(await key.get("/api/v1/nothing-here"))
    assert [a.status_code for a in answers] == [200, 200, 403, 404]
    await world.app.state.meter.write()
    items = (await admin.get("/api/v1/usage", params={"callerId": key_id})).json()["items"]
    counted = {one["area"]: (one["calls"], one["errors"]) for one in items}
    assert counted == {"auth": (1, 0), "organizations": (2, 1), "other": (1, 1)}
    (total,) = await totals(world, admin, callerId=key_id)
    assert total["organizationId"] == str(north.id)
    assert total["callerKind"] == "apiKey"
    assert (total["calls"], total["failures"], total["refused"]) == (4, 0, 0)
    assert total["bytesIn"] == len(b'{"name":"x"}')
    assert total["bytesOut"] == sum(len(a.content) for a in answers)


async def test_what_a_program_asks_in_a_persons_name_counts_for_both(world: World) -> None:
    admin = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    anna = await world.person("anna@example.org", north.id, Role.READ)
    user_id = (await anna.get(ME)).json()["id"]
    await world.join(await world.group(south.id, Role.READ), UUID(user_id))
    program = await programs.a_program(world, admin, north.id, scopes=["organizations:read"])
    tokens = await programs.allowed(anna, program)
    asking = programs.bearer(world, tokens["access_token"])
    for _ in range(3):
        await asking.get("/api/v1/organizations")
    (total,) = await totals(world, admin, clientId=program.id)
    assert (total["callerId"], total["calls"]) == (user_id, 3)
    # A program asks for its own organization; a person of two for neither.
    assert total["organizationId"] == str(north.id)
    own = [one for one in await totals(world, anna) if one["clientId"] is None]
    assert {one["organizationId"] for one in own} == {str(north.id), None}


async def test_usage_is_seen_by_oneself_and_by_who_reads_the_users(world: World) -> None:
    admin = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    key_id, key = await a_key(world, admin, north.id)
    reader = await world.person("reader@example.org", north.id, Role.READ)
    owner = await world.person("owner@example.org", north.id, Role.USER_ADMIN)
    other = await world.person("other@example.org", south.id, Role.USER_ADMIN)
    await key.get(ME)
    assert await totals(world, owner, callerId=key_id)
    assert await totals(world, key, callerId=key_id)
    for client in (reader, other):
        assert await totals(world, client, callerId=key_id) == []
        listed = (await client.get("/api/v1/usage")).json()["items"]
        own = (await client.get(ME)).json()["id"]
        assert {one["callerId"] for one in listed} == {own}
        streamed = await client.get("/api/v1/usage", headers={"Accept": "application/x-ndjson"})
        assert key_id not in streamed.text
    assert (await world.client().get("/api/v1/usage")).status_code == 401
    wrong = await owner.get("/api/v1/usage", params={"hour": "1"})
    assert wrong.status_code == 422


async def test_usage_is_exported_as_a_table(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    meter = world.app.state.meter
    for hour in range(3):
        meter._clock = lambda hour=hour: 1_000_000 * HOUR_S + hour * HOUR_S
        await key.get(ME)
    await meter.write()
    query = {"callerId": key_id, "from": "2084-01-29T17:00:00Z"}
    answer = await admin.get("/api/v1/usage", params=query, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["hour"][:13] for row in rows] == ["2084-01-29T17", "2084-01-29T18"]
    assert {row["calls"] for row in rows} == {"1"}
    pages = (await admin.get("/api/v1/usage", params={"callerId": key_id, "limit": 2})).json()
    assert [one["hour"][11:13] for one in pages["items"]] == ["18", "17"]


def a_caller() -> Caller:
    return Caller(CallerKind.API_KEY, uuid7(), "key", organization_id=uuid7())


async def counted(database: Database) -> int:
    async with database.begin() as tx:
        return int((await tx.execute("SELECT coalesce(sum(calls), 0) FROM api_usage")).scalar_one())


async def test_a_batch_whose_answer_was_lost_is_not_counted_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, caller = Meter(database), a_caller()
    for _ in range(7):
        meter.note(caller, "devices", 200, 0, 10)
    begin = database.begin

    class Lost:
        """A transaction that ends, and whose answer never comes."""

        def __init__(self) -> None:
            self.inner = begin()

        async def __aenter__(self) -> Any:
            return await self.inner.__aenter__()

        async def __aexit__(self, *failure: Any) -> None:
            await self.inner.__aexit__(*failure)
            raise DatabaseUnavailable

    monkeypatch.setattr(database, "begin", lambda *_: Lost())
    await meter.write()
    monkeypatch.setattr(database, "begin", begin)
    assert await counted(database) == 7
    meter.note(caller, "devices", 200, 0, 10)
    await meter.write()
    assert await counted(database) == 8


async def test_what_cannot_be_written_waits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, caller = Meter(database), a_caller()
    begin = database.begin

    def away(*_: Any) -> Any:
        raise DatabaseUnavailable

    for status in (200, 404, 429, 503):
        meter.note(caller, "devices", status, 0, 10)
        monkeypatch.setattr(database, "begin", away)
        await meter.write()
        monkeypatch.setattr(database, "begin", begin)
    assert await counted(database) == 0
    await meter.write()
    async with database.begin() as tx:
        row = (await tx.execute("SELECT * FROM api_usage")).mappings().one()
    assert (row["calls"], row["errors"], row["refused"], row["failures"]) == (4, 1, 1, 1)


async def test_processes_add_to_the_same_hour(database: Database) -> None:
    caller = a_caller()
    meters = [Meter(database) for _ in range(3)]
    for _ in range(2):
        for meter in meters:
            meter.note(caller, "devices", 200, 5, 10)
            await meter.write()
    async with database.begin() as tx:
        rows = (await tx.execute("SELECT calls, bytes_in, bytes_out FROM api_usage")).all()
    assert [tuple(row) for row in rows] == [(6, 30, 60)]
