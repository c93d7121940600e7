"""TLS of the MQTT door: records cut anywhere, several at once, large ones, broken ones, the end."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builtin.transports.test_mqtt import House, a_certificate, a_house, until
from moorage_mqtt import V5, ClientConnection, Subscription

PATIENCE_S = 30.0


@dataclass
class Wire:
    """A client that holds its records in its own hands."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    tls: ssl.SSLObject

    async def shake_hands(self, piece: int) -> None:
        """Do the handshake, sending so many bytes at a time."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.send(piece)
                self.incoming.write(await self.read())
            else:
                return await self.send(piece)

    async def send(self, piece: int = 1 << 20) -> None:
        """Send what is to be sent, so many bytes at a time."""
        data = self.outgoing.read()
        for at in range(0, len(data), piece):
            self.writer.write(data[at : at + piece])
            await self.writer.drain()
            await asyncio.sleep(0)

    async def read(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read(65_536)

    async def plain(self, size: int) -> bytes:
        """Read so many decrypted bytes."""
        found = b""
        while len(found) < size:
            try:
                found += self.tls.read(65_536)
            except ssl.SSLWantReadError:
                if not (data := await self.read()):
                    raise EOFError(found) from None
                self.incoming.write(data)
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    authority, context = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=authority)
    trusting.check_hostname = False
    async with a_house(trusting, tls=context) as one:
        one.host.add_device("dev")
        yield one


async def dial(
    house: House, *, piece: int = 1 << 20, version: ssl.TLSVersion | None = None
) -> Wire:
    assert house.trusting is not None
    if version is not None:
        house.trusting.maximum_version = version
    reader, writer = await asyncio.open_connection("127.0.0.1", house.door.ports[1])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = house.trusting.wrap_bio(incoming, outgoing)
    wire = Wire(reader, writer, incoming, outgoing, tls)
    await wire.shake_hands(piece)
    return wire


def hello() -> ClientConnection:
    return ClientConnection(
        "dev", now=0.0, version=V5, username="dev", password=b"ved", keep_alive_s=0
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
async def test_records_may_be_cut_anywhere_and_come_together(
    house: House, piece: int, version: ssl.TLSVersion
) -> None:
    wire, core = await dial(house, piece=piece, version=version), hello()
    wire.tls.write(core.take())
    await wire.send(piece)
    core.receive(await wire.plain(5), 0.0)
    for n in range(50):  # Fifty records in one piece, or in hundreds.
        core.publish("v1/up", b"%d" % n, qos=1, now=0.0)
        wire.tls.write(core.take())
    await wire.send(piece)
    await until(lambda: len(house.host.stored) == 50, PATIENCE_S)
    assert house.host.payloads() == [b"%d" % n for n in range(50)]
    wire.writer.close()


async def test_a_large_message_takes_many_records_both_ways(house: House) -> None:
    wire, core = await dial(house), hello()
    wire.tls.write(core.take())
    await wire.send()
    core.receive(await wire.plain(5), 0.0)
    core.subscribe(Subscription("v1/op/+", 1))
    body = bytes(range(256)) * 800
    core.publish("v1/up", body, qos=1, now=0.0)
    data = core.take()
    for at in range(0, len(data), 16_384):
        wire.tls.write(data[at : at + 16_384])
    await wire.send()
    await until(lambda: house.host.stored and house.host.connected())
    assert house.host.payloads() == [body]
    assert house.host.deliver(house.command(body))
    received = await wire.plain(len(body))
    assert body[:1_000] in received
    wire.writer.close()


async def test_whoever_says_that_nothing_follows_is_told_the_same(house: House) -> None:
    wire, core = await dial(house), hello()
    wire.tls.write(core.take())
    await wire.send()
    await wire.plain(5)
    with pytest.raises(ssl.SSLWantReadError):
        wire.tls.unwrap()
    await wire.send()
    wire.incoming.write(await wire.reader.read())
    wire.tls.unwrap()
    await until(lambda: house.host.presences[-1].cause == "lost")
    wire.writer.close()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x20" + bytes(32)])
async def test_what_is_no_record_ends_its_connection_alone(house: House, junk: bytes) -> None:
    other = await house.connect(client_id="other")
    wire, core = await dial(house), hello()
    wire.tls.write(core.take())
    await wire.send()
    await wire.plain(5)
    wire.writer.write(junk)
    wire.incoming.write(await wire.reader.read())
    with pytest.raises(ssl.SSLError):
        await wire.plain(1)
    wire.writer.close()
    other.core.publish("v1/up", b"still here", qos=1, now=0.0)
    other.send()
    await until(lambda: house.host.payloads() == [b"still here"])


async def test_a_handshake_under_way_ends_with_the_door(tmp_path: Path) -> None:
    _, context = a_certificate(tmp_path)
    async with a_house(tls=context) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.door.ports[1])
        writer.write(b"\x16\x03")
        await asyncio.sleep(0.05)
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


async def test_a_session_is_resumed_without_a_new_certificate(house: House) -> None:
    assert house.trusting is not None
    house.trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    first = await dial(house)
    session = first.tls.session
    first.writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.door.ports[1])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = house.trusting.wrap_bio(incoming, outgoing, session=session)
    again = Wire(reader, writer, incoming, outgoing, tls)
    await again.shake_hands(1 << 20)
    assert again.tls.session_reused
    again.writer.close()
