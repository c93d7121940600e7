"""The callbacks of the parser for patterns and sequences."""

from __future__ import annotations

import dataclasses
from typing import Any

from lark import Token, Transformer

from ...errors import AppInvalid, SyntaxInvalid
from .. import syntax as s
from .tokens import place_of


class Patterns(Transformer[Any, Any]):
    """Rules to values."""

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
            place = place_of(children[0])
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
            raise SyntaxInvalid("'not' needs 'for' and a time here", place_of(op), ("for",))
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
