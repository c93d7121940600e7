"""Many connections: sessions, subscriptions, retained messages, wills and routing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

from .connection import Connection
from .copies import Shape, among, each, merged, shape_of, shaped
from .errors import ReasonCode
from .events import Delivery
from .limits import Bounds, Limits
from .member import Member, Subscribed
from .packets import Publish, Subscribe, Subscription, Unsubscribe, Will
from .retained import Retained
from .server import ServerConnection
from .session import Outgoing
from .subscribers import Subscribers
from .topics import matches, split_share
from .wheel import Wheel

M = TypeVar("M", bound=Member)


class Granted(NamedTuple):
    """The answer to one subscription: its reason code, and whether what is retained follows."""

    wanted: Subscription
    code: int
    wants_retained: bool


class Broker(Generic[M]):
    """What connections have to do with each other; who may do what is the owner's to say.

    A session is a principal and a client id, so that nobody takes another's by its name. Topics
    live in spaces: messages are routed, and retained, within one.

    Nothing is sent from here. Each connection with something to send is in `touched` afterwards;
    the owner fetches it with `take`. Time is in seconds on the owner's clock.

    Args:
        limits: of the connections; their queues are filled here while a client is away.
        bounds: of what is kept.
        make: makes the session of a principal and a client id.
        publish_will: publishes the will of a session: through `publish`, and wherever else.
        discarded: told of each session that ends before it expires.
        now: the time.
        merges: whether filters of one session that overlap give one copy of a message, with the
            highest QoS of these and all their identifiers; else each gives its own. Both are
            allowed [MQTT-3.3.4-2 to -5].
    """

    def __init__(
        self,
        limits: Limits,
        bounds: Bounds,
        make: Callable[[Hashable, str], M],
        publish_will: Callable[[M, Will], None],
        discarded: Callable[[M], None],
        now: float,
        *,
        merges: bool = True,
    ) -> None:
        self._merges = merges
        self._limits = limits
        self._bounds = bounds
        self._make = make
        self._publish_will = publish_will
        self._discarded = discarded
        self._members: dict[Hashable, dict[str, M]] = {}
        self._subscribers: dict[Hashable, Subscribers] = {}
        self._retained: dict[Hashable, Retained] = {}
        self._wheel: Wheel[M] = Wheel(now)
        self.counted: Callable[[Hashable, str, int], None] = _count_nothing
        """Told of each filter of a session that comes (1) or goes (-1), with its space."""
        self.touched: set[M] = set()
        """Sessions whose connections have something to send, or that have changed; the owner
        empties it."""

    # --- Sessions -------------------------------------------------------------------------------

    def find(self, principal: Hashable, client_id: str) -> M | None:
        """Find the session of a principal's client id."""
        return self._members.get(principal, {}).get(client_id)

    def of(self, principal: Hashable) -> list[M]:
        """List the sessions of a principal."""
        return list(self._members.get(principal, {}).values())

    def members(self) -> list[M]:
        """List all sessions."""
        return [one for own in self._members.values() for one in own.values()]

    def connected(self) -> list[M]:
        """List the sessions with an open connection."""
        return [one for one in self.members() if one.is_connected]

    def attach(
        self,
        principal: Hashable,
        client_id: str,
        connection: Connection,
        *,
        clean_start: bool,
        now: float,
    ) -> tuple[M, bool]:
        """Give a new connection its session; the second value tells whether it was there.

        The owner has ended the session's former connection before, and told so by `detach`.
        """
        member = self.find(principal, client_id)
        present = member is not None and not clean_start and member.expires_at > now
        if member is None or not present:
            if member is not None:
                self._discard(member)
            member = self._make(principal, client_id)
            self._add(member)
        member.will = None  # Back in time: no will [MQTT-3.1.3-9].
        member.connection = connection
        return member, present

    def detach(self, member: M, will: Will | None, expiry_s: float, now: float) -> None:
        """Start the clocks of a session whose connection has ended.

        Args:
            member: the session; its `connection` may stay until it is settled.
            will: what is due, None after a clean goodbye.
            expiry_s: how long the session lasts; NEVER for ever.
            now: the time.
        """
        delay = will.properties.get("will_delay_interval", 0) if will else 0
        if will is not None and (not delay or not expiry_s):
            self._publish_will(member, will)
            will = None
        if not expiry_s:
            self._discard(member)
            return
        member.expires_at = now + expiry_s
        member.will, member.will_at = will, now + delay
        self._wheel.put(member, _next(member))

    def restore(self, member: M) -> None:
        """Take up a session without connection that was stored: its clocks go on."""
        for topic_filter, subscribed in member.subscriptions.items():
            self._enter(member, topic_filter, subscribed)
            self.counted(member.space_of(topic_filter), topic_filter, 1)
        self._add(member)
        self._wheel.put(member, _next(member))

    def forget(self, member: M) -> None:
        """Let go of a session without a word: no will, and nobody is told."""
        for topic_filter in list(member.subscriptions):
            self.unsubscribe(member, topic_filter)
        own = self._members.get(member.principal, {})
        if own.get(member.client_id) is member:
            del own[member.client_id]
            if not own:
                del self._members[member.principal]

    def tick(self, now: float) -> None:
        """Publish the wills that are due and forget the sessions that have expired."""
        for member in self._wheel.due(now):
            if member.is_connected or self.find(member.principal, member.client_id) is not member:
                continue
            if member.expires_at <= now:
                self._end(member)
                continue
            if member.will is not None and member.will_at <= now:
                self._publish_will(member, member.will)
                member.will = None
            self._wheel.put(member, _next(member))

    def _end(self, member: M) -> None:
        """Forget a session; a will that waits is published now [MQTT-3.1.2-8]."""
        if member.will is not None:
            self._publish_will(member, member.will)
            member.will = None
        self.forget(member)

    def _discard(self, member: M) -> None:
        self._end(member)
        self._discarded(member)

    def _add(self, member: M) -> None:
        principal = member.principal
        own = self._members.setdefault(principal, {})
        if len(own) >= self._bounds.sessions:
            idle = [one for one in own.values() if not one.is_connected]
            for one in idle[: len(own) - self._bounds.sessions + 1]:
                self._discard(one)
        self._members.setdefault(principal, {})[member.client_id] = member

    # --- Subscriptions --------------------------------------------------------------------------

    def answer_subscribe(
        self,
        member: M,
        packet: Subscribe,
        allow: Callable[[Subscription], int],
        now: float,
    ) -> None:
        """Subscribe, answer with SUBACK and send retained messages.

        Args:
            member: whose session.
            packet: what came.
            allow: gives the QoS granted to a subscription, or a reason code of 0x80 or above.
            now: the time.
        """
        self.conclude(member, packet, self.subscribe(member, packet, allow), now)

    def subscribe(
        self, member: M, packet: Subscribe, allow: Callable[[Subscription], int]
    ) -> list[Granted]:
        """Subscribe without a word; `conclude` answers.

        For an owner who has to do something between the two. Messages may come meanwhile.
        """
        granted = []
        identifier = _identifier(packet)
        for wanted in packet.subscriptions:
            code, retained = allow(wanted), False
            if code < 0x80:
                existed = wanted.topic_filter in member.subscriptions
                code = self._subscribe(member, wanted, identifier, code)
                retained = code < 0x80 and _wants_retained(wanted, existed)
            granted.append(Granted(wanted, code, retained))
        return granted

    def conclude(
        self,
        member: M,
        packet: Subscribe,
        granted: Sequence[Granted],
        now: float,
        retained: Iterable[tuple[Hashable, Publish]] = (),
    ) -> None:
        """Answer with SUBACK and send retained messages.

        Args:
            member: whose session.
            packet: what came.
            granted: what `subscribe` gave.
            now: the time.
            retained: messages that the owner retains, with the spaces of their topics.
        """
        codes = tuple(one.code for one in granted)
        cast("ServerConnection", member.connection).suback(packet.packet_id, codes)
        identifier = _identifier(packet)
        for wanted, code, wants_retained in granted:
            if wants_retained:
                self._send_retained(member, wanted, identifier, code, now)
                space = member.space_of(wanted.topic_filter)
                for where, message in retained:
                    if where == space and matches(wanted.topic_filter, message.topic):
                        one = _outgoing(message, now)
                        self._send_copy(member, one, identifier, code, now)
        self.touched.add(member)

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

    def answer_unsubscribe(self, member: M, packet: Unsubscribe) -> None:
        """Unsubscribe and answer with UNSUBACK."""
        codes = tuple(self.unsubscribe(member, one) for one in packet.topic_filters)
        cast("ServerConnection", member.connection).unsuback(packet.packet_id, codes)
        self.touched.add(member)

    def _subscribe(self, member: M, wanted: Subscription, identifier: int, qos: int) -> int:
        own = member.subscriptions
        is_full = len(own) >= self._bounds.subscriptions and wanted.topic_filter not in own
        if is_full or wanted.topic_filter.count("/") >= self._bounds.levels:
            return ReasonCode.QUOTA_EXCEEDED
        subscribed = Subscribed(qos, wanted.no_local, wanted.retain_as_published, identifier)
        if wanted.topic_filter not in own:
            self.counted(member.space_of(wanted.topic_filter), wanted.topic_filter, 1)
        self._enter(member, wanted.topic_filter, subscribed)
        member.session.changed = True
        return qos

    def _enter(self, member: M, topic_filter: str, subscribed: Subscribed) -> None:
        member.subscriptions[topic_filter] = subscribed
        space = member.space_of(topic_filter)
        subscribers = self._subscribers.get(space)
        if subscribers is None:
            subscribers = self._subscribers[space] = Subscribers()
        subscribers.add(member, topic_filter, subscribed)

    def _send_retained(
        self, member: M, wanted: Subscription, identifier: int, qos: int, now: float
    ) -> None:
        retained = self._retained.get(member.space_of(wanted.topic_filter))
        for message in retained.find(wanted.topic_filter, now) if retained else ():
            self._send_copy(member, message, identifier, qos, now)

    def _send_copy(
        self, member: M, message: Outgoing, identifier: int, qos: int, now: float
    ) -> None:
        identifiers = (identifier,) if identifier else ()
        self.deliver(member, shaped(message, min(qos, message.qos), True, identifiers), now)

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
        message = _outgoing(packet, now)
        shapes: dict[Shape, Outgoing] = {(packet.qos, False, ()): message}
        copies = merged if self._merges else each
        for member, shape in copies(found, packet, sender):
            copy = shapes.get(shape)
            if copy is None:
                copy = shapes[shape] = shaped(message, *shape)
            self.deliver(cast("M", member), copy, now, mark)
        return code

    def relay(
        self, space: Hashable, packet: Publish, now: float, mark: Hashable, shared: str = ""
    ) -> None:
        """Send on what another broker has published: to sessions here, never to relays.

        Args:
            space: in which the topic is.
            packet: the message.
            now: the time.
            mark: is given to `Member.accepts`.
            shared: the shared subscription that the message is for; without one it is for those
                who subscribe alone.
        """
        subscribers = self._subscribers.get(space)
        if subscribers is None:
            return
        message = _outgoing(packet, now)
        if shared:
            if (chosen := subscribers.choose(shared)) is not None:
                member, subscribed = chosen
                copy = shaped(message, *shape_of(packet, subscribed))
                self.deliver(cast("M", member), copy, now, mark)
            return
        found: dict[Member, list[Subscribed]] = {}
        for one in subscribers.matching(packet.topic):
            for member, subscribed in one.members.items():
                if not member.is_relay:
                    found.setdefault(member, []).append(subscribed)
        for member, own in found.items():
            if (shape := among(own, packet)) is not None:
                self.deliver(cast("M", member), shaped(message, *shape), now, mark)

    def replay(
        self, member: M, space: Hashable, packet: Publish, now: float, mark: Hashable
    ) -> None:
        """Send one session a message that was published before it was here."""
        own = [
            subscribed
            for topic_filter, subscribed in member.subscriptions.items()
            if member.space_of(topic_filter) == space and matches(topic_filter, packet.topic)
        ]
        if (shape := among(own, packet)) is not None:
            self.deliver(member, shaped(_outgoing(packet, now), *shape), now, mark)

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


def _count_nothing(_space: Hashable, _topic_filter: str, _change: int) -> None:
    pass


def _identifier(packet: Subscribe) -> int:
    identifiers = packet.properties.get("subscription_identifier")
    return identifiers[0] if identifiers else 0


def _next(member: Member) -> float:
    return min(member.will_at, member.expires_at) if member.will else member.expires_at


def _wants_retained(wanted: Subscription, existed: bool) -> bool:
    """Tell whether a subscription is sent what is retained [MQTT-3.3.1-9, -10, -11]."""
    if wanted.retain_handling == 2 or split_share(wanted.topic_filter)[0] is not None:
        return False
    return wanted.retain_handling == 0 or not existed


def _outgoing(packet: Publish, now: float) -> Outgoing:
    expiry = packet.properties.get("message_expiry_interval")
    return Outgoing(
        packet.topic,
        packet.payload,
        packet.qos,
        properties=packet.properties,
        expires_at=None if expiry is None else now + expiry,
    )
