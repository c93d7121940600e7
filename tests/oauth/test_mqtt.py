"""Programs with access tokens at the MQTT door: the same rights, ended within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from joserfc import jwt
from joserfc.jwk import ECKey

from moorage.organizations import Role
from moorage_mqtt import ConnAck
from programs import Program, a_program, allowed
from scenarios.client import connected, dialled
from web import World

KEY = ECKey.generate_key("P-256")
TOKEN = {"grant_type": "client_credentials"}


@dataclass
class Plant:
    """An organisation with an application, a machine that may read it, and the door."""

    world: World
    admin: AsyncClient
    port: int
    organization: UUID
    machine: Program
    group: UUID
    readings: str


@pytest.fixture
async def plant(world: World) -> AsyncIterator[Plant]:
    home = await world.organization("North")
    admin = await world.admin()
    body = {"organizationId": str(home.id), "name": "Plant"}
    application = (await admin.post("/api/v1/applications", json=body)).json()["id"]
    group = await world.group(home.id, Role.READ)
    machine = await a_program(
        world, admin, home.id, name="Reader", grantTypes=["client_credentials"], redirectUris=[],
        permissionGroupIds=[str(group)], scopes=["messages:read", "devices:operate"],
    )  # fmt: skip
    async with world.mqtt() as port:
        yield Plant(
            world, admin, port, home.id, machine, group,
            f"v1/applications/{application}/devices/+/up",
        )  # fmt: skip


async def a_token(program: Program, **more: str) -> str:
    answer = await program.post("token", **TOKEN, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def test_a_token_reads_what_its_client_may_read(plant: Plant) -> None:
    token = await a_token(plant.machine)
    async with connected(plant.port, "anything", token) as program:
        assert await program.subscribe(plant.readings) == 1
        assert await program.subscribe("v1/applications/#") == 0x87
        # Its groups let it operate nothing, whatever its scopes.
        command = plant.readings.replace("+/up", f"{plant.organization}/op")
        assert await program.publish(command, b'{"code": "stop"}') == 0x87
    less = await a_token(plant.machine, scope="devices:operate")
    async with connected(plant.port, "anything", less) as program:
        assert await program.subscribe(plant.readings) == 0x87


@pytest.mark.parametrize(
    "how",
    [
        "revoked",
        "removed",
        "left the group",
        "narrowed",
        "taken back",
        "deactivated",
        "expired",
        "another secret",
        "keys instead",
    ],
)
async def test_a_program_that_loses_its_rights_is_cut_within_a_second(
    plant: Plant, how: str
) -> None:
    world, admin, program = plant.world, plant.admin, plant.machine
    path = f"/api/v1/oauth/clients/{program.id}"
    person: Any = None
    if how in ("taken back", "deactivated"):
        person = await world.user("ann@example.org", plant.group)
        scopes = ["messages:read"]
        program = await a_program(world, admin, plant.organization, scopes=scopes)
        tokens = await allowed(await world.sign_in("ann@example.org"), program)
        token = tokens["access_token"]
    else:
        token = await a_token(program)
    if how == "expired":
        keys = world.app.state.signing_keys
        claims = jwt.decode(token, keys.keys[keys.signer], algorithms=["ES256"]).claims
        token = keys.sign({**claims, "exp": int(time.time()) + 4})
    async with connected(plant.port, "x", token) as client:
        assert await client.subscribe(plant.readings) == 1
        if how == "revoked":
            answer = await program.post("revoke", token=token)
        elif how == "removed":
            answer = await admin.delete(path)
        elif how == "left the group":
            answer = await admin.delete(
                f"/api/v1/permissions/{plant.group}/members/client/{program.id}"
            )
        elif how == "narrowed":
            answer = await admin.patch(path, json={"scopes": ["devices:operate"]})
        elif how == "another secret":
            answer = await admin.post(f"{path}/rotate-secret")
        elif how == "keys instead":
            answer = await admin.patch(path, json={"keys": [KEY.as_dict(private=False)]})
        elif how == "taken back":
            (shown,) = (await admin.get("/api/v1/oauth/authorizations")).json()["items"]
            answer = await admin.delete(f"/api/v1/oauth/authorizations/{shown['id']}")
        elif how == "deactivated":
            answer = await admin.patch(f"/api/v1/users/{person.id}", json={"active": False})
        assert how == "expired" or answer.status_code in (200, 204), answer.text
        async with asyncio.timeout(10):
            told = await client.until_closed()
        assert told is not None
        assert told.reason_code == 0x98
    if how == "expired":
        async with dialled(plant.port, username="x", secret=token) as late:
            assert (await late.next(ConnAck)).reason_code == 0x86


async def test_a_persons_own_device_is_heard_and_commanded_until_it_is_theirs_no_more(
    plant: Plant,
) -> None:
    world, admin = plant.world, plant.admin
    application = plant.readings.split("/")[2]
    mine, other = [
        (
            await admin.post(
                "/api/v1/devices", json={"applicationId": application, "name": name, "kind": "mqtt"}
            )
        ).json()["id"]
        for name in ("Mine", "Other")
    ]
    group = {
        "organizationId": str(plant.organization), "name": "Owners", "everyApplication": False,
        "ownDevices": True, "permissions": ["devices:read", "messages:read", "devices:operate"],
    }  # fmt: skip
    owners = UUID((await admin.post("/api/v1/permissions", json=group)).json()["id"])
    ann = await world.user("ann@example.org", owners)
    owner = f"/api/v1/devices/{mine}/owner"
    assert (await admin.put(owner, json={"userId": str(ann.id)})).status_code == 200
    scopes = ["devices:read", "messages:read", "devices:operate"]
    program = await a_program(world, admin, plant.organization, scopes=scopes)
    tokens = await allowed(await world.sign_in("ann@example.org"), program)
    own, theirs = (plant.readings.replace("+/up", one) for one in (mine, other))
    async with connected(plant.port, "x", tokens["access_token"]) as client:
        assert await client.subscribe(f"{own}/up") == 1
        for beyond in (f"{theirs}/up", plant.readings, own.replace(application, mine) + "/up"):
            assert await client.subscribe(beyond) == 0x87, beyond
        assert await client.publish(f"{own}/op", b'{"code": "ring"}') == 0
        assert await client.publish(f"{theirs}/op", b'{"code": "ring"}') == 0x87
        assert (await admin.delete(owner)).status_code == 204
        async with asyncio.timeout(10):
            told = await client.until_closed()
        assert told is not None
        assert told.reason_code == 0x98


async def test_a_token_that_is_not_for_this_door_lets_nobody_in(plant: Plant) -> None:
    issuer = plant.world.settings.public_url
    good = await a_token(plant.machine, resource=f"{issuer}/mqtt")
    head, body, signature = good.split(".")
    for secret in (
        await a_token(plant.machine, resource=f"{issuer}/api/v1"),
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body[:-4]}AAAA.{signature}",
        f"{head}..{signature}",
        "eyJ.eyJ.x",
    ):
        async with dialled(plant.port, username="x", secret=secret) as client:
            assert (await client.next(ConnAck)).reason_code == 0x86
    async with connected(plant.port, "x", good) as client:
        assert await client.subscribe(plant.readings) == 1
