"""The demo and fleets against a platform of real processes."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, Client, TransportError

from moorage import simulate
from moorage.entry import cli_simulate, demo
from moorage.entry.settings import Settings, read
from moorage.simulate import Doors, Fault, Fleet, Load, State, kinds, plan, receiver
from moorage.simulate.install import TARGET
from moorage.simulate.platform import Platform
from ports import free_ports

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli"]
PARTS = ("api", "listen", "work")


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Give the settings of a platform that runs, each part a process."""
    names = ("MOORAGE_API_PORT", "MOORAGE_MQTT_PORT", "MOORAGE_MQTT_TLS_PORT")
    ports = {n: str(p) for n, p in zip(names, free_ports(3), strict=True)}
    ours = {
        "MOORAGE_DATABASE_URL": database_url,
        "MOORAGE_DATA_DIR": str(tmp_path),
        "MOORAGE_LOG_LEVEL": "warning",
        **ports,
    }
    others = {k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")}
    running = [subprocess.Popen([*COMMAND, part], env={**others, **ours}) for part in PARTS]
    settings = read(ours).settings
    try:
        with Client(base_url=f"http://127.0.0.1:{settings.api.port}", timeout=60) as client:
            while not _is_healthy(client) or not _listens(settings.mqtt.port):
                assert all(process.poll() is None for process in running)
                time.sleep(0.05)
        yield settings
    finally:
        for process in running:
            process.terminate()
        ends = [process.wait(30) for process in running]
    assert ends == [0, 0, 0]


def _is_healthy(client: Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except TransportError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def a_client(settings: Settings, state: State) -> AsyncClient:
    return AsyncClient(
        base_url=f"http://127.0.0.1:{settings.api.port}/api/v1",
        headers={"X-API-KEY": state.api_key},
        timeout=60,
    )


async def items(client: AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"limit": 500, **params})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def until(true: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(300):
        if found := await true():
            return found
        await asyncio.sleep(0.2)
    raise AssertionError("It did not come to pass.")


async def begun(playing: asyncio.Task[None], event: asyncio.Event) -> None:
    """Wait until a demo plays; fail with what keeps it from doing so."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        playing.result()


def admitted(settings: Settings) -> State:
    state = demo.admit(settings)
    assert demo.admit(settings) == state
    return state


# On a busy machine, four processes and a database take their time to start.
@pytest.mark.timeout(300)
async def test_the_demo_lives_shows_what_is_wrong_obeys_and_goes_without_a_trace(
    platform: Settings,
) -> None:
    state = await asyncio.to_thread(admitted, platform)
    file = platform.data_dir / "demo.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stop, playing_now = asyncio.Event(), asyncio.Event()
    doors = cli_simulate.own_doors(platform)
    playing = asyncio.create_task(
        simulate.run_demo(
            platform.data_dir, state, doors, stop, interval_s=2, on_playing=playing_now.set
        )
    )
    async with a_client(platform, state) as client:
        await begun(playing, playing_now)
        there = {device["serial"]: device for device in await items(client, "/devices")}
        assert len(there) == len(plan.demo().devices) >= 200

        async def sent_by(kind: Any) -> bool:
            device = there[f"HD-{kind.word}-01"]
            latest = (await client.get(f"/devices/{device['id']}/latest")).json()
            return latest["messageCount"] > 146 and len(latest["latest"]) >= 2

        for kind in (*kinds.KINDS, kinds.GATEWAY):
            await until(lambda kind=kind: sent_by(kind))

        async def causes() -> bool:
            found = {n["cause"] for n in await items(client, "/notices", kind="threshold")}
            return {"co2:above", "fill:above", "vdd:below", "power_w:above"} <= found

        await until(causes)

        async def silent() -> bool:
            found = await items(client, "/notices", kind="silence")
            return {there[s]["id"] for s in ("HD-water-22", "HD-climate-21")} <= {
                n["subjectId"] for n in found
            }

        async def failing() -> bool:
            decoders = {d["name"]: d["failures"] for d in await items(client, "/decoders")}
            return decoders["Elsys ERS CO2"] > 0

        await until(failing)
        for serial, code, payload in (
            ("HD-power-01", "switch", {"on": False}),
            ("HD-lock-02", "lock", {"locked": True}),
        ):
            path = f"/devices/{there[serial]['id']}/operations"
            asked = (await client.post(path, json={"code": code, "payload": payload})).json()

            async def answered(asked: dict[str, Any] = asked) -> bool:
                operation = (await client.get(f"/operations/{asked['id']}")).json()
                return bool(operation["state"] == "completed")

            await until(answered)

        async def delivered() -> bool:
            targets = await items(client, "/targets")
            return [t["name"] for t in targets if t["health"]["acceptedAt"]] == [TARGET]

        await until(delivered)
        await until(silent)
        stop.set()
        await playing

        # A second start finds everything there.
        again, playing_again = asyncio.Event(), asyncio.Event()
        playing = asyncio.create_task(
            simulate.run_demo(platform.data_dir, state, doors, again, on_playing=playing_again.set)
        )
        await begun(playing, playing_again)
        assert len(await items(client, "/devices")) == len(there)
        again.set()
        await playing

    assert await asyncio.to_thread(demo.dismiss, platform) == len(there)
    assert await asyncio.to_thread(demo.dismiss, platform) is None
    assert not file.exists()


async def test_a_fleet_of_any_size_runs_by_api_key_and_is_removed_again(platform: Settings) -> None:
    state = await asyncio.to_thread(admitted, platform)
    said: list[str] = []

    tally = await simulate.run_load(
        state.api_key,
        cli_simulate.own_doors(platform),
        Load(18, rate=36, faults=[Fault.WRONG_KEY, Fault.OFF], seconds=3),
        asyncio.Event(),
        said.append,
    )

    assert tally.accepted > 18
    assert tally.refused >= 1
    assert "accepted" in said[-2]
    async with a_client(platform, state) as client:
        assert await items(client, "/devices") == []
        assert await items(client, "/applications") == []


async def test_two_processes_do_not_play_one_demo(tmp_path: Path) -> None:
    with (
        simulate.alone(tmp_path),
        pytest.raises(simulate.AlreadyRunning) as refused,
        simulate.alone(tmp_path),
    ):
        pass
    assert refused.value.public == {"pid": str(os.getpid())}


async def test_a_platform_that_is_not_there_is_named_in_the_error() -> None:
    async with Platform("http://127.0.0.1:9", "mk_x") as nobody:
        with pytest.raises(simulate.PlatformUnreachable, match=r"http://127\.0\.0\.1:9"):
            await nobody.wait_until_there(0)


async def test_a_receiver_answers_each_request_of_a_connection_and_refuses_what_is_too_long() -> (
    None
):
    async with receiver.receiving(0) as taking, AsyncClient() as client:
        url = f"http://127.0.0.1:{taking.port}/readings"
        for _ in range(2):
            assert (await client.post(url, json={"a": 1})).status_code == 204
        reader, writer = await asyncio.open_connection("127.0.0.1", taking.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()
        assert taking.received == 2
    async with receiver.receiving(taking.port) as again:
        assert again.port == taking.port
        async with receiver.receiving(taking.port) as other:
            assert other.port != taking.port


async def test_devices_without_a_platform_try_again_and_stop_when_told(tmp_path: Path) -> None:
    devices = plan.fleet(9, [], name="Nine", prefix="SIM", interval_s=1).devices
    secrets = {device.serial: "mk" for device in devices}
    doors = Doors("http://127.0.0.1:9", simulate.MqttDoor("127.0.0.1", 9))
    fleet = Fleet(devices, secrets, doors, 0.01)
    stop = asyncio.Event()
    running = asyncio.create_task(fleet.run(stop))

    async def all_failed() -> bool:
        return fleet.tally.failed >= 9

    await until(all_failed)
    stop.set()
    await running
    assert fleet.tally.accepted == 0
