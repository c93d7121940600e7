"""SCRAM-SHA-256 at the MQTT door: passwords that are proved, not told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import scramp
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from moorage.builtin.transports.mqtt.scram import METHOD, Exchange, ScramRefused
from moorage.devices import Proof
from moorage.kit.ids import uuid7
from moorage.kit.secrets import Scram, read_scram, scram_decoy, scram_hash
from moorage_mqtt import Auth, ConnAck, ReasonCode
from scenarios.client import Client, dialled
from web import World

GO_ON, AGAIN = ReasonCode.CONTINUE_AUTHENTICATION, ReasonCode.REAUTHENTICATE


class House:
    """Devices with passwords, behind the door."""

    def __init__(self, admin: AsyncClient, port: int) -> None:
        self.admin = admin
        self.port = port
        self.ids: dict[str, str] = {}
        self.credentials: dict[str, str] = {}
        self.secrets: dict[str, str] = {}

    async def make(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def settle(self, *names: str) -> None:
        owner = (await self.make("/organizations", name="Aarhus"))["id"]
        application = (await self.make("/applications", organizationId=owner, name="Plant"))["id"]
        for name in names:
            body = {"applicationId": application, "name": name}
            self.ids[name] = (await self.make("/devices", **body))["id"]
            path = f"/devices/{self.ids[name]}/credentials"
            shown = await self.make(path, kind="password", userName=name)
            self.secrets[name] = shown["secret"]
            self.credentials[name] = shown["credential"]["id"]

    async def listed(self, text: str, hint: str) -> None:
        """Wait until a refusal is listed."""
        async with asyncio.timeout(10):
            while True:
                found = (await self.admin.get("/api/v1/refusals")).json()["items"]
                if any(text in one["detail"] and one["hint"] == hint for one in found):
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
async def house(world: World) -> AsyncIterator[House]:
    async with world.mqtt() as port:
        one = House(await world.admin(), port)
        await one.settle("pump", "valve")
        yield one


def scram(name: str, secret: str) -> scramp.ScramClient:
    return scramp.ScramClient([METHOD], name, secret)


def first(client: scramp.ScramClient) -> dict[str, Any]:
    """Give what CONNECT carries."""
    data = client.get_client_first().encode()
    return {"authentication_method": METHOD, "authentication_data": data}


async def go_on(client: Client, prover: scramp.ScramClient, code: ReasonCode = GO_ON) -> None:
    """Take the server's challenge, and answer it."""
    challenge = await client.next(Auth)
    assert challenge.reason_code == GO_ON
    prover.set_server_first(challenge.properties["authentication_data"].decode())
    client.core.authenticate(code, prover.get_client_final().encode())
    client.flush()


@asynccontextmanager
async def proved(house: House, name: str, secret: str) -> AsyncIterator[tuple[Client, ConnAck]]:
    """Connect, and give the answer whatever it is."""
    prover = scram(name, secret)
    async with dialled(house.port, client_id=name, properties=first(prover)) as client:
        await go_on(client, prover)
        answer = await client.next(ConnAck)
        if not answer.reason_code:
            prover.set_server_final(answer.properties["authentication_data"].decode())
        yield client, answer


# --- At the door ----------------------------------------------------------------------------------


async def test_a_device_proves_its_password_and_the_door_that_it_knows_it(house: House) -> None:
    async with proved(house, "pump", house.secrets["pump"]) as (client, answer):
        assert answer.reason_code == 0
        assert answer.properties["authentication_method"] == METHOD
        assert await client.publish("v1/up", b"1") == 0
        # It is that device and nobody else.
        assert await client.publish(f"v1/devices/{house.ids['pump']}/up", b"1") == 0
        other = f"v1/devices/{house.ids['valve']}/up"
        assert await client.publish(other, b"1") == ReasonCode.NOT_AUTHORIZED


async def test_who_does_not_prove_it_is_refused_and_listed_by_name(house: House) -> None:
    for name, secret in (
        ("pump", "wrong"),
        ("pump", house.secrets["valve"]),
        ("nobody", house.secrets["pump"]),
        (house.ids["pump"], house.secrets["pump"]),
    ):
        async with proved(house, name, secret) as (_, answer):
            assert answer.reason_code == ReasonCode.NOT_AUTHORIZED
            assert "v=" not in str(answer.properties)
        await house.listed("No device has these credentials", name)


async def test_names_cannot_be_sounded(house: House) -> None:
    async def challenged(name: str) -> tuple[str, int]:
        prover = scram(name, "any")
        async with dialled(house.port, properties=first(prover)) as client:
            data = (await client.next(Auth)).properties["authentication_data"].decode()
        parts = dict(part.split("=", 1) for part in data.split(","))
        return parts["s"], int(parts["i"])

    known, stranger, other = [await challenged(name) for name in ("pump", "no-one", "no-two")]
    assert await challenged("pump") == known
    assert await challenged("no-one") == stranger
    assert (len(known[0]), known[1]) == (len(stranger[0]), stranger[1])
    assert stranger[0] != other[0]


async def test_a_rotated_or_revoked_password_proves_nothing_more(house: House) -> None:
    path = f"/api/v1/devices/{house.ids['pump']}"
    async with proved(house, "pump", house.secrets["pump"]) as (client, answer):
        assert answer.reason_code == 0
        body = {"credentialId": house.credentials["pump"]}
        fresh = (await house.admin.post(f"{path}/rotate-credential", json=body)).json()["secret"]
        assert await client.until_closed() is not None
    async with proved(house, "pump", house.secrets["pump"]) as (_, answer):
        assert answer.reason_code == ReasonCode.NOT_AUTHORIZED
    async with proved(house, "pump", fresh) as (client, answer):
        assert answer.reason_code == 0
        await house.admin.delete(f"{path}/credentials/{house.credentials['pump']}")
        said = await client.until_closed()
        assert said is not None
        assert said.reason_code == ReasonCode.ADMINISTRATIVE_ACTION
    async with proved(house, "pump", fresh) as (_, answer):
        assert answer.reason_code == ReasonCode.NOT_AUTHORIZED


async def test_a_password_that_expires_ends_what_it_opened_and_proves_nothing_more(
    house: House,
) -> None:
    ends = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    path = f"/devices/{house.ids['pump']}/credentials"
    body = {"kind": "password", "userName": "guest", "expiresAt": ends}
    secret = (await house.make(path, **body))["secret"]
    async with proved(house, "guest", secret) as (client, answer):
        assert answer.reason_code == 0
        async with asyncio.timeout(10):
            said = await client.until_closed()
        assert said is not None
        assert said.reason_code == ReasonCode.ADMINISTRATIVE_ACTION
    async with proved(house, "guest", secret) as (_, answer):
        assert answer.reason_code == ReasonCode.NOT_AUTHORIZED


async def test_what_was_said_once_proves_nothing_a_second_time(house: House) -> None:
    prover = scram("pump", house.secrets["pump"])
    properties = first(prover)
    async with dialled(house.port, properties=properties) as client:
        challenge = (await client.next(Auth)).properties["authentication_data"].decode()
        prover.set_server_first(challenge)
        final = prover.get_client_final().encode()
        client.core.authenticate(GO_ON, final)
        client.flush()
        assert (await client.next(ConnAck)).reason_code == 0
    async with dialled(house.port, properties=properties) as client:
        await client.next(Auth)
        client.core.authenticate(GO_ON, final)
        client.flush()
        assert (await client.next(ConnAck)).reason_code == ReasonCode.NOT_AUTHORIZED


@pytest.mark.parametrize("name", ["pump", "valve"])
async def test_an_open_connection_proves_itself_again_as_the_same_device(
    house: House, name: str
) -> None:
    async with proved(house, "pump", house.secrets["pump"]) as (client, _):
        prover = scram(name, house.secrets[name])
        client.core.authenticate(AGAIN, prover.get_client_first().encode())
        client.flush()
        await go_on(client, prover)
        if name == "pump":
            done = await client.next(Auth)
            assert done.reason_code == 0
            prover.set_server_final(done.properties["authentication_data"].decode())
            assert await client.publish("v1/up", b"1") == 0
        else:
            said = await client.until_closed()
            assert said is not None
            assert said.reason_code == ReasonCode.NOT_AUTHORIZED


async def test_a_wrong_password_on_an_open_connection_ends_it(house: House) -> None:
    async with proved(house, "pump", house.secrets["pump"]) as (client, _):
        prover = scram("pump", "wrong")
        client.core.authenticate(AGAIN, prover.get_client_first().encode())
        client.flush()
        await go_on(client, prover)
        said = await client.until_closed()
        assert said is not None
        assert said.reason_code == ReasonCode.NOT_AUTHORIZED


async def test_auth_out_of_turn_ends_the_connection(house: House) -> None:
    async with proved(house, "pump", house.secrets["pump"]) as (client, _):
        client.core.authenticate(GO_ON, b"c=biws,r=x,p=AAAA")
        client.flush()
        said = await client.until_closed()
        assert said is not None
        assert said.reason_code == ReasonCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"n,,n=pump",
        b"n,,r=abc",
        b"n,a=valve,n=pump,r=abc",
        b"p=tls-exporter,,n=pump,r=abc",
        b"p=tls-unique,,n=pump,r=abc",
        b"n,,n=pump,r=abc,m=more",
        b"n,,n=pu\xffmp,r=abc",
        b"n,,n=" + b"x" * 3_000 + b",r=abc",
        b"n,,n=pump,r=a\0bc",
    ],
)
async def test_what_cannot_be_read_is_refused_with_words(house: House, data: bytes) -> None:
    properties = {"authentication_method": METHOD, "authentication_data": data}
    async with dialled(house.port, properties=properties) as client:
        answer = await client.next(ConnAck)
        assert answer.reason_code == ReasonCode.NOT_AUTHORIZED
        assert str(answer.properties["reason_string"]).startswith("SCRAM: ")


async def test_other_methods_are_refused_by_their_name(house: House) -> None:
    for method in "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "PLAIN":
        properties = {"authentication_method": method, "authentication_data": b"n,,n=pump,r=abc"}
        async with dialled(house.port, properties=properties) as client:
            answer = await client.next(ConnAck)
            assert answer.reason_code == ReasonCode.BAD_AUTHENTICATION_METHOD


# --- The exchange alone ---------------------------------------------------------------------------


def test_a_kept_hash_is_what_rfc_7677_derives(monkeypatch: pytest.MonkeyPatch) -> None:
    # RFC 7677, section 3.
    salt = bytes.fromhex("5b6d99689d12358eeca04b141236fa81")
    monkeypatch.setattr("moorage.kit.secrets.secrets.token_bytes", lambda _size: salt)
    kept = read_scram(scram_hash("pencil") or "")
    assert kept.salt == salt
    client = scramp.ScramClient([METHOD], "user", "pencil", c_nonce="rOprNGfwEbeRWgbNEkqO")
    server = scramp.ScramMechanism(METHOD).make_server(
        lambda _name: (kept.salt, kept.stored_key, kept.server_key, kept.iterations),
        s_nonce="%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    )
    server.set_client_first(client.get_client_first())
    client.set_server_first(server.get_server_first())
    final = client.get_client_final()
    assert final.endswith("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    server.set_client_final(final)
    assert server.get_server_final() == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_secret_that_saslprep_forbids_has_no_hash() -> None:
    assert scram_hash("bell\x07") is None


def test_a_decoy_is_the_same_for_a_name_and_another_for_others() -> None:
    one = scram_decoy(b"key", "pump")
    assert one == scram_decoy(b"key", "pump")
    assert one not in (scram_decoy(b"key", "valve"), scram_decoy(b"yek", "pump"))


@given(st.binary(max_size=200), st.binary(max_size=200), st.booleans())
def test_whatever_comes_is_refused_or_proves_nothing(
    data: bytes, final: bytes, begins: bool
) -> None:
    try:
        exchange = Exchange((b"n,,n=pump,r=" if begins else b"") + data)
    except ScramRefused:
        return
    kept = Scram(bytes(16), 4096, bytes(32), bytes(32))
    assert b"s=" in exchange.challenge(Proof(exchange.user_name, uuid7(), 1, kept))
    assert exchange.finish(final) is None


def test_a_decoy_is_never_proved() -> None:
    """Even by who has found what it is made of."""
    kept = read_scram(scram_hash("known") or "")
    client = scram("nobody", "known")
    exchange = Exchange(client.get_client_first().encode())
    client.set_server_first(exchange.challenge(Proof("nobody", None, 0, kept)).decode())
    assert exchange.finish(client.get_client_final().encode()) is None
