"""Decode the body of each control packet, strictly."""

from collections.abc import Callable

from . import properties as p
from .errors import UnknownVersion, breach, malformed
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
    Will,
)
from .properties import Properties, decode_properties
from .reasons import check_reason
from .topics import check_filter, check_name, split_share
from .wire import Reader, decode_text

_CACHED_BYTES = 128
_CACHED_TOPICS = 4096

# Topic names found valid, by their bytes: fleets publish to few distinct names, so checking UTF-8
# and wildcards once is enough. Shared by all connections; bounded by count and by length.
known_topics: dict[bytes, str] = {}


def decode(frame: bytes, version: int) -> Packet:
    """Decode one whole packet with its fixed header.

    Raises:
        ProtocolError: the bytes are not exactly one valid packet.
    """
    reader = Reader(frame)
    first = reader.u8()
    size = reader.varint()
    body = reader.take(size)
    reader.done()
    return decode_body(first, body, version)


def decode_body(first: int, body: bytes, version: int) -> Packet:
    """Decode a packet from the first byte of its fixed header and its body.

    Args:
        first: packet type and flags.
        body: all that follows the remaining length.
        version: 4 or 5; CONNECT carries its own.

    Raises:
        ProtocolError: with the reason code to answer.
    """
    kind = first >> 4
    if kind == p.PUBLISH:
        return _publish(first, Reader(body), version)
    if first & 0x0F != (2 if kind in (p.PUBREL, p.SUBSCRIBE, p.UNSUBSCRIBE) else 0):
        raise malformed("The reserved flags of the fixed header are wrong.")
    decoder = _DECODERS.get(kind)
    if decoder is None or (kind == p.AUTH and version != V5):
        raise malformed(f"There is no packet type {kind}.")
    reader = Reader(body)
    packet = decoder(reader, version)
    reader.done()
    return packet


def topic_name(raw: bytes) -> str:
    """Decode and check a topic name, remembering the short ones."""
    topic = decode_text(raw)
    check_name(topic)
    if len(raw) <= _CACHED_BYTES:
        if len(known_topics) >= _CACHED_TOPICS:
            known_topics.clear()
        known_topics[raw] = topic
    return topic


def _properties(reader: Reader, version: int, packet: int) -> Properties:
    return decode_properties(reader, packet) if version == V5 else {}


def _packet_id(reader: Reader) -> int:
    packet_id = reader.u16()
    if not packet_id:
        raise breach("The packet identifier is 0.")
    return packet_id


def _publish(first: int, reader: Reader, version: int) -> Publish:
    qos = first >> 1 & 3
    dup = bool(first & 8)
    if qos == 3:
        raise malformed("There is no QoS 3.")
    if dup and not qos:
        raise malformed("DUP is set in a PUBLISH of QoS 0.")
    raw = reader.binary()
    topic = topic_name(raw) if raw or version != V5 else ""
    packet_id = _packet_id(reader) if qos else 0
    properties = _properties(reader, version, p.PUBLISH)
    if not raw and "topic_alias" not in properties:
        raise breach("A PUBLISH has neither topic name nor topic alias.")
    return Publish(topic, reader.rest(), qos, bool(first & 1), dup, packet_id, properties)


def _connect(reader: Reader, _: int) -> Connect:
    name = reader.binary()
    level = reader.u8()
    if is_bridge := level == V311 | BRIDGE:
        level = V311
    if name != b"MQTT" or level not in (V311, V5):
        if name not in (b"MQTT", b"MQIsdp"):
            raise malformed("The protocol name is not MQTT.")
        raise UnknownVersion(level)
    flags = reader.u8()
    if flags & 1:
        raise malformed("The reserved flag of CONNECT is set.")
    has_will, will_qos, will_retain = flags & 4, flags >> 3 & 3, flags & 0x20
    if will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise malformed("The will flags of CONNECT contradict each other.")
    if flags & 0x40 and not flags & 0x80 and level == V311:
        raise malformed("CONNECT has a password and no user name.")
    keep_alive = reader.u16()
    properties = _properties(reader, level, p.CONNECT)
    client_id = reader.text()
    will = None
    if has_will:
        will_properties = _properties(reader, level, p.WILL)
        will = Will(
            topic_name(reader.binary()),
            reader.binary(),
            will_qos,
            bool(will_retain),
            will_properties,
        )
    username = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    return Connect(
        client_id,
        level,
        bool(flags & 2),
        keep_alive,
        username,
        password,
        will,
        properties,
        is_bridge,
    )


def _connack(reader: Reader, version: int) -> ConnAck:
    flags = reader.u8()
    if flags > 1:
        raise malformed("The reserved flags of CONNACK are set.")
    code = check_reason(reader.u8(), p.CONNACK, version)
    if flags and code:
        raise breach("A refusing CONNACK says that a session is present.")
    return ConnAck(bool(flags), code, _properties(reader, version, p.CONNACK))


def _answer(reader: Reader, version: int, packet: int) -> tuple[int, int, Properties]:
    packet_id = _packet_id(reader)
    if version != V5 or reader.at == reader.end:
        return packet_id, 0, {}
    code = check_reason(reader.u8(), packet)
    if reader.at == reader.end:
        return packet_id, code, {}
    return packet_id, code, decode_properties(reader, packet)


def _subscribe(reader: Reader, version: int) -> Subscribe:
    packet_id = _packet_id(reader)
    properties = _properties(reader, version, p.SUBSCRIBE)
    subscriptions = []
    while reader.at < reader.end:
        topic_filter = reader.text()
        check_filter(topic_filter)
        options = reader.u8()
        subscriptions.append(_subscription(topic_filter, options, version))
    if not subscriptions:
        raise breach("A SUBSCRIBE has no topic filter.")
    return Subscribe(packet_id, tuple(subscriptions), properties)


def _subscription(topic_filter: str, options: int, version: int) -> Subscription:
    qos = options & 3
    if qos == 3 or options & (0xC0 if version == V5 else 0xFC):
        raise malformed("The subscription options have reserved bits or QoS 3.")
    handling = options >> 4 & 3
    if handling == 3:
        raise breach("There is no retain handling 3.")
    no_local = bool(options & 4)
    if no_local and split_share(topic_filter)[0] is not None:
        raise breach("A shared subscription cannot be no-local.")
    return Subscription(topic_filter, qos, no_local, bool(options & 8), handling)


def _suback(reader: Reader, version: int) -> SubAck:
    packet_id = _packet_id(reader)
    properties = _properties(reader, version, p.SUBACK)
    codes = tuple(check_reason(code, p.SUBACK, version) for code in reader.rest())
    if not codes:
        raise breach("A SUBACK has no reason code.")
    return SubAck(packet_id, codes, properties)


def _unsubscribe(reader: Reader, version: int) -> Unsubscribe:
    packet_id = _packet_id(reader)
    properties = _properties(reader, version, p.UNSUBSCRIBE)
    filters = []
    while reader.at < reader.end:
        filters.append(reader.text())
        check_filter(filters[-1])
    if not filters:
        raise breach("An UNSUBSCRIBE has no topic filter.")
    return Unsubscribe(packet_id, tuple(filters), properties)


def _unsuback(reader: Reader, version: int) -> UnsubAck:
    packet_id = _packet_id(reader)
    if version != V5:
        return UnsubAck(packet_id)
    properties = decode_properties(reader, p.UNSUBACK)
    codes = tuple(check_reason(code, p.UNSUBACK) for code in reader.rest())
    if not codes:
        raise breach("An UNSUBACK has no reason code.")
    return UnsubAck(packet_id, codes, properties)


def _coded(reader: Reader, version: int, packet: int) -> tuple[int, Properties]:
    if version != V5 or reader.at == reader.end:
        return 0, {}
    code = check_reason(reader.u8(), packet)
    return code, decode_properties(reader, packet) if reader.at < reader.end else {}


def _auth(reader: Reader, version: int) -> Auth:
    code, properties = _coded(reader, version, p.AUTH)
    if "authentication_method" not in properties:
        raise breach("An AUTH has no authentication method.")
    return Auth(code, properties)


_DECODERS: dict[int, Callable[[Reader, int], Packet]] = {
    p.CONNECT: _connect,
    p.CONNACK: _connack,
    p.PUBACK: lambda reader, version: PubAck(*_answer(reader, version, p.PUBACK)),
    p.PUBREC: lambda reader, version: PubRec(*_answer(reader, version, p.PUBREC)),
    p.PUBREL: lambda reader, version: PubRel(*_answer(reader, version, p.PUBREL)),
    p.PUBCOMP: lambda reader, version: PubComp(*_answer(reader, version, p.PUBCOMP)),
    p.SUBSCRIBE: _subscribe,
    p.SUBACK: _suback,
    p.UNSUBSCRIBE: _unsubscribe,
    p.UNSUBACK: _unsuback,
    p.PINGREQ: lambda _reader, _version: PingReq(),
    p.PINGRESP: lambda _reader, _version: PingResp(),
    p.DISCONNECT: lambda reader, version: Disconnect(*_coded(reader, version, p.DISCONNECT)),
    p.AUTH: _auth,
}
