"""`moorage simulate`: any number of devices against any installation, by API key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import plan as plans
from .errors import KeyUnfit
from .fleet import Doors, Fleet, Tally
from .install import install
from .model import Fault
from .platform import Platform

_TELL_EVERY_S = 5.0


@dataclass(frozen=True)
class Load:
    """What shall be simulated.

    Attributes:
        rate: messages a second of the whole fleet.
        seconds: how long; None until told to stop.
        keep: leave the devices there afterwards.
        organization_id: where; None for the one of the API key.
    """

    devices: int
    rate: float
    faults: Sequence[Fault] = ()
    seconds: float | None = None
    keep: bool = False
    organization_id: str | None = None


async def run_load(
    api_key: str, doors: Doors, load: Load, stop: asyncio.Event, say: Callable[[str], None]
) -> Tally:
    """Set a fleet up, let it send, tell how it goes, and remove it again.

    Raises:
        PlatformUnreachable, PlatformRefused, KeyUnfit.
    """
    name = f"Simulated fleet {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}"
    prefix = f"SIM-{int(time.time()):x}"
    plan = plans.fleet(
        load.devices, load.faults, name=name, prefix=prefix, interval_s=load.devices / load.rate
    )
    began_at = time.time()
    plan.devices[:] = [replace(device, began_at=began_at) for device in plan.devices]
    async with Platform(doors.http_url, api_key, verify=doors.verify) as platform:
        me = await platform.wait_until_there(10)
        organization_id = load.organization_id or _organization_of(me)
        secrets: dict[str, str] = {}
        try:
            say(f"Setting {load.devices} devices up in the application {name!r}.")
            await install(platform, organization_id, plan, secrets, lambda: None)
            fleet = Fleet(plan.devices, secrets, doors, plan.interval_s)
            await _run(fleet, load.seconds, stop, say)
        finally:
            if not load.keep:
                made = await platform.everything(
                    "/applications", organizationId=organization_id, q=name
                )
                for application in made:
                    path = f"/applications/{application['id']}"
                    await platform.call("DELETE", path, params={"withDevices": "true"})
                say("Removed the devices again.")
    return fleet.tally


def _organization_of(me: dict[str, Any]) -> str:
    found = {grant["organizationId"] for grant in me["grants"]}
    if len(found) != 1 or None in found:
        raise KeyUnfit(count="all" if None in found else len(found))
    return str(found.pop())


async def _run(
    fleet: Fleet, seconds: float | None, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    over = asyncio.Event()
    began = time.monotonic()

    async def end() -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            pass
        over.set()

    async def tell() -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            say(line(fleet, time.monotonic() - began))

    ending, telling = asyncio.create_task(end()), asyncio.create_task(tell())
    try:
        await fleet.run(over)
    finally:
        ending.cancel()
        telling.cancel()
    say(line(fleet, time.monotonic() - began))


def line(fleet: Fleet, seconds: float) -> str:
    """Write one line of progress."""
    tally = fleet.tally
    return (
        f"{seconds:6.0f} s  connected {tally.connected}  sent {tally.sent}  "
        f"accepted {tally.accepted} ({tally.accepted / max(seconds, 0.001):.1f}/s)  "
        f"failed {tally.failed}  refused {tally.refused}  commands {tally.commands}"
    )
