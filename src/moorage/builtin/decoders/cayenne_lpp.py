"""Cayenne Low Power Payload, with the extended types in common use.

A payload is a row of channel, type, value. Names are `temperature_3`: the type's word and the
channel. Commands are written in the same form.

Source: myDevices, Cayenne LPP 1.0 and 2.0; the extended types as published by ElectronicCats'
CayenneLPP library (types are IPSO object ids less 3200).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from moorage.plugin import (
    DecodeContext,
    Decoded,
    DecodeFailed,
    DecodeFailure,
    EncodeContext,
    Encoded,
    FunctionRuntime,
    Readings,
    take_readings,
)

from .values import malformed


class _Type(NamedTuple):
    """One data type: each part is (name, bytes, units per one, signed)."""

    number: int
    name: str
    parts: tuple[tuple[str, int, int, bool], ...]
    unit: str | None = None


def _plain(
    number: int,
    name: str,
    size: int,
    scale: int = 1,
    unit: str | None = None,
    *,
    signed: bool = False,
) -> _Type:
    return _Type(number, name, (("", size, scale, signed),), unit)


def _axes(number: int, name: str, scale: int, unit: str) -> _Type:
    return _Type(number, name, tuple((axis, 2, scale, True) for axis in "xyz"), unit)


_TYPES: Final = (
    _plain(0, "digital_input", 1),
    _plain(1, "digital_output", 1),
    _plain(2, "analog_input", 2, 100, signed=True),
    _plain(3, "analog_output", 2, 100, signed=True),
    _plain(100, "generic", 4),
    _plain(101, "luminosity", 2, 1, "lx"),
    _plain(102, "presence", 1),
    _plain(103, "temperature", 2, 10, "Cel", signed=True),
    _plain(104, "relative_humidity", 1, 2, "%"),
    _axes(113, "accelerometer", 1000, "[g]"),
    _plain(115, "barometric_pressure", 2, 10, "hPa"),
    _plain(116, "voltage", 2, 100, "V"),
    _plain(117, "current", 2, 1000, "A"),
    _plain(118, "frequency", 4, 1, "Hz"),
    _plain(120, "percentage", 1, 1, "%"),
    _plain(121, "altitude", 2, 1, "m", signed=True),
    _plain(122, "load", 3, 1000, "kg", signed=True),
    _plain(125, "concentration", 2, 1, "[ppm]"),
    _plain(128, "power", 2, 1, "W"),
    _plain(130, "distance", 4, 1000, "m"),
    _plain(131, "energy", 4, 1000, "kWh"),
    _plain(132, "direction", 2, 1, "deg"),
    _plain(133, "unix_time", 4, 1, "s"),
    _axes(134, "gyrometer", 100, "deg/s"),
    _Type(135, "colour", tuple((part, 1, 1, False) for part in ("red", "green", "blue"))),
    _Type(
        136,
        "gps",
        (
            ("latitude", 3, 10_000, True),
            ("longitude", 3, 10_000, True),
            ("altitude", 3, 100, True),
        ),
    ),
    _plain(142, "switch", 1),
)
_BY_NUMBER: Final = {kind.number: kind for kind in _TYPES}
_BY_NAME: Final = {kind.name: kind for kind in _TYPES}


def _decode(message: DecodeContext) -> Decoded | DecodeFailure:
    payload = message.payload
    document: dict[str, Any] = {}
    units: dict[str, str] = {}
    at: datetime | None = None
    place = 0
    while place < len(payload):
        if len(payload) - place < 3 and not any(payload[place:]):
            break  # Padding: nothing is shorter than three bytes.
        if place + 2 > len(payload):
            return malformed(f"it ends after the channel at byte {place}")
        channel, number = payload[place], payload[place + 1]
        if (kind := _BY_NUMBER.get(number)) is None:
            return malformed(f"byte {place + 1} names the type {number}, which is unknown")
        place += 2
        name = f"{kind.name}_{channel}"
        parts: dict[str, float] = {}
        for part, size, scale, signed in kind.parts:
            if place + size > len(payload):
                return malformed(f"{name} needs more bytes than there are")
            value = int.from_bytes(payload[place : place + size], "big", signed=signed)
            parts[part] = value if scale == 1 else value / scale
            place += size
        document[name] = parts.get("", parts)
        if kind.unit:
            units |= {f"{name}.{part}" if part else name: kind.unit for part in parts}
        if kind.name == "unix_time" and at is None:
            at = datetime.fromtimestamp(parts[""], UTC)
    readings, dropped = take_readings(document)
    return Decoded(
        msgspec.json.encode(document),
        tuple(Readings(each.values, at, each.location, units or None) for each in readings),
        dropped=dropped,
    )


def _encode(message: EncodeContext) -> Encoded | DecodeFailure:
    if not isinstance(message.data, dict):
        return _unencodable('the command must be an object such as {"digital_output_1": 1}')
    payload = bytearray()
    for key, value in message.data.items():
        name, _, channel = str(key).rpartition("_")
        if (kind := _BY_NAME.get(name)) is None or not channel.isdecimal() or int(channel) > 255:
            return _unencodable(f"{key!r} is not a type of Cayenne LPP and a channel (0 to 255)")
        payload += bytes((int(channel), kind.number))
        for part, size, scale, signed in kind.parts:
            each = value.get(part) if part and isinstance(value, dict) else value
            if not isinstance(each, int | float):
                return _unencodable(f"{key!r} needs a number" + (f" for {part!r}" if part else ""))
            try:
                payload += round(each * scale).to_bytes(size, "big", signed=signed)
            except (OverflowError, ValueError):
                return _unencodable(f"{each!r} does not fit into {key!r}")
    return Encoded(bytes(payload), message.port)


def _unencodable(reason: str) -> DecodeFailure:
    return DecodeFailure(DecodeFailed.code, str(DecodeFailed(reason=reason)))


runtime = FunctionRuntime("cayenne-lpp", _decode, encode=_encode)
