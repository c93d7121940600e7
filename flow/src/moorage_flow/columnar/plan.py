"""The planner: which queries run on columns, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import functions
from .. import windows as reference
from ..expressions import Compiler
from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Type
from ..scope import Frame, Scope
from ..selector import Selector, expand
from ..streams import Stream
from .aggregates import NAMES
from .direct_query import Plan, Window
from .expressions import Vectoriser, volatile
from .gliding import places_of
from .kernels import compiled
from .planned import Planned
from .selecting import compile_selection
from .selection import Output
from .single import SingleQuery
from .sliding import Sliding
from .steps import program
from .tumbling import ChunkBatch, ExternalTimeBatch, LengthBatch, TimeBatch
from .vector import Refused, Vector, View

BUILTIN = set(functions.FUNCTIONS) | NAMES
"""The functions and aggregators with a columnar form, or one that may be worked out row by row."""


def own(compiler: Compiler) -> set[str]:
    """Give the names that are the language's own, not an extension's of the same name."""
    extensions = compiler.extensions
    return {
        name
        for name in BUILTIN
        if extensions.functions.get(name) in {None, functions.FUNCTIONS.get(name)}
    }


_WINDOWS = {"length", "time", "timeLength", "lengthBatch", "batch", "timeBatch"}
"""The windows without an attribute of their own that have a columnar form."""


def single_query(
    flow: Flow,
    query: s.Query,
    single: s.Single,
    attributes: tuple[s.Attribute, ...],
    compiler: Compiler,
    selector: Selector,
    *,
    expired: bool,
) -> SingleQuery:
    """Plan a query over one stream.

    Args:
        flow: what the application's operators share.
        query: the query.
        single: its input.
        attributes: the stream's attributes.
        compiler: that of the selection; its scope is the stream's.
        selector: the reference's selection, whose rate and sink serve both paths.
        expired: whether someone looks at what leaves the window.

    Raises:
        Refused: the query has no columnar form.
    """
    builtin = own(compiler)
    scope = Scope([Frame(single.source.key, list(attributes), single.alias)])
    before = Compiler(scope, flow, compiler.extensions, compiler.tables)
    filters: list[Callable[[View], Any]] = []
    used: set[tuple[int, int]] = set()
    window: Window | None = None
    time: Vector | None = None
    for handler in single.handlers:
        if window is not None:
            raise Refused("something follows its window")
        match handler:
            case s.Filter(condition=condition):
                filters.append(Vectoriser(before, builtin=builtin).condition(condition))
            case s.Window(call=call):
                vectoriser = Vectoriser(before, builtin=builtin)
                window, time = window_of(before, vectoriser, call, expired)
                used |= vectoriser.used
            case _:
                raise Refused("a stream function is worked out row by row")
    selecting = compile_selection(compiler, query.select, builtin)
    if window is not None:
        for attribute in query.select.attributes:
            expect_lasting(attribute.expression, compiler)
        if query.select.having is not None and volatile(query.select.having):
            raise Refused("having asks for a time")
    output = Output(flow, selector, selecting)
    conditions = [h.condition for h in single.handlers if isinstance(h, s.Filter)]
    listed = [a.expression for a in expand(query.select, compiler.scope)]
    told = list(zip(listed, selecting.vectors, strict=True))
    stateless = window is None and not selecting.aggregates
    compiled = program(
        attributes, Vectoriser(before, builtin=builtin), conditions, told if stateless else []
    )
    places = places_of(listed, selecting)
    plan = Plan(attributes, filters, selecting, window, time, compiled, places)
    return SingleQuery(flow, plan, output)


def expect_lasting(expression: s.Expression, compiler: Compiler) -> None:
    """Raise Refused for an aggregator whose argument is another when its event leaves."""
    match expression:
        case s.Call(name=name, namespace=None, arguments=arguments):
            if name in compiler.extensions.aggregators and any(volatile(a) for a in arguments):
                raise Refused(f"{name} is of a value that changes with time")
            for argument in arguments:
                expect_lasting(argument, compiler)
        case s.Arithmetic(left=left, right=right) | s.Compare(left=left, right=right):
            expect_lasting(left, compiler)
            expect_lasting(right, compiler)
        case _:
            return


def _constants(call: s.Call, arguments: tuple[s.Expression, ...]) -> list[Any]:
    values: list[Any] = []
    for argument in arguments:
        if not isinstance(argument, s.Constant):
            raise Refused(f"a parameter of window {call.name} varies")
        values.append(argument.value)
    return values


def window_of(
    compiler: Compiler, vectoriser: Vectoriser, call: s.Call, expired: bool
) -> tuple[Window, Vector | None]:
    """Plan a window; give it with the attribute it goes by. Raises Refused."""
    name = call.name
    if call.namespace or compiler.extensions.windows.get(name) is not reference.WINDOWS.get(name):
        raise Refused(f"window {name} is an extension")
    if name in {"externalTime", "externalTimeBatch"}:
        time = vectoriser.compile(call.arguments[0])
        if time.kind is not Type.LONG or time.place is None:
            raise Refused(f"window {name} goes by what is no attribute")
        span, *rest = _constants(call, call.arguments[1:])
        if name == "externalTime":
            return Sliding(None, span, external=True), time
        if len(rest) > 1:
            raise Refused("window externalTimeBatch has a timeout")
        return ExternalTimeBatch(expired, expired, span, rest[0] if rest else None), time
    if name not in _WINDOWS:
        raise Refused(f"window {name} has no columnar form")
    values = _constants(call, call.arguments)
    match name:
        case "length":
            return Sliding(values[0], None), None
        case "time":
            return Sliding(None, values[0]), None
        case "timeLength":
            return Sliding(values[1], values[0], each=True), None
        case "lengthBatch":
            return LengthBatch(expired, expired, values[0], values[1:] == [True]), None
        case "batch":
            return ChunkBatch(expired, expired, values[0] if values else 0), None
        case _:
            start = next((v for v in values[1:] if not isinstance(v, bool)), None)
            streams = any(v is True for v in values[1:])
            return TimeBatch(expired, expired, values[0], start, streams), None


def into_stream(selector: Selector, output: Output) -> None:
    """Let the rows of a query that fills a stream go on as columns."""
    sink = selector.limiter.sink
    owner = getattr(sink, "__self__", None)
    if isinstance(owner, Stream):
        output.stream = owner


def why(planned: Planned) -> str:
    """Tell what a columnar query's state is kept by."""
    if planned.stateless:
        return "it keeps no state"
    return f"{'compiled kernels' if compiled() else 'kernels in Python'} keep its state"
