"""Trying a provider out: each step by itself, with what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.ids import uuid7
from moorage.kit.mail import Post
from moorage.kit.outbound import Outbound

from ..facts import IdentityProviderTested
from ..model import NewProvider, OpenIdConnect, Saml, Settings, Step, Trial
from . import openid, registry
from .flow import CALLBACK
from .issuers import Issuers, Unreached
from .saml.metadata import POST, REDIRECT


async def try_new(
    database: Database, caller: Caller, new: NewProvider, network: Outbound, post: Post
) -> Trial:
    """Try what would make a provider; no transaction is open meanwhile.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid.
    """
    async with database.begin(caller) as tx:
        await registry.to_add(tx, caller, new)
        about = _where(new.settings)
        tx.announce(IdentityProviderTested(uuid7(), new.organization_id, after=about))
    return await _try(new.settings, network, post, new.secret)


async def try_change(
    database: Database,
    caller: Caller,
    provider_id: UUID,
    changes: Mapping[str, Any],
    network: Outbound,
    post: Post,
) -> Trial:
    """Try a provider as it would be with some changes; no transaction is open meanwhile.

    Raises:
        ProviderUnknown, PermissionMissing, FieldInvalid.
    """
    async with database.begin(caller) as tx:
        before = await registry.to_manage(tx, caller, provider_id)
        wanted = registry.changed(before, changes)
        registry.check(wanted)
        registry.refuse_to_show_secret(before, wanted)
        kept = await registry.secret_of(tx, provider_id, post.sealer)
        about = _where(wanted.settings)
        tx.announce(IdentityProviderTested(provider_id, before.organization_id, after=about))
    return await _try(wanted.settings, network, post, changes.get("secret", kept))


def _where(settings: Settings) -> dict[str, str | None]:
    if isinstance(settings, Saml):
        return {"metadataUrl": settings.metadata_url}
    return {"issuer": settings.issuer}


async def _try(settings: Settings, network: Outbound, post: Post, secret: str | None) -> Trial:
    # Nothing that is kept from before: it is asked anew.
    issuers = Issuers(network)
    if isinstance(settings, Saml):
        return await _try_saml(settings, issuers)
    try:
        discovered = await issuers.discover(settings)
        keys = await issuers.keys(settings)
    except Unreached as lost:
        return Trial(False, (Step("discover", False, str(lost)),))
    host = urlsplit(discovered.authorization).netloc
    out = discovered.end_session is not None
    steps = (
        Step("discover", True, f"People sign in at {host}."),
        Step("keys", True, f"Known keys that it signs with: {len(keys.keys)}."),
        *await _show(settings, issuers, post, secret),
        Step("signOut", True, "People can sign out there, too." if out
             else "It offers no way to sign out there."),
    )  # fmt: skip
    return Trial(all(step.passed for step in steps), steps)


async def _show(
    settings: OpenIdConnect, issuers: Issuers, post: Post, secret: str | None
) -> list[Step]:
    """Show the provider who we are; no step where it does not say what it thinks of it."""
    try:
        back = f"{post.public_url}{CALLBACK}"
        known = await openid.is_known(issuers, settings, back=back, secret=secret)
    except Unreached as lost:
        return [Step("client", False, str(lost))]
    if known is None:
        return []
    return [
        Step("client", known, "It knows the client." if known
             else "It knows no such client, or the client has another secret."),
    ]  # fmt: skip


async def _try_saml(settings: Saml, issuers: Issuers) -> Trial:
    try:
        party = await issuers.party(settings)
    except Unreached as lost:
        return Trial(False, (Step("discover", False, str(lost)),))
    sign_in = party.sign_in.get(REDIRECT) or party.sign_in[POST]
    until = max(one.not_valid_after_utc for one in party.certificates)
    gone = f" {party.expired} more have expired." if party.expired else ""
    out = bool(party.sign_out)
    return Trial(
        True,
        (
            Step("discover", True,
                 f"{party.entity_id}: people sign in at {urlsplit(sign_in).netloc}."),
            Step("keys", True, f"Known keys that it signs with: {len(party.certificates)}, "
                               f"the last until {until:%Y-%m-%d}.{gone}"),
            Step("signOut", True, "People can sign out there, too." if out
                 else "It offers no way to sign out there."),
        ),
    )  # fmt: skip
