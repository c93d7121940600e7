"""What a join is: its sides, and what takes the events of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..events import Event, StateEvent
from ..language.syntax import Attribute
from .batch import Batch, Index
from .selecting import Selecting
from .sliding import Sliding
from .vector import Vector, View

if TYPE_CHECKING:
    from .join import JoinQuery

Mask = Callable[[View], Any]
Finder = Callable[[StateEvent], list[Event]]


@dataclass(slots=True)
class Side:
    """One side of a join; a table has no window but `find`. `bare`: the stream has none."""

    attributes: tuple[Attribute, ...]
    filters: list[Mask]
    window: Sliding | None
    time: Vector | None
    bare: bool
    outer: bool
    triggers: bool
    find: Finder | None = None


@dataclass(slots=True)
class Joining:
    """A join, compiled: `key` are two sides that must be equal, `rest` what else must hold."""

    sides: tuple[Side, Side]
    key: tuple[Vector, Vector] | None
    rest: Mask | None
    used: set[tuple[int, int]]
    selecting: Selecting


class Taker:
    """Takes the events of one side of a join."""

    def __init__(self, query: JoinQuery, at: int) -> None:
        self._query = query
        self._at = at

    def __call__(self, batch: Batch) -> None:
        """Take events."""
        self._query.take(self._at, batch)

    def coded(self, batch: Batch, codes: Index, table: Index) -> bool:
        """Take events by the codes of their partitions, as `JoinQuery.take_coded` does."""
        return self._query.take_coded(self._at, batch, codes, table)

    def keyed(self, place: int) -> None:
        """Learn which attribute the partition goes by."""
        self._query.keyed(self._at, place)
