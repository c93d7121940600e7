"""Programs that act in somebody's name: codes, tokens, and what can go wrong with them."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from httpx2 import AsyncClient
from joserfc import jwt
from joserfc.jwk import KeySet

from moorage.organizations import Organization, Role
from programs import (
    BACK,
    Program,
    a_program,
    allow,
    allowed,
    bearer,
    wish,
)
from web import World

ROLES = (Role.USER_ADMIN, Role.READ)
ME = "/api/v1/auth/me"
ASK = "/api/v1/oauth/authorizations/ask"


@pytest.fixture
async def home(world: World) -> Organization:
    return await world.organization("North")


@pytest.fixture
async def person(world: World, home: Organization) -> AsyncClient:
    return await world.person("ann@example.org", home.id, *ROLES)


@pytest.fixture
async def program(world: World, home: Organization, person: AsyncClient) -> Program:
    return await a_program(world, person, home.id)


async def held(client: AsyncClient) -> set[str]:
    """Tell which permissions somebody holds."""
    answer = await client.get(ME)
    assert answer.status_code == 200, answer.text
    return {p for grant in answer.json()["grants"] for p in grant["permissions"]}


async def facts(world: World, name: str) -> list[Any]:
    async with world.database.begin() as tx:
        query = "SELECT before, after, caller_label FROM facts WHERE name = :name ORDER BY id"
        return list(await tx.execute(query, {"name": name}))


async def test_a_person_is_asked_before_a_program_may_anything(
    world: World, person: AsyncClient, program: Program
) -> None:
    asked = (await person.post(ASK, json={"query": wish(program)})).json()
    assert (asked["clientName"], asked["organizationName"]) == ("Fleet app", "North")
    assert asked["redirectHost"] == "app.example.org"
    assert asked["scopes"] == ["organizations:read", "users:read"]
    assert (asked["holds"], asked["rests"]) == ("P365D", "P30D")
    back = await allow(person, wish(program))
    assert (back["state"], back["iss"]) == ("xyz", world.settings.public_url)
    answer = await program.exchange(back["code"])
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert await held(bearer(world, tokens["access_token"])) == {"organizations:read", "users:read"}
    (told,) = await facts(world, "oauth.access_allowed")
    assert told.after["client"] == program.id


async def test_a_token_is_a_jwt_that_anybody_can_check(
    world: World, home: Organization, person: AsyncClient, program: Program
) -> None:
    token = (await allowed(person, program))["access_token"]
    told = (await world.client().get("/.well-known/oauth-authorization-server")).json()
    path = urlsplit(told["jwks_uri"]).path
    keys = KeySet.import_key_set((await world.client().get(path)).json())
    read = jwt.decode(token, keys, algorithms=["ES256"])
    assert read.header["typ"] == "at+jwt"
    assert read.claims["iss"] == told["issuer"]
    assert read.claims["client_id"] == program.id
    assert read.claims["sub"] == (await person.get(ME)).json()["id"]
    assert f"{told['issuer']}/api/v1" in read.claims["aud"]


async def test_a_refusal_is_told_to_the_program(person: AsyncClient, program: Program) -> None:
    back = await allow(person, wish(program), allow=False)
    assert (back["error"], back["state"]) == ("access_denied", "xyz")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scope": "devices:manage"}, "invalid_scope"),
        ({"scope": "no-such-thing"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "https://elsewhere.example.org/"}, "invalid_target"),
    ],
)
async def test_a_wrong_wish_is_told_to_the_program_and_asks_nobody(
    person: AsyncClient, program: Program, change: dict[str, str], error: str
) -> None:
    asked = (await person.post(ASK, json={"query": wish(program, **change)})).json()
    assert asked["clientId"] is None
    back = parse_qs(urlsplit(asked["redirectTo"]).query)
    assert (back["error"], back["state"]) == ([error], ["xyz"])
    assert (await allow(person, wish(program, **change)))["error"] == error


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.org/back",
        f"{BACK}/",
        f"{BACK}/../evil",
        f"{BACK}?x=1",
        f"{BACK}#x",
        "https://app.example.org.evil.org/back",
        "https://app.example.org@evil.org/back",
        "https://app.example.org:443/back",
        "HTTPS://app.example.org/back",
        "http://app.example.org/back",
        "//app.example.org/back",
        "javascript:alert(1)",
        f'{BACK}"',
        "https://app.example.org\\@evil.org/back",
    ],
)
async def test_nobody_is_led_to_an_address_that_is_not_registered(
    person: AsyncClient, program: Program, address: str
) -> None:
    for path, more in ((ASK, {}), ("/api/v1/oauth/authorizations/answer", {"allow": True})):
        body = {"query": wish(program, redirect_uri=address), **more}
        answer = await person.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] == "oauth.request_invalid"
        assert "redirectTo" not in answer.json()


async def test_a_program_on_somebodys_own_machine_is_led_back_to_any_port(
    world: World, home: Organization, person: AsyncClient
) -> None:
    own = await a_program(
        world, person, home.id, confidential=False, redirectUris=["http://127.0.0.1/cb"]
    )
    for address, status in (
        ("http://127.0.0.1:51234/cb", 200),
        ("http://127.0.0.1:51234/other", 422),
        ("http://127.0.0.2:51234/cb", 422),
    ):
        body = {"query": wish(own, redirect_uri=address)}
        assert (await person.post(ASK, json=body)).status_code == status, address


@pytest.mark.parametrize(
    "address",
    ["http://app.example.org/", "https://a.example/#x", "https://*.example.org/", "javascript:x",
     "https://u:p@a.example/", "data:text/html,x", "https:///x", "a b", "app:/cb"],
)  # fmt: skip
async def test_a_dangerous_address_cannot_be_registered(
    world: World, home: Organization, person: AsyncClient, address: str
) -> None:
    body = {
        "organizationId": str(home.id), "name": "x", "redirectUris": [address],
        "scopes": ["users:read"],
    }  # fmt: skip
    answer = await person.post("/api/v1/oauth/clients", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/redirectUris/0"


async def test_what_is_said_twice_is_not_answered(person: AsyncClient, program: Program) -> None:
    query = wish(program) + "&" + urlencode({"redirect_uri": "https://evil.example.org/"})
    answer = await person.post(ASK, json={"query": query})
    assert answer.json()["code"] == "oauth.request_invalid"


# --- Codes -------------------------------------------------------------------


async def test_a_code_shown_twice_ends_what_came_of_it(
    world: World, person: AsyncClient, program: Program
) -> None:
    back = await allow(person, wish(program))
    tokens = (await program.exchange(back["code"])).json()
    client = bearer(world, tokens["access_token"])
    assert (await client.get(ME)).status_code == 200
    again = await program.exchange(back["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await client.get(ME)).status_code == 401
    assert (await program.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    (told,) = await facts(world, "oauth.access_ended")
    assert told.before["reason"] == "authorisation code used twice"


async def test_two_who_show_a_code_at_once_do_not_both_get_tokens(
    person: AsyncClient, program: Program
) -> None:
    back = await allow(person, wish(program))
    answers = await asyncio.gather(*(program.exchange(back["code"]) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 400, 400, 400]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": "https://evil.example.org/back"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"code": "mcc_made-up"}, "invalid_grant"),
        ({"code": ""}, "invalid_request"),
        ({"client_secret": "mcs_wrong"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
async def test_a_code_alone_is_not_enough(
    person: AsyncClient, program: Program, change: dict[str, str], error: str
) -> None:
    code = (await allow(person, wish(program)))["code"]
    answer = await program.exchange(code, **change)
    assert answer.status_code in (400, 401), answer.text
    assert answer.json()["error"] == error
    assert (await program.exchange(code)).status_code == 200


async def test_a_code_is_for_the_program_it_was_given_to(
    world: World, home: Organization, person: AsyncClient, program: Program
) -> None:
    other = await a_program(world, person, home.id, name="Other app")
    code = (await allow(person, wish(program)))["code"]
    assert (await other.exchange(code)).json()["error"] == "invalid_grant"
    assert (await program.exchange(code)).status_code == 200


async def test_a_code_holds_two_minutes(
    world: World, person: AsyncClient, program: Program
) -> None:
    code = (await allow(person, wish(program)))["code"]
    async with world.database.begin() as tx:
        await tx.execute("UPDATE oauth_codes SET expires_at = now() - interval '1 second'")
    assert (await program.exchange(code)).json()["error"] == "invalid_grant"


# --- Refresh -----------------------------------------------------------------


async def test_a_refresh_token_works_once_and_its_second_use_ends_the_family(
    world: World, person: AsyncClient, program: Program
) -> None:
    first = await allowed(person, program)
    second = (await program.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    client = bearer(world, second["access_token"])
    assert (await client.get(ME)).status_code == 200
    again = await program.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await client.get(ME)).status_code == 401
    assert (await program.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    (told,) = await facts(world, "oauth.access_ended")
    assert told.before["reason"] == "refresh token used twice"


async def test_a_refresh_token_ends_with_what_was_allowed(
    world: World, person: AsyncClient, program: Program
) -> None:
    tokens = await allowed(person, program)
    async with world.database.begin() as tx:
        await tx.execute("UPDATE oauth_authorizations SET expires_at = now()")
    assert (await program.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await bearer(world, tokens["access_token"]).get(ME)).status_code == 401


async def test_of_two_who_refresh_at_once_one_gets_tokens_and_the_family_ends(
    world: World, person: AsyncClient, program: Program
) -> None:
    first = await allowed(person, program)
    answers = await asyncio.gather(*(program.refresh(first["refresh_token"]) for _ in range(3)))
    assert sorted(a.status_code for a in answers) == [200, 400, 400]
    (won,) = [a.json() for a in answers if a.status_code == 200]
    assert (await bearer(world, won["access_token"]).get(ME)).status_code == 401


async def test_another_program_can_neither_use_nor_end_a_refresh_token(
    world: World, home: Organization, person: AsyncClient, program: Program
) -> None:
    other = await a_program(world, person, home.id, name="Other app")
    first = await allowed(person, program)
    assert (await other.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    second = (await program.refresh(first["refresh_token"])).json()
    # The token that was exchanged is no weapon in the hands of another.
    assert (await other.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await other.post("revoke", token=second["refresh_token"])).status_code == 400
    assert (await bearer(world, second["access_token"]).get(ME)).status_code == 200


async def test_a_refresh_may_ask_for_less_and_never_for_more(
    world: World, person: AsyncClient, program: Program
) -> None:
    tokens = await allowed(person, program, scope="organizations:read users:read")
    less = (await program.refresh(tokens["refresh_token"], scope="users:read")).json()
    assert await held(bearer(world, less["access_token"])) == {"users:read"}
    more = await program.refresh(less["refresh_token"], scope="users:read users:manage")
    assert more.json()["error"] == "invalid_scope"


# --- Ending ------------------------------------------------------------------


async def test_revoking_any_of_its_tokens_ends_an_authorisation(
    world: World, person: AsyncClient, program: Program
) -> None:
    for name in ("access_token", "refresh_token"):
        tokens = await allowed(person, program)
        client = bearer(world, tokens["access_token"])
        assert (await client.get(ME)).status_code == 200
        assert (await program.post("revoke", token=tokens[name])).status_code == 200
        assert (await client.get(ME)).status_code == 401
        assert (await program.refresh(tokens["refresh_token"])).status_code == 400
    assert (await program.post("revoke", token="made-up")).status_code == 200


async def test_a_person_takes_back_what_they_allowed(
    world: World, person: AsyncClient, program: Program
) -> None:
    client = bearer(world, (await allowed(person, program))["access_token"])
    (shown,) = (await person.get("/api/v1/oauth/authorizations")).json()["items"]
    assert (shown["clientName"], shown["userLabel"]) == ("Fleet app", "ann@example.org")
    # What acts in their name cannot see to what acts in their name.
    path = f"/api/v1/oauth/authorizations/{shown['id']}"
    assert (await client.delete(path)).status_code == 403
    assert (await person.delete(path)).status_code == 204
    assert (await client.get(ME)).status_code == 401


@pytest.mark.parametrize(
    "act", ["remove client", "deactivate", "take the scope", "leave the group", "reuse of a secret"]
)
async def test_what_is_taken_away_is_taken_from_tokens_that_are_out(
    world: World, home: Organization, person: AsyncClient, program: Program, act: str
) -> None:
    group = await world.group(home.id, Role.USER_ADMIN)
    bob = await world.user("bob@example.org", group)
    client = bearer(world, (await allowed(await world.sign_in("bob@example.org"), program))
                    ["access_token"])  # fmt: skip
    assert "users:read" in await held(client)
    path = f"/api/v1/oauth/clients/{program.id}"
    if act == "remove client":
        assert (await person.delete(path)).status_code == 204
    elif act == "deactivate":
        answer = await person.patch(f"/api/v1/users/{bob.id}", json={"active": False})
        assert answer.status_code == 200, answer.text
    elif act == "take the scope":
        answer = await person.patch(path, json={"scopes": ["organizations:read"]})
        assert answer.status_code == 200, answer.text
        assert await held(client) == {"organizations:read"}
        return
    elif act == "leave the group":
        answer = await person.delete(f"/api/v1/permissions/{group}/members/user/{bob.id}")
        assert answer.status_code == 204, answer.text
        assert await held(client) == set()
        return
    else:
        old = program.secret
        answer = await person.post(f"{path}/rotate-secret")
        program.secret = answer.json()["clientSecret"]
        assert (await program.post("introspect", token="x")).status_code == 200
        program.secret = old
        assert (await program.post("introspect", token="x")).json()["error"] == "invalid_client"
        return
    assert (await client.get(ME)).status_code == 401


# --- Borders -----------------------------------------------------------------


async def test_a_program_of_one_organisation_reaches_no_other_in_anybodys_name(
    world: World, home: Organization, program: Program
) -> None:
    south = await world.organization("South")
    chief = await world.admin()
    client = bearer(world, (await allowed(chief, program))["access_token"])
    assert (await client.get(f"/api/v1/organizations/{home.id}")).status_code == 200
    assert (await client.get(f"/api/v1/organizations/{south.id}")).status_code == 404
    names = [o["name"] for o in (await client.get("/api/v1/organizations")).json()["items"]]
    assert names == ["North"]


async def test_a_program_of_another_organisation_can_ask_nobody_here(
    world: World, program: Program
) -> None:
    south = await world.organization("South")
    stranger = await world.person("stranger@example.org", south.id, *ROLES)
    for path in (ASK, "/api/v1/oauth/authorizations/answer"):
        body = {"query": wish(program)} | ({"allow": True} if path != ASK else {})
        answer = await stranger.post(path, json=body)
        assert answer.json()["code"] == "oauth.client_unknown"
    path = f"/api/v1/oauth/clients/{program.id}"
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.delete(path)).status_code == 404
    assert (await stranger.post(f"{path}/rotate-secret")).status_code == 404


async def test_a_program_cannot_do_what_only_the_person_may(
    world: World, home: Organization, person: AsyncClient
) -> None:
    scopes = ["users:read", "users:manage", "organizations:read"]
    program = await a_program(world, person, home.id, scopes=scopes)
    client = bearer(world, (await allowed(person, program))["access_token"])
    me = (await person.get(ME)).json()["id"]
    group = await world.group(home.id, Role.READ)
    made = {"organizationId": str(home.id), "name": "x"}
    for method, path, body in (
        ("POST", "/api/v1/auth/password", {"newPassword": "harbour-crane-lantern-9"}),
        ("GET", "/api/v1/auth/sessions", None),
        ("POST", "/api/v1/auth/sessions/end-others", None),
        ("GET", "/api/v1/auth/preferences", None),
        ("POST", "/api/v1/auth/second-factors/totp", {"password": None}),
        ("POST", "/api/v1/api-keys", made | {"permissionGroupIds": [str(group)]}),
        ("POST", "/api/v1/oauth/clients", made | {"redirectUris": [BACK], "scopes": scopes}),
        ("POST", "/api/v1/oauth/registration-tokens",
         made | {"scopes": scopes, "expiresAt": "2099-01-01T00:00:00Z"}),
        ("POST", ASK, {"query": wish(program)}),
        ("POST", "/api/v1/oauth/authorizations/answer", {"query": wish(program), "allow": True}),
        ("POST", "/api/v1/oauth/device-codes/ask", {"userCode": "BCDF-GHJK"}),
        ("POST", f"/api/v1/users/{me}/link", None),
    ):  # fmt: skip
        answer = await client.request(method, path, json=body)
        assert answer.json().get("code") == "users.person_needed", (path, answer.text)


async def test_two_programs_of_one_person_do_not_see_each_others_answers(
    world: World, home: Organization, person: AsyncClient
) -> None:
    scopes = ["users:read", "users:manage"]
    first = await a_program(world, person, home.id, scopes=scopes)
    second = await a_program(world, person, home.id, scopes=scopes, name="Other app")
    group = await world.group(home.id, Role.READ)
    body = {"email": "new@example.org", "name": "New", "permissionGroupIds": [str(group)]}
    answers = []
    for program in (first, second):
        client = bearer(world, (await allowed(person, program))["access_token"])
        key = {"Idempotency-Key": "the-same"}
        answers.append(await client.post("/api/v1/invitations", json=body, headers=key))
    assert all("idempotency-replayed" not in a.headers for a in answers)
