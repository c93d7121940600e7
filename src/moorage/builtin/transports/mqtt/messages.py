"""From a PUBLISH to the platform's message."""

from __future__ import annotations

import hashlib
from typing import Any

from moorage.plugin import Protocol, RawMessage, Uplink, uuid7_bytes
from moorage_mqtt import Properties, Publish

_MQTT = int(Protocol.MQTT)


def to_message(publish: Publish, uplink: Uplink, now_us: int) -> RawMessage:
    """Make the message of a PUBLISH; `now_us` is microseconds since 1970."""
    _, payload, qos, retain, _, packet_id, properties = publish
    if not properties and not retain and qos < 2:
        return RawMessage(
            uplink.device, uuid7_bytes(), now_us, _MQTT, uplink.channel, payload, "", packet_id
        )
    own = _own_id(properties)
    return RawMessage(
        uplink.device,
        uuid7_bytes() if own is None else own,
        now_us,
        _MQTT,
        uplink.channel,
        payload,
        properties.get("content_type", ""),
        packet_id,
        None,
        _meta(publish),
        own is not None,
    )


def _own_id(properties: Properties) -> bytes | None:
    """Digest the user property `id`, by which a sender names its message."""
    for name, value in properties.get("user_property", ()):
        if name == "id" and value:
            return hashlib.blake2b(value.encode(), digest_size=16).digest()
    return None


def _meta(publish: Publish) -> dict[str, Any]:
    meta: dict[str, Any] = {"qos": publish.qos}
    if publish.retain:
        meta["retain"] = True
    properties = publish.properties
    if "user_property" in properties:
        meta["user_properties"] = properties["user_property"]
    if "response_topic" in properties:
        meta["response_topic"] = properties["response_topic"]
    if "correlation_data" in properties:
        meta["correlation_data"] = properties["correlation_data"]
    return meta
