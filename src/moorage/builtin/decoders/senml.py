"""SenML (RFC 8428) in JSON and CBOR.

The document is the pack as it came (from CBOR with the JSON labels). A reading is named by its
record's `n` while one base name holds for the whole pack, else by the full name; sums get `.sum`.
Records in the units `lat` and `lon` become the location.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from moorage.plugin import (
    DecodeContext,
    Decoded,
    DecodeFailure,
    FunctionRuntime,
    Location,
    Readings,
    Value,
    number_of,
    read_cbor,
)

from .values import document_of, malformed

# RFC 8428, table 4.
_LABELS: Final[dict[Any, str]] = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_UCUM: Final = {
    "%RH": "%", "%EL": "%", "EL": "s", "/": "1", "count": "1", "beats": "1",
    "beats/min": "/min", "degC": "Cel",
}  # fmt: skip
_ABSOLUTE_S: Final = 2**28
_VERSION: Final = 10
_LONGEST: Final = 256


class _Instant:
    """What was measured at one time."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.units: dict[str, str] = {}
        self.place: dict[str, float] = {}

    def readings(self, at: datetime | None) -> Readings:
        north, east = self.place.get("lat"), self.place.get("lon")
        location = None
        if north is not None and east is not None and abs(north) <= 90 and abs(east) <= 180:
            location = Location(north, east)
        return Readings(self.values, at, location, self.units or None)


def _decode(message: DecodeContext, read: Callable[[bytes], Any]) -> Decoded | DecodeFailure:
    try:
        pack = read(message.payload)
        if not isinstance(pack, list) or not all(isinstance(r, dict) for r in pack):
            raise ValueError("a pack is an array of records")
        document = document_of(pack)
        if isinstance(document, DecodeFailure):
            return document
        found, dropped = _resolve(pack, message.received_at)
    except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        return malformed(f"it is not SenML: {error}")
    readings = tuple(instant.readings(at) for at, instant in found.items())
    return msgspec.structs.replace(document, readings=readings, dropped=dropped)


def _resolve(
    pack: list[dict[str, Any]], received_at: datetime
) -> tuple[dict[datetime | None, _Instant], int]:
    """Apply the base fields (RFC 8428, 4.1 to 4.6) and gather the values by time."""
    one_base = len({record["bn"] for record in pack if "bn" in record}) <= 1
    base: dict[str, Any] = {"bn": "", "bt": 0, "bu": None, "bv": 0, "bs": None}
    found: dict[datetime | None, _Instant] = {}
    dropped = count = 0
    for record in pack:
        for label in record:
            if label.endswith("_"):
                raise ValueError(f"the field {label!r} must be understood and is not")
        if record.get("bver", _VERSION) > _VERSION:
            raise ValueError(f"version {record['bver']} is newer than {_VERSION}")
        base.update({label: record[label] for label in base if label in record})
        name = record.get("n", "")
        full = f"{base['bn']}{name}"
        if not full:
            raise ValueError("a record has no name")
        series = str(name) if name and one_base else full
        unit = record.get("u", base["bu"])
        at = _time(base["bt"] + record.get("t", 0), received_at)
        value = _value(record, base)
        total = record.get("s")
        if total is not None or base["bs"] is not None:
            total = (total or 0) + (base["bs"] or 0)
        for key, given in ((series, value), (series + ".sum", total)):
            if given is None:
                continue
            count += 1
            each: Any = number_of(given) if type(given) in {int, float} else given
            if count > 5000 or not key.isprintable() or len(key) > 128 or not _fits(each):
                dropped += 1
                continue
            instant = found.setdefault(at, _Instant())
            if unit in {"lat", "lon"} and type(each) in {int, float}:
                instant.place[unit] = each
                continue
            instant.values[key] = each
            if unit and key is series:
                instant.units[key] = _UCUM.get(unit, str(unit))
    return found, dropped


def _value(record: dict[str, Any], base: dict[str, Any]) -> Any:
    if "v" in record:
        return record["v"] + base["bv"]
    for label in ("vb", "vs"):
        if label in record:
            return record[label]
    data = record.get("vd")
    if isinstance(data, bytes):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return data


def _fits(value: Any) -> bool:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace")) <= _LONGEST and "\0" not in value
    return value is not None


def _time(seconds: float, received_at: datetime) -> datetime | None:
    """Resolve a time: small numbers are relative to the receipt (RFC 8428, 4.5.3)."""
    if seconds == 0:
        return None
    if seconds >= _ABSOLUTE_S:
        return datetime.fromtimestamp(seconds, UTC)
    return received_at + timedelta(seconds=seconds)


def _read_json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        raise ValueError(error) from error


def _read_cbor(payload: bytes) -> Any:
    pack = read_cbor(payload)
    if not isinstance(pack, list):
        return pack
    return [
        {_LABELS.get(key, str(key)): value for key, value in record.items()}
        if isinstance(record, dict)
        else record
        for record in pack
    ]


json = FunctionRuntime(
    "senml",
    lambda message: _decode(message, _read_json),
    content_types=("application/senml+json", "application/sensml+json"),
)
cbor = FunctionRuntime(
    "senml-cbor",
    lambda message: _decode(message, _read_cbor),
    content_types=("application/senml+cbor", "application/sensml+cbor"),
)
