"""HTTP of claims: one-time links by which a phone becomes a device."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from moorage.groups import ApplicationUnknown
from moorage.kit.http import Signed, Tx, may_fail
from moorage.organizations import PermissionMissing, QuotaReached

from ..errors import ClaimSpent, TooManyClaims
from ..schemas.bodies import ClaimBody, ClaimedOut, ShownClaimOut
from ..service import claims as service

router = APIRouter(prefix="/api/v1", tags=["devices"])


@router.post("/applications/{application_id}/claims", status_code=201,
             response_model=ShownClaimOut,
             responses=may_fail(ApplicationUnknown, PermissionMissing, TooManyClaims))  # fmt: skip
async def make_claim(
    application_id: UUID, tx: Tx, caller: Signed, request: Request, response: Response
) -> ShownClaimOut:
    """Make a link that turns the phone which opens it into a device, once, for fifteen minutes."""
    response.headers["Cache-Control"] = "no-store"
    shown = await service.make_claim(tx, caller, application_id)
    public_url: str = request.app.state.public_url
    return ShownClaimOut(token=shown.token, url=shown.url(public_url), expires_at=shown.expires_at)


@router.post("/claims", status_code=201, response_model=ClaimedOut,
             responses=may_fail(ClaimSpent, QuotaReached))  # fmt: skip
async def redeem_claim(body: ClaimBody, tx: Tx, response: Response) -> ClaimedOut:
    """Become a device by a one-time claim; its key is shown this once."""
    response.headers["Cache-Control"] = "no-store"
    device, shown = await service.redeem_claim(tx, body.token, body.name)
    return ClaimedOut(device_id=device.id, name=device.name, secret=shown.secret)
