"""Many connections: what the standards say of sessions, subscriptions and messages."""

from __future__ import annotations

from typing import Any

import pytest
from house import VERSIONS, House
from wires import publishes

from moorage_mqtt import (
    NEVER,
    V5,
    V311,
    Acknowledged,
    Bounds,
    ConnAck,
    Copies,
    Disconnect,
    Limits,
    Member,
    Publish,
    ReasonCode,
    Session,
    Subscribed,
    Subscription,
    Will,
)

both = pytest.mark.parametrize("version", VERSIONS)


# --- Routing --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("sent", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_message_comes_with_the_lower_of_both_qos(version: int, sent: int, granted: int) -> None:
    house = House()
    hears, speaks = house.connect("hears", version), house.connect("speaks", 9 - version)
    assert hears.subscribe(Subscription("a/+", granted)) == (granted,)

    speaks.publish("a/b", b"x", sent)
    speaks.publish("other", b"y", sent)

    [message] = hears.got()
    assert (message.topic, message.payload, message.qos) == ("a/b", b"x", min(sent, granted))
    assert not message.retain
    assert not message.dup
    assert not hears.server.session.inflight


def test_messages_of_one_publisher_and_qos_keep_their_order() -> None:
    house = House(Limits(send_maximum=3))
    hears, speaks = house.connect("hears"), house.connect("speaks")
    hears.subscribe("t")
    for n in range(50):
        speaks.client.publish("t", b"%d" % n, qos=1, now=0.0)
    house.settle()
    assert hears.payloads() == [b"%d" % n for n in range(50)]


def test_one_session_with_two_filters_that_match_gets_one_copy_with_both_identifiers() -> None:
    house = House()
    hears = house.connect("hears")
    hears.subscribe(Subscription("a/#", 1), identifier=7)
    hears.subscribe(Subscription("a/+", 2), identifier=8)
    hears.subscribe(Subscription("a/b", 0))

    hears.publish("a/b", b"", 2)

    [message] = hears.got()
    assert message.qos == 2
    assert sorted(message.properties["subscription_identifier"]) == [7, 8]


@pytest.mark.parametrize("relayed", [False, True])
def test_each_identifier_has_a_copy_of_its_own_where_the_owner_wants_it(relayed: bool) -> None:
    house = House(copies=Copies.NAMED)
    hears, plain, away = house.connect("hears"), house.connect("plain"), house.lasting("away")
    for one in (hears, away):
        one.subscribe(Subscription("a/#", 1), identifier=7)
        one.subscribe(Subscription("a/+", 2), identifier=8)
        one.subscribe(Subscription("+/b", 2), identifier=8)
        one.subscribe(Subscription("a/b", 2))
    plain.subscribe(Subscription("a/#", 1), Subscription("a/b", 2))
    away.leave()

    if relayed:
        house.broker.relay(None, Publish("a/b", b"", 2), house.now, None)
    else:
        house.broker.publish(None, Publish("a/b", b"", 2), house.now)
    house.settle()

    for one in (hears, house.lasting("away")):
        got = [(one.qos, one.properties["subscription_identifier"]) for one in one.got()]
        assert got == [(2, [7]), (2, [8])]
    assert [(one.qos, one.properties) for one in plain.got()] == [(2, {})]


def test_a_subscription_made_again_replaces_the_former_one() -> None:
    house = House()
    peer = house.connect()
    peer.subscribe(Subscription("a", 2), identifier=1)
    peer.subscribe(Subscription("a", 1), identifier=2)
    peer.publish("a", b"x", 2)
    [message] = peer.got()
    assert (message.qos, message.properties["subscription_identifier"]) == (1, [2])


@both
def test_who_unsubscribes_gets_no_more_but_what_is_under_way(version: int) -> None:
    house = House()
    peer = house.connect("c", version)
    peer.subscribe("a", "b")
    peer.reads = False
    peer.publish("a", b"before", 1)
    peer.client.unsubscribe("a", "never")
    house.settle()
    peer.publish("a", b"after", 1)
    peer.publish("b", b"other", 1)
    peer.reads = True
    house.settle()
    assert peer.payloads() == [b"before", b"other"]


def test_unsuback_says_of_each_filter_whether_there_was_one() -> None:
    peer = House().connect()
    peer.subscribe("a", "b")
    assert peer.unsubscribe("a", "x", "b") == (0, ReasonCode.NO_SUBSCRIPTION_EXISTED, 0)


def test_no_local_keeps_ones_own_messages_away() -> None:
    house = House()
    own, other = house.connect("own"), house.connect("other")
    own.subscribe(Subscription("t", 1, no_local=True))
    own.publish("t", b"mine", 1)
    other.publish("t", b"theirs", 1)
    assert own.payloads() == [b"theirs"]


def test_spaces_of_topics_know_nothing_of_each_other() -> None:
    house = House()
    one, two = house.connect("c", principal=1), house.connect("c", principal=2)
    one.subscribe("#")
    two.publish("t", b"two", 1, retain=True)
    assert one.payloads() == []
    one.subscribe(Subscription("#", 1))
    assert one.payloads() == []
    two.subscribe("#")
    assert two.payloads() == [b"two"]
    assert two.client.is_open
    assert one.client.is_open


def test_the_publisher_is_told_that_nobody_subscribes() -> None:
    house = House()
    peer = house.connect()
    peer.publish("t", b"", 1, reference="a")
    peer.publish("t", b"", 2, reference="b")
    codes = [one.reason_code for one in peer.events if isinstance(one, Acknowledged)]
    assert codes == [ReasonCode.NO_MATCHING_SUBSCRIBERS] * 2


def test_properties_of_a_message_reach_its_subscribers_unchanged() -> None:
    house = House()
    peer, old = house.connect(), house.connect("old", V311)
    peer.subscribe("t")
    old.subscribe("t")
    properties: Any = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "answers",
        "correlation_data": b"\0\1",
        "user_property": [("a", "1"), ("b", "2"), ("a", "1")],
    }
    peer.publish("t", b"x", 1, properties=properties)
    assert [one.properties for one in peer.got()] == [properties]
    assert [one.properties for one in old.got()] == [{}]


def test_a_subscription_refused_has_no_effect() -> None:
    house = House()
    house.forbidden.add("secret")
    for version, code in ((V5, ReasonCode.NOT_AUTHORIZED), (V311, 0x80)):
        peer = house.connect(f"c{version}", version)
        assert peer.subscribe("open", "secret") == (2, code)
        peer.publish("secret", b"s")
        peer.publish("open", b"o")
        assert peer.payloads() == [b"o"]


def test_a_session_may_hold_so_many_filters_and_no_more() -> None:
    peer = House(bounds=Bounds(subscriptions=3)).connect()
    wanted = [Subscription(f"t/{n}", 1) for n in range(5)]
    assert peer.subscribe(*wanted) == (1, 1, 1, ReasonCode.QUOTA_EXCEEDED, 0x97)
    assert peer.subscribe(Subscription("t/0", 2)) == (2,)
    peer.unsubscribe("t/1")
    assert peer.subscribe(Subscription("t/4", 1)) == (1,)


# --- Retained messages ----------------------------------------------------------------------------


@both
def test_a_new_subscription_gets_the_last_retained_message_of_each_topic(version: int) -> None:
    house = House()
    peer = house.connect("c", version)
    peer.publish("a/1", b"old", 1, retain=True)
    peer.publish("a/1", b"new", 2, retain=True)
    peer.publish("a/2", b"two", 0, retain=True)
    peer.publish("a/3", b"gone", 1, retain=True)
    peer.publish("a/3", b"", 1, retain=True)
    peer.publish("a/4", b"plain", 1)

    hears = house.connect("hears", version)
    hears.subscribe(Subscription("a/+", 1))

    got = hears.got()
    assert {(one.topic, one.payload, one.qos) for one in got} == {
        ("a/1", b"new", 1), ("a/2", b"two", 0),
    }  # fmt: skip
    assert all(one.retain for one in got)


@both
def test_a_retained_message_comes_to_old_subscriptions_as_a_plain_one(version: int) -> None:
    house = House()
    peer = house.connect("c", version)
    peer.subscribe("t")
    peer.publish("t", b"x", 1, retain=True)
    peer.publish("t", b"", 1, retain=True)
    assert [(one.payload, one.retain) for one in peer.got()] == [(b"x", False), (b"", False)]


def test_retain_as_published_leaves_the_flag_as_it_was() -> None:
    house = House()
    peer = house.connect()
    peer.subscribe(Subscription("t", 1, retain_as_published=True))
    peer.publish("t", b"x", 1, retain=True)
    peer.publish("t", b"y", 1)
    assert [one.retain for one in peer.got()] == [True, False]


@pytest.mark.parametrize(("handling", "counts"), [(0, [1, 1]), (1, [1, 0]), (2, [0, 0])])
def test_retain_handling_says_when_retained_messages_come(handling: int, counts: list[int]) -> None:
    house = House()
    peer = house.connect()
    peer.publish("t", b"x", 1, retain=True)
    wanted = Subscription("t", 1, retain_handling=handling)
    for count in counts:
        peer.subscribe(wanted)
        assert len(peer.got()) == count


def test_a_retained_message_carries_the_identifier_of_the_subscription() -> None:
    house = House()
    peer = house.connect()
    peer.publish("t", b"x", 1, retain=True)
    peer.subscribe("t", identifier=9)
    [message] = peer.got()
    assert message.properties["subscription_identifier"] == [9]


def test_a_retained_message_expires_and_tells_how_long_it_lasts() -> None:
    house = House()
    peer = house.connect()
    peer.publish("t", b"x", 1, retain=True, properties={"message_expiry_interval": 10})
    house.pass_time(4)
    peer.subscribe("t")
    assert peer.got()[0].properties["message_expiry_interval"] == 6
    house.pass_time(6)
    peer.subscribe("t")
    assert peer.got() == []


def test_a_shared_subscription_gets_nothing_retained() -> None:
    house = House()
    peer = house.connect()
    peer.publish("t", b"x", 1, retain=True)
    peer.subscribe("$share/g/t")
    assert peer.got() == []


def test_more_than_may_be_retained_is_refused_and_sent_all_the_same() -> None:
    house = House(bounds=Bounds(retained_messages=2))
    peer = house.connect()
    peer.subscribe("#")
    for n in range(3):
        peer.publish(f"t/{n}", b"x", 1, retain=True)
    codes = [one.reason_code for one in peer.events if isinstance(one, Acknowledged)]
    assert codes == [0, 0, ReasonCode.QUOTA_EXCEEDED]
    assert len(peer.got()) == 3
    peer.publish("t/0", b"again", 1, retain=True)
    peer.publish("t/1", b"", 1, retain=True)
    peer.publish("t/2", b"x", 1, retain=True)
    peer.subscribe("#")
    assert {one.topic: one.payload for one in peer.got() if one.retain} == {
        "t/0": b"again", "t/2": b"x",
    }  # fmt: skip


@pytest.mark.parametrize("topic", ["a", "$a"])
def test_what_has_expired_makes_room_for_what_is_to_be_retained(topic: str) -> None:
    house = House(bounds=Bounds(retained_messages=1))
    peer = house.connect()
    peer.publish(topic, b"x", 1, retain=True, properties={"message_expiry_interval": 1})
    house.pass_time(2)
    peer.publish("b", b"y", 1, retain=True)
    peer.subscribe("#")
    assert peer.payloads() == [b"y"]


# --- Shared subscriptions -------------------------------------------------------------------------


def test_each_message_goes_to_one_of_a_group_and_to_all_others() -> None:
    house = House()
    ones = [house.connect(f"one-{n}") for n in range(3)]
    others = [house.connect(f"two-{n}") for n in range(2)]
    alone, speaks = house.connect("alone"), house.connect("speaks")
    for one in ones:
        one.subscribe("$share/one/t/#")
    for one in others:
        one.subscribe("$share/two/t/+")
    alone.subscribe("t/#")

    for n in range(12):
        speaks.publish("t/x", b"%d" % n, 1)

    assert [len(one.got()) for one in ones] == [4, 4, 4]
    assert [len(one.got()) for one in others] == [6, 6]
    assert len(alone.got()) == 12


def test_what_a_group_member_has_not_acknowledged_goes_to_another_when_its_session_ends() -> None:
    house = House(Limits(send_maximum=2))
    first, second = house.connect("first"), house.connect("second")
    speaks = house.connect("speaks")
    first.answers = False
    first.subscribe(Subscription("$share/g/t/+", 2), "u")
    for n, qos in enumerate((1, 2, 1, 2, 0)):
        speaks.publish(f"t/{n}", b"%d" % n, qos)
    speaks.publish("u", b"alone", 1)
    second.subscribe(Subscription("$share/g/t/+", 2), identifier=7)
    assert first.payloads() == [b"0", b"1", b"4"]

    first.lose()
    house.settle()

    # Not what was sent at QoS 2, nor what was its own, nor QoS 0.
    messages = second.got()
    assert [(one.payload, one.qos) for one in messages] == [(b"0", 1), (b"2", 1), (b"3", 2)]
    assert messages[0].properties == {"subscription_identifier": [7]}
    second.lose()
    assert not house.broker.has_subscribers(None)


def test_a_session_that_lasts_keeps_what_it_has_of_a_group_until_it_expires() -> None:
    house = House()
    away, here = house.lasting("away", expiry_s=5), house.connect("here")
    away.answers = False
    away.subscribe("$share/g/t")
    house.connect("speaks").publish("t", b"1", 1)
    here.subscribe("$share/g/t")
    away.lose()
    house.pass_time(3)
    assert here.payloads() == []
    house.pass_time(4)
    assert here.payloads() == [b"1"]


def test_a_group_passes_over_who_is_away_while_another_is_there() -> None:
    house = House()
    away, there = house.lasting("away"), house.connect("there")
    for one in (away, there):
        one.subscribe("$share/g/t")
    away.leave()
    for n in range(4):
        there.publish("t", b"%d" % n, 1)
    assert len(there.got()) == 4

    there.unsubscribe("$share/g/t")
    there.publish("t", b"kept", 1)
    assert house.lasting("away").payloads() == [b"kept"]


def test_what_a_session_had_alone_is_nothing_for_a_group_it_was_in() -> None:
    house = House()
    first, second = house.connect("first"), house.connect("second")
    first.answers = False
    first.subscribe("t")
    for one in (second, first):
        one.subscribe("$share/g/t")
    house.connect("speaks").publish("t", b"x", 1)
    assert (first.payloads(), second.payloads()) == ([b"x"], [b"x"])

    first.lose()
    house.settle()

    assert second.payloads() == []


def test_each_group_is_given_back_what_was_its_own() -> None:
    house = House()
    both_groups = house.connect("both")
    both_groups.answers = False
    both_groups.subscribe("$share/one/t", "$share/two/+")
    house.connect("speaks").publish("t", b"x", 1)
    assert both_groups.payloads() == [b"x", b"x"]
    of_one, of_two = house.connect("of-one"), house.connect("of-two")
    of_one.subscribe("$share/one/t")
    of_two.subscribe("$share/two/+")

    both_groups.lose()
    house.settle()

    assert (of_one.payloads(), of_two.payloads()) == ([b"x"], [b"x"])


def test_a_group_passes_over_who_does_not_acknowledge_while_another_does() -> None:
    house = House(Limits(send_maximum=1))
    away, stuck, works = house.lasting("away"), house.connect("stuck"), house.connect("works")
    stuck.answers = False
    for one in (away, stuck, works):
        one.subscribe("$share/g/t")
    away.leave()
    for n in range(9):
        works.publish("t", b"%d" % n, 1)
    # To the one who is stuck one is under way, and one waits.
    assert (stuck.payloads(), len(works.payloads())) == ([b"0"], 7)

    works.unsubscribe("$share/g/t")
    works.publish("t", b"at most once", 0)
    assert stuck.payloads() == [b"at most once"]


# --- Sessions -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("qos", [1, 2])
def test_messages_wait_for_a_session_that_lasts(version: int, qos: int) -> None:
    house = House()
    away = house.lasting("away", version)
    away.subscribe(Subscription("t", qos))
    away.leave()
    speaks = house.connect("speaks")
    for n in range(3):
        speaks.publish("t", b"%d" % n, qos)
    speaks.publish("t", b"at most once", 0)

    back = house.lasting("away", version)

    assert back.payloads() == [b"0", b"1", b"2"]
    speaks.publish("t", b"3", qos)
    assert back.payloads() == [b"3"]


@both
def test_what_was_not_acknowledged_comes_again(version: int) -> None:
    house = House()
    first = house.lasting("c", version)
    first.subscribe("t")
    first.answers = False
    first.publish("t", b"1", 1)
    first.publish("t", b"2", 2)
    assert first.payloads() == [b"1", b"2"]
    first.lose()

    back = house.open("c", version, clean_start=False)
    assert back.one(ConnAck).session_present
    assert [(one.payload, one.dup) for one in back.got()] == [(b"1", True), (b"2", True)]


@both
def test_a_clean_start_forgets_the_session(version: int) -> None:
    house = House()
    first = house.lasting("c", version)
    first.subscribe("t")
    first.leave()
    house.connect("speaks").publish("t", b"x", 1)

    fresh = house.open("c", version)
    assert not fresh.one(ConnAck).session_present
    fresh.publish("t", b"y", 1)
    assert fresh.got() == []


def test_a_session_ends_when_it_expires() -> None:
    house = House()
    for expiry_s, away_s, present in ((10, 9, True), (10, 10, False), (0, 0, False)):
        house.lasting("c", expiry_s=expiry_s, clean_start=True).leave()
        house.pass_time(away_s)
        back = house.open("c", clean_start=False)
        assert back.one(ConnAck).session_present is present


def test_a_session_is_found_expired_before_its_second_has_passed() -> None:
    house = House()
    house.lasting("c", expiry_s=2).leave()
    house.now += 2.0
    assert not house.open("c", clean_start=False).one(ConnAck).session_present


def test_disconnect_changes_how_long_the_session_lasts() -> None:
    house = House()
    house.lasting("c", expiry_s=2).leave(session_expiry_s=50)
    house.pass_time(10)
    back = house.open("c", clean_start=False, properties={"session_expiry_interval": 50})
    assert back.one(ConnAck).session_present
    back.leave(session_expiry_s=0)
    assert not house.open("c", clean_start=False).one(ConnAck).session_present


@both
def test_the_same_client_id_takes_the_session_over(version: int) -> None:
    house = House()
    first = house.lasting("c", version)
    first.subscribe("t")
    second = house.open("c", version, clean_start=False)

    assert second.one(ConnAck).session_present
    if version == V5:
        assert first.one(Disconnect).reason_code == ReasonCode.SESSION_TAKEN_OVER
    assert first.server.is_closed
    second.publish("t", b"x", 1)
    assert second.payloads() == [b"x"]


def test_nobody_takes_over_the_session_of_another_principal() -> None:
    house = House()
    mine = house.lasting("c", principal="me")
    mine.subscribe("t")
    theirs = house.open("c", principal="them", clean_start=False)
    assert not theirs.one(ConnAck).session_present
    assert mine.client.is_open
    mine.publish("t", b"x", 1)
    assert mine.payloads() == [b"x"]
    assert theirs.payloads() == []


def test_an_exchange_of_qos_2_goes_on_after_the_connection_broke() -> None:
    house = House()
    session = Session()
    first = house.lasting("c", session=session)
    first.subscribe("t")
    first.reads = False
    first.publish("t", b"once", 2)
    first.lose()

    back = house.lasting("c", session=session)

    assert back.payloads() == [b"once"]
    assert not back.server.session.received
    assert not session.inflight


def test_a_message_that_waited_expires_or_tells_what_is_left() -> None:
    house = House()
    away = house.lasting("away")
    away.subscribe("t")
    away.leave()
    speaks = house.connect("speaks")
    speaks.publish("t", b"brief", 1, properties={"message_expiry_interval": 3})
    speaks.publish("t", b"long", 1, properties={"message_expiry_interval": 100})
    house.pass_time(5)
    [message] = house.lasting("away").got()
    assert (message.payload, message.properties["message_expiry_interval"]) == (b"long", 95)


def test_an_offline_queue_holds_so_many_messages_and_bytes_and_no_more() -> None:
    for limits, count in (
        (Limits(queue_messages=4), 4),
        (Limits(queue_bytes=2_000), 1),
        (Limits(queue_bytes=5_000), 4),
    ):
        house = House(limits)
        away = house.lasting("away")
        away.subscribe("t")
        away.leave()
        speaks = house.connect("speaks")
        for n in range(6):
            speaks.publish("t", b"%d" % n * 1_000, 1)
        assert [one[:1] for one in house.lasting("away").payloads()] == [
            b"%d" % n for n in range(count)
        ]


def test_what_has_expired_makes_room_in_the_queue() -> None:
    house = House(Limits(queue_messages=2))
    away = house.lasting("away")
    away.subscribe("t")
    away.leave()
    speaks = house.connect("speaks")
    for _ in range(2):
        speaks.publish("t", b"old", 1, properties={"message_expiry_interval": 1})
    house.pass_time(3)
    speaks.publish("t", b"new", 1)
    assert house.lasting("away").payloads() == [b"new"]


def test_a_client_that_does_not_read_misses_qos_0_and_keeps_the_rest() -> None:
    house = House()
    peer, speaks = house.connect("c"), house.connect("speaks")
    peer.subscribe("t")
    peer.server.congested = True
    for n in range(3):
        speaks.publish("t", b"%d" % n, n)
    assert peer.payloads() == []
    peer.server.relieve(house.now)
    house.settle()
    assert peer.payloads() == [b"1", b"2"]


def test_the_owner_is_told_of_sessions_that_end_before_they_expire() -> None:
    house = House(bounds=Bounds(sessions=2))
    house.lasting("expires", expiry_s=2).leave()
    house.pass_time(3)
    assert house.discarded == []
    house.lasting("clean").leave()
    house.connect("clean").leave()
    assert house.discarded == ["clean", "clean"]
    house.lasting("old").leave()
    house.lasting("new").leave()
    house.lasting("newer").leave()
    assert house.discarded[2:] == ["old"]


def test_a_stored_session_is_taken_up_with_its_filters_and_its_clocks() -> None:
    house = House()
    stored = Member(None, "c")
    stored.subscriptions["t/+"] = Subscribed(1, identifier=7)
    stored.expires_at, stored.will_at = 50.0, 5.0
    stored.will = Will("w", b"late")
    house.broker.restore(stored, house.now)
    house.connect("speaks").publish("t/a", b"x", 2)
    house.pass_time(6)
    assert house.wills == [(5, b"late")]
    back = house.open("c", clean_start=False)
    assert back.one(ConnAck).session_present
    [message] = back.got()
    assert (message.qos, message.properties) == (1, {"subscription_identifier": [7]})

    forgotten = House()
    forgotten.broker.restore(stored, forgotten.now)
    forgotten.broker.forget(stored)
    assert (forgotten.discarded, forgotten.broker.of(None)) == ([], [])


def test_the_oldest_session_without_connection_gives_way() -> None:
    house = House(bounds=Bounds(sessions=2))
    for n in range(5):
        house.lasting(f"{n}").leave()
    assert [one.client_id for one in house.broker.of(None)] == ["3", "4"]
    house.lasting("other", principal=2)
    assert len(house.broker.of(None)) == 2


def test_the_clients_receive_maximum_is_kept_across_the_broker() -> None:
    house = House()
    peer = house.connect(properties={"receive_maximum": 2})
    peer.subscribe("t")
    peer.answers = False
    for n in range(5):
        peer.publish("t", b"%d" % n, 1 + n % 2)
    got = peer.got()
    assert [one.payload for one in got] == [b"0", b"1"]
    peer.answers = True
    for one in got:
        peer.client.acknowledge(one.packet_id)
    house.settle()
    assert peer.payloads() == [b"2", b"3", b"4"]


def test_a_message_longer_than_a_client_takes_goes_to_the_others_alone() -> None:
    house = House()
    small, large = house.connect("s", properties={"maximum_packet_size": 64}), house.connect("l")
    small.subscribe("t")
    large.subscribe("t")
    large.publish("t", b"x" * 100, 1)
    large.publish("t", b"y", 1)
    assert small.payloads() == [b"y"]
    assert len(large.got()) == 2


# --- Topic aliases --------------------------------------------------------------------------------


def test_topics_get_aliases_as_far_as_the_client_takes_them() -> None:
    house = House()
    peer = house.connect(properties={"topic_alias_maximum": 2})
    peer.client.limits = Limits(topic_alias_maximum=2)
    peer.subscribe("#")
    named = []
    for n in range(8):
        peer.wire.clear()
        peer.publish(f"topic/{n % 4}", b"%d" % n, n % 3)
        named.append(b"topic/" in peer.wire)
    assert [one.topic for one in peer.got()] == [f"topic/{n % 4}" for n in range(8)]
    assert named == [True] * 4 + [False, False, True, True]


def test_aliases_end_with_the_connection() -> None:
    house = House()
    more: Any = {"properties": {"topic_alias_maximum": 5}}
    first = house.lasting("c", **more)
    first.client.limits = Limits(topic_alias_maximum=5)
    first.subscribe("t")
    first.publish("t", b"1", 1)
    first.publish("t", b"2", 1)
    first.answers = False
    first.publish("t", b"3", 1)
    assert first.payloads() == [b"1", b"2", b"3"]
    first.lose()
    back = house.lasting("c", limits=Limits(topic_alias_maximum=5))
    assert [(one.topic, one.payload) for one in back.got()] == [("t", b"3")]


# --- Wills ----------------------------------------------------------------------------------------


@both
def test_the_will_of_a_lost_client_is_published_and_of_one_that_left_is_not(version: int) -> None:
    house = House()
    hears = house.connect("hears", version)
    hears.subscribe("wills/#")
    will = Will("wills/c", b"gone", 1, retain=True)
    house.connect("c", version, will=will).leave()
    assert hears.payloads() == []
    house.connect("c", version, will=will).lose()
    [message] = hears.got()
    assert (message.topic, message.payload, message.qos) == ("wills/c", b"gone", 1)
    later = house.connect("later", version)
    later.subscribe("wills/#")
    assert later.got()[0].retain


def test_a_client_may_leave_and_have_its_will_published() -> None:
    house = House()
    will = Will("w", b"gone")
    house.connect("c", will=will).leave(ReasonCode.DISCONNECT_WITH_WILL)
    assert house.wills == [(0.0, b"gone")]


def test_a_will_is_published_after_its_delay_or_when_its_session_ends() -> None:
    house = House(bounds=Bounds(sessions=10))

    def will(text: str, delay: int) -> Will:
        return Will("t", text.encode(), properties={"will_delay_interval": delay})

    plans = [("now", 0, 50), ("soon", 5, 50), ("expiry", 99, 10), ("gone", 99, 0)]
    for client_id, delay, expiry_s in plans:
        house.lasting(client_id, expiry_s=expiry_s, will=will(client_id, delay)).lose()
    house.pass_time(20)
    assert house.wills == [(0, b"now"), (0, b"gone"), (5, b"soon"), (10, b"expiry")]

    house.lasting("cleared", expiry_s=NEVER, will=will("cleared", 99)).lose()
    house.connect("cleared")
    assert house.wills[-1] == (20, b"cleared")


def test_a_delayed_will_is_spared_by_a_return_and_not_sent_on() -> None:
    house = House()
    hears = house.connect("hears")
    hears.subscribe("t")
    order = [("b", "1"), ("a", "2"), ("b", "3")]
    carried: Any = {"content_type": "a", "user_property": order}
    will = Will("t", b"gone", properties={"will_delay_interval": 5, **carried})
    house.lasting("c", will=will).lose()
    house.pass_time(3)
    house.lasting("c", will=will).lose()
    assert hears.got() == []
    house.pass_time(5)
    assert [one.properties for one in hears.got()] == [carried]


@both
def test_a_client_that_falls_silent_is_lost(version: int) -> None:
    house = House()
    peer = house.connect("c", version, keep_alive_s=4, will=Will("t", b"silent"))
    house.pass_time(5)
    assert peer.server.is_open
    house.pass_time(1)
    assert peer.server.is_closed
    assert house.wills == [(6, b"silent")]
    if version == V5:
        assert peer.one(Disconnect).reason_code == ReasonCode.KEEP_ALIVE_TIMEOUT


def test_a_fan_out_encodes_a_message_once_for_each_version_and_qos() -> None:
    house = House()
    peers = [house.connect(f"{n}", VERSIONS[n % 2]) for n in range(40)]
    for n, peer in enumerate(peers):
        peer.subscribe(Subscription("t", n % 3))
        peer.answers = False
    speaks = house.connect("speaks")
    for peer in peers:
        peer.reads = False
    speaks.publish("t", b"x" * 100, 2)
    shapes = {id(one) for peer in peers for one in peer.server.session.inflight.values()}
    assert len(shapes) == 2
    for peer in peers:
        peer.reads = True
    house.settle()
    assert all(len(publishes(peer.events)) == 1 for peer in peers)
