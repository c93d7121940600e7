"""Find the messages in a body: one, or the several of a JSON array; their ids and times."""

from __future__ import annotations

from typing import Any

import msgspec

from moorage import decoders
from moorage.kit.formats import DEEPEST, is_too_deep, read_cbor

from ..errors import MessageMalformed

_SENML = frozenset(
    ("bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut")
)


class Item(msgspec.Struct, gc=False):
    """The parts of a JSON message that concern its envelope."""

    at: Any = None
    id: str | int | None = None
    port: Any = None
    values: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Part(msgspec.Struct, gc=False):
    """One message of a body: its bytes, the sender's id, time and port where it gave them."""

    payload: bytes
    own_id: str | None = None
    device_us: int | None = None
    port: int | None = None


_items = msgspec.json.Decoder(list[Item])
_item = msgspec.json.Decoder(Item)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_raw_json = msgspec.json.Decoder(msgspec.Raw)
_raw_messagepack = msgspec.msgpack.Decoder(msgspec.Raw)
# What reading may end with; msgspec's own errors are ValueErrors, and so is UnicodeDecodeError.
_UNREADABLE = (ValueError, RecursionError)
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])


def split(payload: bytes, content_type: str = "") -> list[Part]:
    """Find the messages in a payload; anything that is no JSON array of objects is one.

    `{"at", "id", "port", "values"}` gives the message its time, id and port. SenML stays whole, and
    so does whatever is said to be no JSON.
    """
    first = payload[:1]
    if content_type and not _is_json(content_type):
        return [Part(payload)]
    if first == b"{":
        if b'"values"' not in payload:
            return [Part(payload)]
        try:
            return [_part(payload, _item.decode(payload))]
        except _UNREADABLE:
            return [Part(payload)]
    if first != b"[":
        return [Part(payload)]
    try:
        bodies = [bytes(raw) for raw in _raws.decode(payload)]
        if not bodies or not all(body.startswith(b"{") for body in bodies):
            return [Part(payload)]
        if _SENML.issuperset(_keys.decode(bodies[0])):
            return [Part(payload)]
        if b'"values"' not in payload:
            return [Part(body) for body in bodies]
        items = _items.decode(payload)
    except _UNREADABLE:
        return [Part(payload)]
    return [_part(body, item) for body, item in zip(bodies, items, strict=True)]


def _part(payload: bytes, item: Item) -> Part:
    if item.values is msgspec.UNSET:
        return Part(payload)
    own_id = None if item.id is None else str(item.id)
    at_us = None if item.at is None else device_us(item.at)
    return Part(payload, own_id, at_us, item.port if is_port(item.port) else None)


def device_us(said: Any) -> int | None:
    """Read the time that a sender gave; one that is none is 1970, which nobody believes."""
    at = decoders.instant_of(said)
    return 0 if at is None else int(at.timestamp() * 1_000_000)


def is_port(value: Any) -> bool:
    """Tell whether a value is a port of a small radio network (the fPort of LoRaWAN)."""
    return type(value) is int and 0 <= value <= 255


def read_port(text: str) -> int | None:
    """Read a port that a sender gave as text; None if it is none."""
    return int(text) if text.isdecimal() and len(text) < 4 and int(text) <= 255 else None


def check(payload: bytes, content_type: str) -> None:
    """Refuse what is not what its content type says. Raises MessageMalformed.

    JSON, CBOR and MessagePack are looked at; of others it cannot be told.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if says_json(content_type):
            _raw_json.decode(payload)
            if not payload.isascii():
                payload.decode()
            if is_too_deep(payload):
                raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        elif media_type.endswith("cbor"):
            read_cbor(payload)
        elif media_type.endswith("msgpack"):
            _raw_messagepack.decode(payload)
    except _UNREADABLE as wrong:
        raise MessageMalformed(format=media_type, reason=str(wrong)) from wrong


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/senml+json":
        return False
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def says_json(content_type: str) -> bool:
    """Tell whether a content type promises JSON."""
    return content_type != "" and "json" in content_type.partition(";")[0].lower()
