"""Encode each control packet; refuses what a strict decoder would refuse."""

from collections.abc import Callable
from typing import Any

from . import properties as p
from .errors import breach, malformed
from .packets import (
    BRIDGE,
    V5,
    V311,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)
from .properties import Properties, encode_properties
from .reasons import check_reason
from .topics import check_filter, check_name, split_share
from .wire import encode_binary, encode_integer, encode_text, encode_varint

Parts = tuple[bytes, bytes]

PINGREQ = b"\xc0\0"
PINGRESP = b"\xd0\0"


def encode(packet: Packet, version: int) -> bytes:
    """Encode a packet for version 4 or 5, fixed header included.

    Raises:
        ProtocolError: a field does not fit MQTT or this version.
    """
    return _ENCODERS[type(packet)](packet, version)


def encode_publish(packet: Publish, version: int) -> bytes:
    """Encode a PUBLISH."""
    topic, payload, qos, retain, dup, packet_id, properties = packet
    if not qos and (dup or packet_id):
        raise malformed("A PUBLISH of QoS 0 has neither DUP nor packet identifier.")
    head, tail = publish_parts(topic, payload, qos, retain, properties, version)
    if not qos:
        return head
    if dup:
        head = repeated(head)
    return head + _packet_id(packet_id) + tail


def publish_parts(
    topic: str, payload: bytes, qos: int, retain: bool, properties: Properties, version: int
) -> Parts:
    """Encode what stands before and after the packet identifier of a PUBLISH without DUP.

    At QoS 0, which has no packet identifier, the first part is everything.
    """
    if topic or "topic_alias" not in properties:
        check_name(topic)
    if not 0 <= qos < 3:
        raise malformed(f"There is no QoS {qos}.")
    first = 0x30 | qos << 1 | retain
    name = encode_text(topic)
    tail = _properties(properties, version, p.PUBLISH) + payload
    if not qos:
        return _frame(first, name + tail), b""
    size = len(name) + 2 + len(tail)
    return b"%c%b%b" % (first, encode_varint(size), name), tail


def repeated(head: bytes) -> bytes:
    """Set DUP in the first part of a PUBLISH."""
    return b"%c%b" % (head[0] | 8, head[1:])


def encode_answer(first: int, packet_id: int, code: int = 0, tail: bytes = b"") -> bytes:
    """Encode PUBACK, PUBREC, PUBREL or PUBCOMP in its shortest form.

    Args:
        first: first byte of the fixed header.
        packet_id: 1 to 65,535.
        code: reason code, 0 in version 3.1.1.
        tail: encoded properties, if any.
    """
    if not code and not tail:
        return b"%c\2%b" % (first, packet_id.to_bytes(2, "big"))
    return _frame(first, b"%b%c%b" % (packet_id.to_bytes(2, "big"), code, tail))


def _frame(first: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return b"%c%c%b" % (first, size, body)
    return b"%c%b%b" % (first, encode_varint(size), body)


def _packet_id(packet_id: int) -> bytes:
    if not 0 < packet_id < 0x10000:
        raise breach(f"{packet_id} is no packet identifier.")
    return packet_id.to_bytes(2, "big")


def _properties(properties: Properties, version: int, packet: int) -> bytes:
    if version == V5:
        return encode_properties(properties, packet)
    if properties:
        raise malformed("MQTT 3.1.1 has no properties.")
    return b""


def _connect(packet: Connect, version: int) -> bytes:
    if packet.version != version:
        raise malformed(f"CONNECT of version {packet.version} on a version {version} connection.")
    flags = packet.clean_start << 1
    tail = encode_text(packet.client_id)
    if will := packet.will:
        if not 0 <= will.qos < 3:
            raise malformed(f"There is no QoS {will.qos}.")
        check_name(will.topic)
        flags |= 4 | will.qos << 3 | will.retain << 5
        tail += _properties(will.properties, version, p.WILL)
        tail += encode_text(will.topic) + encode_binary(will.payload)
    if packet.username is not None:
        flags |= 0x80
        tail += encode_text(packet.username)
    if packet.password is not None:
        if packet.username is None and version != V5:
            raise malformed("MQTT 3.1.1 allows no password without a user name.")
        flags |= 0x40
        tail += encode_binary(packet.password)
    if packet.is_bridge and version != V311:
        raise malformed("Only bridges of MQTT 3.1.1 say so.")
    level = version | BRIDGE if packet.is_bridge else version
    head = b"\0\4MQTT%c%c%b" % (level, flags, encode_integer(packet.keep_alive, 2))
    return _frame(0x10, head + _properties(packet.properties, version, p.CONNECT) + tail)


def _connack(packet: ConnAck, version: int) -> bytes:
    check_reason(packet.reason_code, p.CONNACK, version)
    if packet.session_present and packet.reason_code:
        raise breach("A refusing CONNACK says that a session is present.")
    body = b"%c%c" % (packet.session_present, packet.reason_code)
    return _frame(0x20, body + _properties(packet.properties, version, p.CONNACK))


def _answer(first: int) -> Callable[[Any, int], bytes]:
    kind = first >> 4

    def encode_one(packet: PubAck | PubRec | PubRel | PubComp, version: int) -> bytes:
        _packet_id(packet.packet_id)
        if version != V5:
            if packet.reason_code or packet.properties:
                raise malformed("MQTT 3.1.1 acknowledges without reason code and properties.")
            return encode_answer(first, packet.packet_id)
        check_reason(packet.reason_code, kind)
        tail = encode_properties(packet.properties, kind) if packet.properties else b""
        return encode_answer(first, packet.packet_id, packet.reason_code, tail)

    return encode_one


def _options(wanted: Subscription, version: int) -> int:
    check_filter(wanted.topic_filter)
    if not 0 <= wanted.qos < 3 or not 0 <= wanted.retain_handling < 3:
        raise malformed("QoS and retain handling of a subscription are 0, 1 or 2.")
    if wanted.no_local and split_share(wanted.topic_filter)[0] is not None:
        raise breach("A shared subscription cannot be no-local.")
    more = wanted.no_local << 2 | wanted.retain_as_published << 3 | wanted.retain_handling << 4
    if more and version != V5:
        raise malformed("MQTT 3.1.1 has no subscription options.")
    return wanted.qos | more


def _subscribe(packet: Subscribe, version: int) -> bytes:
    if not packet.subscriptions:
        raise breach("A SUBSCRIBE has no topic filter.")
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version, p.SUBSCRIBE)
    for wanted in packet.subscriptions:
        options = _options(wanted, version)
        body += b"%b%c" % (encode_text(wanted.topic_filter), options)
    return _frame(0x82, body)


def _suback(packet: SubAck, version: int) -> bytes:
    if not packet.reason_codes:
        raise breach("A SUBACK has no reason code.")
    codes = bytes(check_reason(code, p.SUBACK, version) for code in packet.reason_codes)
    properties = _properties(packet.properties, version, p.SUBACK)
    return _frame(0x90, _packet_id(packet.packet_id) + properties + codes)


def _unsubscribe(packet: Unsubscribe, version: int) -> bytes:
    if not packet.topic_filters:
        raise breach("An UNSUBSCRIBE has no topic filter.")
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version, p.UNSUBSCRIBE)
    for topic_filter in packet.topic_filters:
        check_filter(topic_filter)
        body += encode_text(topic_filter)
    return _frame(0xA2, body)


def _unsuback(packet: UnsubAck, version: int) -> bytes:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version, p.UNSUBACK)
    if version == V5:
        if not packet.reason_codes:
            raise breach("An UNSUBACK has no reason code.")
        body += bytes(check_reason(code, p.UNSUBACK) for code in packet.reason_codes)
    elif packet.reason_codes:
        raise malformed("UNSUBACK of MQTT 3.1.1 has no reason codes.")
    return _frame(0xB0, body)


def _coded(first: int) -> Callable[[Any, int], bytes]:
    kind = first >> 4

    def encode_one(packet: Disconnect | Auth, version: int) -> bytes:
        if version != V5:
            if kind == p.AUTH or packet.reason_code or packet.properties:
                raise malformed("MQTT 3.1.1 has no AUTH, and DISCONNECT has no reason code.")
            return _frame(first, b"")
        check_reason(packet.reason_code, kind)
        if kind == p.AUTH and "authentication_method" not in packet.properties:
            raise breach("An AUTH has no authentication method.")
        if not packet.properties:
            return _frame(first, b"%c" % packet.reason_code if packet.reason_code else b"")
        tail = encode_properties(packet.properties, kind)
        return _frame(first, b"%c%b" % (packet.reason_code, tail))

    return encode_one


_ENCODERS: dict[type, Callable[[Any, int], bytes]] = {
    Connect: _connect,
    ConnAck: _connack,
    Publish: encode_publish,
    PubAck: _answer(0x40),
    PubRec: _answer(0x50),
    PubRel: _answer(0x62),
    PubComp: _answer(0x70),
    Subscribe: _subscribe,
    SubAck: _suback,
    Unsubscribe: _unsubscribe,
    UnsubAck: _unsuback,
    PingReq: lambda _packet, _version: PINGREQ,
    PingResp: lambda _packet, _version: PINGRESP,
    Disconnect: _coded(0xE0),
    Auth: _coded(0xF0),
}
