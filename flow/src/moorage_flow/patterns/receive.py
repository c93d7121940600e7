"""How the events of a stream reach the states of a pattern."""

from __future__ import annotations

from ..events import Chunk, StateEvent
from ..flow import Flow
from ..operators import Operator
from ..output import Limiter
from .build import Built
from .states import Before


class PatternInput:
    """The running states of one pattern or sequence."""

    def __init__(
        self, flow: Flow, built: Built, timed: list[Before], *, sequence: bool, selector: Operator
    ) -> None:
        self._flow = flow
        self._built = built
        self._timed = timed
        self._sequence = sequence
        self._selector = selector
        self.limiter: Limiter | None = None
        self._by_stream: dict[str, list[Before]] = {}
        for stream, before in built.streams:
            self._by_stream.setdefault(stream, []).append(before)

    @property
    def streams(self) -> list[str]:
        """The streams the pattern reads."""
        return list(self._by_stream)

    def start(self) -> None:
        """Begin, for the partition being worked on."""
        self._built.whole.begin()
        for before in self._timed:
            before.start()

    def receive(self, stream: str, chunk: Chunk) -> None:
        """Take a chunk of one of the streams."""
        befores = self._by_stream[stream]
        if len(befores) == 1:
            done: list[StateEvent] = []
            for event in chunk:
                self._settle(befores, event.ts)
                done += befores[0].process(event)
            for match in done:
                self._selector.process([match])
            return
        # One event may serve several positions: the later ones first, and nothing leaves in
        # between.
        held: list[Chunk] = []
        limiter = self.limiter
        assert limiter is not None
        for event in chunk:
            self._settle(befores, event.ts)
            for before in reversed(befores):
                outer, limiter.held = limiter.held, []
                try:
                    for match in before.process(event):
                        self._selector.process([match])
                finally:
                    gathered, limiter.held = limiter.held, outer
                if gathered:
                    held.append(gathered)
        for out in held:
            limiter.send(out)

    def _settle(self, befores: list[Before], now: int) -> None:
        for before in self._built.states:
            before.expire(now)
        if self._sequence:
            self._built.whole.reset()
            self._built.whole.update()
        else:
            for before in befores:
                before.update()
