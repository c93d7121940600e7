"""Queries built from their syntax: input, selection, rate and output, linked to the rest of the
application.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import AppInvalid, DefinitionUnknown, nearest
from ..expressions import Compiler
from ..language import syntax as s
from ..named_window import NamedWindow
from ..output import Limiter, Sink, limiter
from ..patterns.build import positions
from ..selector import Selection, Selector, compile_select
from ..sinks import change_table, expect_same, into_table
from ..snapshots import snapshot
from ..streams import Stream
from ..table import Table
from .inputs import Connect, Readable
from .joins import Joins

if TYPE_CHECKING:
    from ..columnar.planned import Planned as Columnar


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


class QueryBuilder(Joins):
    """Builds the queries of an application, or of one partition of it."""

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
        connect: Connect
        match source:
            case s.Single():
                scope, windowed, connect = self._single(source, expired, query.select)
            case s.Join():
                scope, windowed, connect = self._join(source)
            case s.StateInput():
                scope, windowed, connect = self._state(source, starts)
        compiler = self._compiler(scope)
        # What leaves a named window is told here, too; to Siddhi's snapshots it is no window.
        compiler.tracks = windowed or scope.state or self._reads_window(source)
        selection = compile_select(compiler, query.select)
        selector = Selector(self._flow, selection, query.output.events, batches=not snapshots)
        selector.limiter = self._limiter(query, selection, windowed)
        starts.append(selector.limiter.start)
        selector.limiter.sink = self._sink(query.output, selection.attributes, compiler)
        planned = self._plan(query, name, source, compiler, selector, expired)
        connect(selector, planned)
        return QueryRuntime(name, query, selector, selection.attributes, starts, columnar=planned)

    def _reads_window(self, source: s.Single | s.Join | s.StateInput) -> bool:
        return isinstance(source, s.Single) and isinstance(self.find(source.source), NamedWindow)

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
        from .. import columnar

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
