"""Readings are taken from documents by one set of rules."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.decoders import Location, Readings, take_readings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("document", "values"),
    [
        ({"t": 21.5, "n": 3, "on": True}, {"t": 21.5, "n": 3, "on": True}),
        ({"a": {"b": {"c": 1}}, "d": 2}, {"a.b.c": 1, "d": 2}),
        ({"list": [1, 2], "objects": [{"x": 1}, {"x": 2}]},
         {"list.0": 1, "list.1": 2, "objects.0.x": 1, "objects.1.x": 2}),
        ({"text": "ok", "nothing": None}, {"text": "ok"}),
        (21.5, {"value": 21.5}),
        ("open", {"value": "open"}),
        ([1, 2], {"value.0": 1, "value.1": 2}),
        ({"time": "yesterday", "t": 1}, {"time": "yesterday", "t": 1}),
        ({"time": 17, "t": 1}, {"time": 17, "t": 1}),
        ({"lat": "north", "lon": 3}, {"lat": "north", "lon": 3}),
        ({"values": {"t": 1}}, {"values.t": 1}),
    ],
)  # fmt: skip
def test_values_are_named_by_their_path(document: Any, values: dict[str, Any]) -> None:
    assert take_readings(document) == ((Readings(values),), 0)


@pytest.mark.parametrize("document", [None, {}, [], {"a": None}, {"a": {}}])
def test_a_document_without_values_has_no_readings(document: Any) -> None:
    assert take_readings(document) == ((), 0)


@pytest.mark.parametrize(
    "bad",
    [float("nan"), float("inf"), 10**400, "x" * 257, "æ" * 129, "a\0b", "\ud800"],
)
def test_what_cannot_be_a_value_is_dropped_and_counted(bad: Any) -> None:
    assert take_readings({"bad": bad, "good": 1}) == ((Readings({"good": 1}),), 1)


def test_names_that_cannot_be_shown_are_dropped() -> None:
    assert take_readings({"a\nb": 1, "": 2, "n" * 129: 3, "c": 4}) == ((Readings({"c": 4}),), 3)


def test_at_most_five_thousand_readings_are_taken() -> None:
    (readings,), dropped = take_readings({f"s{n}": n for n in range(6000)})

    assert len(readings.values) == 5000
    assert dropped == 1000


@pytest.mark.parametrize(
    "time",
    ["2026-11-22T12:00:00Z", "2026-11-22T13:00:00+01:00", "2026-11-22 12:00:00",
     NOON.timestamp(), int(NOON.timestamp() * 1000), int(NOON.timestamp() * 1_000_000)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["at", "time", "timestamp", "ts"])
def test_an_objects_own_time_is_its_readings_time(name: str, time: Any) -> None:
    assert take_readings({name: time, "t": 1}) == ((Readings({"t": 1}, NOON),), 0)
    assert take_readings({name: time, "values": {"t": 1}}) == ((Readings({"t": 1}, NOON),), 0)


def test_a_list_of_timed_objects_becomes_one_item_an_instant() -> None:
    later = datetime(2026, 11, 22, 13, tzinfo=UTC)
    document = [
        {"ts": NOON.timestamp(), "values": {"t": 1}},
        {"ts": later.timestamp(), "values": {"t": 2, "u": {"v": 3}}},
    ]

    found = (Readings({"t": 1}, NOON), Readings({"t": 2, "u.v": 3}, later))
    assert take_readings(document) == (found, 0)


def test_a_nested_series_keeps_the_name_of_its_list() -> None:
    document = {"battery": 90, "history": [{"timestamp": NOON.timestamp(), "t": 20.5}]}

    readings, _ = take_readings(document)

    assert readings == (Readings({"history.t": 20.5}, NOON), Readings({"battery": 90}))


@pytest.mark.parametrize(
    "place",
    [
        {"lat": 56.2, "lon": 10.2},
        {"latitude": 56.2, "longitude": 10.2},
        {"gps": {"lat": 56.2, "lng": 10.2}},
        {"location": {"type": "Point", "coordinates": [10.2, 56.2]}},
    ],
)
def test_a_position_becomes_a_location(place: Any) -> None:
    assert take_readings({**place, "t": 1}) == (
        (Readings({"t": 1}, None, Location(56.2, 10.2)),),
        0,
    )


def test_a_position_keeps_its_height() -> None:
    (readings,), _ = take_readings({"lat": 56.2, "lon": 10.2, "alt": 12.5})

    assert readings == Readings({}, None, Location(56.2, 10.2, 12.5))


def test_a_receiver_without_a_fix_gives_no_location() -> None:
    assert take_readings({"lat": 0, "lon": 0, "t": 1}) == ((Readings({"t": 1}),), 0)


def test_degrees_out_of_range_stay_ordinary_values() -> None:
    assert take_readings({"lat": 91, "lon": 0}) == ((Readings({"lat": 91, "lon": 0}),), 0)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text() | st.sampled_from(
            ["time", "ts", "lat", "lon", "values", "type", "coordinates", "altitude"]), inner),
    max_leaves=30,
)  # fmt: skip


@given(ANYTHING)
def test_every_document_gives_readings_that_can_be_stored(document: Any) -> None:
    readings, dropped = take_readings(document)

    assert dropped >= 0
    for each in readings:
        msgspec.json.encode(each.values).decode()
        for name, value in each.values.items():
            assert name.isprintable()
            assert type(value) in {bool, int, float, str}
            assert not (isinstance(value, str) and "\0" in value)
            assert isinstance(value, str) or float(value) - float(value) == 0
