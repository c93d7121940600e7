"""Messages as received, envelopes of them, and where they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
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


def message_key(device: int, own_id: str) -> bytes:
    """Make the 16-byte message id of a sender's own id; the same at every door."""
    return hashlib.blake2b(f"{device}:{own_id}".encode(), digest_size=16).digest()


def day_of(us: int) -> date:
    """Give the UTC day of an instant in microseconds."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).date()
