"""A broker with clients in memory: the smallest owner that keeps all the rules."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from moorage_mqtt import (
    V5,
    V311,
    Auth,
    Bounds,
    Broker,
    ClientConnection,
    ConnAck,
    Connect,
    Copies,
    Disconnect,
    Event,
    Failed,
    Limits,
    Member,
    Publish,
    ReasonCode,
    ServerConnection,
    Session,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)


class Peer:
    """A client, and the server's end it is connected to."""

    def __init__(self, house: House, client: ClientConnection, principal: Hashable) -> None:
        self.house = house
        self.client = client
        self.principal = principal
        self.server = ServerConnection(house.limits, house.now)
        self.member: Member | None = None
        self.events: list[Event] = []
        self.wire = bytearray()
        """What the client was sent, till the test clears it."""
        self.reads = True
        """Without it the client takes nothing from the network."""
        self.answers = True
        """Without it the client acknowledges nothing."""

    def subscribe(self, *wanted: Subscription | str, identifier: int = 0) -> tuple[int, ...]:
        """Subscribe and give the reason codes."""
        every = [Subscription(one, 2) if isinstance(one, str) else one for one in wanted]
        properties: Any = {"subscription_identifier": [identifier]} if identifier else {}
        self.client.subscribe(*every, properties=properties)
        self.house.settle()
        codes: tuple[int, ...] = self.one(SubAck).reason_codes
        return codes

    def unsubscribe(self, *topic_filters: str) -> tuple[int, ...]:
        """Unsubscribe and give the reason codes."""
        self.client.unsubscribe(*topic_filters)
        self.house.settle()
        codes: tuple[int, ...] = self.one(UnsubAck).reason_codes
        return codes

    def publish(self, topic: str, payload: bytes = b"", qos: int = 0, **more: Any) -> None:
        """Publish, and let everything that follows happen."""
        self.client.publish(topic, payload, qos=qos, now=self.house.now, **more)
        self.house.settle()

    def got(self) -> list[Publish]:
        """Take the messages that have come."""
        found = [event for event in self.events if isinstance(event, Publish)]
        self.events = [event for event in self.events if not isinstance(event, Publish)]
        return found

    def payloads(self) -> list[bytes]:
        """Take the payloads of the messages that have come."""
        return [one.payload for one in self.got()]

    def one(self, kind: type[Any]) -> Any:
        """Take the only event of a kind."""
        [found] = [event for event in self.events if isinstance(event, kind)]
        self.events.remove(found)
        return found

    def leave(self, reason_code: ReasonCode = ReasonCode.SUCCESS, **more: Any) -> None:
        """Say goodbye."""
        self.client.disconnect(reason_code, **more)
        self.house.settle()

    def lose(self) -> None:
        """Break the connection without a word."""
        self.house.lost(self)
        self.house.settle()


class House:
    """The owner of a broker and of both ends of its connections."""

    def __init__(
        self,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        copies: Copies = Copies.ONE,
    ) -> None:
        self.limits = limits or Limits()
        self.now = 0.0
        self.wills: list[tuple[float, bytes]] = []
        self.discarded: list[str] = []
        self.broker: Broker[Member] = Broker(
            self.limits,
            bounds or Bounds(),
            Member,
            self._publish_will,
            self._discarded,
            self.now,
            copies=copies,
        )
        self.peers: list[Peer] = []
        self.forbidden: set[str] = set()

    def open(
        self, client_id: str = "c", version: int = V5, *, principal: Hashable = None, **more: Any
    ) -> Peer:
        """Connect a client, whatever the answer is."""
        client = ClientConnection(
            client_id, now=self.now, version=version, keep_alive_s=more.pop("keep_alive_s", 0),
            **more,
        )  # fmt: skip
        peer = Peer(self, client, principal)
        self.peers.append(peer)
        self.settle()
        return peer

    def connect(self, client_id: str = "c", version: int = V5, **more: Any) -> Peer:
        """Connect a client that must be let in."""
        peer = self.open(client_id, version, **more)
        assert peer.one(ConnAck).reason_code == 0
        return peer

    def lasting(
        self, client_id: str = "c", version: int = V5, *, expiry_s: int = 1000, **more: Any
    ) -> Peer:
        """Connect a client with a session that lasts, new or its former one."""
        if version == V5:
            more["properties"] = {
                "session_expiry_interval": expiry_s, **more.get("properties", {}),
            }  # fmt: skip
        more.setdefault("clean_start", False)
        more.setdefault("session", Session())
        return self.connect(client_id, version, **more)

    def settle(self) -> None:
        """Carry bytes to and fro until nothing moves."""
        moved = True
        while moved:
            moved = False
            for peer in list(self.peers):
                if data := peer.client.take():
                    moved = True
                    self._take(peer, peer.server.receive(data, self.now))
                if (peer.reads or peer.server.is_closed) and (data := peer.server.take()):
                    moved = True
                    peer.wire += data
                    events = peer.client.receive(data, self.now)
                    peer.events += events
                    if peer.answers:
                        for one in events:
                            if isinstance(one, Publish) and one.qos:
                                peer.client.acknowledge(one.packet_id)
            self.broker.touched.clear()

    def pass_time(self, seconds: float) -> None:
        """Let time go by, a second at a time."""
        for _ in range(int(seconds)):
            self.now += 1
            for peer in list(self.peers):
                self._take(peer, peer.server.tick(self.now))
            self.broker.tick(self.now)
            self.settle()

    def lost(self, peer: Peer) -> None:
        """End a connection of which one end has closed."""
        if peer in self.peers:
            if peer.server.is_closed and (data := peer.server.take()):
                peer.events += peer.client.receive(data, self.now)
            self.peers.remove(peer)
            peer.server.disconnect(ReasonCode.UNSPECIFIED_ERROR)
            if peer.member is not None:
                if peer.member.connection is peer.server:
                    peer.member.connection = None
                self.broker.detach(
                    peer.member, peer.server.will, peer.server.session_expiry_s, self.now
                )

    def _take(self, peer: Peer, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Connect):
                self._sign_in(peer, event)
            elif isinstance(event, Publish):
                assert peer.member is not None
                code = self.broker.publish(peer.member.space, event, self.now, peer.member)
                if event.qos:
                    peer.server.acknowledge(event.packet_id, code)
            elif isinstance(event, Subscribe):
                assert peer.member is not None
                self.broker.answer_subscribe(peer.member, event, self._allow, self.now)
            elif isinstance(event, Unsubscribe):
                assert peer.member is not None
                self.broker.answer_unsubscribe(peer.member, event)
            elif isinstance(event, Disconnect | Failed):
                self.lost(peer)
            elif isinstance(event, Auth):
                peer.server.challenge(b"more")

    def _allow(self, wanted: Subscription) -> int:
        if wanted.topic_filter in self.forbidden:
            return ReasonCode.NOT_AUTHORIZED
        return wanted.qos

    def _sign_in(self, peer: Peer, connect: Connect) -> None:
        former = self.broker.find(peer.principal, connect.client_id)
        if former is not None and former.connection is not None:
            [other] = [one for one in self.peers if one.server is former.connection]
            other.server.disconnect(ReasonCode.SESSION_TAKEN_OVER)
            self.lost(other)
        peer.member, present = self.broker.attach(
            peer.principal,
            connect.client_id,
            peer.server,
            clean_start=connect.clean_start,
            now=self.now,
        )
        peer.member.space = peer.principal
        self._take(
            peer,
            peer.server.accept(peer.member.session, now=self.now, session_present=present),
        )

    def _discarded(self, member: Member) -> None:
        self.discarded.append(member.client_id)

    def _publish_will(self, member: Member, will: Will) -> None:
        self.wills.append((self.now, will.payload))
        publish = Publish(
            will.topic, will.payload, will.qos, will.retain, properties=will.message_properties
        )
        self.broker.publish(member.space, publish, self.now, member)


VERSIONS = (V311, V5)
