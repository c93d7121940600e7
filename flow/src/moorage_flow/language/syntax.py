"""The syntax tree of SiddhiQL; plain values, each with its place in the text where errors need one.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Type(Enum):
    """The type of an attribute."""

    STRING = "string"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    BOOL = "bool"
    OBJECT = "object"


class Events(Enum):
    """Which events of a query an output takes."""

    CURRENT = "current"
    EXPIRED = "expired"
    ALL = "all"


LAST = -2
"""The index of `e[last]`; `e[last - n]` is `LAST - n`."""

ANY = -1
"""An open bound of a count, `<2:>` or `<:5>`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text: line and column, both from 1."""

    line: int
    column: int


NOWHERE = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Annotation:
    """`@name(key='value', @nested(...))`; an element without a key has the key None."""

    name: str
    elements: tuple[tuple[str | None, str], ...] = ()
    nested: tuple[Annotation, ...] = ()

    def get(self, key: str | None, default: str | None = None) -> str | None:
        """Give the element's value; keys are compared without regard to case."""
        for name, value in self.elements:
            if name == key or (name and key and name.lower() == key.lower()):
                return value
        return default


def annotation(annotations: tuple[Annotation, ...], name: str) -> Annotation | None:
    """Find the first annotation of this name, whatever its case."""
    return next((a for a in annotations if a.name.lower() == name.lower()), None)


# --- Expressions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `time` when it was written with units (`5 sec`, in milliseconds)."""

    value: Any
    type: Type
    time: bool = False
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Variable:
    """`attribute`, `stream.attribute`, `e[index].attribute`, `#inner.attribute`."""

    attribute: str
    stream: str | None = None
    index: int | None = None
    function: str | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right`, op one of `+ - * / %`."""

    op: str
    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, op one of `== != < <= > >=`."""

    op: str
    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class And:
    """Both hold."""

    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Or:
    """One of the two holds."""

    left: Expression
    right: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not hold."""

    operand: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class IsNull:
    """The operand has no value."""

    operand: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class IsNullStream:
    """The event of a pattern or join, or the bare attribute of this name, is missing."""

    stream: str
    index: int | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class InTable:
    """Some row of `table` meets `condition`."""

    condition: Expression
    table: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Call:
    """`namespace:name(arguments)`; `star` for `name(*)`."""

    name: str
    arguments: tuple[Expression, ...] = ()
    namespace: str | None = None
    star: bool = False
    place: Place = NOWHERE


Expression = (
    Constant
    | Variable
    | Arithmetic
    | Compare
    | And
    | Or
    | Not
    | IsNull
    | IsNullStream
    | InTable
    | Call
)


# --- Definitions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attribute:
    """A named and typed column."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class StreamDefinition:
    """`define stream id (…)`."""

    id: str
    attributes: tuple[Attribute, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """`define table id (…)`."""

    id: str
    attributes: tuple[Attribute, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class WindowDefinition:
    """`define window id (…) window(…) output …`; `output` None means all events."""

    id: str
    attributes: tuple[Attribute, ...]
    window: Call
    output: Events | None = None
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class TriggerDefinition:
    """`define trigger id at …`: `every_ms`, or `at` a cron expression or 'start'."""

    id: str
    every_ms: int | None = None
    at: str | None = None
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """`define function id[language] return type {body}`."""

    id: str
    language: str
    returns: Type
    body: str
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class AggregationDefinition:
    """`define aggregation id from … select … aggregate by … every …`; durations finest first."""

    id: str
    source: Single
    select: Select
    by: Variable | None
    durations: tuple[str, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


Definition = (
    StreamDefinition
    | TableDefinition
    | WindowDefinition
    | TriggerDefinition
    | FunctionDefinition
    | AggregationDefinition
)


# --- Inputs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """The name of a stream, table, window or aggregation; `#inner` or `!fault`."""

    id: str
    inner: bool = False
    fault: bool = False
    place: Place = NOWHERE

    @property
    def key(self) -> str:
        """The name with its sigil."""
        return ("#" if self.inner else "!" if self.fault else "") + self.id


@dataclass(frozen=True, slots=True)
class Filter:
    """`[condition]`."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class StreamFunction:
    """`#function(…)`."""

    call: Call


@dataclass(frozen=True, slots=True)
class Window:
    """`#window.name(…)`."""

    call: Call


Handler = Filter | StreamFunction | Window


@dataclass(frozen=True, slots=True)
class Single:
    """One stream with what is done to its events before the selection."""

    source: Source
    handlers: tuple[Handler, ...] = ()
    alias: str | None = None

    @property
    def window(self) -> Window | None:
        """The stream's window, where it has one."""
        return next((h for h in self.handlers if isinstance(h, Window)), None)


@dataclass(frozen=True, slots=True)
class Anonymous:
    """`(from … return)`: a query as input."""

    query: Query


@dataclass(frozen=True, slots=True)
class Within:
    """`within start, end per duration` of a join with an aggregation."""

    start: Expression
    end: Expression | None
    per: Expression


@dataclass(frozen=True, slots=True)
class Join:
    """`left kind join right on …`; kind is inner, left, right or full; trigger is left, right or
    all.
    """

    left: Single
    right: Single
    kind: str
    trigger: str
    on: Expression | None = None
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class StreamState:
    """One event of a stream, `e1=S[…]`."""

    stream: Single


@dataclass(frozen=True, slots=True)
class AbsentState:
    """`not S[…] for t`; `for_ms` is None in `not S and …`."""

    stream: Single
    for_ms: int | None


@dataclass(frozen=True, slots=True)
class CountState:
    """`e1=S<min:max>`; ANY is an open bound."""

    stream: Single
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class LogicalState:
    """`left and right`, `left or right`."""

    left: StreamState | AbsentState
    op: str
    right: StreamState | AbsentState


@dataclass(frozen=True, slots=True)
class EveryState:
    """`every (…)`."""

    state: State


@dataclass(frozen=True, slots=True)
class NextState:
    """`first -> second` of a pattern, `first, second` of a sequence."""

    first: State
    second: State


State = StreamState | AbsentState | CountState | LogicalState | EveryState | NextState


@dataclass(frozen=True, slots=True)
class StateInput:
    """A pattern or, where `sequence`, a sequence."""

    state: State
    sequence: bool
    within_ms: int | None = None


Input = Single | Join | StateInput | Anonymous


# --- Selection and output -------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Query:
    """`from … select … output … insert into …`."""

    input: Input
    select: Select
    rate: Rate | None
    output: Output
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class ValueKey:
    """`attribute of Stream`."""

    expression: Expression
    stream: str


@dataclass(frozen=True, slots=True)
class RangeKey:
    """`condition as 'label' or … of Stream`."""

    ranges: tuple[tuple[Expression, str], ...]
    stream: str


@dataclass(frozen=True, slots=True)
class Partition:
    """`partition with (…) begin … end`."""

    keys: tuple[ValueKey | RangeKey, ...]
    queries: tuple[Query, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Store:
    """What an on-demand query reads."""

    id: str
    alias: str | None = None
    on: Expression | None = None
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class OnDemandQuery:
    """A query asked once: `find` when it has a store, else a write."""

    store: Store | None
    select: Select
    output: Output | None


@dataclass(frozen=True, slots=True)
class AppSyntax:
    """A whole application, its parts in the order of the text."""

    annotations: tuple[Annotation, ...]
    definitions: tuple[Definition, ...]
    executions: tuple[Query | Partition, ...]
