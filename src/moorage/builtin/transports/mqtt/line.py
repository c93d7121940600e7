"""A connection's socket: bytes in and out, when to read, how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from moorage.plugin import Refusal
from moorage_mqtt import Event, ReasonCode, ServerConnection

from .proxied import UNTRUSTED, begins
from .sessions import Kept
from .tap import Tap
from .websocket import WebSocket

if TYPE_CHECKING:
    from .door import Door
    from .neighbours import Carrier

# Why reading is stopped, as bits; it goes on when none is set.
OVERLOAD, UNACKNOWLEDGED, BUSY, UNREAD, TOO_FAST, HELD_BACK = 1, 2, 4, 8, 16, 32

# Why a connection ends when the door closes.
SHUTDOWN = "shutdown"
_CLOSING_S = 5.0
# How a TLS client begins: a handshake record of TLS 1.x. As MQTT it would be a CONNECT with flags
# that none has.
_CLIENT_HELLO = b"\x16\x03"
# How a WebSocket client begins: GET. As MQTT it would be PUBACK with flags that none has.
_GET = b"G"


class Line(asyncio.Protocol):
    """A connection from the first byte to the last; `Link` says what its packets mean."""

    __slots__ = (
        "_drained",
        "_early",
        "_expiry",
        "_stopped",
        "_unanswered",
        "_unsent",
        "_websocket",
        "address",
        "carried_over",
        "carrier",
        "certificate",
        "core",
        "door",
        "due_at",
        "ended",
        "is_carried",
        "kept",
        "messages_in",
        "tap",
        "tls",
        "transport",
    )

    def __init__(
        self,
        door: Door,
        *,
        tls: bool,
        certificate: bytes = b"",
        carried_from: str | None = None,
    ) -> None:
        """Make a connection's end.

        Args:
            door: whose it is.
            tls: whether the client's connection is encrypted.
            certificate: what the client showed in its handshake, as DER.
            carried_from: the client's address, if another listener carries its bytes here.
        """
        self.door = door
        self.tls = tls
        self.certificate = certificate
        self.is_carried = carried_from is not None
        self.core = ServerConnection(door.settings.limits, door.time())
        self.kept: Kept | None = None
        self.ended = False
        self.due_at = -1
        self.address = carried_from or ""
        self.carried_over = ("", "")
        """Version and cipher of the client's TLS, if another listener carries its bytes here."""
        self.carrier: Carrier | None = None
        """Where the client's bytes go, if its device is at home at another listener."""
        self.messages_in = 0
        """How many messages were taken in."""
        self.tap: Tap | None = None
        """Shows its packets, if somebody may want to see them."""
        self.transport: asyncio.Transport
        self._stopped = 0
        self._unanswered: list[int] = []  # What was refused without a word (MQTT 3.1.1).
        self._unsent: list[bytes] = []  # What waits until the session has been written.
        self._early = b""  # What came before it was known where the device is at home.
        self._drained: asyncio.Future[None] | None = None
        self._websocket: WebSocket | None = None
        self._expiry: asyncio.TimerHandle | None = None

    # --- The socket ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, unless there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(self.door.settings.limits.packet_bytes)
        peer = transport.get_extra_info("peername")
        if not self.address:
            self.address = peer[0] if peer else ""
        if not self.door.admit(self):
            self.ended = True
            self.transport.abort()
        elif self.door.traced:
            self.tap = Tap(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if self.ended:
            return
        if self.kept is None and not self._begins(data):
            return
        if self._websocket is not None:
            data = self._websocket.receive(data)
            if self._websocket.refusal:
                self._refused("malformed", self._websocket.refusal)
                self.end("protocol")
                return
        if self.tap is not None:
            self.tap.received(data)
        if self.kept is None and self._passes_on(data):
            return
        events = self.core.receive(data, self.door.time())
        if events:
            self._process(events)
        self.flush()
        if self.kept is None and self.core.is_ahead:
            self.stop(BUSY)  # What it says before it is let in is kept, so it shall not be much.
        if self.door.host.overloaded:
            self.door.overload(self)
        elif self.core.unacknowledged > self.door.settings.limits.receive_maximum:
            self.stop(UNACKNOWLEDGED)

    def _begins(self, data: bytes) -> bool:
        """Look at the first bytes: MQTT, MQTT in WebSocket frames, or what is not for us."""
        if not self.core.is_new:
            return True
        if data.startswith(_CLIENT_HELLO) and not self.tls:
            self._refuse_hello()
            return False
        if begins(data):
            self._refused("proxy", UNTRUSTED)
            self.end("protocol")
            return False
        if data.startswith(_GET) and self._websocket is None:
            longest = self.door.settings.limits.packet_bytes
            self._websocket = WebSocket(self.transport, longest)
            self.transport = cast("asyncio.Transport", self._websocket)
        return True

    def _passes_on(self, data: bytes) -> bool:
        """Carry what the client sends to its device's home, or note it until that is known.

        It is not much: who says more than CONNECT is not read from while that is being found out.
        """
        if self.carrier is not None:
            self.carrier.write(data)
            return True
        self._early += data
        return False

    def carry(self, carrier: Carrier) -> None:
        """Have another listener serve the client."""
        self.carrier = carrier
        self.tap = None  # Its home sees the same.
        early, self._early = self._early, b""
        carrier.write(early)
        self.go_on(BUSY)

    def _refuse_hello(self) -> None:
        text = "TLS came to the port of MQTT without encryption."
        if self.door.settings.tls is not None:
            text += f" Use port {self.door.settings.tls_port}, or switch TLS off in the client."
        self._refused("tls-on-plain", text)
        self.end("protocol")

    def eof_received(self) -> bool:
        """Close when the device has closed its side."""
        return False

    def pause_writing(self) -> None:
        """Read nothing more from a device that does not read its answers, and send it less."""
        if self.carrier is not None:
            self.carrier.pause_reading()
            return
        self.core.congested = True
        self.stop(UNREAD)

    def resume_writing(self) -> None:
        """Go on when it has read them."""
        if self.carrier is not None:
            self.carrier.resume_reading()
            return
        self._process(self.core.relieve(self.door.time()))
        self.go_on(UNREAD)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the socket has closed."""
        self.end("lost")
        self.door.gone(self)

    def stop(self, why: int) -> None:
        """Stop reading."""
        if not self._stopped and not self.transport.is_closing():
            self.transport.pause_reading()
        self._stopped |= why

    def go_on(self, why: int) -> None:
        """Read again if nothing else stands against it."""
        if not self._stopped:
            return
        self._stopped &= ~why
        if not self._stopped and not self.transport.is_closing():
            self.transport.resume_reading()

    def flush(self) -> None:
        """Send what the core has to send, unless what it says has to be kept first."""
        kept = self.kept
        is_held = kept is not None and self.door.keeper.holds(kept)
        if not is_held and (data := self.core.take()):
            self._write(data)
        if self.core.is_closed and not self.ended:
            self.end("protocol")

    def hold(self) -> None:
        """Set aside what is to be sent; what it says is being written."""
        self._unsent.append(self.core.take())

    def release(self, error: Exception | None) -> None:
        """Send what was set aside longest ago: what it says is kept."""
        if self.ended:
            return
        data = self._unsent.pop(0)
        if error is not None:
            self.end("overload", ReasonCode.QUOTA_EXCEEDED, "The session cannot be kept.")
            return
        if data:
            self._write(data)
        self.flush()

    def _write(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap.sent(data)
        self.transport.write(data)

    # --- The end ------------------------------------------------------------------------------

    def fail(self) -> None:
        """End the connection for a fault of the server's own."""
        text = "The server has failed at this; its log tells more."
        self.end("fault", ReasonCode.UNSPECIFIED_ERROR, text)

    def end(self, cause: str, code: ReasonCode | None = None, reason: str = "") -> None:
        """End the connection once: tell the device, start the session's clocks, close."""
        if self.ended:
            return
        self.ended = True
        core, door = self.core, self.door
        if self._expiry is not None:
            self._expiry.cancel()
        if self.carrier is not None:
            # What there is to say its home has said.
            self.carrier.close(is_ours=cause == SHUTDOWN)
            self.transport.close()
            door.watch(self, door.time() + _CLOSING_S)
            return
        if self.kept is not None and door.keeper.holds(self.kept):
            core.take()  # What is not kept is not said; the next connection will hear it.
        if code is None:
            # Told already by the core, or nobody is there to be told.
            core.disconnect(ReasonCode.UNSPECIFIED_ERROR)
        elif core.is_open:
            core.disconnect(code, reason)
        else:
            core.refuse(code, reason)
        said = core.take() if cause != "lost" else b""
        if said:
            self._write(said)
        if self.tap is not None:
            self.tap.closed(cause)
        for packet_id in self._unanswered:
            core.acknowledge(packet_id, ReasonCode.QUOTA_EXCEEDED)
        if self.kept is not None:
            door.left(self, self.kept, cause)
            if not core.unacknowledged:
                self.settled()
        transport = self.transport
        lingers = cause == "protocol" and said and not transport.is_closing()
        if lingers and transport.can_write_eof():
            # What it still sends is read and dropped: to close with bytes unread would take from it
            # what was said last (RFC 9293, section 3.6).
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()
        door.watch(self, door.time() + _CLOSING_S)

    def tick(self, now: float) -> None:
        """Look at the deadline."""
        if self.ended:
            self.transport.abort()  # It does not take what is left for it.
            return
        if self.carrier is not None:
            return
        events = self.core.tick(now)
        if events:
            self._process(events)
            self.flush()
        elif (deadline := self.core.deadline) is not None:
            self.door.watch(self, deadline)

    def committed(self, packet_ids: list[int], code: ReasonCode = ReasonCode.SUCCESS) -> None:
        """Acknowledge messages, or refuse them with `code`, and send what has become due."""
        core = self.core
        if code:
            for packet_id in packet_ids:
                core.acknowledge(packet_id, code, "It cannot be stored just now; send it again.")
        elif len(packet_ids) == 1:
            core.acknowledge(packet_ids[0])
        elif packet_ids:
            core.acknowledge_many(packet_ids)
        if self.ended:
            if not core.unacknowledged:
                self.settled()
            return
        self.flush()
        limit = self.door.settings.limits.receive_maximum
        if self._stopped & UNACKNOWLEDGED and core.unacknowledged <= limit // 2:
            self.go_on(UNACKNOWLEDGED)

    def settled(self) -> None:
        """Let go of the session: all this ended connection took in is committed or refused."""
        if self.kept is not None and self.kept.link is self:
            self.kept.link = self.kept.connection = None
            self.door.keeper.let_go(self.kept.number)
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def take_over(self) -> None:
        """End the connection: its client has come again."""
        self.end("taken-over", ReasonCode.SESSION_TAKEN_OVER, "Connected from elsewhere.")
        if not self.core.unacknowledged:
            self.settled()

    def drained(self) -> asyncio.Future[None]:
        """Wait for `settled`."""
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
        return self._drained

    # --- For those who build on this ------------------------------------------------------------

    def _process(self, events: list[Event]) -> None:
        """Act on what the core has understood."""
        raise NotImplementedError

    def forget_topics(self) -> None:
        """Look again, for each topic, where its messages go."""
        raise NotImplementedError

    def _refused(self, reason: str, detail: str, hint: str = "") -> None:
        kept = self.kept
        self.door.host.refused(
            Refusal(
                reason,
                detail,
                "mqtt",
                self.address,
                hint or (kept.client_id if kept else ""),
                kept.number if kept and kept.number >= 0 else None,
            )
        )
