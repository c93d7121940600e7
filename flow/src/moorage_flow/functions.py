"""The functions of the language: scalar ones, and those that add attributes to a stream.

Source: Siddhi 5.1 API, https://siddhi.io/en/v5.1/docs/api/latest/ (core).
"""

from __future__ import annotations

import logging
import math
import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import AppInvalid, EvaluationFailed
from .events import StateEvent
from .expressions import Compiled, Compiler
from .language.syntax import Attribute, Call, Type
from .values import NUMERIC, own_type, text, to_type, type_of

if TYPE_CHECKING:
    from .extensions import FunctionMaker, StreamFunctionMaker

log = logging.getLogger("moorage_flow.log")

_CONVERTIBLE = {t.value: t for t in Type if t is not Type.OBJECT}
_WHOLE = re.compile(r"[+-]?0{0,99}[0-9]{1,19}")
_REAL = re.compile(r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)")


def expect(call: Call, arguments: list[Compiled], *counts: int) -> None:
    """Raise AppInvalid unless the call has one of these numbers of arguments."""
    if len(arguments) not in counts:
        wanted = " or ".join(map(str, counts))
        raise AppInvalid(f"{call.name} takes {wanted} arguments, not {len(arguments)}", call.place)


def expect_type(call: Call, argument: Compiled, at: int, *types: Type) -> None:
    """Raise AppInvalid unless the argument is of one of these types."""
    if argument.type not in types:
        wanted = " or ".join(t.value for t in types)
        raise AppInvalid(
            f"argument {at + 1} of {call.name} is of type {wanted}, not {argument.type.value}",
            call.place,
        )


def expect_alike(call: Call, arguments: list[Compiled]) -> Type:
    """Raise AppInvalid unless all arguments have one type, and give it."""
    kinds = {a.type for a in arguments}
    if len(kinds) != 1:
        found = ", ".join(a.type.value for a in arguments)
        raise AppInvalid(f"the arguments of {call.name} are of one type, not {found}", call.place)
    return arguments[0].type


def expect_constant(call: Call, argument: Compiled, at: int) -> Any:
    """Raise AppInvalid unless the argument is a constant, and give its value."""
    if not argument.constant:
        raise AppInvalid(f"argument {at + 1} of {call.name} is a constant", call.place)
    return argument.value


def _converter(call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 2)
    source, wanted = arguments
    expect_type(call, wanted, 1, Type.STRING)
    name = expect_constant(call, wanted, 1)
    kind = _CONVERTIBLE.get(str(name).lower())
    if kind is None:
        raise AppInvalid(f"{name!r} is no type that {call.name} gives", call.place)
    return Compiled(source.get, kind)


def _convert(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    kind = _converter(call, arguments).type
    source = arguments[0]
    if source.type is Type.OBJECT and kind is not Type.STRING:
        raise AppInvalid("convert gives of an object only a string", call.place)
    get, from_ = source.get, source.type
    return Compiled(lambda e: convert(get(e), from_, kind), kind)


def convert(value: Any, source: Type, kind: Type) -> Any:
    """Convert a value between types; text that does not read as the type gives null."""
    if value is None:
        return None
    if kind is Type.STRING:
        return text(value, source)
    if kind is Type.BOOL:
        if isinstance(value, bool):
            return value
        return value.lower() == "true" if isinstance(value, str) else value == 1
    if isinstance(value, bool):
        return to_type(int(value), kind)
    if isinstance(value, str):
        return _number(value, kind)
    return to_type(value, kind)


def _number(written: str, kind: Type) -> Any:
    """Read a number as Java does: `parseInt` and `parseLong` take digits within their range and no
    spaces, `parseFloat` and `parseDouble` spaces around and a letter behind.
    """
    if kind in {Type.INT, Type.LONG}:
        whole = int(written) if _WHOLE.fullmatch(written) else None
        return whole if whole is not None and whole == to_type(whole, kind) else None
    real = written.strip()
    return to_type(float(real.rstrip("fFdD")), kind) if _REAL.fullmatch(real) else None


def _cast(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    kind = _converter(call, arguments).type
    source = arguments[0]
    own = source.own or source.type
    if kind is Type.LONG and own is Type.INT:
        own = Type.LONG
    return Compiled(source.get, kind, own=own)


def _coalesce(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    if not arguments:
        raise AppInvalid("coalesce takes at least one argument", call.place)
    kind = expect_alike(call, arguments)
    getters = [a.get for a in arguments]

    def first(event: Any) -> Any:
        return next((v for get in getters if (v := get(event)) is not None), None)

    return Compiled(first, kind)


def _if_then_else(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 3)
    expect_type(call, arguments[0], 0, Type.BOOL)
    kind = expect_alike(call, arguments[1:])
    condition, then, other = (a.get for a in arguments)
    return Compiled(lambda e: then(e) if condition(e) is True else other(e), kind)


def _default(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 2)
    fallback = expect_constant(call, arguments[1], 1)
    kind = expect_alike(call, arguments)
    get = arguments[0].get
    return Compiled(lambda e: fallback if (v := get(e)) is None else v, kind)


def _instance_of(kind: Type) -> FunctionMaker:
    def make(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
        expect(call, arguments, 1)
        get, declared = arguments[0].get, arguments[0].own or arguments[0].type

        def holds(event: Any) -> bool:
            value = get(event)
            if value is None:
                return False
            if declared is Type.OBJECT or own_type(value) is not None:
                return type_of(value) is kind
            return declared is kind

        return Compiled(holds, Type.BOOL)

    return make


def _extreme(choose: Callable[[list[Any]], Any]) -> FunctionMaker:
    def make(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
        if not arguments:
            raise AppInvalid(f"{call.name} takes at least one argument", call.place)
        for at, argument in enumerate(arguments):
            expect_type(call, argument, at, *NUMERIC)
        kind = expect_alike(call, arguments)
        getters = [a.get for a in arguments]

        def chosen(event: Any) -> Any:
            values = [v for get in getters if (v := get(event)) is not None]
            return choose(values) if values else None

        return Compiled(chosen, kind)

    return make


def _uuid(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 0)
    return Compiled(lambda _e: str(uuid.uuid4()), Type.STRING)


def _current_time(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 0)
    clock = compiler.flow.clock
    return Compiled(lambda _e: clock.now, Type.LONG)


def _event_timestamp(compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 0)
    return Compiled(lambda e: e.ts, Type.LONG)


def _create_set(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 1)
    expect_type(call, arguments[0], 0, *_CONVERTIBLE.values())
    get = arguments[0].get
    return Compiled(lambda e: {get(e)}, Type.OBJECT)


def _size_of_set(_compiler: Compiler, call: Call, arguments: list[Compiled]) -> Compiled:
    expect(call, arguments, 1)
    expect_type(call, arguments[0], 0, Type.OBJECT)
    get = arguments[0].get

    def size(event: Any) -> Any:
        value = get(event)
        if value is None:
            return None
        if not isinstance(value, set | frozenset):
            raise EvaluationFailed("sizeOfSet takes a set")
        return len(value)

    return Compiled(size, Type.INT)


FUNCTIONS: dict[str, FunctionMaker] = {
    "cast": _cast,
    "coalesce": _coalesce,
    "convert": _convert,
    "createSet": _create_set,
    "currentTimeMillis": _current_time,
    "default": _default,
    "eventTimestamp": _event_timestamp,
    "ifThenElse": _if_then_else,
    "instanceOfBoolean": _instance_of(Type.BOOL),
    "instanceOfDouble": _instance_of(Type.DOUBLE),
    "instanceOfFloat": _instance_of(Type.FLOAT),
    "instanceOfInteger": _instance_of(Type.INT),
    "instanceOfLong": _instance_of(Type.LONG),
    "instanceOfString": _instance_of(Type.STRING),
    "maximum": _extreme(max),
    "minimum": _extreme(min),
    "sizeOfSet": _size_of_set,
    "UUID": _uuid,
}


def _pol2cart(
    _compiler: Compiler, call: Call, arguments: list[Compiled]
) -> tuple[list[Attribute], Callable[[Any], list[Any]]]:
    expect(call, arguments, 2, 3)
    for at, argument in enumerate(arguments):
        expect_type(call, argument, at, Type.DOUBLE)
    getters = [a.get for a in arguments]

    def values(event: Any) -> list[Any]:
        theta, rho, *rest = (get(event) for get in getters)
        angle = math.radians(theta)
        return [rho * math.cos(angle), rho * math.sin(angle), *rest]

    names = ["x", "y", "z"][: len(arguments)]
    return [Attribute(name, Type.DOUBLE) for name in names], values


_LEVELS = {"INFO", "DEBUG", "WARN", "FATAL", "ERROR", "OFF", "TRACE"}


def _log(
    compiler: Compiler, call: Call, arguments: list[Compiled]
) -> tuple[list[Attribute], Callable[[Any], list[Any]]]:
    expect(call, arguments, 0, 1, 2, 3)
    rest = list(arguments)
    level, message, with_event = "INFO", None, True
    if rest and rest[-1].type is Type.BOOL:
        with_event = bool(expect_constant(call, rest.pop(), len(arguments) - 1))
    for at, argument in enumerate(rest):
        expect_type(call, argument, at, Type.STRING)
    if len(rest) > 1:
        level = str(expect_constant(call, rest.pop(0), 0)).upper()
        if level not in _LEVELS:
            raise AppInvalid(f"{level} is no level of the log", call.place)
    if rest:
        message = rest[0].get
    number = {
        "FATAL": logging.CRITICAL,
        "WARN": logging.WARNING,
        "TRACE": logging.DEBUG,
        "OFF": 0,
    }.get(level, getattr(logging, level, logging.INFO))

    def write(event: Any) -> list[Any]:
        data = event.out if isinstance(event, StateEvent) else event.data
        if number:
            log.log(
                number,
                "event",
                extra={
                    "flow_message": message(event) if message else None,
                    "flow_event": (event.ts, data) if with_event else None,
                },
            )
        return []

    return [], write


STREAM_FUNCTIONS: dict[str, StreamFunctionMaker] = {"log": _log, "pol2Cart": _pol2cart}
