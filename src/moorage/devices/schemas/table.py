"""Devices as CSV (RFC 4180), out and in: what one writes the other reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

from pydantic import ValidationError

from moorage.kit.db import duration
from moorage.kit.exports import FORMULA
from moorage.kit.exports import table as csv_of
from moorage.kit.http import pointer

from ..errors import ImportUnreadable
from ..model import Changes, Device, ImportProblem, ImportRow
from .bodies import DeviceBody, DevicePatch, RowTarget

COLUMNS = (
    "id", "name", "applicationId", "kind", "manufacturer", "model", "serial", "identifiers",
    "gatewayId", "longitude", "latitude", "altitudeM", "place", "comment", "tags", "owner",
    "ownership", "state", "decoderId", "silentAfter", "thresholds", "metadata", "connectivity",
    "lastSeenAt",
)  # fmt: skip
# Told by the platform, so an import passes over them.
_TOLD = frozenset(
    {"connectivity", "lastSeenAt", "createdAt", "updatedAt", "organizationId", "photoAt"}
)
_PLACE = ("longitude", "latitude", "altitudeM")


def neutral(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run; `natural` takes it off again."""
    return f"'{cell}" if cell.startswith((*FORMULA, "'")) else cell


def natural(cell: str) -> str:
    """Undo `neutral`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*FORMULA, "'")) else cell


def _cells(device: Device) -> list[str]:
    place = device.location
    numbers = ["", "", ""]
    if place is not None:
        altitude = "" if place.altitude_m is None else repr(place.altitude_m)
        numbers = [repr(place.longitude), repr(place.latitude), altitude]
    limits = [
        {k: v for k, v in (("series", t.series), ("above", t.above), ("below", t.below),
                           ("hysteresis", t.hysteresis)) if v is not None}
        for t in device.thresholds
    ]  # fmt: skip
    seen = device.last_seen_at
    text = [
        str(device.id), device.name, str(device.application_id), device.kind, device.manufacturer,
        device.model, device.serial or "",
        ";".join(f"{i.network}/{i.kind}={i.value}" if i.network else f"{i.kind}={i.value}"
                 for i in device.identifiers),
        str(device.gateway_id or ""),
    ]  # fmt: skip
    more = [
        device.place, device.comment, ";".join(device.tags), device.owner, device.ownership or "",
        device.state, str(device.decoder_id or ""),
        "" if device.silent_after is None else duration(device.silent_after),
        json.dumps(limits) if limits else "",
        json.dumps(dict(device.metadata), ensure_ascii=False) if device.metadata else "",
        device.connectivity, "" if seen is None else seen.isoformat(),
    ]  # fmt: skip
    return [neutral(c) for c in text] + numbers + [neutral(c) for c in more]


async def write(batches: AsyncIterator[list[Device]]) -> AsyncIterator[bytes]:
    """Write devices as CSV in UTF-8, piece by piece; never a secret."""
    yield csv_of([COLUMNS])
    async for batch in batches:
        yield csv_of(_cells(device) for device in batch)


def read_csv(content: bytes, application_id: str | None) -> list[ImportRow]:
    """Read rows; empty cells of a row with an id change nothing. Raises ImportUnreadable."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise ImportUnreadable(reason="it is not UTF-8 text.") from wrong
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        known = {*COLUMNS, *_TOLD}
        unknown = [n for n in names if n not in known and not n.startswith("metadata.")]
        if unknown or ("name" not in names and "id" not in names):
            found = f"unknown columns {', '.join(unknown)}" if unknown else "no column name or id"
            raise ImportUnreadable(reason=f"{found}. Columns are {', '.join(COLUMNS)}.")
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(reader.line_num, names, cells, application_id))
    except csv.Error as wrong:
        raise ImportUnreadable(reason=f"line {reader.line_num}: {wrong}.") from wrong
    return rows


def _row(line: int, names: list[str], cells: list[str], application_id: str | None) -> ImportRow:
    if len(cells) != len(names):
        detail = f"has {len(cells)} cells; the header has {len(names)}."
        return ImportRow(line, problem=ImportProblem("devices.row_uneven", detail))
    given = {n: natural(c.strip()) for n, c in zip(names, cells, strict=True) if c.strip()}
    try:
        return make_row(line, dict(_fields(given)), application_id)
    except ValueError as wrong:
        return ImportRow(line, problem=ImportProblem("devices.cell_malformed", str(wrong)))


def _fields(given: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    metadata: dict[str, str] = {}
    for name, cell in given.items():
        if name in _TOLD or name in _PLACE:
            continue
        if name == "tags":
            yield name, [tag.strip() for tag in cell.split(";") if tag.strip()]
        elif name == "identifiers":
            yield name, [_identifier(part.strip()) for part in cell.split(";") if part.strip()]
        elif name == "thresholds":
            yield name, _json(name, cell)
        elif name == "metadata":
            metadata |= _json(name, cell)
        elif name.startswith("metadata."):
            metadata[name.removeprefix("metadata.")] = cell
        else:
            yield name, cell
    if metadata:
        yield "metadata", metadata
    if any(name in given for name in _PLACE):
        yield "location", {"type": "Point", "coordinates": _place(given)}


def _place(given: Mapping[str, str]) -> list[float]:
    if "longitude" not in given or "latitude" not in given:
        raise ValueError("longitude and latitude are given together.")
    try:
        return [float(given[name]) for name in _PLACE if name in given]
    except ValueError as wrong:
        raise ValueError(
            "longitude, latitude and altitudeM are numbers with a decimal point."
        ) from wrong


def _identifier(part: str) -> dict[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise ValueError("identifiers are written as devEui=0011223344556677;imei=…")
    network, _, kind = name.rpartition("/")
    return {"kind": kind, "value": value, "network": network}


def _json(name: str, cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError as wrong:
        raise ValueError(f"{name} is not JSON: {wrong}.") from wrong


def read_json(content: bytes, application_id: str | None) -> list[ImportRow]:
    """Read an array of devices as the API writes them. Raises ImportUnreadable."""
    try:
        items = json.loads(content)
    except ValueError as wrong:
        raise ImportUnreadable(reason=f"it is not JSON: {wrong}.") from wrong
    if isinstance(items, dict):
        items = items.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ImportUnreadable(reason="it is not an array of objects.")
    told = _TOLD | {"ownerId", "silentSince", "createdBy", "updatedBy"}
    return [
        make_row(line, {k: v for k, v in item.items() if k not in told}, application_id)
        for line, item in enumerate(items, 1)
    ]


def make_row(line: int, fields: dict[str, Any], application_id: str | None) -> ImportRow:
    """Check the fields of a row; one with an id changes that device."""
    device_id = fields.pop("id", None)
    try:
        if device_id is not None:
            moves_to = fields.pop("applicationId", None)
            changes = cast("Changes", DevicePatch.model_validate(fields).to_changes())
            target = RowTarget.model_validate({"id": device_id, "applicationId": moves_to})
            if target.application_id is not None:
                changes["application_id"] = target.application_id
            return ImportRow(line, target.id, changes=changes)
        if application_id is not None:
            fields.setdefault("applicationId", application_id)
        return ImportRow(line, new=DeviceBody.model_validate(fields).to_model())
    except ValidationError as wrong:
        first = wrong.errors()[0]
        column = pointer(first["loc"]).strip("/")
        return ImportRow(line, problem=ImportProblem("invalid", first["msg"], column))
