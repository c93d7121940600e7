"""The callbacks of the parser for expressions."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from lark import Token, Transformer

from ...errors import SyntaxInvalid
from .. import syntax as s
from .tokens import UNITS_MS, place_of, unit_of


class Expressions(Transformer[Any, Any]):
    """Rules to values."""

    def ID(self, token: Token) -> Token:
        return token.update(value=token[1:-1]) if token.startswith("`") else token

    def STRING(self, token: Token) -> Token:
        if token.startswith('"""'):
            return token.update(value=_unescape(token[3:-3]))
        return token.update(value=token[1:-1])

    def either(self, children: list[Any]) -> s.Or:
        return s.Or(children[0], children[2], place_of(children[1]))

    def both(self, children: list[Any]) -> s.And:
        return s.And(children[0], children[2], place_of(children[1]))

    def in_table(self, children: list[Any]) -> s.InTable:
        return s.InTable(children[0], str(children[2]), place_of(children[1]))

    def compare(self, children: list[Any]) -> s.Compare:
        return s.Compare(str(children[1]), children[0], children[2], place_of(children[1]))

    def arithmetic(self, children: list[Any]) -> s.Arithmetic:
        return s.Arithmetic(str(children[1]), children[0], children[2], place_of(children[1]))

    def negate(self, children: list[Any]) -> s.Not:
        return s.Not(children[1], place_of(children[0]))

    def is_null(self, children: list[Any]) -> Any:
        operand, word, _ = children
        if isinstance(operand, s.Variable) and operand.attribute == "":
            return s.IsNullStream(operand.stream or "", operand.index, place_of(word))
        if isinstance(operand, s.Variable) and operand.stream is None:
            return s.IsNullStream(operand.attribute, None, operand.place)
        return s.IsNull(operand, place_of(word))

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
        place = place_of(token)
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
        place = place_of(sign)
        value = -number.value if sign == "-" else number.value
        return dataclasses.replace(number, value=value, place=place)

    def string(self, children: list[Token]) -> s.Constant:
        return s.Constant(str(children[0]), s.Type.STRING, place=place_of(children[0]))

    def true(self, children: list[Token]) -> s.Constant:
        return s.Constant(True, s.Type.BOOL, place=place_of(children[0]))

    def false(self, children: list[Token]) -> s.Constant:
        return s.Constant(False, s.Type.BOOL, place=place_of(children[0]))

    def time(self, children: list[int]) -> s.Constant:
        return s.Constant(children[0], s.Type.LONG, time=True)

    def time_value(self, children: list[Token]) -> int:
        units = [unit_of(c) for c in children[1::2]]
        order = [list(UNITS_MS).index(u) for u in units]
        for before, after, token in zip(order, order[1:], children[3::2], strict=False):
            if after <= before:
                raise SyntaxInvalid("the units of a time run from coarse to fine", place_of(token))
        return sum(int(n) * UNITS_MS[u] for n, u in zip(children[::2], units, strict=True))

    def call(self, children: list[Any]) -> s.Call:
        namespace, name, arguments = children[0], children[-2], children[-1]
        if namespace is not None:
            namespace = str(namespace)
        star = bool(arguments) and isinstance(arguments[0], Token)
        given = () if arguments is None or star else tuple(arguments)
        return s.Call(str(name), given, namespace, star, place_of(name))

    def arguments(self, children: list[Any]) -> list[Any]:
        return children


def _reference(sigil: str, children: list[Any]) -> s.Variable:
    name, index, _, function, _, attribute = children
    place = place_of(name)
    if attribute is None and index is None and function is None and not sigil:
        return s.Variable(str(name), place=place)
    return s.Variable(
        str(attribute) if attribute is not None else "",
        sigil + str(name),
        index,
        str(function) if function is not None else None,
        place,
    )


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        body = match.group(1)
        if body[0] == "u":
            return chr(int(body.lstrip("u"), 16))
        return chr(int(body, 8)) if body[0].isdigit() else _ESCAPES.get(body, body)

    return re.sub(r"\\(u+[0-9a-fA-F]{4}|[0-3]?[0-7]{1,2}|.)", one, text)
