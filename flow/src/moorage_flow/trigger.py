"""Triggers: streams that send themselves an event at the start, again and again, or by cron."""

from __future__ import annotations

from .cron import Cron
from .events import Event
from .flow import Flow
from .language import syntax as s
from .scheduler import Scheduler
from .streams import Stream

TRIGGERED = (s.Attribute("triggered_time", s.Type.LONG),)


class Trigger:
    """A `define trigger`."""

    def __init__(self, flow: Flow, definition: s.TriggerDefinition, stream: Stream) -> None:
        self._flow = flow
        self._stream = stream
        self._every = definition.every_ms
        self._at_start = definition.at is not None and definition.at.strip().lower() == "start"
        self._cron: Cron | None = None
        if definition.at is not None and not self._at_start:
            self._cron = Cron(definition.at, definition.place)
        self._timers = Scheduler(flow.clock, flow, self._fire)

    def start(self) -> None:
        """Begin."""
        if self._at_start:
            self._send()
        else:
            now = self._flow.clock.now
            # The second that runs counts, as it does with Quartz.
            self._wait(now if self._cron is None else now - now % 1000 - 1000)

    def _wait(self, since: int) -> None:
        due = since + self._every if self._every is not None else None
        if self._cron is not None:
            due = self._cron.after(since)
        if due is not None:
            self._timers.notify_at(due)

    def _fire(self, ts: int) -> None:
        self._send()
        self._wait(ts)

    def _send(self) -> None:
        now = self._flow.clock.now
        self._stream.send([Event(now, [now])])
