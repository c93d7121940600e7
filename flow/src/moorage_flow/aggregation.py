"""Incremental aggregations: values by time and group, from seconds to years."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import calendars
from .aggregators import Average, Count, DistinctCount, Extreme, Sum
from .errors import AppInvalid, EvaluationFailed, FunctionUnknown
from .events import Chunk, Event
from .expressions import Compiled, Compiler, key_of
from .functions import expect, expect_type
from .language import syntax as s
from .operators import Operator, chain
from .scheduler import Scheduler
from .scope import Frame, Getter, Scope
from .selector import expand
from .streams import ColumnReceiver, Stream
from .values import NUMERIC, to_type

if TYPE_CHECKING:
    from .columnar import ColumnAggregation
    from .runtime import Runtime

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_YEAR = 366 * _DAY

_RETENTION: dict[str, int | None] = {
    "sec": 120_000,
    "min": _DAY,
    "hour": 30 * _DAY,
    "day": _YEAR,
    "month": None,
    "year": None,
}
_LEAST_RETENTION = {
    "sec": 120_000,
    "min": 120 * _MINUTE,
    "hour": 25 * _HOUR,
    "day": 32 * _DAY,
    "month": 13 * 2_630_000_000,
    "year": 0,
}

_MAKERS: dict[str, Callable[[], Any]] = {
    "avg": Average,
    "count": Count,
    "distinctCount": DistinctCount,
    "max": lambda: Extreme(1, False),
    "min": lambda: Extreme(-1, False),
    "sum": Sum,
}


class Bucket:
    """One group's values over one stretch of time; plain attributes are of its latest event."""

    def __init__(self, makers: list[Callable[[], Any] | None]) -> None:
        self.states = [make() if make else None for make in makers]
        self.values: list[Any] = [None] * len(makers)
        self.latest = -(1 << 63)


class Buckets:
    """All buckets: for each duration, by beginning and group."""

    def __init__(self) -> None:
        self.by_duration: dict[str, dict[tuple[int, str], Bucket]] = {}


class Aggregation:
    """A running `define aggregation`."""

    def __init__(self, runtime: Runtime, definition: s.AggregationDefinition) -> None:
        from .query import QueryBuilder

        self.id = definition.id
        self.definition = definition
        shared = s.annotation(definition.annotations, "PartitionById")
        if shared is not None and (shared.get("enable") or "true").lower() != "false":
            raise AppInvalid(
                "@PartitionById: an aggregation is not shared between servers", definition.place
            )
        if s.annotation(definition.annotations, "store") is not None:
            raise FunctionUnknown(
                "aggregations are kept in memory: there is no @store", definition.place
            )
        self._flow = runtime.flow
        self._durations = definition.durations
        builder = QueryBuilder(runtime)
        source = builder.find(definition.source.source)
        if not isinstance(source, Stream):
            raise AppInvalid(f"{source.id} cannot be aggregated: it is no stream", definition.place)
        if definition.source.window is not None:
            raise AppInvalid(f"{source.id} cannot be aggregated over a window", definition.place)
        frame = Frame(definition.source.source.key, list(source.attributes))
        scope = Scope([frame])
        operators, _ = builder._handlers(definition.source, frame, False, searched=False)
        compiler = Compiler(scope, runtime.flow, runtime.extensions, runtime.tables)
        self._outputs = [self._output(compiler, a) for a in expand(definition.select, scope)]
        self._makers = [make for _, make, _ in self._outputs]
        self._getters = [get for _, _, get in self._outputs]
        self._group: Getter | None = None
        if definition.select.group_by:
            self._group = key_of([scope.resolve(v) for v in definition.select.group_by])
        self._time = self._time_of(compiler)
        self.columnar = self._plan(runtime, compiler)
        self._purge(runtime)
        if self.columnar is not None:
            source.listen(ColumnReceiver(self.columnar.take_rows, self.columnar.take))
            return
        self._states = runtime.flow.holder(Buckets)
        source.listen(chain([*operators, _Into(self)]).process)

    def _plan(self, runtime: Runtime, compiler: Compiler) -> ColumnAggregation | None:
        """Plan it on columns where it has such a form, and note the path it takes."""
        if not runtime.columnar:
            runtime.paths[self.id] = ("reference", runtime.why_reference)
            return None
        from . import columnar

        types = [attribute.type for attribute, _, _ in self._outputs]
        try:
            planned = columnar.aggregation(runtime.flow, self.definition, compiler, types)
        except columnar.Refused as refused:
            runtime.paths[self.id] = ("reference", str(refused))
            return None
        runtime.paths[self.id] = ("columnar", "its buckets are kept in columns")
        return planned

    @property
    def attributes(self) -> list[s.Attribute]:
        """The attributes a query sees."""
        return self.output_attributes()

    def output_attributes(self) -> list[s.Attribute]:
        """Give the time of the bucket, then the selected attributes."""
        return [s.Attribute("AGG_TIMESTAMP", s.Type.LONG), *(a for a, _, _ in self._outputs)]

    def _output(
        self, compiler: Compiler, attribute: s.OutputAttribute
    ) -> tuple[s.Attribute, Callable[[], Any] | None, Getter]:
        expression = attribute.expression
        if isinstance(expression, s.Call) and expression.name in compiler.extensions.aggregators:
            make = _MAKERS.get(expression.name)
            if make is None:
                raise FunctionUnknown(
                    f"{expression.name} cannot be aggregated over time; {', '.join(_MAKERS)} can",
                    expression.place,
                )
            if not all(isinstance(a, s.Variable) for a in expression.arguments):
                raise AppInvalid(f"{expression.name} takes an attribute here", expression.place)
            arguments = [compiler.compile(a) for a in expression.arguments]
            kind = _result(expression, arguments)
            get = arguments[0].get if arguments else _nothing
            return s.Attribute(attribute.name, kind), make, get
        compiled = compiler.compile(expression)
        return s.Attribute(attribute.name, compiled.type), None, compiled.get

    def _time_of(self, compiler: Compiler) -> Callable[[Any], int]:
        by = self.definition.by
        if by is None:
            return lambda event: int(event.ts)
        compiled = compiler.compile(by)
        if compiled.type not in {s.Type.LONG, s.Type.STRING}:
            raise AppInvalid(
                f"'aggregate by' takes a long or a string, not a {compiled.type.value}", by.place
            )
        get = compiled.get
        return lambda event: calendars.instant(get(event))

    # --- Taking ---

    def add(self, chunk: Chunk) -> None:
        """Count events into every duration's buckets, whatever the order they come in."""
        buckets = self._states.of_all().by_duration
        for event in chunk:
            time = self._time(event)
            group = self._group(event) if self._group is not None else ""
            for duration in self._durations:
                key = (calendars.start_of(time, duration), group)
                held = buckets.setdefault(duration, {})
                bucket = held.get(key)
                if bucket is None:
                    bucket = held[key] = Bucket(self._makers)
                self._count(bucket, event, time)

    def _count(self, bucket: Bucket, event: Any, time: int) -> None:
        latest = time >= bucket.latest
        for at, state in enumerate(bucket.states):
            if state is not None:
                bucket.values[at] = state.add(self._getters[at](event))
            elif latest:
                bucket.values[at] = self._getters[at](event)
        if latest:
            bucket.latest = time

    # --- Giving ---

    def rows(self, start: int, end: int, duration: str) -> list[Event]:
        """Give the buckets that begin from `start` to before `end`. Raises AppInvalid."""
        if duration not in self._durations:
            raise AppInvalid(
                f"{self.id} is not aggregated by {duration}: {', '.join(self._durations)}"
            )
        if self.columnar is not None:
            return self.columnar.rows(start, end, duration)
        held = self._states.of_all().by_duration.get(duration, {})
        types = [a.type for a, _, _ in self._outputs]
        return [
            Event(
                begin, [begin, *(to_type(v, t) for v, t in zip(bucket.values, types, strict=True))]
            )
            for (begin, _), bucket in sorted(held.items(), key=lambda item: item[0][0])
            if start <= begin < end
        ]

    def finder(self, compiler: Compiler, within: s.Within) -> Callable[[Any], list[Event]]:
        """Compile `within … per …`; what it reads may come from the other side of a join."""
        start = compiler.compile(within.start)
        end = compiler.compile(within.end) if within.end is not None else None
        per = compiler.compile(within.per)
        for part in (start, end):
            if part is not None and part.type not in {s.Type.LONG, s.Type.STRING}:
                raise AppInvalid(f"'within' takes a long or a string, not a {part.type.value}")
        if end is None and start.type is not s.Type.STRING:
            raise AppInvalid(f"'within' takes two times or a pattern, not a {start.type.value}")
        if per.type is not s.Type.STRING:
            raise AppInvalid(f"'per' takes a string, not a {per.type.value}")
        try:
            if per.constant:
                calendars.per(per.value)
        except EvaluationFailed as error:
            raise AppInvalid(str(error), self.definition.place) from None

        def find(event: Any) -> list[Event]:
            low, high = calendars.within(
                start.get(event), end.get(event) if end is not None else None
            )
            return self.rows(low, high, calendars.per(per.get(event)))

        return find

    # --- Purging ---

    def _purge(self, runtime: Runtime) -> None:
        purge = s.annotation(self.definition.annotations, "purge")
        interval_ms = 15 * _MINUTE
        retention = dict(_RETENTION)
        if purge is not None:
            enabled = (purge.get("enable") or "true").lower()
            if enabled not in {"true", "false"}:
                raise AppInvalid("@purge: enable is 'true' or 'false'", self.definition.place)
            if enabled == "false":
                return
            if (interval := purge.get("interval")) is not None:
                interval_ms = self._written_time(interval)
                if interval_ms < 1:
                    raise AppInvalid("@purge: interval is at least 1 ms", self.definition.place)
            for nested in purge.nested:
                self._read_retention(nested, retention)
        scheduler: Scheduler

        def sweep(ts: int) -> None:
            self._sweep(retention)
            scheduler.notify_at(runtime.flow.clock.next_period(ts, interval_ms))

        scheduler = Scheduler(runtime.flow.clock, runtime.flow, sweep)
        runtime.starts.append(lambda: scheduler.notify_at(runtime.flow.clock.now + interval_ms))

    def _read_retention(self, annotation: s.Annotation, retention: dict[str, int | None]) -> None:
        for name, value in annotation.elements:
            duration = calendars.PER.get((name or "").lower().rstrip("s"))
            if duration is None:
                raise AppInvalid(f"@retentionPeriod: {name} is no duration", self.definition.place)
            if duration not in self._durations:
                raise AppInvalid(
                    f"@retentionPeriod: {self.id} is not aggregated by {name}",
                    self.definition.place,
                )
            if value.strip().lower() == "all":
                retention[duration] = None
                continue
            kept = self._written_time(value)
            if kept < _LEAST_RETENTION[duration]:
                raise AppInvalid(
                    f"@retentionPeriod: {name} is kept for longer than {value}",
                    self.definition.place,
                )
            retention[duration] = kept

    def _written_time(self, written: str) -> int:
        from .language.parser import parse_expression

        parsed = parse_expression(written)
        if not isinstance(parsed, s.Constant) or not parsed.time:
            raise AppInvalid(f"{written!r} is no time", self.definition.place)
        return int(parsed.value)

    def _sweep(self, retention: dict[str, int | None]) -> None:
        now = self._flow.clock.now
        if self.columnar is not None:
            self.columnar.sweep(retention, now)
            return
        by_duration = self._states.of_all().by_duration
        for duration, held in by_duration.items():
            kept_ms = retention[duration]
            if kept_ms is not None:
                by_duration[duration] = {k: b for k, b in held.items() if k[0] >= now - kept_ms}


class _Into(Operator):
    """The end of the aggregation's input."""

    def __init__(self, aggregation: Aggregation) -> None:
        self._aggregation = aggregation

    def process(self, chunk: Chunk) -> None:
        self._aggregation.add(chunk)


def _nothing(_event: Any) -> None:
    return None


def _result(call: s.Call, arguments: list[Compiled]) -> s.Type:
    if call.name == "count":
        expect(call, arguments, 0, 1)
        return s.Type.LONG
    expect(call, arguments, 1)
    if call.name == "distinctCount":
        return s.Type.LONG
    expect_type(call, arguments[0], 0, *NUMERIC)
    if call.name == "avg":
        return s.Type.DOUBLE
    if call.name == "sum":
        return s.Type.LONG if arguments[0].type in {s.Type.INT, s.Type.LONG} else s.Type.DOUBLE
    return arguments[0].type
