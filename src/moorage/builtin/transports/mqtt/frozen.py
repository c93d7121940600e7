"""The form in which sessions and retained messages are kept: MessagePack only the door reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec

from moorage.plugin import KeptSession, RetainedMessage, SharedMessage, Uplink
from moorage_mqtt import Outgoing, Properties, Publish, Subscribed, Will

from .sessions import Kept, WillAs


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
    id: str
    device: int
    channel: str
    is_answer: bool
    application_id: UUID | None = None


class _State(msgspec.Struct, array_like=True):
    """A session as it is stored; a released message is None."""

    subscriptions: dict[str, Subscribed]
    received: list[int]
    inflight: list[tuple[int, _Message | None]]
    queue: list[_Message]
    last_packet_id: int
    will: _Will | None
    elsewhere: dict[str, UUID] = {}
    heard: dict[UUID, int] = {}
    bounds: tuple[int, int] | None = None


_encode = msgspec.msgpack.Encoder().encode
_state = msgspec.msgpack.Decoder(_State).decode
_message = msgspec.msgpack.Decoder(_Message).decode


def freeze(kept: Kept, now: float) -> KeptSession:
    """Write a session down; `now` is the time on the clock of its instants."""
    session = kept.session
    will, delay_s, will_at = _will_of(kept, now)
    state = _State(
        kept.subscriptions,
        list(session.received),
        [
            (packet_id, None if one.released else _freeze_message(one, now))
            for packet_id, one in session.inflight.items()
        ],
        [_freeze_message(one, now) for one in session.queue],
        session.last_packet_id,
        will,
        kept.elsewhere,
        kept.heard if kept.elsewhere else {},
        session.bounds,
    )
    expires_at = None if kept.is_connected else _wall(kept.expires_at, now)
    return KeptSession(
        kept.number,
        kept.client_id,
        _encode(state),
        kept.lasts_s,
        expires_at,
        delay_s,
        will_at,
        bool(kept.elsewhere),
    )


def _will_of(kept: Kept, now: float) -> tuple[_Will | None, int | None, datetime | None]:
    """Give a session's will, its delay, and when it is due if its connection has ended."""
    if kept.going is not None:
        will, will_at = kept.going, datetime.now(UTC)
    elif kept.will is not None:
        will, will_at = kept.will, _wall(kept.will_at, now)
    elif kept.is_connected and kept.link is not None and kept.link.core.will is not None:
        will, will_at = kept.link.core.will, None
    else:
        return None, None, None
    if kept.will_as is None:
        return None, None, None
    properties = cast("dict[str, Any]", will.properties)
    message = _Message(will.topic, will.payload, will.qos, will.retain, properties, None, None)
    uplink = kept.will_as.uplink
    where = uplink.device, uplink.channel, uplink.is_answer, uplink.space
    frozen = _Will(message, kept.will_as.id, *where)
    return frozen, will.properties.get("will_delay_interval", 0), will_at


def thaw(stored: KeptSession, now: float) -> Kept:
    """Read what `freeze` wrote."""
    state = _state(stored.state or b"")
    kept = Kept(stored.number, stored.client_id)
    kept.lasts_s = stored.expiry_s
    kept.is_kept = True
    kept.subscriptions.update(state.subscriptions)
    kept.elsewhere.update(state.elsewhere)
    kept.heard.update(state.heard)
    session = kept.session
    session.received.update(state.received)
    for packet_id, one in state.inflight:
        session.inflight[packet_id] = (
            Outgoing("", b"", 2, released=True) if one is None else _thaw_message(one, now)
        )
    for waiting in state.queue:
        message = _thaw_message(waiting, now)
        session.queue.append(message)
        session.queue_bytes += message.size
    session.last_packet_id = state.last_packet_id
    session.bounds = state.bounds
    kept.expires_at = now + stored.expiry_s
    if stored.expires_at is not None:
        kept.expires_at = _clock(stored.expires_at, now)
    if state.will is not None:
        _thaw_will(kept, state.will)
        kept.will_at = now if stored.will_at is None else _clock(stored.will_at, now)
    return kept


def _thaw_will(kept: Kept, will: _Will) -> None:
    one = will.message
    properties = cast("Properties", one.properties)
    kept.will = Will(one.topic, one.payload, one.qos, one.retain, properties)
    uplink = Uplink(will.device, will.channel, will.is_answer, space=will.application_id)
    kept.will_as = WillAs(will.id, uplink)


def _freeze_message(one: Outgoing, now: float) -> _Message:
    expires_at = None if one.expires_at is None else _wall(one.expires_at, now)
    return _Message(
        one.topic,
        one.payload,
        one.qos,
        one.retain,
        cast("dict[str, Any]", one.properties),
        one.reference,
        expires_at,
    )


def _thaw_message(one: _Message, now: float) -> Outgoing:
    expires_at = None if one.expires_at is None else _clock(one.expires_at, now)
    properties = cast("Properties", one.properties)
    return Outgoing(
        one.topic, one.payload, one.qos, one.retain, properties, one.reference, expires_at
    )


def freeze_retained(device: int, publish: Publish) -> RetainedMessage:
    """Write a retained message down; an empty one as cleared."""
    if not publish.payload:
        return RetainedMessage(device, publish.topic, None, None)
    return RetainedMessage(device, publish.topic, *_freeze_publish(publish))


def freeze_shared(number: int, application_id: UUID, place: int, publish: Publish) -> SharedMessage:
    """Write a message down that devices of an application share."""
    message, expires_at = _freeze_publish(publish)
    return SharedMessage(
        number,
        application_id,
        place,
        publish.topic,
        message,
        publish.retain,
        not publish.payload,
        expires_at,
    )


def _freeze_publish(publish: Publish) -> tuple[bytes, datetime | None]:
    """Write a message down, and say when it ends."""
    expiry = publish.properties.get("message_expiry_interval")
    expires_at = None if expiry is None else datetime.now(UTC) + timedelta(seconds=expiry)
    message = _Message(
        publish.topic,
        publish.payload,
        publish.qos,
        publish.retain,
        cast("dict[str, Any]", publish.properties),
        None,
        expires_at,
    )
    return _encode(message), expires_at


def freeze_copy(copy: Outgoing, now: float) -> bytes:
    """Write down what goes to another listener; `thaw_publish` reads it."""
    return _encode(_freeze_message(copy, now))


def thaw_publish(stored: bytes) -> Publish:
    """Read a message."""
    one = _message(stored)
    properties = cast("Properties", one.properties)
    if one.expires_at is not None:
        left = (one.expires_at - datetime.now(UTC)).total_seconds()
        properties["message_expiry_interval"] = max(0, round(left))
    return Publish(one.topic, one.payload, one.qos, one.retain, properties=properties)


def _wall(at: float, now: float) -> datetime:
    """Turn an instant of the event loop's clock into one of the calendar."""
    return datetime.now(UTC) + timedelta(seconds=at - now)


def _clock(at: datetime, now: float) -> float:
    """Turn an instant of the calendar into one of the event loop's clock."""
    return now + (at - datetime.now(UTC)).total_seconds()
