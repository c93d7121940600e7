"""How a message comes to those who subscribe, and what is retained; without connections."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Generic, TypeVar, cast

from .copies import Copies, Shape, among, each, merged, shape_of, shaped, with_more
from .errors import ReasonCode
from .events import Delivery
from .limits import Bounds, Limits
from .member import Member, Subscribed
from .packets import Publish
from .properties import Properties
from .retained import Retained
from .session import Outgoing
from .subscribers import Subscribers
from .topics import matches

M = TypeVar("M", bound=Member)


class Routing(Generic[M]):
    """Who subscribes to what, in spaces of topics; the part of a `Broker` that knows no clients.

    Args:
        limits: of the connections; their queues are filled here while a client is away.
        bounds: of what is kept.
        copies: what a session gets of a message that several of its filters match.
    """

    def __init__(self, limits: Limits, bounds: Bounds, *, copies: Copies) -> None:
        self._copies = copies
        self._limits = limits
        self._bounds = bounds
        self._subscribers: dict[Hashable, Subscribers] = {}
        self._retained: dict[Hashable, Retained] = {}
        self.counted: Callable[[Hashable, str, int], None] = _count_nothing
        """Told of each filter of a session that comes (1) or goes (-1), with its space."""
        self.touched: set[M] = set()
        """Sessions whose connections have something to send, or that have changed; the owner
        empties it."""
        self.passed_on_bytes = 0
        """Payloads of the messages that were sent on to subscribers; the owner sets it back."""

    # --- Subscriptions --------------------------------------------------------------------------

    def unsubscribe(self, member: M, topic_filter: str) -> int:
        """Take back a subscription and give the reason code of its answer."""
        if member.subscriptions.pop(topic_filter, None) is None:
            return ReasonCode.NO_SUBSCRIPTION_EXISTED
        member.session.changed = True
        space = member.space_of(topic_filter)
        if not member.is_relay:
            self.counted(space, topic_filter, -1)
        subscribers = self._subscribers[space]
        subscribers.remove(member, topic_filter)
        if subscribers.is_empty:
            del self._subscribers[space]
        return ReasonCode.SUCCESS

    def add_relay(self, relay: M, topic_filter: str, subscribed: Subscribed) -> None:
        """Have a session that stands for another broker see what a filter matches."""
        self._enter(relay, topic_filter, subscribed)

    def has_subscribers(self, space: Hashable) -> bool:
        """Tell whether anybody subscribes to anything in a space."""
        return space in self._subscribers

    def _enter(self, member: M, topic_filter: str, subscribed: Subscribed) -> None:
        member.subscriptions[topic_filter] = subscribed
        space = member.space_of(topic_filter)
        subscribers = self._subscribers.get(space)
        if subscribers is None:
            subscribers = self._subscribers[space] = Subscribers()
        subscribers.add(member, topic_filter, subscribed)

    # --- Messages -------------------------------------------------------------------------------

    def is_heard(self, space: Hashable, packet: Publish) -> bool:
        """Tell whether `publish` would do anything with a message."""
        if packet.retain:
            return True
        subscribers = self._subscribers.get(space)
        return subscribers is not None and bool(subscribers.matching(packet.topic))

    def publish(
        self,
        space: Hashable,
        packet: Publish,
        now: float,
        sender: Member | None = None,
        *,
        mark: Hashable = None,
        retains: bool = True,
    ) -> int:
        """Send a message to all who subscribe to its topic, and retain it if it says so.

        Args:
            space: in which the topic is.
            packet: the message, its topic alias resolved.
            now: the time.
            sender: whose message it is; for subscriptions that are no-local.
            mark: is given to `Member.accepts`.
            retains: whether it may be retained here; else the owner sees to that.

        Returns:
            SUCCESS, NO_MATCHING_SUBSCRIBERS, or QUOTA_EXCEEDED if no more can be retained; it has
            been sent all the same.
        """
        code: int = ReasonCode.SUCCESS
        if packet.retain and retains:
            code = self.retain(space, packet, now)
        subscribers = self._subscribers.get(space)
        found = subscribers.matching(packet.topic) if subscribers is not None else ()
        if not found:
            return code or ReasonCode.NO_MATCHING_SUBSCRIBERS
        self.passed_on_bytes += len(packet.payload)
        message = outgoing(packet, now)
        shapes: dict[Shape, Outgoing] = {(packet.qos, False, (), ""): message}
        how = self._copies
        for member, shape, others in (
            each(found, packet, sender)
            if how is Copies.EACH
            else merged(found, packet, sender, how)
        ):
            copy = shapes.get(shape)
            if copy is None:
                copy = shapes[shape] = shaped(message, *shape)
            if others:
                copy = with_more(copy, message, others)
            self.deliver(cast("M", member), copy, now, mark)
        return code

    def relay(
        self, space: Hashable, packet: Publish, now: float, mark: Hashable, shared: str = ""
    ) -> bool:
        """Send on what another broker has published: to sessions here, never to relays.

        Args:
            space: in which the topic is.
            packet: the message.
            now: the time.
            mark: is given to `Member.accepts`.
            shared: the shared subscription that the message is for; without one it is for those
                who subscribe alone.

        Returns:
            False if nobody is left here of a shared subscription (see `hand_over`).
        """
        subscribers = self._subscribers.get(space)
        if subscribers is None:
            return not shared
        self.passed_on_bytes += len(packet.payload)
        message = outgoing(packet, now)
        if shared:
            if (chosen := subscribers.choose(shared, relays=False)) is not None:
                member, subscribed = chosen
                copy = shaped(message, *shape_of(packet, subscribed))
                self.deliver(cast("M", member), copy, now, mark)
            return chosen is not None
        found: dict[Member, list[Subscribed]] = {}
        for one in subscribers.matching(packet.topic):
            for member, subscribed in one.members.items():
                if not member.is_relay:
                    found.setdefault(member, []).append(subscribed)
        for member, own in found.items():
            first, *others = among(own, packet, self._copies)
            copy = with_more(shaped(message, *first), message, others)
            self.deliver(cast("M", member), copy, now, mark)
        return True

    def hand_over(
        self, space: Hashable, shared: str, message: Outgoing, now: float, mark: Hashable = None
    ) -> None:
        """Give what one of a group had to another of it, at another broker if need be.

        If nobody is left, nobody subscribes any more.
        """
        subscribers = self._subscribers.get(space)
        if subscribers is None or (chosen := subscribers.choose(shared, relays=True)) is None:
            return
        member, subscribed = chosen
        properties: Properties = {**message.properties}
        properties.pop("subscription_identifier", None)
        bare = replace(message, properties=properties)
        copy = shaped(
            bare,
            min(message.qos, subscribed.qos),
            message.retain and subscribed.retain_as_published,
            (subscribed.identifier,) if subscribed.identifier else (),
            shared,
        )
        self.deliver(cast("M", member), copy, now, mark)

    def replay(
        self, member: M, space: Hashable, packet: Publish, now: float, mark: Hashable
    ) -> None:
        """Send one session a message that was published before it was here."""
        own = [
            subscribed
            for topic_filter, subscribed in member.subscriptions.items()
            if member.space_of(topic_filter) == space and matches(topic_filter, packet.topic)
        ]
        if own:
            message = outgoing(packet, now)
            first, *others = among(own, packet, self._copies)
            self.deliver(member, with_more(shaped(message, *first), message, others), now, mark)

    def clear(self, space: Hashable) -> None:
        """Forget what is retained in a space, without a word."""
        self._retained.pop(space, None)

    def retain(self, space: Hashable, packet: Publish, now: float) -> int:
        """Keep a retained message, or clear that of its topic, without sending it to anybody.

        Returns:
            SUCCESS, or QUOTA_EXCEEDED if no more can be retained.
        """
        retained = self._retained.get(space)
        if retained is None:
            retained = self._retained[space] = Retained(self._bounds)
        code = retained.keep(packet, now)
        if retained.is_empty:
            del self._retained[space]
        return code

    def deliver(self, member: M, message: Outgoing, now: float, mark: Hashable = None) -> None:
        """Send a session its copy of a message, or have it wait; unless it does not accept it."""
        if not member.accepts(message, mark):
            return
        connection = member.connection
        if connection is not None:
            if connection.send(message, now) in (Delivery.SENT, Delivery.QUEUED):
                self.touched.add(member)
        elif message.qos:
            limits = self._limits
            member.session.enqueue(message, limits.queue_messages, limits.queue_bytes, now)
            self.touched.add(member)
        if message.also:
            for one in message.also:
                self.deliver(member, one, now)  # Without a mark: it goes with the first.


def _count_nothing(_space: Hashable, _topic_filter: str, _change: int) -> None:
    pass


def outgoing(packet: Publish, now: float) -> Outgoing:
    """Give the copy of a message that all others are made from."""
    expiry = packet.properties.get("message_expiry_interval")
    return Outgoing(
        packet.topic,
        packet.payload,
        packet.qos,
        properties=packet.properties,
        expires_at=None if expiry is None else now + expiry,
    )
