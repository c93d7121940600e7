"""From a PUBLISH of a broker to the platform's messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from moorage import ingest, ledger
from moorage.kit.ids import uuid7_bytes
from moorage_mqtt import Publish

from .topics import Reader, Told

_MQTT = int(ledger.Protocol.MQTT)
_CACHED_TOPICS = 10_000
_UNREADABLE = (ValueError, RecursionError)


class Refused(Exception):
    """A message is not taken.

    Attributes:
        reason: as doors list it: `topic`, `oversize`, `malformed`, `credentials`, `rate`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a PUBLISH, before it is known whose it is.

    Attributes:
        name: what the broker calls the device; Refused says why it cannot be told.
    """

    name: str | Refused
    channel: str
    port: int | None
    part: ingest.Part


class Reading:
    """Reads what comes by a source's subscriptions.

    Args:
        source_id: the source, for the messages' transport data.
        readers: its subscriptions.
        largest: of a message, in bytes.
    """

    def __init__(self, source_id: UUID, readers: Sequence[Reader], largest: int) -> None:
        self._source = str(source_id)
        self._readers = readers
        self._largest = largest
        self._topics: dict[str, tuple[Reader, Told]] = {}

    def items(self, publish: Publish) -> list[Item]:
        """Find the messages of a PUBLISH, and of which device each is. Raises Refused."""
        size = len(publish.payload)
        if size > self._largest:
            text = f"The message has {size} bytes; at most {self._largest} are taken."
            raise Refused("oversize", text)
        reader, told = self._read(publish.topic)
        port = ingest.read_port(told.port) if told.port else _port(publish)
        pointer = reader.asked.pointer
        name = told.device or reader.asked.device or ""
        parts = ingest.split(publish.payload, publish.properties.get("content_type", ""))
        return [
            Item(
                name if pointer is None else _pointed(part.payload, pointer),
                told.channel,
                port if part.port is None else part.port,
                part,
            )
            for part in parts
        ]

    def _read(self, topic: str) -> tuple[Reader, Told]:
        known = self._topics.get(topic)
        if known is None:
            for reader in self._readers:
                if (told := reader.template.read(topic)) is not None:
                    known = reader, told
                    break
            else:
                raise Refused("topic", "No subscription of the source is for this topic.")
            if len(self._topics) >= _CACHED_TOPICS:
                self._topics.clear()
            self._topics[topic] = known
        return known

    def message(
        self, publish: Publish, index: int, item: Item, device: int, packet: int, now_us: int
    ) -> ledger.RawMessage:
        """Make the message of an item.

        Args:
            publish: what it came with.
            index: which of the PUBLISH's messages it is.
            item: the message.
            device: whose it is.
            packet: the packet identifier, such that no other session has the same.
            now_us: microseconds since 1970.
        """
        part, properties = item.part, publish.properties
        meta: dict[str, Any] = {"source": self._source, "topic": publish.topic}
        if "user_property" in properties:
            meta["user_properties"] = properties["user_property"]
        if item.port is not None:
            meta["port"] = item.port
        own_id = part.own_id
        if own_id is None and (named := _property(publish, "id")):
            own_id = f"{named}:{index}"
        return ledger.RawMessage(
            device,
            uuid7_bytes() if own_id is None else ledger.message_key(device, own_id),
            now_us,
            _MQTT,
            item.channel,
            part.payload,
            properties.get("content_type", ""),
            packet,
            part.device_us,
            meta,
            own_id is not None,
        )


def _property(publish: Publish, name: str) -> str:
    for key, value in publish.properties.get("user_property", ()):
        if key == name:
            return value
    return ""


def _port(publish: Publish) -> int | None:
    text = _property(publish, "port")
    return ingest.read_port(text) if text else None


def _pointed(payload: bytes, pointer: str) -> str | Refused:
    """Read which device a JSON payload names (RFC 6901)."""
    try:
        value = msgspec.json.decode(payload)
    except _UNREADABLE as wrong:
        return Refused("malformed", f"The payload is not JSON, so it names no device: {wrong}.")
    for token in _tokens(pointer):
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdecimal() and int(token[:9]) < len(value):
            value = value[int(token[:9])]
        else:
            value = None
    if isinstance(value, str) or type(value) is int:
        return str(value)
    return Refused("malformed", f"The payload has neither text nor number at {pointer}.")


def _tokens(pointer: str) -> Iterator[str]:
    for token in pointer.split("/")[1:]:
        yield token.replace("~1", "/").replace("~0", "~")
