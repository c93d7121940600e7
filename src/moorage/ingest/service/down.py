"""What a process hands to its transports: commands, devices to take up, connections to cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from moorage import operations, sessions
from moorage.kit.db import Database, DatabaseUnavailable

from ..ports import Command

LOOK_EVERY_S = 5.0
_TRY_AGAIN_S = 0.5
_JSON, _BYTES = "application/json", "application/octet-stream"


class _Follower(NamedTuple):
    """What a transport has given to `follow`."""

    connected: Callable[[], Sequence[int]]
    deliver: Callable[[Command], bool]
    cut: Callable[[Sequence[int]], None]
    lost: Callable[[Sequence[int]], None]
    due: Callable[[Sequence[int]], None]
    met: Callable[[Sequence[sessions.Listener], bool], int]


class Down:
    """The transports of one process, as far as something comes down to them.

    Args:
        database: where commands wait.
        gateway_of: tells which gateway speaks for a device here.
    """

    def __init__(self, database: Database, gateway_of: Callable[[int], int | None]) -> None:
        self._database = database
        self._gateway_of = gateway_of
        self._followers: list[_Follower] = []
        self._waiting = asyncio.Event()

    def follow(
        self,
        connected: Callable[[], Sequence[int]],
        deliver: Callable[[Command], bool],
        cut: Callable[[Sequence[int]], None],
        lost: Callable[[Sequence[int]], None],
        due: Callable[[Sequence[int]], None],
        met: Callable[[Sequence[sessions.Listener], bool], int],
    ) -> None:
        """Hand over to a transport, as `Host.follow` says."""
        self._followers.append(_Follower(connected, deliver, cut, lost, due, met))
        self._waiting.set()

    # --- Devices --------------------------------------------------------------

    def cut(self, numbers: Sequence[int]) -> None:
        """End the connections of senders that have changed."""
        for follower in self._followers:
            follower.cut(numbers)

    def lost(self, numbers: Sequence[int]) -> None:
        """Forget devices that are at home elsewhere by now."""
        for follower in self._followers:
            follower.lost(numbers)

    def due(self, numbers: Sequence[int]) -> None:
        """Take up devices that are at home nowhere."""
        for follower in self._followers:
            follower.due(numbers)

    def met(self, others: Sequence[sessions.Listener], is_complete: bool) -> int:
        """Tell of the other listeners; give how many of them are followed."""
        return max((one.met(others, is_complete) for one in self._followers), default=0)

    # --- Commands -------------------------------------------------------------

    def look(self) -> None:
        """Look for commands soon: there is a new one, or a device has just connected."""
        self._waiting.set()

    async def take(self, device: int) -> list[Command]:
        """Claim what waits for one device, for the answer to its message."""
        async with self._database.begin() as tx:
            claimed = await operations.claim(tx, [device])
            await operations.delivered(tx, [c.id for c in claimed])
        return [self._command(c) for c in claimed]

    async def run(self) -> None:
        """Hand commands over until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._waiting.wait()
            self._waiting.clear()
            for follower in self._followers:
                numbers = follower.connected()
                if not numbers:
                    continue
                try:
                    await self._hand_down(numbers, follower.deliver)
                except DatabaseUnavailable:
                    await asyncio.sleep(_TRY_AGAIN_S)
                    self._waiting.set()

    async def _hand_down(self, numbers: Sequence[int], deliver: Callable[[Command], bool]) -> None:
        async with self._database.begin() as tx:
            claimed = await operations.claim(tx, numbers)
        missed = [c.id for c in claimed if not deliver(self._command(c))]
        if missed:
            async with self._database.begin() as tx:
                await operations.unclaim(tx, missed)

    def _command(self, claimed: operations.Claimed) -> Command:
        gateway = self._gateway_of(claimed.device)
        meta: dict[str, Any] = {"content_type": _JSON if claimed.encoded is None else _BYTES}
        if claimed.port is not None:
            meta["port"] = claimed.port
        return Command(claimed.device, claimed.device_id, claimed.id, claimed.body(), meta, gateway)
