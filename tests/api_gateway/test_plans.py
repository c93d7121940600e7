"""Plans: who may make them and be on them, and what they hold everybody to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

import programs
import web
from moorage.api_gateway import Limits, Rate
from moorage.organizations import Role
from web import World

ME = "/api/v1/auth/me"


async def a_plan(client: AsyncClient, **more: Any) -> dict[str, Any]:
    body = {"name": "Small", "requestsPerSecond": 100, "burst": 100, **more}
    answer = await client.post("/api/v1/plans", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def a_key(world: World, admin: AsyncClient, organization_id: UUID) -> tuple[str, AsyncClient]:
    """Make an API key; gives its id, and a client that shows it."""
    group_id = await world.group(organization_id, Role.READ)
    body = {
        "organizationId": str(organization_id),
        "name": f"key {group_id}",
        "permissionGroupIds": [str(group_id)],
    }
    made = (await admin.post("/api/v1/api-keys", json=body)).json()
    return made["id"], world.client(X_API_KEY=made["key"])


async def subscribe(
    client: AsyncClient, plan: dict[str, Any], kind: str, subscriber_id: object
) -> Response:
    body = {"planId": plan["id"], "subscriberKind": kind, "subscriberId": str(subscriber_id)}
    return await client.post("/api/v1/subscriptions", json=body)


async def in_force(world: World) -> None:
    """Have the application know of changes, as its doorbell would have it within a second."""
    async with world.database.begin() as tx:
        await world.app.state.plans.read(tx)


async def statuses(client: AsyncClient, count: int) -> list[int]:
    return [(await client.get(ME)).status_code for _ in range(count)]


# --- What a plan holds somebody to ------------------------------------------


async def test_a_quota_is_spent_and_says_so_in_the_headers(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    plan = await a_plan(admin, requests=5, period="P1D")
    assert (await subscribe(admin, plan, "apiKey", key_id)).json()["state"] == "active"
    await in_force(world)
    answers = [await key.get(ME) for _ in range(7)]
    assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
    policy = '"caller";q=100;w=1, "caller-requests";q=5;w=86400'
    assert {a.headers["RateLimit-Policy"] for a in answers} == {policy}
    left = [a.headers["RateLimit"].split('"caller-requests";')[1] for a in answers]
    assert [one.split(";")[0] for one in left] == ["r=4", "r=3", "r=2", "r=1", "r=0", "r=0", "r=0"]
    refused = answers[-1]
    assert refused.json()["code"] == "api.quota_spent"
    assert (refused.json()["plan"], refused.json()["bucket"]) == ("Small", "caller")
    reset_s = int(left[-1].split("t=")[1])
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert abs(int(refused.headers["Retry-After"]) - reset_s) <= 1
    # Others are on no plan, so nothing changed for them.
    assert await statuses(admin, 7) == [200] * 7


async def test_a_plan_bounds_bytes_of_both_ways(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    plan = await a_plan(admin, dataBytes=4_000)
    await subscribe(admin, plan, "apiKey", key_id)
    await in_force(world)
    size = len((await key.get(ME)).content)
    sent = [await key.post("/api/v1/organizations", content=b"x" * 1_000) for _ in range(5)]
    assert {a.status_code for a in sent[:3]} == {422}
    last = sent[-1]
    assert (last.status_code, last.json()["code"]) == (429, "api.quota_spent")
    assert last.json()["unit"] == "bytes"
    assert ';qu="content-bytes"' in last.headers["RateLimit-Policy"]
    # A request that is under way is let finish, so one may go beyond and no more.
    used = size + sum(1_000 + len(a.content) for a in sent if a.status_code == 422)
    assert 4_000 <= used < 4_000 + 1_000 + len(sent[0].content)


async def test_everything_an_organization_asks_counts_against_its_plan(world: World) -> None:
    admin = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    keys = [await a_key(world, admin, north.id) for _ in range(2)]
    person = await world.person("anna@example.org", north.id, Role.READ)
    plan = await a_plan(admin, requests=6)
    assert (await subscribe(admin, plan, "organization", north.id)).status_code == 201
    _, other = await a_key(world, admin, south.id)
    await in_force(world)
    asked = [
        (await client.get(ME)).status_code
        for client in (keys[0][1], keys[1][1], person) for _ in range(3)
    ]  # fmt: skip
    assert asked == [200] * 6 + [429] * 3
    assert (await person.get(ME)).json()["bucket"] == "organization"
    assert await statuses(other, 3) == [200] * 3


async def test_a_program_is_held_to_its_plan_over_everybody_it_asks_for(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    people = [
        await world.person(f"{name}@example.org", north.id, Role.READ) for name in ("anna", "bo")
    ]
    program = await programs.a_program(world, admin, north.id, scopes=["organizations:read"])
    tokens = [await programs.allowed(person, program) for person in people]
    clients = [programs.bearer(world, one["access_token"]) for one in tokens]
    plan = await a_plan(admin, requests=4)
    assert (await subscribe(admin, plan, "client", program.id)).status_code == 201
    await in_force(world)
    asked = [
        (await client.get("/api/v1/organizations")).status_code
        for client in clients for _ in range(3)
    ]  # fmt: skip
    assert asked == [200] * 4 + [429] * 2
    # The people themselves go on.
    assert await statuses(people[0], 3) == [200] * 3


async def test_a_persons_plan_is_theirs_and_not_their_programs(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    anna = await world.person("anna@example.org", north.id, Role.READ)
    program = await programs.a_program(world, admin, north.id, scopes=["organizations:read"])
    tokens = await programs.allowed(anna, program)
    user_id = (await anna.get(ME)).json()["id"]
    plan = await a_plan(admin, requests=2)
    assert (await subscribe(admin, plan, "user", user_id)).status_code == 201
    await in_force(world)
    assert await statuses(anna, 3) == [200, 200, 429]
    asking = programs.bearer(world, tokens["access_token"])
    assert (await asking.get("/api/v1/organizations")).status_code == 200


async def test_processes_share_what_a_plan_allows(database_url: str, tmp_path: Path) -> None:
    async with (
        web.running(database_url, tmp_path / "one") as one,
        web.running(database_url, tmp_path / "two") as two,
        web.running(database_url, tmp_path / "three") as three,
    ):
        admin = await one.admin()
        north = await one.organization("North")
        key_id, key = await a_key(one, admin, north.id)
        plan = await a_plan(admin, requests=40, requestsPerSecond=1000, burst=1000)
        await subscribe(admin, plan, "apiKey", key_id)
        worlds = (one, two, three)
        for world in worlds:
            await in_force(world)
        clients = [world.client(X_API_KEY=key.headers["X-API-KEY"]) for world in worlds]
        asked = await asyncio.gather(*(statuses(client, 30) for client in clients))
        first = sum(one.count(200) for one in asked)
        # Never more; what a process leased and did not use goes back, and is used up by others.
        assert first <= 40
        for world in worlds:
            await world.app.state.throttle.give_back(0.0)
        throttle = one.app.state.throttle
        throttle._clock = _later(throttle._clock, 2)
        rest = await statuses(clients[0], 40)
        assert first + rest.count(200) == 40


async def test_a_rate_is_shared_by_processes(database_url: str, tmp_path: Path) -> None:
    limits = Limits(signed=Rate(20, 0.001), unsigned=Rate(1000, 1000))
    async with (
        web.running(database_url, tmp_path / "one", limits=limits) as one,
        web.running(database_url, tmp_path / "two", limits=limits) as two,
    ):
        await one.user("anna@example.org")
        anna = await one.sign_in("anna@example.org")
        cookie = f"moorage_session={anna.cookies['moorage_session']}"
        other = two.client(Cookie=cookie)
        asked = await asyncio.gather(statuses(anna, 15), statuses(other, 15))
        # One was spent by signing in.
        assert sum(one.count(200) for one in asked) == 19


async def test_what_a_killed_process_had_leased_counts_as_used(
    database_url: str, tmp_path: Path
) -> None:
    async with web.running(database_url, tmp_path / "one") as one:
        admin = await one.admin()
        north = await one.organization("North")
        key_id, key = await a_key(one, admin, north.id)
        plan = await a_plan(admin, requests=16)
        await subscribe(admin, plan, "apiKey", key_id)
        await in_force(one)
        assert await statuses(key, 1) == [200]
        # As if killed: nothing is given back.
        one.app.state.throttle._buckets.clear()
    async with web.running(database_url, tmp_path / "two") as two:
        after = await statuses(two.client(X_API_KEY=key.headers["X-API-KEY"]), 16)
        assert after == [200] * 14 + [429] * 2, "two were leased at once, and one of them used"


async def test_another_plan_holds_at_once_and_going_back_refills_nothing(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    small, large = [
        await a_plan(admin, name=name, requests=requests)
        for name, requests in (("Small", 2), ("Large", 4))
    ]
    for plan, count in ((small, 2), (large, 4), (small, 0), (large, 0)):
        await subscribe(admin, plan, "apiKey", key_id)
        await in_force(world)
        world.app.state.throttle._clock = _later(world.app.state.throttle._clock, 2)
        assert await statuses(key, count + 1) == [200] * count + [429]


def _later(clock: Any, seconds: float) -> Any:
    return lambda: clock() + seconds


async def test_a_plan_that_is_changed_holds_as_it_is_now(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    plan = await a_plan(admin, requests=2)
    await subscribe(admin, plan, "apiKey", key_id)
    await in_force(world)
    assert await statuses(key, 3) == [200, 200, 429]
    path = f"/api/v1/plans/{plan['id']}"
    changed = await admin.patch(path, json={"requests": 4}, headers={"If-Match": '"0"'})
    assert changed.status_code == 412
    assert (await admin.patch(path, json={"requests": 4})).status_code == 200
    await in_force(world)
    assert await statuses(key, 3) == [200, 200, 429]
    assert (await admin.patch(path, json={"requests": None})).json()["requests"] is None
    await in_force(world)
    assert await statuses(key, 3) == [200] * 3


async def test_the_doorbell_puts_a_plan_in_force(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, key = await a_key(world, admin, north.id)
    plan = await a_plan(admin, requests=1)
    await subscribe(admin, plan, "apiKey", key_id)
    async with asyncio.timeout(10):
        while (await key.get(ME)).status_code != 429:
            await asyncio.sleep(0.01)


# --- Who may ----------------------------------------------------------------


async def test_a_plan_that_wants_approval_holds_once_its_administrator_agrees(
    world: World,
) -> None:
    chief = await world.admin()
    north = await world.organization("North")
    owner = await world.person("owner@example.org", north.id, Role.USER_ADMIN)
    key_id, key = await a_key(world, chief, north.id)
    wanted = await a_plan(chief, name="Wanted", requests=1)
    free = await a_plan(chief, name="Free", requests=50, needsApproval=False)
    assert (await subscribe(owner, free, "apiKey", key_id)).json()["state"] == "active"
    asked = (await subscribe(owner, wanted, "apiKey", key_id)).json()
    assert (asked["state"], asked["decidedAt"]) == ("asked", None)
    path = f"/api/v1/subscriptions/{asked['id']}"
    refused = await owner.post(f"{path}/approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "organizations.installation_only")
    await in_force(world)
    assert '"caller-requests";q=50' in (await key.get(ME)).headers["RateLimit-Policy"]
    listed = (await chief.get("/api/v1/subscriptions", params={"state": "asked"})).json()["items"]
    assert [one["id"] for one in listed] == [asked["id"]]
    agreed = (await chief.post(f"{path}/approve")).json()
    assert agreed["state"] == "active"
    assert agreed["decidedAt"]
    again = await chief.post(f"{path}/refuse")
    assert (again.status_code, again.json()["code"]) == (409, "api.subscription_decided")
    await in_force(world)
    assert '"caller-requests";q=1;' in (await key.get(ME)).headers["RateLimit-Policy"]
    # One plan holds at a time.
    active = (await owner.get("/api/v1/subscriptions", params={"subscriberId": key_id})).json()
    assert [one["planId"] for one in active["items"]] == [wanted["id"]]
    assert (await chief.delete(f"/api/v1/plans/{wanted['id']}")).json()["code"] == "api.plan_in_use"
    assert (await owner.delete(path)).status_code == 204
    assert (await chief.delete(f"/api/v1/plans/{wanted['id']}")).status_code == 204
    await in_force(world)
    assert "caller-requests" not in (await key.get(ME)).headers["RateLimit-Policy"]


async def test_what_was_refused_may_be_asked_again(world: World) -> None:
    chief = await world.admin()
    north = await world.organization("North")
    owner = await world.person("owner@example.org", north.id, Role.USER_ADMIN)
    key_id, _ = await a_key(world, chief, north.id)
    plan = await a_plan(chief)
    for _ in range(2):
        asked = (await subscribe(owner, plan, "apiKey", key_id)).json()
        refused = await chief.post(f"/api/v1/subscriptions/{asked['id']}/refuse")
        assert refused.json()["state"] == "refused"
    # The question before is answered by the one that comes after it.
    first = (await subscribe(owner, plan, "apiKey", key_id)).json()
    second = (await subscribe(owner, plan, "apiKey", key_id)).json()
    gone = await owner.get(f"/api/v1/subscriptions/{first['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "api.subscription_unknown")
    assert (await owner.get(f"/api/v1/subscriptions/{second['id']}")).status_code == 200


async def test_an_organization_shares_out_no_more_than_it_has(world: World) -> None:
    chief = await world.admin()
    north = await world.organization("North")
    owner = await world.person("owner@example.org", north.id, Role.USER_ADMIN)
    wide = {
        "organizationId": str(north.id), "name": "Wide", "requestsPerSecond": 50_000, "burst": 10,
    }  # fmt: skip
    refused = await owner.post("/api/v1/plans", json=wide)
    assert (refused.status_code, refused.json()["code"]) == (422, "api.plan_too_wide")
    plan = await a_plan(owner, organizationId=str(north.id), burst=50)
    patched = await owner.patch(f"/api/v1/plans/{plan['id']}", json={"burst": 1_000_000})
    assert patched.json()["code"] == "api.plan_too_wide"
    key_id, key = await a_key(world, chief, north.id)
    assert (await subscribe(owner, plan, "apiKey", key_id)).json()["state"] == "active"
    # What the organization has less of by now is less in its own plans too.
    small = await a_plan(chief, requestsPerSecond=1, burst=10)
    await subscribe(chief, small, "organization", north.id)
    await in_force(world)
    shown = (await key.get(ME)).headers["RateLimit-Policy"]
    assert shown == '"caller";q=10;w=10, "organization";q=10;w=10'
    # Nor is its plan for itself, for others, or for people.
    south = await world.organization("South")
    other_id, _ = await a_key(world, chief, south.id)
    for kind, subscriber_id in (("organization", north.id), ("apiKey", other_id)):
        refused = await subscribe(chief, plan, kind, subscriber_id)
        assert (refused.status_code, refused.json()["code"]) == (422, "api.plan_foreign")


async def test_only_administrators_choose_plans(world: World) -> None:
    chief = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    reader = await world.person("reader@example.org", north.id, Role.READ)
    other = await world.person("other@example.org", south.id, Role.USER_ADMIN, Role.READ)
    key_id, key = await a_key(world, chief, north.id)
    plan = await a_plan(chief, needsApproval=False)
    own = await a_plan(chief, name="Own", organizationId=str(north.id), needsApproval=False)
    assert (await subscribe(reader, plan, "apiKey", key_id)).status_code == 404
    refused = await subscribe(reader, plan, "organization", north.id)
    assert (refused.status_code, refused.json()["code"]) == (
        403, "organizations.permission_missing"
    )  # fmt: skip
    for kind, subscriber_id in (("apiKey", key_id), ("organization", north.id)):
        refused = await subscribe(other, plan, kind, subscriber_id)
        assert (refused.status_code, refused.json()["code"]) == (404, "api.subscriber_unknown")
    assert (await other.get(f"/api/v1/plans/{own['id']}")).status_code == 404
    assert own["id"] not in (await other.get("/api/v1/plans")).text
    assert plan["id"] in (await other.get("/api/v1/plans")).text
    user_id = (await reader.get(ME)).json()["id"]
    refused = await subscribe(other, plan, "user", user_id)
    assert refused.json()["code"] == "organizations.installation_only"
    for client in (reader, other):
        body = {"name": "x", "requestsPerSecond": 1, "burst": 1}
        assert (await client.post("/api/v1/plans", json=body)).status_code == 403
        assert (await client.delete(f"/api/v1/plans/{plan['id']}")).status_code == 403
    # A program with the right does not choose its own plan.
    group_id = await world.group(north.id, Role.USER_ADMIN)
    body = {"organizationId": str(north.id), "name": "a", "permissionGroupIds": [str(group_id)]}
    made = (await chief.post("/api/v1/api-keys", json=body)).json()
    program = world.client(X_API_KEY=made["key"])
    refused = await subscribe(program, plan, "apiKey", made["id"])
    assert (refused.status_code, refused.json()["code"]) == (403, "users.person_needed")
    assert (await key.get("/api/v1/subscriptions")).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"requestsPerSecond": 0}, {"requestsPerSecond": 1e9}, {"burst": 0}, {"burst": 1.5},
        {"period": "PT1S"}, {"period": "P1Y"}, {"period": "PT90.5S"}, {"requests": 0},
        {"dataBytes": -1}, {"requests": 10**16}, {"name": " "}, {"more": 1},
    ],
)  # fmt: skip
async def test_a_plan_that_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    admin = await world.admin()
    body = {"name": "x", "requestsPerSecond": 1, "burst": 1, **wrong}
    assert (await admin.post("/api/v1/plans", json=body)).status_code == 422


async def test_a_plan_goes_with_whoever_was_on_it(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    key_id, _ = await a_key(world, admin, north.id)
    plan = await a_plan(admin)
    made = (await subscribe(admin, plan, "apiKey", key_id)).json()
    assert (await admin.delete(f"/api/v1/api-keys/{key_id}")).status_code == 204
    assert (await admin.get(f"/api/v1/subscriptions/{made['id']}")).status_code == 404
    assert (await admin.delete(f"/api/v1/plans/{plan['id']}")).status_code == 204
