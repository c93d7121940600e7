"""The PROXY protocol, versions 1 and 2: who a proxy speaks for, said before all else.

Source: W. Tarreau, The PROXY protocol, versions 1 & 2 (HAProxy, 2020/03/05), sections 2.1 and 2.2.
Only the client's address is taken from a header. What a proxy says of the client's certificate is
left unread: a door believes the handshakes it has seen.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import TYPE_CHECKING, NamedTuple, cast

from moorage.plugin import Refusal

if TYPE_CHECKING:
    from .door import Door
    from .link import Link
    from .porch import Porch

Networks = Sequence[IPv4Network | IPv6Network]

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
# The longest line of version 1, with its end; the standard's own count.
_LINE = 107
_FIXED = 16
# What follows the fixed part of version 2: addresses, and more about the connection.
_MOST_REST = 4_096
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESSES = {0x1: 12, 0x2: 36, 0x3: 216}
_LINE_OF = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?"
    rb"|TCP(?P<family>[46]) (?P<source>\S+) (?P<target>\S+) (?P<ports>\d{1,5} \d{1,5}))\r\n"
)

_HEADER_S = 5.0
UNTRUSTED = (
    "A PROXY protocol header came from an address that is none of the trusted proxies. Name the "
    "proxy in mqtt.trusted_proxies, or let it send no header."
)
_MISSING = (
    "A trusted proxy sent no PROXY protocol header. Let it send one (send-proxy-v2 in HAProxy, "
    "proxy_protocol in nginx), or take its address out of mqtt.trusted_proxies."
)
_LATE = "A trusted proxy did not send its PROXY protocol header in time."


class HeaderWrong(ValueError):
    """What came is no PROXY protocol header; says why."""


class Header(NamedTuple):
    """A header that has been read.

    Attributes:
        length: in bytes; what follows is the client's.
        source: the client's address; None where the proxy speaks for itself, or does not know.
    """

    length: int
    source: str | None


def begins(data: bytes) -> bool:
    """Tell whether a connection that begins so begins with a header."""
    return data.startswith((_V1, _V2[:5]))


def read_header(data: bytes) -> Header | None:
    """Read the header that a connection begins with; None if there is more to come.

    Args:
        data: all that has come so far; what follows the header may be there as well.

    Raises:
        HeaderWrong: it is none, or not as the standard has it.
    """
    if data[: len(_V2)] == _V2[: len(data)]:
        return _read_v2(data)
    if data[: len(_V1)] == _V1[: len(data)]:
        return _read_v1(data)
    raise HeaderWrong(_MISSING)


def _read_v1(data: bytes) -> Header | None:
    end = data.find(b"\n", 0, _LINE) + 1
    if not end:
        if len(data) >= _LINE:
            raise HeaderWrong("A line of the PROXY protocol is longer than 107 bytes.")
        return None
    found = _LINE_OF.fullmatch(data[:end])
    if found is None:
        raise HeaderWrong("A line of the PROXY protocol cannot be read.")
    if found["family"] is None:
        return Header(end, None)
    family = IPv4Address if found["family"] == b"4" else IPv6Address
    try:
        source, _ = (family(found[name].decode()) for name in ("source", "target"))
    except ValueError as wrong:  # What is no ASCII is no address either.
        raise HeaderWrong("A line of the PROXY protocol has an address that is none.") from wrong
    if "%" in str(source) or any(int(port) > 65_535 for port in found["ports"].split()):
        raise HeaderWrong("A line of the PROXY protocol has a port or a zone that is none.")
    return Header(end, plain(source))


def _read_v2(data: bytes) -> Header | None:
    if len(data) < _FIXED:
        return None
    command, family = data[12], data[13] >> 4
    rest = int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise HeaderWrong("A header of the PROXY protocol has an unknown version or command.")
    if rest > _MOST_REST:
        raise HeaderWrong("A header of the PROXY protocol is longer than 4,112 bytes.")
    if command == _PROXY and rest < _ADDRESSES.get(family, 0):
        raise HeaderWrong("A header of the PROXY protocol is too short for its addresses.")
    length = _FIXED + rest
    if len(data) < length:
        return None
    if command == _LOCAL or family not in (0x1, 0x2):
        return Header(length, None)
    size = 4 if family == 0x1 else 16
    return Header(length, plain(ip_address(data[_FIXED : _FIXED + size])))


def plain(address: IPv4Address | IPv6Address) -> str:
    """Write an address, one of IPv4 in the form of IPv6 as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def is_among(address: str, networks: Networks) -> bool:
    """Tell whether an address is in one of the networks."""
    try:
        found = ip_address(plain(ip_address(address)))
    except ValueError:
        return False
    return any(found in network for network in networks)


class Doorstep(asyncio.Protocol):
    """A connection until it is known whose it is; then what it was made for takes it over.

    Args:
        door: whose it is.
        make: makes what comes after the header.
    """

    def __init__(self, door: Door, make: Callable[[], Link | Porch]) -> None:
        self._door = door
        self._make = make
        self._transport: asyncio.Transport
        self._address = ""
        self._data = b""
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Await the header of a trusted proxy; hand everybody else over."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if not peer:
            # It is gone already, as balancers go that only look: nobody can tell who it was.
            self.abort()
            return
        self._address = peer[0]
        if not is_among(self._address, self._door.settings.trusted_proxies):
            self._hand_over("", b"")
        elif not self._door.has_room(self._address):
            self.abort()
        else:
            self._door.handshakes.add(self)
            loop = asyncio.get_running_loop()
            self._late = loop.call_later(_HEADER_S, self._refuse, _LATE)

    def data_received(self, data: bytes) -> None:
        """Read the header."""
        self._data += data
        try:
            header = read_header(self._data)
        except HeaderWrong as wrong:
            self._refuse(str(wrong))
            return
        if header is not None:
            self._settle()
            self._hand_over(header.source or "", self._data[header.length :])

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that ended before: balancers look so whether the door is open."""
        self._settle()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _hand_over(self, address: str, rest: bytes) -> None:
        inner = self._make()
        inner.address = address
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        if rest and not self._transport.is_closing():
            inner.data_received(rest)

    def _refuse(self, text: str) -> None:
        self._settle()
        self._door.host.refused(Refusal("proxy", text, "mqtt", self._address))
        self._transport.abort()

    def _settle(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self._door.handshakes.discard(self)
