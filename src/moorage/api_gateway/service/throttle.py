"""How often: allowances that all processes share, of which each leases a part at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from moorage.kit.caller import Caller
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.errors import MoorageError

from ..errors import QuotaSpent, TooManyRequests
from ..model import Limits, Rate, Terms, Unused
from ..store import allowances as store
from .register import Plans

log = structlog.get_logger()

MOST_BUCKETS = 20_000
# What nobody used for so long goes back to where other processes find it.
IDLE_S = 10.0
GIVE_BACK_EVERY_S = 5.0
# Whoever was refused is not looked up again before this, however often they ask.
LEAST_WAIT_S = 0.05


class Bucket:
    """What this process has of one allowance."""

    def __init__(self, terms: Terms, now: float) -> None:
        self.terms = terms
        self.asking = asyncio.Lock()
        self.requests = 0
        self.data_bytes = 0
        self.period = 0
        self.ends_at = math.inf
        self.retry_at = -math.inf
        self.used_at = now
        # As the last lease found them, for those who ask what is left.
        self.tokens = float(terms.rate.burst)
        self.tokens_at = now
        self.requests_left = terms.requests or 0
        self.data_left = terms.data_bytes or 0

    def is_dry(self, now: float) -> bool:
        """Tell whether nothing can be handed out without asking."""
        bytes_gone = self.terms.data_bytes is not None and self.data_bytes <= 0
        return self.requests < 1 or bytes_gone or now >= self.ends_at

    def tokens_left(self, now: float) -> float:
        """Tell what is left in the bucket, as far as is known here."""
        rate = self.terms.rate
        refilled = self.tokens + (now - self.tokens_at) * rate.per_second
        return min(rate.burst, refilled + self.requests)

    def unused(self) -> Unused | None:
        """Take out what is worth giving back: a rate refills by itself, a quota does not."""
        terms = self.terms
        counted = terms.requests is not None or terms.data_bytes is not None
        if not counted or not (self.requests or self.data_bytes):
            return None
        given = Unused(terms.key, self.requests, self.data_bytes, self.period)
        self.requests = self.data_bytes = 0
        return given


@dataclass(slots=True)
class Admission:
    """Whether a request may go on, and what it is counted against.

    Attributes:
        shown: what there is of each bound, for the headers.
    """

    buckets: tuple[Bucket, ...] = ()
    refused: MoorageError | None = None
    shown: Sequence[Shown] = field(default=())

    def spend(self, data_bytes: int) -> None:
        """Count the bytes of a request that was answered."""
        for bucket in self.buckets:
            if bucket.terms.data_bytes is not None:
                bucket.data_bytes -= data_bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """One bound, as headers show it: `most` in `window_s`; `left`, and whole again in `reset_s`."""

    name: str
    most: int
    window_s: int
    left: int
    reset_s: int
    unit: str | None = None


class Throttle:
    """The allowances of the callers of this process; the least used are forgotten first."""

    def __init__(
        self,
        limits: Limits,
        plans: Plans,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._plans = plans
        self._database = database
        self._clock = clock
        self._addresses: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._forgotten: list[Unused] = []

    def admit_address(self, address: str) -> Admission:
        """Take a token of an address that nobody signed in from; by this process alone."""
        now, rate = self._clock(), self._limits.unsigned
        tokens, since = self._addresses.pop(address, (float(rate.burst), now))
        tokens = min(rate.burst, tokens + (now - since) * rate.per_second)
        admitted = tokens >= 1
        tokens -= admitted
        self._addresses[address] = (tokens, now)
        if len(self._addresses) > MOST_BUCKETS:
            self._addresses.popitem(last=False)
        refused = None if admitted else _too_many("address", (1 - tokens) / rate.per_second)
        return Admission((), refused, (_rate_shown("address", rate, tokens),))

    async def admit(self, caller: Caller) -> Admission:
        """Take a request of everything that the caller's count against, or of nothing.

        Raises:
            DatabaseUnavailable: a lease is needed and cannot be had.
        """
        now = self._clock()
        held = [self._bucket(terms, now) for terms in self._plans.terms_of(caller)]
        refused = None
        while (dry := next((b for b in held if b.is_dry(now)), None)) is not None:
            if dry.retry_at > now:
                refused = self._why(dry, now)
                break
            await self._lease(dry)
            now = self._clock()
        if refused is None:
            for bucket in held:
                bucket.requests -= 1
        shown = [bound for bucket in held for bound in _shown(bucket, now)]
        return Admission(tuple(held) if refused is None else (), refused, shown)

    def _bucket(self, terms: Terms, now: float) -> Bucket:
        found = self._buckets.get(terms.key)
        if found is None:
            found = self._buckets[terms.key] = Bucket(terms, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._put_by(self._buckets.popitem(last=False)[1])
        else:
            self._buckets.move_to_end(terms.key)
            if found.terms is not terms and found.terms != terms:
                # What the plan said before must not be handed out under what it says now.
                self._put_by(found)
                found.terms, found.requests, found.retry_at = terms, 0, -math.inf
        found.used_at = now
        return found

    async def _lease(self, bucket: Bucket) -> None:
        async with bucket.asking:
            now = self._clock()
            if not bucket.is_dry(now) or bucket.retry_at > now:
                return  # Whoever was before has asked.
            rate = bucket.terms.rate
            part = max(1, int(min(rate.per_second, rate.burst / 4)))
            if now >= bucket.ends_at:
                bucket.requests = 0
                bucket.data_bytes = min(0, bucket.data_bytes)
            elif bucket.data_bytes <= 0 < bucket.requests:
                # Only bytes are wanted; the requests go back first, to be leased together.
                self._put_by(bucket)
            await self._flush()
            over = max(0, -bucket.data_bytes)
            bucket.data_bytes = 0
            try:
                async with self._database.each() as tx:
                    given = await store.lease(tx, bucket.terms, part, over)
            except BaseException:
                bucket.data_bytes -= over
                raise
            now = self._clock()
            bucket.requests += given.requests
            bucket.data_bytes += given.data_bytes
            bucket.tokens, bucket.tokens_at = given.tokens, now
            bucket.requests_left, bucket.data_left = given.requests_left, given.data_left
            bucket.period, bucket.ends_at = given.period, now + given.ends_in_s
            if not given.requests:
                bucket.retry_at = now + max(LEAST_WAIT_S, self._wait_s(bucket, now))

    def _wait_s(self, bucket: Bucket, now: float) -> float:
        if self._quota_gone(bucket) is not None:
            # Somebody may give some back, and a plan may be changed: not the whole period.
            return min(1.0, bucket.ends_at - now)
        return (1 - bucket.tokens) / bucket.terms.rate.per_second

    def _quota_gone(self, bucket: Bucket) -> tuple[int, str] | None:
        terms = bucket.terms
        if terms.requests is not None and bucket.requests_left <= 0:
            return terms.requests, "requests"
        if terms.data_bytes is not None and bucket.data_left <= 0:
            return terms.data_bytes, "bytes"
        return None

    def _why(self, bucket: Bucket, now: float) -> MoorageError:
        terms = bucket.terms
        if (gone := self._quota_gone(bucket)) is None:
            return _too_many(terms.name, bucket.retry_at - now)
        most, unit = gone
        return QuotaSpent(
            plan=terms.plan, bucket=terms.name, most=most, unit=unit, period_s=terms.period_s,
            retry_after_s=max(1, math.ceil(bucket.ends_at - now)),
        )  # fmt: skip

    # --- What goes back -----------------------------------------------------

    def _put_by(self, bucket: Bucket) -> None:
        if (unused := bucket.unused()) is not None:
            self._forgotten.append(unused)

    async def run(self) -> None:
        """Give back what lies idle, until cancelled; and then everything."""
        try:
            while True:
                await asyncio.sleep(GIVE_BACK_EVERY_S)
                await self.give_back(IDLE_S)
        finally:
            await self.give_back(0.0)

    async def give_back(self, idle_s: float) -> None:
        """Give back what nobody used for `idle_s`."""
        before = self._clock() - idle_s
        for bucket in self._buckets.values():
            if bucket.used_at <= before and not bucket.asking.locked():
                self._put_by(bucket)
        try:
            await self._flush()
        except DatabaseUnavailable:
            log.warning("allowances_not_given_back", count=len(self._forgotten))

    async def _flush(self) -> None:
        while self._forgotten:
            # One after the other, each its own transaction: they hold no two rows at once.
            unused = self._forgotten.pop()
            # Lost on the way it counts as used, which is the side to err on.
            async with self._database.each() as tx:
                await store.give_back(tx, unused)


def _too_many(bucket: str, wait_s: float) -> TooManyRequests:
    return TooManyRequests(bucket=bucket, retry_after_s=max(1, round(wait_s)))


def _rate_shown(name: str, rate: Rate, tokens: float) -> Shown:
    refill_s = max(0, round((rate.burst - tokens) / rate.per_second))
    window_s = max(1, round(rate.burst / rate.per_second))
    return Shown(name, rate.burst, window_s, max(0, int(tokens)), refill_s)


def _shown(bucket: Bucket, now: float) -> list[Shown]:
    terms = bucket.terms
    shown = [_rate_shown(terms.name, terms.rate, bucket.tokens_left(now))]
    for what, most, left, unit in (
        ("requests", terms.requests, bucket.requests_left + bucket.requests, None),
        ("bytes", terms.data_bytes, bucket.data_left + bucket.data_bytes, "content-bytes"),
    ):
        if most is not None:
            reset_s = 0 if math.isinf(bucket.ends_at) else max(0, math.ceil(bucket.ends_at - now))
            name = f"{terms.name}-{what}"
            shown.append(Shown(name, most, terms.period_s, max(0, left), reset_s, unit))
    return shown
