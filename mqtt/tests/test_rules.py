"""Single rules of the standards that no other test shows."""

from __future__ import annotations

from typing import Any

import pytest
from house import VERSIONS, House
from wires import a_server, publishes, sent, split

from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    ClientConnection,
    ConnAck,
    Connect,
    Disconnect,
    Failed,
    Limits,
    Packet,
    PingReq,
    PingResp,
    ProtocolError,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    ReasonCode,
    ServerConnection,
    Session,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
    decode,
    encode,
)

both = pytest.mark.parametrize("version", VERSIONS)


def feed(server: ServerConnection, *packets: Packet) -> list[Any]:
    return list(server.receive(b"".join(encode(one, server.version) for one in packets), 0.0))


def a_client(**given: Any) -> ClientConnection:
    """Give a client that a server has accepted with these properties."""
    client = ClientConnection("c", now=0.0, clean_start=given.pop("clean_start", True))
    client.take()
    client.receive(encode(ConnAck(False, 0, given), V5), 0.0)
    return client


# --- Text -----------------------------------------------------------------------------------------


@both
def test_a_byte_order_mark_is_a_character_like_others(version: int) -> None:
    for text in ("\ufeffa", "a\ufeff", "\ufeff"):
        packet = decode(encode(Publish(text, b""), version), version)
        assert packet == Publish(text, b"")


@pytest.mark.parametrize("bad", [b"\xed\xa0\x80", b"\xc0\x80", b"\xff", b"\0"])
@pytest.mark.parametrize(
    "packet",
    [
        Connect("~~~", V5),
        Connect("c", V5, username="~~~"),
        Connect("c", V5, will=Will("~~~", b"")),
        Connect("c", V5, properties={"authentication_method": "~~~"}),
        Publish("~~~", b""),
        Publish("t", b"", properties={"response_topic": "~~~"}),
        Publish("t", b"", properties={"content_type": "~~~"}),
        Publish("t", b"", properties={"user_property": [("~~~", "b")]}),
        Publish("t", b"", properties={"user_property": [("a", "~~~")]}),
        Subscribe(1, (Subscription("~~~"),)),
        Unsubscribe(1, ("~~~",)),
    ],
)
def test_every_string_must_be_utf_8(packet: Packet, bad: bytes) -> None:
    frame = encode(packet, V5)
    assert decode(frame, V5) == packet
    with pytest.raises(ProtocolError) as refused:
        decode(frame.replace(b"~~~", (bad * 3)[:3]), V5)
    assert refused.value.reason_code == ReasonCode.MALFORMED_PACKET


# --- CONNECT and CONNACK --------------------------------------------------------------------------


@both
@pytest.mark.parametrize("client_id", ["a", "0123456789abcdefghijklm", "Z" * 65_535, "ÆØÅ/+#$"])
def test_client_ids_of_any_length_and_character_are_taken(version: int, client_id: str) -> None:
    server = ServerConnection(Limits(first_packet_bytes=70_000), 0.0)
    [connect] = server.receive(encode(Connect(client_id, version), version), 0.0)
    assert isinstance(connect, Connect)
    assert connect.client_id == client_id


@both
def test_nothing_is_sent_before_connack_and_one_connack_only(version: int) -> None:
    server = ServerConnection(Limits(), 0.0)
    packets: list[Packet] = [Connect("c", version), PingReq(), Subscribe(1, (Subscription("t"),))]
    server.receive(b"".join(encode(one, version) for one in packets), 0.0)
    assert server.take() == b""
    events = server.accept(Session(), now=0.0, session_present=False)
    assert [type(one) for one in events] == [Subscribe]
    assert server.accept(Session(), now=0.0, session_present=False) == []
    first, *rest = split(server.take(), version)
    assert isinstance(first, ConnAck)
    assert rest == [PingResp()]


@both
def test_a_refused_client_is_heard_no_further(version: int) -> None:
    server = ServerConnection(Limits(), 0.0)
    server.receive(encode(Connect("c", version, will=Will("t", b"w")), version), 0.0)
    server.refuse(ReasonCode.NOT_AUTHORIZED)
    assert server.receive(encode(Publish("t", b""), version), 0.0) == []
    [answer] = split(server.take(), version)
    assert isinstance(answer, ConnAck)
    assert answer.reason_code
    assert not answer.session_present
    assert server.is_closed
    assert server.will is None


OF_LEVEL_6 = bytes.fromhex("100d 0004 4d515454 06 02 003c 0001 61")
BAD_FILTER = bytes.fromhex("820a 0001 00 0004 612f2361 00")


def test_what_is_wrong_with_a_packet_out_of_place_is_told_in_a_code_of_the_answer() -> None:
    server = a_server()
    [failed] = server.receive(OF_LEVEL_6, 0.0)
    assert isinstance(failed, Failed)
    assert sent(server)[0].reason_code == ReasonCode.PROTOCOL_ERROR  # type: ignore[attr-defined]

    asked = ServerConnection(Limits(), 0.0)
    method: Any = {"authentication_method": "m"}
    asked.receive(encode(Connect("c", V5, properties=method), V5), 0.0)
    asked.receive(BAD_FILTER, 0.0)
    [answer] = split(asked.take(), V5)
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == ReasonCode.PROTOCOL_ERROR

    client = a_client()
    client.receive(OF_LEVEL_6, 0.0)
    [goodbye] = split(client.take(), V5)
    assert goodbye == Disconnect(ReasonCode.PROTOCOL_ERROR, goodbye.properties)  # type: ignore[attr-defined]


def test_the_server_says_goodbye_to_those_only_whom_it_has_accepted() -> None:
    server = ServerConnection(Limits(), 0.0)
    server.receive(encode(Connect("c", V5), V5), 0.0)
    server.disconnect(ReasonCode.SERVER_SHUTTING_DOWN)
    assert server.take() == b""
    assert server.is_closed


@both
def test_after_its_goodbye_the_server_sends_nothing(version: int) -> None:
    server = a_server(version)
    feed(server, Publish("t", b"", 1, packet_id=1))
    server.disconnect(ReasonCode.SERVER_SHUTTING_DOWN)
    server.take()
    server.acknowledge(1)
    server.publish("t", b"", now=0.0)
    server.suback(1, (0,))
    server.unsuback(1, (0,))
    server.disconnect(ReasonCode.SERVER_SHUTTING_DOWN)
    assert server.take() == b""
    assert server.receive(encode(PingReq(), version), 0.0) == []


@both
@pytest.mark.parametrize(
    ("limits", "code"), [(Limits(maximum_qos=0), 0x9B), (Limits(retain_available=False), 0x9A)]
)
def test_a_will_the_server_does_not_take_is_refused(
    version: int, limits: Limits, code: int
) -> None:
    server = ServerConnection(limits, 0.0)
    will = Will("t", b"", 1, retain=True)
    [failed] = server.receive(encode(Connect("c", version, will=will), version), 0.0)
    assert isinstance(failed, Failed)
    assert failed.reason_code == code
    [answer] = split(server.take(), version)
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == (code if version == V5 else 3)


def test_a_server_of_a_lower_qos_still_takes_any_subscription() -> None:
    server = a_server(V5, Limits(maximum_qos=0))
    [event] = feed(server, Subscribe(1, (Subscription("t", 2),)))
    assert isinstance(event, Subscribe)


def test_a_client_that_began_anew_refuses_a_session_of_old() -> None:
    client = ClientConnection("c", now=0.0, clean_start=True)
    client.take()
    [failed] = client.receive(encode(ConnAck(True), V5), 0.0)
    assert isinstance(failed, Failed)
    assert client.is_closed


def test_a_client_sends_nothing_the_server_does_not_take() -> None:
    client = a_client(maximum_qos=1, retain_available=0, maximum_packet_size=40)
    for more in ({"qos": 2}, {"retain": True}):
        with pytest.raises(ProtocolError):
            client.publish("t", b"", now=0.0, **more)  # type: ignore[arg-type]
    client.publish("t", b"x" * 40, qos=1, now=0.0)
    assert client.take() == b""
    client.publish("t", b"x", qos=1, now=0.0)
    assert client.take()


def test_a_client_sets_as_many_aliases_as_the_server_takes() -> None:
    for most, expected in ((0, [None] * 4), (2, [1, 2, None, 1])):
        client = a_client(topic_alias_maximum=most) if most else a_client()
        for topic in "abca":
            client.publish(topic, b"", now=0.0)
        packets = split(client.take(), V5)
        aliases = [one.properties.get("topic_alias") for one in packets]  # type: ignore[attr-defined]
        assert aliases == expected


def test_a_client_keeps_to_the_servers_receive_maximum_and_delays_nothing_else() -> None:
    client = a_client(receive_maximum=2)
    for n in range(4):
        client.publish("t", b"%d" % n, qos=1, now=0.0)
    client.ping()
    client.subscribe(Subscription("t"))
    client.publish("t", b"at most once", now=0.0)
    kinds = [type(one).__name__ for one in split(client.take(), V5)]
    assert kinds == ["Publish", "Publish", "PingReq", "Subscribe", "Publish"]


# --- Exchanges ------------------------------------------------------------------------------------


def test_other_packets_are_answered_while_the_window_is_used_up() -> None:
    house = House()
    peer = house.connect(properties={"receive_maximum": 1})
    peer.subscribe("t")
    peer.answers = False
    peer.publish("t", b"1", 1)
    peer.publish("t", b"2", 1)
    assert peer.subscribe("u") == (2,)
    assert peer.unsubscribe("u") == (0,)
    peer.wire.clear()
    peer.client.ping()
    house.settle()
    assert peer.wire == b"\xd0\0"


@both
def test_after_puback_the_same_packet_id_is_a_new_message(version: int) -> None:
    server = a_server(version)
    for dup in (False, True, True):
        [message] = feed(server, Publish("t", b"", 1, dup=dup, packet_id=7))
        assert isinstance(message, Publish)
        server.acknowledge(7)
        assert sent(server) == [PubAck(7)]


@both
def test_after_pubcomp_the_same_packet_id_is_a_new_message(version: int) -> None:
    server = a_server(version)
    for _ in range(2):
        assert len(feed(server, Publish("t", b"", 2, packet_id=7))) == 1
        server.acknowledge(7)
        assert feed(server, Publish("t", b"", 2, dup=True, packet_id=7)) == []
        feed(server, PubRel(7))
        assert sent(server) == [PubRec(7), PubRec(7), PubComp(7)]


@both
def test_pubrels_leave_in_the_order_of_the_pubrecs(version: int) -> None:
    server = a_server(version)
    for _ in range(3):
        server.publish("t", b"", qos=2, now=0.0)
    server.take()
    feed(server, PubRec(2), PubRec(1), PubRec(3))
    assert sent(server) == [PubRel(2), PubRel(1), PubRel(3)]


def test_a_message_refused_by_its_receiver_is_not_sent_again() -> None:
    server = a_server()
    server.publish("t", b"1", qos=1, now=0.0)
    server.publish("t", b"2", qos=2, now=0.0)
    server.take()
    events = feed(
        server, PubAck(1, ReasonCode.NOT_AUTHORIZED), PubRec(2, ReasonCode.NOT_AUTHORIZED)
    )
    assert [one.reason_code for one in events if isinstance(one, Acknowledged)] == [0x87, 0x87]
    assert sent(server) == []
    assert not server.session.inflight
    back = a_server(session=server.session)
    assert sent(back) == []


def test_what_has_been_sent_does_not_expire() -> None:
    first = a_server()
    for qos in (1, 2):
        first.publish("t", b"", qos=qos, now=0.0, properties={"message_expiry_interval": 5})
    first.take()
    back = ServerConnection(Limits(), 100.0)
    back.receive(encode(Connect("c", V5, clean_start=False), V5), 100.0)
    back.accept(first.session, now=100.0, session_present=True)
    _, *again = sent(back)
    assert [(one.qos, one.dup, one.packet_id) for one in publishes(again)] == [  # type: ignore[arg-type]
        (1, True, 1), (2, True, 2),
    ]  # fmt: skip
    feed(back, PubRec(2))
    assert sent(back) == [PubRel(2)]


def test_answers_to_what_is_not_known_are_told_so() -> None:
    server = a_server()
    feed(server, PubAck(5), PubRec(6), PubRel(7), PubComp(8))
    unknown = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
    assert sent(server) == [PubRel(6, unknown), PubComp(7, unknown)]
    old = a_server(V311)
    feed(old, PubAck(5), PubRec(6), PubRel(7), PubComp(8))
    assert sent(old) == [PubRel(6), PubComp(7)]


@pytest.mark.parametrize("size", [20, 60])
def test_a_reason_that_makes_a_packet_too_long_is_left_out(size: int) -> None:
    reason = "x" * 30
    properties: Any = {"maximum_packet_size": size}
    server = a_server(properties=properties)
    feed(server, Publish("t", b"", 1, packet_id=1), Publish("t", b"", 2, packet_id=2))
    server.acknowledge(1, 0x97, reason)
    server.acknowledge(2, 0x97, reason)
    server.suback(3, (0x87,), reason)
    server.unsuback(4, (0x87,), reason)
    server.disconnect(ReasonCode.SERVER_BUSY, reason)
    packets = sent(server)
    assert [type(one) for one in packets] == [PubAck, PubRec, SubAck, UnsubAck, Disconnect]
    told = [one.properties.get("reason_string") for one in packets]  # type: ignore[attr-defined]
    assert told == [reason if size == 60 else None] * 5


def test_a_client_that_takes_no_answer_so_long_gets_none() -> None:
    will = Will("w", b"gone")
    server = ServerConnection(Limits(), 0.0)
    properties: Any = {"maximum_packet_size": 8}
    server.receive(encode(Connect("c", V5, will=will, properties=properties), V5), 0.0)
    [failed] = server.accept(Session(), now=0.0, session_present=False)
    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.PACKET_TOO_LARGE
    assert (server.is_closed, server.will, server.take()) == (True, None, b"")
    refused = ServerConnection(Limits(), 0.0)
    refused.receive(encode(Connect("c", V5, properties={"maximum_packet_size": 4}), V5), 0.0)
    refused.refuse(ReasonCode.NOT_AUTHORIZED)
    assert (refused.is_closed, refused.take()) == (True, b"")


@pytest.mark.parametrize("answer", ["suback", "unsuback"])
def test_an_answer_longer_than_the_client_takes_ends_its_connection(answer: str) -> None:
    server = a_server(properties={"maximum_packet_size": 40})
    getattr(server, answer)(1, (0,) * 35)
    assert len(server.take()) == 40
    getattr(server, answer)(2, (0,) * 36)
    [disconnect] = sent(server)
    assert isinstance(disconnect, Disconnect)
    assert disconnect.reason_code == ReasonCode.PACKET_TOO_LARGE
    assert server.is_closed


# --- Subscriptions --------------------------------------------------------------------------------


def test_filters_are_compared_character_by_character() -> None:
    house = House()
    peer = house.connect()
    peer.subscribe("a/b", "a/+", "A/b")
    assert peer.unsubscribe("a/#", "a/+") == (ReasonCode.NO_SUBSCRIPTION_EXISTED, 0)
    for topic in ("a/b", "A/b", "a//b", "a/B", "a/b/"):
        peer.publish(topic, topic.encode())
    assert peer.payloads() == [b"a/b", b"A/b"]


@both
def test_subscribing_again_loses_no_message(version: int) -> None:
    house = House()
    peer = house.connect("c", version)
    peer.subscribe("t")
    peer.reads = False
    peer.publish("t", b"1", 1)
    peer.client.subscribe(Subscription("t", 1))
    house.settle()
    peer.publish("t", b"2", 1)
    peer.reads = True
    house.settle()
    assert peer.payloads() == [b"1", b"2"]


def test_a_group_member_that_is_lost_gets_its_message_of_qos_2_when_it_returns() -> None:
    house = House()
    one, other = house.lasting("one"), house.connect("other")
    one.subscribe("$share/g/t")
    one.reads = False
    other.publish("t", b"once", 2)
    one.lose()
    other.subscribe("$share/g/t")
    assert other.payloads() == []
    assert house.lasting("one").payloads() == [b"once"]


def test_what_a_group_member_refuses_goes_to_no_other() -> None:
    house = House()
    one, other = house.connect("one"), house.connect("other")
    one.subscribe("$share/g/t")
    one.answers = False
    other.publish("t", b"x", 1)
    other.subscribe("$share/g/t")
    [message] = one.got()
    one.client.acknowledge(message.packet_id, ReasonCode.NOT_AUTHORIZED)
    house.settle()
    assert other.payloads() == []
    assert not one.server.session.inflight


def test_a_shared_subscription_keeps_to_its_own_qos() -> None:
    house = House()
    peer = house.connect()
    peer.subscribe(Subscription("$share/g/t", 1))
    peer.publish("t", b"x", 2)
    assert [one.qos for one in peer.got()] == [1]
