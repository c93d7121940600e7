"""Definitions of streams, tables, windows, triggers, functions and aggregations.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass

from .basics import NOWHERE, Annotation, Events, Place, Type
from .expressions import Call, Variable
from .inputs import Single
from .outputs import Select


@dataclass(frozen=True, slots=True)
class Attribute:
    """A named and typed column."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class StreamDefinition:
    """`define stream id (…)`."""

    id: str
    attributes: tuple[Attribute, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """`define table id (…)`."""

    id: str
    attributes: tuple[Attribute, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class WindowDefinition:
    """`define window id (…) window(…) output …`; `output` None means all events."""

    id: str
    attributes: tuple[Attribute, ...]
    window: Call
    output: Events | None = None
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class TriggerDefinition:
    """`define trigger id at …`: `every_ms`, or `at` a cron expression or 'start'."""

    id: str
    every_ms: int | None = None
    at: str | None = None
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """`define function id[language] return type {body}`."""

    id: str
    language: str
    returns: Type
    body: str
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class AggregationDefinition:
    """`define aggregation id from … select … aggregate by … every …`; durations finest first."""

    id: str
    source: Single
    select: Select
    by: Variable | None
    durations: tuple[str, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


Definition = (
    StreamDefinition
    | TableDefinition
    | WindowDefinition
    | TriggerDefinition
    | FunctionDefinition
    | AggregationDefinition
)
