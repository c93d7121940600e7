"""The callbacks of the parser for streams and joins."""

from __future__ import annotations

import dataclasses
from typing import Any

from lark import Token, Transformer

from ...errors import SyntaxInvalid
from .. import syntax as s
from .tokens import place_of, settled


class Inputs(Transformer[Any, Any]):
    """Rules to values."""

    def source(self, children: list[Any]) -> s.Source:
        sigil, name = children
        return s.Source(str(name), fault=sigil is not None, place=place_of(name))

    def inner_source(self, children: list[Any]) -> s.Source:
        return s.Source(str(children[1]), inner=True, place=place_of(children[1]))

    def filter(self, children: list[Any]) -> s.Filter:
        return s.Filter(children[-1])

    def stream_function(self, children: list[Any]) -> s.StreamFunction:
        return s.StreamFunction(children[-1])

    def windows_function(self, children: list[Any]) -> s.StreamFunction:
        """A function of the namespace `window`, whose name is a keyword elsewhere."""
        _, namespace, name, arguments = children
        star = bool(arguments) and isinstance(arguments[0], Token)
        given = () if arguments is None or star else tuple(arguments)
        return s.StreamFunction(s.Call(str(name), given, str(namespace), star, place_of(name)))

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
        place = place_of(children[0])
        source, select, rate, output = children[1:]
        output = settled(output, rate, place)
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
