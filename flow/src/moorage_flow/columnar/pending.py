"""What waits of a pattern on columns: in a kernel, or as rows in queues."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..language.syntax import Type
from .kernels.plain_patterns import Waiting
from .matching import Held
from .selection import Groups
from .store import Codes, Kept, Pairs, grown, kept
from .windows import LEAST, Rows

AT_ONCE = 1 << 62
"""More events than ever come."""


class State(Kept):
    """The A that wait: their rows, their queues, and what the keys are. Where a kernel holds them
    (`held`) there are no rows; `spared` are the events that came since it gave them up.
    """

    held: Held | None = None
    spared = AT_ONCE

    def __init__(self, groups: Groups, kinds: list[Type], tests: list[Any]) -> None:
        self.groups = groups
        self.full = LEAST
        self._clear(kinds, tests)
        self.codes = Codes()
        self.pairs = Pairs()
        self.texts = Codes()

    def _clear(self, kinds: list[Type], tests: list[Any]) -> None:
        self.rows = Rows(kinds)
        self.able = np.empty(0, np.bool_)
        self.keys = np.empty(0, np.int64)
        self.tests = [np.empty(0, dtype) for dtype in tests]
        self.links = [np.empty(0, np.int64) for _ in range(10)]
        self.waiting = np.empty(0, np.uint8)

    def reset(self) -> None:
        """Forget the rows."""
        self._clear([b.kind for b in self.rows.columns], [values.dtype for values in self.tests])

    def release(self, spared: int) -> None:
        """Take the rows from a kernel that holds them."""
        if self.held is not None:
            self.held.matcher.give_up(self)
            self.spared = spared

    def __getstate__(self) -> dict[str, Any]:
        self.release(AT_ONCE)
        plain = super().__getstate__()
        for name in ("held", "spared"):
            plain.pop(name, None)
        for name in ("tests", "links"):
            plain[name] = [(a.dtype.str, a.tobytes()) for a in plain[name]]
        return plain

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name in ("tests", "links"):
            arrays = [np.frombuffer(content, dtype).copy() for dtype, content in state[name]]
            setattr(self, name, arrays)

    def room(self, parts: int, keys: int, rows: int | None = None) -> Waiting:
        """Make room for partitions, keys and rows (None: those there are); give the queues."""
        rows = self.rows.size if rows is None else rows
        sizes = (parts, keys, rows)
        if any(len(self.links[at]) < size for at, size in zip((0, 4, 6), sizes, strict=True)):
            each = [parts] * 4 + [keys] * 2 + [rows] * 4
            self.links = [grown(a, size, -1) for a, size in zip(self.links, each, strict=True)]
            self.waiting = grown(self.waiting, rows)
        return Waiting._make([*self.links, self.waiting])

    def settle(self) -> None:
        """Drop rows that no longer wait once they are most of all."""
        size = self.rows.size
        if size < self.full:
            return
        live = np.flatnonzero(self.waiting[:size])
        self.full = max(LEAST, len(live) * 2)
        if len(live) * 2 > size:
            return
        where = np.full(size + 1, -1, np.int64)  # The last stands for no row.
        where[live] = np.arange(len(live))
        self.rows.keep(live)
        self.able, self.keys = kept(self.able, live), kept(self.keys, live)
        self.tests = [kept(values, live) for values in self.tests]
        self.waiting = kept(self.waiting, live)
        for at, link in enumerate(self.links):
            if at < 6:
                self.links[at] = where[link]
                continue
            moved = where[link[live]]
            self.links[at] = kept(link, live)
            self.links[at][: len(live)] = moved
            self.links[at][len(live) :] = -1  # What enters begins without neighbours.
