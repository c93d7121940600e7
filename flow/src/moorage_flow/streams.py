"""Streams between queries: who sends, who listens, and what happens when a listener fails."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .events import CURRENT, Chunk, Event
from .flow import Flow
from .language import syntax as s

log = logging.getLogger("moorage_flow")

Receiver = Callable[[Chunk], None]


class Stream:
    """A stream's listeners. `fault` takes the events a listener failed on, where there is one."""

    def __init__(self, flow: Flow, definition: s.StreamDefinition, *, inner: bool = False) -> None:
        self.id = definition.id
        self.definition = definition
        self.attributes = definition.attributes
        self.flow = flow
        self.inner = inner
        self.receivers: list[Receiver] = []
        self.fault: Stream | None = None
        self.count = 0

    def send(self, chunk: Chunk) -> None:
        """Give every listener its own copy of the events."""
        flow = self.flow
        self.count += len(chunk)
        outer = flow.partition, flow.group
        if not self.inner:
            flow.partition = ""
        flow.group = ""
        try:
            for receiver in list(self.receivers):
                self._deliver(receiver, chunk)
        finally:
            flow.partition, flow.group = outer

    def _deliver(self, receiver: Receiver, chunk: Chunk) -> None:
        try:
            receiver([event.copy() for event in chunk])
        except Exception as error:
            # One listener's failure must not stop the others: extensions may raise anything.
            if self.fault is None:
                log.exception("flow_listener_failed", extra={"stream": self.id})
                return
            self.fault.send([Event(e.ts, [*e.data, error]) for e in chunk])

    def publish(self, chunk: Chunk) -> None:
        """Send the rows a query has selected."""
        self.send([_plain(event) for event in chunk])


def _plain(event: object) -> Event:
    out: list[object] = event.out  # type: ignore[attr-defined]
    ts: int = event.ts  # type: ignore[attr-defined]
    return Event(ts, out, CURRENT)
