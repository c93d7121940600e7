"""Queries over one stream, and what of them takes batches as they are sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Type
from ..streams import Direct
from .direct import Collected, Collecting, Sifting
from .gliding import Held, gliding, held_of
from .kernels import single
from .planned import Keys, Planned
from .rolling import rolling
from .selecting import Selecting
from .selection import Output
from .sliding import Sliding
from .steps import Program
from .tumbling import TimeBatch, Tumbling
from .vector import WHOLE, Vector, View

Window = Sliding | Tumbling


@dataclass(slots=True)
class Plan:
    """What a query over one stream does, compiled."""

    attributes: tuple[s.Attribute, ...]
    filters: list[Callable[[View], Any]]
    selecting: Selecting
    window: Window | None
    time: Vector | None
    program: Program | None = None
    # Of each attribute selected the stream's column, or the complement of the aggregator's place;
    # None where something is worked out of them.
    places: list[int] | None = None


class DirectQuery(Planned):
    """A query over one stream, its state made by `_make`."""

    def __init__(self, flow: Flow, plan: Plan, output: Output) -> None:
        super().__init__(flow, output)
        self._plan = plan
        selecting, window = plan.selecting, plan.window
        self._summed = selecting.summed
        self.stateless = window is None and not selecting.aggregates
        # What rows need once they are in the window: the aggregators' arguments, and what is
        # selected later on.
        leaves = not isinstance(window, Sliding) or output.tells_expired
        used = sorted(selecting.used | set(selecting.group))
        self._kept = used if leaves else []
        self._used = {place for _, place in used}
        if plan.time is not None and plan.time.place is not None:
            self._used.add(plan.time.place[1])
        kinds = [plan.attributes[place].type for _, place in self._kept]
        self._arguments = [a.argument for a in selecting.aggregates]
        kinds += [a.kind for a in self._arguments if a is not None]
        self._kinds = kinds
        # Where only sums and last rows are told of a batch, its rows need not be held.
        plainly = isinstance(window, TimeBatch) and not window.expects and not window.streams
        self._sums_only = plainly and selecting.summed and output.tells_last
        self._ready: Collected | None = None
        self._held: Held | None = None
        self._holder = flow.holder(self._make)

    def _make(self) -> Any:
        """Make what it remembers."""
        raise NotImplementedError

    @property
    def _gathers(self) -> bool:
        """Tell whether rows go into sums as they come."""
        return self._sums_only and self.parts is None

    def direct(self) -> Direct | None:
        plan, program = self._plan, self._plan.program
        if program is not None and self._gathers:
            return self._collecting(program)
        if program is not None and isinstance(plan.window, Sliding):
            return self._gliding(program, plan.window)
        if program is None or not (self.stateless and self.output.may_pass):
            return None
        kernel = single.kernel("flow_sift")
        if kernel is None:
            return None
        kinds = [a.type for a in plan.selecting.attributes]
        return Sifting(plan.attributes, program, kinds, self.output, kernel).take

    def _collecting(self, program: Program) -> Direct | None:
        kernel, grouping = single.kernel("flow_collect"), self._grouping()
        if kernel is None or grouping is None:
            return None
        by, sums = grouping
        rest = [by, len(self._kept), len(sums) // 2]
        rest += [*(place for _, place in self._kept), *sums]
        of = self._plan.attributes
        return Collecting(of, program, rest, self._flow, self._collected, kernel).take

    def _gliding(self, program: Program, window: Sliding) -> Direct | None:
        plan, grouping, output = self._plan, self._grouping(), self.output
        if plan.places is None or grouping is None or not (self._summed and output.tells_last):
            return None
        taking = gliding(
            plan.attributes,
            program,
            window,
            plan.selecting,
            plan.places,
            grouping,
            self._flow,
            output,
            self._window,
        )
        return None if taking is None else taking.take

    def direct_by_key(self, place: int, keys: Keys) -> Direct | None:
        plan, program, grouping, parts = (
            self._plan,
            self._plan.program,
            self._grouping(),
            self.parts,
        )
        if program is None or not isinstance(plan.window, Sliding) or plan.places is None:
            return None
        if grouping is None or grouping[0] >= 0 or self._kept or parts is None:
            return None
        if not (self._summed and self.output.tells_last):
            return None
        taking = rolling(
            plan.attributes,
            program,
            plan.window,
            plan.selecting,
            plan.places,
            grouping[1],
            (place, keys, parts),
            self._flow,
            self.output,
            self._holder.of_all,
        )
        return None if taking is None else taking.take

    def _window(self) -> Held | None:
        """Give what a window that slides remembers as a kernel takes it; None where it is not
        ready.
        """
        if self.parts is not None:
            return None
        state = self._holder.of_all()
        if self._held is None or self._held.queues is not state.window:
            self._held = held_of(state.groups, state.window, self._plan.selecting)
        return self._held

    def _grouping(self) -> tuple[int, list[int]] | None:
        """Give the column of words that rows are grouped by, -1: none, and the kind and column of
        each sum; None where kernels do not group or sum so.
        """
        kinds = [a.type for a in self._plan.attributes]
        by = [place for _, place in self._plan.selecting.group]
        if len(by) > 1 or any(kinds[at] is not Type.STRING for at in by):
            return None
        sums: list[int] = []
        for aggregate in self._plan.selecting.aggregates:
            argument = aggregate.argument
            if argument is None:
                sums += 0, 0
            elif argument.place is None or (aggregate.name, argument.kind) == ("avg", Type.LONG):
                return None
            else:
                sums += 1 if argument.kind in WHOLE else 2, argument.place[1]
        if len(sums) > 2 * single.MOST_COLUMNS:
            return None
        return by[0] if by else -1, sums

    def _collected(self) -> Collected | None:
        """Give what a batch remembers as a kernel takes it; None where it is not ready."""
        if self.parts is not None:
            return None
        state = self._holder.of_all()
        if self._ready is not None and self._ready.held is state.window:
            return self._ready
        known, group = state.groups, self._plan.selecting.group
        count = len(known.keys) if group else 1
        held = state.window.arrays(count)
        if held is None or not len(known.epochs.parts):
            return None
        codes = known.keys.columns[0] if group else None
        arrays = (*(codes.numbering if codes else (None, None)), known.epochs.groups)
        totals = [a for of in known.aggregates for t in of.totals for a in (t.totals, t.held)]
        self._ready = Collected(state.window, (*arrays, known.epochs.parts, *held, *totals), count)
        return self._ready
