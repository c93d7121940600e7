"""Take readings from a decoded document.

Nested keys are joined with dots, list items by their index. Numbers, booleans and texts of up to
256 bytes become readings; null is silence. A pair of latitude and longitude, or a GeoJSON Point,
becomes a location. An object with its own time, `{"time": …, "values": {…}}` or a list of such,
becomes readings of that instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import msgspec

from ..model import Decoded, DecodeFailure, Location, Readings, Value

MOST: Final = 5_000
"""Readings taken from one message; the rest is counted as dropped."""
LONGEST_TEXT: Final = 256
LONGEST_NAME: Final = 128
EXACT: Final = 9_007_199_254_740_992
"""2 ** 53: up to here a double holds every integer."""
_DEPTH: Final = 20
_TIMES: Final = ("at", "time", "timestamp", "ts")
_LATITUDES: Final = ("lat", "latitude")
_LONGITUDES: Final = ("lon", "lng", "long", "longitude")
_SPECIAL: Final = frozenset((*_TIMES, *_LATITUDES, "coordinates", "values"))
_EARLIEST_S: Final = 1_000_000_000  # 2001: smaller numbers are counters, not instants.
_LATEST_S: Final = 10_000_000_000


class _Taking:
    """What was gathered so far, over all instants of one message."""

    __slots__ = ("count", "dropped", "found")

    def __init__(self) -> None:
        self.count = 0
        self.dropped = 0
        self.found: list[Readings] = []


def take_readings(document: Any) -> tuple[tuple[Readings, ...], int]:
    """Answer the readings of `document`, one item per instant, and how many values were dropped.

    Values are dropped that are not finite, too long, hold a NUL, or come after the first 5,000.
    The dictionary of a flat document is used as it is, not copied: do not change it afterwards.
    """
    if type(document) is dict:
        if len(document) <= MOST and document.keys().isdisjoint(_SPECIAL):
            for key, value in document.items():
                kind = type(value)
                if kind is float:
                    if value - value == 0.0 and len(key) <= LONGEST_NAME and key.isprintable():
                        continue
                elif (
                    ((kind is int and -EXACT <= value <= EXACT) or kind is bool)
                    and len(key) <= LONGEST_NAME
                    and key.isprintable()
                ):
                    continue
                break
            else:
                return ((Readings(document),), 0) if document else ((), 0)
        taking = _Taking()
        _instant(taking, document, None)
        return tuple(taking.found), taking.dropped
    taking = _Taking()
    if type(document) is list:
        if document and all(type(item) is dict for item in document):
            for item in document:
                _instant(taking, item, None)
        else:
            _instant(taking, {"value": document}, None)
    elif document is not None:
        _instant(taking, {"value": document}, None)
    return tuple(taking.found), taking.dropped


def with_units(
    outcome: Decoded | DecodeFailure, units: Mapping[str, str]
) -> Decoded | DecodeFailure:
    """Give numbers without a unit the one that `units` has for their series."""
    if not units or isinstance(outcome, DecodeFailure):
        return outcome
    readings = tuple(
        msgspec.structs.replace(each, units=units_of(each.values, each.units, units))
        for each in outcome.readings
    )
    return msgspec.structs.replace(outcome, readings=readings)


def units_of(
    values: Mapping[str, Value], known: dict[str, str] | None, units: Mapping[str, str]
) -> dict[str, str] | None:
    """Add to `known` what `units` says of the numbers among `values`; None where there is none."""
    own = known or {}
    found = {
        name: units[name]
        for name, value in values.items()
        if name in units and name not in own and type(value) in {int, float}
    }
    return {**own, **found} or None


def instant_of(value: Any) -> datetime | None:
    """Read a time: ISO 8601 text (UTC without a zone), or s, ms or µs since 1970."""
    try:
        if type(value) is str:
            if len(value) < 10:
                return None
            instant = datetime.fromisoformat(value)
            return (
                instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
            )
        if type(value) in {int, float}:
            for scale in (1, 1_000, 1_000_000):
                if _EARLIEST_S * scale <= value < _LATEST_S * scale:
                    return datetime.fromtimestamp(value / scale, UTC)
        elif isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None


def _instant(taking: _Taking, document: dict[Any, Any], outer: datetime | None) -> None:
    """Take one object as the values of one instant; lists of timed objects become more instants."""
    at = outer
    left: dict[Any, Any] = document
    for name in _TIMES:
        if name in document and (own := instant_of(document[name])) is not None:
            at = own
            left = {key: value for key, value in document.items() if key != name}
            break
    if at is not outer and type(left.get("values")) is dict:
        inner = left["values"]
        left = {key: value for key, value in left.items() if key != "values"} | inner
    values: dict[str, Value] = {}
    location = _walk(taking, left, "", values, at, 0)
    if values or location is not None:
        taking.found.append(Readings(values, at, location))


def _walk(
    taking: _Taking,
    node: dict[Any, Any],
    prefix: str,
    values: dict[str, Value],
    at: datetime | None,
    depth: int,
) -> Location | None:
    """Add the values below `node`; answer the location found nearest to the root."""
    location, used = _location(node)
    for key, value in node.items():
        if key in used:
            continue
        name = f"{prefix}{key}"
        kind = type(value)
        if kind is dict:
            if depth >= _DEPTH:
                taking.dropped += 1
                continue
            below = _walk(taking, value, name + ".", values, at, depth + 1)
            location = location or below
        elif kind is list or kind is tuple:
            if depth >= _DEPTH:
                taking.dropped += 1
            elif _is_series(value):
                for item in value:
                    inner = item["values"] if type(item.get("values")) is dict else None
                    _instant(taking, _named(item, inner, name), at)
            else:
                below = _walk(taking, dict(enumerate(value)), name + ".", values, at, depth + 1)
                location = location or below
        else:
            _add(taking, values, name, value)
    return location


def _named(item: dict[Any, Any], inner: dict[Any, Any] | None, name: str) -> dict[Any, Any]:
    """Keep a nested series apart from others: its values carry the name of its list."""
    if inner is not None:
        return item
    times = {key: value for key, value in item.items() if key in _TIMES}
    rest = {key: value for key, value in item.items() if key not in _TIMES}
    return {**times, name: rest}


def _is_series(items: Any) -> bool:
    """Tell whether every item is an object with a time of its own."""
    return bool(items) and all(
        type(item) is dict and any(instant_of(item.get(name)) for name in _TIMES) for item in items
    )


def _add(taking: _Taking, values: dict[str, Value], name: str, value: Any) -> None:
    if value is None:
        return
    kind = type(value)
    good: Value | None = None
    if kind is bool:
        good = value
    elif kind is int or kind is float:
        good = number_of(value)
    elif kind is str:
        if len(value) <= LONGEST_TEXT and len(value.encode("utf-8", "replace")) <= LONGEST_TEXT:
            good = value
    elif isinstance(value, datetime):
        good = value.isoformat()
    if (
        good is None
        or not name
        or len(name) > LONGEST_NAME
        or not name.isprintable()
        or (kind is str and ("\0" in value or (not value.isascii() and _is_broken(value))))
        or taking.count >= MOST
    ):
        taking.dropped += 1
        return
    taking.count += 1
    values[name] = good


def number_of(value: float) -> float | None:
    """Take a number that is finite; integers that a double cannot tell apart as a double."""
    try:
        number = float(value)
    except OverflowError:
        return None
    if not isfinite(number):
        return None
    return value if abs(number) <= EXACT else number


def _is_broken(text: str) -> bool:
    """Tell whether the text holds half a surrogate pair, which UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _location(node: dict[Any, Any]) -> tuple[Location | None, tuple[str, ...]]:
    """Find a location among the node's own keys, and which keys it uses up.

    0, 0 is what receivers without a fix send: it uses its keys up and is no location.
    """
    if node.get("type") == "Point" and type(node.get("coordinates")) is list:
        place = node["coordinates"]
        if len(place) in {2, 3} and (found := _place(place[1], place[0], place[2:])):
            return (found if found.latitude or found.longitude else None), ("type", "coordinates")
        return None, ()
    for north in _LATITUDES:
        if north in node:
            for east in _LONGITUDES:
                if east in node:
                    height = next((k for k in ("alt", "altitude") if k in node), "")
                    found = _place(node[north], node[east], [node.get(height)])
                    if found is None:
                        return None, ()
                    used = (north, east, height) if found.altitude_m is not None else (north, east)
                    return (found if found.latitude or found.longitude else None), used
    return None, ()


def _place(latitude: Any, longitude: Any, height: list[Any]) -> Location | None:
    for number in (latitude, longitude):
        if type(number) not in {int, float}:
            return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    metres = height[0] if height and type(height[0]) in {int, float} else None
    if metres is not None and not -12_000 <= metres <= 100_000:
        metres = None
    return Location(latitude, longitude, metres)
