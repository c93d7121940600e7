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
from .conditions import FLIPPED, OPS, beside_constants
from .expressions import Vectoriser, volatile
from .following import Following, Mask, Test
from .matching import Beside, Plainly
from .pattern import PatternQuery
from .plan import own
from .selecting import compile_selection
from .selection import Output
from .vector import Refused, Vector

_WHOLE = {Type.INT, Type.LONG}
_REALS = {Type.FLOAT, Type.DOUBLE}
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
    plainly: Plainly | None = Plainly([], [], [], [])
    for condition in _conditions(first):
        vectoriser = _vectoriser(compiler, frames, 0, builtin)
        enters.append(vectoriser.condition(condition))
        plainly = plainly and _entering(plainly, condition, vectoriser)
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
            plainly = plainly and _completing(
                plainly, part, _vectoriser(compiler, frames, 1, builtin)
            )
    if wait is None and plainly is not None and _fits(following, plainly):
        following.plainly = plainly
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
    op = part.op if of_left == 0 else FLIPPED[part.op]
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
    plan.tests.append(Test(OPS.index(op), one, other))


def _entering(plainly: Plainly, condition: s.Expression, vectoriser: Vectoriser) -> Plainly | None:
    found = beside_constants(condition, vectoriser, 0)
    if found is None:
        return None
    plainly.enters += found
    return plainly


def _completing(plainly: Plainly, part: s.Expression, vectoriser: Vectoriser) -> Plainly | None:
    """Add a condition of the second event, if it is no comparison with the first; those are found
    in the plan.
    """
    vectoriser.condition(part)
    read = {frame for frame, _ in vectoriser.used}
    if len(read) > 1:
        return plainly
    found = beside_constants(part, vectoriser, 0 if read == {0} else 1)
    if found is None:
        return None
    if read == {0}:
        plainly.able += found
    else:
        plainly.asks += found
    return plainly


def _fits(plan: Following, plainly: Plainly) -> bool:
    """Tell whether what is compared are attributes, and add the comparisons."""
    for test in plan.tests:
        first, second = test.first, test.second
        kinds = {first.kind, second.kind}
        if (
            first.place is None
            or second.place is None
            or not kinds <= (_REALS if test.real else _WHOLE)
        ):
            return False
        plainly.tests.append(Beside(test.real, test.op, first.place[1], second.place[1]))
    if plan.key is None or not plan.same:
        return True
    of_first, of_second = plan.key[0].place, plan.key[1].place
    return of_first is not None and of_second is not None and of_first[1] == of_second[1]


def _side(
    compiler: Compiler, frames: list[Frame], expression: s.Expression, builtin: set[str]
) -> tuple[Vector, int | None]:
    vectoriser = _vectoriser(compiler, frames, 1, builtin)
    vector = vectoriser.compile(expression)
    read = {frame for frame, _ in vectoriser.used}
    return vector, read.pop() if len(read) == 1 else None
