"""Events from files and rows into them, in columns: JSON lines, CSV, MessagePack, Arrow IPC.

JSON lines and CSV need the standard library only; msgspec makes JSON lines faster, with the same
rows. Extras: `moorage-flow[msgspec]`, `[msgpack]`, `[arrow]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from . import arrow, comma_separated, json_lines, messagepack
from .events import (
    Batch,
    Definitions,
    EventMalformed,
    FormatUnavailable,
    Refused,
    Shape,
    Writer,
)

__all__ = [
    "FORMATS",
    "Batch",
    "EventMalformed",
    "FormatUnavailable",
    "Shape",
    "Writer",
    "read",
    "writer",
]

_READERS: dict[str, Callable[[BinaryIO, Shape, int, Refused], Iterator[Batch]]] = {
    "jsonl": json_lines.read,
    "csv": comma_separated.read,
    "msgpack": messagepack.read,
    "arrow": arrow.read,
}

FORMATS = tuple(_READERS)


def read(
    form: str, file: BinaryIO, shape: Shape, *, size: int, refused: Refused
) -> Iterator[Batch]:
    """Read events in batches of up to `size`.

    What is no event is told to `refused` with its number and what is wrong with it, and the rest is
    read on, unless `refused` raises.

    Raises:
        FormatUnavailable: the format's library is missing, or the input as a whole does not fit.
    """
    return _READERS[form](file, shape, size, refused)


@contextmanager
def writer(
    form: str, file: BinaryIO, definitions: Definitions, *, time: str = "ts"
) -> Iterator[Writer]:
    """Write rows of the streams or queries of `definitions` within the context.

    CSV and Arrow tell one stream: the rows that come, and in the column `time` when (ms).

    Raises:
        FormatUnavailable: the format's library is missing, or it cannot hold these streams.
    """
    if form in {"arrow", "csv"}:
        make_table = arrow.writer if form == "arrow" else comma_separated.writer
        write, close = make_table(file, definitions, time)
        try:
            yield write
        finally:
            close()
    else:
        make = json_lines.writer if form == "jsonl" else messagepack.writer
        yield make(file, definitions)
