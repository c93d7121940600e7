"""An external policy decision point: what it does not permit in so many words is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr, ValidationError

import web
from moorage.entry.doctor import Health, examine
from moorage.kit.decisions import Asked, DecisionMissing, DecisionPoint, Question
from moorage.organizations import Role
from moorage.sections import DecisionSettings
from moorage_mqtt import ConnAck
from scenarios.client import connected, dialled
from targets.servers import Answer, HttpServer, Request, http_server
from web import World

QUESTION = Question((("who", "ann"),), "GET", (("what", "door"),))
PERMIT, DENY = {"Decision": "Permit"}, {"Decision": "Deny"}
Policy = Callable[[dict[str, Any]], bool]


def said(*results: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps({"Response": list(results)}).encode())


def asked_of(request: Request) -> dict[str, Any]:
    """Read a question as the profile has it: its attributes by their last word."""
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/xacml+json"
    found = {}
    for category in json.loads(request.body)["Request"]["Category"]:
        for attribute in category["Attribute"]:
            assert attribute["DataType"] == "http://www.w3.org/2001/XMLSchema#string"
            found[attribute["AttributeId"].rpartition(":")[2]] = attribute["Value"]
    return found


@dataclass
class Guarded:
    """An installation with a decision point, and who writes its policies."""

    world: World
    server: HttpServer

    def permit(self, policy: Policy) -> None:
        """Permit what a policy says of a question."""
        self.server.behave = lambda request: said(PERMIT if policy(asked_of(request)) else DENY)


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path) -> AsyncIterator[Guarded]:
    async with http_server() as server:
        server.behave = lambda _request: said(PERMIT)
        where = {
            "MOORAGE_DECISIONS_URL": f"{server.url}/pdp", "MOORAGE_DECISIONS_KEEP_S": "0",
            "MOORAGE_DECISIONS_TIMEOUT_S": "10",
        }  # fmt: skip
        async with web.running(database_url, tmp_path, **where) as world:
            yield Guarded(world, server)


# --- What counts as a permit -------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "permitted"),
    [
        (said(PERMIT), True),
        (Answer(body=b'{"Response": {"Decision": "Permit", "Status": {}}}'), True),
        (said(PERMIT | {"Obligations": []}), True),
        (said(DENY), False),
        (said({"Decision": "NotApplicable"}), False),
        (said({"Decision": "Indeterminate"}), False),
        (said(PERMIT | {"Obligations": [{"Id": "tell-the-owner"}]}), False),
        (said(), None),
        (said(PERMIT, PERMIT), None),
        (said({"Decision": "permit"}), None),
        (said({}), None),
        (Answer(body=b""), None),
        (Answer(body=b"[" * 100_000), None),
        (Answer(body=b'{"Response": [{"Decision": "\xff"}]}'), None),
        (Answer(body=said(PERMIT).body + b" " * 70_000), None),
        (Answer(500, said(PERMIT).body), None),
        (Answer(302, said(PERMIT).body, {"location": "/elsewhere"}), None),
        (Answer(close=True), None),
        (Answer(body=said(PERMIT).body, after_s=2), None),
    ],
)
async def test_only_a_plain_permit_permits(answer: Answer, permitted: bool | None) -> None:
    async with http_server() as server:
        server.behave = lambda _request: answer
        point = DecisionPoint(Asked(f"{server.url}/pdp", timeout_s=0.2 if answer.after_s else 10))
        try:
            if permitted is None:
                with pytest.raises(DecisionMissing):
                    await point.permits(QUESTION)
            else:
                assert await point.permits(QUESTION) is permitted
        finally:
            await point.close()
        # No redirect was followed, nothing was tried again.
        assert len(server.requests) == (0 if answer.after_s else 1)


async def test_a_decision_is_kept_for_its_time_and_a_silence_for_a_second() -> None:
    now = 0.0

    async def asked_at(instant: float) -> int:
        nonlocal now
        now = instant
        assert await point.permits(QUESTION)
        return len(server.requests)

    async with http_server() as server:
        server.behave = lambda _request: said(PERMIT)
        known = Asked(server.url, SecretStr("Bearer x"), keep_s=3)
        point = DecisionPoint(known, clock=lambda: now)
        assert [await asked_at(when) for when in (0.0, 2.9, 3.0)] == [1, 1, 2]
        assert server.requests[0].headers["authorization"] == "Bearer x"
        server.behave = lambda _request: Answer(close=True)
        for when in (6.0, 6.9):
            with pytest.raises(DecisionMissing):
                await asked_at(when)
            assert len(server.requests) == 3
        server.behave = lambda _request: said(PERMIT)
        assert await asked_at(7.0) == 4
        await point.close()


def test_no_decision_comes_in_the_clear_from_another_machine() -> None:
    for url in ("http://decisions.example.org/pdp", "ftp://localhost", "https://u:p@x.example"):
        with pytest.raises(ValidationError, match=r"decisions\.url|url"):
            DecisionSettings(url=url)
    for url in ("https://decisions.example.org/pdp", "http://localhost:8080/pdp"):
        assert DecisionSettings(url=url).url == url


async def test_the_doctor_asks_a_trial_question(tmp_path: Path) -> None:
    async with http_server() as server:
        settings = web.settings_of(tmp_path, MOORAGE_DECISIONS_URL=f"{server.url}/pdp")

        def found() -> tuple[Health, str]:
            (one,) = islice((f for f in examine(settings) if f.name == "policies"), 1)
            return one.health, one.found

        server.behave = lambda _request: said(DENY)
        assert await asyncio.to_thread(found) == (
            Health.GOOD, "the decision point answers (it denies a trial)",
        )  # fmt: skip
        server.behave = lambda _request: Answer(404)
        assert await asyncio.to_thread(found) == (
            Health.BAD, f"{server.url}/pdp: its answer is 404",
        )  # fmt: skip


# --- Over HTTP -----------------------------------------------------------------


async def test_its_denial_wins_and_its_permit_gives_nothing(guarded: Guarded) -> None:
    world = guarded.world
    north = await world.organization("North")
    admin = await world.admin()
    reader = await world.person("reader@example.org", north.id, Role.READ)
    body = {"organizationId": str(north.id), "name": "Water"}
    assert (await reader.post("/api/v1/applications", json=body)).status_code == 403
    made = (await admin.post("/api/v1/applications", json=body)).json()["id"]
    path = f"/api/v1/applications/{made}"
    assert (await reader.get(path)).status_code == 200

    guarded.permit(lambda asked: asked.get("application-id") != made)
    # An id is the same however it is written.
    for same in (made, made.upper(), made.replace("-", ""), f"urn:uuid:{made}", f"{{{made}}}"):
        refused = await reader.get(f"/api/v1/applications/{same}")
        assert (refused.status_code, refused.json()["code"]) == (403, "decisions.denied"), same
        for name in ("applicationId", "ApplicationId"):
            listed = await reader.get("/api/v1/devices", params={name: same})
            assert listed.json()["code"] == "decisions.denied", (name, same)
    assert (await reader.get("/api/v1/devices")).status_code == 200
    # Nobody is above it, and it is told once a minute.
    assert (await admin.patch(path, json={"name": "Mine"})).json()["code"] == "decisions.denied"
    async with world.database.begin() as tx:
        rows = await tx.execute(
            "SELECT caller_label, after FROM facts WHERE name = 'api_gateway.access_refused'"
            " AND after ->> 'permission' IS NULL ORDER BY id"
        )
        told = [(row.caller_label, row.after["method"], row.after["path"]) for row in rows]
    assert told == [("reader@example.org", "GET", path), ("admin@example.org", "PATCH", path)]


async def test_a_question_names_who_asks_for_what_from_where(guarded: Guarded) -> None:
    world = guarded.world
    north = await world.organization("North")
    reader = await world.person("reader@example.org", north.id, Role.READ)
    me = (await reader.get("/api/v1/auth/me")).json()
    guarded.server.requests.clear()
    one, two = "0190b5a0-0000-7000-8000-000000000001", "0190b5a0-0000-7000-8000-000000000002"
    await reader.get(f"/api/v1/devices/{one}/messages", params={"deviceId": two, "q": "x"})
    (request,) = guarded.server.requests
    assert request.target == "/pdp"
    assert asked_of(request) == {
        "subject-id": me["id"], "kind": "person", "name": "reader@example.org",
        "organization-id": str(north.id), "action-id": "GET",
        "resource-id": f"/api/v1/devices/{one}/messages", "device-id": [one, two],
        "address": "192.0.2.7",
    }  # fmt: skip


async def test_without_its_answer_nothing_is_permitted_but_signing_out(guarded: Guarded) -> None:
    admin = await guarded.world.admin()
    guarded.server.behave = lambda _request: Answer(close=True)
    for path in ("/api/v1/organizations", "/api/v1/auth/me"):
        missing = await admin.get(path)
        assert (missing.status_code, missing.json()["code"]) == (503, "decisions.missing")
    made = await admin.post("/api/v1/organizations", json={"name": "North"})
    assert made.status_code == 503
    # Who has no credential is told so, and no policy is asked about nobody.
    assert (await guarded.world.client().get("/api/v1/organizations")).status_code == 401
    assert (await admin.post("/api/v1/auth/sign-out")).status_code == 204


async def test_an_open_feed_ends_when_it_is_no_longer_permitted(guarded: Guarded) -> None:
    reader = await guarded.world.admin()
    opened, sent = asyncio.Event(), bytearray()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        sent.extend(message.get("body", b""))
        opened.set()

    questions = count()

    async def receive() -> dict[str, Any]:
        if next(questions):
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    request = reader.build_request("GET", "/api/v1/feed")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "path": "/api/v1/feed", "raw_path": b"/api/v1/feed", "root_path": "", "scheme": "http",
        "query_string": b"", "state": {}, "server": ("localhost", 8080),
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
        "client": ("192.0.2.9", 40000),
    }  # fmt: skip
    async with asyncio.timeout(20):
        following = asyncio.ensure_future(guarded.world.app(scope, receive, send))
        await opened.wait()
        guarded.permit(lambda asked: asked["resource-id"] != "/api/v1/feed")
        await following
    assert sent.endswith(b"event: ended\ndata: {}\n\n")


# --- Over MQTT -----------------------------------------------------------------


async def a_key(admin: AsyncClient, world: World, organization_id: UUID) -> dict[str, Any]:
    group = await world.group(organization_id, Role.APPLICATION_ADMIN)
    body = {"organizationId": str(organization_id), "name": "program"}
    made = await admin.post("/api/v1/api-keys", json=body | {"permissionGroupIds": [str(group)]})
    assert made.status_code == 201, made.text
    shown: dict[str, Any] = made.json()
    return shown


async def test_programs_at_the_mqtt_door_are_asked_about_too(guarded: Guarded) -> None:
    world = guarded.world
    north = await world.organization("North")
    admin = await world.admin()
    secret = (await a_key(admin, world, north.id))["key"]
    ids = []
    for name in ("Water", "Doors"):
        body = {"organizationId": str(north.id), "name": name}
        ids.append((await admin.post("/api/v1/applications", json=body)).json()["id"])
    water, doors = ids
    body = {"applicationId": water, "name": "Pump"}
    pump = (await admin.post("/api/v1/devices", json=body)).json()["id"]
    readings = [f"v1/applications/{one}/devices/+/up" for one in ids]
    command = f"v1/applications/{water}/devices/{pump}/op"
    stop = b'{"code": "stop"}'

    async with world.mqtt() as port:
        guarded.permit(lambda asked: asked["action-id"] != "connect")
        async with dialled(port, username="x", secret=secret) as client:
            assert (await client.next(ConnAck)).reason_code == 0x86

        guarded.permit(
            lambda asked: asked.get("application-id") != doors and asked["action-id"] != "command"
        )
        async with connected(port, "x", secret) as client:
            assert await client.subscribe(readings[0]) == 1
            assert await client.subscribe(readings[1]) == 0x87
            assert await client.publish(command, stop) == 0x87
            guarded.permit(lambda asked: asked.get("application-id") != doors)
            assert await client.publish(command, stop) == 0
            # What it hears ends when the policy does.
            guarded.permit(lambda asked: asked.get("application-id") != water)
            async with asyncio.timeout(10):
                told = await client.until_closed()
            assert told is not None
            assert told.reason_code == 0x98
        guarded.server.behave = lambda _request: Answer(close=True)
        async with dialled(port, username="x", secret=secret) as client:
            assert (await client.next(ConnAck)).reason_code == 0x88
