"""The selection of a query: its attributes, groups, `having`, order, limit and offset."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from .errors import AppInvalid, AttributeRepeated
from .events import CURRENT, EXPIRED, RESET, Chunk
from .expressions import Compiled, Compiler, key_of
from .flow import Flow
from .language import syntax as s
from .operators import Operator
from .output import Limiter
from .scope import Getter, Scope


@dataclass(slots=True)
class Selection:
    """A compiled selection."""

    attributes: list[s.Attribute]
    getters: list[Getter]
    aggregates: list[int]
    group: Getter | None = None
    having: Getter | None = None
    order: list[tuple[Getter, bool]] = field(default_factory=list)
    limit: int | None = None
    offset: int | None = None
    has_aggregates: bool = False
    whole: bool = False


def expand(select: s.Select, scope: Scope) -> tuple[s.OutputAttribute, ...]:
    """Give the attributes of a selection, those of every input for `select *`. Raises
    AttributeRepeated.
    """
    if select.attributes:
        return select.attributes
    attributes: list[s.OutputAttribute] = []
    seen: set[str] = set()
    for frame in scope.frames:
        for attribute in frame.attributes:
            if attribute.name in seen:
                raise AttributeRepeated(
                    f"select * gives {attribute.name} twice: name the attributes", select.place
                )
            seen.add(attribute.name)
            stream = frame.name if scope.state else None
            index = 0 if frame.many else None
            variable = s.Variable(attribute.name, stream, index, place=select.place)
            attributes.append(s.OutputAttribute(variable, attribute.name, select.place))
    return tuple(attributes)


def compile_select(compiler: Compiler, select: s.Select, *, asked: bool = False) -> Selection:
    """Compile a selection; that of a question that is `asked` of a store sees the store's
    attributes in `having` and `order by`, too. Raises AppInvalid and its subclasses.
    """
    scope = compiler.scope
    compiler.may_aggregate = True
    compiler.grouped = bool(select.group_by)
    compiled: list[tuple[str, Compiled]] = []
    aggregates: list[int] = []
    for at, attribute in enumerate(expand(select, scope)):
        made = compiler.compile(attribute.expression)
        compiled.append((attribute.name, made))
        if made.aggregate:
            aggregates.append(at)
    attributes = [s.Attribute(name, made.type) for name, made in compiled]
    whole = not select.attributes and not scope.state
    selection = Selection(attributes, [made.get for _, made in compiled], aggregates, whole=whole)
    if select.group_by:
        keys = [scope.resolve(variable) for variable in select.group_by]
        selection.group = key_of(keys)
    after = Scope(scope.frames, scope.state, None, scope.default_index, attributes)
    if not scope.state and not asked:
        # Over one stream, `having` and `order by` see what is selected and nothing else.
        names = tuple(name for f in scope.frames for name in (f.id, f.alias) if name)
        after = Scope([], output=attributes, names=names)
    if select.having is not None:
        inner = Compiler(
            after,
            compiler.flow,
            compiler.extensions,
            compiler.tables,
            compiler.grouped,
            compiler.tracks,
            may_aggregate=True,
        )
        selection.having = inner.condition(select.having)
        compiler.aggregates = compiler.aggregates or inner.aggregates
    selection.has_aggregates = compiler.aggregates
    selection.order = [
        (after.resolve(variable)[0], descending) for variable, descending in select.order_by
    ]
    selection.limit = _count(compiler, select.limit, "limit")
    selection.offset = _count(compiler, select.offset, "offset")
    return selection


def _count(compiler: Compiler, expression: s.Expression | None, word: str) -> int | None:
    if expression is None:
        return None
    compiled = compiler.within(Scope([])).compile(expression)
    value = compiled.value if compiled.constant else None
    if compiled.type not in {s.Type.INT, s.Type.LONG} or value is None or value < 0:
        raise AppInvalid(f"{word} is a whole number, not negative", expression.place)
    return int(value)


class Selector(Operator):
    """Turns events into rows; of a batch with aggregators only the last of each group is told."""

    def __init__(
        self, flow: Flow, selection: Selection, events: s.Events, *, batches: bool = True
    ) -> None:
        self._flow = flow
        self.selection = selection
        self.wanted = {
            kind
            for kind, wanted in (
                (CURRENT, events in {s.Events.CURRENT, s.Events.ALL}),
                (EXPIRED, events in {s.Events.EXPIRED, s.Events.ALL}),
            )
            if wanted
        }
        self.batches = batches
        self.limiter: Limiter = Limiter(flow)

    def process(self, chunk: Chunk) -> None:
        out = self.execute(chunk)
        if out is not None:
            self.limiter.process(out)

    def process_chunks(self, chunks: list[Chunk]) -> None:
        """Take several chunks, and tell their rows together."""
        results = [out for chunk in chunks if chunk and (out := self.execute(chunk)) is not None]
        if results:
            self.limiter.process_chunks(results)

    def execute(self, chunk: Chunk) -> Chunk | None:
        """Give the rows of a chunk; None when there are none."""
        selection = self.selection
        if selection.group is not None:
            return self._grouped(chunk)
        if self.batches and selection.has_aggregates:
            return self._last(chunk)
        return self._each(chunk)

    def _fill(self, event: Any) -> None:
        if self.selection.whole:
            event.out = event.data
        else:
            event.out = [get(event) for get in self.selection.getters]

    def _passes(self, event: Any) -> bool:
        having = self.selection.having
        return having is None or having(event) is True

    def _each(self, chunk: Chunk) -> Chunk | None:
        out: Chunk = []
        for event in chunk:
            if event.kind in {CURRENT, EXPIRED}:
                self._fill(event)
                if event.kind in self.wanted and self._passes(event):
                    out.append(event)
            elif event.kind == RESET:
                self._reset(event)
                out.append(event)
        return self.arranged(out) or None

    def _reset(self, event: Any) -> None:
        if self.selection.has_aggregates:
            for get in self.selection.getters:
                get(event)

    def _last(self, chunk: Chunk) -> Chunk | None:
        last: Any = None
        for event in chunk:
            if event.kind in {CURRENT, EXPIRED}:
                self._fill(event)
                if self._passes(event) and event.kind in self.wanted:
                    last = event
            elif event.kind == RESET:
                self._reset(event)
        if last is None:
            return None
        shown = not self.selection.offset and (
            self.selection.limit is None or self.selection.limit > 0
        )
        return [last] if shown else []

    def _grouped(self, chunk: Chunk) -> Chunk | None:
        flow, key = self._flow, self.selection.group
        assert key is not None
        rows: Chunk = []
        last: dict[str, Any] = {}
        outer = flow.group
        for event in chunk:
            if event.kind in {CURRENT, EXPIRED}:
                flow.group = key(event)
                self._fill(event)
                event.group = flow.group
                if self._passes(event) and event.kind in self.wanted:
                    if self.batches:
                        last[flow.group] = event
                    else:
                        rows.append(event)
                flow.group = outer
            elif event.kind == RESET:
                self._reset(event)
        out = list(last.values()) if self.batches else rows
        return self.arranged(out) if out else None

    def arranged(self, chunk: Chunk) -> Chunk:
        """Put a chunk's rows in order, and leave out what is over the limit."""
        selection = self.selection
        if selection.order:
            chunk = self._ordered(chunk)
        if selection.offset:
            chunk = self._skip(chunk, selection.offset)
        if selection.limit is not None:
            taken = 0
            kept: Chunk = []
            for event in chunk:
                if event.kind in {CURRENT, EXPIRED}:
                    # Siddhi limits what comes, not what leaves; both count.
                    if event.kind == CURRENT and taken >= selection.limit:
                        continue
                    taken += 1
                kept.append(event)
            chunk = kept
        return chunk

    def _skip(self, chunk: Chunk, offset: int) -> Chunk:
        kept: Chunk = []
        for event in chunk:
            if offset and event.kind in {CURRENT, EXPIRED}:
                offset -= 1
                continue
            kept.append(event)
        return kept

    def _ordered(self, chunk: Chunk) -> Chunk:
        """Sort each run of events of one kind."""
        ordered: Chunk = []
        run: Chunk = []
        for event in chunk:
            if run and run[0].kind != event.kind:
                ordered += sorted(run, key=functools.cmp_to_key(self._compare))
                run = []
            run.append(event)
        return ordered + sorted(run, key=functools.cmp_to_key(self._compare))

    def _compare(self, left: Any, right: Any) -> int:
        for get, descending in self.selection.order:
            a, b = get(left), get(right)
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1  # Nulls come last, whichever the direction.
            return 1 if (a < b) == descending else -1
        return 0
