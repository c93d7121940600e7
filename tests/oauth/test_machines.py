"""Programs that act as themselves, devices without a browser, and who registers by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from moorage import users
from moorage.oauth import jobs
from moorage.organizations import Organization, Role
from programs import BACK, DEVICE_GRANT, Program, a_program, allowed, bearer, wish
from web import World

ROLES = (Role.USER_ADMIN, Role.READ)
ME = "/api/v1/auth/me"


@pytest.fixture
async def home(world: World) -> Organization:
    return await world.organization("North")


@pytest.fixture
async def person(world: World, home: Organization) -> AsyncClient:
    return await world.person("ann@example.org", home.id, *ROLES)


async def a_machine(world: World, admin: AsyncClient, home: Organization, **more: Any) -> Program:
    group = await world.group(home.id, Role.READ)
    given = {
        "name": "Nightly report",
        "grantTypes": ["client_credentials"],
        "redirectUris": [],
        "permissionGroupIds": [str(group)],
        **more,
    }
    return await a_program(world, admin, home.id, **given)


async def permissions(client: AsyncClient) -> set[str]:
    answer = await client.get(ME)
    assert answer.status_code == 200, answer.text
    return {p for grant in answer.json()["grants"] for p in grant["permissions"]}


async def test_a_machine_holds_what_its_groups_give_within_its_scopes(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    answer = await machine.post("token", grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()
    client = bearer(world, answer.json()["access_token"])
    me = (await client.get(ME)).json()
    assert (me["kind"], me["id"]) == ("client", machine.id)
    assert await permissions(client) == {"organizations:read"}
    assert (await client.get(f"/api/v1/organizations/{home.id}")).status_code == 200
    assert (await client.get("/api/v1/auth/sessions")).json()["code"] == "users.person_needed"


async def test_a_machine_proves_itself_by_basic_or_in_the_form_and_not_by_both(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    assert machine.secret
    path, form = "/api/v1/oauth/token", {"grant_type": "client_credentials"}
    nobody = world.client()
    basic = (machine.id, machine.secret)
    assert (await nobody.post(path, data=form, auth=basic)).status_code == 200
    wrong = await nobody.post(path, data=form, auth=(machine.id, "mcs_wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    both = form | {"client_secret": machine.secret}
    assert (await nobody.post(path, data=both, auth=basic)).json()["error"] == "invalid_request"
    other = form | {"client_id": "0190b5a0-0000-7000-8000-000000000000"}
    assert (await nobody.post(path, data=other, auth=basic)).json()["error"] == "invalid_request"
    query = await nobody.post(f"{path}?client_secret={machine.secret}&client_id={machine.id}",
                              data=form)  # fmt: skip
    assert query.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"grant_type=client_credentials&grant_type=x", "application/x-www-form-urlencoded"),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=b" % n for n in range(60)), "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
async def test_a_malformed_request_is_answered_in_the_protocols_words(
    world: World, body: bytes, kind: str
) -> None:
    answer = await world.client().post(
        "/api/v1/oauth/token", content=body, headers={"Content-Type": kind}
    )
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_request", "unsupported_grant_type")


async def test_no_token_travels_without_tls_over_a_network(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    form = {"grant_type": "client_credentials"}
    assert (await machine.post("token", **form)).status_code == 200
    world.app.state.public_url = "http://moorage.example.org"
    for name, fields in (
        ("token", form),
        ("revoke", {"token": "x"}),
        ("introspect", {"token": "x"}),
    ):
        answer = await machine.post(name, **fields)
        assert (answer.status_code, answer.json()["error"]) == (400, "insecure_transport")


async def test_a_form_that_is_too_long_is_not_read(world: World) -> None:
    answer = await world.client().post("/api/v1/oauth/token", data={"code": "x" * 100_000})
    assert answer.status_code == 413


async def test_a_public_program_cannot_act_as_itself(
    world: World, home: Organization, person: AsyncClient
) -> None:
    body = {
        "organizationId": str(home.id), "name": "x", "scopes": ["users:read"],
        "confidential": False, "grantTypes": ["client_credentials"],
    }  # fmt: skip
    answer = await person.post("/api/v1/oauth/clients", json=body)
    assert answer.json()["errors"][0]["pointer"] == "/grantTypes"


async def test_a_program_gets_no_more_than_its_maker_holds(
    world: World, home: Organization, person: AsyncClient
) -> None:
    stronger = await world.group(home.id, Role.APPLICATION_ADMIN)
    body = {
        "organizationId": str(home.id), "name": "x", "scopes": ["devices:manage"],
        "grantTypes": ["client_credentials"], "permissionGroupIds": [str(stronger)],
    }  # fmt: skip
    answer = await person.post("/api/v1/oauth/clients", json=body)
    assert answer.json()["code"] == "organizations.grant_too_wide"


async def test_a_token_is_for_the_doors_that_it_names(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    issuer = world.settings.public_url
    asked = {"grant_type": "client_credentials"}
    for resource, status in ((f"{issuer}/api/v1", 200), (f"{issuer}/mqtt", 401)):
        token = (await machine.post("token", **asked, resource=resource)).json()["access_token"]
        assert (await bearer(world, token).get(ME)).status_code == status
    answer = await machine.post("token", **asked, resource="https://elsewhere.example.org")
    assert answer.json()["error"] == "invalid_target"


async def test_introspection_tells_of_the_own_organisations_tokens_only(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    token = (await machine.post("token", grant_type="client_credentials")).json()["access_token"]
    told = (await machine.post("introspect", token=token)).json()
    assert (told["active"], told["client_id"], told["scope"]) == (
        True, machine.id, "organizations:read users:read",
    )  # fmt: skip
    south = await world.organization("South")
    stranger = await world.person("stranger@example.org", south.id, *ROLES)
    foreign = await a_machine(world, stranger, south)
    assert (await foreign.post("introspect", token=token)).json() == {"active": False}
    public = await a_program(world, person, home.id, confidential=False)
    assert (await public.post("introspect", token=token)).json()["error"] == "invalid_client"
    await machine.post("revoke", token=token)
    assert (await machine.post("introspect", token=token)).json() == {"active": False}


async def test_who_can_do_what_tells_of_machines_too(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    query = {"organizationId": str(home.id), "permission": "organizations:read"}
    shown = (await person.get("/api/v1/access", params=query)).json()["items"]
    (own,) = [one for one in shown if one["id"] == machine.id]
    assert (own["kind"], own["permissions"]) == ("client", ["organizations:read"])


# --- Devices without a browser ------------------------------------------------


async def an_agent(world: World, admin: AsyncClient, home: Organization) -> Program:
    return await a_program(
        world, admin, home.id, name="Agent", confidential=False, redirectUris=[],
        grantTypes=[DEVICE_GRANT, "refresh_token"],
    )  # fmt: skip


async def poll(agent: Program, code: str) -> Any:
    return (await agent.post("token", grant_type=DEVICE_GRANT, device_code=code)).json()


async def test_a_device_waits_until_a_person_has_answered(
    world: World, home: Organization, person: AsyncClient
) -> None:
    agent = await an_agent(world, person, home)
    started = (await agent.post("device-authorization")).json()
    assert started["verification_uri"] == f"{world.settings.public_url}/oauth/device"
    assert (await poll(agent, started["device_code"]))["error"] == "authorization_pending"
    assert (await poll(agent, started["device_code"]))["error"] == "slow_down"
    typed = {"userCode": started["user_code"].lower().replace("-", " ")}
    asked = (await person.post("/api/v1/oauth/device-codes/ask", json=typed)).json()
    assert (asked["clientName"], asked["origin"]) == ("Agent", world.origin)
    answer = await person.post("/api/v1/oauth/device-codes/answer", json=typed | {"allow": True})
    assert answer.status_code == 204, answer.text
    # Who has answered once cannot answer again.
    again = await person.post("/api/v1/oauth/device-codes/answer", json=typed | {"allow": True})
    assert again.json()["code"] == "oauth.device_code_unknown"
    tokens = await poll(agent, started["device_code"])
    assert "users:read" in await permissions(bearer(world, tokens["access_token"]))
    assert (await agent.refresh(tokens["refresh_token"])).status_code == 200
    assert (await poll(agent, started["device_code"]))["error"] == "invalid_grant"


async def test_a_device_that_is_refused_or_too_late_gets_nothing(
    world: World, home: Organization, person: AsyncClient
) -> None:
    agent = await an_agent(world, person, home)
    refused = (await agent.post("device-authorization")).json()
    body = {"userCode": refused["user_code"], "allow": False}
    assert (await person.post("/api/v1/oauth/device-codes/answer", json=body)).status_code == 204
    assert (await poll(agent, refused["device_code"]))["error"] == "access_denied"
    late = (await agent.post("device-authorization")).json()
    async with world.database.begin() as tx:
        await tx.execute("UPDATE oauth_device_codes SET expires_at = now()")
    assert (await poll(agent, late["device_code"]))["error"] == "expired_token"
    body = {"userCode": late["user_code"], "allow": True}
    answer = await person.post("/api/v1/oauth/device-codes/answer", json=body)
    assert answer.json()["code"] == "oauth.device_code_unknown"


async def test_a_device_code_is_nobody_elses(
    world: World, home: Organization, person: AsyncClient
) -> None:
    agent = await an_agent(world, person, home)
    other = await a_program(
        world, person, home.id, name="Other", confidential=False, redirectUris=[],
        grantTypes=[DEVICE_GRANT],
    )  # fmt: skip
    started = (await agent.post("device-authorization")).json()
    assert (await poll(other, started["device_code"]))["error"] == "invalid_grant"
    south = await world.organization("South")
    stranger = await world.person("stranger@example.org", south.id, *ROLES)
    for name in ("ask", "answer"):
        body = {"userCode": started["user_code"]} | ({"allow": True} if name == "answer" else {})
        answer = await stranger.post(f"/api/v1/oauth/device-codes/{name}", json=body)
        assert answer.json()["code"] == "oauth.device_code_unknown"
    code_only = await a_program(world, person, home.id)
    answer = await code_only.post("device-authorization")
    assert answer.json()["error"] == "invalid_client"


# --- Registration --------------------------------------------------------------


async def a_token(admin: AsyncClient, home: Organization, **more: Any) -> str:
    body = {
        "organizationId": str(home.id), "name": "for partners", "scopes": ["users:read"],
        "expiresAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(), **more,
    }  # fmt: skip
    answer = await admin.post("/api/v1/oauth/registration-tokens", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def register(world: World, token: str | None, **metadata: Any) -> Any:
    told = {"client_name": "Partner app", "redirect_uris": [BACK], "unknown": "ignored", **metadata}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await world.client().post("/api/v1/oauth/register", json=told, headers=headers)


async def test_a_program_registers_itself_and_is_allowed_by_a_person(
    world: World, home: Organization, person: AsyncClient
) -> None:
    token = await a_token(person, home, uses=1)
    answer = await register(world, token, grant_types=["authorization_code", "refresh_token"])
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["scope"] == "users:read"
    program = Program(world.client(), told["client_id"], told["client_secret"])
    asked = await person.post("/api/v1/oauth/authorizations/ask", json={"query": wish(program)})
    assert asked.json()["registeredItself"] is True
    tokens = await allowed(person, program)
    assert await permissions(bearer(world, tokens["access_token"])) == {"users:read"}
    # It was to be used once.
    assert (await register(world, token, client_name="Second")).status_code == 401


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": ["http://evil.example.org/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": "x"}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"grant_types": 5}, "invalid_client_metadata"),
        ({"scope": "users:manage"}, "invalid_client_metadata"),
        ({"scope": "nonsense"}, "invalid_client_metadata"),
        ({"client_name": "\u202eevil"}, "invalid_client_metadata"),
        ({"client_name": "x" * 101}, "invalid_client_metadata"),
        ({"client_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
    ],
)
async def test_what_cannot_be_a_client_is_not_registered(
    world: World, home: Organization, person: AsyncClient, metadata: dict[str, Any], error: str
) -> None:
    token = await a_token(person, home, uses=1)
    answer = await register(world, token, **metadata)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    # Nothing was used up by it.
    assert (await register(world, token)).status_code == 201


async def test_nobody_registers_without_a_token_that_holds(
    world: World, home: Organization, person: AsyncClient
) -> None:
    token = await a_token(person, home)
    for shown in (None, "mcg_made-up", "mk_x"):
        answer = await register(world, shown)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    async with world.database.begin() as tx:
        await tx.execute("UPDATE oauth_registration_tokens SET expires_at = now()")
    assert (await register(world, token)).status_code == 401


async def registered(world: World, person: AsyncClient, home: Organization) -> dict[str, Any]:
    """Have a program register itself; gives what it was told."""
    answer = await register(
        world, await a_token(person, home, scopes=["users:read", "devices:read"])
    )
    told: dict[str, Any] = answer.json()
    assert told["registration_client_uri"].endswith(f"/api/v1/oauth/register/{told['client_id']}")
    return told


def said(told: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Write what a program says of itself: what it was told, but for what is the server's."""
    kept = (
        "client_id", "client_name", "grant_types", "response_types", "redirect_uris", "scope",
        "token_endpoint_auth_method",
    )  # fmt: skip
    return {name: told[name] for name in kept} | more


async def test_a_program_reads_changes_and_removes_what_is_registered_of_it(
    world: World, home: Organization, person: AsyncClient
) -> None:
    told = await registered(world, person, home)
    path = f"/api/v1/oauth/register/{told['client_id']}"
    program = bearer(world, told["registration_access_token"])
    read = await program.get(path)
    assert (read.status_code, read.headers["cache-control"]) == (200, "no-store")
    # Its secret is nowhere kept, and so not told again.
    assert read.json() == {k: v for k, v in told.items() if not k.startswith("client_secret")}
    other = "https://app.example.org/other"
    # Its own secret may be said again; it is not chosen.
    body = said(told, client_name="Renamed", redirect_uris=[other], scope="users:read")
    changed = await program.put(path, json=body | {"client_secret": told["client_secret"]})
    assert changed.status_code == 200, changed.text
    assert changed.json() == read.json() | {
        "client_name": "Renamed", "redirect_uris": [other], "scope": "users:read",
    }  # fmt: skip
    shown = (await person.get(f"/api/v1/oauth/clients/{told['client_id']}")).json()
    assert (shown["name"], shown["redirectUris"]) == ("Renamed", [other])
    # What it gave up, or what people took from it, it does not take back.
    wider = await program.put(path, json=said(told))
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_client_metadata")
    # A secret gives way to nothing, and comes back as another one.
    kind = "token_endpoint_auth_method"
    public = await program.put(path, json=body | {kind: "none"})
    assert "client_secret" not in public.json()
    again = (await program.put(path, json=body | {kind: "client_secret_post"})).json()
    assert again["client_secret"] != told["client_secret"]
    facts = (await person.get("/api/v1/audit", params={"name": "oauth.client_changed"})).json()
    assert len(facts["items"]) == 3
    assert {fact["callerId"] for fact in facts["items"]} == {told["client_id"]}
    assert (await program.delete(path)).status_code == 204
    for answer in (await program.get(path), await program.delete(path)):
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    gone = await person.get(f"/api/v1/oauth/clients/{told['client_id']}")
    assert gone.status_code == 404
    (fact,) = (await person.get("/api/v1/audit", params={"name": "oauth.client_removed"})).json()[
        "items"
    ]
    assert fact["callerId"] == told["client_id"]


async def test_what_is_registered_of_a_program_is_for_its_own_token_alone(
    world: World, home: Organization, person: AsyncClient
) -> None:
    told = await registered(world, person, home)
    other = (
        await register(world, await a_token(person, home, name="b"), client_name="Other")
    ).json()
    made = await a_program(world, person, home.id, name="Made by hand")
    own = told["registration_access_token"]
    path = f"/api/v1/oauth/register/{told['client_id']}"
    strangers = [
        (world.client(), path),
        (bearer(world, "mca_made-up"), path),
        (bearer(world, other["registration_access_token"]), path),
        (bearer(world, told["client_secret"]), path),
        (person, path),
        (bearer(world, own), f"/api/v1/oauth/register/{other['client_id']}"),
        (bearer(world, own), f"/api/v1/oauth/register/{made.id}"),
        (bearer(world, own), "/api/v1/oauth/register/none"),
    ]
    for client, where in strangers:
        for answer in (
            await client.get(where),
            await client.put(where, json=said(told)),
            await client.delete(where),
        ):
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token"), where
    program = bearer(world, own)
    for wrong in (
        {"client_id": other["client_id"]}, {"client_id": None}, {"client_secret": "chosen"},
        {"registration_access_token": own}, {"client_id_issued_at": 1},
        {"registration_client_uri": "https://evil.example.org/"}, {"client_secret_expires_at": 0},
        {"client_name": "other"}, {"redirect_uris": []}, {"scope": "users:manage"},
        {"grant_types": ["client_credentials"]}, {"jwks": 7}, {"client_secret": 7},
    ):  # fmt: skip
        answer = await program.put(path, json=said(told) | wrong)
        assert answer.status_code == 400, (wrong, answer.text)
    # With it one is nobody anywhere else.
    assert (await program.get(ME)).status_code == 401
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT t::text AS row FROM oauth_clients t")
        assert own not in "".join(row.row for row in rows)
    # What people gave it, it keeps; what they took, it does not have.
    group = await world.group(home.id, Role.READ)
    patch = {"grantTypes": ["client_credentials"], "permissionGroupIds": [str(group)],
             "scopes": ["users:read"], "redirectUris": []}  # fmt: skip
    shown = await person.patch(f"/api/v1/oauth/clients/{told['client_id']}", json=patch)
    assert shown.status_code == 200, shown.text
    now = (await program.get(path)).json()
    assert (now["grant_types"], now["scope"]) == (["client_credentials"], "users:read")
    assert (await program.put(path, json=said(now, client_name="Mine"))).status_code == 200
    token = await Program(world.client(), told["client_id"], told["client_secret"]).post(
        "token", grant_type="client_credentials"
    )
    assert token.status_code == 200, token.text
    assert (await program.delete(path)).status_code == 204
    assert (
        await bearer(world, token.json()["access_token"]).get("/api/v1/auth/me")
    ).status_code == 401


# --- Keys, and what is over ----------------------------------------------------


async def test_tokens_outlive_the_change_of_the_key_that_signs(
    world: World, home: Organization, person: AsyncClient
) -> None:
    state = world.app.state
    machine = await a_machine(world, person, home)
    form = {"grant_type": "client_credentials"}
    old = (await machine.post("token", **form)).json()["access_token"]
    before = state.signing_keys.signer
    async with world.database.begin() as tx:
        made = await users.rotate_signing_key(tx, state.sealer)
        await users.renew_signing_keys(tx, state.sealer, state.signing_keys)
    # It is published before it signs, so that whoever checks tokens knows it by then.
    published = (await world.client().get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in published] == [before, str(made.id)]
    assert all("d" not in key for key in published)
    assert state.signing_keys.signer == before
    await age_keys(world, "2 minutes")
    assert state.signing_keys.signer == str(made.id)
    new = (await machine.post("token", **form)).json()["access_token"]
    for token in (old, new):
        assert (await bearer(world, token).get(ME)).status_code == 200
    await age_keys(world, "3 hours")
    published = (await world.client().get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in published] == [str(made.id)]
    assert (await bearer(world, old).get(ME)).status_code == 401
    await age_keys(world, "31 days")
    assert len(state.signing_keys.keys) == 2


async def age_keys(world: World, by: str) -> None:
    """Make the keys that sign older, and have the process look at them."""
    state = world.app.state
    async with world.database.begin() as tx:
        await tx.execute(f"UPDATE user_signing_keys SET created_at = created_at - interval '{by}'")
        await users.renew_signing_keys(tx, state.sealer, state.signing_keys)
    async with world.database.begin() as tx:
        await users.renew_signing_keys(tx, state.sealer, state.signing_keys)


async def test_what_somebody_allowed_does_not_come_back_with_the_account(
    world: World, home: Organization, person: AsyncClient
) -> None:
    bob = await world.user("bob@example.org", await world.group(home.id, Role.USER_ADMIN))
    program = await a_program(world, person, home.id)
    tokens = await allowed(await world.sign_in("bob@example.org"), program)
    path = f"/api/v1/users/{bob.id}"
    assert (await person.patch(path, json={"active": False})).status_code == 200
    async with world.database.begin() as tx:
        await jobs.sweep(tx)
    assert (await person.patch(path, json={"active": True})).status_code == 200
    assert (await bearer(world, tokens["access_token"]).get(ME)).status_code == 401
    assert (await program.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_what_is_over_is_cleared_away(
    world: World, home: Organization, person: AsyncClient
) -> None:
    machine = await a_machine(world, person, home)
    await asyncio.gather(*(machine.post("token", grant_type="client_credentials")
                           for _ in range(3)))  # fmt: skip
    async with world.database.begin() as tx:
        await tx.execute("UPDATE oauth_authorizations SET expires_at = now()")
    async with world.database.begin() as tx:
        await jobs.clear_away(tx)
        rows = await tx.execute("SELECT count(*) FROM oauth_authorizations")
        assert rows.scalar_one() == 0
