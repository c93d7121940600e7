"""What every part of the syntax tree is made of: types, places in the text, annotations.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Type(Enum):
    """The type of an attribute."""

    STRING = "string"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    BOOL = "bool"
    OBJECT = "object"


class Events(Enum):
    """Which events of a query an output takes."""

    CURRENT = "current"
    EXPIRED = "expired"
    ALL = "all"


LAST = -2
"""The index of `e[last]`; `e[last - n]` is `LAST - n`."""
ANY = -1
"""An open bound of a count, `<2:>` or `<:5>`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text: line and column, both from 1."""

    line: int
    column: int


NOWHERE = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Annotation:
    """`@name(key='value', @nested(...))`; an element without a key has the key None."""

    name: str
    elements: tuple[tuple[str | None, str], ...] = ()
    nested: tuple[Annotation, ...] = ()

    def get(self, key: str | None, default: str | None = None) -> str | None:
        """Give the element's value; keys are compared without regard to case."""
        for name, value in self.elements:
            if name == key or (name and key and name.lower() == key.lower()):
                return value
        return default


def annotation(annotations: tuple[Annotation, ...], name: str) -> Annotation | None:
    """Find the first annotation of this name, whatever its case."""
    return next((a for a in annotations if a.name.lower() == name.lower()), None)
