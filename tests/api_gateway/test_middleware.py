"""What every request passes: ids, headers, limits, once only, other sites' pages."""

from __future__ import annotations

import asyncio
from pathlib import Path

from httpx2 import AsyncClient, Response

import web
from moorage import users
from moorage.api_gateway import Limits, Rate
from web import OPERATOR, World


async def test_every_answer_names_its_request_and_is_safe_to_show(world: World) -> None:
    client = world.client()
    answer = await client.get("/api/v1/auth/me", headers={"X-Request-Id": "abc-12345"})
    assert answer.headers["X-Request-Id"] == "abc-12345"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    forged = await client.get("/api/v1/auth/me", headers={"X-Request-Id": "a b;<script>"})
    assert forged.headers["X-Request-Id"] != "a b;<script>"
    assert "Access-Control-Allow-Origin" not in forged.headers


async def test_a_change_by_cookie_needs_the_csrf_token(world: World) -> None:
    admin = await world.admin()
    token = admin.headers.pop("X-CSRF-Token")
    body = {"name": "North"}
    refused = await admin.post("/api/v1/organizations", json=body)
    assert refused.json()["code"] == "api.csrf_token_wrong"
    await world.user("anna@example.org")
    other = (await world.sign_in("anna@example.org")).headers["X-CSRF-Token"]
    for wrong in (other, "", token[:-1]):
        headers = {"X-CSRF-Token": wrong}
        refused = await admin.post("/api/v1/organizations", json=body, headers=headers)
        assert refused.json()["code"] == "api.csrf_token_wrong"
    headers = {"X-CSRF-Token": token}
    assert (
        await admin.post("/api/v1/organizations", json=body, headers=headers)
    ).status_code == 201


async def test_a_page_of_another_site_changes_nothing(world: World) -> None:
    admin = await world.admin()
    async with world.database.begin() as tx:
        _, link = await users.link_for(tx, "admin@example.org")
    for client, path, body in (
        (admin, "/api/v1/organizations", {"name": "North"}),
        (world.client(), "/api/v1/auth/link", {"token": link.token}),
    ):
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            answer = await client.post(path, json=body, headers=headers)
            assert answer.json()["code"] == "api.origin_foreign"
        own = {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
        assert (await client.post(path, json=body, headers=own)).status_code in (201, 204)


async def test_a_bearer_needs_no_csrf_token(world: World) -> None:
    await world.admin()
    client = world.client(Authorization=f"Bearer {await access_token(world)}")
    assert (await client.post("/api/v1/organizations", json={"name": "N"})).status_code == 201


async def access_token(world: World) -> str:
    password = "ostrich velvet quarry 17"
    client = await world.sign_in("admin@example.org")
    await client.post("/api/v1/auth/password", json={"newPassword": password})
    body = {"email": "admin@example.org", "password": password}
    token: str = (await client.post("/api/v1/auth/token", json=body)).json()["accessToken"]
    return token


# --- Once only --------------------------------------------------------------


async def count_organizations(client: AsyncClient) -> int:
    listed = await client.get("/api/v1/organizations", params={"total": True})
    total: int = listed.json()["total"]
    return total


async def test_a_repeated_post_is_done_once_and_answered_the_same(world: World) -> None:
    admin = await world.admin()
    headers = {"Idempotency-Key": "first-try"}
    answers = [
        await admin.post("/api/v1/organizations", json={"name": "North"}, headers=headers)
        for _ in range(3)
    ]
    assert [a.status_code for a in answers] == [201, 201, 201]
    assert len({a.text for a in answers}) == 1
    assert [a.headers.get("Idempotency-Replayed") for a in answers] == [None, "true", "true"]
    assert len({a.headers["Location"] for a in answers}) == 1
    assert await count_organizations(admin) == 1
    other = await admin.post("/api/v1/organizations", json={"name": "South"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "api.idempotency_key_reused")


async def test_a_repeat_with_another_query_or_content_type_is_refused(world: World) -> None:
    admin = await world.admin()
    headers = {"Idempotency-Key": "import", "Content-Type": "text/csv"}

    async def ask(preview: str, **others: str) -> Response:
        return await admin.post(
            "/api/v1/devices/import", params={"preview": preview}, content="name\nOne\n",
            headers=headers | others,
        )  # fmt: skip

    assert (await ask("true")).json()["preview"] is True
    for refused in (await ask("false"), await ask("true", **{"Content-Type": "application/json"})):
        assert (refused.status_code, refused.json()["code"]) == (422, "api.idempotency_key_reused")
    assert (await ask("true")).headers["Idempotency-Replayed"] == "true"


async def test_repeats_at_once_do_not_both_run(world: World) -> None:
    admin = await world.admin()
    headers = {"Idempotency-Key": "at-once"}
    answers = await asyncio.gather(
        *(
            admin.post("/api/v1/organizations", json={"name": "North"}, headers=headers)
            for _ in range(4)
        )
    )
    statuses = sorted({a.status_code for a in answers})
    assert statuses in ([201], [201, 409])
    assert await count_organizations(admin) == 1


async def test_a_post_that_failed_may_be_repeated_with_the_same_key(world: World) -> None:
    admin = await world.admin()
    headers = {"Idempotency-Key": "again"}
    wrong = await admin.post("/api/v1/organizations", json={"name": ""}, headers=headers)
    assert wrong.status_code == 422
    right = await admin.post("/api/v1/organizations", json={"name": "North"}, headers=headers)
    assert right.status_code == 201


async def test_a_key_belongs_to_its_caller_and_path(world: World) -> None:
    await world.admin()
    other = world.client(Authorization=f"Bearer {await access_token(world)}")
    admin = await world.sign_in("admin@example.org")
    headers = {"Idempotency-Key": "mine"}
    await admin.post("/api/v1/organizations", json={"name": "North"}, headers=headers)
    # The same person by another credential is the same caller.
    same = await other.post("/api/v1/organizations", json={"name": "North"}, headers=headers)
    assert same.headers["Idempotency-Replayed"] == "true"
    await world.user("anna@example.org")
    anna = await world.sign_in("anna@example.org")
    foreign = await anna.post("/api/v1/organizations", json={"name": "North"}, headers=headers)
    assert foreign.status_code == 403


async def test_a_kept_answer_does_not_lay_its_secret_open(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    group_id = await world.group(north.id)
    body = {"organizationId": str(north.id), "name": "k", "permissionGroupIds": [str(group_id)]}
    headers = {"Idempotency-Key": "secret"}
    first = (await admin.post("/api/v1/api-keys", json=body, headers=headers)).json()["key"]
    again = (await admin.post("/api/v1/api-keys", json=body, headers=headers)).json()["key"]
    assert first == again
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT encode(sealed, 'escape') AS sealed FROM api_answers")
        assert not [r for r in rows if first in r.sealed]


# --- Limits -----------------------------------------------------------------


async def test_an_empty_bucket_names_itself_and_when_it_refills(
    database_url: str, tmp_path: Path
) -> None:
    limits = Limits(signed=Rate(5, 0.01), unsigned=Rate(3, 0.01))
    async with web.running(database_url, tmp_path, limits=limits) as world:
        client = world.client()
        answers = [await client.get("/api/v1/auth/me") for _ in range(4)]
        assert [a.status_code for a in answers] == [401, 401, 401, 429]
        assert answers[0].headers["RateLimit"].startswith('"address";r=2;')
        last = answers[-1]
        assert last.json()["code"] == "api.too_many_requests"
        assert last.json()["bucket"] == "address"
        assert int(last.headers["Retry-After"]) >= 60

        # Somebody signed in from there has a bucket of their own.
        await world.user("anna@example.org")
        async with world.database.begin(OPERATOR) as tx:
            _, link = await users.link_for(tx, "anna@example.org")
        world.origin = "192.0.2.8"
        anna = world.client()
        await anna.post("/api/v1/auth/link", json={"token": link.token})
        cookie = {"Cookie": f"moorage_session={anna.cookies['moorage_session']}"}
        statuses = [
            (await client.get("/api/v1/auth/me", headers=cookie)).status_code for _ in range(6)
        ]
        assert statuses == [200] * 5 + [429]
        # Health and the console are no part of it.
        assert (await client.get("/openapi.json")).status_code == 200


async def test_a_long_body_is_refused_before_it_is_read(database_url: str, tmp_path: Path) -> None:
    limits = Limits(body_bytes=2000, unsigned_body_bytes=500)
    async with web.running(database_url, tmp_path, limits=limits) as world:

        async def pieces(size: int):  # type: ignore[no-untyped-def]
            for _ in range(size // 100):
                yield b"x" * 100

        client = world.client()
        for content in (b"x" * 600, pieces(600)):
            answer = await client.post("/api/v1/auth/sign-in", content=content)
            assert (answer.status_code, answer.json()["code"]) == (413, "api.body_too_large")
        admin = await world.admin()
        answer = await admin.post("/api/v1/organizations", content=pieces(3000))
        assert answer.status_code == 413
        answer = await admin.post("/api/v1/organizations", json={"name": "N" * 90})
        assert answer.status_code == 201


async def test_a_process_cut_off_from_the_database_lets_nobody_in(world: World) -> None:
    admin = await world.admin()
    doorbells = world.app.state.doorbells
    doorbells._last_seen -= 11
    for answer in (
        await admin.get("/api/v1/auth/me"),
        await world.client().post("/api/v1/auth/link", json={"token": "x"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert "Retry-After" in answer.headers


async def test_a_stale_cookie_or_token_does_not_stand_in_the_way_of_signing_in(
    world: World,
) -> None:
    await world.user("anna@example.org")
    async with world.database.begin(OPERATOR) as tx:
        _, link = await users.link_for(tx, "anna@example.org")
    client = world.client(Cookie="moorage_session=ms_old", Authorization="Bearer x.y.z")
    answer = await client.post("/api/v1/auth/link", json={"token": link.token})
    assert answer.status_code == 204


async def test_a_bug_is_answered_in_words_and_without_its_inside(world: World) -> None:
    @world.app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("the inside")

    answer = await (await world.admin()).get("/api/v1/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text


async def test_devices_pass_by_the_gateway_to_a_door_of_their_own(world: World) -> None:
    answer = await world.client().post("/ingest/v1/up", content=b"1")
    assert (answer.status_code, answer.json()["code"]) == (401, "ingest.sender_unknown")
    assert "X-Request-Id" not in answer.headers
