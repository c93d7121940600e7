"""What a device finds again after the door has restarted: sessions and retained messages.

A change of a session that lasts is written before what it says leaves: until then the bytes for its
device are held. What changes during one turn of the event loop is written together.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec

from moorage.plugin import Done, Host, KeptSession, RetainedMessage, Sender
from moorage_mqtt import Broker, Outgoing, Properties, Publish, Subscribed, Will

from .sessions import Kept

if TYPE_CHECKING:
    from .link import Link


class _Message(msgspec.Struct, array_like=True):
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: dict[str, Any]
    reference: str | None
    expires_at: datetime | None


class _Will(msgspec.Struct, array_like=True):
    message: _Message
    due_at: datetime


class _State(msgspec.Struct, array_like=True):
    """A session as it is stored; a released message is None."""

    subscriptions: dict[str, Subscribed]
    received: list[int]
    inflight: list[tuple[int, _Message | None]]
    queue: list[_Message]
    last_packet_id: int
    will: _Will | None
    elsewhere: dict[str, UUID] = {}


_encode = msgspec.msgpack.Encoder().encode
_state = msgspec.msgpack.Decoder(_State).decode
_message = msgspec.msgpack.Decoder(_Message).decode


class Keeper:
    """Has the host keep what changes, and takes up what it kept."""

    def __init__(self, host: Host, broker: Broker[Kept], time: Callable[[], float]) -> None:
        self._host = host
        self._broker = broker
        self._time = time
        self._loop = asyncio.get_running_loop()
        self._loaded: set[int] = set()
        self._pins: Counter[int] = Counter()
        self._changed: dict[Kept, None] = {}
        self._discarded: list[Kept] = []
        self._retained: list[tuple[int, Publish]] = []
        self._after: list[Done] = []
        self._writing = 0
        self._scheduled = False

    @property
    def is_idle(self) -> bool:
        """Whether everything is kept."""
        return not self._scheduled and not self._writing

    @property
    def has_changes(self) -> bool:
        """Whether something has yet to be written."""
        return self._scheduled

    # --- Out ------------------------------------------------------------------------------------

    def holds(self, kept: Kept) -> bool:
        """Tell whether a session's device has to wait for what it is sent; have it written then."""
        if not kept.lasts_s:
            return False
        if kept.session.changed:
            self.note(kept)
        return kept.saving > 0 or kept in self._changed

    def note(self, kept: Kept) -> None:
        """Have a session written that lasts."""
        self._changed[kept] = None
        self._schedule()

    def discarded(self, kept: Kept) -> None:
        """Have a session removed that was written."""
        self._changed.pop(kept, None)
        if kept.lasts_s:
            kept.lasts_s = 0
            self._discarded.append(kept)
            self._schedule()

    def retained(self, device: int, publish: Publish) -> None:
        """Have a retained message written, or removed if it is empty."""
        self._retained.append((device, publish))
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
        after, self._after = self._after, []
        sessions = [KeptSession(one.number, one.client_id, None, 0, None) for one in discarded]
        held: list[tuple[Kept, Link | None]] = []
        for kept in changed:
            sessions.append(self._freeze(kept))
            kept.session.changed = False
            kept.saving += 1
            link = kept.link
            if link is not None:
                link.hold()
            held.append((kept, link))
        messages = [self._freeze_retained(device, publish) for device, publish in retained]
        self._writing += 1
        self._host.keep(sessions, messages, partial(self._written, held, after))

    def _written(
        self,
        held: Sequence[tuple[Kept, Link | None]],
        after: Sequence[Done],
        error: Exception | None,
    ) -> None:
        self._writing -= 1
        for kept, link in held:
            kept.saving -= 1
            if link is not None:
                link.release(error)
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
        for one in own:
            if one.link is not None or one.will is not None or one.saving or one in self._changed:
                return
            if one.elsewhere:
                return  # Others may send it something while it is away.
        for one in own:
            self._broker.forget(one)
        self._broker.clear(device)
        self._loaded.discard(device)

    async def load(self, sender: Sender) -> None:
        """Take up what was kept for a device, unless it is here; it has to be pinned.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        device = sender.number
        if device in self._loaded:
            return
        found = await self._host.find_again(device)
        if device in self._loaded:
            return  # Another connection of the device was quicker.
        self._loaded.add(device)
        for one in found.sessions:
            kept = self._thaw(one)
            kept.sender = sender
            self._broker.restore(kept)
        for message in found.retained:
            if message.message is not None:
                self._broker.retain(device, self._thaw_retained(message.message), self._time())

    # --- The form it is kept in -----------------------------------------------------------------

    def _freeze(self, kept: Kept) -> KeptSession:
        session, will = kept.session, kept.will
        state = _State(
            kept.subscriptions,
            list(session.received),
            [
                (packet_id, None if one.released else self._freeze_message(one))
                for packet_id, one in session.inflight.items()
            ],
            [self._freeze_message(one) for one in session.queue],
            session.last_packet_id,
            None if will is None else self._freeze_will(will, kept.will_at),
            kept.elsewhere,
        )
        expires_at = None if kept.is_connected else self._wall(kept.expires_at)
        return KeptSession(kept.number, kept.client_id, _encode(state), kept.lasts_s, expires_at)

    def _thaw(self, stored: KeptSession) -> Kept:
        state = _state(stored.state or b"")
        kept = Kept(stored.number, stored.client_id)
        kept.lasts_s = stored.expiry_s
        kept.subscriptions.update(state.subscriptions)
        kept.elsewhere.update(state.elsewhere)
        session = kept.session
        session.received.update(state.received)
        for packet_id, one in state.inflight:
            session.inflight[packet_id] = (
                Outgoing("", b"", 2, released=True) if one is None else self._thaw_message(one)
            )
        for waiting in state.queue:
            message = self._thaw_message(waiting)
            session.queue.append(message)
            session.queue_bytes += message.size
        session.last_packet_id = state.last_packet_id
        now = self._time()
        kept.expires_at = now + stored.expiry_s
        if stored.expires_at is not None:
            kept.expires_at = self._clock(stored.expires_at)
        if (will := state.will) is not None:
            one = will.message
            properties = cast("Properties", one.properties)
            kept.will = Will(one.topic, one.payload, one.qos, one.retain, properties)
            kept.will_at = self._clock(will.due_at)
        return kept

    def _freeze_message(self, one: Outgoing) -> _Message:
        expires_at = None if one.expires_at is None else self._wall(one.expires_at)
        return _Message(
            one.topic,
            one.payload,
            one.qos,
            one.retain,
            cast("dict[str, Any]", one.properties),
            one.reference,
            expires_at,
        )

    def _thaw_message(self, one: _Message) -> Outgoing:
        expires_at = None if one.expires_at is None else self._clock(one.expires_at)
        properties = cast("Properties", one.properties)
        return Outgoing(
            one.topic, one.payload, one.qos, one.retain, properties, one.reference, expires_at
        )

    def _freeze_will(self, will: Will, due_at: float) -> _Will:
        properties = cast("dict[str, Any]", will.properties)
        message = _Message(will.topic, will.payload, will.qos, will.retain, properties, None, None)
        return _Will(message, self._wall(due_at))

    def _freeze_retained(self, device: int, publish: Publish) -> RetainedMessage:
        if not publish.payload:
            return RetainedMessage(device, publish.topic, None, None)
        expiry = publish.properties.get("message_expiry_interval")
        expires_at = None if expiry is None else datetime.now(UTC) + timedelta(seconds=expiry)
        message = _Message(
            publish.topic,
            publish.payload,
            publish.qos,
            True,
            cast("dict[str, Any]", publish.properties),
            None,
            expires_at,
        )
        return RetainedMessage(device, publish.topic, _encode(message), expires_at)

    def _thaw_retained(self, stored: bytes) -> Publish:
        one = _message(stored)
        properties = cast("Properties", one.properties)
        if one.expires_at is not None:
            left = (one.expires_at - datetime.now(UTC)).total_seconds()
            properties["message_expiry_interval"] = max(0, round(left))
        return Publish(one.topic, one.payload, one.qos, True, properties=properties)

    def _wall(self, at: float) -> datetime:
        """Turn an instant of the event loop's clock into one of the calendar."""
        return datetime.now(UTC) + timedelta(seconds=at - self._time())

    def _clock(self, at: datetime) -> float:
        """Turn an instant of the calendar into one of the event loop's clock."""
        return self._time() + (at - datetime.now(UTC)).total_seconds()
