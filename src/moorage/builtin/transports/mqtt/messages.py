"""From a PUBLISH to the platform's messages."""

from __future__ import annotations

from typing import Any

from moorage.plugin import (
    Protocol,
    RawMessage,
    Uplink,
    message_key,
    read_port,
    split,
    uuid7_bytes,
)
from moorage_mqtt import Properties, Publish

_MQTT = int(Protocol.MQTT)
_SENML = ("application/senml+json",)


def to_messages(
    publish: Publish, uplink: Uplink, now_us: int, own: str | None = None
) -> list[RawMessage]:
    """Make the messages of a PUBLISH: one, or those of a JSON array.

    Args:
        publish: the packet.
        uplink: whose it is, and its channel.
        now_us: microseconds since 1970.
        own: the id of its sender, unless a property says it.
    """
    _, payload, qos, retain, _, packet_id, properties = publish
    device, channel = uplink.device, uplink.channel
    plain = not properties and not retain and qos < 2 and own is None
    if plain and payload[:1] != b"[" and b'"values"' not in payload:
        return [RawMessage(device, uuid7_bytes(), now_us, _MQTT, channel, payload, "", packet_id)]
    own = _own_id(properties) or own
    content_type = properties.get("content_type", "")
    meta = None if plain else _meta(publish)
    port = None if plain else _port(properties)
    messages = []
    for index, part in enumerate(split(payload, content_type)):
        own_id = part.own_id
        if own_id is None and own is not None:
            own_id = f"{own}:{index}"
        message_id = uuid7_bytes() if own_id is None else message_key(device, own_id)
        own_port = port if part.port is None else part.port
        messages.append(
            RawMessage(
                device,
                message_id,
                now_us,
                _MQTT,
                channel,
                part.payload,
                content_type,
                packet_id,
                part.device_us,
                meta if own_port is None else {**(meta or {}), "port": own_port},
                own_id is not None,
            )
        )
    return messages


def _own_id(properties: Properties) -> str | None:
    """Give the user property `id`, by which a sender names its message."""
    for name, value in properties.get("user_property", ()):
        if name == "id" and value:
            return value
    return None


def _port(properties: Properties) -> int | None:
    """Give the user property `port`, the fPort of a small radio network."""
    for name, value in properties.get("user_property", ()):
        if name == "port":
            return read_port(value)
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
