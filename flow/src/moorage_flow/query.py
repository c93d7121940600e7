"""Queries built from their syntax: input, selection, rate and output, linked to the rest of the
application.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import AppInvalid, DefinitionUnknown, FunctionUnknown, nearest
from .events import Chunk, Event, StateEvent
from .expressions import Compiler, Match, compile_match
from .join import JoinSide, NoWindow
from .language import syntax as s
from .named_window import NamedWindow, make_window
from .operators import AddAttributes, Filter, Operator, chain
from .output import Limiter, Sink, limiter
from .patterns import PatternInput, build_states
from .patterns.build import positions
from .scope import Frame, Scope
from .selector import Selection, Selector, compile_select
from .sinks import change_table, expect_same, into_table
from .snapshots import snapshot
from .streams import ColumnReceiver, Receiver, Stream
from .table import Table
from .windows import Setting

if TYPE_CHECKING:
    from .aggregation import Aggregation
    from .columnar.single import Planned as Columnar
    from .partition import PartitionRuntime
    from .runtime import Runtime


@dataclass(slots=True)
class QueryRuntime:
    """A running query."""

    name: str
    syntax: s.Query
    selector: Selector
    attributes: list[s.Attribute]
    starts: list[Callable[[], None]] = field(default_factory=list)
    events_in: int = 0
    columnar: Columnar | None = None

    @property
    def limiter(self) -> Limiter:
        """The query's rate, where its callbacks hang."""
        return self.selector.limiter

    def start(self) -> None:
        """Begin, for the partition being worked on."""
        for start in self.starts:
            start()


_SIDES = ("left", "right")

Readable: TypeAlias = "Stream | Table | NamedWindow | Aggregation"


class QueryBuilder:
    """Builds the queries of an application, or of one partition of it."""

    def __init__(self, runtime: Runtime, partition: PartitionRuntime | None = None) -> None:
        self._rt = runtime
        self._partition = partition
        self._flow = runtime.flow

    def build(self, query: s.Query, name: str) -> QueryRuntime:
        """Build a query. Raises AppInvalid and its subclasses."""
        outer, self._flow.owner = self._flow.owner, name
        try:
            return self._build(query, name)
        finally:
            self._flow.owner = outer

    def _build(self, query: s.Query, name: str) -> QueryRuntime:
        snapshots = isinstance(query.rate, s.SnapshotRate)
        expired = query.output.events is not s.Events.CURRENT or snapshots
        starts: list[Callable[[], None]] = []
        source = query.input
        while isinstance(source, s.Anonymous):
            source = self._anonymous(source, name)
        connect: Callable[[Selector, Columnar | None], None]
        match source:
            case s.Single():
                scope, windowed, connect = self._single(source, expired)
            case s.Join():
                scope, windowed, connect = self._join(source)
            case s.StateInput():
                scope, windowed, connect = self._state(source, starts)
        compiler = self._compiler(scope)
        compiler.tracks = windowed or scope.state
        selection = compile_select(compiler, query.select)
        selector = Selector(self._flow, selection, query.output.events, batches=not snapshots)
        selector.limiter = self._limiter(query, selection, windowed)
        starts.append(selector.limiter.start)
        selector.limiter.sink = self._sink(query.output, selection.attributes, compiler)
        planned = self._plan(query, name, source, compiler, selector, expired)
        connect(selector, planned)
        return QueryRuntime(name, query, selector, selection.attributes, starts, columnar=planned)

    def _plan(
        self,
        query: s.Query,
        name: str,
        source: s.Single | s.Join | s.StateInput,
        compiler: Compiler,
        selector: Selector,
        expired: bool,
    ) -> Columnar | None:
        """Plan a query on columns where it has such a form, and note the path it takes."""
        paths = self._rt.paths
        if not self._rt.columnar:
            paths[name] = ("reference", self._rt.why_reference)
            return None
        from . import columnar

        try:
            planned: Columnar
            match source:
                case s.Single():
                    attributes = tuple(self.find(source.source).attributes)
                    planned = columnar.single_query(
                        self._flow, query, source, attributes, compiler, selector, expired=expired
                    )
                case s.StateInput():
                    read = {single.source.key for single, _ in positions(source.state)}
                    cyclic = columnar.feeds(self._rt.app.syntax, [query], read)
                    planned = columnar.pattern_query(
                        self._flow, query, source, compiler, selector, cyclic=cyclic
                    )
                case s.Join():
                    sources = [self.find(side.source) for side in (source.left, source.right)]
                    finders = [
                        self._finder(source, compiler.scope, at, found, ([], None))
                        if isinstance(found, Table)
                        else None
                        for at, found in enumerate(sources)
                    ]
                    planned = columnar.join_query(
                        self._flow, query, source, sources, finders, compiler, selector
                    )
        except columnar.Refused as refused:
            paths[name] = ("reference", str(refused))
            return None
        columnar.into_stream(selector, planned.output)
        paths[name] = ("columnar", columnar.why(planned))
        return planned

    def _compiler(self, scope: Scope) -> Compiler:
        return Compiler(scope, self._flow, self._rt.extensions, self._rt.tables)

    def _anonymous(self, source: s.Anonymous, name: str) -> s.Single:
        inner = source.query
        target = s.Source(f"{name}-input", inner=self._partition is not None)
        output = s.Insert(target, inner.output.events)
        query = s.Query(inner.input, inner.select, inner.rate, output, place=inner.place)
        built = self.build(query, f"{name}-input")
        self._rt.queries[built.name] = built
        if self._partition is not None:
            self._partition.queries.append(built)
        return s.Single(target)

    def _limiter(self, query: s.Query, selection: Selection, windowed: bool) -> Limiter:
        grouped = selection.group is not None
        if isinstance(query.rate, s.SnapshotRate | s.TimeRate) and query.rate.every_ms < 1:
            raise AppInvalid("the time of 'output … every' is at least 1 ms", query.place)
        if isinstance(query.rate, s.SnapshotRate):
            return snapshot(
                self._flow,
                query.rate.every_ms,
                windowed=windowed,
                grouped=grouped,
                aggregates=selection.aggregates,
                width=len(selection.attributes),
            )
        return limiter(self._flow, query.rate, grouped=grouped)

    # --- Inputs ---

    def find(self, source: s.Source) -> Readable:
        """Find what a name stands for. Raises DefinitionUnknown."""
        key = source.key
        if source.inner:
            if self._partition is None:
                raise AppInvalid(f"{key} is an inner stream, outside of a partition", source.place)
            found: Readable | None = self._partition.inner.get(key)
        else:
            found = self._rt.readable(key)
        if found is None:
            known = self._rt.names()
            raise DefinitionUnknown(f"{key} is not defined{nearest(key, known)}", source.place)
        return found

    def _subscribe(self, stream: Stream, receiver: Callable[[Chunk], None]) -> None:
        if self._partition is not None:
            self._partition.subscribe(stream, receiver)
        else:
            stream.receivers.append(receiver)

    def _handlers(
        self, single: s.Single, frame: Frame, expired: bool, *, searched: bool
    ) -> tuple[list[Operator], Operator | None]:
        """Build a stream's handlers; give them with the window among them."""
        operators: list[Operator] = []
        window: Operator | None = None
        compiler = self._compiler(Scope([frame]))
        compiler.may_aggregate = compiler.tracks = True
        for handler in single.handlers:
            match handler:
                case s.Filter(condition=condition):
                    operators.append(Filter(compiler.condition(condition)))
                case s.StreamFunction(call=call):
                    operators.append(AddAttributes(self._stream_function(compiler, call, frame)))
                case s.Window(call=call):
                    setting = Setting(self._flow, compiler, expired, searched)
                    window = make_window(setting, call)
                    operators.append(window)
        return operators, window

    def _stream_function(
        self, compiler: Compiler, call: s.Call, frame: Frame
    ) -> Callable[[Any], list[Any]]:
        key = f"{call.namespace}:{call.name}" if call.namespace else call.name
        functions = self._rt.extensions.stream_functions
        maker = functions.get(key)
        if maker is None:
            raise FunctionUnknown(
                f"no stream function is called {key}{nearest(key, functions)}", call.place
            )
        arguments = compiler.arguments(call)
        added, values = maker(compiler, call, arguments)
        for attribute in added:
            if frame.find(attribute.name) is not None:
                raise AppInvalid(
                    f"{frame.name} already has an attribute {attribute.name}", call.place
                )
        frame.attributes.extend(added)
        return values

    def _single(
        self, single: s.Single, expired: bool
    ) -> tuple[Scope, bool, Callable[[Selector, Columnar | None], None]]:
        source = self.find(single.source)
        if not isinstance(source, Stream | NamedWindow):
            raise AppInvalid(f"a query cannot read {single.source.key} alone", single.source.place)
        if isinstance(source, NamedWindow) and single.window is not None:
            raise AppInvalid(f"{source.id} is a window already", single.source.place)
        frame = Frame(single.source.key, list(source.attributes), single.alias)
        operators, window = self._handlers(single, frame, expired, searched=False)
        windowed = window is not None or isinstance(source, NamedWindow)

        def connect(selector: Selector, planned: Columnar | None) -> None:
            first = chain([*operators, selector])
            stream = source.stream if isinstance(source, NamedWindow) else source
            receiver: Receiver = first.process
            if planned is not None:
                least = self._rt.least if planned.stateless else 0
                receiver = ColumnReceiver(first.process, planned.taker(0), least)
                planned.receiver = receiver
                planned.side_timers[0] = getattr(window, "timers", None)
                if self._partition is None:
                    planned.activate()
            self._subscribe(stream, receiver)
            self._start_window(window)

        return Scope([frame]), windowed, connect

    def _start_window(self, window: Operator | None) -> None:
        start = getattr(window, "start", None)
        if start is not None:
            self._rt.starts.append(start)

    def _state(
        self, pattern: s.StateInput, starts: list[Callable[[], None]]
    ) -> tuple[Scope, bool, Callable[[Selector, Columnar | None], None]]:
        frames: list[Frame] = []
        streams: list[Stream] = []
        for single, many in positions(pattern.state):
            source = self.find(single.source)
            if isinstance(source, NamedWindow):
                source = source.stream
            if not isinstance(source, Stream):
                raise AppInvalid(f"a pattern cannot read {single.source.key}", single.source.place)
            frames.append(Frame(single.source.key, list(source.attributes), single.alias, many))
            streams.append(source)
        steps: list[list[Callable[[StateEvent], bool]]] = []
        for at, (single, _) in enumerate(positions(pattern.state)):
            steps.append(self._steps(single, frames, at))

        def connect(selector: Selector, planned: Columnar | None) -> None:
            built, timed = build_states(self._flow, pattern, frames, selector)
            for before in built.states:
                before.steps = steps[before.position]
            running = PatternInput(
                self._flow, built, timed, sequence=pattern.sequence, selector=selector
            )
            running.limiter = selector.limiter
            starts.insert(0, running.start)
            if planned is not None:
                planned.side_timers[0] = next((getattr(b, "timers", None) for b in timed), None)
                if self._partition is None:
                    planned.activate()
            by_name = dict(zip((f.id for f in frames), streams, strict=True))
            for name in running.streams:
                receiver = _receiver(running, name)
                if planned is not None:
                    first = name == frames[0].id
                    receiver = ColumnReceiver(receiver, planned.taker(0 if first else 1))
                self._subscribe(by_name[name], receiver)

        return Scope(frames, state=True), False, connect

    def _steps(
        self, single: s.Single, frames: list[Frame], at: int
    ) -> list[Callable[[StateEvent], bool]]:
        steps: list[Callable[[StateEvent], bool]] = []
        # What comes later is not known yet.
        known = frames[: at + 1]
        compiler = self._compiler(Scope(known, state=True, current=at, default_index=-1))
        for handler in single.handlers:
            match handler:
                case s.Filter(condition=condition):
                    steps.append(_holds(compiler.condition(condition)))
                case s.StreamFunction(call=call):
                    values = self._stream_function(compiler, call, frames[at])
                    steps.append(_adds(values, at))
        return steps

    def _join(
        self, join: s.Join
    ) -> tuple[Scope, bool, Callable[[Selector, Columnar | None], None]]:
        from .aggregation import Aggregation

        sides = [join.left, join.right]
        sources = [self.find(side.source) for side in sides]
        for side, source in zip(sides, sources, strict=True):
            if isinstance(source, NamedWindow) and side.window is not None:
                raise AppInvalid(f"{source.id} is a window already", side.source.place)
        stores = [not isinstance(source, Stream | NamedWindow) for source in sources]
        if join.within is not None and not any(isinstance(x, Aggregation) for x in sources):
            raise AppInvalid("'within' and 'per' need an aggregation", join.left.source.place)
        if all(stores):
            raise AppInvalid("a join needs a stream or window on one side", join.left.source.place)
        frames = [
            Frame(side.source.key, self._attributes(source, join), side.alias)
            for side, source in zip(sides, sources, strict=True)
        ]
        chains = [
            ([], None) if stored else self._handlers(side, frame, True, searched=True)
            for side, frame, stored in zip(sides, frames, stores, strict=True)
        ]
        for at, (operators, window) in enumerate(chains):
            if window is None and isinstance(sources[at], Stream):
                setting = Setting(self._flow, self._compiler(Scope([frames[at]])), True, True)
                chains[at] = ([*operators, NoWindow(setting)], None)
        scope = Scope(frames, state=True)
        itself = isinstance(sources[0], NamedWindow) and sources[0] is sources[1]
        trigger = "left" if itself and join.trigger == "all" else join.trigger

        def connect(selector: Selector, planned: Columnar | None) -> None:
            ends = [
                JoinSide(
                    selector,
                    at,
                    outer=join.kind in {"full", _SIDES[at]},
                    triggers=trigger in {"all", _SIDES[at]} and not stores[at],
                )
                for at in (0, 1)
            ]
            for at in (0, 1):
                other = 1 - at
                if not stores[at]:
                    ends[at].find_other = self._finder(
                        join, scope, other, sources[other], chains[other]
                    )
            for at in (0, 1):
                source, (operators, window) = sources[at], chains[at]
                if isinstance(source, Stream | NamedWindow):
                    first = chain([*operators, ends[at]])
                    stream = source.stream if isinstance(source, NamedWindow) else source
                    receiver: Receiver = first.process
                    if planned is not None:
                        receiver = ColumnReceiver(first.process, planned.taker(at))
                        planned.side_timers[at] = getattr(window, "timers", None)
                    self._subscribe(stream, receiver)
                    self._start_window(window)
            if planned is not None and self._partition is None:
                planned.activate()

        return scope, True, connect

    def _attributes(self, source: Readable, join: s.Join) -> list[s.Attribute]:
        from .aggregation import Aggregation

        if isinstance(source, Aggregation):
            if join.within is None:
                raise AppInvalid(
                    f"a join with {source.id} needs 'within' and 'per'", join.left.source.place
                )
            return source.output_attributes()
        return list(source.attributes)

    def _finder(
        self,
        join: s.Join,
        scope: Scope,
        other: int,
        source: Readable,
        built: tuple[list[Operator], Operator | None],
    ) -> Callable[[StateEvent], list[Event]]:
        from .aggregation import Aggregation

        compiler = self._compiler(scope)
        if isinstance(source, Table):
            match = self._table_match(join, scope, other, source)
            return lambda probe: source.find(match, _alone(probe, 1 - other))
        condition = compiler.condition(join.on) if join.on is not None else None
        if isinstance(source, Aggregation):
            assert join.within is not None
            rows = source.finder(compiler, join.within)
        elif isinstance(source, NamedWindow):

            def rows(_probe: StateEvent) -> list[Event]:
                return source.find()

        else:
            window = built[1]

            def rows(_probe: StateEvent) -> list[Event]:
                return window.find() if window is not None else []

        def find(probe: StateEvent) -> list[Event]:
            found: list[Event] = []
            for event in rows(probe):
                probe.streams[other] = [event]
                if condition is None or condition(probe) is True:
                    found.append(event)
            probe.streams[other] = None
            return found

        return find

    def _table_match(self, join: s.Join, scope: Scope, other: int, table: Table) -> Match:
        """Compile the condition with the table as the last frame."""
        probe = Scope([scope.frames[1 - other]], state=True)
        on = join.on if join.on is not None else s.Constant(True, s.Type.BOOL)
        return compile_match(self._compiler(probe), on, table, alias=scope.frames[other].alias)

    # --- Output ---

    def _sink(self, output: s.Output, given: list[s.Attribute], compiler: Compiler) -> Sink | None:
        if isinstance(output, s.Return):
            return None
        target = output.target
        if not isinstance(output, s.Insert):
            table = self._rt.tables.get(target.key)
            if table is None:
                raise DefinitionUnknown(
                    f"{target.key} is no table{nearest(target.key, self._rt.tables)}", target.place
                )
            return change_table(compiler, output, table, given)
        return self._insert(target, given)

    def _insert(self, target: s.Source, given: list[s.Attribute]) -> Sink:
        key = target.key
        if target.inner:
            if self._partition is None:
                raise AppInvalid(f"{key} is an inner stream, outside of a partition", target.place)
            found: Readable | None = self._partition.inner.get(key)
            if found is None:
                definition = s.StreamDefinition(key, tuple(given))
                found = self._partition.inner[key] = Stream(self._flow, definition, inner=True)
        else:
            found = self._rt.readable(key)
            if found is None:
                if target.fault:
                    raise DefinitionUnknown(f"{key} is not defined", target.place)
                found = self._rt.add_stream(s.StreamDefinition(key, tuple(given)))
        if not isinstance(found, Stream | Table | NamedWindow):
            raise AppInvalid(f"nothing can be inserted into {key}", target.place)
        expect_same(key, found.attributes, given, target.place)
        if isinstance(found, Table):
            return into_table(found)
        return found.publish if isinstance(found, Stream) else found.add


def _receiver(running: PatternInput, name: str) -> Callable[[Chunk], None]:
    return lambda chunk: running.receive(name, chunk)


def _holds(condition: Callable[[Any], Any]) -> Callable[[StateEvent], bool]:
    return lambda match: condition(match) is True


def _adds(values: Callable[[Any], list[Any]], at: int) -> Callable[[StateEvent], bool]:
    def add(match: StateEvent) -> bool:
        chain_ = match.streams[at]
        assert chain_ is not None
        chain_[-1].data = [*chain_[-1].data, *values(match)]
        return True

    return add


def _alone(probe: StateEvent, at: int) -> Event:
    chain_ = probe.streams[at]
    assert chain_ is not None
    return chain_[0]
