"""Windows over what comes often.

Source: Misra and Gries, Finding Repeated Elements (1982); Manku and Motwani, Approximate Frequency
Counts over
Data Streams (VLDB 2002).
"""

from __future__ import annotations

import math

from ..errors import AppInvalid
from ..events import EXPIRED, Chunk, Event
from ..expressions import Compiled
from ..javahash import hash_order
from ..language.syntax import Call, Type
from ..scope import Getter
from ..values import text
from .setting import Setting, WindowOperator, attribute, constant


def _key(setting: Setting, call: Call, arguments: list[Compiled], start: int) -> Getter:
    """Give what tells events apart: the attributes given or, as in Siddhi, those that the query
    selects as they are.
    """
    chosen = [attribute(call, arguments, at, Type.STRING) for at in range(start, len(arguments))]
    if chosen:
        return lambda e: "".join(text(c.get(e), c.type) for c in chosen)
    attributes = setting.compiler.scope.frames[0].attributes
    told = range(len(attributes)) if setting.told is None else setting.told
    kinds = [(at, attributes[at].type) for at in told]
    return lambda e: "".join(text(e.data[at], kind) for at, kind in kinds)


class Counted:
    """The latest event of each key, and how often the key came (with its bucket, where lossy)."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.counts: dict[str, int] = {}
        self.buckets: dict[str, int] = {}
        self.total = 0
        self.bucket = 1


class Frequent(WindowOperator):
    """The latest event of each of the `count` most frequent keys."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        if not arguments:
            raise AppInvalid("window frequent takes the number of events", call.place)
        self._most: int = constant(call, arguments, 0, Type.INT)
        self._key = _key(setting, call, arguments, 1)
        super().__init__(setting, Counted)

    def process(self, chunk: Chunk) -> None:
        state: Counted = self.states.get()
        out: Chunk = []
        for event in chunk:
            key = self._key(event)
            known = key in state.events
            state.events[key] = event.copy(EXPIRED)
            if known:
                state.counts[key] += 1
            elif len(state.events) > self._most:
                self._decrement(state, out)
                if len(state.events) > self._most:
                    del state.events[key]
                    continue
                state.counts[key] = 1
            else:
                state.counts[key] = 1
            out.append(event)
        self.next.process(out)

    def _decrement(self, state: Counted, out: Chunk) -> None:
        for key in hash_order(state.counts)[: self._most]:
            state.counts[key] -= 1
            if state.counts[key] == 0:
                del state.counts[key]
                gone = state.events.pop(key)
                gone.ts = self.clock.now
                out.append(gone)

    def find(self) -> list[Event]:
        events = self.states.get().events
        return [events[key] for key in hash_order(events)]


class LossyFrequent(WindowOperator):
    """The events whose key comes more often than `support`, within `error`."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        if len(arguments) < 2:
            raise AppInvalid("window lossyFrequent takes a support and an error bound", call.place)
        self._support = float(constant(call, arguments, 0, Type.DOUBLE))
        self._error = float(constant(call, arguments, 1, Type.DOUBLE))
        self._width = math.ceil(1 / self._error)
        self._key = _key(setting, call, arguments, 2)
        super().__init__(setting, Counted)

    def process(self, chunk: Chunk) -> None:
        state: Counted = self.states.get()
        out: Chunk = []
        for event in chunk:
            state.total += 1
            if state.total != 1:
                state.bucket = math.ceil(state.total / self._width)
            key = self._key(event)
            if key in state.events:
                state.counts[key] += 1
            else:
                state.counts[key] = 1
                state.buckets[key] = state.bucket - 1
            state.events[key] = event.copy(EXPIRED)
            if state.counts[key] >= (self._support - self._error) * state.total:
                out.append(event)
            if state.total % self._width == 0:
                self._prune(state, out)
        self.next.process(out)

    def _prune(self, state: Counted, out: Chunk) -> None:
        for key in hash_order(state.counts):
            if state.counts[key] + state.buckets[key] <= state.bucket:
                del state.counts[key], state.buckets[key]
                gone = state.events.pop(key)
                gone.ts = self.clock.now
                out.append(gone)

    def find(self) -> list[Event]:
        events = self.states.get().events
        return [events[key] for key in hash_order(events)]
