"""What the copies of a message look like to those who subscribe to it (MQTT 5, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .member import Member, Subscribed
from .packets import Publish
from .properties import Properties
from .session import Outgoing
from .subscribers import Filter

# QoS, retain flag, subscription identifiers and shared subscription of a copy: all that differs
# between subscribers.
Shape = tuple[int, bool, tuple[int, ...], str]


def shaped(
    message: Outgoing, qos: int, retain: bool, identifiers: tuple[int, ...], shared: str = ""
) -> Outgoing:
    """Give the copy of a message that looks so."""
    properties: Properties = message.properties
    if identifiers:
        properties = {**properties, "subscription_identifier": list(identifiers)}
    return Outgoing(
        message.topic,
        message.payload,
        qos,
        retain,
        properties,
        expires_at=message.expires_at,
        shared=shared,
    )


def each(
    found: Sequence[Filter], packet: Publish, sender: Member | None
) -> Iterator[tuple[Member, Shape]]:
    """Say who gets a message, and how it looks to them: a copy for each filter that matches.

    A group gets one, for one of it.
    """
    for one in found:
        for member, subscribed in one.members.items():
            if not (subscribed.no_local and member is sender):
                yield member, shape_of(packet, subscribed)
        for group in (one.groups or {}).values():
            member, subscribed = one.choose(group)
            yield member, shape_of(packet, subscribed)


def merged(
    found: Sequence[Filter], packet: Publish, sender: Member | None
) -> Iterator[tuple[Member, Shape]]:
    """Do the same with one copy for a session, whatever number of its filters match."""
    if len(found) == 1:
        yield from each(found, packet, sender)
        return
    alone: dict[Member, Shape] = {}
    for one in found:
        for member, subscribed in one.members.items():
            if subscribed.no_local and member is sender:
                continue
            shape, former = shape_of(packet, subscribed), alone.get(member)
            alone[member] = shape if former is None else _both(former, shape)
    yield from alone.items()
    for one in found:
        for group in (one.groups or {}).values():
            member, subscribed = one.choose(group)
            yield member, shape_of(packet, subscribed)


def shape_of(packet: Publish, subscribed: Subscribed) -> Shape:
    """Say how a message looks by one subscription [MQTT-3.3.1-12, -13] [MQTT-3.3.4-3]."""
    identifier = subscribed.identifier
    return (
        min(packet.qos, subscribed.qos),
        packet.retain and subscribed.retain_as_published,
        (identifier,) if identifier else (),
        subscribed.shared,
    )


def _both(one: Shape, other: Shape) -> Shape:
    """Make one copy of those that two filters of a session would give [MQTT-3.3.4-2]."""
    return max(one[0], other[0]), one[1] or other[1], one[2] + other[2], ""


def among(found: Sequence[Subscribed], packet: Publish) -> Shape | None:
    """Say how a message looks to one who has these subscriptions; None if there are none."""
    shape: Shape | None = None
    for subscribed in found:
        own = shape_of(packet, subscribed)
        shape = own if shape is None else _both(shape, own)
    return shape
