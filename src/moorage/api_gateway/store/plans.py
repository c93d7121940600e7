"""Plans, and who is on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import PlanNameTaken, PlanUnknown, SubscriptionUnderway, SubscriptionUnknown
from ..model import NewPlan, Plan, SubscriberKind, Subscription, SubscriptionState
from ..tables import plans, subscriptions

_COLUMNS = {
    SubscriberKind.USER: subscriptions.c.user_id,
    SubscriberKind.API_KEY: subscriptions.c.api_key_id,
    SubscriberKind.CLIENT: subscriptions.c.client_id,
}


def _plan(row: Any) -> Plan:
    return Plan(**{f.name: getattr(row, f.name) for f in fields(Plan)})


def _subscription(row: Any) -> Subscription:
    values = {f.name: getattr(row, f.name) for f in fields(Subscription)}
    values["subscriber_kind"] = SubscriberKind(values["subscriber_kind"])
    values["state"] = SubscriptionState(values["state"])
    return Subscription(**values)


async def add(tx: Tx, new: NewPlan) -> Plan:
    """Insert `new`. Raises PlanNameTaken."""
    rows = await tx.execute(
        insert(plans)
        .values(id=uuid7(), **asdict(new), **tx.stamp())
        .on_conflict_do_nothing(index_elements=[plans.c.organization_id, func.lower(plans.c.name)])
        .returning(plans)
    )
    if (row := rows.one_or_none()) is None:
        raise PlanNameTaken(name=new.name)
    return _plan(row)


async def get(tx: Tx, plan_id: UUID, *, lock: bool = False) -> Plan:
    """Read one. Raises PlanUnknown."""
    query = select(plans).where(plans.c.id == plan_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise PlanUnknown(id=plan_id)
    return _plan(row)


async def list_plans(
    tx: Tx,
    asked: pages.PageRequest,
    *,
    homes: frozenset[UUID] | None,
    organization_id: UUID | None,
    q: str | None,
) -> pages.Page[Plan]:
    """Read a page of the installation's plans and those of `homes`; None is everybody's."""
    query = select(plans)
    if homes is not None:
        own = or_(plans.c.organization_id.is_(None), plans.c.organization_id.in_(homes))
        query = query.where(own)
    if organization_id is not None:
        query = query.where(plans.c.organization_id == organization_id)
    if q:
        query = query.where(plans.c.name.icontains(q, autoescape=True))
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"name": func.lower(plans.c.name), "createdAt": plans.c.created_at},
        default="name",
        key=plans.c.id,
        read=_plan,
    )


async def change(tx: Tx, plan_id: UUID, changes: Mapping[str, Any]) -> Plan:
    """Change fields. Raises PlanNameTaken."""
    statement = update(plans).where(plans.c.id == plan_id).returning(plans)
    try:
        async with tx.connection.begin_nested():
            row = (await tx.execute(statement.values(**changes, **tx.restamp()))).one()
    except IntegrityError as taken:
        raise PlanNameTaken(name=changes.get("name")) from taken
    return _plan(row)


async def remove(tx: Tx, plan_id: UUID) -> None:
    """Delete one, with the questions and refusals about it."""
    await tx.execute(delete(plans).where(plans.c.id == plan_id))


async def is_in_use(tx: Tx, plan_id: UUID) -> bool:
    """Tell whether somebody is on a plan."""
    on_it = subscriptions.c.plan_id == plan_id, subscriptions.c.state == "active"
    return (await tx.execute(select(subscriptions.c.id).where(*on_it).limit(1))).first() is not None


# --- Subscriptions ------------------------------------------------------------


async def subscribe(
    tx: Tx,
    plan_id: UUID,
    kind: SubscriberKind,
    subscriber_id: UUID,
    organization_id: UUID | None,
    state: SubscriptionState,
) -> Subscription:
    """Insert a subscription. Raises SubscriptionUnderway."""
    values: dict[str, Any] = {"organization_id": organization_id}
    if (column := _COLUMNS.get(kind)) is not None:
        values[column.name] = subscriber_id
    decided_at = None if state is SubscriptionState.ASKED else tx.now
    rows = await tx.execute(
        insert(subscriptions)
        .values(
            id=uuid7(), plan_id=plan_id, subscriber_kind=kind.value, state=state.value,
            decided_at=decided_at, **values, **tx.stamp(),
        )
        .on_conflict_do_nothing(
            index_elements=[subscriptions.c.subscriber_id, subscriptions.c.state]
        )
        .returning(subscriptions)
    )  # fmt: skip
    if (row := rows.one_or_none()) is None:
        raise SubscriptionUnderway
    return _subscription(row)


async def get_subscription(tx: Tx, subscription_id: UUID, *, lock: bool = False) -> Subscription:
    """Read one. Raises SubscriptionUnknown."""
    query = select(subscriptions).where(subscriptions.c.id == subscription_id)
    row = (await tx.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise SubscriptionUnknown(id=subscription_id)
    return _subscription(row)


async def list_subscriptions(
    tx: Tx,
    seen: Reach,
    managed: Reach,
    asked: pages.PageRequest,
    *,
    installation: bool,
    plan_id: UUID | None,
    organization_id: UUID | None,
    subscriber_id: UUID | None,
    state: SubscriptionState | None,
) -> pages.Page[Subscription]:
    """Read a page of the subscriptions of organisations in `seen`, or to plans of `managed`.

    With `installation` those to the installation's plans are among them.
    """
    own = subscriptions.c
    query = select(subscriptions).join(plans, plans.c.id == own.plan_id)
    if not seen.everywhere:
        of_managed = plans.c.organization_id.in_(managed.organization_ids)
        if managed.everywhere:
            of_managed = plans.c.organization_id.is_not(None)
        mine = [own.organization_id.in_(seen.organization_ids), of_managed]
        if installation:
            mine.append(plans.c.organization_id.is_(None))
        query = query.where(or_(*mine))
    wanted: list[ColumnElement[bool]] = [true()]
    if plan_id is not None:
        wanted.append(own.plan_id == plan_id)
    if organization_id is not None:
        wanted.append(own.organization_id == organization_id)
    if subscriber_id is not None:
        wanted.append(own.subscriber_id == subscriber_id)
    if state is not None:
        wanted.append(own.state == state.value)
    return await pages.page(
        tx,
        query.where(and_(*wanted)),
        asked,
        sorts={"createdAt": own.created_at},
        default="-createdAt",
        key=own.id,
        read=_subscription,
    )


async def replace(
    tx: Tx, subscriber_id: UUID, state: SubscriptionState, *, but: UUID | None = None
) -> Subscription | None:
    """Delete a subscriber's subscription of a state, to make room for another; gives it."""
    own = subscriptions.c
    statement = delete(subscriptions).where(
        own.subscriber_id == subscriber_id, own.state == state.value
    )
    if but is not None:
        statement = statement.where(own.id != but)
    row = (await tx.execute(statement.returning(subscriptions))).one_or_none()
    return None if row is None else _subscription(row)


async def decide(tx: Tx, subscription_id: UUID, state: SubscriptionState) -> Subscription:
    """Write down what became of a question."""
    rows = await tx.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription_id)
        .values(state=state.value, decided_at=tx.now, **tx.restamp())
        .returning(subscriptions)
    )
    return _subscription(rows.one())


async def end(tx: Tx, subscription_id: UUID) -> None:
    """Delete one."""
    await tx.execute(delete(subscriptions).where(subscriptions.c.id == subscription_id))


async def list_active(tx: Tx) -> dict[tuple[SubscriberKind, UUID], Plan]:
    """Read everybody's plan."""
    own = subscriptions.c
    query = (
        select(plans, own.subscriber_kind, own.subscriber_id)
        .join(subscriptions, own.plan_id == plans.c.id)
        .where(own.state == SubscriptionState.ACTIVE.value)
    )
    known: dict[UUID, Plan] = {}
    found = {}
    for row in await tx.execute(query):
        plan = known.get(row.id) or known.setdefault(row.id, _plan(row))
        found[SubscriberKind(row.subscriber_kind), row.subscriber_id] = plan
    return found
