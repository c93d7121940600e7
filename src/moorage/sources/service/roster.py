"""Whom the names at brokers belong to: asked once, kept until a change is told of."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from moorage import devices, ingest
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells

from .reading import Refused

MOST_KNOWN = 100_000
# Who is unknown is asked for again after this: nobody tells of names that begin to be used.
UNKNOWN_S = 5.0


class Roster:
    """The devices that the sources of one process speak for."""

    def __init__(self, database: Database, doorbells: Doorbells, door: ingest.Door) -> None:
        self._database = database
        self._door = door
        self._known: OrderedDict[tuple[devices.Naming, str], devices.Sender] = OrderedDict()
        self._refused: OrderedDict[tuple[devices.Naming, str], tuple[float, Refused]] = (
            OrderedDict()
        )
        # Set from the start: nobody is kept before it is known where changes begin.
        self._changed = asyncio.Event()
        self._changed.set()
        self._mark: int | None = None
        # Grows whenever something may have changed.
        self.turn = 0
        doorbells.on("moorage_devices", lambda _payload: self._changed.set())

    def known(self, naming: devices.Naming, name: str) -> devices.Sender | Refused | None:
        """Give whom a name belongs to or why nobody; None if that must be asked for."""
        key = naming, name
        if (sender := self._known.get(key)) is not None:
            return sender
        if (refused := self._refused.get(key)) is not None:
            if time.monotonic() < refused[0]:
                return refused[1]
            del self._refused[key]
        return None

    async def find(self, naming: devices.Naming, name: str) -> devices.Sender | Refused:
        """Ask whom a name belongs to; a stranger begins to wait. Raises DatabaseUnavailable."""
        while True:
            turn = self.turn
            try:
                async with self._database.begin() as tx:
                    sender = await devices.find_called(
                        tx, naming, name, devices.DeviceKind.MQTT, lambda: self._may_add(naming)
                    )
            except devices.CalledUnfit as unfit:
                return self._refuse(naming, name, str(unfit))
            if not sender.may_send:
                state = sender.state.value
                text = f"The device is {state}; set it to active to let it in."
                return self._refuse(naming, name, text)
            # A change that was told of meanwhile may have made this answer old: ask again.
            if self._mark is None or self._changed.is_set() or turn != self.turn:
                await asyncio.sleep(0.01)
                continue
            self._door.recognised(sender)
            self._known[naming, name] = sender
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
            return sender

    def _may_add(self, naming: devices.Naming) -> bool:
        return naming.inbox_id is not None and self._door.may_add(naming.inbox_id)

    def _refuse(self, naming: devices.Naming, name: str, text: str) -> Refused:
        refused = Refused("credentials", text)
        self._refused[naming, name] = time.monotonic() + UNKNOWN_S, refused
        if len(self._refused) > MOST_KNOWN:
            self._refused.popitem(last=False)
        return refused

    async def follow_changes(self) -> None:
        """Forget devices that changed, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._database.begin() as tx:
                    changes = await devices.contexts_changed(tx, self._mark)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self._changed.set()
                continue
            self._mark = changes.next
            self.turn += 1
            if changed := set(changes.numbers):
                self._refused.clear()
                for key, sender in list(self._known.items()):
                    if sender.number in changed:
                        del self._known[key]
