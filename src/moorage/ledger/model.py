"""Messages as received, envelopes of them, and where they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Any

import msgspec
import zstandard


class Protocol(IntEnum):
    """How a message came in."""

    HTTP = 1
    MQTT = 2


class LogName(IntEnum):
    """The two logs: what was received, and what was made of it."""

    RAW = 1
    DERIVED = 2


_compress = zstandard.ZstdCompressor(level=1).compress
_compress_well = zstandard.ZstdCompressor(level=9).compress
_decompress = zstandard.ZstdDecompressor().decompress

# The doorbell that rings when a log has grown.
CHANNEL = {LogName.RAW: "moorage_raw", LogName.DERIVED: "moorage_derived"}


class RawMessage(msgspec.Struct, array_like=True, gc=False):
    """One message as received.

    Attributes:
        device: the device's internal number.
        id: 16 bytes: the sender's own id (digested), the network's, or a UUIDv7 made at accept.
        received_us: microseconds since 1970, UTC.
        protocol: a `Protocol`.
        channel: what follows `v1/up/` in the topic or path; `op/{id}/result` and
            `twin/reported` for what is no telemetry.
        payload: the bytes, untouched.
        content_type: as the sender gave it, or empty.
        packet: the MQTT packet identifier at QoS 1 and 2, to recognise a repeat; else 0.
        device_us: the sender's own time, if it gave one.
        meta: transport data such as QoS, user properties, radio figures.
        own_id: whether `id` came from the sender or its network and is remembered for 48 hours.
    """

    device: int
    id: bytes
    received_us: int
    protocol: int
    channel: str
    payload: bytes
    content_type: str = ""
    packet: int = 0
    device_us: int | None = None
    meta: dict[str, Any] | None = None
    own_id: bool = False


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One entry of a log: MessagePack bytes, and a key if repeats must be recognised."""

    body: bytes
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one partition of a log has come.

    Attributes:
        kept: entries ever kept.
        waiting: by consumer, the entries it has not processed yet.
    """

    log: LogName
    partition: int
    kept: int
    waiting: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Appended:
    """Where frames were put.

    `first` is the position of the first frame kept; None if all were repeats. `repeats` are the
    indexes of frames that were known already and not kept again.
    """

    first: int | None
    repeats: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Envelope:
    """Consecutive frames, committed together: a MessagePack array of them."""

    first: int
    count: int
    day: date
    body: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """What one device sent within a stretch of positions of one closed day; see `pack_block`.

    The stretch goes from `first` to before `next`; it is the same for all its devices.
    """

    device: int
    first: int
    next: int
    day: date
    body: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has come in a partition: the next position, and the day it lies in."""

    next: int
    day: date


def pack(frames: Sequence[bytes]) -> bytes:
    """Join frames into the compressed body of an envelope: a MessagePack array of them."""
    return _compress(b"\xdd" + len(frames).to_bytes(4, "big") + b"".join(frames))


def unpack(body: bytes) -> bytes:
    """Give an envelope's MessagePack array."""
    return _decompress(body)


class _Kept(msgspec.Struct, array_like=True, gc=False):
    """A block's frames, verbatim, and how far each stands behind the one before."""

    steps: list[int]
    frames: list[msgspec.Raw]


class _Owner(msgspec.Struct, array_like=True, gc=False):
    """What a frame of the raw log begins with."""

    device: int


_encode = msgspec.msgpack.Encoder().encode
_kept = msgspec.msgpack.Decoder(_Kept).decode
_frames = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_owner = msgspec.msgpack.Decoder(_Owner).decode
_message = msgspec.msgpack.Decoder(RawMessage).decode


def by_device(envelope: Envelope) -> Iterator[tuple[int, int, msgspec.Raw]]:
    """Give device, position and frame of each message of the raw log."""
    for n, frame in enumerate(_frames(unpack(envelope.body)), envelope.first):
        yield _owner(frame).device, n, frame


def pack_block(first: int, frames: Sequence[tuple[int, msgspec.Raw]]) -> bytes:
    """Compress a device's frames, given by position, of a stretch that begins at `first`."""
    at = [first, *(n for n, _frame in frames)]
    steps = [n - before for before, n in pairwise(at)]
    return _compress_well(_encode(_Kept(steps, [frame for _n, frame in frames])))


def unpack_block(block: Block, start: int = 0) -> list[tuple[int, RawMessage]]:
    """Give a block's messages from position `start` on."""
    kept = _kept(_decompress(block.body))
    places = accumulate(kept.steps, initial=block.first)
    next(places)
    return [
        (n, _message(frame)) for n, frame in zip(places, kept.frames, strict=True) if n >= start
    ]


def message_key(device: int, own_id: str) -> bytes:
    """Make the 16-byte message id of a sender's own id; the same at every door."""
    return hashlib.blake2b(f"{device}:{own_id}".encode(), digest_size=16).digest()


def day_of(us: int) -> date:
    """Give the UTC day of an instant in microseconds."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).date()
