"""What a query reads: a stream, a join, a pattern or another query.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .basics import NOWHERE, Place
from .expressions import Call, Expression

if TYPE_CHECKING:
    from .executions import Query


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
