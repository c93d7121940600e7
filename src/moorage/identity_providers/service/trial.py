"""Trying a provider out: each step by itself, with what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.ids import uuid7
from moorage.kit.outbound import Outbound

from ..facts import IdentityProviderTested
from ..model import NewProvider, OpenIdConnect, Step, Trial
from . import registry
from .issuers import Issuers, Unreached


async def try_new(database: Database, caller: Caller, new: NewProvider, network: Outbound) -> Trial:
    """Try what would make a provider; no transaction is open meanwhile.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid.
    """
    async with database.begin(caller) as tx:
        await registry.to_add(tx, caller, new)
        about = {"issuer": new.settings.issuer}
        tx.announce(IdentityProviderTested(uuid7(), new.organization_id, after=about))
    return await _try(new.settings, network)


async def try_change(
    database: Database,
    caller: Caller,
    provider_id: UUID,
    changes: Mapping[str, Any],
    network: Outbound,
) -> Trial:
    """Try a provider as it would be with some changes; no transaction is open meanwhile.

    Raises:
        ProviderUnknown, PermissionMissing, FieldInvalid.
    """
    async with database.begin(caller) as tx:
        before = await registry.to_manage(tx, caller, provider_id)
        wanted = registry.changed(before, changes)
        registry.check(wanted)
        about = {"issuer": wanted.settings.issuer}
        tx.announce(IdentityProviderTested(provider_id, before.organization_id, after=about))
    return await _try(wanted.settings, network)


async def _try(settings: OpenIdConnect, network: Outbound) -> Trial:
    # Nothing that is kept from before: it is asked anew.
    issuers = Issuers(network)
    try:
        discovered = await issuers.discover(settings)
        keys = await issuers.keys(settings)
    except Unreached as lost:
        return Trial(False, (Step("discover", False, str(lost)),))
    host = urlsplit(discovered.authorization).netloc
    out = discovered.end_session is not None
    return Trial(
        True,
        (
            Step("discover", True, f"People sign in at {host}."),
            Step("keys", True, f"It signs with {len(keys.keys)} keys that are known."),
            Step("signOut", True, "People can sign out there, too." if out
                 else "It offers no way to sign out there."),
        ),
    )  # fmt: skip
