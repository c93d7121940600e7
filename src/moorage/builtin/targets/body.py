"""What messages look like on their way out, for every kind that sends texts or bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from moorage.plugin import Content, Delivery, FieldInvalid, Into, Template, TemplateInvalid

ROOTS = (
    "application", "at", "channel", "device", "document", "key", "message", "payload", "readings",
    "receivedAt",
)  # fmt: skip
_encode = msgspec.json.Encoder().encode


def parsed(text: str, into: Into, pointer: str) -> Template:
    """Parse a template of the settings. Raises FieldInvalid."""
    try:
        return Template(text, into, ROOTS)
    except TemplateInvalid as wrong:
        raise FieldInvalid(pointer, str(wrong)) from wrong


def instant(us: int) -> str:
    """Write microseconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def scope_of(delivery: Delivery, roots: frozenset[str]) -> dict[str, Any]:
    """Give what templates name; a document is parsed only if one of them does."""
    content = delivery.content
    scope: dict[str, Any] = {
        "application": {"id": content.application_id},
        "at": instant(content.at_us),
        "channel": content.channel,
        "device": {"id": content.device_id, "name": content.device_name},
        "key": delivery.key,
        "message": {"id": content.message_id},
        "readings": {name: value for name, value, _unit in content.readings},
        "receivedAt": instant(content.received_us),
    }
    if "document" in roots and content.document is not None:
        scope["document"] = msgspec.json.decode(content.document)
    if "payload" in roots and content.payload is not None:
        scope["payload"] = {
            "hex": content.payload.hex(),
            "text": content.payload.decode("utf-8", "replace"),
        }
    return scope


def plain_body(content: Content) -> tuple[bytes, str]:
    """Give the body sent when no template is set, and its content type.

    Bytes as received go as they are; a document goes in an envelope that says whose it is.
    """
    if content.payload is not None:
        return content.payload, content.content_type or "application/octet-stream"
    return _encode(envelope_of(content)), "application/json"


def envelope_of(content: Content) -> Mapping[str, Any]:
    """Give the envelope of a document."""
    units = {name: unit for name, _value, unit in content.readings if unit}
    envelope: dict[str, Any] = {
        "id": content.message_id,
        "at": instant(content.at_us),
        "receivedAt": instant(content.received_us),
        "device": {"id": content.device_id, "name": content.device_name},
        "applicationId": content.application_id,
        "document": msgspec.Raw(content.document or b"null"),
        "readings": {name: value for name, value, _unit in content.readings},
    }
    if units:
        envelope["units"] = units
    if content.channel:
        envelope["channel"] = content.channel
    return envelope
