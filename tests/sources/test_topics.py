"""Topic templates: what they fit, what they say, and which would bring a message twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.kit.errors import FieldInvalid
from moorage.sources.model import Address, Subscription
from moorage.sources.service.topics import Template, Told, overlap, readers
from moorage_mqtt import matches


@pytest.mark.parametrize(
    ("template", "topic", "told"),
    [
        ("plant/{device}/+/up", "plant/a b/x/up", Told("a b")),
        ("plant/{device}/+/up", "plant/a/x/y/up", None),
        ("{device}/{channel}/{port}", "a/b/7", Told("a", "b", "7")),
        ("tele/meter_{device}/SENSOR", "tele/meter_12/SENSOR", Told("12")),
        ("tele/meter_{device}/SENSOR", "tele/12/SENSOR", None),
        ("{device}-{port}/up", "a-b-7/up", Told("a-b", "", "7")),
        ("{device}/#", "a", Told("a")),
        ("{device}/#", "a/b/c", Told("a")),
        ("a.c/{device}", "abc/x", None),
        ("{device}", "", None),
        ("{device}/up", "/up", None),
    ],
)
def test_a_template_reads_what_it_fits(template: str, topic: str, told: Told | None) -> None:
    assert Template(template).read(topic) == told


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{name}/up", "no place {name}"),
        ("{device}/{device}", "twice"),
        ("$share/a/{device}", "must not be shared"),
        ("a#/{device}", "no topic filter"),
        ("{device}/#/b", "no topic filter"),
        ("", "no topic filter"),
        ("a\0b", "no topic filter"),
    ],
)
def test_what_is_no_template_is_told_why(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Template(template)


levels = st.sampled_from(["a", "b", "+"])
filters = st.builds(
    lambda parts, tail: "/".join([*parts, *tail]),
    st.lists(levels, min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
)
names = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(filters, filters, names)
def test_what_both_filters_match_shows_that_they_overlap(one: str, other: str, name: str) -> None:
    if matches(one, name) and matches(other, name):
        assert overlap(one, other)
    assert overlap(one, other) == overlap(other, one)


@given(filters, names)
def test_a_template_without_places_fits_what_its_filter_matches(wanted: str, name: str) -> None:
    assert (Template(wanted).read(name) is not None) == matches(wanted, name)


@pytest.mark.parametrize(
    ("subscriptions", "pointer"),
    [
        ([Subscription("a/+")], "/subscriptions/0/topic"),
        ([Subscription("a/{device}", device="b")], "/subscriptions/0/topic"),
        ([Subscription("a", device="b", pointer="/c")], "/subscriptions/0/topic"),
        ([Subscription("a", pointer="c")], "/subscriptions/0/devicePointer"),
        ([Subscription("a/{device}"), Subscription("+/b", device="c")], "/subscriptions/1/topic"),
        ([Subscription("a/{device}"), Subscription("a/#", device="c")], "/subscriptions/1/topic"),
    ],
)
def test_subscriptions_say_once_whose_messages_are(
    subscriptions: list[Subscription], pointer: str
) -> None:
    with pytest.raises(FieldInvalid) as refused:
        readers(subscriptions)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://h", Address("h", 1883, False, False, "/mqtt")),
        ("mqtts://h:99/", Address("h", 99, True, False, "/")),
        ("ws://h", Address("h", 80, False, True, "/mqtt")),
        ("wss://[::1]:8443/broker", Address("::1", 8443, True, True, "/broker")),
    ],
)
def test_a_url_says_where_a_broker_is(url: str, address: Address) -> None:
    assert Address.of(url) == address


@pytest.mark.parametrize(
    "url",
    ["http://h", "mqtt://", "mqtt://u:p@h", "mqtt://h/topic", "mqtt://h?x=1", "mqtt://h:0",
     "mqtt://h:99999", "mqtt://a b", "ws://h/\u00f8", "h:1883"],
)  # fmt: skip
def test_what_is_no_url_of_a_broker_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|has a path|ort"):
        Address.of(url)
