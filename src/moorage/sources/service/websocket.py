"""MQTT within WebSocket, the client's side (MQTT 5, section 6; RFC 6455)."""

from __future__ import annotations

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from ..model import Address

PROTOCOL = Subprotocol("mqtt")
# A frame is taken in whole; servers send a packet or a read's worth of them in one.
LARGEST_FRAME = 16_777_216


class WebSocket:
    """Wraps what is sent and unwraps what is received."""

    def __init__(self, address: Address) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        uri = parse_uri(f"ws://{host}:{address.port}{address.path}")
        self._machine = ClientProtocol(uri, subprotocols=[PROTOCOL], max_size=LARGEST_FRAME)
        self._machine.send_request(self._machine.connect())
        self.is_open = False
        """Whether the handshake is through."""

    def send(self, data: bytes) -> bytes:
        """Give the bytes to write: what is due, and `data` in a frame."""
        # Once the other side has closed, its end is on its way.
        if data and self._machine.state is State.OPEN:
            self._machine.send_binary(data)
        return b"".join(self._machine.data_to_send())

    def receive(self, data: bytes) -> bytes:
        """Take bytes read and give those of MQTT in them.

        Raises:
            ConnectionError: it is over; the text says why.
        """
        self._machine.receive_data(data)
        found: list[bytes] = []
        for event in self._machine.events_received():
            if isinstance(event, Response):
                self._take_answer()
            elif isinstance(event, Frame):
                found.append(_bytes_of(event))
        if self._machine.parser_exc is not None:
            wrong = self._machine.parser_exc
            raise ConnectionError(f"The server does not keep to WebSocket: {wrong}.") from wrong
        return b"".join(found)

    def _take_answer(self) -> None:
        wrong = self._machine.handshake_exc
        if isinstance(wrong, InvalidStatus):
            code = wrong.response.status_code
            raise ConnectionError(f"The server answers HTTP {code} instead of WebSocket.")
        if isinstance(wrong, InvalidHandshake):
            raise ConnectionError(f"The server does not keep to WebSocket: {wrong}.") from wrong
        if self._machine.subprotocol != PROTOCOL:
            raise ConnectionError("The server does not speak MQTT over WebSocket.")
        self.is_open = True


def _bytes_of(frame: Frame) -> bytes:
    """Give what a frame adds to the stream of MQTT, in which frames mean nothing."""
    if frame.opcode is Opcode.TEXT:
        raise ConnectionError("The server sends text over WebSocket, where MQTT is bytes.")
    if frame.opcode is Opcode.CLOSE:
        code = Close.parse(frame.data).code
        raise ConnectionError(f"The server closed the WebSocket (code {code:d}).")
    return bytes(frame.data) if frame.opcode in (Opcode.BINARY, Opcode.CONT) else b""
