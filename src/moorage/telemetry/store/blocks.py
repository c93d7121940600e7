"""A device's rows of some days in one sealed block: a section a shape, a column a series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat

import msgspec
import numpy as np

from ..model import Shape, Value
from .columns import Ints, pack_column, pack_ints, unpack_column, unpack_ints


class Kept(msgspec.Struct, array_like=True, gc=False, order=True, frozen=True):
    """One row of the history, from whichever tier; the order of its fields is its place."""

    at_us: int
    n: int
    flags: int
    partition: int
    shape: int
    values: tuple[Value, ...]


class _Section(msgspec.Struct, array_like=True, gc=False):
    """Rows of one shape, by time; each column as `columns` packed it."""

    shape: int
    count: int
    at: bytes
    n: bytes
    flags: bytes
    partition: bytes
    values: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Section]).decode


def pack(rows: Iterable[Kept], shapes: Mapping[int, Shape]) -> bytes:
    """Pack rows, in whatever order they come."""
    by_shape: dict[int, list[Kept]] = {}
    for row in sorted(rows):
        by_shape.setdefault(row.shape, []).append(row)
    return _encode([_section(shapes[shape], some) for shape, some in sorted(by_shape.items())])


def _section(shape: Shape, rows: Sequence[Kept]) -> _Section:
    columns = zip(*(row.values for row in rows), strict=True) if shape.kinds else ()
    return _Section(
        shape.id,
        len(rows),
        pack_ints(_ints(row.at_us for row in rows)),
        pack_ints(_ints(row.n for row in rows)),
        pack_ints(_ints(row.flags for row in rows)),
        pack_ints(_ints(row.partition for row in rows)),
        [pack_column(kind, column) for kind, column in zip(shape.kinds, columns, strict=True)],
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def unpack(
    body: bytes,
    shapes: Mapping[int, Shape],
    *,
    start_us: int | None = None,
    end_us: int | None = None,
    only: Collection[int] | None = None,
) -> list[Kept]:
    """Give a block's rows by time, from `start_us` to before `end_us`, of the shapes `only`."""
    found: list[Kept] = []
    for section in _decode(body):
        if only is not None and section.shape not in only:
            continue
        at = unpack_ints(section.at, section.count)
        # Rows stand by time, so a period is a slice.
        first = 0 if start_us is None else int(np.searchsorted(at, start_us))
        last = section.count if end_us is None else int(np.searchsorted(at, end_us))
        if first >= last:
            continue
        within = slice(first, last)
        kinds = shapes[section.shape].kinds
        columns = [
            unpack_column(kind, packed, section.count)[within]
            for kind, packed in zip(kinds, section.values, strict=True)
        ]
        values = zip(*columns, strict=True) if columns else repeat((), last - first)
        found += map(
            Kept,
            at[within].tolist(),
            unpack_ints(section.n, section.count)[within].tolist(),
            unpack_ints(section.flags, section.count)[within].tolist(),
            unpack_ints(section.partition, section.count)[within].tolist(),
            repeat(section.shape),
            values,
        )
    found.sort()
    return found


def shapes_in(body: bytes) -> set[int]:
    """Tell which shapes a block's rows have."""
    return {section.shape for section in _decode(body)}
