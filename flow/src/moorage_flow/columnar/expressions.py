"""Expressions compiled for columns: names and types are the reference's, values are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..events import Event, StateEvent
from ..expressions import Compiler
from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Type
from ..values import to_float32, wider
from .batch import Column, Unfit, Values
from .operations import (
    OUT,
    arithmetic,
    both,
    choice,
    coalesced,
    comparison,
    constant,
    converted,
    filled,
    instance,
    is_null,
    known,
    mask,
    reader,
    rowwise,
)
from .vector import Refused, Vector, View


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

    The reference compiler settles names, types and errors first; here only what is valid arrives.
    `aggregates` gathers the aggregators met.
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
        return mask(self.compile(expression))

    def compile(self, expression: s.Expression, *, lazy: bool = False) -> Vector:
        """Compile an expression; `lazy` tells that it is not worked out for every event. Raises
        Refused.
        """
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

    def _vector(self, expression: s.Expression, *, lazy: bool) -> Vector:
        match expression:
            case s.Constant(value=value, type=kind):
                return constant(to_float32(value) if kind is Type.FLOAT else value, kind)
            case s.Variable():
                frame, place = self.place(expression)
                kind = self._compiler.scope.resolve(expression)[1]
                return Vector(kind, reader(frame, place), place=(frame, place))
            case s.Arithmetic(op=op):
                left = self.compile(expression.left, lazy=lazy)
                right = self.compile(expression.right, lazy=lazy)
                kind = wider(left.kind, right.kind)
                return both(kind, left, right, arithmetic(op, kind))
            case s.Compare(op=op):
                left = self.compile(expression.left, lazy=lazy)
                right = self.compile(expression.right, lazy=lazy or not left.constant)
                return comparison(op, left, right)
            case s.And():
                return self._logical(expression, np.logical_and, lazy)
            case s.Or():
                return self._logical(expression, np.logical_or, lazy)
            case s.Not():
                held = mask(self.compile(expression.operand, lazy=lazy))
                return Vector(Type.BOOL, lambda view: Column(Type.BOOL, ~held(view)))
            case s.IsNull():
                return is_null(self.compile(expression.operand, lazy=lazy))
            case s.IsNullStream():
                if self._compiler.scope.state:
                    raise Refused("it asks whether an event is missing")
                if self._compiler.names_stream(expression.stream):
                    return constant(False, Type.BOOL)
                variable = s.Variable(expression.stream, place=expression.place)
                return is_null(self.compile(variable, lazy=lazy))
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
        left = mask(self.compile(expression.left, lazy=lazy))
        right = mask(self.compile(expression.right, lazy=True))
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
        probe = dataclasses.replace(self._compiler, flow=cast(Flow, _Unheld()), may_aggregate=True)
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
            return Vector(Type.LONG, lambda view: filled(view.now, Type.LONG, view))
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
            return known(choice(*arguments))
        if name in {"coalesce", "default"}:
            return known(coalesced(arguments))
        if name in _INSTANCES and isinstance(call.arguments[0], s.Call):
            return self._by_row(call, name)  # A cast's values are of another type than it says.
        if name in _INSTANCES and arguments[0].kind is not Type.OBJECT:
            return instance(arguments[0], arguments[0].kind is _INSTANCES[name])
        if name in {"convert", "cast"}:
            made = converted(arguments[0], str(arguments[1].value).lower(), cast=name == "cast")
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

    def holder(self, _factory: Any, *, grouped: bool = False) -> Any:
        return None


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
