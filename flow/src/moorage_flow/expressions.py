"""Expressions compiled to closures: names and types are settled before any event."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .errors import AppInvalid, EvaluationFailed, FunctionUnknown, nearest
from .flow import Flow
from .language.syntax import (
    And,
    Arithmetic,
    Attribute,
    Call,
    Compare,
    Constant,
    Expression,
    InTable,
    IsNull,
    IsNullStream,
    Not,
    Or,
    Type,
    Variable,
)
from .scope import Getter, Scope
from .values import NUMERIC, divide, remainder, text, to_float32, to_int32, to_int64, to_type, wider

if TYPE_CHECKING:
    from .extensions import Extensions
    from .table import Table


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled expression: what it gives, of which type, and whether it is a constant or a bare
    variable. `own` is the type its values have, where a cast only says another.
    """

    get: Getter
    type: Type
    constant: bool = False
    variable: Variable | None = None
    time: bool = False
    aggregate: bool = False
    own: Type | None = None

    @property
    def value(self) -> Any:
        """The value of a constant."""
        return self.get(None)


@dataclass(slots=True)
class Compiler:
    """Compiles the expressions of one place of a query.

    `grouped` says whether aggregators keep a state for each group; `tracks` whether events leave
    again, so that extremes must remember what they have seen. `aggregates` becomes true once an
    aggregator was compiled.
    """

    scope: Scope
    flow: Flow
    extensions: Extensions
    tables: dict[str, Table] = field(default_factory=dict)
    grouped: bool = False
    tracks: bool = False
    may_aggregate: bool = False
    aggregates: bool = False

    def within(self, scope: Scope) -> Compiler:
        """Give a compiler of the same place for another scope, without aggregators."""
        return Compiler(scope, self.flow, self.extensions, self.tables)

    def condition(self, expression: Expression) -> Getter:
        """Compile what must be a bool; null counts as false. Raises AppInvalid."""
        compiled = self.compile(expression)
        if compiled.type is not Type.BOOL:
            raise AppInvalid(f"a condition is a bool, not {_a(compiled.type)}", expression.place)
        return compiled.get

    def compile(self, expression: Expression) -> Compiled:
        """Compile any expression. Raises AppInvalid and its subclasses."""
        match expression:
            case Constant(value=value, type=kind):
                fixed = to_float32(value) if kind is Type.FLOAT else value
                return Compiled(lambda _event: fixed, kind, constant=True, time=expression.time)
            case Variable():
                get, kind = self.scope.resolve(expression)
                return Compiled(get, kind, variable=expression)
            case Arithmetic():
                return self._arithmetic(expression)
            case Compare():
                return self._compare(expression)
            case And():
                left, right = self.condition(expression.left), self.condition(expression.right)
                return Compiled(lambda e: left(e) is True and right(e) is True, Type.BOOL)
            case Or():
                left, right = self.condition(expression.left), self.condition(expression.right)
                return Compiled(lambda e: left(e) is True or right(e) is True, Type.BOOL)
            case Not():
                operand = self.condition(expression.operand)
                return Compiled(lambda e: operand(e) is not True, Type.BOOL)
            case IsNull():
                inner = self.compile(expression.operand).get
                return Compiled(lambda e: inner(e) is None, Type.BOOL)
            case IsNullStream():
                return self._is_null_stream(expression)
            case InTable():
                return self._in_table(expression)
            case Call():
                return self._call(expression)

    def _arithmetic(self, expression: Arithmetic) -> Compiled:
        left, right = self.compile(expression.left), self.compile(expression.right)
        for side in (left, right):
            if side.type not in NUMERIC:
                raise AppInvalid(
                    f"{expression.op} needs numbers, not {_a(side.type)}", expression.place
                )
        kind = wider(left.type, right.type)
        return Compiled(_operate(expression.op, kind, left.get, right.get), kind)

    def _compare(self, expression: Compare) -> Compiled:
        left, right = self.compile(expression.left), self.compile(expression.right)
        op, types = expression.op, {left.type, right.type}
        numbers = left.type in NUMERIC and right.type in NUMERIC
        alike = op in {"==", "!="} and len(types) == 1 and Type.OBJECT not in types
        if not numbers and not alike:
            raise AppInvalid(
                f"{op} cannot compare {_a(left.type)} with {_a(right.type)}", expression.place
            )
        narrow = numbers and Type.FLOAT in types and Type.DOUBLE not in types
        if narrow and left.type is not right.type:
            left, right = _as_float(left), _as_float(right)
        return Compiled(_comparison(op, left.get, right.get), Type.BOOL)

    def _is_null_stream(self, expression: IsNullStream) -> Compiled:
        at = self.scope.position(expression.stream) if self.scope.state else None
        if at is None and not self.scope.state and self.names_stream(expression.stream):
            return Compiled(lambda _event: False, Type.BOOL)  # The event is there: it is looked at.
        if at is None:
            variable = Variable(expression.stream, place=expression.place)
            get = self.scope.resolve(variable)[0]
            return Compiled(lambda e: get(e) is None, Type.BOOL)
        pick = self.scope.chain(at, expression.index)
        return Compiled(lambda e: pick(e) is None, Type.BOOL)

    def names_stream(self, name: str) -> bool:
        """Tell whether it is the stream, and none of its attributes."""
        return any(f.name == name and f.find(name) is None for f in self.scope.frames)

    def _in_table(self, expression: InTable) -> Compiled:
        table = self.tables.get(expression.table)
        if table is None:
            raise AppInvalid(f"{expression.table} is no table", expression.place)
        from .matching import compile_match

        condition = compile_match(self, expression.condition, table)

        def found(event: Any) -> bool:
            return table.contains(condition, event)

        return Compiled(found, Type.BOOL)

    def _call(self, call: Call) -> Compiled:
        key = f"{call.namespace}:{call.name}" if call.namespace else call.name
        extensions = self.extensions
        if (maker := extensions.aggregators.get(key)) is not None:
            if not self.may_aggregate:
                raise AppInvalid(f"{key} aggregates, and this is no place for it", call.place)
            self.aggregates = True
            arguments = self.arguments(call)
            compiled = maker(self, call, arguments)
            return Compiled(compiled.get, compiled.type, aggregate=True)
        if key == "eventTimestamp" and (stream := self._stream_argument(call)) is not None:
            pick = self.scope.chain(*stream)
            return Compiled(lambda e: None if (v := pick(e)) is None else v.ts, Type.LONG)
        if (function := extensions.functions.get(key)) is not None:
            return _never_unknown(function(self, call, self.arguments(call)))
        raise FunctionUnknown(
            f"no function or aggregator is called {key}"
            f"{nearest(key, [*extensions.functions, *extensions.aggregators])}",
            call.place,
        )

    def _stream_argument(self, call: Call) -> tuple[int, int | None] | None:
        """Give position and index of the one argument, where it names an event of the inputs."""
        if len(call.arguments) != 1 or not self.scope.state:
            return None
        argument = call.arguments[0]
        if not isinstance(argument, Variable):
            return None
        if argument.attribute == "":
            at = self.scope.position(argument.stream or "")
            return None if at is None else (at, argument.index)
        at = self.scope.position(argument.attribute) if argument.stream is None else None
        return None if at is None else (at, None)

    def arguments(self, call: Call) -> list[Compiled]:
        """Compile a call's arguments; `*` stands for every attribute."""
        if not call.star:
            return [self.compile(argument) for argument in call.arguments]
        return [
            self.compile(
                Variable(
                    a.name, frame.name if self.scope.state else None, 0 if frame.many else None
                )
            )
            for frame in self.scope.frames
            for a in frame.attributes
        ]


def conjuncts(expression: Expression) -> list[Expression]:
    """Split `a and b and c`."""
    if isinstance(expression, And):
        return conjuncts(expression.left) + conjuncts(expression.right)
    return [expression]


def _a(kind: Type) -> str:
    return f"an {kind.value}" if kind.value[0] in "aeiou" else f"a {kind.value}"


def _never_unknown(compiled: Compiled) -> Compiled:
    """Give a function's result as Siddhi does: a bool that is null is false."""
    if compiled.type is not Type.BOOL:
        return compiled
    get = compiled.get

    def known(event: Any) -> bool:
        value = get(event)
        if value is None or isinstance(value, bool):
            return value is True
        raise EvaluationFailed(f"a bool is wanted, not {value!r}")

    return replace(compiled, get=known)


def _as_float(compiled: Compiled) -> Compiled:
    if compiled.type is Type.FLOAT:
        return compiled
    get = compiled.get
    return Compiled(lambda e: to_type(get(e), Type.FLOAT), Type.FLOAT)


_RAW: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_WRAP: dict[Type, Callable[[Any], Any]] = {
    Type.INT: to_int32,
    Type.LONG: to_int64,
    Type.FLOAT: to_float32,
    Type.DOUBLE: float,
}


def _operate(op: str, kind: Type, left: Getter, right: Getter) -> Getter:
    wrap = _WRAP[kind]
    narrow = kind is Type.FLOAT

    def operands(event: Any) -> tuple[Any, Any]:
        a, b = left(event), right(event)
        if a is None or b is None:
            return None, None
        return (to_float32(a), to_float32(b)) if narrow else (a, b)

    if op in _RAW:
        raw = _RAW[op]

        def computed(event: Any) -> Any:
            a, b = operands(event)
            return None if a is None else wrap(raw(a, b))

        return computed
    whole = kind in {Type.INT, Type.LONG}
    if op == "/":
        parted: Callable[[Any, Any], Any] = divide if whole else operator.truediv
    else:
        parted = remainder if whole else _fmod

    def divided(event: Any) -> Any:
        a, b = operands(event)
        return None if a is None or b == 0 else wrap(parted(a, b))

    return divided


def _fmod(left: float, right: float) -> float:
    import math

    return math.fmod(left, right)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparison(op: str, left: Getter, right: Getter) -> Getter:
    test = _COMPARE[op]
    if op == "!=":

        def differs(event: Any) -> bool:
            a, b = left(event), right(event)
            return a is None or b is None or bool(a != b)

        return differs

    def compared(event: Any) -> bool:
        a = left(event)
        if a is None:
            return False
        b = right(event)
        return b is not None and bool(test(a, b))

    return compared


def key_of(getters: list[tuple[Getter, Type]]) -> Getter:
    """Give a getter of a group's key: its values as one text."""
    if len(getters) == 1:
        get, kind = getters[0]
        return lambda event: text(get(event), kind)
    return lambda event: "::".join(text(get(event), kind) for get, kind in getters)


def attributes_of(compiled: list[tuple[str, Compiled]]) -> list[Attribute]:
    """Give the attributes a selection makes."""
    return [Attribute(name, c.type) for name, c in compiled]
