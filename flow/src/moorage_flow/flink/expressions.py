"""Expressions of SiddhiQL as expressions of Flink SQL.

Source: Apache Flink 2.x, Table API & SQL, System (Built-in) Functions and Data Types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..language import syntax as s
from ..language.syntax import Type
from ..values import NUMERIC, wider

TYPES = {
    Type.STRING: "STRING",
    Type.BOOL: "BOOLEAN",
    Type.INT: "INT",
    Type.LONG: "BIGINT",
    Type.FLOAT: "FLOAT",
    Type.DOUBLE: "DOUBLE",
}
AGGREGATORS = {"sum", "avg", "count", "min", "max", "distinctCount", "stdDev"}
_UNMAPPED_AGGREGATORS = {"and", "or", "unionSet", "maxForever", "minForever"}


class NotMapped(Exception):
    """A construct that Flink SQL has no counterpart for, and why."""

    def __init__(self, construct: str, reason: str, place: s.Place = s.NOWHERE) -> None:
        super().__init__(f"{construct}: {reason}")
        self.construct = construct
        self.reason = reason
        self.place = place


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression's text and the type SiddhiQL gives it."""

    text: str
    type: Type


Resolve = Callable[[s.Variable], Sql]
"""Gives what a variable reads. Raises NotMapped."""


def name(word: str) -> str:
    """Quote an identifier."""
    return f"`{word.replace('`', '``')}`"


def interval(ms: int) -> str:
    """Write a duration, at most 999,999,999 days, to the millisecond."""
    days, rest = divmod(ms, 86_400_000)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds = f"{rest // 1000:02d}.{rest % 1000:03d}"
    if not days:
        return f"INTERVAL '{hours:02d}:{minutes:02d}:{seconds}' HOUR TO SECOND(3)"
    return f"INTERVAL '{days} {hours:02d}:{minutes:02d}:{seconds}' DAY(9) TO SECOND(3)"


def has_aggregator(expression: s.Expression) -> bool:
    """Tell whether anything in an expression aggregates."""
    match expression:
        case s.Call(name=called, namespace=None) if called in AGGREGATORS | _UNMAPPED_AGGREGATORS:
            return True
        case s.Call(arguments=parts):
            return any(map(has_aggregator, parts))
        case s.Arithmetic() | s.Compare() | s.And() | s.Or():
            return has_aggregator(expression.left) or has_aggregator(expression.right)
        case s.Not() | s.IsNull():
            return has_aggregator(expression.operand)
    return False


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates expressions of one place; `over` stands behind each aggregate (an OVER clause)."""

    resolve: Resolve
    over: str = ""

    def value(self, expression: s.Expression) -> Sql:
        """Translate what is selected: a truth is never null. Raises NotMapped."""
        sql = self.translate(expression)
        if isinstance(expression, s.Compare | s.And | s.Or):
            return Sql(f"({sql.text}) IS TRUE", Type.BOOL)
        return sql

    def translate(self, expression: s.Expression) -> Sql:
        """Translate any expression. Raises NotMapped."""
        match expression:
            case s.Constant():
                return _constant(expression)
            case s.Variable():
                return self.resolve(expression)
            case s.Arithmetic():
                return self._arithmetic(expression)
            case s.Compare(op=op):
                left, right = self._text(expression.left), self._text(expression.right)
                if op == "!=":  # Null is unequal to anything, null too.
                    return Sql(f"({left} = {right}) IS NOT TRUE", Type.BOOL)
                return Sql(f"({left} {'=' if op == '==' else op} {right})", Type.BOOL)
            case s.And():
                both = f"{self._text(expression.left)} AND {self._text(expression.right)}"
                return Sql(f"({both})", Type.BOOL)
            case s.Or():
                both = f"{self._text(expression.left)} OR {self._text(expression.right)}"
                return Sql(f"({both})", Type.BOOL)
            case s.Not(operand=operand):
                return Sql(f"({self._text(operand)}) IS NOT TRUE", Type.BOOL)
            case s.IsNull(operand=operand):
                return Sql(f"({self._text(operand)} IS NULL)", Type.BOOL)
            case s.IsNullStream(stream=stream, place=place):
                variable = s.Variable(stream, place=place)
                return Sql(f"({self.resolve(variable).text} IS NULL)", Type.BOOL)
            case s.InTable(place=place):
                raise NotMapped("in", "there are no tables in memory", place)
            case s.Call():
                return self._call(expression)

    def _text(self, expression: s.Expression) -> str:
        return self.translate(expression).text

    def _arithmetic(self, expression: s.Arithmetic) -> Sql:
        left, right = self.translate(expression.left), self.translate(expression.right)
        kind = wider(left.type, right.type)
        whole = kind in {Type.INT, Type.LONG}
        if expression.op == "%":
            if not whole:
                raise NotMapped("%", "Flink has MOD for whole numbers only", expression.place)
            return Sql(f"MOD({left.text}, NULLIF({right.text}, 0))", kind)
        # Dividing by zero gives null here and fails there.
        divisor = f"NULLIF({right.text}, 0)" if expression.op == "/" else right.text
        return Sql(f"({left.text} {expression.op} {divisor})", kind)

    def _call(self, call: s.Call) -> Sql:
        key = f"{call.namespace}:{call.name}" if call.namespace else call.name
        if key in AGGREGATORS:
            return self._aggregate(call)
        given = [self.translate(a) for a in call.arguments]
        texts = ", ".join(a.text for a in given)
        if key in {"coalesce", "default"}:
            return Sql(f"COALESCE({texts})", given[0].type)
        if key == "ifThenElse":
            test, then, other = given
            text = f"CASE WHEN {test.text} THEN {then.text} ELSE {other.text} END"
            return Sql(text, then.type)
        if key in {"cast", "convert"} and isinstance(call.arguments[1], s.Constant):
            kind = Type(str(call.arguments[1].value).lower())
            if given[0].type in NUMERIC and kind in NUMERIC:
                return Sql(f"CAST({given[0].text} AS {TYPES[kind]})", kind)
            raise NotMapped(key, "numbers are written and read in another way", call.place)
        if key == "UUID":
            return Sql("UUID()", Type.STRING)
        raise NotMapped(f"{key}()", "there is no function with the same results", call.place)

    def _aggregate(self, call: s.Call) -> Sql:
        if call.name == "count":
            return Sql(f"COUNT(*){self.over}", Type.LONG)
        given = self.translate(call.arguments[0])
        real = given.type in {Type.FLOAT, Type.DOUBLE}
        if call.name in {"min", "max"}:
            return Sql(f"{call.name.upper()}({given.text}){self.over}", given.type)
        if call.name == "distinctCount":
            return Sql(f"COUNT(DISTINCT {given.text}){self.over}", Type.LONG)
        kind = Type.DOUBLE if real or call.name != "sum" else Type.LONG
        called = {"sum": "SUM", "avg": "AVG", "stdDev": "STDDEV_POP"}[call.name]
        return Sql(f"{called}(CAST({given.text} AS {TYPES[kind]})){self.over}", kind)


def _constant(constant: s.Constant) -> Sql:
    value, kind = constant.value, constant.type
    if kind is Type.STRING:
        quoted = str(value).replace("'", "''")
        return Sql(f"'{quoted}'", kind)
    if kind is Type.BOOL:
        return Sql("TRUE" if value else "FALSE", kind)
    if kind is Type.INT:
        return Sql(str(value), kind)
    return Sql(f"CAST({value!r} AS {TYPES[kind]})", kind)
