"""`every A -> B within` in one call of a kernel for a batch, where its columns are plain: which
events become an A, what is kept of them, and the columns of the pairs that are complete.

What waits is kept by the kernel. It moves to the arrays of the way in steps (`pending`) for a
snapshot and where a batch cannot go this way, and back, so that each batch may go either way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..language.syntax import Type
from .batch import Batch, Index, Values
from .conditions import plain
from .kernels import matching
from .kernels.library import address as at
from .kernels.matching import ABLE, ASKS, ENTERS, UNORDERED, Block
from .kernels.packed import Condition
from .kernels.plain_patterns import SECOND

if TYPE_CHECKING:
    from .pending import State


_LETTERS = "ld?l"
"""How the values of a condition are held, by how it is compared."""
_HELD = {Type.STRING: "l", Type.INT: "l", Type.LONG: "l", Type.BOOL: "?"}
"""How a kernel holds the values of an attribute, in numpy's letters; the others are real."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A comparison of an A's attribute with its B's: whether of real numbers, its position in
    `TESTS` of the kernels, both places.
    """

    real: bool
    op: int
    first: int
    second: int


@dataclass(slots=True)
class Plainly:
    """A pattern whose conditions compare single attributes: which become an A, which A any B
    completes, which may be a B, and what must hold between the two.
    """

    enters: list[Condition]
    able: list[Condition]
    asks: list[Condition]
    tests: list[Beside]


class Held:
    """What waits, in the kernel's own memory; `words` are those the codes of each column kept stand
    for.
    """

    def __init__(self, matcher: Matcher, words: list[Values | None]) -> None:
        self.matcher = matcher
        self.block = Block(matcher.plan)
        self.words = words

    @property
    def texts(self) -> list[Values | None]:
        """The words of each column kept that holds strings, in the order of `Matcher.texts`."""
        return [self.words[nth] for nth in self.matcher.held_texts]


class Matcher:
    """Runs batches of one pattern."""

    def __init__(
        self,
        plan: Plainly,
        within: int,
        *,
        alone: bool,
        kinds: tuple[list[Type], list[Type]],
        kept: list[int],
        seconds: list[int],
    ) -> None:
        """Prepare a pattern.

        Args:
            plan: its conditions.
            within: for how many milliseconds an A waits; -1: for ever.
            alone: whether its keys are partitions, each with a time of its own.
            kinds: the types of an A's attributes and of a B's.
            kept: the places of an A's attributes that are kept.
            seconds: the places of a B's attributes that may be told.
        """
        self._plan, self._alone, self._kept = plan, alone, kept
        # What the kernel keeps of an A: what is told and what is compared.
        self._firsts = sorted({*kept, *(test.first for test in plan.tests)})
        first = {place: letter_of(kinds[0][place]) for place in self._firsts}
        first |= {c.place: _LETTERS[c.kind] for c in (*plan.enters, *plan.able)}
        second = {place: letter_of(kinds[1][place]) for place in seconds}
        second |= {c.place: _LETTERS[c.kind] for c in plan.asks}
        second |= {test.second: "d" if test.real else "l" for test in plan.tests}
        # The kernel's columns are those read of an A, then those of a B.
        read = [*((0, place) for place in first), *((1, place) for place in second)]
        self.column = {column: nth for nth, column in enumerate(read)}
        # By mode, what is read of a batch, and where among it each of the kernel's columns is.
        self._read: list[tuple[list[tuple[int, str]], list[int]]] = []
        for letters in (first | second, first, second):
            nth = {place: at for at, place in enumerate(letters)}
            unread = (letters is second, letters is first)
            where = [-1 if unread[frame] else nth[place] for frame, place in read]
            self._read.append((list(letters.items()), where))
        self.held_texts = [n for n, place in enumerate(kept) if kinds[0][place] is Type.STRING]
        self.texts = [kept[n] for n in self.held_texts]
        self._pack = struct.Struct(f"{6 + len(self.column)}q").pack
        self._dtypes = [np.dtype(first[place]) for place in self._firsts]
        self.plan = self._packed_plan(within, first)

    def _packed_plan(self, within: int, letters: dict[int, str]) -> bytes:
        plan = self._plan
        able = 1 + len(self._firsts) if plan.able else 0
        count = len(plan.enters) + len(plan.asks) + len(plan.able)
        words = [within, int(self._alone), count, len(self._firsts), len(plan.tests), able]
        words.append(len(self.column))
        for what, frame, conditions in (
            (ENTERS, 0, plan.enters),
            (ASKS, 1, plan.asks),
            (ABLE, 0, plan.able),
        ):
            for c in conditions:
                words += what, c.kind, c.op, self.column[frame, c.place], c.bits
        for test in plan.tests:
            words += int(test.real), test.op, self.word(test.first), self.column[1, test.second]
        for place in self._firsts:
            column = self.column[0, place]
            words.append(~column if letters[place] == "?" else column)
        return matching.packed(words)

    def word(self, place: int) -> int:
        """Give the word of what waits that holds an A's attribute."""
        return 1 + self._firsts.index(place)

    def source(self, frame: int, place: int) -> int:
        """Tell how a kernel finds an attribute of a pair: the word of what waits, or the complement
        of its column of a B.
        """
        return self.word(place) if frame == 0 else ~self.column[1, place]

    # --- A batch ---

    def run(
        self,
        state: State,
        batch: Batch,
        mode: int,
        codes: Index | None,
        table: Index | None,
        keys: int,
    ) -> int | None:
        """Let events wait, and give how many pairs they complete, of which `Told` tells. UNKNOWN,
        and nothing is done, where a code is not in the table; None where the batch must go the way
        in steps.

        Args:
            state: what waits.
            batch: the events.
            mode: whether they are an A, a B or both.
            codes: their keys; None: all have one.
            table: the numbers of the keys; None: the codes are these.
            keys: how many numbers there are.
        """
        columns, (places, read) = batch.columns, self._read[mode]
        given: list[int] = []
        for place, letter in places:
            values = plain(columns[place])
            if values is None or values.dtype.char != letter:
                return None
            given.append(at(values))
        given.append(0)  # What is not read.
        held = state.held or self._take_over(state)
        if held is None:
            return None
        if mode != SECOND:
            for nth in self.held_texts:
                words = columns[self._kept[nth]].words
                if words is not held.words[nth]:
                    if held.block.waiting():
                        return None
                    held.words[nth] = words
        found = held.block.run(
            self._pack(
                len(batch),
                mode,
                keys,
                at(batch.ts),
                0 if codes is None else at(codes),
                0 if table is None else at(table),
                *[given[nth] for nth in read],
            )
        )
        return None if found == UNORDERED else found

    # --- To and from the way in steps ---

    def _take_over(self, state: State) -> Held | None:
        """Take over what waits, once as much has come since it was given up: None before."""
        rows = state.rows
        if rows.size > state.spared:
            return None
        held = Held(self, [buffer.words for buffer in rows.columns])
        if rows.size:
            links = state.links
            index, fresh = matching.order(links[0], links[2], links[6], rows.size)
            ts, keys = rows.ts[index], state.keys[index]
            back = not self._alone and bool((ts[1:] < ts[:-1]).any())
            if back or not all(b.plain_at(index) for b in rows.columns):
                state.spared = 0
                return None
            of_kept = dict(zip(self._kept, (b.values for b in rows.columns), strict=True))
            of_tests = {t.first: v for t, v in zip(self._plan.tests, state.tests, strict=True)}
            words = [ts, *((of_tests | of_kept)[place][index] for place in self._firsts)]
            if self._plan.able:
                words.append(state.able[index])
            if len(index):
                known = int(keys.max()) + 1
                held.block.load(keys, fresh, int(ts.max()), words, known)
        state.reset()
        state.held = held
        return held

    def give_up(self, state: State) -> None:
        """Give what waits to the arrays of the way in steps."""
        assert state.held is not None
        able = [np.dtype(np.bool_)] if self._plan.able else []
        keys, fresh, words = state.held.block.save([np.dtype(np.int64), *self._dtypes, *able])
        if not self._alone:
            order = np.argsort(words[0], kind="stable")
            keys, fresh, words = keys[order], fresh[order], [word[order] for word in words]
        count, rows = len(keys), state.rows
        if count:
            state.keys, state.able = keys, words[-1] if able else np.ones(count, np.bool_)
            state.tests = [words[self.word(test.first)].copy() for test in self._plan.tests]
            parts = keys if self._alone else np.zeros(count, np.int64)
            rows.ts, rows.parts, rows.groups = words[0], parts.copy(), np.zeros(count, np.int64)
            rows.size = count
            for place, buffer, of in zip(self._kept, rows.columns, state.held.words, strict=True):
                buffer.values, buffer.words = words[self.word(place)], of
            _link(state, parts, keys, fresh)
        state.held = None


def letter_of(kind: Type) -> str:
    """Tell how a kernel holds the values of an attribute, in numpy's letters."""
    return _HELD.get(kind, "d")


def _link(state: State, parts: Index, keys: Index, fresh: Values) -> None:
    """Put rows into the queues of their partitions and keys, in their order."""
    count = len(parts)
    state.room(int(parts.max()) + 1, int(keys.max()) + 1, count)
    state.waiting[:count] = 1
    links = state.links
    waiting, new = np.flatnonzero(~fresh), np.flatnonzero(fresh)
    _chain(waiting, parts, links[0], links[1], links[6], links[7])
    _chain(new, parts, links[2], links[3], links[6], None)
    _chain(waiting, keys, links[4], links[5], links[8], links[9])


def _chain(
    rows: Index, of: Index, head: Index, tail: Index, following: Index, before: Index | None
) -> None:
    """Chain rows in their order, those of one number together."""
    if not len(rows):
        return
    rows = rows[np.argsort(of[rows], kind="stable")]
    number = of[rows]
    same = number[1:] == number[:-1]
    following[rows[:-1][same]] = rows[1:][same]
    if before is not None:
        before[rows[1:][same]] = rows[:-1][same]
    head[number[np.append(True, ~same)]] = rows[np.append(True, ~same)]
    tail[number[np.append(~same, True)]] = rows[np.append(~same, True)]


class Told:
    """Columns of complete pairs: attributes by frame and place, in numpy's letters, and the time,
    position or key of each pair.
    """

    def __init__(self, matcher: Matcher, wanted: list[tuple[int, int, str]], more: list[int]):
        """Prepare columns: those of attributes, then more (`OF_TIME` and its like)."""
        sources = [(matcher.source(frame, place), letter) for frame, place, letter in wanted]
        sources += [(source, "l") for source in more]
        self._groups: list[tuple[Any, int, list[int]]] = []
        order: list[int] = []
        for letter in dict.fromkeys(letter for _, letter in sources):
            dtype = np.dtype(letter)
            mine = [nth for nth, (_, of) in enumerate(sources) if of == letter]
            self._groups.append((dtype, dtype.itemsize, [sources[nth][0] for nth in mine]))
            order += mine
        self._place = [order.index(nth) for nth in range(len(order))]
        self._pack = struct.Struct(f"{3 * len(order)}q").pack

    def of(self, held: Held, count: int) -> list[Values]:
        """Give the columns of the pairs just completed, while their batch is there."""
        found: list[Values] = []
        words: list[int] = []
        for dtype, width, sources in self._groups:
            values = np.empty((len(sources), count), dtype)
            to, step = at(values), width * count
            for source in sources:
                words += source, width, to
                to += step
            found.extend(values)
        held.block.told(self._pack(*words), len(found))
        return [found[nth] for nth in self._place]
