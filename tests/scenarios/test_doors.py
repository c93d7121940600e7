"""Strangers, wrongdoers and changed rights at the doors; good devices go on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from httpx2 import AsyncClient, Client, Response

from installation import COMMAND, DeviceKey, Installation, ok, running
from moorage import ledger
from moorage.ledger import Envelope
from moorage_mqtt import V5, V311, ConnAck, Disconnect
from ports import free_ports
from scenarios.client import connected, dialled

both = pytest.mark.parametrize("version", [V311, V5])
LARGEST = 2_048
UP = "/ingest/v1/up"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation with small limits."""
    settings = {
        "INGEST_LARGEST_MESSAGE": str(LARGEST),
        "INGEST_DEVICE_RATE": "2",
        "INGEST_DEVICE_BURST": "40",
    }
    with running(tmp_path_factory.mktemp("doors") / "data", settings) as platform:
        yield platform


@pytest.fixture(scope="module")
def organization_id(platform: Installation) -> str:
    return platform.organization("Harbour")


@pytest.fixture(scope="module")
def application_id(platform: Installation, organization_id: str) -> str:
    return platform.application(organization_id, "Cranes")


@pytest.fixture(scope="module")
def reader(platform: Installation, organization_id: str) -> Client:
    """Give somebody who may read in the organisation."""
    groups = platform.groups_of(organization_id)
    return platform.person(f"reader-{uuid4()}@example.org", groups)


@pytest.fixture
def key(platform: Installation, application_id: str) -> DeviceKey:
    return platform.device(application_id, "crane", user_name=f"crane-{uuid4()}")


@pytest.fixture
async def http(platform: Installation) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=platform.url, timeout=30) as client:
        yield client


def bearer(key: DeviceKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.secret}"}


def code_of(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def refusals(client: Client, hint: str | None = None, **wanted: str) -> list[dict[str, Any]]:
    """Wait until something was turned away, with that hint if one is named; give what is listed."""
    for _ in range(100):
        found: list[dict[str, Any]] = ok(
            client.get("/api/v1/refusals", params={**wanted, "limit": "100"})
        ).json()["items"]
        if found and (hint is None or hint in {row["hint"] for row in found}):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"nothing is listed for {wanted} with {hint}, only {found}")


# --- Who ------------------------------------------------------------------


@both
async def test_a_stranger_is_told_and_listed_for_administrators_only(
    platform: Installation, reader: Client, key: DeviceKey, version: int
) -> None:
    refused = 0x86 if version == V5 else 4
    nobody = 0x87 if version == V5 else 5
    port, name = platform.mqtt_port, f"stranger-{uuid4()}"
    for username, secret, code in ((name, "guess", refused), (None, None, nobody)):
        async with dialled(port, version=version, username=username, secret=secret) as client:
            assert (await client.next(ConnAck)).reason_code == code
            await client.until_closed()
    async with dialled(port, version=version, username=key.user_name, secret="wrong") as client:
        assert (await client.next(ConnAck)).reason_code == refused
    async with connected(port, key.user_name, key.secret, version=version) as client:
        assert await client.publish("v1/up", b'{"t":1}') == 0

    def listed() -> bool:
        found = ok(platform.admin.get("/api/v1/refusals", params={"limit": "200"})).json()
        return any(row["hint"] == name for row in found["items"])

    await asyncio.to_thread(platform.until, listed, "the stranger is not listed", 20)
    seen = ok(reader.get("/api/v1/refusals", params={"limit": "200"})).json()["items"]
    assert name not in {row["hint"] for row in seen}


async def test_http_without_or_with_wrong_credentials_is_unsigned(
    platform: Installation, application_id: str, http: AsyncClient
) -> None:
    key = platform.device(application_id, "signed")
    for headers in (
        {},
        {"Authorization": "Bearer mdk_wrong"},
        {"Authorization": "Basic AAAA"},
        {"Authorization": "Basic !"},
        {"X-Device-Key": b"\xff"},
    ):
        answer = await http.post(UP, json={"t": 1}, headers=headers)  # type: ignore[arg-type]
        assert code_of(answer) == (401, "ingest.sender_unknown")
    answer = await http.post(UP, params={"key": "a\0b"}, json={"t": 1})
    assert code_of(answer) == (401, "ingest.sender_unknown")
    assert (await http.post(UP, json={"t": 1}, headers=bearer(key))).status_code == 202


# --- Where to -------------------------------------------------------------


@both
async def test_nobody_publishes_or_listens_for_another_organisations_device(
    platform: Installation, reader: Client, key: DeviceKey, version: int
) -> None:
    other = platform.application(platform.organization(f"Rival {uuid4()}"), "Cranes")
    victim = platform.device(other, "victim", user_name=f"victim-{uuid4()}")
    port = platform.mqtt_port
    async with connected(port, key.user_name, key.secret, version=version) as client:
        for topic in (f"v1/devices/{victim.id}/op/#", "#", "v1/devices/+/op/#"):
            assert await client.subscribe(topic) == (0x87 if version == V5 else 0x80)
        assert await client.publish(f"v1/devices/{key.id}/up", b'{"own":1}') == 0
        foreign = f"v1/devices/{victim.id}/up"
        if version == V5:
            assert await client.publish(foreign, b'{"foreign":1}') == 0x87
            assert await client.publish("v1/up", b'{"own":2}') == 0
        else:
            client.send(foreign, b'{"foreign":1}')
            await client.until_closed()
    listed = await refusals(reader, foreign, deviceId=key.id)
    assert {row["reason"] for row in listed} == {"topic"}
    messages = platform.admin.get(f"/api/v1/devices/{victim.id}/messages")
    assert ok(messages).json()["items"] == []


# --- What -----------------------------------------------------------------


@both
async def test_a_message_too_large_is_refused_and_the_device_may_come_back(
    platform: Installation, reader: Client, key: DeviceKey, version: int
) -> None:
    port = platform.mqtt_port
    async with connected(port, key.user_name, key.secret, version=version) as client:
        # A client of MQTT 5 that heeds what it is told would not even send it.
        client.writer.write(_too_large(version))
        goodbye = await client.until_closed()
        if version == V5:
            assert isinstance(goodbye, Disconnect)
            assert goodbye.reason_code == 0x95
    async with connected(port, key.user_name, key.secret, version=version) as client:
        assert await client.publish("v1/up", b'{"t":1}') == 0
    assert {row["reason"] for row in await refusals(reader, deviceId=key.id)} == {"oversize"}


def _too_large(version: int) -> bytes:
    """Make a PUBLISH of 4,000 bytes."""
    topic = b"\x00\x05v1/up" + (b"\x00" if version == V5 else b"")
    body = topic + b"x" * (4_000 - len(topic))
    return b"\x30\xa0\x1f" + body


@both
async def test_bytes_that_are_no_mqtt_end_the_connection_and_no_other(
    platform: Installation, reader: Client, key: DeviceKey, version: int
) -> None:
    port = platform.mqtt_port
    async with (
        connected(port, key.user_name, key.secret, version=version, client_id="good") as good,
        connected(port, key.user_name, key.secret, version=version, client_id="bad") as bad,
    ):
        bad.writer.write(b"\x36\x04\x00\x01a\x00")  # QoS 3.
        await bad.until_closed()
        assert await good.publish("v1/up", b'{"t":1}') == 0
    assert {row["reason"] for row in await refusals(reader, deviceId=key.id)} == {"malformed"}


async def test_http_names_what_is_wrong_with_a_body_and_lists_it(
    platform: Installation, reader: Client, application_id: str, http: AsyncClient
) -> None:
    key = platform.device(application_id, "http")
    json_type = {"Content-Type": "application/json"}
    large = await http.post(UP, content=b"x" * (LARGEST + 1), headers=bearer(key))
    assert code_of(large) == (413, "ingest.message_too_large")
    broken = await http.post(UP, content=b'{"t":', headers=bearer(key) | json_type)
    assert code_of(broken) == (400, "ingest.message_malformed")
    channel = await http.post(f"{UP}/{'c' * 200}", json={"t": 1}, headers=bearer(key))
    assert code_of(channel) == (403, "ingest.topic_refused")
    assert (await http.get(UP, headers=bearer(key))).status_code == 405
    bad_time = await http.post(f"{UP}?at=yesterday", json={"t": 1}, headers=bearer(key))
    assert bad_time.status_code in (202, 400)
    assert (await http.post(UP, json={"t": 1}, headers=bearer(key))).status_code == 202
    wanted = {"oversize", "malformed", "topic"}

    def listed() -> bool:
        found = ok(reader.get("/api/v1/refusals", params={"deviceId": key.id})).json()
        return {row["reason"] for row in found["items"]} == wanted

    await asyncio.to_thread(platform.until, listed, f"not {wanted}", 20)


# --- TLS ------------------------------------------------------------------


async def test_what_fails_before_mqtt_is_counted_in_one_row_for_each_mistake(
    platform: Installation, reader: Client, tmp_path: Path
) -> None:
    def wrong(port: int, *more: str) -> None:
        command = ("mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", "v1/up", "-m", "1")
        done = subprocess.run([*command, *more], capture_output=True, timeout=60)
        assert done.returncode != 0

    authority, other = platform.directory / "tls" / "authority.pem", tmp_path / "other.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout /dev/null -out"
    await asyncio.to_thread(
        subprocess.run, [*make.split(), other], check=True, capture_output=True, timeout=60
    )
    for _ in range(5):
        await asyncio.to_thread(wrong, platform.tls_port)
        await asyncio.to_thread(wrong, platform.tls_port, "--cafile", str(other))
        await asyncio.to_thread(wrong, platform.mqtt_port, "--cafile", str(authority))
    wanted = [("no-tls", 5), ("tls", 5), ("tls-on-plain", 5)]

    def listed() -> bool:
        found = ok(platform.admin.get("/api/v1/refusals", params={"limit": "200"})).json()
        rows = [row for row in found["items"] if "tls" in row["reason"]]
        assert all(row["address"] == "127.0.0.1" for row in rows)
        return sorted((row["reason"], row["count"]) for row in rows) == wanted

    await asyncio.to_thread(platform.until, listed, f"not {wanted}", 20)
    seen = ok(reader.get("/api/v1/refusals", params={"limit": "200"})).json()["items"]
    assert not [row for row in seen if "tls" in row["reason"]]


# --- How often ------------------------------------------------------------


async def test_a_call_repeated_under_its_key_is_stored_once(
    platform: Installation, application_id: str, http: AsyncClient
) -> None:
    key = platform.device(application_id, "repeating")
    headers = bearer(key) | {"Idempotency-Key": "call 1"}
    for _ in range(3):
        assert (await http.post(UP, json={"t": 1}, headers=headers)).status_code == 202
    assert (await http.post(UP, json={"t": 2}, headers=bearer(key))).status_code == 202
    assert await stored(platform, key, 2) == [{"t": 1}, {"t": 2}]


@both
async def test_a_publish_marked_as_repeated_is_stored_once(
    platform: Installation, key: DeviceKey, version: int
) -> None:
    port = platform.mqtt_port
    for dup in (False, True, True):
        async with connected(port, key.user_name, key.secret, version=version) as client:
            # As from a client whose acknowledgement was lost.
            client.writer.write(_publish(version, b'{"t":1}', 7, dup=dup))
            await _answered(client.reader)
    async with connected(port, key.user_name, key.secret, version=version) as client:
        assert await client.publish("v1/up", b'{"t":2}') == 0
    assert await stored(platform, key, 2) == [{"t": 1}, {"t": 2}]


def _publish(version: int, payload: bytes, packet_id: int, *, dup: bool) -> bytes:
    rest = b"\x00\x05v1/up" + packet_id.to_bytes(2, "big") + (b"\x00" if version == V5 else b"")
    rest += payload
    return bytes([0x3A if dup else 0x32, len(rest)]) + rest


async def _answered(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(30):
        answer = await reader.readexactly(4)
    assert answer[0] == 0x40, answer


@both
async def test_a_device_that_is_too_fast_is_held_back_and_others_are_not(
    platform: Installation, reader: Client, application_id: str, key: DeviceKey, version: int
) -> None:
    other = platform.device(application_id, "patient", user_name=f"patient-{uuid4()}")
    port = platform.mqtt_port
    async with (
        connected(port, key.user_name, key.secret, version=version) as fast,
        connected(port, other.user_name, other.secret, version=version) as patient,
    ):
        names = [fast.send("v1/up", b'{"n":%d}' % n) for n in range(45)]
        assert await patient.publish("v1/up", b'{"t":1}') == 0
        codes = [(await fast.acknowledgement(name)).reason_code for name in names]
        assert set(codes[:40]) == {0}
        assert codes[-1] == (0x97 if version == V5 else 0)
    assert {row["reason"] for row in await refusals(reader, deviceId=key.id)} == {"rate"}
    kept = codes.count(0)
    assert [row["n"] for row in await stored(platform, key, kept)] == [
        n for n, code in enumerate(codes) if code == 0
    ]


async def test_http_tells_a_device_that_is_too_fast_when_to_come_back(
    platform: Installation, reader: Client, application_id: str, http: AsyncClient
) -> None:
    key = platform.device(application_id, "fast")
    batch = [{"values": {"n": n}} for n in range(40)]
    assert (await http.post(UP, json=batch, headers=bearer(key))).status_code == 202
    answer = await http.post(UP, json=batch, headers=bearer(key))
    assert code_of(answer) == (429, "ingest.too_fast")
    assert int(answer.headers["retry-after"]) > 0
    assert {row["reason"] for row in await refusals(reader, deviceId=key.id)} == {"rate"}
    assert len(await stored(platform, key, 40)) == 40


# --- Rights ---------------------------------------------------------------


@both
@pytest.mark.parametrize("change", ["revoke", "suspend", "move"])
async def test_a_change_of_rights_cuts_the_connection(
    platform: Installation, application_id: str, key: DeviceKey, version: int, change: str
) -> None:
    port = platform.mqtt_port
    async with connected(port, key.user_name, key.secret, version=version) as client:
        assert await client.publish("v1/up", b'{"t":1}') == 0
        _change(platform, key, change)
        goodbye = await client.until_closed()
        if version == V5:
            assert isinstance(goodbye, Disconnect)
            assert goodbye.reason_code == 0x98
    async with dialled(port, version=version, username=key.user_name, secret=key.secret) as client:
        answer = await client.next(ConnAck)
        assert bool(answer.reason_code) is (change != "move")


@pytest.mark.parametrize("change", ["revoke", "suspend"])
async def test_http_refuses_at_once_whose_rights_have_ended(
    platform: Installation, application_id: str, http: AsyncClient, change: str
) -> None:
    key = platform.device(application_id, "ending")
    assert (await http.post(UP, json={"t": 1}, headers=bearer(key))).status_code == 202
    _change(platform, key, change)
    async with asyncio.timeout(20):
        while (answer := await http.post(UP, json={"t": 1}, headers=bearer(key))).is_success:
            await asyncio.sleep(0.05)
    assert code_of(answer) == (401, "ingest.sender_unknown")


def _change(platform: Installation, key: DeviceKey, change: str) -> None:
    url = f"/api/v1/devices/{key.id}"
    if change == "revoke":
        ok(platform.admin.delete(f"{url}/credentials/{key.credential_id}"))
    elif change == "suspend":
        ok(platform.admin.patch(url, json={"state": "suspended"}))
    else:
        target = platform.application(platform.organization(f"Next {uuid4()}"), "Elsewhere")
        ok(platform.admin.post(f"{url}/move", json={"applicationId": target}))


async def test_an_open_feed_ends_when_its_reader_is_deactivated(
    platform: Installation, organization_id: str, key: DeviceKey
) -> None:
    email = f"leaving-{uuid4()}@example.org"
    leaving = platform.person(email, platform.groups_of(organization_id))
    found = ok(platform.admin.get("/api/v1/users", params={"q": email})).json()["items"]
    lines: list[str] = []

    def follow() -> None:
        with leaving.stream("GET", "/api/v1/feed", params={"deviceId": key.id}) as feed:
            assert feed.status_code == 200
            for line in feed.iter_lines():
                lines.append(line)

    following = asyncio.create_task(asyncio.to_thread(follow))
    await asyncio.to_thread(platform.until, lambda: lines, "the feed does not open", 20)
    ok(platform.admin.patch(f"/api/v1/users/{found[0]['id']}", json={"active": False}))
    await asyncio.wait_for(following, 20)
    assert "event: ended" in lines
    assert leaving.get("/api/v1/auth/me").status_code == 401


async def test_an_open_feed_shows_ones_own_device_until_it_is_that_no_more(
    platform: Installation, organization_id: str, application_id: str, http: AsyncClient
) -> None:
    group = {
        "organizationId": organization_id, "name": f"Owners {uuid4()}", "everyApplication": False,
        "ownDevices": True, "permissions": ["devices:read", "messages:read"],
    }  # fmt: skip
    owners = ok(platform.admin.post("/api/v1/permissions", json=group)).json()["id"]
    email = f"owner-{uuid4()}@example.org"
    person = platform.person(email, [owners])
    (found,) = ok(platform.admin.get("/api/v1/users", params={"q": email})).json()["items"]
    mine = await asyncio.to_thread(platform.device, application_id, "own")
    other = await asyncio.to_thread(platform.device, application_id, "not own")
    owner = f"/api/v1/devices/{mine.id}/owner"
    ok(platform.admin.put(owner, json={"userId": found["id"]}))
    lines: list[str] = []

    def follow() -> None:
        with person.stream("GET", "/api/v1/feed", params={"deviceId": mine.id}) as feed:
            for line in feed.iter_lines():
                lines.append(line)

    following = asyncio.create_task(asyncio.to_thread(follow))
    await asyncio.to_thread(platform.until, lambda: lines, "the feed does not open", 20)
    assert person.get("/api/v1/feed", params={"deviceId": other.id}).status_code == 404
    ok(await http.post("/ingest/v1/up", json={"n": 1}, headers=bearer(mine)))
    await asyncio.to_thread(
        platform.until, lambda: any(mine.id in line for line in lines), "it is not shown", 20
    )
    ok(platform.admin.delete(owner))
    await asyncio.wait_for(following, 20)
    assert "event: ended" in lines


async def test_an_open_feed_takes_in_a_device_that_comes_later(
    platform: Installation, application_id: str, reader: Client, http: AsyncClient
) -> None:
    lines: list[str] = []

    def follow() -> None:
        asked = {"applicationId": application_id, "q": "latecomer"}
        with reader.stream("GET", "/api/v1/feed", params=asked) as feed:
            for line in feed.iter_lines():
                lines.append(line)
                if line.startswith("data:") and "deviceId" in line:
                    return

    following = asyncio.create_task(asyncio.to_thread(follow))
    await asyncio.to_thread(platform.until, lambda: lines, "the feed does not open", 20)
    other = await asyncio.to_thread(platform.device, application_id, "early bird")
    later = await asyncio.to_thread(platform.device, application_id, "latecomer")
    while not following.done():
        for sender in (other, later):
            ok(await http.post("/ingest/v1/up", json={"n": 1}, headers=bearer(sender)))
        await asyncio.wait([following], timeout=0.5)
    await following
    assert later.id in lines[-1]
    assert not any(other.id in line for line in lines)


async def test_an_open_feed_ends_when_its_key_expires(
    platform: Installation, organization_id: str, key: DeviceKey
) -> None:
    ends_at = datetime.now(UTC) + timedelta(seconds=2)
    body = {
        "organizationId": organization_id, "name": "Brief", "expiresAt": ends_at.isoformat(),
        "permissionGroupIds": platform.groups_of(organization_id),
    }  # fmt: skip
    made = ok(platform.admin.post("/api/v1/api-keys", json=body)).json()
    lines: list[str] = []

    def follow() -> None:
        headers = {"X-API-KEY": made["key"]}
        with httpx2.stream(
            "GET", f"{platform.url}/api/v1/feed", params={"deviceId": key.id}, headers=headers,
            timeout=30,
        ) as feed:  # fmt: skip
            assert feed.status_code == 200
            lines.extend(feed.iter_lines())

    await asyncio.wait_for(asyncio.to_thread(follow), 60)
    assert "event: ended" in lines


# --- Several doors --------------------------------------------------------


@contextlib.contextmanager
def second_listener(platform: Installation) -> Iterator[int]:
    """Run another listener on the same database; give its MQTT port."""
    mqtt_port, tls_port = free_ports(2)
    environment = platform.environment() | {
        "MOORAGE_MQTT_PORT": str(mqtt_port),
        "MOORAGE_MQTT_TLS_PORT": str(tls_port),
        "MOORAGE_DATABASE_URL": platform.database_url,
    }
    with platform.output.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND[:-1], "listen"], env=environment, stdout=output, stderr=output
        )
    try:
        yield mqtt_port
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def test_a_device_that_changes_doors_keeps_its_order_and_is_cut_at_each(
    platform: Installation, http: AsyncClient, key: DeviceKey
) -> None:
    with second_listener(platform) as second:
        await asyncio.to_thread(platform.until, lambda: _listens(second), "it does not listen")
        number = 0
        for _ in range(6):
            for port in (platform.mqtt_port, second):
                async with connected(port, key.user_name, key.secret) as client:
                    for _ in range(2):
                        number += 1
                        assert await client.publish("v1/up", b'{"n":%d}' % number) == 0
            number += 1
            answer = await http.post(UP, json={"n": number}, auth=(key.user_name, key.secret))
            assert answer.status_code == 202
        rows = await stored(platform, key, number)
        assert [row["n"] for row in rows] == list(range(1, number + 1))
        async with (
            connected(platform.mqtt_port, key.user_name, key.secret, client_id="here") as here,
            connected(second, key.user_name, key.secret, client_id="there") as there,
        ):
            _change(platform, key, "revoke")
            for client in (here, there):
                goodbye = await client.until_closed()
                assert goodbye is not None
                assert goodbye.reason_code == 0x98


async def stored(platform: Installation, key: DeviceKey, count: int) -> list[Any]:
    """Read a device's messages from the ledger, in its order; they are all acknowledged."""
    with psycopg.connect(platform.database_url, autocommit=True) as connection:
        query = "SELECT number FROM devices WHERE id = %s"
        row = connection.execute(query, (key.id,)).fetchone()
        assert row is not None
        envelopes = connection.execute(
            "SELECT first, count, day, body FROM ledger_raw ORDER BY partition, first"
        ).fetchall()
    found = [
        json.loads(message.payload)
        for envelope in envelopes
        for message in ledger.messages(Envelope(*envelope))
        if message.device == row[0]
    ]
    assert len(found) == count, found
    return [item.get("values", item) for item in found]
