"""Brokers that pass messages on to each other: one stands for another as a session does."""

from __future__ import annotations

from collections.abc import Hashable

from house import House

from moorage_mqtt import Member, Outgoing, Publish, Subscribed, Subscription, outgoing


class Elsewhere(Member):
    """Another broker; notes what it is sent."""

    is_relay = True

    def __init__(self) -> None:
        super().__init__("elsewhere", "")
        self.sent: list[tuple[str, int, bool, Hashable]] = []
        self.groups: list[str] = []

    @property
    def is_ready(self) -> bool:
        return True

    def accepts(self, message: Outgoing, mark: Hashable) -> bool:
        self.sent.append((message.topic, message.qos, message.retain, mark))
        self.groups.append(message.shared)
        return False


class Choosy(Member):
    """Takes what is marked as wanted."""

    def accepts(self, message: Outgoing, mark: Hashable) -> bool:
        return mark == "wanted"


def told(house: House, *filters: str) -> Elsewhere:
    """Make another broker that wants what matches filters."""
    made = Elsewhere()
    for one in filters:
        house.broker.add_relay(made, one, Subscribed(2, False, True))
    return made


def test_another_broker_is_sent_a_message_once_as_it_was_published() -> None:
    house = House()
    elsewhere, speaks = told(house, "a/+", "a/#"), house.connect("speaks")
    assert speaks.member is not None
    speaks.publish("a/b", b"x", 2, retain=True)
    speaks.publish("b", b"x", 2)
    house.broker.publish(None, Publish("a/c", b"", 0), house.now, mark=7)
    assert elsewhere.sent == [("a/b", 2, True, None), ("a/c", 0, False, 7)]

    house.broker.unsubscribe(elsewhere, "a/+")
    house.broker.unsubscribe(elsewhere, "a/#")
    assert not house.broker.has_subscribers(None)


def test_what_another_broker_published_goes_to_sessions_only() -> None:
    house = House()
    elsewhere, hears = told(house, "t/#", "$share/g/t/#"), house.connect("hears")
    hears.subscribe(Subscription("t/+", 1), Subscription("t/#", 2), Subscription("$share/g/t/#", 1))
    house.broker.relay(None, Publish("t/1", b"x", 2), house.now, None)
    house.settle()
    [message] = hears.got()
    assert (message.topic, message.qos) == ("t/1", 2)
    assert elsewhere.sent == []


def test_a_group_takes_turns_over_brokers_and_each_message_goes_to_one_of_it() -> None:
    house = House()
    elsewhere, hears = told(house, "$share/g/t"), house.connect("hears")
    hears.subscribe("$share/g/t")
    speaks = house.connect("speaks")
    for n in range(6):
        speaks.publish("t", b"%d" % n, 1)
    assert (len(hears.got()), len(elsewhere.sent), elsewhere.groups) == (3, 3, ["$share/g/t"] * 3)

    for _ in range(3):
        assert house.broker.relay(None, Publish("t", b"y", 1), house.now, None, "$share/g/t")
    assert not house.broker.relay(None, Publish("t", b"y", 1), house.now, None, "$share/other/t")
    house.settle()
    assert (len(hears.got()), len(elsewhere.sent)) == (3, 3)


def test_what_is_for_a_group_of_which_nobody_is_here_goes_on_to_another_broker() -> None:
    house = House()
    elsewhere, hears = told(house, "$share/g/t"), house.connect("hears")
    hears.subscribe("$share/g/t")
    hears.leave()
    publish = Publish("t", b"y", 1)
    assert not house.broker.relay(None, publish, house.now, "mark", "$share/g/t")
    house.broker.hand_over(None, "$share/g/t", outgoing(publish, house.now), house.now, "handed")
    assert (elsewhere.sent, elsewhere.groups) == ([("t", 1, False, "handed")], ["$share/g/t"])

    house.broker.unsubscribe(elsewhere, "$share/g/t")
    house.broker.hand_over(None, "$share/g/t", outgoing(publish, house.now), house.now)
    assert len(elsewhere.sent) == 1


def test_a_session_is_sent_what_was_published_before_it_was_here_by_its_own_filters() -> None:
    house = House()
    hears, other = house.connect("hears"), house.connect("other")
    for one in (hears, other):
        one.subscribe(Subscription("t/+", 1), Subscription("t/1", 2), Subscription("$share/g/u", 2))
    assert hears.member is not None
    for topic in ("t/1", "t/1/2", "u"):
        house.broker.replay(hears.member, None, Publish(topic, b"x", 2), house.now, None)
    house.settle()
    assert [(one.topic, one.qos) for one in hears.got()] == [("t/1", 2)]
    assert other.got() == []


def test_a_session_is_not_sent_what_it_does_not_accept() -> None:
    house = House()
    speaks = house.connect("speaks")
    choosy = Choosy("choosy", "c")
    choosy.subscriptions["t"] = Subscribed(1)
    choosy.expires_at = 100.0
    house.broker.restore(choosy, house.now)
    speaks.publish("t", b"no", 1)
    house.broker.publish(None, Publish("t", b"yes", 1), house.now, mark="wanted")
    assert [one.payload for one in choosy.session.queue] == [b"yes"]


def test_the_owner_learns_which_filters_come_and_go() -> None:
    house = House()
    seen: list[tuple[str, int]] = []
    house.broker.counted = lambda _space, topic_filter, change: seen.append((topic_filter, change))
    elsewhere, hears = told(house, "t"), house.connect("hears")
    hears.subscribe("t")
    hears.subscribe("t", "u")
    hears.unsubscribe("t", "x")
    hears.lose()
    house.broker.unsubscribe(elsewhere, "t")
    assert seen == [("t", 1), ("u", 1), ("t", -1), ("u", -1)]
