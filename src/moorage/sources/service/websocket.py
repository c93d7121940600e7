"""MQTT within WebSocket, the client's side (MQTT 5, section 6; RFC 6455)."""

from __future__ import annotations

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from ..model import Address

PROTOCOL = "mqtt"


class WebSocket:
    """Wraps what is sent and unwraps what is received."""

    def __init__(self, address: Address) -> None:
        self._machine = WSConnection(ConnectionType.CLIENT)
        host = f"[{address.host}]" if ":" in address.host else address.host
        request = Request(f"{host}:{address.port}", address.path, subprotocols=[PROTOCOL])
        self._out = self._machine.send(request)
        self.is_open = False
        """Whether the handshake is through."""

    def send(self, data: bytes) -> bytes:
        """Give the bytes to write: what is due, and `data` in a frame."""
        out, self._out = self._out, b""
        if data:
            try:
                out += self._machine.send(BytesMessage(data))
            except LocalProtocolError:
                return out  # The other side has closed; its end is on its way.
        return out

    def receive(self, data: bytes) -> bytes:
        """Take bytes read and give those of MQTT in them.

        Raises:
            ConnectionError: it is over; the text says why.
        """
        found: list[bytes] = []
        try:
            self._machine.receive_data(data)
            for event in self._machine.events():
                if isinstance(event, BytesMessage):
                    found.append(bytes(event.data))
                elif isinstance(event, AcceptConnection):
                    if event.subprotocol != PROTOCOL:
                        raise ConnectionError("The server does not speak MQTT over WebSocket.")
                    self.is_open = True
                elif isinstance(event, Ping):
                    self._out += self._machine.send(event.response())
                elif isinstance(event, RejectConnection):
                    code = event.status_code
                    raise ConnectionError(f"The server answers HTTP {code} instead of WebSocket.")
                elif isinstance(event, CloseConnection):
                    raise ConnectionError(f"The server closed the WebSocket (code {event.code}).")
                elif isinstance(event, TextMessage):
                    raise ConnectionError(
                        "The server sends text over WebSocket, where MQTT is bytes."
                    )
        except RemoteProtocolError as wrong:
            raise ConnectionError(f"The server does not keep to WebSocket: {wrong}.") from wrong
        return b"".join(found)
