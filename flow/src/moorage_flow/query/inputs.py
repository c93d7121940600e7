"""What a query reads: one stream or window, or the streams of a pattern, with their handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import AppInvalid, DefinitionUnknown, FunctionUnknown, nearest
from ..events import Chunk, StateEvent
from ..expressions import Compiler
from ..language import syntax as s
from ..named_window import NamedWindow, make_window
from ..operators import AddAttributes, Filter, Operator, chain
from ..patterns import PatternInput, build_states
from ..patterns.build import positions
from ..scope import Frame, Scope
from ..selector import Selector
from ..streams import ColumnReceiver, Receiver, Stream
from ..table import Table
from ..windows import Setting

if TYPE_CHECKING:
    from ..aggregation import Aggregation
    from ..columnar.planned import Planned as Columnar
    from ..partition import PartitionRuntime
    from ..runtime import Runtime


Readable: TypeAlias = "Stream | Table | NamedWindow | Aggregation"
Connect: TypeAlias = "Callable[[Selector, Columnar | None], None]"
"""Lets a built query listen."""


class Inputs:
    """Builds the inputs of the queries of an application, or of one partition of it."""

    def __init__(self, runtime: Runtime, partition: PartitionRuntime | None = None) -> None:
        self._rt = runtime
        self._partition = partition
        self._flow = runtime.flow

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

    def _compiler(self, scope: Scope) -> Compiler:
        return Compiler(scope, self._flow, self._rt.extensions, self._rt.tables)

    def _subscribe(self, stream: Stream, receiver: Callable[[Chunk], None]) -> None:
        if self._partition is not None:
            self._partition.subscribe(stream, receiver)
        else:
            stream.listen(receiver)

    def _handlers(
        self,
        single: s.Single,
        frame: Frame,
        expired: bool,
        *,
        searched: bool,
        chosen: s.Select | None = None,
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
                    told = _told(frame, chosen)
                    setting = Setting(self._flow, compiler, expired, searched, told)
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
        self, single: s.Single, expired: bool, chosen: s.Select
    ) -> tuple[Scope, bool, Connect]:
        source = self.find(single.source)
        if not isinstance(source, Stream | NamedWindow):
            raise AppInvalid(f"a query cannot read {single.source.key} alone", single.source.place)
        if isinstance(source, NamedWindow) and single.window is not None:
            raise AppInvalid(f"{source.id} is a window already", single.source.place)
        frame = Frame(single.source.key, list(source.attributes), single.alias)
        operators, window = self._handlers(single, frame, expired, searched=False, chosen=chosen)

        def connect(selector: Selector, planned: Columnar | None) -> None:
            first = chain([*operators, selector])
            stream = source.stream if isinstance(source, NamedWindow) else source
            receiver: Receiver = first.process
            if planned is not None:
                least = self._rt.least if planned.stateless else 0
                receiver = ColumnReceiver(first.process, planned.taker(0), least)
                receiver.direct = planned.direct()
                planned.receiver = receiver
                planned.side_timers[0] = getattr(window, "timers", None)
                if self._partition is None:
                    planned.activate()
            self._subscribe(stream, receiver)
            self._start_window(window)

        return Scope([frame]), window is not None, connect

    def _start_window(self, window: Operator | None) -> None:
        start = getattr(window, "start", None)
        if start is not None:
            self._rt.starts.append(start)

    def _state(
        self, pattern: s.StateInput, starts: list[Callable[[], None]]
    ) -> tuple[Scope, bool, Connect]:
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

            def begin() -> None:
                # On columns no first event is waited for, and a key has no state of its own here.
                if planned is None or not planned.active:
                    running.start()

            starts.insert(0, begin)
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
                    planned.receiver = receiver
                    if self._partition is None:
                        receiver.direct = planned.direct()
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


def _told(frame: Frame, chosen: s.Select | None) -> tuple[int, ...] | None:
    """Give the positions of what a selection takes as it is; None for all of them."""
    if chosen is None or not chosen.attributes:
        return None
    given = [a.expression for a in chosen.attributes]
    found = [frame.find(one.attribute) for one in given if isinstance(one, s.Variable)]
    return tuple(at for at in found if at is not None)


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
