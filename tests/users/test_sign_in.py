"""Signing in: passwords, links, tokens, sessions."""

from __future__ import annotations

import asyncio
import time

import pytest
from httpx2 import Response
from joserfc import jwt

from moorage import users
from moorage.kit.ids import uuid7
from web import OPERATOR, World

PASSWORD = "ostrich velvet quarry 17"


async def set_password(world: World, email: str) -> None:
    client = await world.sign_in(email)
    answer = await client.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    assert answer.status_code == 204, answer.text


async def facts(world: World, name: str) -> list[dict[str, object]]:
    async with world.database.begin() as tx:
        query = "SELECT * FROM facts WHERE name = :name ORDER BY id"
        rows = await tx.execute(query, {"name": name})
        return [dict(row) for row in rows.mappings()]


async def test_a_password_signs_in_and_the_cookie_is_out_of_reach_of_scripts(
    world: World,
) -> None:
    await world.user("anna@example.org")
    await set_password(world, "anna@example.org")
    client = world.client()
    answer = await client.post(
        "/api/v1/auth/sign-in", json={"email": "Anna@Example.org", "password": PASSWORD}
    )
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    me = (await client.get("/api/v1/auth/me")).json()
    assert me["user"]["email"] == "anna@example.org"
    assert me["csrfToken"]
    (fact, *_) = [
        f for f in await facts(world, "users.signed_in") if f["after"]["by"] == "password"
    ]  # type: ignore[index]
    assert fact["origin"] == world.origin


async def test_a_wrong_password_an_unknown_account_and_a_closed_one_look_the_same(
    world: World,
) -> None:
    for name in ("anna", "bo"):
        await world.user(f"{name}@example.org")
        await set_password(world, f"{name}@example.org")
    async with world.database.begin() as tx:
        await users.deactivate(tx, "bo@example.org")
    answers = [
        await world.client().post(
            "/api/v1/auth/sign-in", json={"email": email, "password": password}
        )
        for email, password in (
            ("anna@example.org", "not the right password"),
            ("nobody@example.org", PASSWORD),
            ("bo@example.org", PASSWORD),
        )
    ]
    assert [a.status_code for a in answers] == [401, 401, 401]
    assert len({a.text for a in answers}) == 1
    refused = await facts(world, "users.sign_in_refused")
    assert [f["after"]["email"] for f in refused] == [  # type: ignore[index]
        "anna@example.org",
        "nobody@example.org",
        "bo@example.org",
    ]


async def test_guessing_makes_an_account_wait_even_with_parallel_guesses(world: World) -> None:
    await world.user("anna@example.org")
    await set_password(world, "anna@example.org")
    client = world.client()

    async def attempt(password: str) -> int:
        body = {"email": "anna@example.org", "password": password}
        return (await client.post("/api/v1/auth/sign-in", json=body)).status_code

    statuses = await asyncio.gather(*(attempt(f"wrong guess number {n}") for n in range(9)))
    assert statuses.count(401) == 6
    assert statuses.count(429) == 3
    async with world.database.begin() as tx:
        await tx.execute("UPDATE user_failures SET blocked_until = blocked_until + '1 hour'")
    answer = await client.post(
        "/api/v1/auth/sign-in", json={"email": "anna@example.org", "password": PASSWORD}
    )
    assert answer.status_code == 429
    assert answer.json()["code"] == "users.too_many_failures"
    assert int(answer.headers["Retry-After"]) >= 1


async def test_an_unknown_account_waits_just_like_a_known_one(world: World) -> None:
    client = world.client()
    body = {"email": "nobody@example.org", "password": "wrong guess number"}
    statuses = [
        (await client.post("/api/v1/auth/sign-in", json=body)).status_code for _ in range(7)
    ]
    assert statuses == [401] * 6 + [429]


async def test_a_link_works_once(world: World) -> None:
    await world.user("anna@example.org")
    async with world.database.begin() as tx:
        _, link = await users.link_for(tx, "anna@example.org")
    client = world.client()
    statuses = await asyncio.gather(
        *(client.post("/api/v1/auth/link", json={"token": link.token}) for _ in range(4))
    )
    assert sorted(a.status_code for a in statuses) == [204, 401, 401, 401]


async def test_a_new_link_ends_the_one_before(world: World) -> None:
    await world.user("anna@example.org")
    async with world.database.begin() as tx:
        _, first = await users.link_for(tx, "anna@example.org")
        await users.link_for(tx, "anna@example.org")
    answer = await world.client().post("/api/v1/auth/link", json={"token": first.token})
    assert answer.status_code == 401


async def test_no_secret_stands_in_the_database(world: World) -> None:
    await world.user("anna@example.org")
    await set_password(world, "anna@example.org")
    client = await world.sign_in("anna@example.org")
    body = {"email": "anna@example.org", "password": PASSWORD}
    tokens = (await client.post("/api/v1/auth/token", json=body)).json()
    secrets = [PASSWORD, client.cookies["moorage_session"], tokens["refreshToken"]]
    async with world.database.begin() as tx:
        for table in ("users", "user_sessions", "user_links", "user_signing_keys", "facts"):
            rows = await tx.execute(f"SELECT t::text AS row FROM {table} t")
            kept = "\n".join(row.row for row in rows)
            for secret in secrets:
                assert secret not in kept
                assert secret.encode().hex() not in kept


async def test_a_weak_password_is_refused_in_words(world: World) -> None:
    await world.user("anna.larsen@example.org")
    client = await world.sign_in("anna.larsen@example.org")
    for password in (
        "short",
        "anna.larsen1234",
        "aaaaaaaaaaaaaaa",
        "Password123456",
        "P4ssw0rd!!!!!!!",
        "qwertyuiopasdf",
        "123456789012345",
        "abcabcabcabcabc",
        "passwordpassword",
        "welcomewelcome",
        "letmeinletmein",
        "passwordadmin",
        "adminpassword1",
        "kommunesommer2026",
        "velkommen-2026!",
        "correcthorsebattery",
        "correct horse battery",
        "example.org1234",
        "4@8({[</369&#!1|0$57%2/4" * 10 + "x" * 30,
    ):
        answer = await client.post("/api/v1/auth/password", json={"newPassword": password})
        assert answer.status_code == 422, password
        assert answer.json()["errors"][0]["pointer"] == "/newPassword"


async def test_words_that_do_not_belong_together_make_a_password(world: World) -> None:
    await world.user("anna.larsen@example.org")
    client = await world.sign_in("anna.larsen@example.org")
    for password in (
        "gul cykel under broen",
        "lantern gravel otter 42",
        "vXq8!mZr2#Lp",
        "ubåd honning lygte " * 13,
    ):
        answer = await client.post("/api/v1/auth/password", json={"newPassword": password})
        assert answer.status_code == 204, (password, answer.text)


async def test_changing_the_password_needs_the_current_one_and_ends_other_sessions(
    world: World,
) -> None:
    await world.user("anna@example.org")
    await set_password(world, "anna@example.org")
    other = world.client()
    client = world.client()
    for one in (other, client):
        body = {"email": "anna@example.org", "password": PASSWORD}
        await one.post("/api/v1/auth/sign-in", json=body)
    client.headers["X-CSRF-Token"] = (await client.get("/api/v1/auth/me")).json()["csrfToken"]
    new = "lantern gravel otter 42"
    wrong = {"currentPassword": "not the right password", "newPassword": new}
    assert (await client.post("/api/v1/auth/password", json=wrong)).status_code == 401
    right = {"currentPassword": PASSWORD, "newPassword": new}
    assert (await client.post("/api/v1/auth/password", json=right)).status_code == 204
    assert (await client.get("/api/v1/auth/me")).status_code == 200
    assert (await other.get("/api/v1/auth/me")).status_code == 401


async def test_sessions_are_listed_and_ended(world: World) -> None:
    await world.user("anna@example.org")
    one = await world.sign_in("anna@example.org")
    other = await world.sign_in("anna@example.org")
    listed = (await one.get("/api/v1/auth/sessions")).json()
    assert [s["current"] for s in listed].count(True) == 1
    (foreign,) = [s["id"] for s in listed if not s["current"]]
    assert (await one.delete(f"/api/v1/auth/sessions/{foreign}")).status_code == 204
    assert (await other.get("/api/v1/auth/me")).status_code == 401
    assert (await one.post("/api/v1/auth/sign-out")).status_code == 204
    assert (await one.get("/api/v1/auth/me")).status_code == 401


async def test_nobody_ends_the_session_of_somebody_else(world: World) -> None:
    await world.user("anna@example.org")
    await world.user("bo@example.org")
    anna = await world.sign_in("anna@example.org")
    bo = await world.sign_in("bo@example.org")
    session = (await anna.get("/api/v1/auth/me")).json()["sessionId"]
    assert (await bo.delete(f"/api/v1/auth/sessions/{session}")).status_code == 404
    assert (await anna.get("/api/v1/auth/me")).status_code == 200


# --- Access and refresh tokens ----------------------------------------------


async def tokens_of(world: World, email: str) -> dict[str, str]:
    await world.user(email)
    await set_password(world, email)
    body = {"email": email, "password": PASSWORD}
    answer = await world.client().post("/api/v1/auth/token", json=body)
    assert answer.status_code == 200
    tokens: dict[str, str] = answer.json()
    return tokens


async def test_an_access_token_names_its_holder(world: World) -> None:
    tokens = await tokens_of(world, "anna@example.org")
    client = world.client(Authorization=f"Bearer {tokens['accessToken']}")
    me = (await client.get("/api/v1/auth/me")).json()
    assert me["label"] == "anna@example.org"
    assert me["csrfToken"] is None


async def test_a_forged_or_foreign_access_token_is_refused(world: World) -> None:
    tokens = await tokens_of(world, "anna@example.org")
    head, claims, signature = tokens["accessToken"].split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0"
    for token in (
        f"{head}.{claims}.{signature[:-4]}AAAA",
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        "x.y.z",
        "",
        "é",
    ):
        client = world.client()
        header = b"Bearer " + token.encode()
        answer = await client.get("/api/v1/auth/me", headers={b"Authorization": header})
        assert answer.status_code == 401, token


async def test_an_access_token_is_for_its_hour_its_door_and_its_session(world: World) -> None:
    """Whatever else it says, it is signed as it should be."""
    token = (await tokens_of(world, "anna@example.org"))["accessToken"]
    keys = world.app.state.signing_keys
    claims = jwt.decode(token, keys.keys[keys.signer], algorithms=["ES256"]).claims

    async def shown(**changed: object) -> int:
        made = keys.sign({**claims, **changed})
        client = world.client(Authorization=f"Bearer {made}")
        return (await client.get("/api/v1/auth/me")).status_code

    assert await shown() == 200
    for changed in (
        {"exp": int(time.time()) - 1},
        {"exp": "tomorrow"},
        {"aud": "moorage-mqtt"},
        {"iss": "https://elsewhere.example"},
        {"sid": str(uuid7())},
        {"sub": str(uuid7())},
        {"sub": "anna@example.org"},
    ):
        assert await shown(**changed) == 401, changed


@pytest.mark.parametrize("end", ["idle_until", "expires_at"])
async def test_a_session_ends_when_it_rests_and_at_its_end(world: World, end: str) -> None:
    tokens = await tokens_of(world, "anna@example.org")
    client = await world.sign_in("anna@example.org")
    program = world.client(Authorization=f"Bearer {tokens['accessToken']}")
    body = {"refreshToken": tokens["refreshToken"]}
    for one in (client, program):
        assert (await one.get("/api/v1/auth/me")).status_code == 200
    async with world.database.begin(OPERATOR) as tx:
        await tx.execute(f"UPDATE user_sessions SET {end} = now()")
    for one in (client, program):
        assert (await one.get("/api/v1/auth/me")).status_code == 401
    assert (await world.client().post("/api/v1/auth/refresh", json=body)).status_code == 401


async def test_what_is_no_cookie_of_ours_is_nobody(world: World) -> None:
    await world.user("anna@example.org")
    cookie = (await world.sign_in("anna@example.org")).cookies["moorage_session"]
    assert (await _with(world, cookie)).status_code == 200
    for wrong in (cookie[:-1], cookie + "x", cookie.swapcase(), "ms_", "x" * 4000, "%00", '"'):
        assert (await _with(world, wrong)).status_code == 401, wrong


async def _with(world: World, cookie: str) -> Response:
    client = world.client(Cookie=f"moorage_session={cookie}")
    return await client.get("/api/v1/auth/me")


async def test_over_tls_no_other_host_of_the_domain_can_set_the_cookie(world: World) -> None:
    await world.user("anna@example.org")
    cookie = (await world.sign_in("anna@example.org")).cookies["moorage_session"]
    assert (await _with(world, cookie)).status_code == 200
    world.app.state.public_url = "https://moorage.example.org"
    assert (await _with(world, cookie)).status_code == 401
    client = world.client(Cookie=f"__Host-moorage_session={cookie}")
    me = await client.get("/api/v1/auth/me")
    assert me.status_code == 200
    gone = await client.post(
        "/api/v1/auth/sign-out", headers={"X-CSRF-Token": me.json()["csrfToken"]}
    )
    assert gone.status_code == 204, gone.text
    set_cookie = gone.headers["Set-Cookie"]
    assert set_cookie.startswith("__Host-moorage_session=")
    assert {"Path=/", "Secure", "HttpOnly"} <= set(set_cookie.split("; "))
    assert "domain" not in set_cookie.lower()


async def test_a_refresh_token_used_twice_ends_the_session_for_both(world: World) -> None:
    first = await tokens_of(world, "anna@example.org")
    client = world.client()
    body = {"refreshToken": first["refreshToken"]}
    second = (await client.post("/api/v1/auth/refresh", json=body)).json()
    bearer = {"Authorization": f"Bearer {second['accessToken']}"}
    assert (await client.get("/api/v1/auth/me", headers=bearer)).status_code == 200

    assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401

    assert (await client.get("/api/v1/auth/me", headers=bearer)).status_code == 401
    body = {"refreshToken": second["refreshToken"]}
    assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
    ended = await facts(world, "users.session_ended")
    assert ended[-1]["before"]["reason"] == "refresh token used twice"  # type: ignore[index]


async def test_a_refresh_token_is_no_cookie_and_a_cookie_no_refresh_token(world: World) -> None:
    tokens = await tokens_of(world, "anna@example.org")
    cookie = (await world.sign_in("anna@example.org")).cookies["moorage_session"]
    client = world.client(Cookie=f"moorage_session={tokens['refreshToken']}")
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    answer = await world.client().post("/api/v1/auth/refresh", json={"refreshToken": cookie})
    assert answer.status_code == 401


async def test_deactivation_acts_on_every_credential_at_once(world: World) -> None:
    tokens = await tokens_of(world, "anna@example.org")
    console = await world.sign_in("anna@example.org")
    program = world.client(Authorization=f"Bearer {tokens['accessToken']}")
    for client in (console, program):
        assert (await client.get("/api/v1/auth/me")).status_code == 200
    async with world.database.begin(OPERATOR) as tx:
        await users.deactivate(tx, "anna@example.org")
    for client in (console, program):
        assert (await client.get("/api/v1/auth/me")).status_code == 401
    body = {"refreshToken": tokens["refreshToken"]}
    assert (await world.client().post("/api/v1/auth/refresh", json=body)).status_code == 401


async def test_credentials_in_a_query_are_nothing(world: World) -> None:
    tokens = await tokens_of(world, "anna@example.org")
    for name in ("access_token", "secret_token", "apiKey", "X-API-KEY"):
        query = {name: tokens["accessToken"]}
        answer = await world.client().get("/api/v1/auth/me", params=query)
        assert answer.status_code == 401
