"""The PROXY protocol: headers read and refused, and whom a door believes."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin.transports.test_mqtt import House, a_certificate, a_house, run, until
from moorage.builtin.transports.mqtt import proxied
from moorage.builtin.transports.mqtt.proxied import Header, HeaderWrong, read_header
from moorage.builtin.transports.mqtt.settings import default_limits
from moorage_mqtt import ClientConnection

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
LOOPBACK = (ip_network("127.0.0.0/8"),)
PATIENCE_S = 30.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

addresses = st.ip_addresses(v=4) | st.ip_addresses(v=6)
ports = st.integers(0, 65_535)


def v1(source: str, port: int = 1, target: str | None = None) -> bytes:
    family = ip_address(source).version
    target = target or ("192.0.2.1" if family == 4 else "2001:db8::1")
    return f"PROXY TCP{family} {source} {target} {port} 1883\r\n".encode()


def v2(source: str, port: int = 1, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    address = ip_address(source)
    family = 0x11 if address.version == 4 else 0x21
    body = address.packed * 2 + struct.pack("!HH", port, 1883) + tlvs
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


# --- The header -----------------------------------------------------------------------------------


@given(addresses, ports, st.binary(max_size=50), st.booleans())
def test_a_header_is_read_however_it_is_cut_and_takes_nothing_of_what_follows(
    source: object, port: int, rest: bytes, is_old: bool
) -> None:
    whole = (v1 if is_old else v2)(str(source), port)
    for at in range(1, len(whole)):
        assert read_header(whole[:at]) is None
    mapped = getattr(source, "ipv4_mapped", None)
    assert read_header(whole + rest) == Header(len(whole), str(mapped or source))


@given(st.binary(min_size=1, max_size=300))
@pytest.mark.parametrize("start", [b"", b"PROXY ", b"PROXY TCP4 1.2.3.4 ", SIGNATURE + b"\x21"])
def test_whatever_comes_is_read_awaited_or_refused(start: bytes, data: bytes) -> None:
    with suppress(HeaderWrong):
        header = read_header(start + data)
        if header is None:
            assert len(start + data) < 16 + 4_096
        else:
            assert header.length <= len(start + data)


@given(st.binary(max_size=2_000))
def test_what_a_proxy_tells_besides_is_left_unread(tlvs: bytes) -> None:
    # Such as PP2_TYPE_SSL with the common name of a client's certificate (section 2.2.5).
    for more in tlvs, tlv(0x20, b"\x07\0\0\0\0" + tlv(0x22, b"somebody")):
        whole = v2("203.0.113.9", tlvs=more)
        assert read_header(whole) == Header(len(whole), "203.0.113.9")


def test_a_proxy_may_speak_for_itself_or_not_know() -> None:
    assert read_header(v2("203.0.113.9", command=0x20)) == Header(28, None)
    assert read_header(SIGNATURE + b"\x20\0\0\0") == Header(16, None)
    assert read_header(SIGNATURE + b"\x21\0\0\0") == Header(16, None)
    assert read_header(SIGNATURE + b"\x21\x31\0\xd8" + bytes(216)) == Header(232, None)
    assert read_header(b"PROXY UNKNOWN\r\nrest") == Header(15, None)
    assert read_header(b"PROXY UNKNOWN ff ff 1 2\r\n") == Header(25, None)


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\x0c\x00\x04MQTT",
        b"GET / HTTP/1.1\r\n",
        b"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        b"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP4 \xff.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY " + b"x" * 101,
        SIGNATURE + b"\x11\x11\0\x0c" + bytes(12),
        SIGNATURE + b"\x22\x11\0\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
        SIGNATURE + b"\x21\x21\0\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(HeaderWrong):
        read_header(data)


# --- The door -------------------------------------------------------------------------------------


@pytest.fixture(params=["tcp", "tls"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    trusting = context = None
    if request.param == "tls":
        authority, context = a_certificate(tmp_path)
        trusting = ssl.create_default_context(cafile=authority)
        trusting.check_hostname = False
    async with a_house(trusting, tls=context, trusted_proxies=LOOPBACK) as one:
        one.host.add_device("dev")
        yield one


@asynccontextmanager
async def open_socket(
    port: int,
) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def relay(house: House, header: bytes, *, piece: int = 1 << 20) -> AsyncIterator[int]:
    """Stand in front of the door as a proxy does; give the port."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = house.door.ports[0 if house.trusting is None else 1]
        async with open_socket(port) as (inner_reader, inner_writer):
            for at in range(0, len(header), piece):
                inner_writer.write(header[at : at + piece])
                await inner_writer.drain()
                await asyncio.sleep(0.001)
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
            with suppress(ConnectionError):
                await writer.wait_closed()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
        async with asyncio.timeout(PATIENCE_S):
            await done.wait()
    finally:
        server.close()


async def answered(house: House, begin: bytes, *, secure: bool = False) -> bytes:
    """Say something to a port at once, in the clear, and give what it says until it closes."""
    async with open_socket(house.door.ports[int(secure)]) as (reader, writer):
        writer.write(begin)
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                return await reader.read(100)
        return b""


@pytest.mark.parametrize("piece", [1, 9, 1 << 20])
@pytest.mark.parametrize(
    ("header", "address"),
    [
        (v1("203.0.113.9"), "203.0.113.9"),
        (v2("2001:db8::9", tlvs=tlv(0x04, bytes(700))), "2001:db8::9"),
        (v1("::ffff:203.0.113.9"), "203.0.113.9"),
        (SIGNATURE + b"\x20\0\0\0", "127.0.0.1"),
    ],
)
async def test_who_comes_through_a_trusted_proxy_is_known_by_his_own_address(
    house: House, header: bytes, address: str, piece: int, tmp_path: Path
) -> None:
    sealed = [] if house.trusting is None else ["--cafile", str(tmp_path / "server.pem")]
    async with relay(house, header, piece=piece) as port:
        to = ["-h", "127.0.0.1", "-p", str(port), *sealed, "-t", "v1/up", "-m", "1", "-q", "1"]
        await run("mosquitto_pub", *to, "-u", "dev", "-P", "ved")
    await until(lambda: len(house.host.presences) == 2)
    assert {one.address for one in house.host.presences} == {address}
    assert house.host.payloads() == [b"1"]
    assert not house.host.refusals


async def test_a_trusted_proxy_without_a_header_is_refused_and_listed(house: House) -> None:
    core = ClientConnection("dev", now=0.0, username="dev", password=b"ved")
    assert await answered(house, core.take()) == b""
    (refusal,) = house.host.refusals
    assert (refusal.reason, refusal.address) == ("proxy", "127.0.0.1")
    assert "no PROXY protocol header" in refusal.detail
    assert not house.host.presences


async def test_a_header_that_does_not_come_is_not_awaited_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxied, "_HEADER_S", 0.05)
    assert await answered(house, b"PROXY TCP4 1.2.3.4 5.6.7.8 ") == b""
    (refusal,) = house.host.refusals
    assert (refusal.reason, "in time" in refusal.detail) == ("proxy", True)


async def test_a_balancer_that_only_looks_is_nobody_s_mistake(house: House) -> None:
    for begin in b"", SIGNATURE + b"\x20\0\0\0":
        async with open_socket(house.door.ports[0]) as (_, writer):
            writer.write(begin)
    await asyncio.sleep(0.05)
    assert not house.host.refusals


@pytest.mark.parametrize("header", [v1("203.0.113.9"), v2("203.0.113.9")])
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("others", [(), (ip_network("192.0.2.0/24"),)])
async def test_a_header_of_somebody_else_is_refused_and_listed(
    header: bytes, secure: bool, others: proxied.Networks, tmp_path: Path
) -> None:
    _, context = a_certificate(tmp_path)
    async with a_house(tls=context, trusted_proxies=others) as house:
        house.host.add_device("dev")
        core = ClientConnection("dev", now=0.0, username="dev", password=b"ved")
        assert await answered(house, header + core.take(), secure=secure) == b""
        (refusal,) = house.host.refusals
        assert (refusal.reason, refusal.address) == ("proxy", "127.0.0.1")
        assert not house.host.presences


async def test_connections_that_owe_a_header_count_as_connections() -> None:
    limits = replace(default_limits(), connect_timeout_s=5.0)
    async with a_house(trusted_proxies=LOOPBACK, connections=3, limits=limits) as house:
        async with AsyncExitStack() as waiting:
            for _ in range(3):
                await waiting.enter_async_context(open_socket(house.door.ports[0]))
            assert await answered(house, v2("203.0.113.9")) == b""
        assert [one.reason for one in house.host.refusals] == ["overload"]
