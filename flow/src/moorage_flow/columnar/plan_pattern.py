"""The planner of patterns: `every A -> B within`, its condition taken apart by what each part
reads.
"""

from __future__ import annotations

from ..expressions import Compiler, conjuncts
from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Type
from ..scope import Frame, Scope
from ..selector import Selector
from .absent import AbsentQuery
from .expressions import Vectoriser, volatile
from .pattern import Following, Mask, PatternQuery, Test
from .plan import own
from .selection import Output, compile_selection
from .vector import Refused, Vector

_OPS = ("==", "!=", "<", "<=", ">", ">=")
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_WHOLE = {Type.INT, Type.LONG}
_TEXTS = {Type.STRING, Type.BOOL}


def pattern_query(
    flow: Flow,
    query: s.Query,
    pattern: s.StateInput,
    compiler: Compiler,
    selector: Selector,
    *,
    cyclic: bool,
) -> PatternQuery:
    """Plan a pattern.

    Args:
        flow: what the application's operators share.
        query: the query.
        pattern: its input.
        compiler: that of the selection; its scope holds the pattern's positions.
        selector: the reference's selection, whose rate and sink serve both paths.
        cyclic: whether what it gives comes back to it.

    Raises:
        Refused: the pattern is no `every A -> B`, or reads its events in a way columns do not.
    """
    first, second, wait = _positions(pattern)
    if wait is not None and cyclic:
        raise Refused("it reads what it fills")
    frames = compiler.scope.frames
    builtin = own(compiler)
    enters: list[Mask] = []
    for condition in _conditions(first):
        vectoriser = _vectoriser(compiler, frames, 0, builtin)
        enters.append(vectoriser.condition(condition))
    following = Following(
        (tuple(frames[0].attributes), tuple(frames[1].attributes)),
        first.source.key == second.source.key,
        -1 if pattern.within_ms is None else pattern.within_ms,
        enters,
        [],
        [],
        None,
        [],
        compile_selection(compiler, query.select, builtin),
    )
    for condition in _conditions(second):
        for part in conjuncts(condition):
            _add(following, part, compiler, frames, builtin)
    output = Output(flow, selector, following.selecting)
    if wait is not None:
        return AbsentQuery(flow, following, output, wait)
    return PatternQuery(flow, following, output)


def _positions(pattern: s.StateInput) -> tuple[s.Single, s.Single, int | None]:
    """Give both positions and, where the second must not come, for how many milliseconds."""
    match pattern.state:
        case s.NextState(
            first=s.EveryState(state=s.StreamState(stream=first)),
            second=s.StreamState(stream=second),
        ) if not pattern.sequence:
            return first, second, None
        case s.NextState(
            first=s.EveryState(state=s.StreamState(stream=first)),
            second=s.AbsentState(stream=second, for_ms=int(wait)),
        ) if not pattern.sequence and pattern.within_ms is None:
            return first, second, wait
        case _:
            raise Refused("it is no pattern `every A -> B`")


def _conditions(single: s.Single) -> list[s.Expression]:
    found: list[s.Expression] = []
    for handler in single.handlers:
        if not isinstance(handler, s.Filter):
            raise Refused("a stream function is worked out row by row")
        if volatile(handler.condition):
            raise Refused("a condition asks for a time or a table")
        found.append(handler.condition)
    return found


def _vectoriser(compiler: Compiler, frames: list[Frame], at: int, builtin: set[str]) -> Vectoriser:
    scope = Scope(frames[: at + 1], state=True, current=at, default_index=-1)
    return Vectoriser(compiler.within(scope), builtin=builtin)


def _add(
    plan: Following, part: s.Expression, compiler: Compiler, frames: list[Frame], builtin: set[str]
) -> None:
    """Add one condition that must hold between an A and its B."""
    vectoriser = _vectoriser(compiler, frames, 1, builtin)
    mask = vectoriser.condition(part)
    read = {frame for frame, _ in vectoriser.used}
    if read == {0}:
        plan.able.append(mask)
        return
    if 0 not in read:
        plan.asks.append(mask)
        return
    if not isinstance(part, s.Compare):
        raise Refused("a condition reads both events, and is no comparison of one with the other")
    left, of_left = _side(compiler, frames, part.left, builtin)
    right, of_right = _side(compiler, frames, part.right, builtin)
    if {of_left, of_right} != {0, 1}:
        raise Refused("a side of a comparison reads both events")
    op = part.op if of_left == 0 else _FLIPPED[part.op]
    one, other = (left, right) if of_left == 0 else (right, left)
    kinds = {one.kind, other.kind}
    alike = len(kinds) == 1 and kinds <= _TEXTS
    if not alike and (Type.OBJECT in kinds or kinds & _TEXTS):
        raise Refused("it compares objects")
    if (
        not alike
        and not kinds <= _WHOLE
        and (Type.LONG in kinds or kinds == {Type.INT, Type.FLOAT})
    ):
        raise Refused("it compares whole numbers with floats")
    if op == "!=":
        raise Refused("one event differs from the other, or has no value")
    if op == "==" and plan.key is None and (alike or kinds <= _WHOLE):
        plan.key = (one, other)
        return
    plan.tests.append(Test(_OPS.index(op), one, other))


def _side(
    compiler: Compiler, frames: list[Frame], expression: s.Expression, builtin: set[str]
) -> tuple[Vector, int | None]:
    vectoriser = _vectoriser(compiler, frames, 1, builtin)
    vector = vectoriser.compile(expression)
    read = {frame for frame, _ in vectoriser.used}
    return vector, read.pop() if len(read) == 1 else None
