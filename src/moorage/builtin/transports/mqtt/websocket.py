"""MQTT in WebSocket frames (MQTT 5, section 6): between the socket and the link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from websockets.exceptions import NegotiationError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

PATH = "/mqtt"
_MQTT = Subprotocol("mqtt")
# A line for every connection that comes is more than a log is for.
_LOG = logging.getLogger("websockets.server")
_LOG.setLevel(logging.WARNING)


class WebSocket:
    """One connection's WebSocket: takes what the socket reads, is the transport of its link.

    What MQTT sends is a stream: packets may lie across frames and messages [MQTT-6.0.0-2].
    """

    def __init__(self, transport: asyncio.Transport, longest: int) -> None:
        self._socket = transport
        self.refusal = ""
        """Why the request was refused; empty if it was not."""
        self._protocol = ServerProtocol(
            subprotocols=[_MQTT], select_subprotocol=_select, max_size=longest, logger=_LOG
        )

    def receive(self, data: bytes) -> bytes:
        """Take what the socket has read, and give what it means to MQTT."""
        protocol = self._protocol
        if protocol.state is State.CLOSED:
            return b""
        protocol.receive_data(data)
        parts: list[bytes | bytearray | memoryview] = []
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    protocol.fail(CloseCode.UNSUPPORTED_DATA)  # [MQTT-6.0.0-1].
                    break
                if event.opcode in (Opcode.BINARY, Opcode.CONT):
                    parts.append(event.data)
        if protocol.handshake_exc is not None:
            self.refusal = f"The request for a WebSocket was refused: {protocol.handshake_exc}"[
                :200
            ]
        self._flush()
        return b"".join(parts)

    def _answer(self, request: Request) -> None:
        protocol = self._protocol
        if request.path.partition("?")[0] != PATH:
            self.refusal = f"A WebSocket for MQTT is to be had at {PATH}."
            response = protocol.reject(HTTPStatus.NOT_FOUND, f"MQTT is at {PATH}.\n")
        else:
            response = protocol.accept(request)
        protocol.send_response(response)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._socket.write(data)
            else:
                self._socket.close()
        if self._protocol.state is State.CLOSED:
            self._socket.close()

    # --- Of the link ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes; nothing if the connection is closing."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)
            self._flush()

    def close(self) -> None:
        """Say that nothing follows, send what waits, and close."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
        self._socket.close()

    def abort(self) -> None:
        """Close at once."""
        self._socket.abort()

    def is_closing(self) -> bool:
        """Tell whether the connection is closing."""
        return self._socket.is_closing()

    def can_write_eof(self) -> bool:
        """Tell whether one side can be closed alone: the close frame says more than that."""
        return False

    def pause_reading(self) -> None:
        """Read nothing more from the socket."""
        self._socket.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._socket.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell something of the connection, such as `peername`."""
        return self._socket.get_extra_info(name, default)


def _select(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose the subprotocol, which must be offered [MQTT-6.0.0-3, -4]."""
    if _MQTT in offered:
        return _MQTT
    raise NegotiationError("The subprotocol is mqtt.")
