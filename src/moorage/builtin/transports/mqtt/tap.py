"""Reading along: the packets of one connection, for those who trace its device.

What is shown is what was on the wire, after TLS and WebSocket. Passwords, what AUTH carries and
user names that may be tokens are left out. A new connection's packets are held until it is known
whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from moorage.plugin import TracedPacket
from moorage_mqtt import (
    V5,
    V311,
    Auth,
    ConnAck,
    Connect,
    Packet,
    ProtocolError,
    Publish,
    ReasonCode,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    decode,
)

if TYPE_CHECKING:
    from .line import Line

_HELD = 64
_PAYLOAD_BYTES = 256
_LONGEST_TEXT = 256
_LONGEST_LIST = 20
_SECRET = frozenset({"authentication_data"})
# How MQTT 3.1.1 answers CONNECT (section 3.2.2.3), and what it knows of SUBACK (3.9.3).
_RETURN_CODES = (
    "accepted",
    "unacceptable protocol version",
    "identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorized",
)
_numbers = count(1)


class Tap:
    """Shows the host what goes over one connection."""

    __slots__ = (
        "_aliases",
        "_client_id",
        "_held",
        "_line",
        "_names",
        "_number",
        "_tails",
        "_version",
        "device",
    )

    def __init__(self, line: Line, device: int | None = None) -> None:
        """Begin to read along.

        Args:
            line: the connection.
            device: whose it is, if it is open already; a new one's is told by `known`.
        """
        self._line = line
        self.device = device
        self._number = next(_numbers)
        self._version = line.core.version
        self._client_id = ""
        self._names: tuple[str, ...] = ()  # What it calls itself.
        self._tails = {"in": bytearray(), "out": bytearray()}
        self._aliases: dict[tuple[str, int], str] = {}
        self._held: list[TracedPacket] | None = None
        if device is None:
            self._held = []
            self._happened("opened", {"address": line.address, "tls": line.tls})
        elif line.kept is not None:
            self._client_id = line.kept.client_id
            self._tails["in"] += line.core.unfinished
            self._happened("joined", {"address": line.address, "tls": line.tls})

    # --- What the connection tells ----------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Take what the device has sent."""
        self._read("in", data)

    def sent(self, data: bytes) -> None:
        """Take what the device is sent."""
        self._read("out", data)

    def known(self, device: int) -> bool:
        """Learn whose connection it is; tell whether that device is traced."""
        self.device = device
        return device in self._line.door.traced

    def let_go(self) -> None:
        """Show what was held: the connection is served here."""
        held, self._held = self._held, None
        for packet in held or ():
            self._show(packet)

    def closed(self, cause: str) -> None:
        """Show the end; who was never let in is shown to those who watch whom he named."""
        never_in = self._held is not None and cause == "protocol"
        self._happened("closed", {"cause": "refused" if never_in else cause})
        if self._held is None:
            return
        if self.device is None:
            traced = self._line.door.traced.items()
            named = (device for device, names in traced if not names.isdisjoint(self._names))
            self.device = next(named, None)
        if self.device is not None:
            self.let_go()

    # --- Packets ----------------------------------------------------------------------------------

    def _read(self, direction: str, data: bytes) -> None:
        tail = self._tails[direction]
        tail += data
        for frame in _frames(tail):
            try:
                packet = decode(frame, self._version)
            except ProtocolError as error:
                self._malformed(direction, len(frame), error)
                continue
            if isinstance(packet, Connect):
                self._version = packet.version
                self._client_id = packet.client_id[:_LONGEST_TEXT]
                self._names = tuple(filter(None, (packet.username, packet.client_id)))
            elif isinstance(packet, ConnAck):
                assigned = packet.properties.get("assigned_client_identifier")
                self._client_id = assigned or self._client_id
            self._show(self._shown(direction, packet, len(frame)))

    def _malformed(self, direction: str, size: int, error: ProtocolError) -> None:
        self._show(
            TracedPacket(
                self._line.door.now_us(),
                self._number,
                self._client_id,
                direction,
                "malformed",
                size,
                codes=(error.reason_code,),
                reasons=(_name(error.reason_code),),
            )
        )

    def _shown(self, direction: str, packet: Packet, size: int) -> TracedPacket:
        now_us, kind = self._line.door.now_us(), type(packet).__name__.upper()
        properties = _properties(getattr(packet, "properties", {}))
        if isinstance(packet, Publish):
            return TracedPacket(
                now_us,
                self._number,
                self._client_id,
                direction,
                kind,
                size,
                packet.packet_id,
                packet.qos,
                packet.dup,
                packet.retain,
                self._topic(direction, packet)[:_LONGEST_TEXT],
                properties=properties,
                payload=packet.payload[:_PAYLOAD_BYTES],
                payload_size=len(packet.payload),
            )
        codes = _codes(packet)
        return TracedPacket(
            now_us,
            self._number,
            self._client_id,
            direction,
            kind,
            size,
            getattr(packet, "packet_id", 0),
            codes=codes[:_LONGEST_LIST],
            reasons=tuple(_reason(packet, code, self._version) for code in codes[:_LONGEST_LIST]),
            details=self._details(packet),
            properties=properties,
        )

    def _topic(self, direction: str, publish: Publish) -> str:
        """Give the topic, also of a PUBLISH that has an alias in its place."""
        alias = publish.properties.get("topic_alias")
        if alias is None:
            return publish.topic
        if publish.topic:
            self._aliases[direction, alias] = publish.topic
        return self._aliases.get((direction, alias), "")

    def _details(self, packet: Packet) -> dict[str, Any]:
        if isinstance(packet, Connect):
            return self._connect(packet)
        if isinstance(packet, ConnAck):
            return {"sessionPresent": packet.session_present}
        if isinstance(packet, Subscribe):
            wanted = packet.subscriptions
            shown = [
                {"filter": one.topic_filter[:_LONGEST_TEXT], "qos": one.qos}
                for one in wanted[:_LONGEST_LIST]
            ]
            return {"subscriptions": shown, "count": len(wanted)}
        if isinstance(packet, Unsubscribe):
            filters = [one[:_LONGEST_TEXT] for one in packet.topic_filters[:_LONGEST_LIST]]
            return {"filters": filters, "count": len(packet.topic_filters)}
        return {}

    def _connect(self, packet: Connect) -> dict[str, Any]:
        found: dict[str, Any] = {
            "version": "5" if packet.version == V5 else "3.1.1",
            "clientId": packet.client_id[:_LONGEST_TEXT],
            "cleanStart": packet.clean_start,
            "keepAliveS": packet.keep_alive,
            "userName": self._user_name(packet),
            "password": packet.password is not None,
        }
        if (will := packet.will) is not None:
            found["will"] = {
                "topic": will.topic[:_LONGEST_TEXT],
                "qos": will.qos,
                "retain": will.retain,
                "size": len(will.payload),
            }
        return found

    def _user_name(self, packet: Connect) -> str | None:
        """Give the user name if a traced device is known by it: any other may be a key."""
        name = packet.username
        known = any(name in names for names in self._line.door.traced.values())
        return name if name is None or known else "***"

    # --- To the host ------------------------------------------------------------------------------

    def _happened(self, kind: str, details: dict[str, Any]) -> None:
        now_us = self._line.door.now_us()
        self._show(TracedPacket(now_us, self._number, self._client_id, "", kind, details=details))

    def _show(self, packet: TracedPacket) -> None:
        if self._held is not None:
            if len(self._held) < _HELD:
                self._held.append(packet)
        elif self.device is not None:
            self._line.door.host.traced(self.device, packet)


def _frames(tail: bytearray) -> Iterator[bytes]:
    """Cut whole packets off the front of what has come."""
    while len(tail) > 1:
        size = shift = 0
        for at in range(1, min(5, len(tail))):
            size |= (tail[at] & 0x7F) << shift
            shift += 7
            if tail[at] < 0x80:
                break
        else:
            if len(tail) > 4:
                tail.clear()  # No length of MQTT: the connection ends over it.
            return
        if len(tail) <= at + size:
            return
        frame = bytes(tail[: at + 1 + size])
        del tail[: at + 1 + size]
        yield frame


def _properties(found: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """List properties, shortened; those of authentication without their value."""
    shown: list[tuple[str, Any]] = []
    for name, value in found.items():
        if name in _SECRET:
            shown.append((name, "***"))
        elif name == "user_property":
            shown += [(name, [_short(key), _short(text)]) for key, text in value[:_LONGEST_LIST]]
        else:
            shown.append((name, _short(value)))
    return tuple(shown)


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:_LONGEST_TEXT].hex(" ")
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _codes(packet: Packet) -> tuple[int, ...]:
    if isinstance(packet, SubAck | UnsubAck):
        return packet.reason_codes
    code = getattr(packet, "reason_code", None)
    return () if code is None else (code,)


def _reason(packet: Packet, code: int, version: int) -> str:
    """Say what a code means in a packet."""
    if isinstance(packet, ConnAck) and version == V311:
        return _RETURN_CODES[code] if code < len(_RETURN_CODES) else str(code)
    if isinstance(packet, SubAck) and code <= 2:
        return f"granted QoS {code}"
    if isinstance(packet, Auth) and not code:
        return "success"
    return _name(code)


def _name(code: int) -> str:
    try:
        return ReasonCode(code).name.lower().replace("_", " ")
    except ValueError:
        return str(code)
