"""Clients that prove themselves by a certificate, and tokens that are bound to one (RFC 8705)."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from httpx2 import AsyncClient, Response
from joserfc.jwk import ECKey

import web
from moorage.entry.anchors import Anchors, ask_for_certificates
from moorage.kit.certificates import public_key_of, read_pem
from moorage.organizations import Role
from moorage.testing.authority import Authority
from moorage_mqtt import ConnAck
from programs import BACK, VERIFIER, Program, a_program, allow, wish
from towns import Town, self_signed
from web import World

PROXY = "10.0.0.5"
ME = "/api/v1/auth/me"
SETTINGS = {
    "MOORAGE_API_TRUSTED_PROXIES": f'["{PROXY}"]', "MOORAGE_API_CLIENT_CERTIFICATES": "true",
}  # fmt: skip


class Yard(Town):
    """A town whose programs come through the proxy."""

    def shows(self, pem: str | None, *, token: str | None = None) -> AsyncClient:
        """Give a client of HTTP that has proved to the proxy to hold a certificate."""
        self.world.origin = PROXY
        client = self.world.client()
        if pem is not None:
            client.headers["Client-Cert"] = f":{base64.b64encode(read_pem(pem).der).decode()}:"
        if token is not None:
            client.headers["Authorization"] = f"Bearer {token}"
        return client

    async def program(self, **more: Any) -> str:
        """Make a machine that may read; give its client_id."""
        group = await self.world.group(UUID(self.organization), Role.READ)
        body = {
            "grantTypes": ["client_credentials"], "redirectUris": [],
            "permissionGroupIds": [str(group)], "scopes": ["organizations:read", "messages:read"],
        }  # fmt: skip
        program = await a_program(self.world, self.admin, self.organization, **body | more)
        self.secret = program.secret or ""
        return program.id

    async def ask(self, pem: str | None, client_id: str, **fields: str) -> Response:
        """Ask for a token."""
        form = {"grant_type": "client_credentials", "client_id": client_id, **fields}
        return await self.shows(pem).post("/api/v1/oauth/token", data=form)

    async def token(self, pem: str, client_id: str, **fields: str) -> str:
        answer = await self.ask(pem, client_id, **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def use(self, pem: str | None, token: str) -> int:
        return (await self.shows(pem, token=token).get(ME)).status_code

    def own(self, name: str) -> str:
        return self_signed(self, name)[0].read_text()


@pytest.fixture
async def yard(database_url: str, tmp_path: Path) -> AsyncIterator[Yard]:
    async with web.running(database_url, tmp_path / "data", **SETTINGS) as world:
        world.origin = PROXY
        one = Yard(world, await world.admin(), tmp_path)
        await one.found("Aarhus")
        yield one


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def thumbprint(pem: str) -> str:
    return base64.urlsafe_b64encode(read_pem(pem).fingerprint).decode().rstrip("=")


async def test_a_program_proves_itself_by_its_own_certificate_and_its_token_is_bound_to_it(
    yard: Yard,
) -> None:
    mine, other = yard.own("mine"), yard.own("other")
    client_id = await yard.program(certificates=[mine])
    assert yard.secret == ""
    for wrong in (other, None):
        refused = await yard.ask(wrong, client_id)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    secret = await yard.ask(mine, client_id, client_secret="mcs_x")
    assert secret.json()["error"] == "invalid_client"
    token = await yard.token(mine, client_id)
    assert claims_of(token)["cnf"] == {"x5t#S256": thumbprint(mine)}
    assert await yard.use(mine, token) == 200
    for wrong in (other, None):
        assert await yard.use(wrong, token) == 401
    form = {"client_id": client_id, "token": token}
    told = (await yard.shows(mine).post("/api/v1/oauth/introspect", data=form)).json()
    assert (told["active"], told["cnf"]) == (True, {"x5t#S256": thumbprint(mine)})
    # From anybody but the proxy the header is nothing.
    client = yard.shows(mine, token=token)
    yard.world.origin = "198.51.100.7"
    stranger = yard.world.client()
    stranger.headers.update(client.headers)
    assert (await stranger.get(ME)).status_code == 401
    answer = await stranger.post("/api/v1/oauth/token", data={
        "grant_type": "client_credentials", "client_id": client_id})  # fmt: skip
    assert answer.status_code == 401


async def test_a_certificate_of_an_authority_proves_whom_it_names(yard: Yard) -> None:
    authority, authority_id = await yard.authority("plant")
    (yard.directory / "unknown").mkdir()
    unknown = Authority(yard.directory / "unknown")
    uri = "urn:example:reader"
    good, by_uri = authority.issue("reader")[0], authority.issue("x", uri=uri)[0]
    cases = (
        ({"kind": "subjectDn", "value": "CN=reader"}, good, by_uri),
        ({"kind": "sanDns", "value": "Reader"}, good, by_uri),
        ({"kind": "sanUri", "value": uri}, by_uri, good),
    )
    for number, (name, right, wrong) in enumerate(cases):
        client_id = await yard.program(name=f"Reader {number}", certificateName=name)
        token = await yard.token(right, client_id)
        assert await yard.use(right, token) == 200
        expired = authority.issue("reader", lasts=timedelta(minutes=-1))[0]
        for_servers = authority.issue("reader", purpose=ExtendedKeyUsageOID.SERVER_AUTH)[0]
        for pem in (wrong, unknown.issue("reader")[0], yard.own("reader"), expired, for_servers):
            refused = await yard.ask(pem, client_id)
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        # Another certificate of the same name gets tokens of its own, and opens no others.
    renewed = authority.issue("reader")[0]
    client_id = await yard.program(name="R", certificateName=cases[0][0])
    token = await yard.token(good, client_id)
    assert await yard.use(renewed, token) == 401
    assert await yard.use(renewed, await yard.token(renewed, client_id)) == 200
    # What the authority revokes ends the token too, at once; so does the authority's own end.
    path = f"/api/v1/organizations/{yard.organization}/device-authorities/{authority_id}"
    body = {"list": authority.revoke(good, number=1)}
    assert (await yard.admin.put(f"{path}/revocation-list", json=body)).status_code == 200
    assert await yard.use(good, token) == 401
    assert (await yard.ask(good, client_id)).status_code == 401
    token = await yard.token(renewed, client_id)
    assert (await yard.admin.delete(path)).status_code == 204
    assert await yard.use(renewed, token) == 401


async def test_an_authority_stands_for_programs_of_its_own_organisation_only(yard: Yard) -> None:
    authority, _ = await yard.authority("plant")
    await yard.found("Odense")
    client_id = await yard.program(certificateName={"kind": "subjectDn", "value": "CN=reader"})
    refused = await yard.ask(authority.issue("reader")[0], client_id)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_a_program_with_a_secret_may_have_its_tokens_bound(yard: Yard) -> None:
    mine, other = yard.own("mine"), yard.own("other")
    client_id = await yard.program(certificateBound=True)
    secret = {"client_secret": yard.secret}
    unbound = await yard.ask(None, client_id, **secret)
    assert (unbound.status_code, unbound.json()["error"]) == (401, "invalid_client")
    assert (await yard.ask(mine, client_id)).status_code == 401  # It proves nothing by itself.
    token = await yard.token(mine, client_id, **secret)
    assert [await yard.use(pem, token) for pem in (mine, other, None)] == [200, 401, 401]
    # Tokens from before the wish are of no use once it stands.
    plain = await yard.program(name="Plain")
    token = await yard.token(mine, plain, client_secret=yard.secret)
    assert "cnf" not in claims_of(token)
    assert await yard.use(None, token) == 200
    answer = await yard.admin.patch(
        f"/api/v1/oauth/clients/{plain}", json={"certificateBound": True}
    )
    assert answer.status_code == 200, answer.text
    assert await yard.use(mine, token) == 401


async def test_in_somebodys_name_every_token_of_a_family_is_bound(yard: Yard) -> None:
    mine, other = yard.own("mine"), yard.own("other")
    client_id = await yard.program(
        name="App", grantTypes=["authorization_code", "refresh_token"], permissionGroupIds=[],
        redirectUris=[BACK], certificates=[mine, other],
    )  # fmt: skip
    back = await allow(yard.admin, wish(Program(yard.shows(mine), client_id, None)))
    form = {"code": back["code"], "redirect_uri": BACK, "code_verifier": VERIFIER,
            "grant_type": "authorization_code"}  # fmt: skip
    refused = await yard.ask(None, client_id, **form)
    assert refused.json()["error"] == "invalid_client"
    tokens = (await yard.ask(mine, client_id, **form)).json()
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await yard.ask(None, client_id, **again)).json()["error"] == "invalid_client"
    fresh = (await yard.ask(other, client_id, **again)).json()
    assert await yard.use(mine, tokens["access_token"]) == 200
    assert await yard.use(other, tokens["access_token"]) == 401
    assert await yard.use(other, fresh["access_token"]) == 200
    # A certificate taken away ends what it was shown for.
    body = {"certificates": [mine]}
    assert (await yard.admin.patch(f"/api/v1/oauth/clients/{client_id}", json=body)).is_success
    assert await yard.use(other, fresh["access_token"]) == 401
    assert await yard.use(mine, tokens["access_token"]) == 200


async def test_a_certificate_takes_the_place_of_a_secret_and_gives_way_to_one(yard: Yard) -> None:
    mine = yard.own("mine")
    client_id = await yard.program()
    path = f"/api/v1/oauth/clients/{client_id}"
    secret = {"client_secret": yard.secret}
    before = await yard.token(mine, client_id, **secret)
    answer = await yard.admin.patch(path, json={"certificates": [mine]})
    assert answer.json()["certificates"] == [mine]
    assert await yard.use(mine, before) == 401
    assert (await yard.ask(mine, client_id, **secret)).status_code == 401
    token = await yard.token(mine, client_id)
    rotate = await yard.admin.post(f"{path}/rotate-secret")
    assert rotate.json()["code"] == "oauth.secret_not_kept"
    name = {"kind": "sanIp", "value": "2001:DB8::1"}
    answer = await yard.admin.patch(path, json={"certificates": [], "certificateName": name})
    assert answer.json()["certificateName"] == {"kind": "sanIp", "value": "2001:db8::1"}
    assert await yard.use(mine, token) == 401
    assert (await yard.ask(mine, client_id)).status_code == 401
    answer = await yard.admin.patch(path, json={"certificateName": None})
    assert answer.json()["certificateName"] is None
    secret = {
        "client_secret": (await yard.admin.post(f"{path}/rotate-secret")).json()["clientSecret"]
    }
    assert (await yard.ask(None, client_id, **secret)).status_code == 200


async def test_what_proves_nothing_cannot_be_registered(yard: Yard) -> None:
    mine = yard.own("mine")
    key = self_signed(yard, "k")[1].read_text()
    name = {"kind": "subjectDn", "value": "CN=x"}
    keys = [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]
    body = {
        "organizationId": yard.organization, "name": "x", "scopes": ["users:read"],
        "grantTypes": ["client_credentials"],
    }  # fmt: skip
    public = {"confidential": False, "grantTypes": ["authorization_code"],
              "redirectUris": ["https://a.example/"]}  # fmt: skip
    for wrong, pointer in (
        ({"certificates": ["words"]}, "/certificates/0"),
        ({"certificates": [mine + mine]}, "/certificates/0"),
        ({"certificates": [key]}, "/certificates/0"),
        ({"certificates": [mine] * 6}, "/certificates"),
        ({"certificates": [mine], "certificateName": name}, "/certificates"),
        ({"certificates": [mine], "keys": keys}, "/certificates"),
        ({"certificateName": {"kind": "subjectDn", "value": "no name"}}, "/certificateName/value"),
        ({"certificateName": {"kind": "sanIp", "value": "1.2.3"}}, "/certificateName/value"),
        ({"certificateName": {"kind": "sanDns", "value": "a\tb"}}, "/certificateName/value"),
        ({"certificateName": {"kind": "other", "value": "x"}}, "/certificateName/kind"),
        ({"certificateName": name, "organizationId": None}, "/certificateName"),
        ({"certificates": [mine], **public}, "/certificates"),
        ({"certificateBound": True, **public}, "/certificateBound"),
    ):
        answer = await yard.admin.post("/api/v1/oauth/clients", json=body | wrong)
        assert answer.status_code == 422, (wrong, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text


async def test_a_program_registers_itself_with_a_certificate(yard: Yard) -> None:
    mine = yard.own("mine")
    der = base64.b64encode(read_pem(mine).der).decode()
    other = base64.b64encode(read_pem(yard.own("other")).der).decode()
    key = ECKey.import_key(public_key_of(read_pem(mine).der)).as_dict(private=False)
    body = {"organizationId": yard.organization, "name": "t", "scopes": ["users:read"],
            "expiresAt": "2999-01-01T00:00:00Z"}  # fmt: skip
    made = await yard.admin.post("/api/v1/oauth/registration-tokens", json=body)
    token = made.json()["token"]
    client = yard.shows(None, token=token)
    told = {
        "client_name": "Agent", "redirect_uris": ["https://app.example.org/back"],
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "jwks": {"keys": [key | {"x5c": [der]}]},
    }  # fmt: skip
    named = {"client_name": "Named", "token_endpoint_auth_method": "tls_client_auth",
             "tls_client_auth_san_dns": "agent.example.org",
             "redirect_uris": told["redirect_uris"]}  # fmt: skip
    for wrong in (
        told | {"jwks": {"keys": []}}, told | {"jwks": {"keys": [key]}},
        told | {"jwks": {"keys": [key | {"x5c": ["AAAA"]}]}},
        told | {"jwks": {"keys": [key | {"x5c": [7]}]}},
        told | {"jwks": {"keys": [key | {"x5c": [other]}]}},
        told | {"tls_client_auth_subject_dn": "CN=x"}, named | {"jwks": told["jwks"]},
        named | {"tls_client_auth_subject_dn": "CN=x"},
        {k: v for k, v in named.items() if k != "tls_client_auth_san_dns"},
        told | {"tls_client_certificate_bound_access_tokens": "yes"},
    ):  # fmt: skip
        answer = await client.post("/api/v1/oauth/register", json=wrong)
        assert answer.status_code == 400, (wrong, answer.text)
    made = (await client.post("/api/v1/oauth/register", json=told)).json()
    assert made["tls_client_certificate_bound_access_tokens"] is True
    assert made["jwks"]["keys"][0]["x5c"] == [der]
    assert "client_secret" not in made
    made = (await client.post("/api/v1/oauth/register", json=named)).json()
    assert made["tls_client_auth_san_dns"] == "agent.example.org"
    # It reads and changes that by its own token.
    own = yard.shows(None, token=made["registration_access_token"])
    path = f"/api/v1/oauth/register/{made['client_id']}"
    answer = await own.put(path, json=told | {"client_id": made["client_id"], "client_name": "N"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["jwks"]["keys"][0]["x5c"] == [der]
    assert "tls_client_auth_san_dns" not in answer.json()
    metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    methods = metadata["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= {*methods}


async def test_where_no_proxy_is_believed_nothing_of_it_is_offered(world: World) -> None:
    metadata = (await world.client().get("/.well-known/oauth-authorization-server")).json()
    assert "tls_client_certificate_bound_access_tokens" not in metadata
    assert "tls_client_auth" not in metadata["token_endpoint_auth_methods_supported"]


async def test_over_mqtt_a_bound_token_is_of_use_beside_its_certificate_only(yard: Yard) -> None:
    (yard.directory / "server").mkdir()
    server = Authority(yard.directory / "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load(context, "localhost")
    ask_for_certificates(context)
    yard.server.write_text(server.certificate)
    async with yard.world.mqtt(context) as port:
        yard.port = port
        yard.anchors = Anchors(context, yard.world.app.state.doorbells)
        authority, authority_id = await yard.authority("plant")
        name = {"kind": "subjectDn", "value": "CN=reader"}
        client_id = await yard.program(certificateName=name)
        files, others = authority.files("reader"), authority.files("other")
        token = await yard.token(files[0].read_text(), client_id)
        for shown, code in ((files, 0), (others, 0x86), (None, 0x86)):
            answer = await yard.answer(shown, username="reader", secret=token)
            assert answer.reason_code == code, shown
        # What is open ends with the certificate.
        async with yard.dialled(files, username="reader", secret=token) as client:
            assert (await client.next(ConnAck)).reason_code == 0
            path = f"/api/v1/organizations/{yard.organization}/device-authorities/{authority_id}"
            body = {"list": authority.revoke(files[0].read_text(), number=1)}
            answer = await yard.admin.put(f"{path}/revocation-list", json=body)
            assert answer.status_code == 200
            said = await client.until_closed()
            assert said is not None
            assert said.reason_code == 0x98
