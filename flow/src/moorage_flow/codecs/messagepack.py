"""Events as MessagePack: one object after the other, each shaped as a line of JSON lines is.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from .events import (
    Batch,
    Decoded,
    Definitions,
    EventMalformed,
    FormatUnavailable,
    Refused,
    Shape,
    Writer,
    by_rows,
    fit_event,
    gather,
    plain,
    told,
)

_PIECE_BYTES = 1 << 16


def _library() -> Any:
    try:
        import msgpack
    except ImportError:
        raise FormatUnavailable("MessagePack needs moorage-flow[msgpack]") from None
    return msgpack


def read(file: BinaryIO, shape: Shape, size: int, refused: Refused) -> Iterator[Batch]:
    """Read objects; behind bytes that are no MessagePack nothing can be found any more.

    Raises:
        FormatUnavailable: `msgpack` is not installed.
    """
    return gather(shape, _events(file, shape, refused, _library()), size)


def _events(file: BinaryIO, shape: Shape, refused: Refused, library: Any) -> Iterator[Decoded]:
    unpacker = library.Unpacker(unicode_errors="surrogateescape", strict_map_key=False)
    number = fed = whole = 0
    while piece := file.read(_PIECE_BYTES):
        unpacker.feed(piece)
        fed += len(piece)
        while True:
            try:
                given = unpacker.unpack()
            except library.OutOfData:
                break
            except (ValueError, TypeError, library.UnpackException) as error:
                refused(EventMalformed("event", number + 1, f"is no MessagePack: {error}"))
                return
            number += 1
            whole = unpacker.tell()
            try:
                event = fit_event(shape, given)
            except ValueError as error:
                refused(EventMalformed("event", number, str(error)))
            else:
                yield event
    if whole != fed:
        refused(EventMalformed("event", number + 1, "breaks off"))


def writer(file: BinaryIO, definitions: Definitions) -> Writer:
    """Give what writes one object a row. Raises FormatUnavailable."""
    packer = _library().Packer(default=plain)

    def write(name: str, ts: int, came: list[tuple[Any, ...]], left: list[tuple[Any, ...]]) -> None:
        for row in told(definitions, name, ts, came, left):
            file.write(packer.pack(row))

    return by_rows(write)
