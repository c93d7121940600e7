"""What devices of an application share, and services see, from listener to listener (decision 27).

Each listener follows every other one over a connection of its own: it tells which filters somebody
here subscribes to, and is sent what is published there that one of them matches. A message is sent
to a listener once and goes no further from there.

What a session may wait for whose listener dies is written down before it is sent: each listener
writes its messages of QoS 1 and 2 in one order, and a session notes up to which place it has heard
each. Who has missed something reads it from there (`catching`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from moorage.plugin import Listener, MoorageError
from moorage_mqtt import Outgoing, Publish

from .following import Follower, Following
from .frozen import freeze_copy, freeze_shared
from .interests import Interests
from .sessions import Handed, Kept, Mark

if TYPE_CHECKING:
    from .door import Door

log = structlog.get_logger()

_JOIN_S = 5.0
# Longer than what a dead listener wrote down is kept.
_FORGET_S = 900.0


class Routes:
    """The ways to and from other listeners, of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._interests = Interests()
        self._followings: dict[UUID, Following] = {}
        self._followers: set[Follower] = set()
        self._own: UUID | None = None
        self._place = 0
        self.sent_place = 0
        """The place in our order up to which the others have been sent all."""
        self.heard: dict[UUID, int] = {}
        """The place in each listener's order up to which all that concerns us has come here."""
        self._joined = asyncio.Event()
        self._is_alone = False
        self._scheduled = False
        self._version = 0
        # The frame of the copy that was sent last: the same goes to several.
        self._last: tuple[Outgoing, bytes] | None = None
        self._unsent: list[tuple[Follower, Hashable, str, bytes]] = []
        if not door.settings.is_open:
            door.broker.counted = self._count

    async def joined(self) -> None:
        """Wait until the others know that this listener is here; not for long."""
        if not self._joined.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_JOIN_S):
                    await self._joined.wait()

    def close(self) -> None:
        """End what goes on with others."""
        for following in self._followings.values():
            following.close()
        for follower in list(self._followers):
            follower.close()

    # --- Who is there ---------------------------------------------------------------------------

    def met(self, others: Sequence[Listener], is_complete: bool) -> int:
        """Take up who lives now; give how many of them are followed.

        Args:
            others: the other listeners.
            is_complete: nobody is at home nowhere whom others may send something.
        """
        if self._own != self._door.host.listener_id:
            self._own = self._door.host.listener_id
            for following in self._followings.values():
                following.close()  # They knew this listener by its former life.
            self._followings.clear()
        for gone in self._followings.keys() - {one.id for one in others}:
            self._followings.pop(gone).close()
            # Nothing more will come of it, and what it wrote last is to be read.
            self._door.catching.all_behind()
            loop = asyncio.get_running_loop()
            loop.call_later(_FORGET_S, self.heard.pop, gone, None)
        for one in others:
            if one.id not in self._followings and one.address is not None:
                self._followings[one.id] = Following(self._door, self, one)
        was_alone = self._is_alone
        self._is_alone = is_complete and not others and not self._followers
        if was_alone and not self._is_alone:
            self._door.forget_topics(None)
        self.look_again()
        return sum(one.is_followed for one in self._followings.values())

    def look_again(self) -> None:
        """Look whether all others are followed and follow this one, or are given up for now."""
        self._door.catching.wake()
        told = {one.listener_id for one in self._followers if one.has_told}
        if not self.is_doubtful and all(
            one.listener_id in told for one in self._followings.values() if one.is_followed
        ):
            self._joined.set()

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody cannot be reached who may have something to say yet."""
        return any(not one.is_settled for one in self._followings.values()) or any(
            one.is_new and one.listener_id not in self._followings for one in self._followers
        )

    @property
    def reaches_all(self) -> bool:
        """Whether all others are followed."""
        return all(one.is_followed for one in self._followings.values())

    async def bury(self, listener: Listener, *, refused: bool) -> None:
        """Give up a listener that cannot be reached, if it is dead."""
        try:
            await self._door.host.bury(listener.id, refused=refused)
        except MoorageError as failed:
            log.warning("listener_not_buried", name=listener.name, error=str(failed))

    # --- What is wanted here --------------------------------------------------------------------

    def _count(self, space: Hashable, topic_filter: str, change: int) -> None:
        self._interests.count(space, topic_filter, change)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.tell_changes)

    def tell_changes(self) -> None:
        """Tell all that are followed what has come and gone."""
        self._scheduled = False
        added, removed = self._interests.take_changes()
        self._version += 1
        for following in self._followings.values():
            following.tell(self._version, added, removed)

    def tell_all(self, following: Following) -> None:
        """Tell somebody who has been told nothing, just after the others were told all."""
        following.tell(self._version, self._interests.told, [])

    async def known(self) -> None:
        """Wait until all that are followed know what is wanted here, as it is now.

        Whoever does not answer is followed anew.
        """
        self.tell_changes()
        version = self._version
        for following in list(self._followings.values()):
            await following.known(version)

    # --- What is published here -----------------------------------------------------------------

    def mark(self, qos: int) -> Mark | None:
        """Mark a message that is being published, with a place if it has to be written down."""
        own = self._door.host.listener_id
        if own is None:
            return None
        if not qos or (self._is_alone and not self._door.catching.is_busy):
            return Mark(own, 0)
        self._place += 1
        return Mark(own, self._place)

    @property
    def writes(self) -> bool:
        """Whether messages of QoS 1 and 2 are written down."""
        return not self._is_alone or self._door.catching.is_busy

    def send(self, follower: Follower, space: Hashable, copy: Outgoing, mark: Hashable) -> None:
        """Send a message to another listener, once it is written down if it has a place."""
        if self._last is None or self._last[0] is not copy:
            self._last = copy, freeze_copy(copy, self._door.time())
        frame = self._last[1]
        if isinstance(mark, Mark) and mark.place:
            self._unsent.append((follower, space, copy.shared, frame))
        else:
            hops = mark.hops if isinstance(mark, Handed) else 0
            follower.send(space, 0, copy.shared, frame, hops)

    def share(self, kept: Kept, application_id: UUID, publish: Publish, mark: Mark | None) -> None:
        """Have a message written down that was published here; then send it to the others."""
        unsent, self._unsent = self._unsent, []
        place = 0 if mark is None else mark.place
        if not place and not publish.retain:
            return
        keeper, number = self._door.keeper, kept.number
        keeper.share(freeze_shared(number, application_id, place, publish))

        def written(error: Exception | None) -> None:
            # For a device that is at home elsewhere by now nothing was written.
            if error is None and (number < 0 or keeper.is_home(number)):
                for follower, space, shared, frame in unsent:
                    follower.send(space, place, shared, frame)
            self.sent_place = max(self.sent_place, place)

        keeper.then(written)

    @property
    def place(self) -> int:
        """The last place given in our order."""
        return self._place

    def own_heard(self) -> dict[UUID, int]:
        """Tell up to which place of each listener a session has heard all that misses nothing."""
        own = self._door.host.listener_id
        return self.heard if own is None else {**self.heard, own: self._place}

    # --- Who follows us -------------------------------------------------------------------------

    def add(self, follower: Follower) -> None:
        """Take up a listener that follows this one."""
        self._followers.add(follower)
        if follower.listener_id not in self._followings:
            self._door.host.meet()
        if self._is_alone:
            self._is_alone = False
            self._door.forget_topics(None)

    def remove(self, follower: Follower) -> None:
        """Let go of it."""
        self._followers.discard(follower)
        self.look_again()
