"""What several callbacks of the parser do with tokens and values."""

from __future__ import annotations

import dataclasses
from typing import Any

from lark import Token

from ...errors import AppInvalid, SyntaxInvalid
from .. import syntax as s

UNITS_MS = {
    "year": 31_556_900_000,
    "month": 2_630_000_000,
    "week": 604_800_000,
    "day": 86_400_000,
    "hour": 3_600_000,
    "min": 60_000,
    "sec": 1_000,
    "millisec": 1,
}


def place_of(token: Token) -> s.Place:
    return s.Place(token.line or 0, token.column or 0)


def unit_of(token: Token) -> str:
    word = token.lower()
    if word.startswith("millisec"):
        return "millisec"
    if word.startswith("min"):
        return "min"
    if word.startswith("sec"):
        return "sec"
    return word.rstrip("s")


def annotations_of(children: list[Any]) -> tuple[s.Annotation, ...]:
    return tuple(c for c in children if isinstance(c, s.Annotation))


def without_annotations(children: list[Any]) -> list[Any]:
    return [c for c in children if not isinstance(c, s.Annotation)]


def settled(output: Any, rate: s.Rate | None, place: s.Place) -> s.Output:
    """Say which events an output takes where its text does not."""
    snapshot = isinstance(rate, s.SnapshotRate)
    if output.events is None:
        events = s.Events.ALL if snapshot else s.Events.CURRENT
        output = dataclasses.replace(output, events=events)
    elif snapshot and output.events is not s.Events.ALL:
        raise AppInvalid("a snapshot tells all events: 'insert all events into'", place)
    settled: s.Output = output
    return settled


def variable_of(value: Any) -> s.Variable:
    if isinstance(value, s.Variable) and value.attribute:
        return value
    raise SyntaxInvalid("an attribute is needed here", value.place)
