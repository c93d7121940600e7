"""Conditions over the rows of a table, and what of them its indexes can answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .events import StateEvent
from .expressions import Compiler, conjuncts
from .language.syntax import Arithmetic, Call, Compare, Constant, Expression, Type, Variable
from .scope import Frame, Getter, Scope
from .values import NUMERIC

if TYPE_CHECKING:
    from .table import Table


@dataclass(frozen=True, slots=True)
class Match:
    """A condition over rows of a table for one event.

    `holds` takes the paired StateEvent; `keys` are equalities `row attribute == value of the event`
    that every matching row meets, for the table's indexes; `ranges` are comparisons of the same
    kind.
    """

    size: int
    holds: Getter
    keys: tuple[tuple[int, Getter], ...] = ()
    ranges: tuple[tuple[int, str, Getter], ...] = ()

    def pair(self, event: Any) -> StateEvent:
        """Set an event beside the slot of the row."""
        paired = StateEvent(self.size, event.ts)
        if isinstance(event, StateEvent):
            paired.streams[: self.size - 1] = event.streams
        else:
            paired.streams[0] = [event]
        return paired


def compile_match(
    compiler: Compiler,
    condition: Expression,
    table: Table,
    *,
    row_first: bool = False,
    alias: str | None = None,
) -> Match:
    """Compile a condition over a table's rows. Raises AppInvalid."""
    scope = compiler.scope
    row = Frame(table.id, list(table.attributes), alias=alias)
    frames = [*scope.frames, row]
    at = len(frames) - 1
    current = at if row_first else scope.current if scope.state else 0
    if not scope.frames:
        current = at
    merged = Scope(frames, state=True, current=current, default_index=scope.default_index)
    inner = compiler.within(merged)
    holds = inner.condition(condition)
    keys: list[tuple[int, Getter]] = []
    ranges: list[tuple[int, str, Getter]] = []
    for part in conjuncts(condition):
        if isinstance(part, Compare):
            _collect(inner, part, merged, at, table, keys, ranges)
    return Match(len(frames), holds, tuple(keys), tuple(ranges))


_FLIPPED = {"==": "==", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _collect(
    compiler: Compiler,
    part: Compare,
    scope: Scope,
    at: int,
    table: Table,
    keys: list[tuple[int, Getter]],
    ranges: list[tuple[int, str, Getter]],
) -> None:
    for side, other, op in (
        (part.left, part.right, part.op),
        (part.right, part.left, _FLIPPED.get(part.op, "!=")),
    ):
        column = own_column(scope, side, at)
        if op == "!=" or column is None or reads_frame(scope, other, at):
            continue
        compiled = compiler.compile(other)
        kind = table.attributes[column].type
        exact = compiled.type is kind or (
            kind in NUMERIC and compiled.type in NUMERIC and Type.FLOAT not in {kind, compiled.type}
        )
        if not exact:
            continue
        if op == "==":
            keys.append((column, compiled.get))
        else:
            ranges.append((column, op, compiled.get))
        return


def own_column(scope: Scope, expression: Expression, at: int) -> int | None:
    """Give the column of frame `at` a bare variable reads, None for anything else."""
    if not isinstance(expression, Variable):
        return None
    frame = scope.frames[at]
    if expression.stream is not None:
        owner = next((i for i, f in enumerate(scope.frames) if f.name == expression.stream), None)
        return frame.find(expression.attribute) if owner == at else None
    return frame.find(expression.attribute) if scope.current in {None, at} else None


def reads_frame(scope: Scope, expression: Expression, at: int) -> bool:
    """Tell whether an expression reads anything of frame `at`."""
    match expression:
        case Constant():
            return False
        case Variable():
            return own_column(scope, expression, at) is not None
        case Arithmetic(left=left, right=right):
            return reads_frame(scope, left, at) or reads_frame(scope, right, at)
        case Call(arguments=arguments):
            return any(reads_frame(scope, a, at) for a in arguments)
        case _:
            return True
