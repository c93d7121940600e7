"""Which delivery is next: a line for each device, back-off, and a breaker for the target.

Pure and driven by a clock that is handed in, so that hours pass in a test at once.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model import HealthState, Outcome, Pending, Reason, Result

# Failures in a row after which deliveries stop, and one is tried at a time.
FAILURES_TO_OPEN = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
WINDOW_ROWS = 2_000
WINDOW_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """When a message is given up, and how much goes on at once."""

    max_attempts: int = 12
    max_age_s: float = 3 * 86_400
    concurrency: int = 32
    batch: int = 1


class Settled(NamedTuple):
    """What an attempt led to; `reason` is set if the message was given up."""

    row: Pending
    result: Result
    attempt: int
    reason: Reason | None = None

    @property
    def ended(self) -> bool:
        """Whether the message leaves the outbox: accepted or given up."""
        return self.reason is not None or self.result.outcome is Outcome.ACCEPTED


@dataclass(slots=True)
class _Line:
    rows: deque[Pending] = field(default_factory=deque)
    attempts: int = 0
    outages: int = 0
    busy: int = 0
    retry_at: float | None = None


class Lines:
    """What a deliverer holds of one target's outbox.

    Rows go in by `add` in order, `next` gives those to send now, `settle` takes what came of
    them. A device's later row never goes before its earlier one is settled. A device that waits
    for its next attempt is parked: only its first row stays in memory, so that it holds up nobody.

    Args:
        policy: limits.
        pause: gives the seconds to wait out of at most the number given; the default draws from
            the whole range ("full jitter").
    """

    def __init__(
        self,
        policy: Policy,
        pause: Callable[[float], float] = lambda most: random.uniform(0, most),  # noqa: S311
    ) -> None:
        self._policy = policy
        self._pause = pause
        self._lines: dict[int, _Line] = {}
        self._ready: deque[int] = deque()
        self._waiting: list[tuple[float, int]] = []
        self._failures = 0
        self._open_until: float | None = None
        self._under_way = 0
        # Parked devices, with the position after which their rows must be read again; they are
        # left out of the usual reading until they have caught up with `cursor`.
        self.behind: dict[int, int] = {}
        self.cursor = 0
        self.rows = 0
        self.bytes = 0

    # --- Filling ----------------------------------------------------------

    @property
    def room(self) -> int:
        """How many rows may be added."""
        return 0 if self.bytes >= WINDOW_BYTES else max(0, WINDOW_ROWS - self.rows)

    def add(self, rows: Iterable[Pending], *, upto: int = 0) -> None:
        """Take rows read after `cursor`, in order; up to `upto` there are no others to send."""
        for row in rows:
            self.cursor = max(self.cursor, row.n)
            self._add(row)
        self.cursor = max(self.cursor, upto)

    def catch_up(self, device: int, rows: Iterable[Pending], *, upto: int | None) -> None:
        """Take rows that were left out while the device was parked; up to `cursor` if None."""
        for row in rows:
            self._add(row)
        if upto is None:
            del self.behind[device]
        else:
            self.behind[device] = upto

    def to_catch_up(self) -> list[tuple[int, int]]:
        """Give parked devices that hold nothing any more, and after which row to read on."""
        return [(device, n) for device, n in self.behind.items() if device not in self._lines]

    def _add(self, row: Pending) -> None:
        line = self._lines.get(row.device)
        if line is None:
            line = self._lines[row.device] = _Line()
        if not line.rows:
            line.attempts, line.outages = row.attempts, 0
            self._ready.append(row.device)
        line.rows.append(row)
        self.rows += 1
        self.bytes += len(row.content)

    # --- Sending ----------------------------------------------------------

    def next(self, now: float) -> list[tuple[Pending, int]]:
        """Give rows to send now, with the number of the attempt; empty if none may go."""
        if self._under_way >= self._policy.concurrency:
            return []
        if self._open_until is not None:
            # Half open: one delivery tries whether the target is back.
            if now < self._open_until or self._under_way:
                return []
            self._wake_all()
            return self._take(1)
        while self._waiting and self._waiting[0][0] <= now:
            at, device = heapq.heappop(self._waiting)
            self._wake(device, at)
        return self._take(self._policy.batch)

    def _take(self, most: int) -> list[tuple[Pending, int]]:
        taken: list[tuple[Pending, int]] = []
        while self._ready and len(taken) < most:
            device = self._ready.popleft()
            line = self._lines.get(device)
            if line is None or line.busy:
                continue
            line.busy = min(len(line.rows), most - len(taken))
            for index in range(line.busy):
                row = line.rows[index]
                taken.append((row, (line.attempts if index == 0 else row.attempts) + 1))
        if taken:
            self._under_way += 1
        return taken

    def wake_at(self) -> float | None:
        """Tell when something may be sent that may not now; None if nothing waits for time."""
        if self._open_until is not None:
            return self._open_until if self._lines else None
        return self._waiting[0][0] if self._waiting else None

    @property
    def idle(self) -> bool:
        """Whether nothing is held."""
        return not self._lines and not self.behind

    @property
    def under_way(self) -> int:
        """How many batches are being sent."""
        return self._under_way

    # --- Settling ---------------------------------------------------------

    def settle(
        self,
        sent: Sequence[tuple[Pending, int]],
        results: Sequence[Result],
        now: float,
        wall: float,
    ) -> list[Settled]:
        """Take the results of a batch that `next` gave.

        Args:
            sent: the batch.
            results: one for each, in order.
            now: the clock of `next`.
            wall: seconds since 1970, for the age of messages.
        """
        self._under_way -= 1
        settled = []
        stopped: set[int] = set()
        for (row, attempt), result in zip(sent, results, strict=True):
            line = self._lines[row.device]
            self._note(result, now)
            reason = self._given_up(row, result, attempt, wall)
            settled.append(Settled(row, result, attempt, reason))
            if result.outcome is Outcome.ACCEPTED or reason is not None:
                line.rows.remove(row)
                self._let_go(row)
                if row.device not in stopped:
                    line.attempts = line.outages = 0
            elif row.device not in stopped:
                stopped.add(row.device)
                line.attempts = attempt if result.outcome is Outcome.FAILED else attempt - 1
                line.outages += 1
                line.retry_at = now + self._delay(max(line.attempts, line.outages), result)
        for device in dict.fromkeys(row.device for row, _attempt in sent):
            self._put_back(device, stopped=device in stopped)
        return settled

    def _given_up(self, row: Pending, result: Result, attempt: int, wall: float) -> Reason | None:
        if result.outcome is Outcome.REFUSED:
            return Reason.REFUSED
        if result.outcome is Outcome.ACCEPTED:
            return None
        if wall - row.enqueued_at.timestamp() > self._policy.max_age_s:
            return Reason.AGE
        if result.outcome is Outcome.FAILED and attempt >= self._policy.max_attempts:
            return Reason.ATTEMPTS
        return None

    def _note(self, result: Result, now: float) -> None:
        if result.outcome in (Outcome.ACCEPTED, Outcome.REFUSED):
            self._failures = 0
            if self._open_until is not None:
                self._open_until = None
                self._wake_all()
            return
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN or result.retry_after_s is not None:
            pause_s = self._delay(self._failures - FAILURES_TO_OPEN + 1, result)
            self._open_until = max(self._open_until or 0.0, now + pause_s)

    def _delay(self, failures: int, result: Result) -> float:
        most = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(max(failures - 1, 0), 10))
        return max(self._pause(most), result.retry_after_s or 0.0)

    def _put_back(self, device: int, *, stopped: bool) -> None:
        line = self._lines[device]
        line.busy = 0
        if stopped and line.retry_at is not None:
            heapq.heappush(self._waiting, (line.retry_at, device))
            self._park(device, line)
        elif line.rows:
            line.attempts = line.rows[0].attempts
            self._ready.append(device)
        else:
            del self._lines[device]

    def _park(self, device: int, line: _Line) -> None:
        """Keep only the first row; the others are read again when it is settled."""
        self.behind[device] = line.rows[0].n
        while len(line.rows) > 1:
            self._let_go(line.rows.pop())

    def _let_go(self, row: Pending) -> None:
        self.rows -= 1
        self.bytes -= len(row.content)

    def _wake(self, device: int, at: float | None = None) -> None:
        """Make a device ready; `at` is the time it was to wait for, unless all are woken."""
        line = self._lines.get(device)
        if line is not None and line.retry_at is not None and at in (None, line.retry_at):
            line.retry_at = None
            self._ready.append(device)

    def _wake_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for _at, device in waiting:
            self._wake(device)

    def expire(self, wall: float) -> list[Settled]:
        """Give up what is older than the policy allows and is not being sent right now."""
        oldest = wall - self._policy.max_age_s
        result = Result(Outcome.OUTAGE, detail="It could not be delivered in time.")
        settled = []
        for device, line in list(self._lines.items()):
            while not line.busy and line.rows and line.rows[0].enqueued_at.timestamp() < oldest:
                row = line.rows.popleft()
                self._let_go(row)
                settled.append(Settled(row, result, line.attempts, Reason.AGE))
                line.attempts = line.rows[0].attempts if line.rows else 0
            if not line.rows:
                del self._lines[device]
        return settled

    @property
    def state(self) -> HealthState:
        """Sum up how deliveries fare."""
        if self._open_until is not None:
            return HealthState.OPEN
        return HealthState.FAILING if self._failures else HealthState.OK
