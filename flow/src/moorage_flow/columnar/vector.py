"""What compiled expressions over columns are: what they read and what they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..events import Chunk
from ..language.syntax import Type
from .batch import Column, Index, Nulls, Values

WHOLE = (Type.INT, Type.LONG)
EXACT = 1 << 53
"""Beyond this, not every integer is a double."""


class Refused(Exception):
    """An expression or query that has no columnar form; says why."""


@dataclass(slots=True)
class View:
    """What expressions read: the columns of each input, the rows' times, aggregates and, in
    `having`, the selected columns.

    `row` gives the events of the rows, for what is worked out one by one.
    """

    frames: list[list[Column]]
    ts: Index
    now: int
    rows: Callable[[], Chunk]
    aggregates: Sequence[Column] = ()
    out: Sequence[Column] = ()

    def __len__(self) -> int:
        return len(self.ts)


Run = Callable[[View], Column]
Cells = tuple[Values, Nulls]


@dataclass(frozen=True, slots=True)
class Vector:
    """A compiled expression over columns; `value` is that of a constant, `place` the frame and
    position of a bare attribute.
    """

    kind: Type
    run: Run
    constant: bool = False
    value: Any = None
    place: tuple[int, int] | None = None
    rowwise: tuple[str, ...] = ()
