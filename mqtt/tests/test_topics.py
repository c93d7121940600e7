import pytest
from hypothesis import given
from hypothesis import strategies as st
from packet_strategies import plain_filters, topics

from moorage_mqtt import ProtocolError, check_filter, check_name, matches, split_share


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("sport/tennis/#", "sport/tennis", True),
        ("sport/tennis/#", "sport/tennis/player1/ranking", True),
        ("sport/#", "sports", False),
        ("#", "a/b", True),
        ("#", "/", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$SYS/+", "$SYS/uptime", True),
        ("a/b", "a/b", True),
        ("a/b", "A/b", False),
        ("a/+/c", "a//c", True),
    ],
)
def test_filters_match_as_section_4_7_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@given(topics)
def test_a_topic_matches_itself_and_hash_unless_it_begins_with_dollar(topic: str) -> None:
    assert matches(topic, topic)
    assert matches("#", topic) is not topic.startswith("$")


@given(plain_filters, topics)
def test_matching_agrees_with_a_walk_level_by_level(topic_filter: str, topic: str) -> None:
    def walk(wanted: list[str], levels: list[str]) -> bool:
        if wanted == ["#"]:
            return True
        if not wanted or not levels:
            return not wanted and not levels
        return wanted[0] in ("+", levels[0]) and walk(wanted[1:], levels[1:])

    dollar = topic.startswith("$") and topic_filter[0:1] in ("+", "#")
    expected = not dollar and walk(topic_filter.split("/"), topic.split("/"))
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize(
    "topic_filter",
    ["", "a#", "a/#/b", "a+", "+a/b", "a\0", "$share//a", "$share/g", "$share/g/", "$share/+/a"],
)
def test_what_is_no_filter_is_refused(topic_filter: str) -> None:
    check_filter("$share/g/a/+/#")
    with pytest.raises(ProtocolError):
        check_filter(topic_filter)


def test_a_share_is_split_off() -> None:
    assert split_share("$share/workers/a/+/b") == ("workers", "a/+/b")
    assert split_share("a/b") == (None, "a/b")


@given(st.text(max_size=8))
def test_a_name_is_refused_exactly_if_empty_or_with_wildcard_or_null(name: str) -> None:
    bad = not name or any(one in name for one in "+#\0")
    if bad:
        with pytest.raises(ProtocolError):
            check_name(name)
    else:
        check_name(name)
