"""Bring values of binary formats into the shape of JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, Final
from uuid import UUID

import cbor2
import msgspec

from moorage.plugin import (
    DecodeContext,
    Decoded,
    DecodeFailure,
    PayloadMalformed,
    read_cbor,
    take_readings,
)

_DEPTH: Final = 64
_MOST: Final = 200_000


def malformed(reason: object) -> DecodeFailure:
    """Say why the payload cannot be read."""
    return DecodeFailure(PayloadMalformed.code, str(PayloadMalformed(reason=str(reason)[:300])))


def document_of(value: Any) -> Decoded | DecodeFailure:
    """Make a JSON document of `value` and take its readings.

    Bytes become base64url without padding (RFC 8949, 6.1), instants ISO 8601, numbers that are not
    finite null, and count as dropped.
    """
    try:
        shaper = _Shaper()
        shaped = shaper.shape(value, 0)
        document = msgspec.json.encode(shaped)
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError) as error:
        return malformed(error)
    readings, dropped = take_readings(shaped)
    return Decoded(document, readings, dropped=dropped + shaper.lost)


class _Shaper:
    """Counts what it passes, since references of CBOR may make a small payload endless."""

    def __init__(self) -> None:
        self.lost = 0
        self.seen = 0

    def shape(self, value: Any, depth: int) -> Any:
        self.seen += 1
        if depth > _DEPTH or self.seen > _MOST:
            raise ValueError("it is nested too deeply or holds too many values")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            # JSON has no end of digits; those who read it have.
            return value if abs(value) < 2**63 else float(value)
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        if isinstance(value, float | Decimal):
            if isfinite(value):
                return float(value)
            self.lost += 1
            return None
        if isinstance(value, Mapping):
            return {self.key(k): self.shape(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.shape(item, depth + 1) for item in value]
        if isinstance(value, bytes | bytearray | memoryview):
            return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, cbor2.CBORTag):
            return self.shape(value.value, depth + 1)
        if isinstance(value, msgspec.msgpack.Ext):
            return self.shape(value.data, depth + 1)
        if value is cbor2.undefined:
            return None
        return str(value)[:1000]

    def key(self, key: Any) -> str:
        if isinstance(key, str):
            return key.encode("utf-8", "replace").decode()
        if isinstance(key, bool | int | float | UUID):
            return str(key)
        return str(self.shape(key, _DEPTH))


def decode_json(message: DecodeContext) -> Decoded | DecodeFailure:
    """Take a JSON payload as its own document."""
    payload = message.payload
    try:
        value = _read_json(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return malformed(f"it is not JSON: {error}")
    readings, dropped = take_readings(value)
    return Decoded(payload, readings, dropped=dropped)


def decode_cbor(message: DecodeContext) -> Decoded | DecodeFailure:
    """Take a CBOR payload (RFC 8949)."""
    try:
        return document_of(read_cbor(message.payload))
    except ValueError as error:
        return malformed(error)


def decode_messagepack(message: DecodeContext) -> Decoded | DecodeFailure:
    """Take a MessagePack payload."""
    try:
        return document_of(_read_messagepack(message.payload))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return malformed(f"it is not MessagePack: {error}")


_read_json = msgspec.json.Decoder().decode
_read_messagepack = msgspec.msgpack.Decoder().decode
