"""Passkeys: added, shown at the sign-in, and everything hostile about either."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from webauthn import base64url_to_bytes
from webauthn.helpers import bytes_to_base64url

from authenticator import PASSKEYS, PRESENT, VERIFIED, Authenticator, add, show
from moorage import users
from web import OPERATOR, World

ANNA = "anna@example.org"
PASSWORD = "ostrich velvet quarry 17"
FACTORS = "/api/v1/auth/second-factors"


@pytest.fixture
async def key(world: World) -> Authenticator:
    """Give a passkey of Anna's, who has a password too."""
    await world.user(ANNA)
    client = await world.sign_in(ANNA)
    await client.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    made = Authenticator()
    added = await add(client, made)
    assert added.status_code == 201, added.text
    assert added.json()["name"] == "Laptop"
    return made


async def test_a_passkey_signs_in_by_itself(world: World, key: Authenticator) -> None:
    client = world.client()
    answer = await show(client, key)
    assert answer.status_code == 204, answer.text
    assert "HttpOnly" in answer.headers["set-cookie"]
    me = (await client.get("/api/v1/auth/me")).json()
    assert me["user"]["email"] == ANNA
    (session, *_) = (await client.get("/api/v1/auth/sessions")).json()
    assert session["proven"] is True
    (listed,) = (await client.get(FACTORS)).json()["passkeys"]
    assert listed["usedAt"] is not None


async def test_it_is_the_second_factor_beside_the_password(
    world: World, key: Authenticator
) -> None:
    client = world.client()
    body: dict[str, Any] = {"email": ANNA, "password": PASSWORD}
    asked = (await client.post("/api/v1/auth/sign-in", json=body)).json()
    assert (asked["code"], asked["ways"]) == ("users.second_factor_needed", ["passkey"])
    (known,) = asked["passkey"]["allowCredentials"]
    assert base64url_to_bytes(known["id"]) == key.credential_id
    # Beside a password, that somebody is there is enough.
    key.flags = PRESENT
    body["passkey"] = key.sign(asked["passkey"])
    assert (await client.post("/api/v1/auth/sign-in", json=body)).status_code == 204
    again = await world.client().post("/api/v1/auth/sign-in", json=body)
    assert again.json()["code"] == "users.second_factor_wrong"


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://localhost.evil.example"},
        {"origin": "http://localhost:8081"},
        {"host": "evil.example"},
        {"flags": 0},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"key": Authenticator().key},
        {"credential_id": b"x" * 32},
        {"user_handle": bytes_to_base64url(bytes(16))},
        {"count": -1},
    ],
    ids="-".join,
)
async def test_what_another_site_key_or_nobody_signed_lets_nobody_in(
    world: World, key: Authenticator, change: dict[str, Any]
) -> None:
    client = world.client()
    assert (await show(client, key)).status_code == 204
    wrong = Authenticator(**{**vars(key), **change})
    refused = await show(world.client(), wrong)
    assert (refused.status_code, refused.json()["code"]) == (401, "users.credentials_wrong")
    key.count += 1
    assert (await show(world.client(), key)).status_code == 204


async def test_a_signature_is_good_once_and_only_for_what_it_was_asked_for(
    world: World, key: Authenticator
) -> None:
    client = world.client()
    options = (await client.post(f"{PASSKEYS}/challenge")).json()
    sent = {"credential": key.sign(options)}
    answers = await asyncio.gather(
        *(world.client().post(f"{PASSKEYS}/sign-in", json=sent) for _ in range(3))
    )
    assert sorted(a.status_code for a in answers) == [204, 401, 401]

    body: dict[str, Any] = {"email": ANNA, "password": PASSWORD}
    second = (await client.post("/api/v1/auth/sign-in", json=body)).json()["passkey"]
    crossed = {"credential": key.sign(second)}
    assert (await world.client().post(f"{PASSKEYS}/sign-in", json=crossed)).status_code == 401
    first = (await client.post(f"{PASSKEYS}/challenge")).json()
    body["passkey"] = key.sign(first)
    assert (await client.post("/api/v1/auth/sign-in", json=body)).status_code == 401
    invented = {"challenge": bytes_to_base64url(b"c" * 64)}
    made_up = {"credential": key.sign(invented)}
    assert (await world.client().post(f"{PASSKEYS}/sign-in", json=made_up)).status_code == 401


async def test_a_challenge_ends_after_five_minutes(world: World, key: Authenticator) -> None:
    options = (await world.client().post(f"{PASSKEYS}/challenge")).json()
    async with world.database.begin() as tx:
        await tx.execute(
            "UPDATE user_challenges SET expires_at = expires_at - interval '5 minutes'"
        )
    sent = {"credential": key.sign(options)}
    assert (await world.client().post(f"{PASSKEYS}/sign-in", json=sent)).status_code == 401


async def test_somebody_elses_passkey_is_no_second_factor(world: World, key: Authenticator) -> None:
    await world.user("bo@example.org")
    bo = Authenticator()
    assert (await add(await world.sign_in("bo@example.org"), bo)).status_code == 201
    body: dict[str, Any] = {"email": ANNA, "password": PASSWORD}
    asked = (await world.client().post("/api/v1/auth/sign-in", json=body)).json()
    body["passkey"] = bo.sign(asked["passkey"])
    refused = await world.client().post("/api/v1/auth/sign-in", json=body)
    assert refused.json()["code"] == "users.second_factor_wrong"


async def test_a_closed_account_and_a_removed_passkey_let_nobody_in(
    world: World, key: Authenticator
) -> None:
    client = world.client()
    await show(client, key)
    client.headers["X-CSRF-Token"] = (await client.get("/api/v1/auth/me")).json()["csrfToken"]
    (listed,) = (await client.get(FACTORS)).json()["passkeys"]
    path = f"{PASSKEYS}/{listed['id']}"
    renamed = await client.patch(path, json={"name": "Work laptop"})
    assert renamed.json()["name"] == "Work laptop"
    other = await world.person("bo@example.org", None)
    assert (await other.delete(path)).status_code == 404
    assert (await other.patch(path, json={"name": "Mine"})).status_code == 404
    assert (await client.delete(path)).status_code == 204
    assert (await show(world.client(), key)).status_code == 401

    fresh = Authenticator()
    assert (await add(await world.sign_in(ANNA), fresh)).status_code == 201
    async with world.database.begin(OPERATOR) as tx:
        await users.deactivate(tx, ANNA)
    assert (await show(world.client(), fresh)).status_code == 401


@pytest.mark.parametrize(
    "change",
    [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"flags": 0}],
    ids="-".join,
)
async def test_what_another_site_made_is_not_added(world: World, change: dict[str, Any]) -> None:
    client = await world.person(ANNA, None)
    refused = await add(client, Authenticator(**change))
    assert (refused.status_code, refused.json()["code"]) == (422, "users.passkey_refused")
    assert (await client.get(FACTORS)).json()["passkeys"] == []


async def test_a_passkey_is_added_once_by_whoever(world: World) -> None:
    client = await world.person(ANNA, None)
    options = (await client.post(f"{PASSKEYS}/options", json={})).json()
    made = Authenticator()
    sent = {"name": "One", "credential": made.make(options)}
    bo = await world.person("bo@example.org", None)
    assert (await bo.post(PASSKEYS, json=sent)).status_code == 422
    assert (await client.post(PASSKEYS, json=sent)).status_code == 201
    assert (await client.post(PASSKEYS, json=sent)).status_code == 422
    assert (await add(bo, made)).status_code == 422


async def test_it_takes_the_password_to_add_one_and_there_is_an_end(
    world: World, key: Authenticator
) -> None:
    client = world.client()
    await show(client, key)
    client.headers["X-CSRF-Token"] = (await client.get("/api/v1/auth/me")).json()["csrfToken"]
    assert (await client.post(f"{PASSKEYS}/options", json={})).status_code == 401
    wrong = {"password": "not the right password"}
    assert (await client.post(f"{PASSKEYS}/options", json=wrong)).status_code == 401
    right = {"password": PASSWORD}
    assert (await client.post(f"{PASSKEYS}/options", json=right)).status_code == 200
    async with world.database.begin() as tx:
        await tx.execute(
            "INSERT INTO user_passkeys SELECT gen_random_uuid(), user_id, n::text::bytea,"
            " public_key, 0, 'more', created_at FROM user_passkeys, generate_series(1, 19) n"
        )
    full = await client.post(f"{PASSKEYS}/options", json=right)
    assert full.json()["code"] == "users.too_many_passkeys"


MALFORMED = ["", "A", "AAAA", "e30", "bnVsbA", "W10", "eyJjaGFsbGVuZ2UiOjF9", "_" * 16_384]


async def test_whatever_is_sent_is_refused_and_breaks_nothing(
    world: World, key: Authenticator
) -> None:
    client = world.client()
    options = (await client.post(f"{PASSKEYS}/challenge")).json()
    good = key.sign(options)
    for name in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        for text in MALFORMED:
            bad = json.loads(json.dumps(good))
            bad["response"][name] = text
            answer = await client.post(f"{PASSKEYS}/sign-in", json={"credential": bad})
            assert answer.status_code in (401, 422, 429), (name, text, answer.text)
    for name in ("id", "rawId"):
        for text in MALFORMED:
            answer = await client.post(
                f"{PASSKEYS}/sign-in", json={"credential": {**good, name: text}}
            )
            assert answer.status_code in (401, 422, 429), (name, text, answer.text)
    anna = await world.person("bo@example.org", None)
    for text in MALFORMED:
        fresh = (await anna.post(f"{PASSKEYS}/options", json={})).json()
        credential = Authenticator().make(fresh)
        credential["response"]["attestationObject"] = text
        answer = await anna.post(PASSKEYS, json={"name": "x", "credential": credential})
        assert answer.status_code == 422, (text, answer.text)
