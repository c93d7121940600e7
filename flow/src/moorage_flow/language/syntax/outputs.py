"""What a query gives: its selection, its rate and where its events go.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass

from .basics import NOWHERE, Events, Place
from .expressions import Expression, Variable
from .inputs import Source


@dataclass(frozen=True, slots=True)
class OutputAttribute:
    """`expression as name`."""

    expression: Expression
    name: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Select:
    """The selection; no attributes means `select *`. `order_by` holds (variable, descending)."""

    attributes: tuple[OutputAttribute, ...] = ()
    group_by: tuple[Variable, ...] = ()
    having: Expression | None = None
    order_by: tuple[tuple[Variable, bool], ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class EventRate:
    """`output kind every count events`; kind is all, first or last."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class TimeRate:
    """`output kind every time`, in milliseconds."""

    kind: str
    every_ms: int


@dataclass(frozen=True, slots=True)
class SnapshotRate:
    """`output snapshot every time`, in milliseconds."""

    every_ms: int


Rate = EventRate | TimeRate | SnapshotRate


@dataclass(frozen=True, slots=True)
class Assignment:
    """`set variable = expression`."""

    variable: Variable
    expression: Expression


@dataclass(frozen=True, slots=True)
class Insert:
    """`insert … into target`."""

    target: Source
    events: Events = Events.CURRENT


@dataclass(frozen=True, slots=True)
class Delete:
    """`delete target for … on …`."""

    target: Source
    events: Events
    on: Expression


@dataclass(frozen=True, slots=True)
class Update:
    """`update target for … set … on …`; no assignments means every column of the same name."""

    target: Source
    events: Events
    set: tuple[Assignment, ...] | None
    on: Expression


@dataclass(frozen=True, slots=True)
class UpdateOrInsert:
    """`update or insert into target for … set … on …`."""

    target: Source
    events: Events
    set: tuple[Assignment, ...] | None
    on: Expression


@dataclass(frozen=True, slots=True)
class Return:
    """`return …`."""

    events: Events = Events.CURRENT


Output = Insert | Delete | Update | UpdateOrInsert | Return
