"""Clients that prove themselves by what they sign, and what they sign as a grant (RFC 7523)."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from httpx2 import AsyncClient, Response
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from moorage.oauth import jobs
from moorage.organizations import Organization, Role
from programs import Program, a_program, allowed, bearer
from web import World

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MINE = ECKey.generate_key("P-256", {"kid": "mine", "use": "sig", "alg": "ES256"})
NEXT = RSAKey.generate_key(2048, {"kid": "next"})
OTHERS = ECKey.generate_key("P-256", {"kid": "mine"})


def public(*keys: Any) -> list[dict[str, Any]]:
    return [dict(key.as_dict(private=False)) for key in keys]


@pytest.fixture
async def home(world: World) -> Organization:
    return await world.organization("North")


@pytest.fixture
async def person(world: World, home: Organization) -> AsyncClient:
    return await world.person("ann@example.org", home.id, Role.USER_ADMIN, Role.READ)


@pytest.fixture
async def machine(world: World, home: Organization, person: AsyncClient) -> Program:
    return await a_machine(world, home, person)


async def a_machine(world: World, home: Organization, person: AsyncClient, **more: Any) -> Program:
    group = await world.group(home.id, Role.READ)
    given: dict[str, Any] = {
        "name": "Meter reader", "grantTypes": ["client_credentials", JWT_BEARER],
        "redirectUris": [], "permissionGroupIds": [str(group)], "keys": public(MINE, NEXT),
    }  # fmt: skip
    return await a_program(world, person, home.id, **given | more)


def issuer(world: World) -> str:
    url: str = world.app.state.public_url
    return url


def signed(world: World, program: Program, /, key: Any = MINE, **changes: Any) -> str:
    """Sign an assertion; `changes` are claims: None takes one away, a delta counts from now."""
    now = int(time.time())
    alg = changes.pop("alg", "RS256" if isinstance(key, RSAKey) else "ES256")
    claims = {
        "iss": program.id, "sub": program.id, "aud": issuer(world), "iat": now, "exp": now + 300,
        "jti": str(uuid4()), **changes,
    }  # fmt: skip
    claims = {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in claims.items()
        if value is not None
    }
    kid = {"kid": key.kid} if key.kid else {}
    return jws.serialize_compact({"alg": alg, **kid}, json.dumps(claims), key, algorithms=[alg])


async def by_key(program: Program, assertion: str, /, **fields: str) -> Response:
    """Ask for a token, proved by a signature alone."""
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
    return await program.http.post(
        "/api/v1/oauth/token", data={**form, "client_assertion": assertion, **fields}
    )


async def as_grant(program: Program, assertion: str, /, **fields: str) -> Response:
    """Exchange an assertion for a token."""
    form = {"grant_type": JWT_BEARER, "assertion": assertion, **fields}
    return await program.http.post("/api/v1/oauth/token", data=form)


async def test_a_program_with_keys_needs_no_secret(world: World, machine: Program) -> None:
    assert machine.secret is None
    for answer in (
        await by_key(machine, signed(world, machine)),
        await by_key(machine, signed(world, machine, NEXT), client_id=machine.id),
        await by_key(machine, signed(world, machine, aud=[f"{issuer(world)}/api/v1/oauth/token"])),
        await as_grant(machine, signed(world, machine, NEXT)),
    ):
        assert answer.status_code == 200, answer.text
        assert "refresh_token" not in answer.json()
        me = (await bearer(world, answer.json()["access_token"]).get("/api/v1/auth/me")).json()
        assert (me["kind"], me["id"]) == ("client", machine.id)
        assert [grant["permissions"] for grant in me["grants"]] == [["organizations:read"]]
    token = answer.json()["access_token"]
    told = {"client_assertion_type": ASSERTION, "token": token}
    for name, still in (("introspect", True), ("revoke", None), ("introspect", False)):
        form = told | {"client_assertion": signed(world, machine)}
        answer = await machine.http.post(f"/api/v1/oauth/{name}", data=form)
        assert (answer.status_code, answer.json().get("active")) == (200, still)


async def test_what_authlibs_client_signs_holds(world: World, machine: Program) -> None:
    endpoint = f"{issuer(world)}/api/v1/oauth/token"
    async with AsyncOAuth2Client(machine.id, MINE) as client:
        _, headers, body = PrivateKeyJWT(endpoint, alg="ES256")(
            client, "POST", endpoint, {"Content-Type": "application/x-www-form-urlencoded"},
            "grant_type=client_credentials",
        )  # fmt: skip
    answer = await machine.http.post("/api/v1/oauth/token", content=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_an_assertion_holds_once_whatever_it_is_shown_as(
    world: World, machine: Program
) -> None:
    assertion = signed(world, machine)
    assert (await by_key(machine, assertion)).status_code == 200
    again = await by_key(machine, assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    grant = await as_grant(machine, assertion)
    assert (grant.status_code, grant.json()["error"]) == (400, "invalid_grant")
    async with world.database.begin() as tx:
        await jobs.clear_away(tx)
    assert (await by_key(machine, assertion)).status_code == 401


def a_confusion(world: World, program: Program) -> str:
    """Sign with the public key as if it were a secret (RFC 8725, section 2.1)."""
    secret = OctKey.import_key(json.dumps(public(NEXT)[0]).encode())
    return signed(world, program, secret, alg="HS256")


def without_signature(world: World, program: Program) -> str:
    _, claims, _ = signed(world, program).split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().strip("=")
    return f"{header}.{claims}."


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": OTHERS}, {"key": RSAKey.generate_key(2048)}, {"iss": str(uuid4())},
        {"iss": None}, {"iss": 7}, {"sub": None}, {"sub": str(uuid4())}, {"aud": None},
        {"aud": "https://elsewhere.example"}, {"aud": {"a": 1}}, {"jti": None}, {"jti": 7},
        {"jti": "x" * 256}, {"jti": "\ud800"}, {"jti": "a\0b"}, {"exp": None},
        {"exp": 0}, {"exp": 1e300}, {"exp": "soon"},
        {"exp": timedelta(hours=2)}, {"nbf": timedelta(minutes=10)},
        {"iat": timedelta(minutes=10)}, {"iat": []}, {"alg": "ES256", "key": OTHERS},
    ],
    ids="-".join,
)  # fmt: skip
async def test_what_does_not_hold_lets_nobody_in(
    world: World, machine: Program, wrong: dict[str, Any]
) -> None:
    for ask, error in ((by_key, "invalid_client"), (as_grant, "invalid_grant")):
        answer = await ask(machine, signed(world, machine, **wrong))
        assert answer.status_code in (400, 401)
        assert answer.json()["error"] == error


async def test_nothing_that_is_no_signature_of_a_key_is_one(world: World, machine: Program) -> None:
    good = signed(world, machine)
    header, claims, proof = good.split(".")
    deep = base64.urlsafe_b64encode(b"[" * 6_000).decode().strip("=")
    for assertion in (
        a_confusion(world, machine), without_signature(world, machine), f"{header}.{claims}.",
        f"{header}.{claims}.{proof[::-1]}", f"{header}.{deep}.{proof}", "x", "a.b.c", "x" * 20_000,
        "..", good + good,
    ):  # fmt: skip
        answer = await by_key(machine, assertion)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), assertion
        answer = await as_grant(machine, assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), assertion
    # What failed used nothing up.
    assert (await by_key(machine, good)).status_code == 200


async def test_a_program_shows_one_proof_and_its_own(
    world: World, home: Organization, person: AsyncClient, machine: Program
) -> None:
    other = await a_machine(world, home, person, name="Other", keys=public(OTHERS))
    plain = await a_program(world, person, home.id, name="Plain", grantTypes=["client_credentials"])
    assert plain.secret
    mine = signed(world, machine)
    two = await by_key(machine, mine, client_secret="mcs_x")
    assert two.json()["error"] == "invalid_request"
    for named in (other.id, plain.id):
        answer = await by_key(machine, mine, client_id=named)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    beside = await as_grant(machine, mine, client_id=machine.id, client_secret="mcs_x")
    assert beside.json()["error"] == "invalid_client"
    form = {"grant_type": JWT_BEARER, "assertion": signed(world, machine)}
    basic = (plain.id, plain.secret)
    answer = await machine.http.post("/api/v1/oauth/token", data=form, auth=basic)
    assert answer.status_code in (400, 401)
    assert (await by_key(plain, signed(world, plain))).json()["error"] == "invalid_client"


async def test_a_grant_gives_no_more_than_the_program_may_ask_for(
    world: World, home: Organization, person: AsyncClient, machine: Program
) -> None:
    wide = await as_grant(machine, signed(world, machine), scope="audit:read")
    assert wide.json()["error"] == "invalid_scope"
    narrow = await a_machine(world, home, person, name="N", grantTypes=["client_credentials"])
    answer = await as_grant(narrow, signed(world, narrow))
    assert answer.json()["error"] == "unauthorized_client"
    assert (await by_key(narrow, signed(world, narrow))).status_code == 200


async def test_keys_take_the_place_of_a_secret_and_of_each_other(
    world: World, home: Organization, person: AsyncClient
) -> None:
    program = await a_program(world, person, home.id, grantTypes=["client_credentials"])
    path = f"/api/v1/oauth/clients/{program.id}"
    assert (await program.post("token", grant_type="client_credentials")).status_code == 200
    answer = await person.patch(path, json={"keys": public(MINE)})
    assert answer.json()["keys"] == public(MINE)
    assert (await program.post("token", grant_type="client_credentials")).status_code == 401
    assert (await by_key(program, signed(world, program))).status_code == 200
    rotate = await person.post(f"{path}/rotate-secret")
    assert (rotate.status_code, rotate.json()["code"]) == (409, "oauth.secret_not_kept")
    await person.patch(path, json={"keys": public(NEXT)})
    assert (await by_key(program, signed(world, program))).status_code == 401
    assert (await by_key(program, signed(world, program, NEXT))).status_code == 200
    assert (await person.patch(path, json={"keys": []})).status_code == 200
    assert (await by_key(program, signed(world, program, NEXT))).status_code == 401
    # It has neither until it is given a new secret.
    assert (await program.post("token", grant_type="client_credentials")).status_code == 401
    program.secret = (await person.post(f"{path}/rotate-secret")).json()["clientSecret"]
    assert (await program.post("token", grant_type="client_credentials")).status_code == 200


@pytest.mark.parametrize(
    ("keys", "pointer"),
    [
        ([dict(MINE.as_dict(private=True))], "/keys/0"),
        ([*public(MINE), *public(OTHERS)], "/keys"),
        ([{"kty": "oct", "k": "c2VjcmV0"}], "/keys/0"),
        ([{"kty": "RSA", "e": "AQAB", "n": "_" * 171}], "/keys/0"),
        (public(ECKey.generate_key("secp256k1")), "/keys/0"),
        (public(OKPKey.generate_key("X25519")), "/keys/0"),
        ([{**public(NEXT)[0], "use": "enc"}], "/keys/0"),
        ([{**public(NEXT)[0], "kid": 7}], "/keys/0"),
        ([{**public(NEXT)[0], "kid": "a\0b"}], "/keys/0"),
        ([{**public(NEXT)[0], "alg": "none"}], "/keys/0"),
        ([{**public(NEXT)[0], "alg": "HS256"}], "/keys/0"),
        ([{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}], "/keys/0"),
        ([{}], "/keys/0"),
        (public(*(ECKey.generate_key("P-256") for _ in range(6))), "/keys"),
    ],
)  # fmt: skip
async def test_what_is_no_public_key_for_signatures_is_refused(
    home: Organization, person: AsyncClient, keys: list[dict[str, Any]], pointer: str
) -> None:
    body = {
        "organizationId": str(home.id), "name": "x", "scopes": ["users:read"], "keys": keys,
        "grantTypes": ["client_credentials"],
    }  # fmt: skip
    answer = await person.post("/api/v1/oauth/clients", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    for wrong in ({"confidential": False, "grantTypes": ["authorization_code"],
                   "redirectUris": ["https://a.example/"], "keys": public(MINE)},
                  {"grantTypes": [JWT_BEARER], "keys": []}):  # fmt: skip
        assert (await person.post("/api/v1/oauth/clients", json=body | wrong)).status_code == 422


async def test_a_program_with_keys_is_allowed_by_people_as_others_are(
    world: World, home: Organization, person: AsyncClient
) -> None:
    program = await a_program(world, person, home.id, keys=public(MINE),
                              grantTypes=["authorization_code", "refresh_token"])  # fmt: skip
    with pytest.raises(AssertionError, match="invalid_client"):
        await allowed(person, program)


async def test_a_program_registers_itself_with_keys(
    world: World, home: Organization, person: AsyncClient
) -> None:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    body = {"organizationId": str(home.id), "name": "t", "scopes": ["users:read"],
            "expiresAt": ends}  # fmt: skip
    token = (await person.post("/api/v1/oauth/registration-tokens", json=body)).json()["token"]
    client = bearer(world, token)
    told = {
        "client_name": "Agent", "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": public(MINE)}, "redirect_uris": ["https://app.example.org/back"],
    }  # fmt: skip
    for wrong in (
        {"jwks": {"keys": [dict(MINE.as_dict(private=True))]}}, {"jwks": {"keys": []}},
        {"jwks_uri": "https://keys.example.org/"}, {"jwks": 7}, {"jwks": {"keys": [7]}},
        {"token_endpoint_auth_method": "none"}, {"grant_types": [JWT_BEARER]},
    ):  # fmt: skip
        answer = await client.post("/api/v1/oauth/register", json=told | wrong)
        assert answer.status_code == 400, (wrong, answer.text)
    made = (await client.post("/api/v1/oauth/register", json=told)).json()
    assert made["jwks"] == {"keys": public(MINE)}
    assert "client_secret" not in made
    metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]
    assert "ES256" in metadata["token_endpoint_auth_signing_alg_values_supported"]
    assert JWT_BEARER in metadata["grant_types_supported"]
