"""The broker against a model of a few lines, against noise, and against abuse."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from house import VERSIONS, House, Peer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from packet_strategies import packets

from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    Bounds,
    Connect,
    Disconnect,
    Limits,
    ProtocolError,
    Publish,
    ReasonCode,
    ServerConnection,
    Session,
    Subscription,
    Will,
    decode,
    encode,
    matches,
)

both = pytest.mark.parametrize("version", VERSIONS)
CLIENTS = st.sampled_from(["a", "b", "c"])
TOPICS = st.sampled_from(["t", "t/u", "t/v", "$t/u", "/t", "x"])
FILTERS = st.sampled_from(["t", "t/u", "t/+", "t/#", "#", "+", "+/u", "$t/#", "/+"])
QOS = st.integers(0, 2)


@dataclass
class Known:
    """What the model knows of a session."""

    peer: Peer | None = None
    filters: dict[str, tuple[int, bool]] = field(default_factory=dict)
    due: Counter[tuple[str, bytes, int, bool]] = field(default_factory=Counter)
    will: tuple[str, bytes] | None = None


class Model(RuleBasedStateMachine):
    """Clients with sessions that last; every message has a payload of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.known = {name: Known() for name in "abc"}
        self.sessions = {name: Session() for name in "abc"}
        self.retained: dict[str, tuple[bytes, int]] = {}
        self.number = 0

    def _sent(self, sender: str, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        if retain:
            self.retained[topic] = payload, qos
        for name, known in self.known.items():
            granted = [
                own
                for one, (own, no_local) in known.filters.items()
                if matches(one, topic) and not (no_local and name == sender)
            ]
            if granted and (known.peer or min(qos, max(granted))):
                known.due[topic, payload, min(qos, max(granted)), False] += 1

    def _unique(self) -> bytes:
        self.number += 1
        return b"%d" % self.number

    def _lose(self, name: str, clean: bool) -> None:
        known = self.known[name]
        peer, known.peer = known.peer, None
        assert peer is not None
        if clean:
            peer.leave()
        else:
            peer.lose()
            if known.will:
                self._sent(name, *known.will, 1, False)

    @rule(name=CLIENTS, clean=st.booleans(), will=st.booleans())
    def connect(self, name: str, clean: bool, will: bool) -> None:
        known = self.known[name]
        if known.peer is not None:
            # The former connection ends as if it were lost, before the new one has begun.
            lost, known.peer = known.will, None
            if lost:
                self._sent(name, *lost, 1, False)
        if clean:
            known.filters.clear()
            known.due.clear()
            self.sessions[name] = Session()
        known.will = ("t/will", self._unique()) if will else None
        known.peer = self.house.lasting(
            name,
            clean_start=clean,
            session=self.sessions[name],
            will=Will(*known.will, 1) if known.will else None,
        )

    @rule(name=CLIENTS, clean=st.booleans())
    def go(self, name: str, clean: bool) -> None:
        if self.known[name].peer is not None:
            self._lose(name, clean)

    @rule(name=CLIENTS, topic_filter=FILTERS, qos=QOS, no_local=st.booleans())
    def subscribe(self, name: str, topic_filter: str, qos: int, no_local: bool) -> None:
        known = self.known[name]
        if known.peer is None:
            return
        known.filters[topic_filter] = qos, no_local
        for topic, (payload, its_qos) in self.retained.items():
            if matches(topic_filter, topic):
                known.due[topic, payload, min(qos, its_qos), True] += 1
        assert known.peer.subscribe(Subscription(topic_filter, qos, no_local)) == (qos,)

    @rule(name=CLIENTS, topic_filter=FILTERS)
    def unsubscribe(self, name: str, topic_filter: str) -> None:
        known = self.known[name]
        if known.peer is None:
            return
        code = 0 if known.filters.pop(topic_filter, None) else ReasonCode.NO_SUBSCRIPTION_EXISTED
        assert known.peer.unsubscribe(topic_filter) == (code,)

    @rule(name=CLIENTS, topic=TOPICS, qos=QOS, retain=st.booleans())
    def publish(self, name: str, topic: str, qos: int, retain: bool) -> None:
        peer = self.known[name].peer
        if peer is None:
            return
        payload = self._unique()
        self._sent(name, topic, payload, qos, retain)
        peer.publish(topic, payload, qos, retain=retain)

    @rule(name=CLIENTS, topic=TOPICS)
    def clear(self, name: str, topic: str) -> None:
        peer = self.known[name].peer
        if peer is None:
            return
        self.retained.pop(topic, None)
        self._sent(name, topic, b"", 1, False)
        peer.publish(topic, b"", 1, retain=True)

    @invariant()
    def everybody_has_got_what_is_due(self) -> None:
        for known in self.known.values():
            if known.peer is None:
                continue
            got = known.peer.got()
            assert Counter((o.topic, o.payload, o.qos, o.retain) for o in got) == +known.due
            known.due.clear()
            assert not known.peer.server.session.inflight
            assert not known.peer.server.session.queue


@pytest.mark.search
def test_the_broker_does_what_its_model_does() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Model, settings=settings(stateful_step_count=40)
    )


# --- Noise ----------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(VERSIONS))
def test_bytes_of_any_kind_end_in_a_known_reason_or_are_taken(
    data: st.DataObject, version: int
) -> None:
    house = House(Limits(packet_bytes=4_096, queue_messages=10))
    peer = house.connect("c", version)
    peer.subscribe("#")
    stream = b"".join(
        _mutated(data, encode(one, version)) for one in data.draw(st.lists(packets(version)))
    ) + data.draw(st.binary(max_size=40))
    house._take(peer, peer.server.receive(stream, house.now))
    answer = peer.server.take()
    assert len(peer.server._tail) <= 4_096 + 5
    if not peer.server.is_closed or version == V311 or not answer:
        return
    last = _packets(answer, version)[-1]
    if isinstance(last, Disconnect):
        assert last.reason_code >= 0x80


def _mutated(data: st.DataObject, frame: bytes) -> bytes:
    if data.draw(st.booleans()):
        return frame
    changed = bytearray(frame)
    at = data.draw(st.integers(0, len(frame) - 1))
    changed[at] = data.draw(st.integers(0, 255))
    return bytes(changed)


def _packets(stream: bytes, version: int) -> list[Any]:
    found = []
    while stream:
        for size in range(2, len(stream) + 1):
            try:
                found.append(decode(stream[:size], version))
            except ProtocolError:
                continue
            stream = stream[size:]
            break
        else:
            raise AssertionError("What the server sent is no run of packets.")
    return found


# --- Abuse ----------------------------------------------------------------------------------------


def test_aliases_and_topics_are_bounded_and_refused_with_their_codes() -> None:
    long = "x" * 65_535
    for packet, code in (
        (Publish("t", b"", properties={"topic_alias": 11}), ReasonCode.TOPIC_ALIAS_INVALID),
        (Publish("", b"", properties={"topic_alias": 10}), ReasonCode.PROTOCOL_ERROR),
    ):
        house = House(Limits(topic_alias_maximum=10))
        peer = house.connect()
        house._take(peer, peer.server.receive(encode(packet, V5), 0.0))
        assert peer.one(Disconnect).reason_code == code
    response = encode(Publish("t", b"", properties={"response_topic": "aaa"}), V5)
    house = House()
    peer = house.connect()
    house._take(peer, peer.server.receive(response.replace(b"aaa", b"a/+"), 0.0))
    assert peer.one(Disconnect).reason_code == ReasonCode.PROTOCOL_ERROR

    house = House(Limits(topic_alias_maximum=10))
    peer = house.connect()
    tracemalloc.start()
    for n in range(2_000):
        packet = Publish(long[:-4] + f"{n:04}", b"", properties={"topic_alias": 1 + n % 10})
        peer.server.receive(encode(packet, V5), 0.0)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peer.server.is_open
    assert size < 2_000_000


@both
def test_65_535_filters_are_answered_and_so_many_kept(version: int) -> None:
    house = House(bounds=Bounds(subscriptions=1_000))
    peer = house.connect("c", version)
    codes: list[int] = []
    tracemalloc.start()
    for start in range(0, 65_535, 5_000):
        wanted = [Subscription(f"t/{n}/+/#", 1) for n in range(start, min(start + 5_000, 65_535))]
        codes += peer.subscribe(*wanted)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    refusal = ReasonCode.QUOTA_EXCEEDED if version == V5 else 0x80
    assert codes == [1] * 1_000 + [refusal] * 64_535
    assert size < 4_000_000
    peer.publish("t/999/a/b", b"kept")
    peer.publish("t/1000/a/b", b"not")
    assert peer.payloads() == [b"kept"]
    peer.lose()
    assert house.broker._subscribers == {}


def test_topics_of_very_many_levels_are_neither_subscribed_to_nor_retained() -> None:
    house = House(bounds=Bounds(levels=10))
    peer = house.connect()
    deep = "/".join("a" * 11)
    assert peer.subscribe(deep, deep[2:]) == (ReasonCode.QUOTA_EXCEEDED, 2)
    peer.publish(deep, b"x", 1, retain=True)
    assert peer.one(Acknowledged).reason_code == ReasonCode.QUOTA_EXCEEDED
    peer.publish("/" * 65_535, b"x", 1)
    assert peer.client.is_open


def test_a_flood_of_retained_messages_keeps_what_may_be_kept() -> None:
    house = House(bounds=Bounds(retained_messages=50, retained_bytes=20_000))
    peer = house.connect()
    for n in range(500):
        peer.client.publish(f"t/{n}", b"x" * 100, retain=True, now=0.0)
    house.settle()
    peer.subscribe("t/#")
    assert len(peer.got()) == 50
    peer.publish("t/0", b"x" * 15_000, 1, retain=True)
    assert peer.one(Acknowledged).reason_code == ReasonCode.QUOTA_EXCEEDED


def test_sessions_that_are_made_and_left_leave_nothing_behind() -> None:
    house = House()
    for n in range(200):
        peer = house.connect(f"c{n}", VERSIONS[n % 2], will=Will("w", b""))
        peer.subscribe("t/#", f"$share/g/{n}")
        peer.lose()
    broker = house.broker
    assert (broker._members, broker._subscribers, broker._retained) == ({}, {}, {})


@both
def test_an_idle_connection_takes_little_memory(version: int) -> None:
    house = House(bounds=Bounds(sessions=10_000))
    frame = encode(Connect("idle", version, keep_alive=60), version)
    kept = []

    def connect(n: int) -> None:
        server = ServerConnection(house.limits, 0.0)
        server.receive(frame, 0.0)
        member, _ = house.broker.attach(None, f"c{n}", server, clean_start=True, now=0.0)
        server.accept(member.session, now=0.0, session_present=False)
        server.take()
        kept.append(server)

    connect(-1)
    tracemalloc.start()
    for n in range(1_000):
        connect(n)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / 1_000 < 2_048
