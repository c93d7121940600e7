"""A fleet at work: every device sends in its own time and does what it is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from .curves import chance
from .kinds.common import STUCK_FOR_S
from .link import Link, LinkRefused, MqttDoor, connect
from .model import JSON, CommandMisunderstood, Device, Fault, to_json
from .plan import is_by_mqtt

UPLINK = "/ingest/v1/up"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_AT_ONCE = 20
# What is behind a dead gateway: alive for a moment, then away, then back for a while.
_ALIVE_FIRST_S, _AWAY_S, _BACK_S = 15.0, 240.0, 120.0
_GARBLED_SHARE = 0.3


@dataclass
class Tally:
    """What a fleet did so far.

    Attributes:
        connected: MQTT connections open now.
        sent, accepted: messages, and those that the platform acknowledged.
        failed: messages and connections that came to nothing.
        refused: times that the platform did not let a device in.
        commands: that were carried out.
    """

    connected: int = 0
    sent: int = 0
    accepted: int = 0
    failed: int = 0
    refused: int = 0
    commands: int = 0


@dataclass
class Doors:
    """Where devices send to."""

    http_url: str
    mqtt: MqttDoor
    verify: bool | str = True


@dataclass
class Fleet:
    """Devices with their secrets, on their way to the doors.

    Attributes:
        secrets: by serial.
        interval_s: between two messages of a device.
    """

    devices: list[Device]
    secrets: Mapping[str, str]
    doors: Doors
    interval_s: float
    tally: Tally = field(default_factory=Tally)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        limits = httpx2.Limits(max_connections=2 * _AT_ONCE, max_keepalive_connections=_AT_ONCE)
        async with httpx2.AsyncClient(
            base_url=self.doors.http_url, limits=limits, timeout=30, verify=self.doors.verify
        ) as http:
            gate = asyncio.Semaphore(_AT_ONCE)
            tasks = [
                asyncio.create_task(_Player(self, device, http, gate).play())
                for device in self.devices
                if not device.has(Fault.OFF)
            ]
            stopping = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in (stopping, *tasks):
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)
            for task in done - {stopping}:
                task.result()  # A player never ends by itself, so this tells why it did.


class _Player:
    """One device of a fleet."""

    def __init__(
        self, fleet: Fleet, device: Device, http: httpx2.AsyncClient, gate: asyncio.Semaphore
    ) -> None:
        self._fleet = fleet
        self._device = device
        self._http = http
        self._gate = gate
        self._link: Link | None = None
        self._since = time.monotonic()
        self._told: set[asyncio.Task[None]] = set()
        self._count = 0
        secret = fleet.secrets[device.serial]
        self._secret = f"{secret}x" if device.has(Fault.WRONG_KEY) else secret

    async def play(self) -> None:
        """Send, wait, send; whatever goes wrong is tried again later."""
        interval_s = self._fleet.interval_s
        await asyncio.sleep(interval_s * chance("phase", self._device.serial))
        pause_s = _FIRST_PAUSE_S
        try:
            while True:
                if self._is_away():
                    self._drop()
                    await asyncio.sleep(1)
                    continue
                due = time.monotonic() + interval_s
                try:
                    await self._send()
                    pause_s = _FIRST_PAUSE_S
                except (OSError, TimeoutError, httpx2.TransportError) as failed:
                    self._drop()
                    tally = self._fleet.tally
                    if isinstance(failed, LinkRefused):
                        tally.refused += 1
                        pause_s = _LONGEST_PAUSE_S
                    else:
                        tally.failed += 1
                    due = time.monotonic() + pause_s
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                await self._rest(due)
        finally:
            for task in self._told:
                task.cancel()
            if self._link is not None:
                self._link.close()
                self._lost()

    def _is_away(self) -> bool:
        if not self._device.has(Fault.OUTAGE):
            return False
        since = time.monotonic() - self._since - _ALIVE_FIRST_S
        return since >= 0 and since % (_AWAY_S + _BACK_S) < _AWAY_S

    async def _rest(self, due: float) -> None:
        """Wait for the next message's time, or for the end of the connection."""
        left = max(0.0, due - time.monotonic())
        if self._link is None:
            await asyncio.sleep(left)
            return
        await asyncio.wait([self._link.closed], timeout=left)
        if self._link.closed.done():
            self._lost()

    async def _send(self) -> None:
        payload = message(self._device, time.time())
        self._count += 1
        if self._device.has(Fault.GARBLED) and chance(self._device.serial, self._count) < (
            _GARBLED_SHARE
        ):
            payload = cut(payload)
        if is_by_mqtt(self._device):
            link = await self._connected()
            self._fleet.tally.sent += 1
            await link.publish("v1/up", payload)
            self._fleet.tally.accepted += 1
        else:
            await self._post("", payload, self._device.kind.content_type)

    # --- MQTT -----------------------------------------------------------------

    async def _connected(self) -> Link:
        if self._link is None:
            async with self._gate:
                self._link = await connect(
                    self._fleet.doors.mqtt, self._device.serial, self._secret, self._asked
                )
            self._fleet.tally.connected += 1
        return self._link

    def _drop(self) -> None:
        if self._link is not None:
            self._link.abort()
            self._lost()

    def _lost(self) -> None:
        self._link = None
        self._fleet.tally.connected -= 1

    def _asked(self, topic: str, payload: bytes) -> None:
        task = asyncio.create_task(self._answer(topic, payload))
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _answer(self, topic: str, payload: bytes) -> None:
        if self._link is None:
            return
        try:
            await self._link.publish(f"{topic}/result", self._obey(payload))
            self._fleet.tally.commands += 1
            await self._send()
        except OSError:
            self._fleet.tally.failed += 1

    # --- HTTP -----------------------------------------------------------------

    async def _post(self, channel: str, payload: bytes, content_type: str) -> None:
        """Send by HTTP, and do what the answer asks for."""
        tally = self._fleet.tally
        tally.sent += 1
        async with self._gate:
            answer = await self._http.post(
                UPLINK + channel,
                content=payload,
                params={"downlinks": "1"},
                headers={"X-Device-Key": self._secret, "Content-Type": content_type},
            )
        if answer.status_code in (401, 403):
            raise LinkRefused(f"The platform answers {answer.status_code}.")
        if answer.status_code != 202:
            raise ConnectionError(f"The platform answers {answer.status_code}.")
        tally.accepted += 1
        for command in answer.json()["downlinks"]:
            result = self._obey(to_json(command["payload"]))
            await self._post(f"/op/{command['id']}/result", result, JSON)
            tally.commands += 1

    def _obey(self, body: bytes) -> bytes:
        return to_json(obey(self._device, body, time.time()))


def message(device: Device, at: float) -> bytes:
    """Give the bytes that a device sends at a time, in seconds since 1970."""
    stuck = device.has(Fault.STUCK)
    measured_at = min(at, device.began_at - STUCK_FOR_S) if stuck else at
    return device.kind.pack(device.kind.measure(device, measured_at))


def cut(payload: bytes) -> bytes:
    """Give what a bad line lets through of a message; never a whole part of it."""
    return payload[: len(payload) * 2 // 3 | 1]


def obey(device: Device, body: bytes, at: float) -> dict[str, Any]:
    """Carry a command out; give what the device answers."""
    command = device.kind.command
    try:
        asked = json.loads(body)
        payload = asked.get("payload")
        if asked.get("code") != command.code:
            raise CommandMisunderstood(f"I do not know {asked.get('code')}; I know {command.code}.")
        if not isinstance(payload, dict | None):
            raise CommandMisunderstood("The payload must be a JSON object.")
        return {"state": "completed", "result": command.obey(device, payload or {}, at)}
    except (ValueError, AttributeError):
        return {"state": "error", "problem": "The command is no JSON object."}
    except CommandMisunderstood as wrong:
        return {"state": "error", "problem": str(wrong)}
