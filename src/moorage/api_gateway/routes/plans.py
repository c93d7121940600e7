"""HTTP of plans, and of who is on which."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from moorage.kit import pages
from moorage.kit.errors import CursorInvalid, FieldInvalid, VersionStale
from moorage.kit.http import Asked, IfMatch, PageOut, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import InstallationOnly, OrganizationUnknown, PermissionMissing
from moorage.users import PersonNeeded

from .. import service
from ..errors import (
    PlanForeign,
    PlanInUse,
    PlanNameTaken,
    PlanTooWide,
    PlanUnknown,
    SubscriberUnknown,
    SubscriptionDecided,
    SubscriptionUnderway,
    SubscriptionUnknown,
)
from ..model import Plan, Subscription, SubscriptionState
from ..schemas import PlanBody, PlanOut, PlanPatch, PlanSubscriptionBody, PlanSubscriptionOut

plans = APIRouter(prefix="/api/v1/plans", tags=["plans"])
subscriptions = APIRouter(prefix="/api/v1/subscriptions", tags=["plans"])
OrganizationId = Annotated[UUID | None, Query(alias="organizationId")]


@plans.post("", status_code=201, response_model=PlanOut,
            responses=may_fail(OrganizationUnknown, PermissionMissing, InstallationOnly,
                               PlanNameTaken, PlanTooWide))  # fmt: skip
async def make_plan(
    body: PlanBody, tx: Tx, caller: Signed, request: Request, response: Response
) -> Plan:
    """Make a plan: of the installation, or for the programs of an organization."""
    made = await service.make_plan(tx, caller, request.app.state.plans, body.to_model())
    response.headers["Location"] = f"/api/v1/plans/{made.id}"
    tag(response, made.updated_at)
    return made


@plans.get("", response_model=PageOut[PlanOut], responses=may_fail(CursorInvalid, FieldInvalid))
async def list_plans(
    tx: Tx, caller: Signed, asked: Asked,
    organization_id: OrganizationId = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
) -> pages.Page[Plan]:  # fmt: skip
    """List the plans of the installation and of your organizations."""
    return await service.list_plans(tx, caller, asked, organization_id=organization_id, q=q)


@plans.get("/{plan_id}", response_model=PlanOut, responses=may_fail(PlanUnknown))
async def get_plan(plan_id: UUID, tx: Tx, caller: Signed, response: Response) -> Plan:
    """Read a plan."""
    found = await service.get_plan(tx, caller, plan_id)
    tag(response, found.updated_at)
    return found


@plans.patch("/{plan_id}", response_model=PlanOut,
             responses=may_fail(PlanUnknown, PermissionMissing, InstallationOnly, PlanNameTaken,
                                PlanTooWide, VersionStale))  # fmt: skip
async def change_plan(
    plan_id: UUID, body: PlanPatch, tx: Tx, caller: Signed, request: Request, response: Response,
    if_match: IfMatch = None,
) -> Plan:  # fmt: skip
    """Change a plan, for everybody on it, at once."""
    check_match(if_match, (await service.get_plan(tx, caller, plan_id, lock=True)).updated_at)
    held = request.app.state.plans
    changed = await service.change_plan(tx, caller, held, plan_id, body.to_changes())
    tag(response, changed.updated_at)
    return changed


@plans.delete("/{plan_id}", status_code=204,
              responses=may_fail(PlanUnknown, PermissionMissing, InstallationOnly,
                                 PlanInUse))  # fmt: skip
async def remove_plan(plan_id: UUID, tx: Tx, caller: Signed) -> None:
    """Remove a plan that nobody is on."""
    await service.remove_plan(tx, caller, plan_id)


@subscriptions.post("", status_code=201, response_model=PlanSubscriptionOut,
                    responses=may_fail(PlanUnknown, SubscriberUnknown, PermissionMissing,
                                       InstallationOnly, PersonNeeded, PlanForeign,
                                       SubscriptionUnderway))  # fmt: skip
async def subscribe(
    body: PlanSubscriptionBody, tx: Tx, caller: Signed, response: Response
) -> Subscription:
    """Put a program, an organization or a person on a plan, or ask for it."""
    made = await service.subscribe(
        tx, caller, body.plan_id, body.subscriber_kind, body.subscriber_id
    )
    response.headers["Location"] = f"/api/v1/subscriptions/{made.id}"
    return made


@subscriptions.get("", response_model=PageOut[PlanSubscriptionOut],
                   responses=may_fail(CursorInvalid, FieldInvalid))  # fmt: skip
async def list_subscriptions(
    tx: Tx, caller: Signed, asked: Asked,
    plan_id: Annotated[UUID | None, Query(alias="planId")] = None,
    organization_id: OrganizationId = None,
    subscriber_id: Annotated[UUID | None, Query(alias="subscriberId")] = None,
    state: SubscriptionState | None = None,
) -> pages.Page[Subscription]:  # fmt: skip
    """List who is on which plan, and who would like to be."""
    return await service.list_subscriptions(
        tx, caller, asked, plan_id=plan_id, organization_id=organization_id,
        subscriber_id=subscriber_id, state=state,
    )  # fmt: skip


@subscriptions.get("/{subscription_id}", response_model=PlanSubscriptionOut,
                   responses=may_fail(SubscriptionUnknown))  # fmt: skip
async def get_subscription(subscription_id: UUID, tx: Tx, caller: Signed) -> Subscription:
    """Read a subscription."""
    return await service.get_subscription(tx, caller, subscription_id)


@subscriptions.post("/{subscription_id}/approve", response_model=PlanSubscriptionOut,
                    responses=may_fail(SubscriptionUnknown, PermissionMissing, InstallationOnly,
                                       PersonNeeded, SubscriptionDecided))  # fmt: skip
async def approve_subscription(subscription_id: UUID, tx: Tx, caller: Signed) -> Subscription:
    """Agree to a plan that was asked for; it ends the one before."""
    return await service.approve(tx, caller, subscription_id)


@subscriptions.post("/{subscription_id}/refuse", response_model=PlanSubscriptionOut,
                    responses=may_fail(SubscriptionUnknown, PermissionMissing, InstallationOnly,
                                       PersonNeeded, SubscriptionDecided))  # fmt: skip
async def refuse_subscription(subscription_id: UUID, tx: Tx, caller: Signed) -> Subscription:
    """Do not agree to a plan that was asked for."""
    return await service.refuse(tx, caller, subscription_id)


@subscriptions.delete("/{subscription_id}", status_code=204,
                      responses=may_fail(SubscriptionUnknown, PermissionMissing,
                                         InstallationOnly, PersonNeeded))  # fmt: skip
async def end_subscription(subscription_id: UUID, tx: Tx, caller: Signed) -> None:
    """End a subscription: what holds without a plan holds again."""
    await service.end_subscription(tx, caller, subscription_id)
