"""The way in over TLS: records in memory between the socket and the link, and what to tell of a
handshake that fails.

The event loop's own TLS costs a message of MQTT 34 microseconds, this 13 (decision 14), and asyncio
keeps a failed handshake to itself, so the most common mistakes would never be seen.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from moorage.plugin import Refusal

from .link import Link
from .proxied import UNTRUSTED, begins

if TYPE_CHECKING:
    from .door import Door

# What one record of TLS holds at most (RFC 8446, section 5.1).
_RECORD = 16_384

# What OpenSSL says of a first record that is none. Newer ones (3.2) put the last in its place.
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE"}
)
_DISTRUST = (
    "The client does not trust the certificate of this door. Give it the authority's file "
    "(tls/authority.pem where the certificate was made here), and the host name or address that "
    "stands in the certificate."
)
_CLOCK = "The client holds the certificate of this door for expired. Look at its clock."
_OLD = "The client's version of TLS is too old; the door takes 1.2 and newer."
_CIPHER = "The client and the door have no cipher in common."
_STRANGE = (
    "The client showed a certificate that is not known here, and its issuer is not either. Add it "
    "to its device, or register the authority that signed it; or let the client show none."
)
# X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, _SELF_SIGNED_CERT_IN_CHAIN,
# _UNABLE_TO_GET_ISSUER_CERT_LOCALLY, _UNABLE_TO_VERIFY_LEAF_SIGNATURE: what OpenSSL's
# X509_STORE_CTX_get_error(3) gives.
_NOBODY_KNOWN = frozenset({18, 19, 20, 21})
_LONG = "The client's certificate is longer than 16,384 bytes."
_MOST_CERTIFICATE = 16_384
_LATE = "The client began a TLS handshake and did not finish it in time."
_TOLD = {
    "UNKNOWN_CA": _DISTRUST,
    "BAD_CERTIFICATE": _DISTRUST,
    "CERTIFICATE_UNKNOWN": _DISTRUST,
    "CERTIFICATE_EXPIRED": _CLOCK,
    "PROTOCOL_VERSION": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "VERSION_TOO_LOW": _OLD,
    "HANDSHAKE_FAILURE": _CIPHER,
    "NO_SHARED_CIPHER": _CIPHER,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": _CIPHER,
    "NO_SUITABLE_KEY_SHARE": _CIPHER,
}


class Porch(asyncio.Protocol):
    """One connection's TLS: the protocol of its socket, and the transport of its link.

    The link comes to be with the end of the handshake.
    """

    def __init__(self, door: Door, context: ssl.SSLContext) -> None:
        self._door = door
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._socket: asyncio.Transport
        self._link: Link | None = None
        self.address = ""
        """The client's; known before the socket is taken if a proxy told of it."""
        self._late: asyncio.TimerHandle | None = None
        self._is_new = True

    # --- Of the socket --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Await the handshake, unless there are too many connections."""
        self._socket = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if not self.address:
            self.address = peer[0] if peer else ""
        if not self._door.has_room(self.address):
            self._socket.abort()
            return
        self._door.handshakes.add(self)
        patience_s = self._door.settings.limits.connect_timeout_s
        self._late = asyncio.get_running_loop().call_later(patience_s, self._too_late)

    def data_received(self, data: bytes) -> None:
        """Take records."""
        if self._is_new and begins(data):
            self._fail(Refusal("proxy", UNTRUSTED, "mqtt", self.address))
            return
        self._is_new = False
        self._incoming.write(data)
        if self._link is None and not self._shake_hands():
            return
        parts = []
        ended = False
        try:
            while self._incoming.pending or self._tls.pending():
                if not (part := self._tls.read(_RECORD)):
                    ended = True  # The device has said that nothing follows.
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # What it sends is no TLS any more, and was not changed by accident.
            ended = True
        if parts and self._link is not None:
            self._link.data_received(parts[0] if len(parts) == 1 else b"".join(parts))
        self._flush()
        if ended:
            self.close()

    def eof_received(self) -> bool:
        """Close when the device has closed its side."""
        return False

    def pause_writing(self) -> None:
        """Tell the link that the device does not read."""
        if self._link is not None:
            self._link.pause_writing()

    def resume_writing(self) -> None:
        """Tell the link that it does."""
        if self._link is not None:
            self._link.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the socket has closed."""
        self._settle()
        link, self._link = self._link, None  # Neither shall keep the other.
        if link is not None:
            link.connection_lost(exc)

    # --- The handshake --------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Go on with the handshake; tell whether it is over, and well."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as failed:
            self._flush()  # Its alert.
            self._fail(_refusal(failed, self.address, self._door.settings.port))
            return False
        self._flush()
        certificate = self._tls.getpeercert(binary_form=True) or b""
        if len(certificate) > _MOST_CERTIFICATE:
            self._fail(Refusal("tls", _LONG, "mqtt", self.address))
            return False
        self._settle()
        self._link = Link(self._door, tls=True, certificate=certificate)
        self._link.address = self.address
        self._link.connection_made(cast("asyncio.Transport", self))
        return not self._link.ended

    def _too_late(self) -> None:
        self._fail(Refusal("tls", _LATE, "mqtt", self.address))

    def _fail(self, refusal: Refusal | None) -> None:
        self._settle()
        if refusal is not None:
            self._door.host.refused(refusal)
        self._socket.close()

    def _settle(self) -> None:
        """Note that the handshake is under way no more."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self._door.handshakes.discard(self)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.write(self._outgoing.read())

    # --- Of the link ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes; nothing if the connection is closing."""
        if self._socket.is_closing():
            return
        try:
            if (sent := self._tls.write(data)) < len(data):
                # A record at a time.
                rest = memoryview(data)[sent:]
                while rest:
                    rest = rest[self._tls.write(rest) :]
        except ssl.SSLError:  # Nothing more can be told to this one; others wait for their answers.
            self._socket.abort()
            return
        self._flush()

    def close(self) -> None:
        """Say that nothing follows, send what waits, and close."""
        if self._socket.is_closing():
            return
        with suppress(ssl.SSLError):  # It would have us wait for the device to say the same.
            self._tls.unwrap()
        self._flush()
        self._socket.close()

    def can_write_eof(self) -> bool:
        """Tell whether one side can be closed alone."""
        return self._socket.can_write_eof()

    def write_eof(self) -> None:
        """Say that nothing follows, and read on."""
        with suppress(ssl.SSLError):  # It would have us wait for the device to say the same.
            self._tls.unwrap()
        self._flush()
        self._socket.write_eof()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say from how many bytes unsent the link is told to pause."""
        self._socket.set_write_buffer_limits(high, low)

    def abort(self) -> None:
        """Close at once."""
        self._socket.abort()

    def is_closing(self) -> bool:
        """Tell whether the connection is closing."""
        return self._socket.is_closing()

    def pause_reading(self) -> None:
        """Read nothing more from the socket; what was read has been handed over."""
        self._socket.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._socket.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell something of the connection, such as `peername` or `ssl_object`."""
        return self._tls if name == "ssl_object" else self._socket.get_extra_info(name, default)


def _refusal(failed: ssl.SSLError, address: str, plain_port: int) -> Refusal | None:
    """Say why a handshake failed; None of a client that merely went away.

    The sentences are few, so that one address fills no list.
    """
    if isinstance(failed, ssl.SSLEOFError):
        return None
    if isinstance(failed, ssl.SSLCertVerificationError):
        text = f"The client's certificate cannot be accepted: {failed.verify_message}."
        if failed.verify_code in _NOBODY_KNOWN:
            text = _STRANGE
        return Refusal("tls", text, "mqtt", address)
    reason = failed.reason or "UNKNOWN"
    if reason in _NOT_TLS:
        spoke = "HTTP" if reason.startswith("HTTP") else "The client"
        text = (
            f"{spoke} came without TLS to the port of MQTT over TLS. Switch TLS on in the client, "
            f"or use port {plain_port}, which is without encryption."
        )
        return Refusal("no-tls", text, "mqtt", address)
    reason = reason.rpartition("ALERT_")[2]
    text = _TOLD.get(reason) or f"The TLS handshake failed: {reason.replace('_', ' ').lower()}."
    return Refusal("tls", text, "mqtt", address)
