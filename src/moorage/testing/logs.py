"""What every message log must do; a log's tests call `check_log` with a way to make one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from moorage.ledger import Envelope, Frame, Log, unpack

MakeLog = Callable[[], Awaitable[Log]]
_decode = msgspec.msgpack.Decoder(list[str]).decode
_encode = msgspec.msgpack.Encoder().encode


def frames(*texts: str, key: bytes | None = None) -> list[Frame]:
    """Make frames of texts."""
    return [Frame(_encode(text), key) for text in texts]


def texts(envelopes: list[Envelope], after: int) -> list[str]:
    """Give the texts from a position on."""
    found = []
    for envelope in envelopes:
        found += _decode(unpack(envelope.body))[max(0, after - envelope.first) :]
    return found


async def check_log(make: MakeLog) -> None:
    """Check a new, empty log. Raises AssertionError."""
    await check_order(await make())
    await check_keys(await make())
    await check_gapless(await make())
    await check_trim(await make())


async def check_order(log: Log) -> None:
    """What was appended is read in order, from any position on."""
    first = await log.append(0, frames("a", "b"))
    second = await log.append(0, frames("c"))
    assert first.first is not None
    assert second.first == first.first + 2
    assert texts(await log.read(0, first.first, 10), first.first) == ["a", "b", "c"]
    assert texts(await log.read(0, first.first + 1, 10), first.first + 1) == ["b", "c"]
    assert await log.read(0, first.first + 3, 10) == []
    assert [e.count for e in await log.read(0, first.first, 1)] == [2]


async def check_keys(log: Log) -> None:
    """A key that is known is not kept again, neither later nor within one call."""
    first = await log.append(0, [*frames("a", key=b"1"), *frames("b", key=b"2")])
    again = await log.append(0, [*frames("a2", key=b"1"), *frames("c", key=b"3")])
    twice = await log.append(0, [*frames("d", key=b"4"), *frames("d2", key=b"4")])
    nothing = await log.append(0, frames("a3", key=b"1"))
    assert first.repeats == frozenset()
    assert again.repeats == {0}
    assert twice.repeats == {1}
    assert nothing.first is None
    assert first.first is not None
    assert texts(await log.read(0, first.first, 10), first.first) == ["a", "b", "c", "d"]


async def check_gapless(log: Log) -> None:
    """Positions have no gaps, however many append at once."""
    await asyncio.gather(*(log.append(0, frames(str(n))) for n in range(20)))
    envelopes = await log.read(0, 1, 1000)
    position = envelopes[0].first
    for envelope in envelopes:
        assert envelope.first == position
        position += envelope.count
    assert sorted(texts(envelopes, 1)) == sorted(str(n) for n in range(20))


async def check_trim(log: Log) -> None:
    """What is trimmed is gone, and the rest keeps its positions."""
    first = await log.append(0, frames("a"))
    second = await log.append(0, frames("b"))
    assert first.first is not None
    assert second.first is not None
    await log.trim(0, second.first)
    kept = await log.read(0, first.first, 10)
    assert [e.first for e in kept] == [second.first]
