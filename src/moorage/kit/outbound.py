"""Connections to addresses that people name, guarded against reaching inside (SSRF).

The guard sits where the connection is made: a name is resolved once, each address is checked, and
the checked address is the one connected to. A redirect or a name that changes its mind (DNS
rebinding) therefore passes the same check as the first connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl as tls
import tempfile
from collections.abc import Callable, Iterable
from typing import TypeVar

from moorage.kit.errors import FieldInvalid, Kind, MoorageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
P = TypeVar("P", bound=asyncio.BaseProtocol)

LOOPBACK = ("127.0.0.0/8", "::1/128")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class AddressForbidden(MoorageError):
    """The address lies where the operator has not allowed connections to."""

    kind = Kind.INVALID
    code = "outbound.address_forbidden"
    message = (
        "{host} leads to {address}, which this installation may not connect to. An operator can "
        "allow it by putting the host or its network into the setting targets.allowed."
    )


class HostUnknown(MoorageError):
    """The name cannot be resolved."""

    kind = Kind.UPSTREAM
    code = "outbound.host_unknown"
    message = "The host {host} cannot be found: {reason}."


class Outbound:
    """Opens connections to public addresses, and to what the operator allows beyond.

    Args:
        allowed: networks (`10.1.0.0/16`), addresses, host names (`influx.lan`) or names with all
            below them (`*.lan`); a name allowed may lead to any address.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allow(allowed)

    def allow(self, allowed: Iterable[str]) -> None:
        """Allow these and nothing else beyond public addresses, from the next connection on."""
        self._networks: list[Network] = []
        self._hosts: set[str] = set()
        self._suffixes: list[str] = []
        for entry in allowed:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                if entry.startswith("*."):
                    self._suffixes.append(entry[1:].lower())
                else:
                    self._hosts.add(entry.lower().rstrip("."))

    def permits(self, address: Address) -> bool:
        """Tell whether an address may be connected to."""
        inner = _unwrapped(address)
        if any(a.version == n.version and a in n for a in (address, inner) for n in self._networks):
            return True
        return all(a.is_global and not a.is_multicast for a in (address, inner))

    async def resolve(self, host: str, port: int) -> list[str]:
        """Give the addresses of `host`, all of them checked.

        Raises:
            HostUnknown: there are none.
            AddressForbidden: one of them may not be reached.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as failed:
            reason = getattr(failed, "strerror", None) or failed
            raise HostUnknown(host=host, reason=str(reason)) from failed
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._trusts(host):
            for text in addresses:
                if not self.permits(ipaddress.ip_address(text.partition("%")[0])):
                    raise AddressForbidden(host=host, address=text)
        return addresses

    async def connect(
        self,
        protocol: Callable[[], P],
        host: str,
        port: int,
        *,
        ssl: tls.SSLContext | None = None,
    ) -> tuple[asyncio.Transport, P]:
        """Connect to `host`, trying its addresses in turn; TLS checks the certificate for `host`.

        Raises:
            HostUnknown, AddressForbidden.
            OSError: no address answered, or TLS failed (`ssl.SSLError` is one).
        """
        loop = asyncio.get_running_loop()
        failure: OSError = OSError(f"{host} has no address")
        for address in await self.resolve(host, port):
            try:
                return await loop.create_connection(
                    protocol, address, port, ssl=ssl, server_hostname=host if ssl else None
                )
            except tls.SSLError:
                raise
            except OSError as failed:
                failure = failed
        raise failure

    def _trusts(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return name in self._hosts or any(name.endswith(suffix) for suffix in self._suffixes)


def said(failed: Exception, host: str, port: int) -> str:
    """Say in one sentence why no connection could be made; for the person who mends it."""
    where = f"{host}:{port}"
    if isinstance(failed, tls.SSLCertVerificationError):
        return f"The certificate of {host} is not trusted: {failed.verify_message}"
    if isinstance(failed, tls.SSLError):
        return f"TLS failed: {failed.reason or failed}."
    if isinstance(failed, OSError):
        return f"No connection to {where}: {failed.strerror or failed}."
    return str(failed)


def client_context(
    authority: str | None, certificate: str | None, key: str | None, at: str = "/settings/tls"
) -> tls.SSLContext:
    """Make a context that checks the server's certificate and name.

    Args:
        authority: PEM of the authorities to trust instead of the system's.
        certificate: PEM of our certificate and its chain.
        key: PEM of its private key.
        at: JSON Pointer of what holds `authority` and `clientCertificate`.

    Raises:
        FieldInvalid: a PEM text is none, or key and certificate do not belong together.
    """
    try:
        made = tls.create_default_context(cadata=authority or None)
    except (tls.SSLError, ValueError) as wrong:
        raise FieldInvalid(f"{at}/authority", "must be certificates in PEM") from wrong
    made.minimum_version = tls.TLSVersion.TLSv1_2
    if certificate is None:
        return made
    if key is None:
        raise FieldInvalid("/secrets/clientKey", "is needed with a client certificate")
    # OpenSSL reads a chain from a file only.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate + "\n" + key)
        file.flush()
        try:
            made.load_cert_chain(file.name)
        except (tls.SSLError, OSError) as wrong:
            raise FieldInvalid(
                f"{at}/clientCertificate",
                "must be a certificate in PEM that belongs to the key in secrets.clientKey, "
                "which must have no passphrase",
            ) from wrong
    return made


def _unwrapped(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address carries, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
