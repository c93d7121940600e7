"""Claims: a one-time token in a link, by which whoever opens it becomes a device."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from moorage import groups, organizations
from moorage.kit import secrets
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.organizations import Permission

from .. import store
from ..errors import ClaimSpent, TooManyClaims
from ..facts import ClaimMade
from ..model import CredentialKind, Device, DeviceKind, NewDevice, ShownClaim, ShownSecret
from . import registry, senders

PREFIX = "mcl_"
LIFE = timedelta(minutes=15)
MOST_OPEN = 1_000
_ENOUGH = frozenset(
    {Permission.READ_APPLICATIONS, Permission.READ_DEVICES, Permission.MANAGE_DEVICES}
)


async def make_claim(tx: Tx, caller: Caller, application_id: UUID) -> ShownClaim:
    """Make a token that enrols one phone in an application, once and within fifteen minutes.

    Raises:
        ApplicationUnknown, PermissionMissing, TooManyClaims.
    """
    application = await groups.get(tx, caller, application_id)
    place = application.organization_id, application_id
    organizations.require(caller, Permission.MANAGE_DEVICES, *place)
    await store.claims.forget_old(tx)
    if await store.claims.count(tx, application_id) >= MOST_OPEN:
        raise TooManyClaims(limit=MOST_OPEN)
    token, expires_at = secrets.make_token(PREFIX), tx.now + LIFE
    claim_id = await store.claims.add(
        tx,
        application_id,
        application.organization_id,
        digest=secrets.digest(token),
        expires_at=expires_at,
    )
    told = {"claimId": claim_id, "token": "***", "expiresAt": expires_at}
    tx.announce(ClaimMade(application_id, application.organization_id, after=told))
    return ShownClaim(application_id, token, expires_at)


async def redeem_claim(tx: Tx, token: str, name: str) -> tuple[Device, ShownSecret]:
    """Use a claim up: enrol a phone under `name` and give it a key, shown this once.

    It is done in the name of whoever made the claim, and nowhere else than it says.

    Raises:
        ClaimSpent: there is none, it was used, or its time is over.
        QuotaReached: there is no room; the claim stays.
    """
    claim = await store.claims.take(tx, secrets.digest(token))
    if claim is None:
        raise ClaimSpent
    grant = Grant(_ENOUGH, claim.organization_id, frozenset({claim.application_id}))
    tx.caller = Caller(CallerKind.SYSTEM, claim.created_by, f"claim {claim.id}", (grant,))
    new = NewDevice(claim.application_id, name, DeviceKind.PHONE)
    device = await registry.enrol(tx, tx.caller, new)
    shown = await senders.make_credential(
        tx, tx.caller, device.id, CredentialKind.KEY, label="phone"
    )
    return device, shown
