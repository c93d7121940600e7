"""Reading by position, and where consumers stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from operator import itemgetter

import msgspec

from moorage.kit.db import Tx

from .. import store
from ..errors import PositionGone
from ..model import (
    Block,
    Envelope,
    Frame,
    LogName,
    Position,
    RawMessage,
    Standing,
    pack,
    unpack,
    unpack_block,
)
from .days import make_days

_messages = msgspec.msgpack.Decoder(list[RawMessage])
_frame = msgspec.msgpack.Encoder().encode

FIRST_DAY = date(2000, 1, 1)
# A transaction that began before midnight may take its position after one that began later: a
# position may lie in the day before that of the one before it.
MIDNIGHT = timedelta(days=1)


def messages(envelope: Envelope) -> list[RawMessage]:
    """Decode an envelope of the raw log."""
    return _messages.decode(unpack(envelope.body))


def frame_of(message: RawMessage) -> Frame:
    """Make the frame of a message; a sender's own id becomes its key."""
    return Frame(_frame(message), message.id if message.own_id else None)


async def open_log(tx: Tx, partitions: int) -> int:
    """Make partitions and days on a new installation; give the number of partitions."""
    await make_days(tx)
    return await store.open_partitions(tx, partitions)


async def position_of(
    tx: Tx, consumer: str, log_name: LogName, partition: int, *, from_start: bool = True
) -> Position:
    """Tell where a consumer stands; a new one begins at the start of what is kept."""
    return await store.position_of(tx, consumer, log_name, partition, from_start=from_start)


async def end_of(tx: Tx, log_name: LogName, partition: int) -> Position:
    """Give the position the next frame will get."""
    return Position(await store.next_position(tx, log_name, partition), tx.now.date())


async def partitions_of(tx: Tx) -> list[int]:
    """List the partitions of the logs."""
    return await store.partitions_of(tx)


async def standings(tx: Tx) -> list[Standing]:
    """Tell how far each log has come, and how far behind each consumer is; for operators."""
    return await store.standings(tx)


async def read(
    tx: Tx, log_name: LogName, partition: int, position: Position, limit: int
) -> list[Envelope]:
    """Read whole envelopes from a position on, about `limit` frames."""
    since = position.day - MIDNIGHT
    return await store.read(tx, log_name, partition, position.next, since, limit)


def at_end(frames: int) -> bool:
    """Tell whether a read that gave so many frames came to the end; a ring tells of the next."""
    return frames < store.MOST_ENVELOPES


def after(envelope: Envelope) -> Position:
    """Give the position behind an envelope."""
    return Position(envelope.first + envelope.count, envelope.day)


async def read_back(
    tx: Tx, log_name: LogName, partition: int, before: Position, most: int
) -> list[Envelope]:
    """Read at most so many whole envelopes that begin before a place, the newest first."""
    return await store.read_back(tx, log_name, partition, before, most)


async def move(
    tx: Tx, consumer: str, log_name: LogName, partition: int, was: Position, now: Position
) -> None:
    """Move a consumer on in the transaction that keeps what it derived. Raises PartitionLost."""
    await store.move(tx, consumer, log_name, partition, was, now)


async def place(tx: Tx, log_name: LogName, partition: int, frames: Sequence[bytes]) -> int:
    """Append frames within the caller's transaction; give the first position."""
    return await store.place(tx, log_name, partition, len(frames), pack(frames))


async def get(tx: Tx, device: int, partition: int, position: int) -> RawMessage:
    """Read one message as received; the caller has checked access to the device.

    Raises:
        PositionGone: it is past its retention, or another device's.
    """
    place = partition, position
    found = await get_many(tx, {place: device})
    if place not in found:
        raise PositionGone(position=position)
    return found[place]


async def get_many(
    tx: Tx, wanted: Mapping[tuple[int, int], int]
) -> dict[tuple[int, int], RawMessage]:
    """Read messages, given as device by (partition, position); what is gone is left out."""
    found: dict[tuple[int, int], RawMessage] = {}
    for partition, piece in await store.find(tx, wanted) if wanted else ():
        for n, message in _opened(piece):
            if wanted.get((partition, n)) == message.device:
                found[partition, n] = message
    return dict(sorted(found.items()))


async def read_of(
    tx: Tx, devices: Collection[int], partition: int, position: Position, until: date, limit: int
) -> tuple[list[tuple[int, RawMessage]], Position]:
    """Read what devices sent, from a position to the end of a day, wherever it lies.

    Gives at most about `limit` messages with their positions, perhaps none, and where to go on:
    where it began once there is nothing more.
    """
    since = Position(position.next, position.day - MIDNIGHT)
    pieces = await store.read_of(tx, devices, partition, since, until, limit) if devices else []
    found = [
        (n, message)
        for piece in pieces
        for n, message in _opened(piece, position.next)
        if message.device in devices
    ]
    if not pieces:
        return [], position
    found.sort(key=itemgetter(0))
    last = pieces[-1]
    if isinstance(last, Envelope):
        return found, Position(last.first + last.count, last.day)
    if len(found) <= limit:
        return found, Position(last.next, last.day)
    return found[:limit], Position(found[limit][0], last.day)


def _opened(piece: Envelope | Block, start: int = 0) -> list[tuple[int, RawMessage]]:
    """Decode what is not before position `start`."""
    if isinstance(piece, Block):
        return unpack_block(piece, start)
    skip = max(0, start - piece.first)
    return list(enumerate(messages(piece)[skip:], piece.first + skip))


async def is_behind(tx: Tx, most: int) -> bool:
    """Tell whether more than `most` entries of what was received wait to be processed."""
    received = [one for one in await store.standings(tx) if one.log is LogName.RAW]
    return any(count > most for one in received for count in one.waiting.values())
