"""What one device may do at a door: messages, bytes, connects, connections, what may wait.

The operator's settings say, or for an organisation its quotas, which operators set too; an
application may only say less.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from moorage.organizations import Quota
from moorage.sections import IngestSettings

from ..ports import Wait
from .allowance import Allowance

# A limit of a second bears this many seconds' worth at once, where nothing else says.
BURST_S = 10.0
MINUTE_S = 60.0
_UNITS = {
    Quota.DEVICE_MESSAGES: "messages a second",
    Quota.DEVICE_BYTES: "bytes a second",
    Quota.DEVICE_CONNECTS: "connects a minute",
    Quota.DEVICE_CONNECTIONS: "connections",
    Quota.DEVICE_QUEUE_MESSAGES: "messages that wait",
    Quota.DEVICE_QUEUE_BYTES: "bytes that wait",
}
DEVICE_QUOTAS = frozenset(_UNITS)


class DeviceLimits:
    """The limits of one process's devices, and what each has used of them."""

    def __init__(self, settings: IngestSettings) -> None:
        self._said: dict[UUID, Mapping[Quota, int]] = {}
        self._allowances: dict[tuple[Quota, float], Allowance] = {}
        self._open: Counter[int] = Counter()
        self.adjust(settings)

    def adjust(self, settings: IngestSettings) -> None:
        """Take on other settings."""
        self._usual: dict[Quota, float] = {
            Quota.DEVICE_MESSAGES: settings.device_rate,
            Quota.DEVICE_BYTES: settings.device_bytes,
            Quota.DEVICE_CONNECTS: settings.device_connects,
            Quota.DEVICE_CONNECTIONS: settings.device_connections,
            Quota.DEVICE_QUEUE_MESSAGES: settings.device_queue_messages,
            Quota.DEVICE_QUEUE_BYTES: settings.device_queue_bytes,
        }
        self._messages = Allowance(settings.device_rate, settings.device_burst)
        self._bytes = Allowance(settings.device_bytes, settings.device_bytes * BURST_S)

    def __bool__(self) -> bool:
        """Whether anybody says anything of its devices."""
        return bool(self._said)

    def read(self, stored: Mapping[UUID, Mapping[Quota, int]]) -> None:
        """Take on what applications and organisations say of their devices."""
        self._said = {
            owner: said
            for owner, quotas in stored.items()
            if (said := {quota: most for quota, most in quotas.items() if quota in DEVICE_QUOTAS})
        }

    def take(self, device: int, owners: tuple[UUID, ...], count: int, size: int) -> Wait | None:
        """Take messages of together `size` bytes from what a device may send; None if it may.

        Args:
            device: its number.
            owners: who may say, the narrowest first.
            count: messages.
            size: bytes of their payloads.
        """
        messages, octets = self._messages, self._bytes
        if self._said and any(owner in self._said for owner in owners):
            messages = self._allowance(Quota.DEVICE_MESSAGES, owners, messages)
            octets = self._allowance(Quota.DEVICE_BYTES, owners, octets)
        now = time.monotonic()
        if wait_s := messages.take(device, count, now=now):
            return _wait(Quota.DEVICE_MESSAGES, messages.rate, wait_s)
        if wait_s := octets.take(device, size, now=now):
            return _wait(Quota.DEVICE_BYTES, octets.rate, wait_s)
        return None

    def enter(self, device: int, owners: tuple[UUID, ...]) -> Wait | None:
        """Count a connection of a device in; None if it may come."""
        most = self._most(Quota.DEVICE_CONNECTIONS, owners)
        if self._open[device] >= most:
            return _wait(Quota.DEVICE_CONNECTIONS, most, 1.0)
        most = self._most(Quota.DEVICE_CONNECTS, owners)
        connects = self._made(Quota.DEVICE_CONNECTS, most, most / MINUTE_S, most)
        if wait_s := connects.take(device):
            return _wait(Quota.DEVICE_CONNECTS, most, wait_s)
        self._open[device] += 1
        return None

    def queue(self, owners: tuple[UUID, ...]) -> tuple[int, int]:
        """Give how many messages may wait for a session of a device, and how many bytes."""
        messages = self._most(Quota.DEVICE_QUEUE_MESSAGES, owners)
        return int(messages), int(self._most(Quota.DEVICE_QUEUE_BYTES, owners))

    def leave(self, device: int) -> None:
        """Count a connection out."""
        self._open[device] -= 1
        if self._open[device] <= 0:
            del self._open[device]

    def _most(self, quota: Quota, owners: tuple[UUID, ...]) -> float:
        most = self._usual[quota]
        for at, owner in enumerate(reversed(owners)):
            said = self._said.get(owner, {}).get(quota)
            if said is not None:
                most = min(most, said) if at else said
        return most

    def _allowance(self, quota: Quota, owners: tuple[UUID, ...], usual: Allowance) -> Allowance:
        most = self._most(quota, owners)
        if most == self._usual[quota]:
            return usual
        return self._made(quota, most, most, most * BURST_S)

    def _made(self, quota: Quota, most: float, rate: float, burst: float) -> Allowance:
        """Give the allowance of a limit; all devices that have the same limit are in one."""
        key = quota, most
        if key not in self._allowances:
            self._allowances[key] = Allowance(rate, burst)
        return self._allowances[key]


def _wait(quota: Quota, most: float, seconds: float) -> Wait:
    return Wait("device's", _UNITS[quota], most, seconds)
