"""The callbacks of the parser for application, annotations and definitions."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from lark import Token, Transformer

from ...errors import SyntaxInvalid
from .. import syntax as s
from .tokens import annotations_of, place_of, unit_of, without_annotations

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


class Definitions(Transformer[Any, Any]):
    """Rules to values."""

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

    def attribute(self, children: list[Token]) -> s.Attribute:
        return s.Attribute(str(children[0]), s.Type(children[1].lower()))

    def attributes(self, children: list[s.Attribute]) -> tuple[s.Attribute, ...]:
        return tuple(children)

    def stream_definition(self, children: list[Any]) -> s.StreamDefinition:
        _, _, source, attributes = without_annotations(children)
        if source.inner or source.fault:
            raise SyntaxInvalid(f"{source.key} is not defined by hand", source.place)
        return s.StreamDefinition(source.key, attributes, annotations_of(children), source.place)

    def table_definition(self, children: list[Any]) -> s.TableDefinition:
        _, _, source, attributes = without_annotations(children)
        return s.TableDefinition(source.key, attributes, annotations_of(children), source.place)

    def window_definition(self, children: list[Any]) -> s.WindowDefinition:
        _, _, source, attributes, window, _, output = without_annotations(children)
        return s.WindowDefinition(
            source.key, attributes, window, output, annotations_of(children), source.place
        )

    def trigger_definition(self, children: list[Any]) -> s.TriggerDefinition:
        rest = without_annotations(children)
        name, moment = rest[2], rest[-1]
        every, at = (moment, None) if isinstance(moment, int) else (None, str(moment))
        return s.TriggerDefinition(str(name), every, at, annotations_of(children), place_of(name))

    def function_definition(self, children: list[Any]) -> s.FunctionDefinition:
        _, _, name, language, _, returns, _ = without_annotations(children)
        return s.FunctionDefinition(
            str(name),
            str(language),
            s.Type(returns.lower()),
            _bodies.pop(0),
            annotations_of(children),
            place_of(name),
        )

    def aggregation_definition(self, children: list[Any]) -> s.AggregationDefinition:
        _, _, name, _, source, select, _, _, by, _, durations = without_annotations(children)
        return s.AggregationDefinition(
            str(name), source, select, by, durations, annotations_of(children), place_of(name)
        )

    def duration_range(self, children: list[Token]) -> tuple[str, ...]:
        first, last = (_duration(c) for c in children)
        low, high = _DURATIONS.index(first), _DURATIONS.index(last)
        if low > high:
            raise SyntaxInvalid(
                f"a range of durations runs from fine to coarse, not from {first} to {last}",
                place_of(children[0]),
            )
        return _DURATIONS[low : high + 1]

    def duration_list(self, children: list[Token]) -> tuple[str, ...]:
        return tuple(sorted({_duration(c) for c in children}, key=_DURATIONS.index))


def _duration(token: Token) -> str:
    unit = unit_of(token)
    if unit not in _DURATIONS:
        raise SyntaxInvalid(f"nothing is aggregated by {unit}", place_of(token), _DURATIONS)
    return unit
