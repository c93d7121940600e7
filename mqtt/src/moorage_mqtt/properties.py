"""The properties of MQTT 5 (section 2.2.2): a typed dictionary and its codec."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict, cast

from . import wire
from .errors import ProtocolError, ReasonCode, breach, malformed
from .wire import Reader

# Packet types; WILL stands for the properties of a will inside CONNECT.
WILL = 0
CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)


class Properties(TypedDict, total=False):
    """What a packet of MQTT 5 may carry; always empty in MQTT 3.1.1. Intervals in seconds."""

    payload_format_indicator: int
    message_expiry_interval: int
    content_type: str
    response_topic: str
    correlation_data: bytes
    subscription_identifier: list[int]
    session_expiry_interval: int
    assigned_client_identifier: str
    server_keep_alive: int
    authentication_method: str
    authentication_data: bytes
    request_problem_information: int
    will_delay_interval: int
    request_response_information: int
    response_information: str
    server_reference: str
    reason_string: str
    receive_maximum: int
    topic_alias_maximum: int
    topic_alias: int
    maximum_qos: int
    retain_available: int
    user_property: list[tuple[str, str]]
    maximum_packet_size: int
    wildcard_subscription_available: int
    subscription_identifier_available: int
    shared_subscription_available: int


class _Kind(NamedTuple):
    read: Callable[[Reader], Any]
    write: Callable[[Any], bytes]


class _Property(NamedTuple):
    identifier: int
    name: str
    kind: _Kind
    packets: frozenset[int]
    low: int = 0
    high: int = 0  # 0: whatever the type holds.

    @property
    def many(self) -> bool:
        return self.name in ("user_property", "subscription_identifier")


def _read_pair(reader: Reader) -> tuple[str, str]:
    return reader.text(), reader.text()


def _write_pair(pair: tuple[str, str]) -> bytes:
    return wire.encode_text(pair[0]) + wire.encode_text(pair[1])


_BYTE = _Kind(Reader.u8, lambda value: wire.encode_integer(value, 1))
_TWO = _Kind(Reader.u16, lambda value: wire.encode_integer(value, 2))
_FOUR = _Kind(Reader.u32, lambda value: wire.encode_integer(value, 4))
_VARINT = _Kind(Reader.varint, wire.encode_varint)
_TEXT = _Kind(Reader.text, wire.encode_text)
_BINARY = _Kind(Reader.binary, wire.encode_binary)
_PAIR = _Kind(_read_pair, _write_pair)

_MESSAGE = frozenset({PUBLISH, WILL})
_ANSWERS = frozenset({CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH})


def _only(*packets: int) -> frozenset[int]:
    return frozenset(packets)


_ALL = (
    _Property(0x01, "payload_format_indicator", _BYTE, _MESSAGE, high=1),
    _Property(0x02, "message_expiry_interval", _FOUR, _MESSAGE),
    _Property(0x03, "content_type", _TEXT, _MESSAGE),
    _Property(0x08, "response_topic", _TEXT, _MESSAGE),
    _Property(0x09, "correlation_data", _BINARY, _MESSAGE),
    _Property(0x0B, "subscription_identifier", _VARINT, _only(PUBLISH, SUBSCRIBE), low=1),
    _Property(0x11, "session_expiry_interval", _FOUR, _only(CONNECT, CONNACK, DISCONNECT)),
    _Property(0x12, "assigned_client_identifier", _TEXT, _only(CONNACK)),
    _Property(0x13, "server_keep_alive", _TWO, _only(CONNACK)),
    _Property(0x15, "authentication_method", _TEXT, _only(CONNECT, CONNACK, AUTH)),
    _Property(0x16, "authentication_data", _BINARY, _only(CONNECT, CONNACK, AUTH)),
    _Property(0x17, "request_problem_information", _BYTE, _only(CONNECT), high=1),
    _Property(0x18, "will_delay_interval", _FOUR, _only(WILL)),
    _Property(0x19, "request_response_information", _BYTE, _only(CONNECT), high=1),
    _Property(0x1A, "response_information", _TEXT, _only(CONNACK)),
    _Property(0x1C, "server_reference", _TEXT, _only(CONNACK, DISCONNECT)),
    _Property(0x1F, "reason_string", _TEXT, _ANSWERS),
    _Property(0x21, "receive_maximum", _TWO, _only(CONNECT, CONNACK), low=1),
    _Property(0x22, "topic_alias_maximum", _TWO, _only(CONNECT, CONNACK)),
    _Property(0x23, "topic_alias", _TWO, _only(PUBLISH), low=1),
    _Property(0x24, "maximum_qos", _BYTE, _only(CONNACK), high=1),
    _Property(0x25, "retain_available", _BYTE, _only(CONNACK), high=1),
    _Property(0x26, "user_property", _PAIR, frozenset(range(16)) - {PINGREQ, PINGRESP}),
    _Property(0x27, "maximum_packet_size", _FOUR, _only(CONNECT, CONNACK), low=1),
    _Property(0x28, "wildcard_subscription_available", _BYTE, _only(CONNACK), high=1),
    _Property(0x29, "subscription_identifier_available", _BYTE, _only(CONNACK), high=1),
    _Property(0x2A, "shared_subscription_available", _BYTE, _only(CONNACK), high=1),
)
_BY_IDENTIFIER = {entry.identifier: entry for entry in _ALL}
_BY_NAME = {entry.name: entry for entry in _ALL}


def decode_properties(reader: Reader, packet: int) -> Properties:
    """Read length and properties of a packet type (or WILL).

    Raises:
        ProtocolError: unknown, misplaced, repeated, out of range or cut short.
    """
    size = reader.varint()
    if not size:
        return {}
    body = Reader(reader.take(size))
    found: dict[str, Any] = {}
    while body.at < body.end:
        entry = _BY_IDENTIFIER.get(body.varint())
        if entry is None or packet not in entry.packets:
            raise malformed("A property is unknown or not allowed in this packet.")
        value = entry.kind.read(body)
        _check(entry, value)
        if entry.many and not (packet == SUBSCRIBE and entry.name == "subscription_identifier"):
            found.setdefault(entry.name, []).append(value)
        elif entry.name in found:
            raise breach(f"The property {entry.name} appears twice.")
        else:
            found[entry.name] = [value] if entry.many else value
    _check_together(found)
    return cast("Properties", found)


def encode_properties(properties: Properties, packet: int) -> bytes:
    """Write length and properties; refuses what `decode_properties` would refuse."""
    if not properties:
        return b"\0"
    parts: list[bytes] = []
    for name, value in properties.items():
        entry = _BY_NAME.get(name)
        if entry is None or packet not in entry.packets:
            raise malformed(f"The property {name} is unknown or not allowed in this packet.")
        values = cast("list[Any]", value if entry.many else [value])
        if packet == SUBSCRIBE and name == "subscription_identifier" and len(values) > 1:
            raise breach("A SUBSCRIBE carries one subscription identifier.")
        for one in values:
            _check(entry, one)
            parts.append(entry.identifier.to_bytes(1, "big") + entry.kind.write(one))
    _check_together(cast("dict[str, Any]", properties))
    body = b"".join(parts)
    return wire.encode_varint(len(body)) + body


def _check(entry: _Property, value: Any) -> None:
    if entry.low and value < entry.low:
        if entry.name == "topic_alias":
            raise ProtocolError(
                ReasonCode.TOPIC_ALIAS_INVALID, "A topic alias of 0 is not allowed."
            )
        raise breach(f"The property {entry.name} must not be 0.")
    if entry.high and value > entry.high:
        raise breach(f"The property {entry.name} must be 0 or 1.")
    if entry.name == "response_topic" and (not value or "+" in value or "#" in value):
        raise breach("The response topic is empty or contains a wildcard.")


def _check_together(found: dict[str, Any]) -> None:
    if "authentication_data" in found and "authentication_method" not in found:
        raise breach("Authentication data without an authentication method.")
