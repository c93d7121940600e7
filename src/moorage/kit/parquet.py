"""Write Parquet piece by piece, for downloads that nobody holds in memory.

Flat tables only: every column may be null, every piece of rows is a row group with one page a
column, plainly encoded and compressed with zstd, which takes care of repeated texts.

Source: Apache Parquet format 2.10 (`parquet.thrift`, Encodings.md); Thrift compact protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import numpy as np
import zstandard

_compress = zstandard.ZstdCompressor(level=3).compress
_MAGIC: Final = b"PAR1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLAIN, _RLE, _ZSTD, _OPTIONAL, _UTF8, _TIMESTAMP_MICROS = 0, 3, 6, 1, 0, 10
# Types of the compact protocol.
_TRUE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 5, 6, 8, 9, 12

_Field = tuple[int, int, Any]


class Kind(Enum):
    """What a column holds; the number is that of the physical type."""

    BOOLEAN = 0
    INSTANT = 2
    NUMBER = 5
    TEXT = 6


class ParquetWriter:
    """Makes the bytes of one file; the caller passes them on in order.

    Args:
        columns: their kinds by name, in order.
    """

    def __init__(self, columns: Mapping[str, Kind]) -> None:
        self._columns = columns
        self._groups: list[bytes] = []
        self._rows = 0
        self._offset = len(_MAGIC)

    def begin(self) -> bytes:
        """Give the first bytes of the file."""
        return _MAGIC

    def group(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Give a row group: values in the order of the columns; instants are aware."""
        pieces = []
        chunks = []
        started = self._offset
        for (name, kind), values in zip(
            self._columns.items(), zip(*rows, strict=True), strict=True
        ):
            plain = _page(kind, values)
            packed = _compress(plain)
            page = [(1, _I32, len(rows)), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE)]
            header = _struct(
                [(1, _I32, 0), (2, _I32, len(plain)), (3, _I32, len(packed)), (5, _STRUCT, page)]
            )
            size = len(header) + len(packed)
            about = [
                (1, _I32, kind.value),
                (2, _LIST, (_I32, [_PLAIN, _RLE])),
                (3, _LIST, (_BINARY, [name])),
                (4, _I32, _ZSTD),
                (5, _I64, len(rows)),
                (6, _I64, len(header) + len(plain)),
                (7, _I64, size),
                (9, _I64, self._offset),
            ]
            chunks.append([(2, _I64, self._offset), (3, _STRUCT, about)])
            pieces += [header, packed]
            self._offset += size
        self._rows += len(rows)
        self._groups.append(
            _struct(
                [
                    (1, _LIST, (_STRUCT, chunks)),
                    (2, _I64, self._offset - started),
                    (3, _I64, len(rows)),
                ]
            )
        )
        return b"".join(pieces)

    def end(self) -> bytes:
        """Give the last bytes of the file: what is where."""
        root = [(4, _BINARY, "rows"), (5, _I32, len(self._columns))]
        schema = [root, *(_element(name, kind) for name, kind in self._columns.items())]
        footer = _struct(
            [
                (1, _I32, 2),
                (2, _LIST, (_STRUCT, schema)),
                (3, _I64, self._rows),
                (4, _LIST, (_STRUCT, self._groups)),
                (6, _BINARY, "moorage"),
            ]
        )
        return footer + struct.pack("<I", len(footer)) + _MAGIC


def _element(name: str, kind: Kind) -> list[_Field]:
    fields: list[_Field] = [(1, _I32, kind.value), (3, _I32, _OPTIONAL), (4, _BINARY, name)]
    if kind is Kind.TEXT:
        fields += [(6, _I32, _UTF8), (10, _STRUCT, [(1, _STRUCT, [])])]
    elif kind is Kind.INSTANT:
        microseconds: list[_Field] = [(2, _STRUCT, [])]
        timestamp = [(1, _TRUE, True), (2, _STRUCT, microseconds)]
        fields += [(6, _I32, _TIMESTAMP_MICROS), (10, _STRUCT, [(8, _STRUCT, timestamp)])]
    return fields


def _page(kind: Kind, values: Sequence[Any]) -> bytes:
    """Encode one column: which values there are, then these."""
    there = [value for value in values if value is not None]
    known = _bits([value is not None for value in values])
    run = _varint(len(known) << 1 | 1) + known
    return struct.pack("<I", len(run)) + run + _plain(kind, there)


def _plain(kind: Kind, values: Sequence[Any]) -> bytes:
    match kind:
        case Kind.BOOLEAN:
            return _bits(values)
        case Kind.NUMBER:
            return struct.pack(f"<{len(values)}d", *values)
        case Kind.INSTANT:
            return struct.pack(f"<{len(values)}q", *((v - _EPOCH) // _MICROSECOND for v in values))
        case Kind.TEXT:
            texts = [str(value).encode() for value in values]
            return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _bits(values: Sequence[bool]) -> bytes:
    """Pack booleans, the first into the lowest bit."""
    packed: bytes = np.packbits(np.array(values, np.bool_), bitorder="little").tobytes()
    return packed


# --- The compact protocol -------------------------------------------------


def _struct(fields: Sequence[_Field]) -> bytes:
    """Write a struct: (id, type, value) in ascending order of ids."""
    out = []
    last = 0
    for number, kind, value in fields:
        out.append(bytes([number - last << 4 | kind]))
        last = number
        if kind != _TRUE:
            out.append(_value(kind, value))
    return b"".join(out) + b"\0"


def _value(kind: int, value: Any) -> bytes:
    match kind:
        case 5 | 6:  # Integers, folded so that small negative ones are short.
            return _varint(value << 1 ^ value >> 63)
        case 8:
            text: bytes = value.encode()
            return _varint(len(text)) + text
        case 9:
            inner, items = value
            head = (
                bytes([len(items) << 4 | inner])
                if len(items) < 15
                else (bytes([0xF0 | inner]) + _varint(len(items)))
            )
            return head + b"".join(_value(inner, item) for item in items)
        case _:
            return value if isinstance(value, bytes) else _struct(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
