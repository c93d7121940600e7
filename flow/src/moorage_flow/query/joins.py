"""Joins: both sides with their handlers, and how each finds what the other holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import AppInvalid
from ..events import Event, StateEvent
from ..join import JoinSide, NoWindow, by_event
from ..language import syntax as s
from ..matching import Match, compile_match
from ..named_window import NamedWindow
from ..operators import Operator, chain
from ..scope import Frame, Scope
from ..selector import Selector
from ..streams import ColumnReceiver, Receiver, Stream
from ..table import Table
from ..windows import Setting
from .inputs import Connect, Inputs, Readable

if TYPE_CHECKING:
    from ..columnar.planned import Planned as Columnar


_SIDES = ("left", "right")


class Joins(Inputs):
    """Builds joins too."""

    def _join(self, join: s.Join) -> tuple[Scope, bool, Connect]:
        from ..aggregation import Aggregation

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
            if sources[0] is sources[1] and isinstance(sources[0], Stream):
                self._subscribe(
                    sources[0],
                    by_event([chain([*c[0], ends[at]]).process for at, c in enumerate(chains)]),
                )
                for _operators, window in chains:
                    self._start_window(window)
                return
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
        from ..aggregation import Aggregation

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
        from ..aggregation import Aggregation

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


def _alone(probe: StateEvent, at: int) -> Event:
    chain_ = probe.streams[at]
    assert chain_ is not None
    return chain_[0]
