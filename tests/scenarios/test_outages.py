"""A database that hangs or stops, and a disk that fills: back-pressure, then recovery by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response

from installation import DeviceKey, Installation, running
from moorage_mqtt import V5, V311
from scenarios import books
from scenarios.client import Client, connected
from scenarios.publishers import Http, Publisher, Sessions

DISK_MIB = 512
# A mount namespace of its own, so that only this installation sees its small disk.
_UNSHARE = ["unshare", "--mount"]
_AS_ORDINARY_USER = ["--user", "--map-current-user", "--keep-caps"]
_ON_SMALL_DISK = f'mount -t tmpfs -o size={DISK_MIB}m,mode=711 tmpfs "$0" && exec "$@"'


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation on a small disk."""
    directory = tmp_path_factory.mktemp("outages") / "data"
    directory.mkdir()
    own = [] if os.geteuid() == 0 else _AS_ORDINARY_USER
    wrapper = (*_UNSHARE, *own, "sh", "-c", _ON_SMALL_DISK, str(directory))
    settings = {"INGEST_DEVICE_RATE": "5000", "INGEST_DEVICE_BURST": "50000"}
    with running(directory, settings, wrapper=wrapper) as platform:
        yield platform


@pytest.fixture(scope="module")
def application_id(platform: Installation) -> str:
    return platform.application(platform.organization("Outages"), "Pumps")


@pytest.fixture
def key(platform: Installation, application_id: str) -> DeviceKey:
    return platform.device(application_id, "pump", user_name=f"pump-{uuid4()}")


@contextlib.asynccontextmanager
async def under_load(platform: Installation, application_id: str) -> AsyncIterator[list[Publisher]]:
    """Publish all the while; afterwards everything must be settled and in the books."""

    def device(name: str = "") -> DeviceKey:
        return platform.device(application_id, "loaded", user_name=name and f"{name}-{uuid4()}")

    publishers: list[Publisher] = [
        Sessions(platform, device("v311"), V311, 1),
        Sessions(platform, device("v5"), V5, 2),
        Http(platform, device()),
    ]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as load:
        for publisher in publishers:
            load.create_task(publisher.run(stop))
        try:
            await _progress(publishers)
            yield publishers
            await asyncio.to_thread(platform.await_ready)
            await _progress(publishers)
        finally:
            stop.set()
    await asyncio.to_thread(books.check, platform.database_url, publishers)


async def _progress(publishers: list[Publisher]) -> None:
    """Wait until every publisher gets another message through."""
    before = [len(publisher.acknowledged) for publisher in publishers]
    async with asyncio.timeout(90):
        while any(len(p.acknowledged) <= n for p, n in zip(publishers, before, strict=True)):
            await asyncio.sleep(0.05)


async def send(platform: Installation, key: DeviceKey) -> Response:
    """Send one message by HTTP."""
    async with AsyncClient(base_url=platform.url, timeout=30) as client:
        credentials = {"Authorization": f"Bearer {key.secret}"}
        return await client.post("/ingest/v1/up", json={"seq": 1}, headers=credentials)


async def until_answered(platform: Installation, key: DeviceKey, status: int) -> Response:
    """Send by HTTP until the answer has a status."""
    async with asyncio.timeout(60):
        while (answer := await send(platform, key)).status_code != status:
            await asyncio.sleep(0.2)
    return answer


async def test_a_hanging_database_holds_the_doors_back_and_nothing_is_lost(
    platform: Installation, application_id: str
) -> None:
    known = platform.device(application_id, "known")
    unknown = platform.device(application_id, "not asked for before")
    mqtt = platform.device(application_id, "mqtt", user_name=f"hung-{uuid4()}")
    assert (await send(platform, known)).status_code == 202
    port, name, secret = platform.mqtt_port, mqtt.user_name, mqtt.secret
    async with (
        under_load(platform, application_id),
        connected(port, name, secret) as client,
        connected(port, name, secret, version=V311, client_id="flood", under_way=2_000) as flood,
    ):
        platform.freeze("postgres")
        try:
            first = client.send("v1/up", b'{"seq":1}')
            answers = await asyncio.gather(
                send(platform, known), send(platform, unknown), send(platform, known)
            )
            for answer in answers:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0
                assert answer.json()["code"] in ("ingest.overloaded", "database_unavailable")
            await _until_not_read(flood)
            assert not client.events
        finally:
            platform.resume("postgres")
        assert (await client.acknowledgement(first)).reason_code == 0


async def _until_not_read(client: Client) -> None:
    """Write without waiting for answers until the door reads no more."""
    block = b'{"seq":1,"pad":"%s"}' % (b"x" * 100_000)
    with pytest.raises(TimeoutError):
        for _ in range(1_000):
            client.send("v1/up", block)
            async with asyncio.timeout(5):
                await client.writer.drain()
    assert not client.events


async def test_a_database_that_is_stopped_is_started_again_and_nothing_is_lost(
    platform: Installation, application_id: str
) -> None:
    async with under_load(platform, application_id):
        database = platform.part("postgres")
        assert database is not None
        database.send_signal(signal.SIGINT)
        await asyncio.to_thread(database.wait, 60)


async def test_telemetry_is_refused_on_a_full_disk_and_taken_again_when_there_is_room(
    platform: Installation, application_id: str, key: DeviceKey
) -> None:
    http = platform.device(application_id, "http")
    port = platform.mqtt_port
    async with (
        connected(port, key.user_name, key.secret) as five,
        connected(port, key.user_name, key.secret, version=V311, client_id="old") as old,
    ):
        assert await five.publish("v1/up", b'{"seq":1}') == 0
        with filled(platform, 0.97):
            answer = await until_answered(platform, http, 503)
            assert answer.json()["code"] == "ingest.disk_full"
            assert int(answer.headers["retry-after"]) > 0
            async with asyncio.timeout(30):
                while (told := await five.publish("v1/up", b'{"seq":2}')) == 0:
                    await asyncio.sleep(0.2)
            assert told == 0x97
            result = f"v1/op/{uuid4()}/result"
            assert await five.publish(result, b'{"state":"completed"}') == 0
            old.send("v1/up", b'{"seq":3}')
            await old.until_closed()
            assert not old.events
            await asyncio.to_thread(
                platform.until, lambda: _notices(platform) == ["diskFilling"], "no notice", 30
            )
        assert (await until_answered(platform, http, 202)).json() == {"accepted": 1}
        await asyncio.to_thread(
            platform.until, lambda: _notices(platform) == [], "the notice still stands", 30
        )
    refusals = platform.admin.get("/api/v1/refusals", params={"deviceId": key.id}).json()
    assert {refusal["reason"] for refusal in refusals["items"]} == {"disk"}


async def test_a_disk_that_is_full_to_the_last_byte_loses_nothing(
    platform: Installation, application_id: str
) -> None:
    async with under_load(platform, application_id) as publishers:
        with filled(platform, 1.0):
            await asyncio.sleep(5)
        await _progress(publishers)


def _notices(platform: Installation) -> list[str]:
    found = platform.admin.get("/api/v1/notices", params={"state": "open"}).json()
    return [notice["kind"] for notice in found["items"]]


@contextlib.contextmanager
def filled(platform: Installation, share: float) -> Iterator[None]:
    """Fill the small disk up to a share."""
    filler = platform.view / "filler"
    try:
        with filler.open("wb") as file:
            found = os.statvfs(platform.view)
            size = int((share - 1) * found.f_blocks + found.f_bavail) * found.f_frsize
            if share < 1:
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                _fill_up(file.fileno(), size)
        yield
    finally:
        filler.unlink()


def _fill_up(descriptor: int, size: int) -> None:
    """Take everything there is, though others write meanwhile."""
    with contextlib.suppress(OSError):
        os.posix_fallocate(descriptor, 0, size)
        while True:
            os.write(descriptor, b"\0" * 65_536)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, b"\0" * 4_096)
