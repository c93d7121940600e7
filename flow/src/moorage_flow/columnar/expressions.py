"""Expressions over columns: the same values, types and nulls as the closures of `moorage_flow.expressions` give row by row.

Source: The Java Language Specification, Java SE 8, 4.2 (types), 5.1 (conversions), 15.17 and 15.18 (arithmetic).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..events import Chunk, Event, StateEvent
from ..expressions import Compiler
from ..language import syntax as s
from ..language.syntax import Type
from ..values import NUMERIC, to_float32, wider
from .batch import DTYPES, Column, Index, Nulls, Unfit, Values, objects_of

WHOLE = (Type.INT, Type.LONG)
EXACT = 1 << 53
"""Beyond this, not every integer is a double."""


class Refused(Exception):
    """An expression or query that has no columnar form; says why."""


@dataclass(slots=True)
class View:
    """What expressions read: the columns of each input, the rows' times, aggregates and, in `having`, the selected columns.

    `row` gives the events of the rows, for what is worked out one by one.
    """

    frames: list[list[Column]]
    ts: Index
    now: int
    rows: Callable[[], Chunk]
    aggregates: list[Column] = field(default_factory=list)
    out: list[Column] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ts)


Run = Callable[[View], Column]
Cells = tuple[Values, Nulls]


@dataclass(frozen=True, slots=True)
class Vector:
    """A compiled expression over columns; `value` is that of a constant, `place` the frame and position of a bare attribute."""

    kind: Type
    run: Run
    constant: bool = False
    value: Any = None
    place: tuple[int, int] | None = None
    rowwise: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Marker:
    """Stands for a value while a getter is asked which one it reads."""

    frame: int
    place: int


@dataclass(slots=True)
class Aggregate:
    """An aggregator's call: its name, its argument and the type it gives."""

    name: str
    argument: Vector | None
    kind: Type


OUT = -1
"""The frame of the selected columns."""

_ROWWISE = {"convert", "cast", "default", "coalesce", "UUID", "maximum", "minimum"}
_INSTANCES = {
    "instanceOfBoolean": Type.BOOL,
    "instanceOfDouble": Type.DOUBLE,
    "instanceOfFloat": Type.FLOAT,
    "instanceOfInteger": Type.INT,
    "instanceOfLong": Type.LONG,
    "instanceOfString": Type.STRING,
}


class Vectoriser:
    """Compiles the expressions of one place of a query over columns.

    The reference compiler settles names, types and errors first; here only what is valid arrives. `aggregates` gathers the
    aggregators met.
    """

    def __init__(self, compiler: Compiler, *, builtin: set[str]) -> None:
        self._compiler = compiler
        self._builtin = builtin
        self.aggregates: list[Aggregate] = []
        self.used: set[tuple[int, int]] = set()
        self._markers = self._marked()

    def _marked(self) -> Any:
        scope = self._compiler.scope
        out = [Marker(OUT, at) for at in range(len(scope.output))]
        events = [
            Event(0, [Marker(frame, at) for at in range(len(f.attributes))])
            for frame, f in enumerate(scope.frames)
        ]
        marked: Any
        if scope.state:
            marked = StateEvent(len(events))
            marked.streams = [[event] for event in events]
        else:
            marked = events[0] if events else Event(0, [])
        marked.out = out
        return marked

    def place(self, variable: s.Variable) -> tuple[int, int]:
        """Find the frame and position a variable reads. Raises Refused."""
        frames = self._compiler.scope.frames
        if variable.index is not None or any(f.many for f in frames):
            raise Refused("it reads an event of a chain by its index")
        found = self._compiler.scope.resolve(variable)[0](self._markers)
        if not isinstance(found, Marker):
            raise Refused(f"{variable.attribute} is read in a way of its own")
        self.used.add((found.frame, found.place))
        return found.frame, found.place

    def condition(self, expression: s.Expression) -> Callable[[View], Values]:
        """Compile a condition to what gives a mask; null counts as false. Raises Refused."""
        vector = self.compile(expression)

        def mask(view: View) -> Values:
            values, nulls = vector.run(view).cells()
            held: Values = values if nulls is None else values & ~nulls
            return held

        return mask

    def compile(self, expression: s.Expression, *, lazy: bool = False) -> Vector:
        """Compile an expression; `lazy` tells that it is not worked out for every event. Raises Refused."""
        if isinstance(expression, s.Call) and self._aggregates(expression):
            if lazy:
                raise Refused("an aggregator stands where it is not worked out for every event")
            return self._aggregate(expression)
        known = len(self.aggregates)
        vector = self._vector(expression, lazy=lazy)
        if vector.constant or vector.place is not None or len(self.aggregates) > known:
            return vector
        if self._reads_out(expression) or self._compiler.scope.state:
            return vector
        return self._guarded(vector, expression)

    def _guarded(self, vector: Vector, expression: s.Expression) -> Vector:
        """Work a batch out row by row where a column holds what its type does not say."""
        inner = dataclasses.replace(self._compiler, may_aggregate=False)
        get = inner.compile(expression).get
        run = vector.run

        def guarded(view: View) -> Column:
            try:
                return run(view)
            except Unfit:
                return rowwise(get, vector.kind, view)

        return dataclasses.replace(vector, run=guarded)

    def _reads_out(self, expression: s.Expression) -> bool:
        return bool(self._compiler.scope.output) and any(frame == OUT for frame, _ in self.used)

    # --- Kinds ---

    def _vector(self, expression: s.Expression, *, lazy: bool) -> Vector:  # noqa: C901
        match expression:
            case s.Constant(value=value, type=kind):
                return constant(to_float32(value) if kind is Type.FLOAT else value, kind)
            case s.Variable():
                frame, place = self.place(expression)
                kind = self._compiler.scope.resolve(expression)[1]
                return Vector(kind, _reader(frame, place), place=(frame, place))
            case s.Arithmetic(op=op):
                left = self.compile(expression.left, lazy=lazy)
                right = self.compile(expression.right, lazy=lazy)
                kind = wider(left.kind, right.kind)
                return _both(kind, left, right, _arithmetic(op, kind))
            case s.Compare(op=op):
                left = self.compile(expression.left, lazy=lazy)
                right = self.compile(expression.right, lazy=lazy or not left.constant)
                return _comparison(op, left, right)
            case s.And():
                return self._logical(expression, np.logical_and, lazy)
            case s.Or():
                return self._logical(expression, np.logical_or, lazy)
            case s.Not():
                held = _mask(self.compile(expression.operand, lazy=lazy))
                return Vector(Type.BOOL, lambda view: Column(Type.BOOL, ~held(view)))
            case s.IsNull():
                return _is_null(self.compile(expression.operand, lazy=lazy))
            case s.IsNullStream():
                if self._compiler.scope.state:
                    raise Refused("it asks whether an event is missing")
                variable = s.Variable(expression.stream, place=expression.place)
                return _is_null(self.compile(variable, lazy=lazy))
            case s.InTable():
                self._note_all()
                return self._by_row(expression, "in")
            case s.Call():
                return self._call(expression, lazy)
        raise Refused("it is of a kind of its own")

    def _note_all(self) -> None:
        for frame, held in enumerate(self._compiler.scope.frames):
            self.used.update((frame, place) for place in range(len(held.attributes)))

    def _logical(self, expression: s.And | s.Or, join: Any, lazy: bool) -> Vector:
        left = _mask(self.compile(expression.left, lazy=lazy))
        right = _mask(self.compile(expression.right, lazy=True))
        return Vector(Type.BOOL, lambda view: Column(Type.BOOL, join(left(view), right(view))))

    def _aggregates(self, call: s.Call) -> bool:
        return self._name(call) in self._compiler.extensions.aggregators

    @staticmethod
    def _name(call: s.Call) -> str:
        return f"{call.namespace}:{call.name}" if call.namespace else call.name

    def _aggregate(self, call: s.Call) -> Vector:
        name = self._name(call)
        if name not in self._builtin:
            raise Refused(f"{name} is an extension")
        argument = None
        if call.arguments and name != "count":
            inner = dataclasses.replace(self._compiler, may_aggregate=False)
            nested = Vectoriser(inner, builtin=self._builtin)
            argument = nested.compile(call.arguments[0])
            self.used |= nested.used
        probe = dataclasses.replace(self._compiler, flow=_Unheld(), may_aggregate=True)
        kind = probe.compile(call).type
        at = len(self.aggregates)
        self.aggregates.append(Aggregate(name, argument, kind))
        return Vector(kind, lambda view: view.aggregates[at])

    # --- Functions ---

    def _call(self, call: s.Call, lazy: bool) -> Vector:
        name = self._name(call)
        if name not in self._builtin:
            raise Refused(f"{name} is an extension")
        if name == "currentTimeMillis":
            return Vector(Type.LONG, lambda view: _filled(view.now, Type.LONG, view))
        if name == "eventTimestamp" and not call.arguments:
            return Vector(Type.LONG, lambda view: Column(Type.LONG, view.ts))
        if name == "eventTimestamp" and call.arguments:
            raise Refused("it asks for one event's time")
        if call.star:
            raise Refused(f"{name}(*) is worked out row by row")
        eager = name in {"convert", "cast", "instanceOf"}
        arguments = [
            self.compile(a, lazy=lazy or not (eager and at == 0))
            for at, a in enumerate(call.arguments)
        ]
        if name == "ifThenElse":
            return _choice(*arguments)
        if name in {"coalesce", "default"}:
            return _coalesced(arguments)
        if name in _INSTANCES and arguments[0].kind is not Type.OBJECT:
            return _instance(arguments[0], arguments[0].kind is _INSTANCES[name])
        if name in {"convert", "cast"}:
            made = _converted(arguments[0], str(arguments[1].value).lower(), cast=name == "cast")
            if made is not None:
                return made
        if name in _ROWWISE or name in _INSTANCES:
            return self._by_row(call, name)
        raise Refused(f"{name} is worked out row by row")

    def _by_row(self, expression: s.Expression, name: str) -> Vector:
        if self._compiler.scope.state:
            raise Refused(f"{name} is worked out row by row")
        if self.aggregates or self._compiler.scope.output:
            raise Refused(f"{name} stands over aggregates or selected attributes")
        inner = dataclasses.replace(self._compiler, may_aggregate=False)
        compiled = inner.compile(expression)
        return Vector(
            compiled.type, lambda view: rowwise(compiled.get, compiled.type, view), rowwise=(name,)
        )


class _Unheld:
    """Takes the place of the flow where a call is compiled only for its type."""

    def holder(self, _factory: Any, *, grouped: bool = False) -> Any:  # noqa: ARG002
        return None


def rowwise(get: Callable[[Any], Any], kind: Type, view: View) -> Column:
    """Work an expression out for each row."""
    return Column(kind, objects=objects_of((get(event) for event in view.rows()), len(view)))


def constant(value: Any, kind: Type) -> Vector:
    """Make a vector of one value."""
    return Vector(kind, lambda view: _filled(value, kind, view), constant=True, value=value)


def _filled(value: Any, kind: Type, view: View) -> Column:
    return Column(kind, np.full(len(view), value, DTYPES[kind]))


def _reader(frame: int, place: int) -> Run:
    if frame == OUT:
        return lambda view: view.out[place]
    return lambda view: view.frames[frame][place]


def _mask(vector: Vector) -> Callable[[View], Values]:
    def mask(view: View) -> Values:
        values, nulls = vector.run(view).cells()
        held: Values = values if nulls is None else values & ~nulls
        return held

    return mask


def _cells(vector: Vector) -> Callable[[View], Cells]:
    """Give typed cells; a constant as one value, which numpy spreads."""
    if vector.constant:
        value = vector.value
        fixed: Any = value if vector.kind is Type.STRING else DTYPES[vector.kind](value)
        return lambda _view: (fixed, None)
    run = vector.run
    return lambda view: run(view).cells()


def _either(left: Nulls, right: Nulls) -> Nulls:
    if left is None or right is None:
        return right if left is None else left
    return left | right


def _both(kind: Type, left: Vector, right: Vector, compute: Callable[[Any, Any], Cells]) -> Vector:
    get_left, get_right = _cells(left), _cells(right)
    fixed = left.constant and right.constant

    def run(view: View) -> Column:
        a, a_nulls = get_left(view)
        b, b_nulls = get_right(view)
        if fixed:
            a = np.full(len(view), a)
        with np.errstate(all="ignore"):
            values, nulls = compute(a, b)
        return Column(kind, values, _either(nulls, _either(a_nulls, b_nulls)))

    return Vector(kind, run)


def _float32(values: Any) -> Any:
    return np.asarray(values, np.float64).astype(np.float32).astype(np.float64)


def narrowed(values: Any, kind: Type) -> Values:
    """Wrap or round what an operation gave into its type."""
    if kind is Type.INT:
        return np.asarray(values).astype(np.int32).astype(np.int64)
    if kind is Type.FLOAT:
        return np.asarray(_float32(values))
    return np.asarray(values, DTYPES[kind])


def _arithmetic(op: str, kind: Type) -> Callable[[Any, Any], Cells]:
    whole = kind in WHOLE

    def operands(a: Any, b: Any) -> tuple[Any, Any]:
        if whole:
            return a, b
        if kind is Type.FLOAT:
            return _float32(a), _float32(b)
        return np.asarray(a, np.float64), np.asarray(b, np.float64)

    plain = {"+": np.add, "-": np.subtract, "*": np.multiply}.get(op)
    if plain is not None:

        def computed(a: Any, b: Any) -> Cells:
            return narrowed(plain(*operands(a, b)), kind), None

        return computed

    def divided(a: Any, b: Any) -> Cells:
        a, b = operands(a, b)
        zero = np.broadcast_to(b == 0, np.broadcast_shapes(np.shape(a), np.shape(b)))
        divisor = np.where(b == 0, np.asarray(1, np.asarray(b).dtype), b)
        if not whole:
            values = np.divide(a, divisor) if op == "/" else np.fmod(a, divisor)
        else:
            rest = np.fmod(a, divisor)
            values = rest if op == "%" else (a - rest) // divisor
        return narrowed(values, kind), zero if zero.any() else None

    return divided


_COMPARE: dict[str, Any] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _comparison(op: str, left: Vector, right: Vector) -> Vector:
    if left.constant and not right.constant:
        return _comparison(_FLIPPED[op], right, left)
    test = _COMPARE[op]
    kinds = {left.kind, right.kind}
    narrow = Type.FLOAT in kinds and Type.DOUBLE not in kinds and kinds & set(WHOLE)
    mixed = not narrow and kinds & set(WHOLE) and kinds & {Type.FLOAT, Type.DOUBLE}
    get_left, get_right = _cells(left), _cells(right)
    text = left.kind is Type.STRING and right.constant and left.place is not None

    def run(view: View) -> Column:
        if text:
            column = left.run(view)
            if column.codes is not None:
                assert column.words is not None
                held = np.asarray(test(column.words, right.value), np.bool_)
                missing = np.equal(column.words, None).astype(np.bool_)
                held = held | missing if op == "!=" else held & ~missing
                return Column(Type.BOOL, held[column.codes])
        a, a_nulls = get_left(view)
        b, b_nulls = get_right(view)
        if narrow:
            a, b = _float32(a), _float32(b)
        elif mixed and (_inexact(a) or _inexact(b)):
            a, b = np.asarray(a, np.object_), np.asarray(b, np.object_)
        with np.errstate(all="ignore"):
            found = np.asarray(test(a, b), np.bool_)
        if found.ndim == 0:
            found = np.full(len(view), found)
        nulls = _either(a_nulls, b_nulls)
        if nulls is not None:
            # Nothing is different from every value, and from nothing.
            found = found | nulls if op == "!=" else found & ~nulls
        return Column(Type.BOOL, found)

    return Vector(Type.BOOL, run)


def _inexact(values: Any) -> bool:
    array = np.asarray(values)
    return array.dtype.kind == "i" and bool(((array > EXACT) | (array < -EXACT)).any())


def _is_null(vector: Vector) -> Vector:
    run = vector.run

    def missing(view: View) -> Column:
        nulls = run(view).cells()[1]
        return Column(Type.BOOL, np.zeros(len(view), np.bool_) if nulls is None else nulls.copy())

    return Vector(Type.BOOL, missing)


def _spread(cells: Cells, kind: Type, count: int) -> tuple[Values, Values]:
    values, nulls = cells
    if np.ndim(values) == 0:
        values = np.full(count, values, DTYPES[kind])
    return values, np.zeros(count, np.bool_) if nulls is None else nulls


def _choice(condition: Vector, then: Vector, other: Vector) -> Vector:
    mask, get_then, get_other = _mask(condition), _cells(then), _cells(other)
    kind = then.kind

    def run(view: View) -> Column:
        held = mask(view)
        a, a_nulls = _spread(get_then(view), kind, len(view))
        b, b_nulls = _spread(get_other(view), kind, len(view))
        nulls = np.where(held, a_nulls, b_nulls)
        return Column(kind, np.where(held, a, b), nulls if nulls.any() else None)

    return Vector(kind, run)


def _coalesced(arguments: list[Vector]) -> Vector:
    kind = arguments[0].kind
    getters = [_cells(a) for a in arguments]

    def run(view: View) -> Column:
        values, nulls = _spread(getters[0](view), kind, len(view))
        for get in getters[1:]:
            if not nulls.any():
                break
            others, missing = _spread(get(view), kind, len(view))
            values = np.where(nulls, others, values)
            nulls = nulls & missing
        return Column(kind, values, nulls if nulls.any() else None)

    return Vector(kind, run)


def _instance(argument: Vector, same: bool) -> Vector:
    run = argument.run

    def holds(view: View) -> Column:
        values, nulls = run(view).cells()
        if argument.kind is Type.STRING:
            _expect_text(values, nulls)
        held = np.full(len(view), same)
        return Column(Type.BOOL, held if nulls is None or not same else ~nulls)

    return Vector(Type.BOOL, holds)


def _expect_text(values: Values, nulls: Nulls) -> None:
    if not set(map(type, values)) <= {str, type(None)}:
        raise Unfit


def _converted(argument: Vector, wanted: str, *, cast: bool) -> Vector | None:
    """Convert numbers to numbers; None where it takes a row at a time."""
    kind = next((t for t in NUMERIC if t.value == wanted), None)
    source = argument.kind
    if kind is None or source not in NUMERIC:
        return None
    if cast:
        # A cast gives the value as it is; only the type it is held to be of changes.
        return argument if kind is source else None
    get = _cells(argument)

    def run(view: View) -> Column:
        values, nulls = get(view)
        if np.ndim(values) == 0:
            values = np.full(len(view), values)
        with np.errstate(all="ignore"):
            return Column(kind, to_kind(values, source, kind), nulls)

    return Vector(kind, run)


def to_kind(values: Values, source: Type, kind: Type) -> Values:
    """Convert numbers as a Java cast does: integers wrap, floats saturate, NaN is 0."""
    if kind not in WHOLE:
        return narrowed(values, kind)
    if source in WHOLE:
        return narrowed(values, kind)
    low, high = (-(1 << 31), (1 << 31) - 1) if kind is Type.INT else (-(1 << 63), (1 << 63) - 1)
    clean = np.where(np.isnan(values), 0.0, values)
    inside = (clean > low) & (clean < high)
    whole = np.where(inside, clean, 0.0).astype(np.int64)
    return np.where(inside, whole, np.where(clean <= low, low, np.where(clean >= high, high, 0)))


VOLATILE = {"currentTimeMillis", "eventTimestamp", "UUID"}


def volatile(expression: s.Expression | None) -> bool:
    """Tell whether an expression gives something else when it is worked out later."""
    match expression:
        case s.Call(name=name, arguments=arguments):
            return name in VOLATILE or any(volatile(a) for a in arguments)
        case s.Arithmetic(left=left, right=right) | s.Compare(left=left, right=right):
            return volatile(left) or volatile(right)
        case s.And(left=left, right=right) | s.Or(left=left, right=right):
            return volatile(left) or volatile(right)
        case s.Not(operand=operand) | s.IsNull(operand=operand):
            return volatile(operand)
        case s.InTable():
            return True
        case _:
            return False
