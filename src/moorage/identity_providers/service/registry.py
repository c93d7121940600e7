"""Identity providers: adding, changing, removing, and who may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from moorage import organizations, users
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.ids import uuid7
from moorage.kit.outbound import client_context
from moorage.kit.secrets import Sealer, digest
from moorage.organizations import Permission

from ..errors import ProviderShared, ProvidersTooMany, ProviderUnknown
from ..facts import IdentityProviderAdded, IdentityProviderChanged, IdentityProviderRemoved
from ..model import (
    EVERY_DOMAIN,
    MASKED,
    NewProvider,
    Offer,
    OpenIdConnect,
    Protocol,
    Provider,
    Saml,
)
from ..store import people
from ..store import providers as store
from . import keys
from .accounts import let_go
from .addresses import is_address
from .keys import make
from .saml import metadata
from .saml.xml import Wrong

MOST_PROVIDERS = 200
# Whoever says these could sign in as the provider's people.
_DECIDING = frozenset(
    ("settings", "secret", "enabled", "new_accounts", "required", "proven_by", "domains",
     "link_by_email")
)  # fmt: skip
# Of changes, what is no column of its own.
_BESIDE = frozenset({"secret", "protocol"})
_UNTOLD = frozenset({"people", "created_at", "updated_at", "created_by", "updated_by"})


async def add(tx: Tx, caller: Caller, new: NewProvider, sealer: Sealer) -> Provider:
    """Add a provider to an organisation, or to the installation.

    Raises:
        OrganizationUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid, ProviderTaken, ProvidersTooMany.
    """
    await to_add(tx, caller, new)
    if await store.count(tx) >= MOST_PROVIDERS:
        raise ProvidersTooMany(limit=MOST_PROVIDERS)
    provider_id = uuid7()
    made = await store.add(tx, provider_id, new, _seal(sealer, provider_id, new.secret))
    if made.protocol is Protocol.SAML:
        await make(tx, made.id, None, sealer, signs=True)
    tx.announce(IdentityProviderAdded(made.id, made.organization_id, after=_view(made)))
    return made


async def to_add(tx: Tx, caller: Caller, new: NewProvider) -> None:
    """Check that the caller may add a provider, and that it could be one."""
    if new.organization_id is not None:
        await organizations.get(tx, caller, new.organization_id)
    organizations.require(caller, Permission.MANAGE_USERS, new.organization_id)
    check(new)
    _check_domains(caller, new.domains)
    await users.check_mappings(tx, caller, new.organization_id, new.mappings, ())


async def get(tx: Tx, caller: Caller, provider_id: UUID, *, lock: bool = False) -> Provider:
    """Read a provider the caller may see. Raises ProviderUnknown."""
    provider = await store.get(tx, provider_id, lock=lock)
    if not caller.may(Permission.READ_USERS, provider.organization_id):
        raise ProviderUnknown(id=provider_id)
    return provider


async def to_manage(tx: Tx, caller: Caller, provider_id: UUID, *, lock: bool = False) -> Provider:
    """Read a provider the caller may change. Raises ProviderUnknown, PermissionMissing."""
    provider = await get(tx, caller, provider_id, lock=lock)
    organizations.require(caller, Permission.MANAGE_USERS, provider.organization_id)
    return provider


async def list_providers(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Provider]:
    """List the providers the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_providers(tx, seen, asked, organization_id=organization_id, q=q)


async def offers(tx: Tx) -> list[Offer]:
    """List what the sign-in page shows to everybody."""
    return [Offer(one.id, one.name, one.protocol) for one in await store.offered(tx)]


async def change(
    tx: Tx, caller: Caller, provider_id: UUID, changes: Mapping[str, Any], sealer: Sealer
) -> Provider:
    """Change a provider; `settings` are merged, `mappings` replaced.

    Raises:
        ProviderUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, FieldInvalid, ProviderTaken.
        ProviderShared: its people hold permissions beyond what the caller manages.
    """
    before = await to_manage(tx, caller, provider_id)
    wanted = changed(before, changes)
    check(wanted)
    refuse_to_show_secret(before, wanted)
    await refuse_shared(tx, caller, before, changes)
    if set(wanted.domains) - set(before.domains):
        _check_domains(caller, wanted.domains)
    await users.check_mappings(tx, caller, before.organization_id, wanted.mappings, before.mappings)
    columns = {name: getattr(wanted, name) for name in changes if name not in _BESIDE}
    if "secret" in changes:
        columns["sealed_secret"] = _seal(sealer, provider_id, changes["secret"])
    after = await store.change(tx, provider_id, columns)
    if before.enabled and not after.enabled:
        await let_go(tx, before, keep=True)
    was, now = difference(_view(before), _view(after))
    if "secret" in changes:
        was["secret"] = MASKED if before.has_secret else None
        now["secret"] = MASKED if after.has_secret else None
    tx.announce(IdentityProviderChanged(provider_id, before.organization_id, was, now))
    return after


async def refuse_shared(tx: Tx, caller: Caller, provider: Provider, changes: Iterable[str]) -> None:
    """Refuse changes by which the caller could become somebody who holds more.

    Raises:
        ProviderShared.
    """
    managed = caller.reach(Permission.MANAGE_USERS)
    if _DECIDING & set(changes) and await people.homes_beyond(tx, provider.id, managed):
        raise ProviderShared


def refuse_to_show_secret(before: Provider, wanted: NewProvider) -> None:
    """Refuse to send a secret that is kept to a place it was not given for.

    Raises:
        FieldInvalid: it has to be given again.
    """
    places = [
        (one.issuer, one.authority)
        for one in (before.settings, wanted.settings)
        if isinstance(one, OpenIdConnect)
    ]
    if places and before.has_secret and places[0] != places[1] and wanted.secret is None:
        raise FieldInvalid("/clientSecret", "must be given again where issuer or authority change")


def changed(provider: Provider, changes: Mapping[str, Any]) -> NewProvider:
    """Give what would make a provider as it is with some changes.

    Raises:
        FieldInvalid: they are of another protocol.
    """
    names = [field.name for field in fields(NewProvider) if field.name != "secret"]
    whole = NewProvider(**{name: getattr(provider, name) for name in names})
    given = dict(changes)
    protocol = given.pop("protocol", provider.protocol)
    if protocol is not provider.protocol:
        raise FieldInvalid(
            f"/{protocol.value}", "is of a protocol that the provider does not speak"
        )
    if "settings" in given:
        given["settings"] = replace(provider.settings, **given["settings"])
    return replace(whole, **given)


async def remove(tx: Tx, caller: Caller, provider_id: UUID) -> None:
    """Remove a provider; its people keep their accounts, without what it gave, and are out.

    Raises:
        ProviderUnknown, PermissionMissing.
    """
    before = await to_manage(tx, caller, provider_id)
    await let_go(tx, before, keep=False)
    await store.remove(tx, provider_id)
    tx.announce(IdentityProviderRemoved(provider_id, before.organization_id, before=_view(before)))


# --- Inside ---------------------------------------------------------------


def check(new: NewProvider) -> None:
    """Check what would make a provider, without I/O. Raises FieldInvalid."""
    if isinstance(new.settings, Saml):
        _check_saml(new.settings)
        if new.secret is not None:
            raise FieldInvalid("/clientSecret", "is for OpenID Connect only")
    else:
        _check_settings(new.settings)
    if new.organization_id is not None:
        if EVERY_DOMAIN in new.domains:
            raise FieldInvalid("/domains", "may be all (*) of a provider of the installation only")
        if new.link_by_email:
            raise FieldInvalid("/linkByEmail", "is for providers of the installation only")


def _check_saml(settings: Saml) -> None:
    if (settings.metadata_url is None) == (settings.metadata is None):
        raise FieldInvalid("/saml/metadataUrl", "or metadata is needed, and not both")
    if settings.metadata_url is not None and not is_address(settings.metadata_url):
        raise FieldInvalid("/saml/metadataUrl", "must be an https address")
    if settings.metadata is not None:
        try:
            metadata.read(settings.metadata.encode(), settings.entity_id, datetime.now(UTC))
        except Wrong as wrong:
            raise FieldInvalid("/saml/metadata", str(wrong)) from wrong
    if settings.authority is not None:
        client_context(settings.authority, None, None, "/saml")


def _check_settings(settings: OpenIdConnect) -> None:
    if not is_address(settings.issuer) or "?" in settings.issuer or "#" in settings.issuer:
        raise FieldInvalid(
            "/openIdConnect/issuer", "must be an https address, as the provider writes it"
        )
    if settings.authority is not None:
        client_context(settings.authority, None, None, "/openIdConnect")


def _check_domains(caller: Caller, domains: Iterable[str]) -> None:
    """Let GlobalAdmins alone say whose addresses a provider is believed.

    Whoever runs a provider could otherwise give its people anybody's address.
    """
    if list(domains):
        organizations.require(caller, Permission.MANAGE_USERS, None)


async def secret_of(tx: Tx, provider_id: UUID, sealer: Sealer) -> str | None:
    """Open a provider's client secret; for asking it only."""
    sealed = await store.sealed_secret(tx, provider_id)
    return sealer.open(sealed, _context(provider_id)).decode() if sealed else None


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the secrets and keys of all providers with the sealing key that is in use."""
    for provider_id, sealed in await store.lock_sealed(tx):
        plain = sealer.open(sealed, _context(provider_id))
        await store.put_sealed(tx, provider_id, sealer.seal(plain, _context(provider_id)))
    await keys.seal_anew(tx, sealer)


def _seal(sealer: Sealer, provider_id: UUID, secret: str | None) -> bytes | None:
    return sealer.seal(secret.encode(), _context(provider_id)) if secret else None


def _context(provider_id: UUID) -> str:
    return f"identity_providers.secret:{provider_id}"


def _view(provider: Provider) -> dict[str, Any]:
    view = {name: value for name, value in asdict(provider).items() if name not in _UNTOLD}
    view["secret"] = MASKED if view.pop("has_secret") else None
    if isinstance(provider.settings, Saml) and provider.settings.metadata is not None:
        # They are long; whether they changed is what matters.
        view["settings"]["metadata"] = f"sha256:{digest(provider.settings.metadata).hex()}"
    return view
