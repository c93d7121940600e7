import pytest
from hypothesis import given
from hypothesis import strategies as st
from packet_strategies import packets
from packet_strategies import publishes as publishes_of
from wires import a_server, publishes, sent, split

from moorage_mqtt import (
    NEVER,
    V5,
    V311,
    Acknowledged,
    Auth,
    ConnAck,
    Connect,
    Delivery,
    Disconnect,
    Dropped,
    Failed,
    Limits,
    PingReq,
    PingResp,
    Properties,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    ReasonCode,
    Released,
    ServerConnection,
    Session,
    SubAck,
    Subscribe,
    Subscription,
    Will,
    encode,
)
from moorage_mqtt.decode import known_topics

both = pytest.mark.parametrize("version", [V311, V5])


def feed(server: ServerConnection, *packets: object, now: float = 0.0) -> list[object]:
    return list(
        server.receive(b"".join(encode(one, server.version) for one in packets), now)  # type: ignore[arg-type]
    )


# --- Connecting -------------------------------------------------------------------------


def test_a_bridge_of_mqtt_3_1_1_is_sent_back_nothing_and_told_what_is_retained() -> None:
    for is_bridge in (True, False):
        server = ServerConnection(Limits(), 0.0)
        [connect] = feed(server, Connect("edge", V311, is_bridge=is_bridge))
        assert isinstance(connect, Connect)
        assert (connect.version, connect.is_bridge) == (V311, is_bridge)
        server.accept(Session(), now=0.0, session_present=False)
        wanted = Subscribe(1, (Subscription("in/#", 1), Subscription("$share/g/in/#")))
        plain, shared = (
            Subscription("in/#", 1, is_bridge, is_bridge),
            Subscription("$share/g/in/#", retain_as_published=is_bridge),
        )
        assert feed(server, wanted) == [Subscribe(1, (plain, shared))]


def test_connack_announces_the_limits_to_mqtt_5() -> None:
    limits = Limits(
        packet_bytes=1000,
        receive_maximum=7,
        topic_alias_maximum=3,
        maximum_qos=1,
        keep_alive_s=60,
        session_expiry_s=100,
        retain_available=False,
        wildcard_subscriptions=False,
        subscription_identifiers=False,
        shared_subscriptions=False,
    )
    server = ServerConnection(limits, 0.0)
    server.receive(
        encode(Connect("", V5, keep_alive=600, properties={"session_expiry_interval": NEVER}), V5),
        0.0,
    )

    server.accept(Session(), now=0.0, session_present=False, assigned_client_id="made")

    assert sent(server) == [
        ConnAck(
            properties={
                "receive_maximum": 7,
                "maximum_packet_size": 1000,
                "session_expiry_interval": 100,
                "server_keep_alive": 60,
                "maximum_qos": 1,
                "topic_alias_maximum": 3,
                "retain_available": 0,
                "wildcard_subscription_available": 0,
                "subscription_identifier_available": 0,
                "shared_subscription_available": 0,
                "assigned_client_identifier": "made",
            }
        )
    ]
    assert (server.keep_alive_s, server.session_expiry_s) == (60, 100)


def test_connack_of_3_1_1_says_no_more_than_accepted() -> None:
    server = ServerConnection(Limits(keep_alive_s=5), 0.0)
    server.receive(encode(Connect("c", V311, False, 60), V311), 0.0)

    server.accept(Session(), now=0.0, session_present=True)

    assert server.take() == b"\x20\x02\x01\x00"
    assert (server.keep_alive_s, server.session_expiry_s) == (60, NEVER)


@pytest.mark.parametrize(
    ("version", "answer"),
    [(V311, b"\x20\x02\x00\x05"), (V5, b"\x20\x08\x00\x87\x05\x1f\x00\x02no")],
)
def test_a_refusal_is_told_in_the_words_of_the_version(version: int, answer: bytes) -> None:
    server = ServerConnection(Limits(), 0.0)
    server.receive(encode(Connect("c", version, will=Will("w", b"")), version), 0.0)

    server.refuse(ReasonCode.NOT_AUTHORIZED, "no")

    assert server.take() == answer
    assert server.is_closed
    assert server.will is None


@pytest.mark.parametrize(
    ("connect", "answer"),
    [
        ("100f 0006 4d5149736470 03 02 003c 0001 61", "2002 0001"),
        ("100d 0004 4d515454 03 02 003c 0001 61", "2002 0001"),
        ("100d 0004 4d515454 06 02 003c 0001 61", "2042 0084 3f 1f003c"),
        ("100e 0004 4d515454 63 02 003c 00 0001 61", "2043 0084 40 1f003d"),
    ],
)
def test_an_unknown_protocol_level_is_answered_so_that_its_client_reads_it(
    connect: str, answer: str
) -> None:
    """Older ones than 5 in the words of 3.1.1, newer ones in those of 5."""
    server = ServerConnection(Limits(), 0.0)

    [failed] = server.receive(bytes.fromhex(connect), 0.0)

    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.UNSUPPORTED_PROTOCOL_VERSION
    assert server.take().startswith(bytes.fromhex(answer))
    assert server.is_closed


def test_an_empty_client_id_with_a_lasting_session_is_refused_in_3_1_1() -> None:
    server = ServerConnection(Limits(), 0.0)

    server.receive(encode(Connect("", V311, clean_start=False), V311), 0.0)

    assert server.take() == b"\x20\x02\x00\x02"


@pytest.mark.parametrize(
    "stranger",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xc0\x00", b"\x30", b"\x00"],
)
def test_whoever_does_not_begin_with_connect_is_closed_without_a_word(stranger: bytes) -> None:
    server = ServerConnection(Limits(), 0.0)

    [failed] = server.receive(stranger, 0.0)

    assert isinstance(failed, Failed)
    assert server.is_closed
    assert server.take() == b""
    assert server.receive(encode(Connect("c", V5), V5), 0.0) == []


def test_a_long_connect_is_refused_from_its_header() -> None:
    server = ServerConnection(Limits(first_packet_bytes=100), 0.0)

    [failed] = server.receive(b"\x10\xff\xff\x7f", 0.0)

    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.PACKET_TOO_LARGE


def test_packets_sent_before_connack_are_kept_and_bounded() -> None:
    server = ServerConnection(Limits(first_packet_bytes=100), 0.0)
    early = encode(Publish("a", b"1"), V5)
    [_] = server.receive(encode(Connect("c", V5), V5) + early, 0.0)
    assert server.receive(early * 30, 0.0) == []

    events = server.accept(Session(), now=0.0, session_present=False)
    assert len(publishes(events)) == 31

    flooded = ServerConnection(Limits(first_packet_bytes=100), 0.0)
    flooded.receive(encode(Connect("c", V5), V5), 0.0)
    flooded.receive(early * 30, 0.0)
    [failed] = flooded.receive(early, 0.0)
    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.QUOTA_EXCEEDED


@both
def test_a_second_connect_ends_the_connection(version: int) -> None:
    server = a_server(version)

    [failed] = feed(server, Connect("c", version))

    assert isinstance(failed, Failed)
    assert sent(server) == (
        [] if version == V311 else [Disconnect(0x82, {"reason_string": failed.text})]
    )


def test_enhanced_authentication_goes_back_and_forth() -> None:
    method: Properties = {"authentication_method": "SCRAM"}
    server = ServerConnection(Limits(), 0.0)
    [connect] = server.receive(
        encode(Connect("c", V5, properties={**method, "authentication_data": b"1"}), V5), 0.0
    )
    assert isinstance(connect, Connect)

    server.challenge(b"2")
    assert sent(server) == [Auth(0x18, {**method, "authentication_data": b"2"})]
    [answer] = feed(server, Auth(0x18, {**method, "authentication_data": b"3"}))
    assert isinstance(answer, Auth)
    server.accept(Session(), now=0.0, session_present=False)
    [connack] = sent(server)
    assert isinstance(connack, ConnAck)
    assert connack.properties["authentication_method"] == "SCRAM"

    [again] = feed(server, Auth(0x19, method))
    assert isinstance(again, Auth)
    server.reauthenticated()
    assert sent(server) == [Auth(0, method)]
    [failed] = feed(server, Auth(0x19, {"authentication_method": "other"}))
    assert isinstance(failed, Failed)


def test_auth_is_refused_to_who_did_not_ask_for_it() -> None:
    server = a_server()

    [failed] = feed(server, Auth(0x19, {"authentication_method": "x"}))

    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.PROTOCOL_ERROR


# --- Keep-alive and the end -------------------------------------------------------------


@both
def test_silence_of_one_and_a_half_keep_alives_ends_the_connection(version: int) -> None:
    server = a_server(version, keep_alive=10, now=100.0)
    assert server.deadline == 115.0
    assert feed(server, PingReq(), now=110.0) == []
    assert sent(server) == [PingResp()]
    assert server.tick(124.9) == []

    [failed] = server.tick(125.0)

    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.KEEP_ALIVE_TIMEOUT
    assert server.is_closed
    assert server.deadline is None


def test_connect_must_come_in_time_however_slowly_it_drips() -> None:
    server = ServerConnection(Limits(connect_timeout_s=5), 0.0)
    for second, byte in enumerate(b"\x10\x0d\x00\x04"):
        assert server.receive(bytes([byte]), float(second)) == []

    assert server.deadline == 5.0
    [failed] = server.tick(5.0)
    assert isinstance(failed, Failed)


@both
def test_the_will_is_dropped_by_a_goodbye_and_only_by_it(version: int) -> None:
    will = Will("w", b"lost", 1)

    def connected() -> ServerConnection:
        server = ServerConnection(Limits(), 0.0)
        server.receive(encode(Connect("c", version, keep_alive=1, will=will), version), 0.0)
        server.accept(Session(), now=0.0, session_present=False)
        return server

    goodbye, silent, broken = connected(), connected(), connected()
    assert feed(goodbye, Disconnect()) == [Disconnect()]
    assert goodbye.will is None
    silent.tick(100.0)
    assert silent.will == will
    broken.receive(b"\x00\x00", 0.0)
    assert broken.will == will
    if version == V5:
        asked = connected()
        feed(asked, Disconnect(ReasonCode.DISCONNECT_WITH_WILL))
        assert asked.will == will


def test_disconnect_may_shorten_a_session_but_not_begin_one() -> None:
    lasting = a_server(properties={"session_expiry_interval": 100})
    feed(lasting, Disconnect(0, {"session_expiry_interval": 5}))
    assert lasting.session_expiry_s == 5

    [failed] = feed(a_server(), Disconnect(0, {"session_expiry_interval": 5}))
    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.PROTOCOL_ERROR

    # What counts is what was asked for, also where less was granted (MQTT 5, 3.14.2.2.2).
    refused = a_server(
        limits=Limits(session_expiry_s=0), properties={"session_expiry_interval": 100}
    )
    goodbye = Disconnect(0, {"session_expiry_interval": 5})
    assert feed(refused, goodbye) == [goodbye]
    assert refused.session_expiry_s == 0


def test_the_reason_is_left_out_where_the_client_does_not_want_it() -> None:
    server = a_server(properties={"request_problem_information": 0})
    feed(server, Publish("a", b"", 1, packet_id=1))
    server.acknowledge(1, ReasonCode.QUOTA_EXCEEDED, "Too much.")
    assert sent(server) == [PubAck(1, 0x97)]

    curious = a_server()
    feed(curious, Publish("a", b"", 1, packet_id=1))
    curious.acknowledge(1, ReasonCode.QUOTA_EXCEEDED, "Too much.")
    assert sent(curious) == [PubAck(1, 0x97, {"reason_string": "Too much."})]


# --- Messages in ------------------------------------------------------------------------


@both
def test_acknowledgements_leave_in_the_order_the_messages_came(version: int) -> None:
    server = a_server(version)
    events = feed(
        server, *(Publish("a", b"", qos, packet_id=n) for n, qos in ((1, 1), (2, 2), (3, 1)))
    )
    assert len(events) == 3

    server.acknowledge(3)
    server.acknowledge(2)
    assert server.take() == b""
    assert server.unacknowledged == 3
    server.acknowledge(1)

    assert sent(server) == [PubAck(1), PubRec(2), PubAck(3)]
    server.acknowledge(1)
    assert server.take() == b""


@both
def test_many_are_acknowledged_in_one_call(version: int) -> None:
    server = a_server(version)
    feed(server, *(Publish("a", b"", 1, packet_id=n) for n in range(1, 51)))

    server.acknowledge_many(range(50, 0, -1))

    assert sent(server) == [PubAck(n) for n in range(1, 51)]


@both
def test_a_qos_2_message_is_delivered_once_however_often_it_is_sent(version: int) -> None:
    session = Session()
    server = a_server(version, session=session)
    message = Publish("a", b"x", 2, packet_id=9)
    assert feed(server, message, message._replace(dup=True)) == [message]
    assert server.take() == b""
    server.acknowledge(9)
    assert sent(server) == [PubRec(9)]

    again = a_server(version, session=session)
    assert feed(again, message._replace(dup=True)) == []
    assert sent(again) == [PubRec(9)]
    assert feed(again, PubRel(9)) == [Released(9)]
    assert sent(again) == [PubComp(9)]
    assert feed(again, PubRel(9)) == []
    assert sent(again) == [PubComp(9, 0x92 if version == V5 else 0)]
    assert feed(again, message) == [message]


@both
def test_a_message_committed_after_the_connection_closed_is_not_taken_again(version: int) -> None:
    session = Session()
    server = a_server(version, session=session)
    message = Publish("a", b"x", 2, packet_id=9)
    feed(server, message, Publish("a", b"", 1, packet_id=10), Disconnect())
    server.acknowledge(9)
    server.acknowledge(10)
    assert server.unacknowledged == 0
    assert server.take() == b""

    assert feed(a_server(version, session=session), message._replace(dup=True)) == []


def test_a_refused_qos_2_message_may_come_again() -> None:
    server = a_server()
    message = Publish("a", b"x", 2, packet_id=9)
    feed(server, message)
    server.acknowledge(9, ReasonCode.QUOTA_EXCEEDED)
    assert sent(server) == [PubRec(9, 0x97)]
    assert feed(server, message) == [message]


def test_mqtt_3_1_1_is_closed_instead_of_refused() -> None:
    server = a_server(V311)
    feed(server, Publish("a", b"", 1, packet_id=1))

    server.acknowledge(1, ReasonCode.QUOTA_EXCEEDED)

    assert server.is_closed
    assert server.take() == b""


@both
def test_a_packet_id_in_use_is_a_breach_unless_it_is_a_repeat(version: int) -> None:
    server = a_server(version)
    message = Publish("a", b"", 1, packet_id=1)
    assert feed(server, message, message._replace(dup=True)) == [message]

    [failed] = feed(server, message)
    assert isinstance(failed, Failed)


def test_more_than_the_receive_maximum_ends_the_connection() -> None:
    limits = Limits(receive_maximum=3)
    server = a_server(V5, limits)
    feed(server, Publish("a", b"", 2, packet_id=1), Publish("a", b"", 2, packet_id=2))
    server.acknowledge(2)
    assert len(feed(server, Publish("a", b"", 1, packet_id=3))) == 1
    server.acknowledge(1)
    server.acknowledge(3)
    assert len(feed(server, Publish("a", b"", 1, packet_id=4))) == 1

    [failed] = feed(server, Publish("a", b"", 1, packet_id=5))
    assert isinstance(failed, Failed)
    assert failed.reason_code == ReasonCode.RECEIVE_MAXIMUM_EXCEEDED

    tolerant = a_server(V311, limits)
    assert len(feed(tolerant, *(Publish("a", b"", 1, packet_id=n) for n in range(1, 9)))) == 8


def test_pubrel_frees_the_receive_maximum() -> None:
    server = a_server(V5, Limits(receive_maximum=1))
    for _ in range(3):
        assert len(feed(server, Publish("a", b"", 2, packet_id=1))) == 1
        server.acknowledge(1)
        feed(server, PubRel(1))
        assert sent(server) == [PubRec(1), PubComp(1)]


def test_topic_aliases_are_resolved_and_bounded() -> None:
    server = a_server(V5, Limits(topic_alias_maximum=2))

    events = feed(
        server,
        Publish("a/b", b"1", properties={"topic_alias": 2}),
        Publish("", b"2", properties={"topic_alias": 2}),
        Publish("c", b"3", properties={"topic_alias": 2, "content_type": "x"}),
        Publish("", b"4", 1, packet_id=1, properties={"topic_alias": 2}),
    )

    assert [(one.topic, one.properties) for one in events if isinstance(one, Publish)] == [
        ("a/b", {}),
        ("a/b", {}),
        ("c", {"content_type": "x"}),
        ("c", {}),
    ]
    [unknown] = feed(server, Publish("", b"", properties={"topic_alias": 1}))
    assert isinstance(unknown, Failed)
    assert unknown.reason_code == ReasonCode.PROTOCOL_ERROR
    [above] = feed(a_server(), Publish("a", b"", properties={"topic_alias": 1}))
    assert isinstance(above, Failed)
    assert above.reason_code == ReasonCode.TOPIC_ALIAS_INVALID


@pytest.mark.parametrize(
    ("limits", "packet", "code"),
    [
        (Limits(maximum_qos=0), Publish("a", b"", 1, packet_id=1), 0x9B),
        (Limits(maximum_qos=1), Publish("a", b"", 2, packet_id=1), 0x9B),
        (Limits(retain_available=False), Publish("a", b"", retain=True), 0x9A),
        (Limits(packet_bytes=50), Publish("a", b"x" * 100), 0x95),
        (Limits(), Publish("a", b"", properties={"subscription_identifier": [1]}), 0x82),
        (Limits(wildcard_subscriptions=False), Subscribe(1, (Subscription("+"),)), 0xA2),
        (Limits(shared_subscriptions=False), Subscribe(1, (Subscription("$share/g/a"),)), 0x9E),
        (
            Limits(subscription_identifiers=False),
            Subscribe(1, (Subscription("a"),), {"subscription_identifier": [1]}),
            0xA1,
        ),
        (Limits(), SubAck(1, (0,)), 0x82),
        (Limits(), PingResp(), 0x82),
    ],
)
def test_what_was_not_offered_is_refused_with_its_code(
    limits: Limits, packet: Publish | Subscribe, code: int
) -> None:
    known_topics[b"a"] = "a"
    assert feed(a_server(), Publish("a", b"", 1, packet_id=1))

    [failed] = feed(a_server(V5, limits), packet)

    assert isinstance(failed, Failed)
    assert failed.reason_code == code


# --- Messages out -----------------------------------------------------------------------


def test_the_clients_receive_maximum_is_kept_and_the_rest_waits() -> None:
    server = a_server(properties={"receive_maximum": 2}, limits=Limits(queue_messages=2))
    outcome = [server.publish("a", b"%d" % n, qos=1, now=0.0, reference=str(n)) for n in range(5)]
    assert [one.value for one in outcome] == ["sent", "sent", "queued", "queued", "queue_full"]
    assert [one.packet_id for one in publishes(sent(server))] == [1, 2]  # type: ignore[arg-type]

    events = feed(server, PubAck(2), PubAck(1, 0x10))

    assert events == [Acknowledged(2, 0, "1", {}), Acknowledged(1, 0x10, "0", {})]
    assert [one.payload for one in publishes(sent(server))] == [b"2", b"3"]  # type: ignore[arg-type]


@both
def test_a_qos_2_message_goes_out_in_four_steps(version: int) -> None:
    server = a_server(version)
    server.publish("a", b"x", qos=2, now=0.0, reference="op")
    assert sent(server) == [Publish("a", b"x", 2, packet_id=1)]
    assert feed(server, PubRec(1)) == [Acknowledged(1, 0, "op", {})]
    assert sent(server) == [PubRel(1)]
    assert feed(server, PubRec(1)) == []
    assert sent(server) == [PubRel(1)]
    assert feed(server, PubComp(1), PubComp(1)) == []
    assert not server.session.inflight


@both
def test_what_is_under_way_is_sent_again_in_order_to_a_client_that_returns(version: int) -> None:
    session = Session()
    first = a_server(version, session=session)
    for n in range(1, 5):
        first.publish("a", b"%d" % n, qos=1 + n % 2, now=0.0)
    first.take()
    feed(first, PubRec(3), PubAck(2))
    first.disconnect(ReasonCode.SERVER_SHUTTING_DOWN)
    assert first.publish("a", b"5", qos=1, now=0.0) is Delivery.QUEUED
    assert first.publish("a", b"6", now=0.0) is Delivery.OFFLINE

    back = ServerConnection(Limits(), 0.0)
    back.receive(encode(Connect("c", version, False), version), 0.0)
    back.accept(session, now=0.0, session_present=True)

    assert split(back.take(), version)[1:] == [
        Publish("a", b"1", 2, dup=True, packet_id=1),
        PubRel(3),
        Publish("a", b"4", 1, dup=True, packet_id=4),
        Publish("a", b"5", 1, packet_id=5),
    ]


def test_a_message_that_waited_is_expired_or_carries_what_is_left() -> None:
    server = a_server(properties={"receive_maximum": 1})
    server.publish("a", b"first", qos=1, now=0.0)
    for seconds in (5, 60):
        server.publish(
            "a",
            b"",
            qos=1,
            now=0.0,
            reference=f"{seconds}s",
            properties={"message_expiry_interval": seconds},
        )
    server.take()

    events = feed(server, PubAck(1), now=10.0)

    assert Dropped("5s", expired=True) in events
    assert sent(server) == [
        Publish("a", b"", 1, packet_id=2, properties={"message_expiry_interval": 50})
    ]


def test_a_message_longer_than_the_client_takes_is_not_sent() -> None:
    server = a_server(properties={"maximum_packet_size": 20})
    assert server.publish("a", b"x" * 20, now=0.0) is Delivery.TOO_LARGE
    assert server.publish("a", b"x" * 20, qos=1, now=0.0) is Delivery.TOO_LARGE
    assert server.take() == b""
    session = Session()
    offline = a_server(V5, session=session)
    offline.disconnect(ReasonCode.SERVER_SHUTTING_DOWN)
    offline.publish("a", b"x" * 20, qos=1, now=0.0, reference="long")
    back = ServerConnection(Limits(), 0.0)
    back.receive(encode(Connect("c", V5, False, properties={"maximum_packet_size": 20}), V5), 0.0)
    assert back.accept(session, now=0.0, session_present=True) == [Dropped("long", expired=False)]


@pytest.mark.parametrize(("qos", "wrong"), [(1, PubRec(1)), (2, PubAck(1)), (2, PubComp(1))])
def test_an_answer_of_the_wrong_kind_is_a_breach(qos: int, wrong: PubRec) -> None:
    server = a_server()
    server.publish("a", b"", qos=qos, now=0.0)

    [failed] = feed(server, wrong)

    assert isinstance(failed, Failed)


# --- Bytes ------------------------------------------------------------------------------


def plain_publishes(version: int) -> st.SearchStrategy[Publish]:
    """Give messages a server takes without having offered more."""

    def plain(one: Publish) -> Publish:
        properties = one.properties.copy()
        properties.pop("topic_alias", None)
        properties.pop("subscription_identifier", None)
        return one._replace(topic=one.topic or "t", properties=properties)

    return publishes_of(version).map(plain)


@given(st.data(), st.sampled_from([V311, V5]))
def test_chunks_of_any_size_mean_the_same(data: st.DataObject, version: int) -> None:
    messages = [
        one._replace(packet_id=n) if one.qos else one
        for n, one in enumerate(data.draw(st.lists(plain_publishes(version), max_size=6)), 1)
    ]
    stream = b"".join(encode(one, version) for one in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, cut = a_server(version), a_server(version)

    events = whole.receive(stream, 0.0)
    parts = [
        event
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for event in cut.receive(memoryview(stream)[start:stop], 0.0)
    ]

    assert events == parts == messages


@given(st.data(), st.sampled_from([V311, V5]))
def test_nothing_sent_raises_or_is_kept_beyond_the_limit(data: st.DataObject, version: int) -> None:
    limits = Limits(packet_bytes=200, first_packet_bytes=200)
    server = a_server(version, limits)
    for packet in data.draw(st.lists(packets(version), max_size=5)):
        chunk = bytearray(encode(packet, version))
        for _ in range(data.draw(st.integers(0, 2))):
            chunk[data.draw(st.integers(0, len(chunk) - 1))] = data.draw(st.integers(0, 255))
        for event in server.receive(chunk, 0.0):
            if isinstance(event, Publish) and event.qos:
                server.acknowledge(event.packet_id)
        assert len(server._tail) <= 200 + len(chunk)


@given(st.binary(max_size=200))
def test_strangers_get_no_further_than_a_failure(noise: bytes) -> None:
    server = ServerConnection(Limits(), 0.0)
    for byte in noise:
        server.receive(bytes([byte]), 0.0)
    assert server.take()[:1] in (b"", b"\x20")
