"""The chain of a query: each operator takes a chunk and hands one on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from .events import Chunk, Event
from .scope import Getter


class Operator:
    """A step of a query; `next` is set when the chain is built."""

    next: Operator

    def process(self, chunk: Chunk) -> None:
        """Take a chunk."""
        raise NotImplementedError

    def process_chunks(self, chunks: list[Chunk]) -> None:
        """Take several chunks that came of one; the selection tells their rows together."""
        for chunk in chunks:
            self.process(chunk)

    def find(self) -> list[Event]:
        """Give the events held, for joins and on-demand queries."""
        return []


class Filter(Operator):
    """Lets through what meets a condition."""

    def __init__(self, condition: Getter) -> None:
        self._condition = condition

    def process(self, chunk: Chunk) -> None:
        condition = self._condition
        kept = [event for event in chunk if condition(event) is True]
        if kept:
            self.next.process(kept)


class AddAttributes(Operator):
    """Adds a stream function's values to each event."""

    def __init__(self, values: Callable[[Any], list[Any]]) -> None:
        self._values = values

    def process(self, chunk: Chunk) -> None:
        for event in chunk:
            event.data = [*event.data, *self._values(event)]
        self.next.process(chunk)


def chain(operators: list[Operator]) -> Operator:
    """Link operators and give the first."""
    for first, second in itertools.pairwise(operators):
        first.next = second
    return operators[0]
