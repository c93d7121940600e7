"""Asking an HTTP server at an address that people name, past the guard of `outbound`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import httpcore2

from moorage.kit.errors import Kind, MoorageError
from moorage.kit.outbound import Outbound

_NONE: Mapping[str, str] = MappingProxyType({})


class NotFetched(MoorageError):
    """The file could not be read."""

    kind = Kind.UPSTREAM
    code = "outbound.not_fetched"
    message = "{url} could not be fetched: {reason}."


class Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that the guard has checked, and to no other."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: httpcore2.ConnectError = httpcore2.ConnectError(f"{host} has no address")
        for address in await self._outbound.resolve(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address)
            except httpcore2.ConnectError as failed:
                failure = failed
        raise failure


async def fetch(
    outbound: Outbound,
    url: str,
    *,
    most_bytes: int,
    timeout_s: float,
    method: str = "GET",
    headers: Mapping[str, str] = _NONE,
    taken: Collection[int] = (200,),
) -> bytes:
    """Read what stands at an http or https address; no redirect is followed.

    Args:
        outbound: the guard.
        url: where.
        most_bytes: of the answer.
        timeout_s: until the answer is whole.
        method: what is asked.
        headers: what goes with it.
        taken: which statuses of the answer are good ones.

    Raises:
        NotFetched: it does not answer in time, not well, or with more than `most_bytes`.
        HostUnknown, AddressForbidden: the guard's.
    """
    status, found = await ask(
        outbound, method, url, headers=headers, most_bytes=most_bytes, timeout_s=timeout_s
    )
    if status not in taken:
        raise NotFetched(url=url, reason=f"the answer is {status}")
    return found


async def ask(
    outbound: Outbound,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] = _NONE,
    body: bytes | None = None,
    trust: ssl.SSLContext | None = None,
    most_bytes: int,
    timeout_s: float,
) -> tuple[int, bytes]:
    """Send one request past the guard; give the answer's status and body. No redirect is followed.

    Args:
        outbound: the guard.
        method: of the request.
        url: an http or https address.
        headers: of the request.
        body: of the request.
        trust: whom TLS trusts; the system's authorities when None.
        most_bytes: what the answer may have.
        timeout_s: for the whole answer.

    Raises:
        NotFetched: it does not answer in time, or with more than `most_bytes`.
        HostUnknown, AddressForbidden: the guard's.
    """
    found = bytearray()
    pool = httpcore2.AsyncConnectionPool(
        ssl_context=trust or ssl.create_default_context(), network_backend=Guarded(outbound)
    )
    sent: list[tuple[bytes | str, bytes | str]] = list(headers.items())
    try:
        async with (
            asyncio.timeout(timeout_s),
            pool,
            pool.stream(method, url, headers=sent, content=body) as answer,
        ):
            async for chunk in answer.aiter_stream():
                found += chunk
                if len(found) > most_bytes:
                    raise NotFetched(url=url, reason=f"it has more than {most_bytes} bytes")
            return answer.status, bytes(found)
    except TimeoutError as late:
        raise NotFetched(url=url, reason=f"no whole answer in {timeout_s:g} s") from late
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol,
            httpcore2.TimeoutException, ssl.SSLError) as failed:  # fmt: skip
        raise NotFetched(url=url, reason=str(failed) or type(failed).__name__) from failed
