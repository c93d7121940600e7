"""The wills of one door's devices: kept before CONNACK promises them, published once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from moorage.plugin import MoorageError, Sender, uuid7
from moorage_mqtt import Connect, Publish, Will

from .messages import to_messages
from .sessions import Kept, WillAs

if TYPE_CHECKING:
    from .door import Door

_TRY_AGAIN_S = 1.0


class Wills:
    """Keeps and publishes wills.

    What goes to the ledger has an id of its own, so that it is stored once. Who hears a will to a
    topic that devices share is written down together with the session that has no will any more.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    def keep(self, connect: Connect, kept: Kept) -> None:
        """Have the will of a connection written before CONNACK promises it."""
        kept.will_as = None
        if connect.will is None or not isinstance(kept.sender, Sender):
            return
        uplink = self._door.host.uplink(kept.sender, connect.will.topic)
        if uplink is not None:
            kept.will_as = WillAs(uuid7().hex, uplink)
            self._door.keeper.note(kept)

    def publish(self, kept: Kept, will: Will) -> None:
        """Publish the will of a session whose connection is lost."""
        door = self._door
        publish = Publish(
            will.topic, will.payload, will.qos, will.retain, properties=will.message_properties
        )
        if door.settings.is_open:
            door.broker.publish(kept.space, publish, door.time(), kept)
        elif kept.will_as is not None:
            kept.going = will
            door.keeper.pin(kept.number)
            self._send(kept, publish, kept.will_as)
        elif (uplink := door.host.uplink(kept.sender, will.topic)) is not None:
            door.passage.pass_on(kept, publish, uplink, None)  # A service's: these are not kept.

    def _send(self, kept: Kept, publish: Publish, will_as: WillAs) -> None:
        if will_as.uplink.space is None:
            self._put(kept, publish, will_as)
        else:
            self._door.spawn(self._share(kept, publish, will_as))

    def _put(self, kept: Kept, publish: Publish, will_as: WillAs) -> None:
        messages = to_messages(publish, will_as.uplink, self._door.now_us(), will_as.id)
        self._door.passage.put_will(kept, publish, messages)
        self._door.passage.route(kept, publish, will_as.uplink)

    async def _share(self, kept: Kept, publish: Publish, will_as: WillAs) -> None:
        """Publish a will to a shared topic, if its device may still publish there.

        Its connection may have ended long ago, and at another listener.
        """
        door = self._door
        try:
            sender = await door.host.sender_of(kept.number)
        except MoorageError as failed:
            self.settled(kept, publish, failed)
            return
        if not door.keeper.is_home(kept.number):
            door.keeper.unpin(kept.number)  # It is published where the device is at home by now.
            return
        uplink = None if sender is None else door.host.uplink(sender, publish.topic)
        if uplink is not None and uplink.is_kept:
            self._put(kept, publish, WillAs(will_as.id, uplink))
            return
        if uplink is not None:
            door.passage.pass_on(kept, publish, uplink, None)
        # In the same turn: whoever hears it is written down with the session that has no will.
        self.settled(kept, publish, None)

    def settled(self, kept: Kept, publish: Publish, error: Exception | None) -> None:
        """Forget a will that is stored; try again with one that could not be."""
        keeper = self._door.keeper
        if error is not None and kept.will_as is not None:
            again = partial(self._send, kept, publish, kept.will_as)
            self._door.loop.call_later(_TRY_AGAIN_S, again)
            return
        kept.going = None
        if kept.lasts_s and self._door.broker.find(kept.number, kept.client_id) is kept:
            keeper.note(kept)
        else:
            keeper.discarded(kept)
        # Only then: whoever follows this listener is sent it if the device is still at home here.
        keeper.then(lambda _error: keeper.unpin(kept.number))
