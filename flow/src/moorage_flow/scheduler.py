"""The one clock of an application: it moves when told to, and fires what is due on its way."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .flow import Flow

TimerHandler = Callable[[int], None]
"""Takes the time that was asked for, in milliseconds since 1970."""


FEW = 8
"""The timers of more partitions are not looked through beforehand."""


class Clock:
    """Milliseconds since 1970; `wall` moves only by `advance`, and timers fire in the order of
    their times.

    On event time, `now` is the time of the last event instead: the clock jumps to each event's time
    and fires what has come due, as a replay does. `beat` is told of each arrival.
    """

    def __init__(self, now: int = 0) -> None:
        self.wall = now
        self.event_time = False
        self.schedulers: list[Scheduler] = []
        self.beat: Callable[[], None] | None = None
        self._event_now = -1
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._forgotten: set[int] = set()
        self._turn = 0
        self._towards = now

    @property
    def now(self) -> int:
        """The time operators see."""
        return self._event_now if self.event_time else self.wall

    def next_period(self, since: int, every_ms: int) -> int:
        """Tell when the next period ends that began at `since` or whole periods later; those that a
        jump of event time has passed by are one.
        """
        return since + every_ms * max(1, (self.now - since) // every_ms + 1)

    @property
    def towards(self) -> int:
        """The time that `now` is moving to."""
        return self._event_now if self.event_time else max(self.wall, self._towards)

    def wake(self, time: int, action: Callable[[], None]) -> int:
        """Do something at a wall time; a time that has passed means with the next advance.

        Gives what `sleep_on` takes.
        """
        self._turn += 1
        heapq.heappush(self._due, (max(time, self.wall), self._turn, action))
        return self._turn

    def sleep_on(self, waking: int) -> None:
        """Do not what `wake` was asked for, and has not come to yet."""
        self._forgotten.add(waking)
        if 2 * len(self._forgotten) > len(self._due):
            self._due = [due for due in self._due if due[1] not in self._forgotten]
            heapq.heapify(self._due)
            self._forgotten.clear()

    def clear(self) -> None:
        """Forget every timer that waits by wall time."""
        self._due.clear()
        self._forgotten.clear()
        for scheduler in self.schedulers:
            scheduler.clear()

    def next_due(self) -> int | None:
        """Tell when the next timer fires, by wall time."""
        while self._due and self._due[0][1] in self._forgotten:
            self._forgotten.discard(heapq.heappop(self._due)[1])
        return self._due[0][0] if self._due else None

    def advance(self, to: int) -> None:
        """Move forward to a wall time, firing every timer due until then."""
        self._towards = to
        while self._due and self._due[0][0] <= to:
            time, turn, action = heapq.heappop(self._due)
            if turn in self._forgotten:
                self._forgotten.discard(turn)
                continue
            self.wall = max(self.wall, time)
            action()
        self.wall = max(self.wall, to)

    def arrive(self, last: int) -> None:
        """Move event time to that of the last event that has come."""
        if not self.event_time:
            return
        if self.schedulers or self._event_now < 0:
            self.jump(last)
        elif last > self._event_now:
            self._event_now = last
        if self.beat is not None:
            self.beat()

    def jump(self, to: int) -> None:
        """Move event time to an event's, then fire what has come due; never goes back."""
        if to < self._event_now:
            return
        if self._event_now < 0:
            # Time begins with the first event: what has waited since before is due now, and only
            # once.
            for scheduler in self.schedulers:
                scheduler.not_before(to)
        self._event_now = to
        for scheduler in list(self.schedulers):
            scheduler.fire_due()

    def quiet(self, to: int) -> bool:
        """Tell whether nothing comes due when event time moves on to an event's."""
        if self._event_now < 0:
            return False
        for scheduler in self.schedulers:
            if type(scheduler) is not Scheduler or len(scheduler.queues) > FEW:
                return False
            for queue in scheduler.queues.values():
                if queue and queue[0] <= to:
                    return False
        return True

    def restore(self, event_now: int) -> None:
        """Go on from a snapshot's event time; older events do not turn it back."""
        self._event_now = event_now

    def use_event_time(self, on: bool, *, running: bool = False) -> None:
        """Switch between event time and wall time; while running, event time goes on from now."""
        self.event_time = on
        if running:
            self._event_now = max(self._event_now, self.wall)
        for scheduler in self.schedulers:
            scheduler.resume()


class Scheduler:
    """One operator's timers: for each partition, times served in the order they were asked for."""

    def __init__(self, clock: Clock, flow: Flow, handler: TimerHandler) -> None:
        self.clock = clock
        self._flow = flow
        self.handler = handler
        self.queues: dict[str, deque[int]] = {}
        self._waking: dict[str, int] = {}
        clock.schedulers.append(self)

    def notify_at(self, time: int) -> None:
        """Call the handler at a time for the partition being worked on."""
        partition = self._flow.partition
        queue = self.queues.get(partition)
        if queue is None:
            queue = self.queues[partition] = deque()
        queue.append(time)
        if len(queue) == 1:
            self._wake(partition)

    def notify_all(self, times: list[int]) -> None:
        """Call the handler at each of some times, as `notify_at` does at one."""
        first, *rest = times
        self.notify_at(first)
        self.queues[self._flow.partition].extend(rest)

    def _wake(self, partition: str) -> None:
        if self.clock.event_time or partition in self._waking:
            return
        first = self.queues[partition][0]
        self._waking[partition] = self.clock.wake(first, lambda: self._fire(partition))

    def _fire(self, partition: str) -> None:
        if self.clock.event_time:
            self._waking.pop(partition, None)
            return
        self._serve(partition)
        self._waking.pop(partition, None)
        if self.queues.get(partition):
            self._wake(partition)
        else:
            self.queues.pop(partition, None)

    def fire_due(self) -> None:
        """Serve every partition whose first time has come, earliest first."""
        if not self.queues:
            return
        due = [
            (q[0], at, p)
            for at, (p, q) in enumerate(self.queues.items())
            if q and q[0] <= self.clock.now
        ]
        for _, _, partition in sorted(due):
            self._serve(partition)
            if not self.queues.get(partition):
                self.queues.pop(partition, None)

    def _serve(self, partition: str) -> None:
        outer, self._flow.partition = self._flow.partition, partition
        try:
            queue = self.queues.get(partition)
            while queue and queue[0] <= self.clock.now:
                self.handler(queue.popleft())
                queue = self.queues.get(partition)
        finally:
            self._flow.partition = outer

    def resume(self) -> None:
        """Wait again for what was asked for."""
        for partition, queue in self.queues.items():
            if queue:
                self._wake(partition)

    def clear(self) -> None:
        """Forget every time asked for."""
        self.queues.clear()
        self._waking.clear()

    def not_before(self, time: int) -> None:
        """Ask for nothing earlier."""
        for partition, queue in self.queues.items():
            self.queues[partition] = deque(max(asked, time) for asked in queue)

    def restore(self, queues: dict[str, list[int]]) -> None:
        """Wait for what a snapshot had asked for, and for nothing else."""
        for waking in self._waking.values():
            self.clock.sleep_on(waking)
        self._waking.clear()
        self.queues = {partition: deque(times) for partition, times in queues.items()}
        self.resume()

    def drop(self, partitions: Set[str]) -> None:
        """Forget what partitions have asked for."""
        for partition in partitions:
            self.queues.pop(partition, None)
            if (waking := self._waking.pop(partition, None)) is not None:
                self.clock.sleep_on(waking)
