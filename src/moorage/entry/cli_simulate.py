"""`moorage demo` and `moorage simulate`: devices that are not there."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import uvloop
from cyclopts import Parameter

from moorage import simulate as fleets
from moorage.entry import demo as entrance
from moorage.entry import settings as configuration
from moorage.entry.lifeline import lifeline
from moorage.entry.settings import Settings
from moorage.kit import log
from moorage.kit.errors import FieldInvalid
from moorage.simulate import Doors, Fault, Load, MqttDoor


def demo(*, remove: bool = False, data_dir: Path | None = None) -> None:
    """Add a harbour town of simulated devices to the running installation, and play it.

    It goes on where it stopped; what it kept lies in `demo.json` in the data directory.

    Args:
        remove: take the demo away with everything in it instead.
        data_dir: directory of everything the installation keeps.
    """
    settings = configuration.read(options={"data_dir": data_dir}).settings
    log.configure(settings.log_level, part="simulate")
    if remove:
        _remove(settings)
        return
    with fleets.alone(settings.data_dir):
        uvloop.run(_play(settings))


async def _play(settings: Settings) -> None:
    async with lifeline() as line:
        # Whoever waits for the platform shall not wait for the demo.
        line.ready()
        state = await asyncio.to_thread(entrance.admit, settings)
        playing = asyncio.create_task(
            fleets.run_demo(settings.data_dir, state, own_doors(settings), line.stop)
        )
        stopping = asyncio.create_task(line.stop.wait())
        await asyncio.wait([playing, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            # Time to say goodbye; setting up has nothing to finish.
            await asyncio.wait([playing], timeout=3)
            playing.cancel()
        stopping.cancel()
        try:
            await playing
        except asyncio.CancelledError:
            return


def _remove(settings: Settings) -> None:
    count = entrance.dismiss(settings)
    if count is None:
        _say("There is no demo here.")
    else:
        _say(f"Removed the demo with its {count} devices.")


def simulate(
    *,
    api_key: Annotated[str, Parameter(env_var="MOORAGE_SIMULATE_API_KEY")],
    url: str = "",
    mqtt: str = "",
    authority: Path | None = None,
    devices: Annotated[int, Parameter(name=["--devices", "-n"])] = 100,
    rate: float = 10.0,
    seconds: float | None = None,
    faults: Annotated[list[Fault] | None, Parameter(consume_multiple=True)] = None,
    organization: str | None = None,
    keep: bool = False,
    data_dir: Path | None = None,
) -> None:
    """Simulate a fleet of devices against any installation, and tell how it goes.

    The devices are made in an application of their own, and removed again at the end.

    Args:
        api_key: with the rights of an application administrator; better in the variable than here.
        url: of console and API; this installation's when left out.
        mqtt: mqtt://host:port or mqtts://host:port; this installation's when left out.
        authority: PEM file to trust instead of the public authorities.
        devices: how many, of all kinds.
        rate: messages a second of the whole fleet.
        seconds: how long; until Ctrl-C when left out.
        faults: what shall be wrong with some of them.
        organization: id of the organization, where the key reaches several.
        keep: leave the devices there afterwards.
        data_dir: directory of everything the installation keeps.
    """
    if devices < 1 or rate <= 0:
        raise FieldInvalid("--devices, --rate", "must be more than 0")
    settings = configuration.read(options={"data_dir": data_dir}).settings
    log.configure(settings.log_level, part="simulate")
    doors = _doors(settings, url, mqtt, authority)
    load = Load(devices, rate, tuple(faults or ()), seconds, keep, organization)

    async def work() -> None:
        async with lifeline() as line:
            await fleets.run_load(api_key, doors, load, line.stop, _say)

    uvloop.run(work())


def own_doors(settings: Settings) -> Doors:
    """Give the doors of the installation with these settings, as seen from its own machine."""
    api, mqtt = settings.api, settings.mqtt
    url = f"http://{_reachable(api.host)}:{api.port}"
    return Doors(url, MqttDoor(configuration.reachable_host(mqtt.host), mqtt.port))


def _reachable(host: str) -> str:
    host = configuration.reachable_host(host)
    return f"[{host}]" if ":" in host else host


def _doors(settings: Settings, url: str, mqtt: str, authority: Path | None) -> Doors:
    doors = own_doors(settings)
    if url:
        doors = replace(doors, http_url=url.rstrip("/"))
    trusted = None if authority is None else str(authority)
    if mqtt:
        parts = urlsplit(mqtt)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise FieldInvalid("--mqtt", "is written as mqtt://host:1883 or mqtts://host:8883")
        context = ssl.create_default_context(cafile=trusted) if parts.scheme == "mqtts" else None
        port = parts.port or (8883 if context else 1883)
        doors = replace(doors, mqtt=MqttDoor(parts.hostname, port, context))
    elif url:
        host = urlsplit(url).hostname
        if host is None:
            raise FieldInvalid("--url", "is written as https://iot.example.org")
        doors = replace(doors, mqtt=replace(doors.mqtt, host=host))
    return replace(doors, verify=trusted or True)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
