"""What the copies of a message look like to those who subscribe to it (MQTT 5, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from functools import reduce

from .member import Member, Subscribed
from .packets import Publish
from .properties import Properties
from .session import Outgoing
from .subscribers import Filter

# QoS, retain flag, subscription identifiers and shared subscription of a copy: all that differs
# between subscribers.
Shape = tuple[int, bool, tuple[int, ...], str]
_SHAPE: Shape = (0, False, (), "")


class Copies(Enum):
    """What a session gets of a message that several of its filters match [MQTT-3.3.4-2 to -5]."""

    ONE = "one"
    """One copy with the highest QoS of these and all their identifiers."""
    NAMED = "named"
    """One for each identifier: some clients, Node-RED among them, know but one in a copy."""
    EACH = "each"
    """One for each filter."""


def with_more(copy: Outgoing, message: Outgoing, others: Sequence[Shape]) -> Outgoing:
    """Give a session's copy of a message together with further ones, which look so."""
    return replace(copy, also=tuple(shaped(message, *one) for one in others))


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
) -> Iterator[tuple[Member, Shape, Sequence[Shape]]]:
    """Say who gets a message, and how it looks to them: a copy for each filter that matches.

    A group gets one, for one of it.
    """
    last, shape = None, _SHAPE
    for one in found:
        for member, subscribed in one.members.items():
            if subscribed.no_local and member is sender:
                continue
            if subscribed != last:  # Most ask for the same as the one before.
                last, shape = subscribed, shape_of(packet, subscribed)
            yield member, shape, ()
        for group in (one.groups or {}).values():
            member, subscribed = one.choose(group)
            yield member, shape_of(packet, subscribed), ()


def merged(
    found: Sequence[Filter], packet: Publish, sender: Member | None, copies: Copies
) -> Iterator[tuple[Member, Shape, Sequence[Shape]]]:
    """Do the same once for a session, whatever number of its filters match.

    The copies that follow the first one are those by other identifiers.
    """
    if len(found) == 1:
        yield from each(found, packet, sender)
        return
    alone: dict[Member, list[Shape]] = {}
    for one in found:
        for member, subscribed in one.members.items():
            if subscribed.no_local and member is sender:
                continue
            alone.setdefault(member, []).append(shape_of(packet, subscribed))
    for member, shapes in alone.items():
        first, *others = _fewest(shapes, copies)
        yield member, first, others
    for one in found:
        for group in (one.groups or {}).values():
            member, subscribed = one.choose(group)
            yield member, shape_of(packet, subscribed), ()


def shape_of(packet: Publish, subscribed: Subscribed) -> Shape:
    """Say how a message looks by one subscription [MQTT-3.3.1-12, -13] [MQTT-3.3.4-3]."""
    identifier = subscribed.identifier
    return (
        min(packet.qos, subscribed.qos),
        packet.retain and subscribed.retain_as_published,
        (identifier,) if identifier else (),
        subscribed.shared,
    )


def _fewest(shapes: Sequence[Shape], copies: Copies) -> Sequence[Shape]:
    """Make the copies a session gets of those its filters would give."""
    if len(shapes) < 2 or copies is Copies.EACH:
        return shapes
    if copies is Copies.ONE:
        return [reduce(_both, shapes)]
    named: dict[tuple[int, ...], Shape] = {}
    for shape in shapes:
        former = named.get(shape[2])
        named[shape[2]] = shape if former is None else (*_both(former, shape)[:2], shape[2], "")
    nameless = named.pop((), None) if len(named) > 1 else None
    first, *others = named.values()
    return [first if nameless is None else _both(first, nameless), *others]


def _both(one: Shape, other: Shape) -> Shape:
    """Make one copy of those that two filters of a session would give [MQTT-3.3.4-2]."""
    return max(one[0], other[0]), one[1] or other[1], one[2] + other[2], ""


def among(found: Sequence[Subscribed], packet: Publish, copies: Copies) -> Sequence[Shape]:
    """Say how a message looks to one who has these subscriptions, a copy after the other."""
    return _fewest([shape_of(packet, subscribed) for subscribed in found], copies)
