"""Windows that tumble: events wait, are let out together, and leave when the next batch comes."""

from __future__ import annotations

from typing import Any

from ..cron import Cron
from ..errors import AppInvalid
from ..events import CURRENT, EXPIRED, RESET, TIMER, Chunk, Event
from ..expressions import Compiled
from ..language.syntax import Call, Type
from .setting import Setting, WindowOperator, attribute, constant, duration, expect_count, period


class Batch:
    """The batch that gathers, the one that was let out, and what marks the border between them."""

    __slots__ = ("count", "current", "due", "expired", "reset")

    def __init__(self) -> None:
        self.current: Chunk = []
        self.expired: Chunk = []
        self.reset: Event | None = None
        self.count = 0
        self.due = -1

    def expire(self, out: Chunk, now: int) -> None:
        """Let the last batch leave."""
        for event in self.expired:
            event.ts = now
        out += self.expired
        self.expired = []

    def mark(self, out: Chunk, now: int | None = None) -> None:
        """Put the border into the output."""
        if self.reset is not None:
            if now is not None:
                self.reset.ts = now
            out.append(self.reset)
            self.reset = None

    def start(self, event: Event) -> None:
        """Remember where a batch begins."""
        if self.reset is None:
            self.reset = event.copy(RESET)


def _flag(call: Call, arguments: list[Compiled], at: int) -> bool:
    flag: bool = constant(call, arguments, at, Type.BOOL)
    return flag


class LengthBatch(WindowOperator):
    """Batches of `length` events; with `stream.current.event` they pass at once, leave together."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1, 2)
        self._length: int = constant(call, arguments, 0, Type.INT)
        self._streams = len(arguments) == 2 and _flag(call, arguments, 1)
        super().__init__(setting, Batch)

    def process(self, chunk: Chunk) -> None:
        batch: Batch = self.states.get()
        now = self.clock.now
        chunks: list[Chunk] = []
        for event in chunk:
            out: Chunk = []
            if self._length == 0:
                self._pass_through(event, out, now)
            else:
                batch.start(event)
                (self._stream if self._streams else self._gather)(batch, event, out, now)
            if out:
                chunks.append(out)
        if chunks:
            self.next.process_chunks(chunks)

    def _pass_through(self, event: Event, out: Chunk, now: int) -> None:
        out.append(event)
        kinds = [EXPIRED, RESET] if self.setting.expects_expired else [RESET]
        for kind in kinds:
            copy = event.copy(kind)
            copy.ts = now
            out.append(copy)

    def _gather(self, batch: Batch, event: Event, out: Chunk, now: int) -> None:
        batch.current.append(event)
        if len(batch.current) < self._length:
            return
        if self.setting.expects_expired:
            batch.expire(out, now)
        batch.mark(out, now)
        if self.setting.keeps:
            batch.expired = [e.copy(EXPIRED) for e in batch.current]
        out += batch.current
        batch.current = []

    def _stream(self, batch: Batch, event: Event, out: Chunk, now: int) -> None:
        batch.count += 1
        if batch.count == self._length + 1:
            if self.setting.expects_expired:
                batch.expire(out, now)
            batch.expired = []
            batch.mark(out, now)
            batch.count = 1
        out.append(event)
        if self.setting.keeps:
            batch.expired.append(event.copy(EXPIRED))

    def find(self) -> list[Event]:
        return list(self.states.get().expired)


class TimeBatch(WindowOperator):
    """Batches of `span` milliseconds, counted from the first event or from `start.time`."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1, 3)
        self._span = period(call, arguments, 0)
        self._start: int | None = None
        self._streams = False
        if len(arguments) > 1:
            if arguments[1].type is Type.BOOL and len(arguments) == 2:
                self._streams = _flag(call, arguments, 1)
            else:
                self._start = duration(call, arguments, 1)
        if len(arguments) == 3:
            self._streams = _flag(call, arguments, 2)
        super().__init__(setting, Batch)
        self._timers = self.scheduler(lambda ts: self.process([Event(ts, [], TIMER)]))

    def process(self, chunk: Chunk) -> None:
        batch: Batch = self.states.get()
        now = self.clock.now
        if batch.due == -1:
            batch.due = now + self._span
            if self._start is not None:
                batch.due = now + self._span - (now - self._start) % self._span
            self._timers.notify_at(batch.due)
        over = now >= batch.due
        if over:
            # What is empty stays so, however many batches time passes by.
            if batch.current or batch.expired or batch.reset is not None:
                batch.due += self._span
            else:
                batch.due = self.clock.next_period(batch.due, self._span)
            self._timers.notify_at(batch.due)
        out: Chunk = []
        for event in chunk:
            if event.kind != CURRENT:
                continue
            batch.start(event)
            if not self._streams:
                batch.current.append(event)
                continue
            out.append(event)
            if self.setting.keeps:
                batch.expired.append(event.copy(EXPIRED))
        if over:
            self._let_out(batch, out, now)
        if out:
            self.next.process(out)

    def _let_out(self, batch: Batch, out: Chunk, now: int) -> None:
        if self.setting.expects_expired:
            batch.expire(out, now)
        batch.mark(out)
        if batch.current:
            if self.setting.keeps:
                if not self.setting.expects_expired:
                    batch.expired = []
                batch.expired += [e.copy(EXPIRED) for e in batch.current]
            out += batch.current
            batch.current = []

    def find(self) -> list[Event]:
        return list(self.states.get().expired)


class Batches(WindowOperator):
    """Each chunk that comes in is a batch, or several of `length` events."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 0, 1)
        self._length: int = constant(call, arguments, 0, Type.INT) if arguments else 0
        if self._length < 0:
            raise AppInvalid("the length of window batch is not negative", call.place)
        super().__init__(setting, Batch)

    def process(self, chunk: Chunk) -> None:
        batch: Batch = self.states.get()
        out: Chunk = []
        if self.setting.expects_expired and batch.expired:
            batch.expire(out, self.clock.now)
            batch.mark(out)
        batch.expired = [e.copy(EXPIRED) for e in chunk] if self.setting.keeps else []
        size = self._length or len(chunk)
        chunks: list[Chunk] = []
        for at in range(0, len(chunk), size or 1):
            batch.mark(out)
            part = chunk[at : at + size]
            batch.start(part[0])
            chunks.append(out + part)
            out = []
        if chunks:
            self.next.process_chunks(chunks)

    def find(self) -> list[Event]:
        return list(self.states.get().expired)


class CronBatch(WindowOperator):
    """Batches let out at the times of a cron expression."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1)
        self._cron = Cron(constant(call, arguments, 0, Type.STRING), call.place)
        super().__init__(setting, Batch)
        self._timers = self.scheduler(self._let_out)

    def start(self) -> None:
        """Wait for the first of the times."""
        now = self.clock.now
        self._wait(now - now % 1000 - 1000)

    def _wait(self, since: int) -> None:
        due = self._cron.after(since)
        if due is not None:
            self._timers.notify_at(due)

    def process(self, chunk: Chunk) -> None:
        self.states.get().current += chunk

    def _let_out(self, _ts: int) -> None:
        now = self.clock.now
        for (partition, _), batch in list(self.states.states.items()):
            if not batch.current:
                continue
            out: Chunk = []
            batch.expire(out, now)
            batch.expired = [e.copy(EXPIRED) for e in batch.current]
            out += batch.current
            batch.current = []
            self.flow.partition = partition
            self.next.process(out)
        self.flow.partition = ""
        self._wait(now)


class ExternalBatch:
    """The state of an externalTimeBatch window; times are of the events' own attribute."""

    def __init__(self) -> None:
        self.current: Chunk = []
        self.expired: Chunk = []
        self.reset: Event | None = None
        self.start = 0
        self.end = -1
        self.last_event = 0
        self.last_scheduled = 0
        self.flushed = False


class ExternalTimeBatch(WindowOperator):
    """Batches of `span` milliseconds by an attribute; `timeout` ends one without a next event."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 2, 5)
        self._time = attribute(call, arguments, 0, Type.LONG)
        self._span = duration(call, arguments, 1)
        self._start_constant: int | None = None
        self._start_attribute: Any = None
        if len(arguments) > 2:
            if arguments[2].constant:
                self._start_constant = duration(call, arguments, 2)
            elif arguments[2].type is Type.LONG:
                self._start_attribute = arguments[2].get
            else:
                raise AppInvalid("the start of window externalTimeBatch is a long", call.place)
        self._timeout = duration(call, arguments, 3) if len(arguments) > 3 else 0
        self._replaces = len(arguments) == 5 and _flag(call, arguments, 4)
        super().__init__(setting, ExternalBatch)
        self._stores = setting.keeps
        self._timers = self.scheduler(lambda ts: self.process([Event(ts, [], TIMER)]))

    def process(self, chunk: Chunk) -> None:
        batch: ExternalBatch = self.states.get()
        chunks: list[Chunk] = []
        if chunk and batch.end < 0 and chunk[0].kind != TIMER:
            self._begin(batch, chunk[0])
        for event in chunk:
            if event.kind == TIMER:
                self._time_out(batch, event, chunks)
            elif event.kind == CURRENT:
                self._take(batch, event, chunks)
        for out in chunks:
            self.next.process(out)

    def _begin(self, batch: ExternalBatch, event: Event) -> None:
        time = self._time.get(event)
        if self._start_constant is not None:
            batch.start = self._start_constant
            batch.end = self._end_after(time, batch.start)
        else:
            batch.start = self._start_attribute(event) if self._start_attribute else time
            batch.end = batch.start + self._span
        if self._timeout > 0:
            self._schedule(batch)

    def _end_after(self, time: int, start: int) -> int:
        from ..values import remainder

        return time + self._span - remainder(time - start, self._span)

    def _schedule(self, batch: ExternalBatch) -> None:
        batch.last_scheduled = self.clock.now + self._timeout
        self._timers.notify_at(batch.last_scheduled)

    def _time_out(self, batch: ExternalBatch, event: Event, chunks: list[Chunk]) -> None:
        if batch.last_scheduled > event.ts:
            return
        if not batch.flushed:
            self._flush(batch, chunks, batch.last_event, keep=True)
            batch.flushed = True
        elif batch.current:
            self._append(batch, chunks, batch.last_event, keep=True)
        self._schedule(batch)

    def _take(self, batch: ExternalBatch, event: Event, chunks: list[Chunk]) -> None:
        time = self._time.get(event)
        batch.last_event = max(batch.last_event, time)
        if time >= batch.end:
            if batch.flushed:
                self._append(batch, chunks, batch.last_event, keep=False)
                batch.flushed = False
            else:
                self._flush(batch, chunks, batch.last_event, keep=False)
            batch.end = self._end_after(batch.last_event, batch.start)
            self._gather(batch, event)
            if self._timeout > 0:
                self._schedule(batch)
        else:
            self._gather(batch, event)

    def _gather(self, batch: ExternalBatch, event: Event) -> None:
        kept = event.copy()
        if self._replaces and self._time.variable is not None:
            at = self.setting.compiler.scope.frames[0].find(self._time.variable.attribute)
            if at is not None:
                kept.data = list(kept.data)
                kept.data[at] = batch.end
                kept.out = kept.data
        batch.current.append(kept)
        if batch.reset is None:
            batch.reset = event.copy(RESET)

    def _flush(self, batch: ExternalBatch, chunks: list[Chunk], now: int, *, keep: bool) -> None:
        out: Chunk = []
        if self.setting.expects_expired:
            for event in batch.expired:
                event.ts = now
            out += batch.expired
        batch.expired = []
        if batch.current:
            if batch.reset is not None:
                batch.reset.ts = now
                out.append(batch.reset)
                batch.reset = None
            if keep or self._stores:
                batch.expired += [e.copy(EXPIRED) for e in batch.current]
            out += batch.current
        batch.current = []
        if out:
            chunks.append(out)

    def _append(self, batch: ExternalBatch, chunks: list[Chunk], now: int, *, keep: bool) -> None:
        """Let out a batch again, with what came since it was flushed by the timeout."""
        out: Chunk = []
        if batch.current:
            again: Chunk = []
            for event in batch.expired:
                if self.setting.expects_expired:
                    gone = event.copy()
                    gone.ts = now
                    out.append(gone)
                again.append(event.copy(CURRENT))
            if batch.reset is not None:
                reset = batch.reset.copy()
                reset.ts = now
                out.append(reset)
            out += again
            if keep or self._stores:
                batch.expired += [e.copy(EXPIRED) for e in batch.current]
            out += batch.current
        batch.current = []
        if out:
            chunks.append(out)

    def find(self) -> list[Event]:
        return list(self.states.get().expired)
