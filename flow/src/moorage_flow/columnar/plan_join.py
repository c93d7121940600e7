"""The planner of joins: two windows, or a window and a table, their condition split into a key and
the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..expressions import Compiler, conjuncts
from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Attribute, Type
from ..scope import Frame, Scope
from ..selector import Selector
from ..streams import Stream
from ..table import Table
from .expressions import Vectoriser, volatile
from .join import JoinQuery
from .joining import Finder, Joining, Mask, Side
from .plan import expect_lasting, own, window_of
from .selecting import compile_selection
from .selection import Output
from .sliding import Sliding
from .vector import Refused, Vector, View

_WHOLE = {Type.INT, Type.LONG}


def join_query(
    flow: Flow,
    query: s.Query,
    join: s.Join,
    sources: list[Any],
    finders: list[Finder | None],
    compiler: Compiler,
    selector: Selector,
) -> JoinQuery:
    """Plan a join.

    Args:
        flow: what the application's operators share.
        query: the query.
        join: its input.
        sources: what each side reads.
        finders: of each side that is a table, what finds its rows for an event of the other.
        compiler: that of the selection; its scope holds both sides.
        selector: the reference's selection, whose rate and sink serve both paths.

    Raises:
        Refused: a side is neither a stream with a window that slides nor a table, or the condition
            cannot be worked out over columns.
    """
    builtin = own(compiler)
    if sources[0] is sources[1]:
        raise Refused("it joins a stream with itself, event by event")
    if volatile(join.on):
        raise Refused("its condition asks for a time or a table")
    for attribute in query.select.attributes:
        expect_lasting(attribute.expression, compiler)
    sides = (
        _side(compiler, join, 0, sources[0], finders[0], builtin),
        _side(compiler, join, 1, sources[1], finders[1], builtin),
    )
    key: tuple[Vector, Vector] | None = None
    rest: list[Mask] = []
    used: set[tuple[int, int]] = set()
    tables = any(finder is not None for finder in finders)
    if tables:
        used = _every(compiler, finders)
    for part in conjuncts(join.on) if join.on is not None and not tables else []:
        found = _equality(compiler, part, builtin) if key is None else None
        if found is not None:
            key = found
            continue
        vectoriser = _vectoriser(compiler, builtin)
        rest.append(vectoriser.condition(part))
        used |= vectoriser.used
    joining = Joining(
        sides,
        key,
        _both(rest) if rest else None,
        used,
        compile_selection(compiler, query.select, builtin),
    )
    return JoinQuery(flow, joining, Output(flow, selector, joining.selecting))


def _every(compiler: Compiler, finders: list[Finder | None]) -> set[tuple[int, int]]:
    """Give every attribute of the side that is no table: its condition may read any."""
    return {
        (at, place)
        for at, frame in enumerate(compiler.scope.frames)
        if finders[at] is None
        for place in range(len(frame.attributes))
    }


def _vectoriser(compiler: Compiler, builtin: set[str]) -> Vectoriser:
    scope = Scope(compiler.scope.frames, state=True)
    return Vectoriser(compiler.within(scope), builtin=builtin)


def _both(masks: list[Mask]) -> Mask:
    def held(view: View) -> Any:
        found = masks[0](view)
        for mask in masks[1:]:
            found = found & mask(view)
        return found

    return held


def _equality(
    compiler: Compiler, part: s.Expression, builtin: set[str]
) -> tuple[Vector, Vector] | None:
    """Give the two sides of an equality of one side's value with the other's, left first."""
    if not isinstance(part, s.Compare) or part.op != "==":
        return None
    found: dict[int, Vector] = {}
    for expression in (part.left, part.right):
        vectoriser = _vectoriser(compiler, builtin)
        vector = vectoriser.compile(expression)
        read = {frame for frame, _ in vectoriser.used}
        if len(read) == 1:
            found[read.pop()] = vector
    if len(found) < 2:
        return None
    kinds = {found[0].kind, found[1].kind}
    if kinds <= _WHOLE or kinds in ({Type.STRING}, {Type.BOOL}):
        return found[0], found[1]
    return None


def _side(
    compiler: Compiler,
    join: s.Join,
    at: int,
    source: Any,
    finder: Finder | None,
    builtin: set[str],
) -> Side:
    single = (join.left, join.right)[at]
    attributes: tuple[Attribute, ...] = tuple(compiler.scope.frames[at].attributes)
    outer = join.kind in {"full", ("left", "right")[at]}
    triggers = join.trigger in {"all", ("left", "right")[at]}
    if isinstance(source, Table):
        return Side(attributes, [], None, None, False, outer, False, finder)
    if not isinstance(source, Stream):
        raise Refused("it joins a window or an aggregation of the application")
    frames = [Frame("", []), Frame("", [])]
    frames[at] = Frame(single.source.key, list(attributes), single.alias)
    before = compiler.within(Scope([frames[at]]))
    filters: list[Mask] = []
    window: Sliding | None = None
    time: Vector | None = None
    for handler in single.handlers:
        if window is not None:
            raise Refused("something follows a window")
        match handler:
            case s.Filter(condition=condition):
                filters.append(_only(Vectoriser(before, builtin=builtin).condition(condition), at))
            case s.Window(call=call):
                made, time = window_of(before, Vectoriser(before, builtin=builtin), call, True)
                if not isinstance(made, Sliding):
                    raise Refused(f"window {call.name} is searched by a join")
                window = made
            case _:
                raise Refused("a stream function is worked out row by row")
    bare = window is None
    side_time = None if time is None else Vector(time.kind, _only(time.run, at))
    window = window or Sliding(0, None)
    return Side(attributes, filters, window, side_time, bare, outer, triggers)


def _only(run: Callable[[View], Any], at: int) -> Callable[[View], Any]:
    """Let what reads one stream read a side of the join."""

    def of_side(view: View) -> Any:
        return run(View([view.frames[at]], view.ts, view.now, view.rows))

    return of_side
