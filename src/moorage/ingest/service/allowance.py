"""Token buckets, cheap enough for every message."""

from __future__ import annotations

import time
from collections import OrderedDict


class Allowance:
    """A token bucket per key; keys not heard of for long are forgotten.

    Args:
        rate: tokens a second.
        burst: tokens a full bucket holds.
        most: keys remembered; the longest unused goes first, as if its bucket were full again.
    """

    def __init__(self, rate: float, burst: float, *, most: int = 200_000) -> None:
        self.rate = rate
        self.burst = burst
        self._most = most
        self._buckets: OrderedDict[object, list[float]] = OrderedDict()

    def wait_s(self, key: object) -> float:
        """Give the seconds until a token is there, without taking it."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        left = bucket[0] + (time.monotonic() - bucket[1]) * self.rate
        return max(0.0, 1.0 - left) / self.rate

    def take(self, key: object, tokens: float = 1.0, *, now: float | None = None) -> float:
        """Take tokens; 0 if they were there, else the seconds until they will be."""
        now = time.monotonic() if now is None else now
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = [self.burst, now]
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        left = bucket[0] + (now - bucket[1]) * self.rate
        bucket[1] = now
        left = min(left, self.burst)
        # A batch larger than the bucket is let in when the bucket is full, and then paid off.
        if left < min(tokens, self.burst):
            bucket[0] = left
            return (min(tokens, self.burst) - left) / self.rate
        bucket[0] = left - tokens
        return 0.0
