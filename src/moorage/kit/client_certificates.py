"""The certificate by which a client proved itself to the proxy that ends its TLS (RFC 9440).

The proxy has seen the client prove the key; whose certificate it is, and whether it holds, is
decided here, by whoever asks for it. So whatever the proxy is told to check, nothing more is
believed of it than the certificate itself.
"""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final
from urllib.parse import unquote_to_bytes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER: Final = "Client-Cert"
MOST_BYTES: Final = 16_384
# Stands for a header that holds no certificate: it is one of nobody's, and refused as such.
UNREADABLE: Final = b"\0"
UNTRUSTED: Final = (
    "A client certificate came in a header from an address that is not in api.trusted_proxies. It "
    "was not read."
)
_SHOWN, _STRAY = "client_certificate", "stray_client_certificate"
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


class PassedOn:
    """ASGI application that takes the certificate out of the header for the one behind it.

    The header is taken off every request: what is behind sees only what was believed. From an
    address that is no proxy's it is not read, so that nobody comes in by it; nor is the request
    refused, for whoever shows something else beside it may still come in.

    Args:
        app: what is behind.
        header: its name, in any case.
        trusted: addresses and networks of proxies, by which the connection itself must come.
    """

    def __init__(self, app: App, header: str, trusted: Sequence[str]) -> None:
        self._app = app
        self._header = header.lower().encode()
        networks = [ip_network(text) for text in trusted]

        @lru_cache(maxsize=4_096)
        def trusts(host: str) -> bool:
            try:
                address = ip_address(host)
            except ValueError:
                return False
            return any(address in network for network in networks)

        self._trusts = trusts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "http":
            found = [value for name, value in scope["headers"] if name == self._header]
            if found:
                scope["headers"] = [pair for pair in scope["headers"] if pair[0] != self._header]
                client = scope.get("client")
                state = scope.setdefault("state", {})
                if client is None or not self._trusts(client[0]):
                    state[_STRAY] = True
                elif len(found) > 1:
                    state[_SHOWN] = UNREADABLE
                elif found[0]:
                    state[_SHOWN] = read(found[0])
        await self._app(scope, receive, send)


def shown(scope: Scope) -> bytes:
    """Give the certificate that the client of a request proved to hold, as DER; or nothing."""
    found: bytes = scope.get("state", {}).get(_SHOWN, b"")
    return found


def is_stray(scope: Scope) -> bool:
    """Tell whether somebody sent a certificate in the header who is nobody to do so."""
    return _STRAY in scope.get("state", {})


def read(value: bytes) -> bytes:
    """Read the header: one certificate, as DER; `UNREADABLE` if it holds anything else.

    Understood are `:BASE64:` (RFC 9440, section 2.2; RFC 8941, section 3.3.5), URL-encoded PEM as
    nginx (`$ssl_client_escaped_cert`) and Envoy (`%DOWNSTREAM_PEER_CERT%`) write it, and base64
    alone, URL-encoded or not, as Traefik does. Whether it is a certificate shows when it is asked
    whose it is.
    """
    if value.startswith(b":"):
        if len(value) < len(b"::") or not value.endswith(b":"):
            return UNREADABLE
        coded = value[1:-1]
    else:
        coded = unquote_to_bytes(value).strip()
        if coded.startswith(_BEGIN):
            coded, end, rest = coded[len(_BEGIN) :].partition(_END)
            if not end or rest:
                return UNREADABLE
            coded = b"".join(coded.split())
    try:
        der = binascii.a2b_base64(coded, strict_mode=True)
    except binascii.Error:
        return UNREADABLE
    return der if 0 < len(der) <= MOST_BYTES else UNREADABLE
