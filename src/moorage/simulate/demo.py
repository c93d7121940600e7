"""The demo: a harbour town that lives as long as this runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from . import plan as plans
from . import state as states
from .errors import PlatformRefused, PlatformUnreachable
from .fleet import Doors, Fleet
from .history import send_history
from .install import install, install_target
from .platform import Platform
from .receiver import Receiver, receiving
from .state import State

log = structlog.get_logger()

_LOOK_EVERY_S = 15.0
_TELL_EVERY_S = 60.0


async def run_demo(
    data_dir: Path,
    state: State,
    doors: Doors,
    stop: asyncio.Event,
    *,
    interval_s: float = plans.INTERVAL_S,
    on_playing: Callable[[], None] = lambda: None,
) -> None:
    """Set the demo up where it is missing, and play it until told to stop.

    If somebody removes it meanwhile it falls quiet and waits.

    Args:
        data_dir: where the state is kept.
        state: with an API key of the demo's organization.
        doors: where API and devices are taken in.
        stop: ends it.
        interval_s: between two messages of a device.
        on_playing: called once everything is set up and devices begin to send.

    Raises:
        PlatformUnreachable, PlatformRefused: it cannot be set up.
    """
    plan = plans.demo(interval_s)
    plan.devices[:] = [replace(device, began_at=state.began_at) for device in plan.devices]
    async with (
        Platform(doors.http_url, state.api_key, verify=doors.verify) as platform,
        receiving(state.receiver_port) as receiver,
    ):
        await platform.wait_until_there()
        log.info("demo_setting_up", devices=len(plan.devices))
        await _set_up(data_dir, state, plan, platform, receiver)
        fleet = Fleet(plan.devices, state.secrets, doors, plan.interval_s)
        if not state.has_history:
            log.info("demo_history_sent", messages=await send_history(fleet))
            state.has_history = True
            states.save_state(data_dir, state)
        on_playing()
        log.info("demo_playing", devices=len(plan.devices), interval_s=interval_s)
        await _play(fleet, platform, receiver, stop)


async def _set_up(
    data_dir: Path, state: State, plan: plans.Plan, platform: Platform, receiver: Receiver
) -> None:
    def keep() -> None:
        states.save_state(data_dir, state)

    await install(platform, state.organization_id, plan, state.secrets, keep)
    url = f"http://127.0.0.1:{receiver.port}/readings"
    await install_target(platform, state.organization_id, plan, url)
    state.receiver_port = receiver.port
    keep()


async def _play(fleet: Fleet, platform: Platform, receiver: Receiver, stop: asyncio.Event) -> None:
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_watch(platform, enough))
        telling = tasks.create_task(_tell(fleet, receiver))
        stopping = tasks.create_task(_pass_on(stop, enough))
        await fleet.run(enough)
        for task in (watching, telling, stopping):
            task.cancel()
    if not stop.is_set():
        log.warning("demo_removed", mend="Start it again to set it up anew.")
        await stop.wait()


async def _pass_on(stop: asyncio.Event, enough: asyncio.Event) -> None:
    await stop.wait()
    enough.set()


async def _watch(platform: Platform, gone: asyncio.Event) -> None:
    """Notice when the demo's key is refused: then its organization is gone."""
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        try:
            await platform.call("GET", "/auth/me")
        except PlatformUnreachable:
            continue
        except PlatformRefused as refused:
            if refused.public["status"] == 401:
                gone.set()
                return


async def _tell(fleet: Fleet, receiver: Receiver) -> None:
    while True:
        await asyncio.sleep(_TELL_EVERY_S)
        tally = fleet.tally
        log.info(
            "demo_tally",
            connected=tally.connected,
            sent=tally.sent,
            accepted=tally.accepted,
            failed=tally.failed,
            refused=tally.refused,
            commands=tally.commands,
            delivered=receiver.received,
        )
