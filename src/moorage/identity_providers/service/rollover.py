"""Our keys towards a provider, changed without anybody being shut out.

A provider by SAML knows us by our keys. All of them are in our metadata and may be encrypted for;
one signs. So a new one is added, given to the provider, let sign, and the old one removed.
"""

from __future__ import annotations

from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.secrets import Sealer

from ..errors import KeyInUse, KeysTooMany
from ..facts import ProviderKeyAdded, ProviderKeyRemoved, ProviderKeyUsed
from ..model import Key, Protocol, Provider
from ..store import keys as store
from . import registry
from .keys import Brought, make

MOST_KEYS = 2


async def list_keys(tx: Tx, caller: Caller, provider_id: UUID) -> list[Key]:
    """List our keys towards a provider the caller may see. Raises ProviderUnknown."""
    provider = await registry.get(tx, caller, provider_id)
    return await store.list_keys(tx, provider.id)


async def get_key(tx: Tx, caller: Caller, provider_id: UUID, key_id: UUID) -> Key:
    """Read a key towards a provider the caller may see. Raises ProviderUnknown, KeyUnknown."""
    provider = await registry.get(tx, caller, provider_id)
    return await store.get(tx, provider.id, key_id)


async def add_key(
    tx: Tx, caller: Caller, provider_id: UUID, brought: Brought | None, sealer: Sealer
) -> Key:
    """Add a key that is brought, or a new one; it does not sign yet.

    Raises:
        ProviderUnknown, PermissionMissing, FieldInvalid, KeysTooMany.
    """
    provider = await registry.to_manage(tx, caller, provider_id, lock=True)
    if provider.protocol is not Protocol.SAML:
        raise FieldInvalid("/certificate", "keys are for providers by SAML")
    if len(await store.list_keys(tx, provider.id)) >= MOST_KEYS:
        raise KeysTooMany(limit=MOST_KEYS)
    made = await make(tx, provider.id, brought, sealer, signs=False)
    _announce(tx, ProviderKeyAdded, provider, made)
    return made


async def use_key(tx: Tx, caller: Caller, provider_id: UUID, key_id: UUID) -> list[Key]:
    """Sign with a key from now on; give all.

    Raises:
        ProviderUnknown, PermissionMissing, KeyUnknown.
    """
    provider = await registry.to_manage(tx, caller, provider_id, lock=True)
    key = await store.get(tx, provider.id, key_id)
    if not key.signs:
        await store.let_sign(tx, provider.id, key.id)
        _announce(tx, ProviderKeyUsed, provider, key)
    return await store.list_keys(tx, provider.id)


async def remove_key(tx: Tx, caller: Caller, provider_id: UUID, key_id: UUID) -> None:
    """Remove a key that does not sign.

    Raises:
        ProviderUnknown, PermissionMissing, KeyUnknown, KeyInUse.
    """
    provider = await registry.to_manage(tx, caller, provider_id, lock=True)
    key = await store.get(tx, provider.id, key_id)
    if key.signs:
        raise KeyInUse
    await store.remove(tx, provider.id, key.id)
    _announce(tx, ProviderKeyRemoved, provider, key)


def _announce(
    tx: Tx,
    fact: type[ProviderKeyAdded | ProviderKeyUsed | ProviderKeyRemoved],
    provider: Provider,
    key: Key,
) -> None:
    tx.announce(fact(provider.id, provider.organization_id, after={"key": str(key.id)}))
