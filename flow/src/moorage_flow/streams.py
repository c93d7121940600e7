"""Streams between queries: who sends, who listens, and what happens when a listener fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .events import CURRENT, Chunk, Event
from .flow import Flow
from .language import syntax as s

if TYPE_CHECKING:
    from .columnar import Batch
    from .columnar.intake import Intake

log = logging.getLogger("moorage_flow")

Receiver = Callable[[Chunk], None]
T = TypeVar("T")

Direct = Callable[["Stream", Mapping[str, Any], Any, Callable[[int], None]], bool]
"""Takes what is sent to a stream as it is, with its times and what moves the clock; tells whether
it could.
"""


class ColumnReceiver:
    """A listener that takes columns; `rows` takes the same events one by one.

    Of a listener without state, fewer rows than `least` are not worth columns. `direct` takes
    what is sent to a stream that has no other listener, as it is sent, where it can.
    """

    def __init__(
        self, rows: Receiver, take: Callable[[Batch], None] | None, least: int = 0
    ) -> None:
        self.rows = rows
        self.take = take
        self.least = least
        self.direct: Direct | None = None

    def __call__(self, chunk: Chunk) -> None:
        """Take events one by one."""
        self.rows(chunk)


class Stream:
    """A stream's listeners: `receivers`, and `only`, the one of them if it is alone and takes
    columns. `fault` takes the events a listener failed on, where there is one.
    """

    def __init__(self, flow: Flow, definition: s.StreamDefinition, *, inner: bool = False) -> None:
        self.id = definition.id
        self.definition = definition
        self.attributes = definition.attributes
        self.flow = flow
        self.inner = inner
        self.receivers: list[Receiver] = []
        self.only: ColumnReceiver | None = None
        self.fault: Stream | None = None
        self.count = 0
        self.intake: Intake | None = None

    def listen(self, receiver: Receiver) -> Callable[[], None]:
        """Let a listener take what comes from now on; give what ends that."""
        self.receivers.append(receiver)
        self._count()

        def leave() -> None:
            self.receivers.remove(receiver)
            self._count()

        return leave

    def _count(self) -> None:
        alone = self.receivers[0] if len(self.receivers) == 1 else None
        self.only = alone if isinstance(alone, ColumnReceiver) else None

    def send(self, chunk: Chunk) -> None:
        """Give every listener its own copy of the events."""
        self._send(chunk, None)

    def send_columns(self, batch: Batch) -> None:
        """Give every listener the rows of a batch, chunk by chunk where there are several
        listeners.
        """
        only = self.only
        if only is not None and only.take is not None and batch.size >= only.least:
            self.count += batch.size
            flow = self.flow
            outer = (flow.partition, flow.group) if flow.partition or flow.group else None
            if outer is not None:
                flow.partition, flow.group = outer[0] if self.inner else "", ""
            try:
                only.take(batch)
            except Exception as error:
                self.failed(error, batch.events)
            finally:
                if outer is not None:
                    flow.partition, flow.group = outer
            return
        if batch.chunks is None or len(self.receivers) < 2:
            self._send(None, batch)
            return
        for part in batch.split():
            self._send(None, part)

    @property
    def wants_columns(self) -> bool:
        """Tell whether a listener has a use for columns."""
        return any(isinstance(r, ColumnReceiver) and r.take is not None for r in self.receivers)

    def takes_columns(self, count: int) -> bool:
        """Tell whether a listener takes so many rows as columns."""
        return any(
            isinstance(r, ColumnReceiver) and r.take is not None and count >= r.least
            for r in self.receivers
        )

    def _send(self, chunk: Chunk | None, batch: Batch | None) -> None:
        flow = self.flow
        count = len(batch) if batch is not None else len(chunk or ())
        self.count += count
        outer = flow.partition, flow.group
        if not self.inner:
            flow.partition = ""
        flow.group = ""
        try:
            for receiver in list(self.receivers):
                take = None
                if isinstance(receiver, ColumnReceiver) and count >= receiver.least:
                    take = receiver.take
                if take is not None:
                    if batch is None:
                        batch = self._columns(chunk or [])
                    self._deliver(take, batch, batch.events)
                    continue
                if chunk is None and batch is not None:
                    events = batch.events()
                    for start, end in batch.cuts():
                        self._deliver_events(receiver, events[start:end])
                else:
                    self._deliver_events(receiver, chunk or [])
        finally:
            flow.partition, flow.group = outer

    def _columns(self, chunk: Chunk) -> Batch:
        from .columnar import Batch

        return Batch.of_events(self.attributes, [event.copy() for event in chunk])

    def _deliver_events(self, receiver: Receiver, chunk: Chunk) -> None:
        self._deliver(receiver, [event.copy() for event in chunk], lambda: chunk)

    def _deliver(
        self, receiver: Callable[[T], None], content: T, events: Callable[[], Chunk]
    ) -> None:
        try:
            receiver(content)
        except Exception as error:
            self.failed(error, events)

    def failed(self, error: Exception, events: Callable[[], Chunk]) -> None:
        """Note that a listener has failed on events."""
        # One listener's failure must not stop the others: extensions may raise anything.
        if self.fault is None:
            log.exception("flow_listener_failed", extra={"stream": self.id})
            return
        self.fault.send([Event(e.ts, [*e.data, error]) for e in events()])

    def publish(self, chunk: Chunk) -> None:
        """Send the rows a query has selected."""
        self.send([_plain(event) for event in chunk])


def _plain(event: object) -> Event:
    out: list[object] = event.out  # type: ignore[attr-defined]
    ts: int = event.ts  # type: ignore[attr-defined]
    return Event(ts, out, CURRENT)
