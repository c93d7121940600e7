"""Many connections: sessions, what they ask for, and wills."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, cast

from .connection import Connection
from .copies import Copies, shaped
from .errors import ReasonCode
from .limits import Bounds, Limits
from .member import Member, Subscribed
from .packets import Publish, Subscribe, Subscription, Unsubscribe, Will
from .routing import M, Routing, outgoing
from .server import ServerConnection
from .session import Outgoing
from .topics import matches, split_share
from .wheel import Wheel


class Granted(NamedTuple):
    """The answer to one subscription: its reason code, and whether what is retained follows."""

    wanted: Subscription
    code: int
    wants_retained: bool


class Broker(Routing[M]):
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
        copies: what a session gets of a message that several of its filters match.
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
        copies: Copies = Copies.ONE,
    ) -> None:
        super().__init__(limits, bounds, copies=copies)
        self._make = make
        self._publish_will = publish_will
        self._discarded = discarded
        self._members: dict[Hashable, dict[str, M]] = {}
        self._wheel: Wheel[M] = Wheel(now)

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
                self._discard(member, now)
            member = self._make(principal, client_id)
            self._add(member, now)
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
            self._discard(member, now)
            return
        member.expires_at = now + expiry_s
        member.will, member.will_at = will, now + delay
        self._wheel.put(member, _next(member))

    def restore(self, member: M, now: float) -> None:
        """Take up a session without connection that was stored: its clocks go on."""
        for topic_filter, subscribed in member.subscriptions.items():
            self._enter(member, topic_filter, subscribed)
            self.counted(member.space_of(topic_filter), topic_filter, 1)
        self._add(member, now)
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
                self._end(member, now)
                continue
            if member.will is not None and member.will_at <= now:
                self._publish_will(member, member.will)
                member.will = None
            self._wheel.put(member, _next(member))

    def _end(self, member: M, now: float) -> None:
        """Forget a session; a will that waits is published now [MQTT-3.1.2-8].

        What it had as one of a group and has not taken is for another of it (MQTT 5, 4.8.2).
        """
        if member.will is not None:
            self._publish_will(member, member.will)
            member.will = None
        left = member.left_over()
        self.forget(member)
        for message in left:
            self.hand_over(member.space_of(message.shared), message.shared, message, now)

    def _discard(self, member: M, now: float) -> None:
        self._end(member, now)
        self._discarded(member)

    def _add(self, member: M, now: float) -> None:
        principal = member.principal
        own = self._members.setdefault(principal, {})
        if len(own) >= self._bounds.sessions:
            idle = [one for one in own.values() if not one.is_connected]
            for one in idle[: len(own) - self._bounds.sessions + 1]:
                self._discard(one, now)
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
                        one = outgoing(message, now)
                        self._send_copy(member, one, identifier, code, now)
        self.touched.add(member)

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
