"""The callbacks of the parser: each rule of `grammar.lark` to its value of the syntax tree."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from lark import Token, Transformer

from ..errors import AppInvalid, AttributeRepeated, SyntaxInvalid
from . import syntax as s

_UNITS_MS = {
    "year": 31_556_900_000,
    "month": 2_630_000_000,
    "week": 604_800_000,
    "day": 86_400_000,
    "hour": 3_600_000,
    "min": 60_000,
    "sec": 1_000,
    "millisec": 1,
}
_DURATIONS = ("sec", "min", "hour", "day", "month", "year")

_bodies: list[str] = []


@contextlib.contextmanager
def scripts(bodies: list[str]) -> Iterator[None]:
    """Give the bodies of the text's functions, in order, to the callbacks."""
    _bodies[:] = bodies
    try:
        yield
    finally:
        _bodies.clear()


def _place(token: Token) -> s.Place:
    return s.Place(token.line or 0, token.column or 0)


def _unit(token: Token) -> str:
    word = token.lower()
    if word.startswith("millisec"):
        return "millisec"
    if word.startswith("min"):
        return "min"
    if word.startswith("sec"):
        return "sec"
    return word.rstrip("s")


def _annotations(children: list[Any]) -> tuple[s.Annotation, ...]:
    return tuple(c for c in children if isinstance(c, s.Annotation))


def _rest(children: list[Any]) -> list[Any]:
    return [c for c in children if not isinstance(c, s.Annotation)]


class Builder(Transformer[Any, Any]):
    """Rules to values; refuses what the grammar's shape alone cannot."""

    def ID(self, token: Token) -> Token:
        return token.update(value=token[1:-1]) if token.startswith("`") else token

    def STRING(self, token: Token) -> Token:
        if token.startswith('"""'):
            return token.update(value=_unescape(token[3:-3]))
        return token.update(value=token[1:-1])

    # --- Application ---

    def app(self, children: list[Any]) -> s.AppSyntax:
        definitions: list[Any] = []
        executions: list[Any] = []
        annotations: list[s.Annotation] = []
        for child in children:
            if isinstance(child, s.Annotation):
                annotations.append(child)
                continue
            own = tuple(a for a in child.annotations if a.name.lower().startswith("app:"))
            if own:
                annotations += own
                kept = tuple(a for a in child.annotations if a not in own)
                child = dataclasses.replace(child, annotations=kept)
            (executions if isinstance(child, s.Query | s.Partition) else definitions).append(child)
        return s.AppSyntax(tuple(annotations), tuple(definitions), tuple(executions))

    def annotation(self, children: list[Any]) -> s.Annotation:
        name, second, *parts = children
        elements = tuple(p for p in parts if isinstance(p, tuple))
        nested = tuple(p for p in parts if isinstance(p, s.Annotation))
        return s.Annotation(f"{name}:{second}" if second else str(name), elements, nested)

    def annotation_element(self, children: list[Any]) -> tuple[str | None, str]:
        return children[0], str(children[1])

    def property_name(self, children: list[Any]) -> str:
        return "".join(children)

    # --- Definitions ---

    def attribute(self, children: list[Token]) -> s.Attribute:
        return s.Attribute(str(children[0]), s.Type(children[1].lower()))

    def attributes(self, children: list[s.Attribute]) -> tuple[s.Attribute, ...]:
        return tuple(children)

    def stream_definition(self, children: list[Any]) -> s.StreamDefinition:
        _, _, source, attributes = _rest(children)
        return s.StreamDefinition(source.key, attributes, _annotations(children), source.place)

    def table_definition(self, children: list[Any]) -> s.TableDefinition:
        _, _, source, attributes = _rest(children)
        return s.TableDefinition(source.key, attributes, _annotations(children), source.place)

    def window_definition(self, children: list[Any]) -> s.WindowDefinition:
        _, _, source, attributes, window, _, output = _rest(children)
        return s.WindowDefinition(
            source.key, attributes, window, output, _annotations(children), source.place
        )

    def trigger_definition(self, children: list[Any]) -> s.TriggerDefinition:
        rest = _rest(children)
        name, moment = rest[2], rest[-1]
        every, at = (moment, None) if isinstance(moment, int) else (None, str(moment))
        return s.TriggerDefinition(str(name), every, at, _annotations(children), _place(name))

    def function_definition(self, children: list[Any]) -> s.FunctionDefinition:
        _, _, name, language, _, returns, _ = _rest(children)
        return s.FunctionDefinition(
            str(name),
            str(language),
            s.Type(returns.lower()),
            _bodies.pop(0),
            _annotations(children),
            _place(name),
        )

    def aggregation_definition(self, children: list[Any]) -> s.AggregationDefinition:
        _, _, name, _, source, select, _, _, by, _, durations = _rest(children)
        return s.AggregationDefinition(
            str(name), source, select, by, durations, _annotations(children), _place(name)
        )

    def duration_range(self, children: list[Token]) -> tuple[str, ...]:
        first, last = (_duration(c) for c in children)
        low, high = _DURATIONS.index(first), _DURATIONS.index(last)
        if low > high:
            raise SyntaxInvalid(
                f"a range of durations runs from fine to coarse, not from {first} to {last}",
                _place(children[0]),
            )
        return _DURATIONS[low : high + 1]

    def duration_list(self, children: list[Token]) -> tuple[str, ...]:
        return tuple(sorted({_duration(c) for c in children}, key=_DURATIONS.index))

    # --- Inputs ---

    def source(self, children: list[Any]) -> s.Source:
        sigil, name = children
        return s.Source(str(name), fault=sigil is not None, place=_place(name))

    def inner_source(self, children: list[Any]) -> s.Source:
        return s.Source(str(children[1]), inner=True, place=_place(children[1]))

    def filter(self, children: list[Any]) -> s.Filter:
        return s.Filter(children[-1])

    def stream_function(self, children: list[Any]) -> s.StreamFunction:
        return s.StreamFunction(children[-1])

    def window(self, children: list[Any]) -> s.Window:
        return s.Window(children[-1])

    def handled(self, children: list[Any]) -> s.Single:
        source, *handlers = children
        windows = [h for h in handlers if isinstance(h, s.Window)]
        if len(windows) > 1:
            raise SyntaxInvalid("a stream has one window at most", windows[1].call.place)
        return s.Single(source, tuple(handlers))

    def single(self, children: list[s.Single]) -> s.Single:
        return children[0]

    def anonymous(self, children: list[Any]) -> s.Anonymous:
        place = _place(children[0])
        source, select, rate, output = children[1:]
        output = _settled(output, rate, place)
        return s.Anonymous(s.Query(source, select or s.Select(), rate, output, place=place))

    def nested_anonymous(self, children: list[Any]) -> s.Anonymous:
        anonymous: s.Anonymous = children[0]
        return anonymous

    def join_side(self, children: list[Any]) -> s.Single:
        single: s.Single = children[0]
        alias = children[2]
        if single.window is not None and not isinstance(single.handlers[-1], s.Window):
            raise SyntaxInvalid("in a join nothing follows the window", single.window.call.place)
        return dataclasses.replace(single, alias=str(alias) if alias else None)

    def join_kind(self, children: list[Token]) -> str:
        first = children[0].lower()
        return {"outer": "full", "join": "inner"}.get(first, first)

    def join_within(self, children: list[Any]) -> s.Within:
        _, start, end, _, per = children
        return s.Within(start, end, per)

    def join_right(self, children: list[Any]) -> s.Join:
        left, kind, right = children[:3]
        trigger = (
            "right"
            if isinstance(children[3], Token) and children[3].type == "UNIDIRECTIONAL"
            else "all"
        )
        return s.Join(left, right, kind, trigger, children[-2], children[-1])

    def join_left(self, children: list[Any]) -> s.Join:
        left, _, kind, right, _, on, within = children
        return s.Join(left, right, kind, "left", on, within)

    # --- Patterns and sequences ---

    def bare(self, children: list[s.Single]) -> s.StreamState:
        return s.StreamState(_without_window(children[0]))

    def named(self, children: list[Any]) -> s.StreamState:
        return s.StreamState(
            dataclasses.replace(_without_window(children[1]), alias=str(children[0]))
        )

    def every(self, children: list[Any]) -> s.EveryState:
        return s.EveryState(children[1])

    def group(self, children: list[Any]) -> Any:
        inner = children[0]
        return inner[1] if isinstance(inner, tuple) else inner

    def absent(self, children: list[Any]) -> s.AbsentState:
        if children[3] == 0:
            place = _place(children[0])
            raise AppInvalid("nothing is absent for no time: 'for' is at least 1 ms", place)
        return s.AbsentState(_without_window(children[1]), children[3])

    def counted(self, children: list[Any]) -> s.CountState:
        state, mark = children[0], children[1]
        least, most = {"*": (0, s.ANY), "?": (0, 1), "+": (1, s.ANY)}.get(str(mark), (0, 0))
        if mark.type == "LT":
            least, most = children[2]
        return s.CountState(state.stream, least, most)

    def exactly(self, children: list[Token]) -> tuple[int, int]:
        return int(children[0]), int(children[0])

    def at_least(self, children: list[Token]) -> tuple[int, int]:
        return int(children[0]), s.ANY

    def at_most(self, children: list[Token]) -> tuple[int, int]:
        return s.ANY, int(children[-1])

    def between(self, children: list[Token]) -> tuple[int, int]:
        return int(children[0]), int(children[-1])

    def logical(self, children: list[Any]) -> s.LogicalState:
        left, op, right = children
        absent = [x for x in (left, right) if isinstance(x, s.AbsentState)]
        if any(x.for_ms is None for x in absent) and (op.lower() == "or" or len(absent) == 2):
            raise SyntaxInvalid("'not' needs 'for' and a time here", _place(op), ("for",))
        if isinstance(right, s.AbsentState) and not isinstance(left, s.AbsentState):
            left, right = right, left  # Siddhi's own order: what is absent stands first.
        return s.LogicalState(left, op.lower(), right)

    def pattern(self, children: list[Any]) -> tuple[bool, s.State]:
        return False, _chained(children)

    def sequence(self, children: list[Any]) -> tuple[bool, s.State]:
        return True, _chained(children)

    def state(self, children: list[Any]) -> s.StateInput:
        first, _, within = children
        sequence, state = first if isinstance(first, tuple) else (False, first)
        _check_absent(state)
        _check_every(state, inside=False)
        return s.StateInput(state, sequence, within)

    # --- Selection ---

    def output_attribute(self, children: list[Any]) -> s.OutputAttribute:
        expression = children[0]
        place = expression.place
        if len(children) == 3:
            return s.OutputAttribute(expression, str(children[2]), place)
        if not isinstance(expression, s.Variable):
            raise SyntaxInvalid(
                "an expression needs a name: 'as' and the attribute", place, ("as",)
            )
        return s.OutputAttribute(expression, expression.attribute, place)

    def select(self, children: list[Any]) -> s.Select:
        attributes = tuple(c for c in children if isinstance(c, s.OutputAttribute))
        group, having, order, limit, offset = children[-5:]
        names: set[str] = set()
        for attribute in attributes:
            if attribute.name in names:
                raise AttributeRepeated(f"{attribute.name} is selected twice", attribute.place)
            names.add(attribute.name)
        return s.Select(
            attributes, group or (), having, order or (), limit, offset, _place(children[0])
        )

    def group_select(self, children: list[Any]) -> s.Select:
        attributes = tuple(c for c in children if isinstance(c, s.OutputAttribute))
        return s.Select(attributes, children[-1] or (), place=_place(children[0]))

    def group_by(self, children: list[Any]) -> tuple[s.Variable, ...]:
        return tuple(_variable(c) for c in children[2:])

    def having(self, children: list[Any]) -> Any:
        return children[1]

    def order_by(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children[2:])

    def order_part(self, children: list[Any]) -> tuple[s.Variable, bool]:
        return _variable(children[0]), children[1] is not None and children[1].type == "DESC"

    def limit(self, children: list[Any]) -> Any:
        return children[1]

    def offset(self, children: list[Any]) -> Any:
        return children[1]

    # --- Output ---

    def rate(self, children: list[Any]) -> s.Rate:
        words = [c for c in children if c is not None]
        kind = words[1].lower() if words[1].type in {"ALL", "FIRST", "LAST"} else "all"
        if isinstance(words[-1], Token):
            return s.EventRate(kind, int(words[-2]))
        return s.TimeRate(kind, words[-1])

    def snapshot_rate(self, children: list[Any]) -> s.SnapshotRate:
        return s.SnapshotRate(children[-1])

    def event_type(self, children: list[Token]) -> s.Events:
        return s.Events(children[0].lower()) if len(children) == 2 else s.Events.CURRENT

    def insert_output(self, children: list[Any]) -> s.Insert:
        _, events, _, target = children
        return s.Insert(target, events)

    def delete_output(self, children: list[Any]) -> s.Delete:
        _, target, _, events, _, on = children
        return s.Delete(target, events, on or s.Constant(True, s.Type.BOOL))

    def update_output(self, children: list[Any]) -> s.Update:
        _, target, _, events, assignments, _, on = children
        return s.Update(target, events, assignments, on)

    def update_or_insert_output(self, children: list[Any]) -> s.UpdateOrInsert:
        target, _, events, assignments, _, on = children[4:]
        return s.UpdateOrInsert(target, events, assignments, on)

    def return_output(self, children: list[Any]) -> s.Return:
        return s.Return(children[1])

    def set_clause(self, children: list[Any]) -> tuple[s.Assignment, ...]:
        return tuple(children[1:])

    def assignment(self, children: list[Any]) -> s.Assignment:
        return s.Assignment(_variable(children[0]), children[1])

    def query(self, children: list[Any]) -> s.Query:
        start, source, select, rate, output = _rest(children)
        place = _place(start)
        output = _settled(output, rate, place)
        return s.Query(source, select or s.Select(), rate, output, _annotations(children), place)

    def partition(self, children: list[Any]) -> s.Partition:
        rest = _rest(children)
        keys = tuple(c for c in rest if isinstance(c, s.ValueKey | s.RangeKey))
        queries = tuple(c for c in rest if isinstance(c, s.Query))
        return s.Partition(keys, queries, _annotations(children), _place(rest[0]))

    def value_key(self, children: list[Any]) -> s.ValueKey:
        return s.ValueKey(children[0], str(children[2]))

    def range_key(self, children: list[Any]) -> s.RangeKey:
        ranges = tuple(c for c in children if isinstance(c, tuple))
        return s.RangeKey(ranges, str(children[-1]))

    def range_part(self, children: list[Any]) -> tuple[Any, str]:
        return children[0], str(children[2])

    def store(self, children: list[Any]) -> s.Store:
        name, _, alias, _, on, within = children
        return s.Store(str(name), str(alias) if alias else None, on, within)

    def find(self, children: list[Any]) -> s.OnDemandQuery:
        return s.OnDemandQuery(children[1], children[2] or s.Select(), None)

    def on_demand_write(self, children: list[Any]) -> s.OnDemandQuery:
        output = _settled(children[1], None, s.NOWHERE)
        return s.OnDemandQuery(None, children[0] or s.Select(), output)

    # --- Expressions ---

    def either(self, children: list[Any]) -> s.Or:
        return s.Or(children[0], children[2], _place(children[1]))

    def both(self, children: list[Any]) -> s.And:
        return s.And(children[0], children[2], _place(children[1]))

    def in_table(self, children: list[Any]) -> s.InTable:
        return s.InTable(children[0], str(children[2]), _place(children[1]))

    def compare(self, children: list[Any]) -> s.Compare:
        return s.Compare(str(children[1]), children[0], children[2], _place(children[1]))

    def arithmetic(self, children: list[Any]) -> s.Arithmetic:
        return s.Arithmetic(str(children[1]), children[0], children[2], _place(children[1]))

    def negate(self, children: list[Any]) -> s.Not:
        return s.Not(children[1], _place(children[0]))

    def is_null(self, children: list[Any]) -> Any:
        operand, word, _ = children
        if isinstance(operand, s.Variable) and operand.attribute == "":
            return s.IsNullStream(operand.stream or "", operand.index, _place(word))
        if isinstance(operand, s.Variable) and operand.stream is None:
            return s.IsNullStream(operand.attribute, None, operand.place)
        return s.IsNull(operand, _place(word))

    def reference(self, children: list[Any]) -> s.Variable:
        sigil = ""
        if children[0] is not None and children[0].type == "SIGIL":
            sigil, children = "!", children[1:]
        return _reference(sigil, children)

    def inner_reference(self, children: list[Any]) -> s.Variable:
        return _reference("#", children[1:])

    def index(self, children: list[Token]) -> int:
        return int(children[0])

    def last_index(self, children: list[Any]) -> int:
        back = children[1]
        return s.LAST - int(back) if back is not None else s.LAST

    def number(self, children: list[Token]) -> s.Constant:
        token = children[0]
        place = _place(token)
        if token.type == "INT":
            return s.Constant(int(token), s.Type.INT, place=place)
        if token.type == "LONG":
            return s.Constant(int(token[:-1]), s.Type.LONG, place=place)
        digits = token.rstrip("fFdD")
        kind = s.Type.FLOAT if token.type == "FLOAT" else s.Type.DOUBLE
        return s.Constant(float(digits), kind, place=place)

    def signed(self, children: list[Any]) -> s.Constant:
        sign: Token = children[0]
        number: s.Constant = children[1]
        place = _place(sign)
        value = -number.value if sign == "-" else number.value
        return dataclasses.replace(number, value=value, place=place)

    def string(self, children: list[Token]) -> s.Constant:
        return s.Constant(str(children[0]), s.Type.STRING, place=_place(children[0]))

    def true(self, children: list[Token]) -> s.Constant:
        return s.Constant(True, s.Type.BOOL, place=_place(children[0]))

    def false(self, children: list[Token]) -> s.Constant:
        return s.Constant(False, s.Type.BOOL, place=_place(children[0]))

    def time(self, children: list[int]) -> s.Constant:
        return s.Constant(children[0], s.Type.LONG, time=True)

    def time_value(self, children: list[Token]) -> int:
        units = [_unit(c) for c in children[1::2]]
        order = [list(_UNITS_MS).index(u) for u in units]
        for before, after, token in zip(order, order[1:], children[3::2], strict=False):
            if after <= before:
                raise SyntaxInvalid("the units of a time run from coarse to fine", _place(token))
        return sum(int(n) * _UNITS_MS[u] for n, u in zip(children[::2], units, strict=True))

    def call(self, children: list[Any]) -> s.Call:
        namespace, name, arguments = children[0], children[-2], children[-1]
        if namespace is not None:
            namespace = str(namespace)
        star = bool(arguments) and isinstance(arguments[0], Token)
        given = () if arguments is None or star else tuple(arguments)
        return s.Call(str(name), given, namespace, star, _place(name))

    def arguments(self, children: list[Any]) -> list[Any]:
        return children


def _settled(output: Any, rate: s.Rate | None, place: s.Place) -> s.Output:
    """Say which events an output takes where its text does not."""
    snapshot = isinstance(rate, s.SnapshotRate)
    if output.events is None:
        events = s.Events.ALL if snapshot else s.Events.CURRENT
        output = dataclasses.replace(output, events=events)
    elif snapshot and output.events is not s.Events.ALL:
        raise AppInvalid("a snapshot tells all events: 'insert all events into'", place)
    settled: s.Output = output
    return settled


def _reference(sigil: str, children: list[Any]) -> s.Variable:
    name, index, _, function, _, attribute = children
    place = _place(name)
    if attribute is None and index is None and function is None and not sigil:
        return s.Variable(str(name), place=place)
    return s.Variable(
        str(attribute) if attribute is not None else "",
        sigil + str(name),
        index,
        str(function) if function is not None else None,
        place,
    )


def _variable(value: Any) -> s.Variable:
    if isinstance(value, s.Variable) and value.attribute:
        return value
    raise SyntaxInvalid("an attribute is needed here", value.place)


def _duration(token: Token) -> str:
    unit = _unit(token)
    if unit not in _DURATIONS:
        raise SyntaxInvalid(f"nothing is aggregated by {unit}", _place(token), _DURATIONS)
    return unit


def _without_window(single: s.Single) -> s.Single:
    if single.window is not None:
        raise SyntaxInvalid("a pattern's stream has no window", single.window.call.place)
    return single


def _chained(states: list[Any]) -> Any:
    chain = states[-1]
    for state in reversed(states[:-1]):
        chain = s.NextState(state, chain)
    return chain


def _flat(state: s.State) -> list[s.State]:
    if isinstance(state, s.NextState):
        return _flat(state.first) + _flat(state.second)
    if isinstance(state, s.EveryState):
        return _flat(state.state)
    return [state]


def _check_absent(state: s.State) -> None:
    """A `not` outside `and`/`or` needs its time, and two must not stand side by side."""
    states = _flat(state)
    for at, one in enumerate(states):
        if not isinstance(one, s.AbsentState):
            continue
        place = one.stream.source.place
        if one.for_ms is None:
            raise SyntaxInvalid("'not' needs 'for' and a time here", place, ("for",))
        if at and isinstance(states[at - 1], s.AbsentState):
            raise SyntaxInvalid("an absent event follows a present one", place)


def _check_every(state: s.State, *, inside: bool) -> None:
    if isinstance(state, s.EveryState):
        if inside:
            raise SyntaxInvalid("'every' does not nest", _first_place(state))
        _check_every(state.state, inside=True)
    elif isinstance(state, s.NextState):
        _check_every(state.first, inside=inside)
        _check_every(state.second, inside=inside)


def _first_place(state: s.State) -> s.Place:
    first = _flat(state)[0]
    while isinstance(first, s.LogicalState):
        first = first.left
    assert isinstance(first, s.StreamState | s.AbsentState | s.CountState)
    return first.stream.source.place


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        body = match.group(1)
        if body[0] == "u":
            return chr(int(body.lstrip("u"), 16))
        return chr(int(body, 8)) if body[0].isdigit() else _ESCAPES.get(body, body)

    return re.sub(r"\\(u+[0-9a-fA-F]{4}|[0-3]?[0-7]{1,2}|.)", one, text)
