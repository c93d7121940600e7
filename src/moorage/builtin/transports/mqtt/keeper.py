"""What a device finds again after the door has restarted: sessions and retained messages.

A change of a session that lasts is written before what it says leaves: until then the bytes for its
device are held. What changes during one turn of the event loop is written together.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from moorage.plugin import Done, KeptSession, Listener, Sender, SharedMessage
from moorage_mqtt import Publish

from .frozen import freeze, freeze_retained, thaw, thaw_publish
from .sessions import Kept

if TYPE_CHECKING:
    from .door import Door
    from .link import Link


# How long what a device sent last may take to be stored before another listener is its home.
_GIVE_UP_S = 2.0


class Keeper:
    """Has the host keep what changes, and takes up what it kept."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._host = door.host
        self._broker = door.broker
        self._time = door.time
        self._loop = asyncio.get_running_loop()
        self._loaded: set[int] = set()
        self._leaving: dict[int, asyncio.Future[None]] = {}
        self._pins: Counter[int] = Counter()
        self._changed: dict[Kept, None] = {}
        self._discarded: list[Kept] = []
        self._retained: list[tuple[int, Publish]] = []
        self._shared: list[SharedMessage] = []
        self._loading = 0
        self._after: list[Done] = []
        self._scheduled = False

    @property
    def has_changes(self) -> bool:
        """Whether something has yet to be written."""
        return self._scheduled

    # --- Out ------------------------------------------------------------------------------------

    def holds(self, kept: Kept) -> bool:
        """Tell whether a session's device has to wait for what it is sent; have it written then."""
        if not kept.is_kept and not kept.lasts_s:
            return False
        if kept.lasts_s and kept.session.changed:
            self.note(kept)
        return kept.saving > 0

    def note(self, kept: Kept) -> None:
        """Have a session written that lasts, or whose will does."""
        kept.is_kept = True
        if kept not in self._changed:
            self._changed[kept] = None
            kept.saving += 1
        self._schedule()

    def discarded(self, kept: Kept) -> None:
        """Have a session removed that was written; not before its will is stored."""
        if self._changed.pop(kept, True) is None:
            kept.saving -= 1
        kept.lasts_s = 0
        if kept.is_kept and kept.going is None:
            kept.is_kept = False
            self._discarded.append(kept)
            self._schedule()

    def retained(self, device: int, publish: Publish) -> None:
        """Have a retained message written, or removed if it is empty."""
        self._retained.append((device, publish))
        self._schedule()

    def share(self, message: SharedMessage) -> None:
        """Have a message written down that devices share."""
        self._shared.append(message)
        self._schedule()

    def then(self, done: Done) -> None:
        """Call once all noted so far is kept."""
        self._after.append(done)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._scheduled = False
        changed, self._changed = list(self._changed), {}
        discarded, self._discarded = self._discarded, []
        retained, self._retained = self._retained, []
        shared, self._shared = self._shared, []
        after, self._after = self._after, []
        sessions = [
            KeptSession(one.number, one.client_id, None, 0, None)
            for one in discarded
            if not self._has_successor(one)
        ]
        held: list[tuple[Kept, Link | None]] = []
        for kept in changed:
            if not self._has_successor(kept):
                if kept.elsewhere:
                    self._door.catching.bring_up(kept)
                sessions.append(freeze(kept, self._time()))
            kept.session.changed = False
            link = kept.link
            if link is not None:
                link.hold()
            held.append((kept, link))
        messages = [freeze_retained(device, publish) for device, publish in retained]
        self._host.keep(sessions, messages, shared, partial(self._written, held, after))

    def _has_successor(self, kept: Kept) -> bool:
        """Tell whether another session has taken the place of one, and what is written for it."""
        now = self._broker.find(kept.number, kept.client_id)
        return now is not None and now is not kept and now.is_kept

    def _written(
        self,
        held: Sequence[tuple[Kept, Link | None]],
        after: Sequence[Done],
        error: Exception | None,
    ) -> None:
        for kept, link in held:
            kept.saving -= 1
            if link is not None:
                link.release(error)
            if kept.link is not None and kept.link is not link:
                kept.link.flush()  # It has come meanwhile, and waited for this write as well.
            self.let_go(kept.number)
        for done in after:
            done(error)

    # --- In -------------------------------------------------------------------------------------

    @contextmanager
    def pinned(self, device: int) -> Iterator[None]:
        """Keep hold of a device meanwhile, which is signing in."""
        self.pin(device)
        try:
            yield
        finally:
            self.unpin(device)

    def pin(self, device: int) -> None:
        """Keep hold of what is taken up for a device until `unpin`."""
        self._pins[device] += 1

    def unpin(self, device: int) -> None:
        """Let go of a device if nothing else speaks against it."""
        self._pins[device] -= 1
        if not self._pins[device]:
            del self._pins[device]
        self.let_go(device)

    def let_go(self, device: int) -> None:
        """Forget a device that is away, since all of it is kept; unless a will waits here."""
        if device not in self._loaded or device in self._pins:
            return
        own = self._broker.of(device)
        asked = self._leaving.get(device)
        for one in own:
            if one.link is None and one.lasts_s and one.session.changed:
                self.note(one)  # Its connection had ended when what it sent last was taken.
            if one.link is not None or one.saving or (one.will is not None and asked is None):
                return
            if one.elsewhere and asked is None:
                return  # Others may send it something while it is away.
        self._forget(device, own)
        self._host.let_move(device)
        if asked is not None and not asked.done():
            asked.set_result(None)

    def lost(self, device: int) -> None:
        """Forget a device that is at home elsewhere by now: nothing of it is kept any more."""
        for one in self._broker.of(device):
            one.is_kept, one.lasts_s, one.will = False, 0, None
        self._forget(device, self._broker.of(device))

    def _forget(self, device: int, own: Sequence[Kept]) -> None:
        for one in own:
            self._broker.forget(one)
        self._broker.clear(device)
        self._loaded.discard(device)

    async def give_up(self, device: int) -> bool:
        """Forget a device soon, whose connections have been ended; False if it stays at home here.

        It stays if it has another connection meanwhile, or is signing in.
        """
        self.let_go(device)
        if device not in self._loaded:
            return device not in self._pins
        for one in self._broker.of(device):
            if one.lasts_s and one.elsewhere:
                self.note(one)  # With how far it has heard the others, so that less is read again.
        gone = self._leaving.setdefault(device, self._loop.create_future())
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                await asyncio.shield(gone)
        except TimeoutError:
            return False
        finally:
            self._leaving.pop(device, None)
        return True

    def is_home(self, device: int) -> bool:
        """Tell whether a device is at home here."""
        return device in self._loaded

    @property
    def is_loading(self) -> bool:
        """Whether something that was kept is on its way here."""
        return self._loading > 0

    async def load(self, device: int, sender: Sender | None = None) -> Listener | None:
        """Take up what was kept for a device, unless it is here; it has to be pinned.

        Gives the listener that the device is at home at, if it is at home elsewhere.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        if device in self._loaded:
            return None
        self._loading += 1
        try:
            found = await self._host.find_again(device)
        finally:
            self._loading -= 1
        if found.elsewhere is not None:
            return found.elsewhere
        if device in self._loaded:
            return None  # Another connection of the device was quicker.
        self._loaded.add(device)
        for one in found.sessions:
            kept = thaw(one, self._time())
            if sender is not None:
                kept.sender = sender
            self._broker.restore(kept, self._time())
            for application_id in set(kept.elsewhere.values()):
                self._door.forget_topics(application_id)
            if kept.elsewhere:
                self._door.catching.take_up(kept)
        for message in found.retained:
            if message.message is not None:
                self._broker.retain(device, thaw_publish(message.message), self._time())
        return None
