"""Partitions: the same queries once for each value of a key."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

from .errors import AppInvalid
from .events import Chunk
from .expressions import Compiler
from .language import syntax as s
from .named_window import NamedWindow
from .scheduler import Scheduler
from .scope import Frame, Scope
from .streams import ColumnReceiver, Stream
from .values import text

if TYPE_CHECKING:
    from .query import QueryRuntime
    from .runtime import Runtime

KeysOf = Callable[[Any], list[str]]


class Alive:
    """The keys there are, with the time each was last seen."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}


class PartitionRuntime:
    """A running partition."""

    def __init__(self, runtime: Runtime, syntax: s.Partition, name: str) -> None:
        from .query import QueryBuilder

        self.name = name
        self.syntax = syntax
        self._rt = runtime
        self._flow = runtime.flow
        self.inner: dict[str, Stream] = {}
        self.queries: list[QueryRuntime] = []
        self._keys: dict[str, KeysOf] = {}
        self._listeners: dict[str, list[Callable[[Chunk], None]]] = {}
        self._receivers: dict[str, ColumnReceiver] = {}
        self._flow.owner = name
        self._alive = self._flow.holder(Alive)
        for key in syntax.keys:
            if key.stream in self._keys:
                raise AppInvalid(f"{key.stream} has two keys", syntax.place)
            self._keys[key.stream] = self._key_of(key)
        builder = QueryBuilder(runtime, self)
        known = set(self._flow.holders), len(self._flow.clock.schedulers)
        for query in syntax.queries:
            built = builder.build(query, runtime.query_name(query))
            self.queries.append(built)
            runtime.queries[built.name] = built
        self._holders = [h for n, h in self._flow.holders.items() if n not in known[0]]
        self._schedulers = self._flow.clock.schedulers[known[1] :]
        self._purge()
        self._plan()

    def _plan(self) -> None:
        """Run the partition on columns where all of its queries do."""
        if not self._rt.columnar:
            return
        from . import columnar

        try:
            columnar.partition(self._rt, self, self._receivers, self._listeners)
        except columnar.Refused as refused:
            for query in self.queries:
                if query.columnar is not None:
                    query.columnar.active = False
                query.columnar = None
                if self._rt.paths[query.name][0] == "columnar":
                    self._rt.paths[query.name] = ("reference", str(refused))
            for receivers in [
                *self._listeners.values(),
                *(i.receivers for i in self.inner.values()),
            ]:
                for receiver in receivers:
                    if isinstance(receiver, ColumnReceiver):
                        receiver.take = None

    def begin(self, key: str) -> None:
        """Note that a key was seen; begin its queries where it is new."""
        alive = self._alive.get().keys
        new = key not in alive
        alive[key] = self._flow.clock.now
        if not new:
            return
        outer, self._flow.partition = self._flow.partition, key
        try:
            for query in self.queries:
                query.start()
        finally:
            self._flow.partition = outer

    def _key_of(self, key: s.ValueKey | s.RangeKey) -> KeysOf:
        source = self._rt.readable(key.stream)
        if not isinstance(source, Stream | NamedWindow):
            raise AppInvalid(
                f"a partition is over streams; {key.stream} is none", self.syntax.place
            )
        frame = Frame(key.stream, list(source.attributes))
        compiler = Compiler(Scope([frame]), self._flow, self._rt.extensions, self._rt.tables)
        if isinstance(key, s.ValueKey):
            compiled = compiler.compile(key.expression)
            get, kind = compiled.get, compiled.type
            return lambda event: [] if (v := get(event)) is None else [text(v, kind)]
        ranges = [(compiler.condition(condition), label) for condition, label in key.ranges]
        return lambda event: [label for holds, label in ranges if holds(event) is True]

    def subscribe(self, stream: Stream, receiver: Callable[[Chunk], None]) -> None:
        """Let a query of the partition listen to a stream."""
        if stream.inner:
            stream.listen(receiver)
            return
        listeners = self._listeners.get(stream.id)
        if listeners is None:
            listeners = self._listeners[stream.id] = []
            keys_of = self._keys.get(stream.id)
            if keys_of is None:
                stream.listen(lambda chunk: self._to_all(listeners, chunk))
            else:
                entry = ColumnReceiver(lambda chunk: self._by_key(listeners, keys_of, chunk), None)
                self._receivers[stream.id] = entry
                stream.listen(entry)
        listeners.append(receiver)

    def _to_all(self, listeners: list[Callable[[Chunk], None]], chunk: Chunk) -> None:
        for key in list(self._alive.get().keys):
            self._run(listeners, key, chunk)

    def _by_key(
        self, listeners: list[Callable[[Chunk], None]], keys_of: KeysOf, chunk: Chunk
    ) -> None:
        run: Chunk = []
        current: str | None = None
        for event in chunk:
            for key in keys_of(event):
                if key != current and run:
                    assert current is not None
                    self._run(listeners, current, run)
                    run = []
                current = key
                run.append(event)
        if run and current is not None:
            self._run(listeners, current, run)

    def _run(self, listeners: list[Callable[[Chunk], None]], key: str, chunk: Chunk) -> None:
        flow = self._flow
        self.begin(key)
        outer, flow.partition = flow.partition, key
        try:
            for listener in listeners:
                listener([event.copy() for event in chunk])
        finally:
            flow.partition = outer

    # --- Purge ---

    def _purge(self) -> None:
        purge = s.annotation(self.syntax.annotations, "purge")
        if purge is None:
            return
        enabled, interval, idle = (purge.get(k) for k in ("enable", "interval", "idle.period"))
        if enabled is None or enabled.lower() not in {"true", "false"}:
            raise AppInvalid("@purge needs enable='true' or 'false'", self.syntax.place)
        if enabled.lower() == "false":
            return
        if idle is None:
            raise AppInvalid("@purge needs an idle.period", self.syntax.place)
        idle_ms = self._time(idle)
        interval_ms = self._time(interval) if interval else 1000
        if interval_ms < 1:
            raise AppInvalid("@purge: interval is at least 1 ms", self.syntax.place)
        scheduler: Scheduler

        def sweep(ts: int) -> None:
            now = self._flow.clock.now
            alive = self._alive.get().keys
            if idle := {key for key, seen in alive.items() if now - seen >= idle_ms}:
                self._drop(idle)
            scheduler.notify_at(self._flow.clock.next_period(ts, interval_ms))

        scheduler = Scheduler(self._flow.clock, self._flow, sweep)
        self._rt.starts.append(lambda: scheduler.notify_at(self._flow.clock.now + interval_ms))

    def _time(self, written: str) -> int:
        from .language.parser import parse_expression

        parsed = parse_expression(written)
        if not isinstance(parsed, s.Constant) or not parsed.time:
            raise AppInvalid(f"{written!r} is no time", self.syntax.place)
        return int(parsed.value)

    def _drop(self, keys: Set[str]) -> None:
        alive = self._alive.get()
        alive.keys = {key: seen for key, seen in alive.keys.items() if key not in keys}
        for holder in self._holders:
            holder.drop(keys)
        for scheduler in self._schedulers:
            scheduler.drop(keys)
