"""Who is on which plan: asked for, agreed to, ended."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage import oauth, organizations, users
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Permission
from moorage.users import PersonNeeded

from ..errors import PlanForeign, SubscriberUnknown, SubscriptionDecided, SubscriptionUnknown
from ..facts import SubscriptionAsked, SubscriptionBegun, SubscriptionEnded, SubscriptionRefused
from ..model import Plan, SubscriberKind, Subscription, SubscriptionState
from ..store import plans as store
from . import plans


async def subscribe(
    tx: Tx, caller: Caller, plan_id: UUID, kind: SubscriberKind, subscriber_id: UUID
) -> Subscription:
    """Put a subscriber on a plan, or ask for it where the plan wants approval.

    Whoever may agree to it need not ask. A plan that begins ends the one before.

    Raises:
        PersonNeeded: programs do not choose plans.
        PlanUnknown, SubscriberUnknown, PermissionMissing, InstallationOnly, PlanForeign,
        SubscriptionUnderway.
    """
    if caller.is_program:
        raise PersonNeeded
    plan = await plans.get(tx, caller, plan_id)
    organization_id = await _home_of(tx, caller, kind, subscriber_id)
    if plan.organization_id is not None and (
        plan.organization_id != organization_id or kind is SubscriberKind.ORGANIZATION
    ):
        # An organisation's plan shares out what the organisation has, so it is not for itself.
        raise PlanForeign
    agrees = caller.may(plans.manages(plan.organization_id), plan.organization_id)
    if plan.needs_approval and not agrees:
        state = SubscriptionState.ASKED
    else:
        state = SubscriptionState.ACTIVE
    for former in (SubscriptionState.ASKED, SubscriptionState.REFUSED, state):
        await _make_room(tx, subscriber_id, former)
    made = await store.subscribe(tx, plan.id, kind, subscriber_id, organization_id, state)
    asked = state is SubscriptionState.ASKED
    fact = SubscriptionAsked if asked else SubscriptionBegun
    tx.announce(fact(made.id, organization_id, after=_view(made, plan)))
    return made


async def get(tx: Tx, caller: Caller, subscription_id: UUID, *, lock: bool = False) -> Subscription:
    """Read a subscription. Raises SubscriptionUnknown."""
    found = await store.get_subscription(tx, subscription_id, lock=lock)
    if not caller.may(Permission.READ_USERS, found.organization_id):
        plan = await store.get(tx, found.plan_id)
        if not caller.may(plans.manages(plan.organization_id), plan.organization_id):
            raise SubscriptionUnknown(id=subscription_id)
    return found


async def list_subscriptions(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    plan_id: UUID | None = None,
    organization_id: UUID | None = None,
    subscriber_id: UUID | None = None,
    state: SubscriptionState | None = None,
) -> pages.Page[Subscription]:
    """List the subscriptions that the caller may see."""
    return await store.list_subscriptions(
        tx,
        caller.reach(Permission.READ_USERS),
        caller.reach(Permission.MANAGE_ORGANIZATION),
        asked,
        installation=caller.may(Permission.MANAGE_INSTALLATION, None),
        plan_id=plan_id,
        organization_id=organization_id,
        subscriber_id=subscriber_id,
        state=state,
    )


async def approve(tx: Tx, caller: Caller, subscription_id: UUID) -> Subscription:
    """Agree that a subscriber goes on a plan; it ends the one before.

    Raises:
        SubscriptionUnknown, PermissionMissing, InstallationOnly, PersonNeeded,
        SubscriptionDecided.
    """
    found, plan = await _to_decide(tx, caller, subscription_id)
    await _make_room(tx, found.subscriber_id, SubscriptionState.ACTIVE)
    made = await store.decide(tx, subscription_id, SubscriptionState.ACTIVE)
    tx.announce(SubscriptionBegun(made.id, made.organization_id, after=_view(made, plan)))
    return made


async def refuse(tx: Tx, caller: Caller, subscription_id: UUID) -> Subscription:
    """Do not agree; the subscriber stays on the plan it is on.

    Raises:
        SubscriptionUnknown, PermissionMissing, InstallationOnly, PersonNeeded,
        SubscriptionDecided.
    """
    found, plan = await _to_decide(tx, caller, subscription_id)
    await store.replace(tx, found.subscriber_id, SubscriptionState.REFUSED)
    made = await store.decide(tx, subscription_id, SubscriptionState.REFUSED)
    tx.announce(SubscriptionRefused(made.id, made.organization_id, after=_view(made, plan)))
    return made


async def end(tx: Tx, caller: Caller, subscription_id: UUID) -> None:
    """End a subscription: what holds for everybody without a plan holds again.

    The subscriber's administrators may, and those of the plan.

    Raises:
        SubscriptionUnknown, PermissionMissing, PersonNeeded.
    """
    if caller.is_program:
        raise PersonNeeded
    found = await get(tx, caller, subscription_id, lock=True)
    plan = await store.get(tx, found.plan_id)
    if not caller.may(plans.manages(plan.organization_id), plan.organization_id):
        _require(caller, found.subscriber_kind, found.organization_id)
    await store.end(tx, subscription_id)
    tx.announce(SubscriptionEnded(found.id, found.organization_id, before=_view(found, plan)))


async def _to_decide(tx: Tx, caller: Caller, subscription_id: UUID) -> tuple[Subscription, Plan]:
    if caller.is_program:
        raise PersonNeeded
    found = await get(tx, caller, subscription_id, lock=True)
    plan = await store.get(tx, found.plan_id)
    plans.require(caller, plan.organization_id)
    if found.state is not SubscriptionState.ASKED:
        raise SubscriptionDecided(state=found.state.value)
    return found, plan


async def _make_room(tx: Tx, subscriber_id: UUID, state: SubscriptionState) -> None:
    former = await store.replace(tx, subscriber_id, state)
    if former is not None and state is not SubscriptionState.REFUSED:
        plan = await store.get(tx, former.plan_id)
        tx.announce(
            SubscriptionEnded(former.id, former.organization_id, before=_view(former, plan))
        )


async def _home_of(
    tx: Tx, caller: Caller, kind: SubscriberKind, subscriber_id: UUID
) -> UUID | None:
    """Give the organisation of a subscriber whose plan the caller may choose."""
    home: UUID | None = None
    try:
        if kind is SubscriberKind.API_KEY:
            home = (await users.get_key(tx, caller, subscriber_id)).organization_id
        elif kind is SubscriberKind.CLIENT:
            home = (await oauth.get_client(tx, caller, subscriber_id)).organization_id
        elif kind is SubscriberKind.ORGANIZATION:
            home = (await organizations.get(tx, caller, subscriber_id)).id
        else:
            organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
            await users.get_user(tx, caller, subscriber_id)
    except (
        users.ApiKeyUnknown, oauth.ClientUnknown, organizations.OrganizationUnknown,
        users.UserUnknown,
    ) as unknown:  # fmt: skip
        raise SubscriberUnknown(subscriber_kind=kind.value, id=subscriber_id) from unknown
    _require(caller, kind, home)
    return home


def _require(caller: Caller, kind: SubscriberKind, organization_id: UUID | None) -> None:
    """Refuse who may not choose the plan. Raises PermissionMissing, InstallationOnly."""
    if kind is SubscriberKind.USER:
        organizations.require(caller, Permission.MANAGE_INSTALLATION, None)
    elif kind is SubscriberKind.ORGANIZATION:
        organizations.require(caller, Permission.MANAGE_ORGANIZATION, organization_id)
    else:
        organizations.require(caller, Permission.MANAGE_USERS, organization_id)


def _view(subscription: Subscription, plan: Plan) -> dict[str, Any]:
    return {
        "plan_id": plan.id,
        "plan": plan.name,
        "subscriber_kind": subscription.subscriber_kind,
        "subscriber_id": subscription.subscriber_id,
    }
