"""One end of a connection: bytes cut into packets, packets handed on."""

from functools import cache

from .decode import decode_body, known_topics
from .errors import ProtocolError, ReasonCode, malformed
from .events import Event, Failed
from .exchange import CLOSED, CONNECTING, NEW, OPEN, Exchange
from .limits import Limits
from .packets import V5, Packet, PubAck, PubComp, Publish, PubRec, PubRel
from .session import Session

__all__ = ["CLOSED", "CONNECTING", "NEW", "OPEN", "Connection"]

_make = tuple.__new__  # Twice as fast as calling a named tuple.


class Connection(Exchange):
    """One end of one network connection; `ServerConnection` and `ClientConnection` complete it.

    Bytes go in by `receive`, which returns events and never raises; bytes to send are fetched by
    `take`, once after any call or batch of calls. `now` is any clock in seconds, the same for all
    calls that concern one session.
    """

    __slots__ = ("_holding", "_maximum", "_need", "_quick", "_tail", "heard_at")

    def __init__(self, limits: Limits, version: int, session: Session, now: float) -> None:
        super().__init__(limits, version, session)
        self.heard_at = now
        # Bytes of an unfinished packet, and how many it takes before parsing is worth while.
        self._tail = bytearray()
        self._need = 0
        self._holding = False  # Keep what comes unparsed until the owner has answered CONNECT.
        self._maximum = limits.packet_bytes
        # First bytes of the PUBLISH packets that `receive` may take without a second look.
        self._quick: frozenset[int] = frozenset()

    @property
    def unfinished(self) -> bytes:
        """The bytes received of a packet that is not whole yet."""
        return bytes(self._tail)

    @property
    def is_ahead(self) -> bool:
        """Whether the other side has sent more than CONNECT, which has yet to be answered."""
        return self._holding and bool(self._tail)

    def receive(self, data: bytes | bytearray | memoryview, now: float) -> list[Event]:
        """Take bytes from the network, cut anywhere, and return what they mean, in order."""
        events: list[Event] = []
        if self._tail or self._holding:
            chunk = self._join(data, events)
        else:
            chunk = data if type(data) is bytes else bytes(data)
        if self._state == CLOSED:
            return events
        self.heard_at = now
        quick, maximum, window = self._quick, self._maximum, self._window_in
        awaiting, five = self._awaiting, self.version == V5
        at, end = 0, len(chunk)
        try:
            while at < end:
                first = chunk[at]
                start = at + 2
                if start > end:
                    self._keep(chunk, at, 2)
                    break
                size = chunk[at + 1]
                if size > 0x7F:
                    # Two bytes of length reach to 16 KiB; longer ones take the long way.
                    if start < end and 0 < chunk[start] < 0x80:
                        size += (chunk[start] << 7) - 0x80
                        start += 1
                    else:
                        size, start = _long_size(chunk, at, end)
                        if not start:
                            self._keep(chunk, at, end - at + 1)
                            break
                stop = start + size
                if stop - at > maximum:
                    raise ProtocolError(
                        ReasonCode.PACKET_TOO_LARGE,
                        f"A packet of {stop - at} bytes is longer than the {maximum} allowed.",
                    )
                if stop > end:
                    self._keep(chunk, at, stop - at)
                    break
                if first in quick and size > 4:
                    # A PUBLISH of QoS 0 or 1 with a known topic and no properties; whatever is
                    # unusual about it is left to the decoder below.
                    body = start + 2 + (chunk[start] << 8) + chunk[start + 1]
                    topic = known_topics.get(chunk[start + 2 : body])
                    if topic is None:
                        pass
                    elif first & 2:
                        if body + 2 + five <= stop:
                            packet_id = chunk[body] << 8 | chunk[body + 1]
                            if (
                                packet_id
                                and packet_id not in awaiting
                                and len(awaiting) < window
                                and not (five and chunk[body + 2])
                            ):
                                awaiting[packet_id] = 1
                                events.append(
                                    _make(
                                        Publish,
                                        (
                                            topic,
                                            chunk[body + 2 + five : stop],
                                            1,
                                            first & 1 == 1,
                                            first & 8 == 8,
                                            packet_id,
                                            {},
                                        ),
                                    )
                                )
                                at = stop
                                continue
                    elif body + five <= stop and not (five and chunk[body]):
                        events.append(
                            _make(
                                Publish,
                                (
                                    topic,
                                    chunk[body + five : stop],
                                    0,
                                    first & 1 == 1,
                                    False,
                                    0,
                                    {},
                                ),
                            )
                        )
                        at = stop
                        continue
                elif first == 0x40 and size == 2 and self._state == OPEN:
                    self._acknowledged(chunk[start] << 8 | chunk[start + 1], 0, {}, events, now)
                    at = stop
                    continue
                at = stop
                self._dispatch(first, chunk[start:stop], events, now)
                if self._state == CLOSED:
                    break
                if self._holding:
                    self._tail += chunk[stop:]
                    break
                quick, maximum, window = self._quick, self._maximum, self._window_in
                five = self.version == V5
        except ProtocolError as error:
            self._refuse(error)
            events.append(Failed(error.reason_code, error.text))
        return events

    def _handle(self, packet: Packet, events: list[Event], now: float) -> None:
        """Take a packet other than PUBLISH and its answers; raises ProtocolError."""
        raise NotImplementedError

    def _start(self, events: list[Event], now: float) -> None:
        """Take messages from now on, and send those that wait."""
        self._holding = False
        self._maximum = self.limits.packet_bytes
        self._quick = _quick(self.limits.maximum_qos, self.limits.retain_available)
        self._begin(events, now)

    def _shut(self) -> None:
        """Close this end; received messages may still be acknowledged."""
        self._state = CLOSED
        self._holding = False
        self._quick = frozenset()
        self._tail.clear()

    def _join(self, data: bytes | bytearray | memoryview, events: list[Event]) -> bytes:
        tail = self._tail
        if self._holding and len(tail) > self.limits.first_packet_bytes:
            text = "Too much was sent before CONNECT was answered."
            self._refuse(ProtocolError(ReasonCode.QUOTA_EXCEEDED, text))
            events.append(Failed(ReasonCode.QUOTA_EXCEEDED, text))
            return b""
        tail += data
        if self._holding or len(tail) < self._need:
            return b""
        whole = bytes(tail)
        tail.clear()
        return whole

    def _keep(self, data: bytes, at: int, need: int) -> None:
        """Keep the beginning of a packet of which at least `need` bytes are wanted."""
        self._tail += data[at:]
        self._need = need

    def _dispatch(self, first: int, body: bytes, events: list[Event], now: float) -> None:
        packet = decode_body(first, body, self.version)
        if self._state == OPEN:
            if isinstance(packet, Publish):
                return self._published(packet, events)
            if isinstance(packet, PubAck):
                return self._acknowledged(
                    packet.packet_id, packet.reason_code, packet.properties, events, now
                )
            if isinstance(packet, PubRec):
                return self._recorded(packet, events, now)
            if isinstance(packet, PubRel):
                return self._released(packet, events)
            if isinstance(packet, PubComp):
                return self._completed(packet, events, now)
        return self._handle(packet, events, now)


@cache
def _quick(maximum_qos: int, retain: bool) -> frozenset[int]:
    """Give the first bytes of the PUBLISH packets that are taken: QoS 0 and 1, without doubt."""
    return frozenset(
        first
        for first in (0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B)
        if (first >> 1 & 3) <= maximum_qos and (retain or not first & 1)
    )


def _long_size(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a remaining length of any size: (size, start of the body), or (0, 0) if incomplete."""
    size = 0
    for place in range(4):
        position = at + 1 + place
        if position >= end:
            return 0, 0
        byte = data[position]
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if place and not byte:
                raise malformed("The remaining length is longer than it need be.")
            return size, position + 1
    raise malformed("The remaining length is longer than four bytes.")
