"""Unwrap what ChirpStack's HTTP integration posts: whose it is, and the device's own bytes.

Source: ChirpStack v4, "Event types" and "HTTP integration" (JSON encoding, `?event=` in the query).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import MessageMalformed
from .split import Part, check, device_us, is_port

UPLINK = "up"
_EVENT = re.compile(r"[a-z]{1,20}")
_DEV_EUI = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a ChirpStack server.

    Attributes:
        dev_eui: the device, 16 lower-case hexadecimal digits.
        channel: empty for uplinks; what the network tells of itself goes to `network/…`.
        part: the device's bytes, or the event's own JSON where it is no uplink.
        meta: the whole event under `event`, as `decode(payload, metadata)` gets it, and the port.
    """

    dev_eui: str
    channel: str
    part: Part
    meta: dict[str, Any]


def unwrap(body: bytes, event: str) -> Event:
    """Read an event.

    Args:
        body: JSON as ChirpStack encodes it.
        event: its kind, such as `up` or `join`.

    Raises:
        MessageMalformed: it is no such event.
    """
    check(body, "application/json")
    try:
        told = msgspec.json.decode(body)
        msgspec.msgpack.encode(told)  # As it is kept; not every JSON can be, such as huge numbers.
    except (ValueError, OverflowError, RecursionError) as wrong:
        raise MessageMalformed(format="JSON", reason=str(wrong)) from wrong
    about = told.get("deviceInfo") if isinstance(told, dict) else None
    dev_eui = about.get("devEui") if isinstance(about, dict) else None
    dev_eui = dev_eui.lower() if isinstance(dev_eui, str) else ""
    if not _DEV_EUI.fullmatch(dev_eui):
        raise _malformed("deviceInfo.devEui is not 16 hexadecimal digits")
    if not _EVENT.fullmatch(event):
        raise _malformed("the query does not name an event, such as ?event=up")
    at_us = None if told.get("time") is None else device_us(told["time"])
    own_id = told.get("deduplicationId")
    if not (isinstance(own_id, str) and 1 <= len(own_id) <= 128):
        own_id = None
    if event != UPLINK:
        # One uplink may be told of by several events: each is a message.
        own_id = own_id and f"{own_id}:{event}"
        return Event(dev_eui, f"network/{event}", Part(body, own_id, at_us), {})
    meta = {"event": told}
    if is_port(told.get("fPort")):
        meta["port"] = told["fPort"]
    return Event(dev_eui, "", Part(_bytes(told.get("data")), own_id, at_us), meta)


def _bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(data or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as wrong:
        raise _malformed(f"data is not base64 ({wrong})") from wrong


def _malformed(reason: str) -> MessageMalformed:
    return MessageMalformed(format="event of ChirpStack", reason=reason)
