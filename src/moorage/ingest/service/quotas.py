"""Quotas of applications and organisations at this door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from moorage import groups, organizations
from moorage.kit.db import Tx
from moorage.organizations import Quota

from ..ports import Wait
from .allowance import Allowance

# A quota bears this many seconds' worth at once.
BURST_S = 10.0
UNITS = {Quota.MESSAGES: "messages", Quota.BYTES: "bytes"}


class Quotas:
    """Token buckets of whoever has a quota; each door has its own."""

    def __init__(self) -> None:
        self._buckets: dict[UUID, dict[Quota, Allowance]] = {}
        self.changed = True
        """Whether they have to be read."""

    def __bool__(self) -> bool:
        return bool(self._buckets)

    async def read(self, tx: Tx) -> None:
        """Read the quotas, if they have changed."""
        if not self.changed:
            return
        self.changed = False
        stored = await organizations.quotas(tx) | await groups.quotas(tx)
        self._buckets = {
            owner: buckets
            for owner, quotas in stored.items()
            if (buckets := self._made(owner, quotas))
        }

    def _made(self, owner: UUID, quotas: Mapping[Quota, int]) -> dict[Quota, Allowance]:
        """Make the buckets of an owner; one that stays as it is keeps what is in it."""
        had = self._buckets.get(owner, {})
        buckets = {}
        for quota, most in quotas.items():
            if quota in UNITS:
                old = had.get(quota)
                same = old is not None and old.rate == most
                buckets[quota] = old if same and old else Allowance(most, most * BURST_S)
        return buckets

    def take(self, owners: Iterable[tuple[str, UUID]], count: int, size: int) -> Wait | None:
        """Take messages of together `size` bytes; None if every bucket had them.

        Args:
            owners: whose buckets: how to call them, and their ids.
            count: messages.
            size: bytes of their payloads.
        """
        for whose, owner in owners:
            for quota, bucket in self._buckets.get(owner, {}).items():
                wanted = count if quota is Quota.MESSAGES else size
                if wait_s := bucket.take(None, wanted):
                    return Wait(whose, UNITS[quota], bucket.rate, wait_s)
        return None
