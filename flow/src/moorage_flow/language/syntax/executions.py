"""Queries, partitions, questions, and the application that holds them.

Source: Siddhi 5.1 query guide, https://siddhi.io/en/v5.1/docs/query-guide/.
"""

from __future__ import annotations

from dataclasses import dataclass

from .basics import NOWHERE, Annotation, Place
from .definitions import Definition
from .expressions import Expression
from .inputs import Input, Within
from .outputs import Output, Rate, Select


@dataclass(frozen=True, slots=True)
class Query:
    """`from … select … output … insert into …`."""

    input: Input
    select: Select
    rate: Rate | None
    output: Output
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class ValueKey:
    """`attribute of Stream`."""

    expression: Expression
    stream: str


@dataclass(frozen=True, slots=True)
class RangeKey:
    """`condition as 'label' or … of Stream`."""

    ranges: tuple[tuple[Expression, str], ...]
    stream: str


@dataclass(frozen=True, slots=True)
class Partition:
    """`partition with (…) begin … end`."""

    keys: tuple[ValueKey | RangeKey, ...]
    queries: tuple[Query, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Store:
    """What an on-demand query reads."""

    id: str
    alias: str | None = None
    on: Expression | None = None
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class OnDemandQuery:
    """A query asked once: `find` when it has a store, else a write."""

    store: Store | None
    select: Select
    output: Output | None


@dataclass(frozen=True, slots=True)
class AppSyntax:
    """A whole application, its parts in the order of the text."""

    annotations: tuple[Annotation, ...]
    definitions: tuple[Definition, ...]
    executions: tuple[Query | Partition, ...]
