"""A running application: events in, rows out, questions answered, state kept."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import fitting, listening, ondemand, state
from .aggregation import Aggregation
from .app import App
from .columns import ColumnsCallback
from .definitions import check_async, define_all
from .errors import (
    AppInvalid,
    DefinitionUnknown,
    EventInvalid,
    QueryInvalid,
    SyntaxInvalid,
    nearest,
)
from .events import Event
from .extensions import Extensions, builtin
from .fitting import Row
from .flow import Flow
from .language import syntax as s
from .language.parser import parse_on_demand
from .listening import RowsCallback
from .named_window import NamedWindow
from .partition import PartitionRuntime
from .playback import Heartbeat
from .query import QueryBuilder, QueryRuntime, Readable
from .scheduler import Clock
from .streams import Stream
from .table import Table
from .trigger import Trigger

if TYPE_CHECKING:
    from .columnar import Column

Path = Literal["auto", "columnar", "reference"]
"""How an application is run."""


FEW = 16
"""Fewer rows than this are faster one by one."""


class Runtime:
    """One running application.

    Everything happens inside the calls of its methods: `send` and `advance` process events and fire
    timers, and callbacks are
    called before they return. It is not safe for several threads at once.
    """

    def __init__(
        self,
        app: App | str,
        *,
        clock: Clock | None = None,
        extensions: Extensions | None = None,
        path: Path = "auto",
    ) -> None:
        """Build the application.

        Args:
            app: the application or its text.
            clock: the time; None makes a clock of its own, at 0.
            extensions: functions, aggregators and windows beside and over those of the language.
            path: `reference` works events out one by one, `columnar` runs on columns what has such
                a form, `auto` does so where numpy is installed.

        Raises:
            AppInvalid: the application cannot run, or one of its subclasses.
        """
        self.app = App.parse(app) if isinstance(app, str) else app
        self.flow = Flow(clock or Clock())
        self.extensions = builtin().merged(extensions)
        self.streams: dict[str, Stream] = {}
        self.tables: dict[str, Table] = {}
        self.windows: dict[str, NamedWindow] = {}
        self.aggregations: dict[str, Aggregation] = {}
        self.triggers: dict[str, Trigger] = {}
        self.queries: dict[str, QueryRuntime] = {}
        self.partitions: list[PartitionRuntime] = []
        self.starts: list[Callable[[], None]] = []
        self.started = False
        self.paths: dict[str, tuple[str, str]] = {}
        self.columnar = path == "columnar" or (
            path == "auto" and importlib.util.find_spec("numpy") is not None
        )
        self.least = FEW if path == "auto" else 0
        self.why_reference = "asked for" if path == "reference" else "numpy is not installed"
        self._plain: list[QueryRuntime] = []
        self._build()

    # --- Building ---

    def _build(self) -> None:
        syntax = self.app.syntax
        if s.annotation(syntax.annotations, "app:async") is not None:
            raise AppInvalid("@async stands with a stream, not with the application")
        define_all(self, syntax.definitions)
        builder = QueryBuilder(self)
        for execution in syntax.executions:
            if isinstance(execution, s.Query):
                query = builder.build(execution, self.query_name(execution))
                self.queries[query.name] = query
                self._plain.append(query)
            else:
                name = f"partition-{len(self.partitions)}"
                self.partitions.append(PartitionRuntime(self, execution, name))
        playback = s.annotation(syntax.annotations, "app:playback")
        if playback is not None:
            heartbeat = Heartbeat.read(self.flow.clock, playback)
            self.flow.clock.beat = None if heartbeat is None else heartbeat.beat
            self.flow.clock.use_event_time(True)

    def add_stream(self, definition: s.StreamDefinition) -> Stream:
        """Add a stream, and its fault stream where `@OnError(action='stream')` asks for one."""
        check_async(definition)
        stream = self.streams[definition.id] = Stream(self.flow, definition)
        on_error = s.annotation(definition.annotations, "OnError")
        action = (on_error.get("action") or "log").lower() if on_error is not None else "log"
        if action not in {"log", "stream"}:
            raise AppInvalid(f"@OnError: {action} is no action", definition.place)
        if action == "stream":
            attributes = (*definition.attributes, s.Attribute("_error", s.Type.OBJECT))
            fault = s.StreamDefinition(f"!{definition.id}", attributes)
            stream.fault = self.streams[fault.id] = Stream(self.flow, fault)
        return stream

    def query_name(self, query: s.Query) -> str:
        """Give a query's name: that of its `@info`, else a number."""
        info = s.annotation(query.annotations, "info")
        name = info.get("name") if info is not None else None
        if name is None:
            name = f"query-{len(self.queries) + 1}"
        elif name in self.queries:
            raise AppInvalid(f"two queries are called {name}", query.place)
        return name

    def readable(self, name: str) -> Readable | None:
        """Find a stream, table, window or aggregation."""
        return (
            self.streams.get(name)
            or self.tables.get(name)
            or self.windows.get(name)
            or self.aggregations.get(name)
        )

    def ends(self) -> list[str]:
        """Give the streams that queries fill and nobody reads."""
        filled = {
            q.syntax.output.target.key
            for q in self.queries.values()
            if isinstance(q.syntax.output, s.Insert)
        }
        return [n for n, stream in self.streams.items() if n in filled and not stream.receivers]

    def names(self) -> list[str]:
        """Give every name that can be read."""
        return [*self.streams, *self.tables, *self.windows, *self.aggregations]

    # --- Running ---

    def start(self) -> None:
        """Begin: triggers, periodic output and absent patterns count from now."""
        if self.started:
            return
        self.started = True
        for start in self.starts:
            start()
        for query in self._plain:
            query.start()
        for trigger in self.triggers.values():
            trigger.start()

    def stop(self) -> None:
        """Stop: timers no longer fire; `start` begins again with the state there is."""
        self.started = False
        self.flow.clock.clear()

    def advance(self, to: int) -> None:
        """Move the clock to a wall time in milliseconds, firing what is due until then."""
        self.flow.clock.advance(to)

    def send(
        self,
        stream: str,
        rows: Iterable[Sequence[Any]] | Mapping[str, Sequence[Any]],
        *,
        ts: int | Sequence[int] | None = None,
        checked: bool = True,
    ) -> None:
        """Send events as one batch.

        Args:
            stream: the stream's name.
            rows: rows in the order of the stream's attributes, or columns by name, all of one
            length.
            ts: milliseconds since 1970, one for all events or one each; None takes the clock's
            time.
            checked: False lets rows in that do not fit, as Siddhi itself does: missing values are
            null, spare
                ones are dropped, values of another type stay as they are.

        Raises:
            EventInvalid: no such stream, or a row that does not fit it.
        """
        target = self.streams.get(stream)
        if target is None:
            raise EventInvalid(f"no stream is called {stream}{nearest(stream, self.streams)}")
        if not self.started:
            self.start()
        if type(rows) is dict or isinstance(rows, Mapping):
            only = target.only
            direct = None if only is None else only.direct
            if direct is not None and direct(target, rows, ts, self.flow.clock.arrive):
                return
            if target.wants_columns:
                self._send_columns(target, rows, ts)
                return
            rows = fitting.of_columns(target, rows)
        listed = rows if isinstance(rows, list) else list(rows)
        if not listed:
            return
        if target.takes_columns(len(listed)):
            self._send_rows(target, listed, ts, checked)
            return
        fit = fitting.fitted if checked else fitting.padded
        data = [fit(target, row) for row in listed]
        times = self._times(len(data), ts)
        self._arrive(times[-1])
        now = self.flow.clock.now
        target.send(
            [Event(now if t is None else int(t), row) for t, row in zip(times, data, strict=True)]
        )

    @staticmethod
    def _times(count: int, ts: int | Sequence[int] | None) -> Sequence[int | None]:
        times = [ts] * count if ts is None or isinstance(ts, int) else ts
        if len(times) != count:
            raise EventInvalid(f"{count} events, but {len(times)} times")
        return times

    def _arrive(self, last: int | None) -> None:
        if last is not None:
            self.flow.clock.arrive(int(last))

    def _send_rows(
        self,
        target: Stream,
        rows: list[Sequence[Any]],
        ts: int | Sequence[int] | None,
        checked: bool,
    ) -> None:
        if not checked:
            rows = [fitting.padded(target, row) for row in rows]
        fit = fitting.fit if checked else None
        columns = self._columns().intake.of_rows(target.id, target.attributes, rows, fit)
        self._send_batch(target, columns, self._times(len(rows), ts))

    def _send_columns(
        self, target: Stream, columns: Mapping[str, Sequence[Any]], ts: int | Sequence[int] | None
    ) -> None:
        if target.intake is None:
            intake = self._columns().intake
            target.intake = intake.Intake(target.id, target.attributes, fitting.fit)
        made, count = target.intake.columns(columns)
        if count:
            self._send_batch(target, made, self._times(count, ts))

    @staticmethod
    @functools.cache
    def _columns() -> Any:
        """Load the columnar path, which needs numpy."""
        from . import columnar

        return columnar

    def _send_batch(
        self, target: Stream, columns: list[Column], times: Sequence[int | None]
    ) -> None:
        self._arrive(times[-1])
        if isinstance(times, list):
            now = self.flow.clock.now
            times = [now if t is None else t for t in times]
        target.send_columns(self._columns().batch_of(columns, times))

    # --- Listening ---

    def subscribe(self, name: str, callback: RowsCallback) -> Callable[[], None]:
        """Call back with the rows of a query or stream as they come; give what ends it.

        A query tells what came and what left of its window; a stream only what came.

        Raises:
            EventInvalid: nothing has this name.
        """
        return listening.to_rows(self, name, callback)

    def subscribe_columns(self, name: str, callback: ColumnsCallback) -> Callable[[], None]:
        """Call back with a query's or stream's new rows as columns; give what ends it.

        On the columnar path a call brings what one `send` gave, without a step for each row.

        Raises:
            EventInvalid: nothing has this name.
        """
        return listening.to_columns(self, name, callback)

    # --- Asking ---

    def query(self, text: str) -> list[Row]:
        """Answer an on-demand query. Raises SyntaxInvalid, QueryInvalid."""
        try:
            parsed = parse_on_demand(text)
        except SyntaxInvalid:
            raise
        except AppInvalid as error:
            raise QueryInvalid(error.reason, error.place) from error
        return [tuple(event.out) for event in ondemand.ask(self, parsed)]

    def attributes(self, name: str) -> list[s.Attribute]:
        """Give the attributes of a query, stream, table, window or aggregation. Raises
        DefinitionUnknown.
        """
        if name in self.queries:
            return list(self.queries[name].attributes)
        found = self.readable(name)
        if found is None:
            raise DefinitionUnknown(f"{name} is not defined{nearest(name, self.names())}")
        return list(found.attributes)

    # --- State ---

    def snapshot(self) -> bytes:
        """Give everything the application remembers; the same state gives the same bytes."""
        return state.save(self)

    def restore(self, data: bytes) -> None:
        """Go on from a snapshot of the same application. Raises StateInvalid."""
        state.load(self, data)

    def stats(self) -> dict[str, dict[str, int]]:
        """Give how many events each stream has carried and how many rows and keys are held."""
        return {
            "streams": {name: stream.count for name, stream in self.streams.items()},
            "tables": {name: len(table.rows) for name, table in self.tables.items()},
            "states": {name: len(h.states) for name, h in self.flow.holders.items() if h.states},
        }

    def explain(self) -> list[tuple[str, str, str]]:
        """Give each query's name, the path it runs on, and why."""
        return [(name, *self.paths[name]) for name in self.queries]

    def on_columns(self) -> list[str]:
        """Give the queries and aggregations whose state is kept in columns, which a snapshot
        restores only there.
        """
        queries = [
            name
            for name, query in self.queries.items()
            if query.columnar is not None and not query.columnar.stateless
        ]
        aggregations = [n for n, a in self.aggregations.items() if a.columnar is not None]
        return sorted(queries + aggregations)

    def playback(
        self, on: bool, *, idle_ms: int | None = None, increment_ms: int | None = None
    ) -> None:
        """Run on the time of the events, or go back to the clock.

        With `idle_ms`, time goes on by `increment_ms` whenever no event has come for so long.
        """
        self.flow.clock.use_event_time(on, running=self.started)
        self.flow.clock.beat = None
        if on and idle_ms is not None and increment_ms is not None:
            self.flow.clock.beat = Heartbeat(self.flow.clock, idle_ms, increment_ms).beat
