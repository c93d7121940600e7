"""Triggers: streams that send themselves an event at the start, again and again, or by cron."""

from __future__ import annotations

from .cron import Cron
from .errors import AppInvalid
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
        if self._every is not None and self._every < 1:
            raise AppInvalid("the time of a trigger is at least 1 ms", definition.place)
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
        due: int | None = None
        if self._every is not None:
            due = self._flow.clock.next_period(since, self._every)
        elif self._cron is not None:
            due = self._cron.after(since)
        if due is not None:
            self._timers.notify_at(due)

    def _fire(self, ts: int) -> None:
        self._send()
        self._wait(ts if self._cron is None else max(ts, self._flow.clock.now))

    def _send(self) -> None:
        now = self._flow.clock.now
        self._stream.send([Event(now, [now])])
