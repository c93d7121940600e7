"""Who is on which plan: all of it in memory, read anew as soon as something changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from uuid import UUID

from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from ..model import Limits, Plan, Rate, SubscriberKind, Terms
from ..store import plans as store

_FACTS = ("api_gateway.plan_", "api_gateway.subscription_")
_OF_CALLER = {
    CallerKind.PERSON: SubscriberKind.USER,
    CallerKind.API_KEY: SubscriberKind.API_KEY,
    CallerKind.CLIENT: SubscriberKind.CLIENT,
}


class Plans:
    """The plans that hold, for one process.

    Args:
        limits: what holds for who is on no plan.
        doorbells: tell when something changes.
    """

    def __init__(self, limits: Limits, doorbells: Doorbells) -> None:
        self._limits = limits
        self._plans: Mapping[tuple[SubscriberKind, UUID], Plan] = {}
        self._changed = asyncio.Event()
        doorbells.on(FACTS_CHANNEL, self._told)

    def _told(self, names: str) -> None:
        if not names or any(name.startswith(_FACTS) for name in names.split(",")):
            self._changed.set()

    async def read(self, tx: Tx) -> None:
        """Read who is on which plan."""
        self._plans = await store.list_active(tx)

    async def run(self, database: Database) -> None:
        """Follow changes until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with database.begin() as tx:
                    await self.read(tx)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self._changed.set()

    def terms_of(self, caller: Caller) -> tuple[Terms, ...]:
        """Tell what a request of the caller counts against: each of these has to have room.

        The caller itself always; the program that asks in a person's name, and the organisation,
        where they are on a plan.
        """
        found = [self._own(caller)]
        if caller.kind is CallerKind.PERSON and caller.client_id is not None:
            # A person's plan is not for the programs that ask in their name.
            self._add(found, SubscriberKind.CLIENT, caller.client_id, caller.organization_id)
        if (organization_id := caller.home) is not None:
            self._add(found, SubscriberKind.ORGANIZATION, organization_id, organization_id)
        return tuple(found)

    def _own(self, caller: Caller) -> Terms:
        kind = _OF_CALLER.get(caller.kind)
        if kind is not None and (kind is not SubscriberKind.USER or caller.client_id is None):
            plan = self._plans.get((kind, caller.id))
            if plan is not None:
                return self._terms("caller", kind, caller.id, plan, caller.organization_id)
        return Terms("caller", caller.bucket, self._limits.signed)

    def _add(
        self, found: list[Terms], kind: SubscriberKind, id_: UUID, organization_id: UUID | None
    ) -> None:
        if (plan := self._plans.get((kind, id_))) is not None:
            found.append(self._terms(kind.value, kind, id_, plan, organization_id))

    def _terms(
        self, name: str, kind: SubscriberKind, id_: UUID, plan: Plan, organization_id: UUID | None
    ) -> Terms:
        rate = Rate(plan.burst, plan.requests_per_second)
        if plan.organization_id is not None and organization_id is not None:
            # An organisation shares out what it has; it may have less by now than when it did.
            most = self.most(organization_id)
            rate = Rate(min(rate.burst, most.burst), min(rate.per_second, most.per_second))
        return Terms(
            name,
            f"{kind}:{id_}/{plan.id}",
            rate,
            plan.name,
            plan.requests,
            plan.data_bytes,
            int(plan.period.total_seconds()),
        )

    def most(self, organization_id: UUID) -> Rate:
        """Tell what an organisation's own plans may give at most."""
        own = self._plans.get((SubscriberKind.ORGANIZATION, organization_id))
        return self._limits.signed if own is None else Rate(own.burst, own.requests_per_second)
