"""Partitions in columns: the key of each row becomes a code, and queries keep every key's state
themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..expressions import Compiler
from ..flow import Flow, Holder
from ..language import syntax as s
from ..scope import Frame, Scope
from ..streams import ColumnReceiver, Receiver, Stream
from .batch import Batch, Column, Index, Values
from .expressions import Vectoriser
from .kernels import packed
from .plan import own
from .store import Codes, Kept, grown
from .vector import Refused, Vector, View

if TYPE_CHECKING:
    from ..partition import PartitionRuntime
    from ..runtime import Runtime


class StreamKeys(Kept):
    """The keys of one stream, numbered by the partition's own numbering."""

    def __init__(self, codes: Codes) -> None:
        self.partition = codes
        self.codes = Codes()
        self.table = np.empty(0, np.int64)
        self.known = 0
        self._words: Values | None = None
        self._parts = np.empty(0, np.int64)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._words, self._parts = None, np.empty(0, np.int64)

    def runs(self, column: Column, before: Index | None) -> tuple[Index, Index, int] | None:
        """Give each row's code in the partition, the number of its run of rows of one and the last
        number, where all are of words known already; else None.

        Args:
            column: the keys.
            before: the rows' chunks, None where they are one.
        """
        codes, words = column.codes, column.words
        if codes is None or words is None or not packed.here():
            return None
        if self._words is words:
            parts, runs, last = packed.runs(codes, self._parts, before)
            if last >= 0:
                return parts, runs, last
        else:
            self._words, self._parts = words, np.full(len(words), -1)
        if len(codes) and codes.min() >= 0:
            self._parts[codes] = self.of(column)
            return packed.runs(codes, self._parts, before)
        return None

    def parts_of(self, column: Column) -> Index | None:
        """Give the codes in the partition of a dictionary's words, -1 where one is new; None where
        another dictionary came last.
        """
        return self._parts if column.words is not None and self._words is column.words else None

    @property
    def numbering(self) -> tuple[Index, Values | None]:
        """The codes in the partition of the words met last, -1 for those that are new, and these
        words.
        """
        return self._parts, self._words

    def of(self, column: Column) -> Index:
        """Give each row's code in the partition."""
        codes = self.codes.of(column)
        texts = self.codes.texts()
        self.table = grown(self.table, len(texts))
        for at in range(self.known, len(texts)):
            self.table[at] = self.partition.of_text(texts[at])
        self.known = len(texts)
        return np.asarray(self.table[codes], np.int64)


class Keys(Kept):
    """The keys of a partition: one numbering by text, and what each stream's values were found to
    be.
    """

    def __init__(self, streams: int) -> None:
        self.codes = Codes()
        self.streams = [StreamKeys(self.codes) for _ in range(streams)]
        self.begun = 0


class KeyOf:
    """Gives the rows of one stream with their partitions, a row once for each one it is in."""

    def __init__(self, at: int, value: Vector | None, ranges: list[tuple[Any, str]]) -> None:
        self._at = at
        self._value = value
        self._ranges = ranges

    def stream(self, keys: Keys) -> StreamKeys:
        """Give the keys of its stream."""
        return keys.streams[self._at]

    @property
    def place(self) -> int | None:
        """The attribute that is the key; None where it is worked out or a range."""
        of = None if self._value is None else self._value.place
        return None if of is None else of[1]

    def of(self, keys: Keys, view: View) -> tuple[Index | None, Index]:
        """Give rows (None: each once) and the code of each one's partition."""
        if self._value is None:
            return self._in_ranges(keys, view)
        column = self._value.run(view)
        nulls = column.missing()
        rows = None if nulls is None else np.flatnonzero(~nulls)
        if rows is not None:
            column = column.take(rows)
        return rows, keys.streams[self._at].of(column)

    def coded(self, keys: Keys, batch: Batch) -> tuple[Index, Index] | None:
        """Give the keys as codes of words, and the partitions of these, where it has them."""
        if self._value is None or self._value.place is None:
            return None
        column = batch.columns[self._value.place[1]]
        table = keys.streams[self._at].parts_of(column)
        return None if table is None or column.codes is None else (column.codes, table)

    def runs(self, keys: Keys, view: View, before: Index | None) -> tuple[Index, Index, int] | None:
        """Give what `StreamKeys.runs` does, where the key is an attribute."""
        if self._value is None or self._value.place is None:
            return None
        return keys.streams[self._at].runs(self._value.run(view), before)

    def _in_ranges(self, keys: Keys, view: View) -> tuple[Index, Index]:
        held = np.stack([mask(view) for mask, _ in self._ranges], axis=1)
        rows, which = np.nonzero(held)
        table = np.full(len(self._ranges), -1, np.int64)
        for at in dict.fromkeys(which.tolist()):
            table[at] = keys.codes.of_text(self._ranges[at][1])
        return rows, table[which]


class Entry:
    """Where one stream's rows enter a partition."""

    def __init__(
        self,
        flow: Flow,
        partition: PartitionRuntime,
        holder: Holder[Keys],
        key: KeyOf,
        takers: list[Callable[[Batch], None]],
    ) -> None:
        self._flow = flow
        self._partition = partition
        self._holder = holder
        self._key = key
        self._takers = takers
        # Where only one query reads the rows, it may find their partitions itself.
        self._coded = getattr(takers[0], "coded", None) if len(takers) == 1 else None
        for taker in takers:
            if (keyed := getattr(taker, "keyed", None)) is not None and key.place is not None:
                keyed(key.place)

    def learn(self, column: Column) -> None:
        """Number the keys of words, none of which is missing."""
        keys = self._holder.of_all()
        self._key.stream(keys).runs(column, None)
        self._begin(keys)

    def numbering(self) -> tuple[Index, Values | None]:
        """Give the partitions of the words met last, -1 where one is new, and these words."""
        return self._key.stream(self._holder.of_all()).numbering

    def take(self, batch: Batch) -> None:
        """Split rows by key and give them to the partition's queries."""
        keys = self._holder.of_all()
        if self._coded is not None and packed.here():
            known = self._key.coded(keys, batch)
            if known is not None and self._coded(batch, *known):
                return
        view = View([batch.columns], batch.ts, self._flow.clock.now, batch.events)
        found = self._key.runs(keys, view, batch.chunks)
        if found is not None:
            self._begin(keys)
            self._hand_on(batch, *found)
            return
        rows, codes = self._key.of(keys, view)
        if not len(codes):
            return
        self._begin(keys)
        held = batch if rows is None else batch.take(rows)
        borders = np.empty(len(codes), np.bool_)
        borders[0] = False
        np.not_equal(codes[1:], codes[:-1], out=borders[1:])
        if held.chunks is not None:
            borders[1:] |= held.chunks[1:] != held.chunks[:-1]
        chunks = np.add.accumulate(borders, dtype=np.int64)
        self._hand_on(held, codes, chunks, int(chunks[-1]))

    def _begin(self, keys: Keys) -> None:
        """Begin the partitions that are new."""
        texts = keys.codes.texts()
        for code in range(keys.begun, len(texts)):
            self._partition.begin(texts[code])
        keys.begun = len(texts)

    def _hand_on(self, held: Batch, codes: Index, chunks: Index, last: int) -> None:
        """Give rows to the queries, in chunks of one partition each, numbered to `last`."""
        parted = Batch(
            held.columns,
            held.ts,
            chunks=chunks if last else None,
            parts=codes,
            kinds=held.kinds,
        )
        parts = [parted] if len(self._takers) == 1 else parted.split()
        for part in parts:
            for taker in self._takers:
                taker(part)


def partition(
    runtime: Runtime,
    running: PartitionRuntime,
    receivers: dict[str, ColumnReceiver],
    listeners: dict[str, list[Receiver]],
) -> None:
    """Let a partition run on columns.

    Args:
        runtime: the application.
        running: the partition, its queries built.
        receivers: by stream, what listens to it for the partition.
        listeners: by stream, the partition's queries that read it.

    Raises:
        Refused: one of its queries does not run on columns, or the partition itself cannot.
    """
    if s.annotation(running.syntax.annotations, "purge") is not None:
        raise Refused("its partition forgets keys")
    for query in running.queries:
        if query.columnar is None:
            raise Refused(f"{query.name} of its partition has no columnar form")
    if receivers.keys() != listeners.keys():
        raise Refused("its partition reads a stream without a key")
    if feeds(runtime.app.syntax, [query.syntax for query in running.queries], set(listeners)):
        raise Refused("its partition reads what it fills")
    flow = runtime.flow
    holder: Holder[Keys] = flow.holder(lambda: Keys(len(running.syntax.keys)))
    keys: dict[str, KeyOf] = {}
    for at, key in enumerate(running.syntax.keys):
        keys[key.stream] = _key_of(runtime, at, key)

    def codes() -> Codes:
        return holder.of_all().codes

    for query in running.queries:
        assert query.columnar is not None
        query.columnar.parts = codes
        query.columnar.output.parts = codes
        query.columnar.activate()
    for name, receiver in receivers.items():
        takers = [_taker(listener) for listener in listeners[name]]
        entry = Entry(flow, running, holder, keys[name], takers)
        receiver.take = entry.take
        for query in running.queries:
            planned, place = query.columnar, keys[name].place
            if planned is not None and place is not None and [planned.receiver] == listeners[name]:
                receiver.direct = planned.direct_by_key(place, entry)


def _taker(listener: Receiver) -> Callable[[Batch], None]:
    assert isinstance(listener, ColumnReceiver) and listener.take is not None
    return listener.take


def feeds(app: s.AppSyntax, giving: list[s.Query], read: set[str]) -> bool:
    """Tell whether what queries give comes to streams before its chunk is done."""
    given = {q.output.target.key for q in giving if not isinstance(q.output, s.Return)}
    seen: set[str] = set()
    edges: dict[str, set[str]] = {}
    for execution in app.executions:
        queries = [execution] if isinstance(execution, s.Query) else execution.queries
        for query in queries:
            if isinstance(query.output, s.Return):
                continue
            for source in _sources(query.input):
                edges.setdefault(source, set()).add(query.output.target.key)
    while given:
        name = given.pop()
        if name in read:
            return True
        if name not in seen:
            seen.add(name)
            given |= edges.get(name, set())
    return False


def _sources(source: s.Input) -> list[str]:
    match source:
        case s.Single(source=named):
            return [named.key]
        case s.Join(left=left, right=right):
            return [left.source.key, right.source.key]
        case s.Anonymous(query=query):
            return _sources(query.input)
        case s.StateInput(state=state):
            return _state_sources(state)


def _state_sources(state: s.State) -> list[str]:
    match state:
        case s.NextState(first=first, second=second):
            return _state_sources(first) + _state_sources(second)
        case s.EveryState(state=inner):
            return _state_sources(inner)
        case s.LogicalState(left=left, right=right):
            return [left.stream.source.key, right.stream.source.key]
        case (
            s.StreamState(stream=stream)
            | s.CountState(stream=stream)
            | s.AbsentState(stream=stream)
        ):
            return [stream.source.key]


def _key_of(runtime: Runtime, at: int, key: s.ValueKey | s.RangeKey) -> KeyOf:
    source = runtime.readable(key.stream)
    if not isinstance(source, Stream):
        raise Refused(f"its partition is over {key.stream}, which is no stream")
    scope = Scope([Frame(key.stream, list(source.attributes))])
    compiler = Compiler(scope, runtime.flow, runtime.extensions, runtime.tables)
    vectoriser = Vectoriser(compiler, builtin=own(compiler))
    if isinstance(key, s.ValueKey):
        return KeyOf(at, vectoriser.compile(key.expression), [])
    return KeyOf(
        at, None, [(vectoriser.condition(condition), label) for condition, label in key.ranges]
    )
