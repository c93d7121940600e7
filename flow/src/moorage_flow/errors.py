"""What the engine refuses, and how it says so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .language.syntax import NOWHERE, Place


class FlowError(Exception):
    """The root of every error this package raises."""


class AppInvalid(FlowError):
    """An application that cannot run; `place` is where, (0, 0) when it is the whole application."""

    def __init__(self, reason: str, place: Place = NOWHERE) -> None:
        where = f"line {place.line}, column {place.column}: " if place.line else ""
        super().__init__(where + reason)
        self.reason = reason
        self.place = place


class SyntaxInvalid(AppInvalid):
    """Text that is not SiddhiQL; `expected` names what could have stood there."""

    def __init__(self, reason: str, place: Place, expected: tuple[str, ...] = ()) -> None:
        super().__init__(reason, place)
        self.expected = expected


class DefinitionRepeated(AppInvalid):
    """Two different definitions share a name."""


class DefinitionUnknown(AppInvalid):
    """A stream, table, window or aggregation nobody defined."""


class AttributeUnknown(AppInvalid):
    """An attribute its stream does not have."""


class AttributeRepeated(AppInvalid):
    """Two attributes of one definition share a name."""


class AnnotationRepeated(AppInvalid):
    """An annotation that may stand only once stands twice."""


class FunctionUnknown(AppInvalid):
    """A function, aggregator or window nobody provides; names its nearest neighbours."""


class QueryInvalid(AppInvalid):
    """An on-demand query that cannot be answered."""


class EventInvalid(FlowError):
    """An event that does not fit its stream."""


class StateInvalid(FlowError):
    """A snapshot that does not belong to this application or version."""


class EvaluationFailed(FlowError):
    """An expression failed on an event: a division by zero, a value of the wrong type."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names are like `name`, for the end of a message; empty when none is."""
    by_letters = {k.lower(): k for k in sorted(known)}
    found = difflib.get_close_matches(name.lower(), by_letters, n=3, cutoff=0.5)
    close = [by_letters[word] for word in found]
    return f"; did you mean {', '.join(close)}?" if close else ""
