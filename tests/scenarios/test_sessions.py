"""MQTT sessions on a whole installation whose listener is killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from installation import DeviceKey, Installation, running
from moorage_mqtt import V5, V311, ConnAck, Publish, Session
from scenarios.client import Client, connected, dialled


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give a running installation."""
    with running(tmp_path_factory.mktemp("sessions") / "data") as platform:
        yield platform


@pytest.fixture(scope="module")
def key(platform: Installation) -> DeviceKey:
    application_id = platform.application(platform.organization("Sessions"), "Pumps")
    return platform.device(application_id, "pump", user_name="pump")


def kill_the_listener(platform: Installation) -> None:
    """Kill it without warning, and wait for the next one."""
    listener = platform.part("listen")
    assert listener is not None
    listener.kill()
    psutil.wait_procs([listener], timeout=10)
    platform.until(
        lambda: (new := platform.part("listen")) is not None and new != listener, "no new listener"
    )
    platform.await_ready()


async def back(client: Client) -> bool:
    """Tell whether a client has found its session again."""
    answer = await client.next(ConnAck)
    assert answer.reason_code == 0
    return answer.session_present


@pytest.mark.parametrize("version", [pytest.param(V311, marks=pytest.mark.long), V5])
async def test_a_killed_listener_costs_a_device_its_connection_and_nothing_else(
    platform: Installation, key: DeviceKey, version: int
) -> None:
    port, name, secret, session = platform.mqtt_port, key.user_name, key.secret, Session()
    away: dict[str, Any] = {
        "version": version,
        "username": name,
        "secret": secret,
        "client_id": f"away-{version}",
        "clean_start": False,
        "properties": {"session_expiry_interval": 600} if version == V5 else None,
        "session": session,
    }
    async with dialled(port, **away) as client:
        assert not await back(client)
        assert await client.subscribe("v1/up/#") == 1
    async with connected(port, name, secret) as speaks:
        for n in range(5):
            assert await speaks.publish("v1/up/a", b'{"n":%d}' % n, qos=1 + n % 2) == 0

    kill_the_listener(platform)

    async with dialled(port, **away) as client:
        assert await back(client)
        got = [await client.next(Publish) for _ in range(5)]
        assert [one.payload for one in got] == [b'{"n":%d}' % n for n in range(5)]
        assert {one.qos for one in got} == {1}
        async with connected(port, name, secret) as speaks:
            assert await speaks.publish("v1/up/a", b'{"n":5}') == 0
        assert (await client.next(Publish)).payload == b'{"n":5}'
