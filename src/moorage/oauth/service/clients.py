"""Clients: made by who administers users, never with more than their maker holds."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.secrets import digest, make_token
from moorage.organizations import MemberKind, Permission, PermissionGroupUnknown
from moorage.users import GroupForeign, PersonNeeded

from ..errors import ClientUnknown, SecretNotKept
from ..facts import AccessEnded, ClientChanged, ClientMade, ClientRemoved, SecretRotated
from ..model import BY_SECRET, CLIENT_SECRET_PREFIX, Client, GrantType, NewClient, method_of
from ..store import authorizations
from ..store import clients as store
from . import certificates, keys

_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


async def make(
    tx: Tx, caller: Caller, new: NewClient, *, passwords: bool = False
) -> tuple[Client, str | None]:
    """Make a client; its secret, if it has one, is given here and never again.

    Raises:
        PersonNeeded: programs do not make programs.
        OrganizationUnknown, PermissionMissing, InstallationOnly, PermissionGroupUnknown,
        GrantTooWide, GroupForeign, ClientNameTaken, FieldInvalid.
    """
    await require(tx, caller, new.organization_id)
    new = replace(
        new,
        keys=keys.checked(new.keys),
        certificate_name=certificates.name_checked(new.certificate_name),
        certificates=certificates.checked(new.certificates),
    )
    check(new)
    check_home(new)
    _check_passwords(new.grant_types, passwords=passwords)
    made, secret = await add(tx, new)
    await _join(tx, caller, made.id, new.organization_id, new.permission_group_ids)
    made = await store.get(tx, made.id)
    tx.announce(ClientMade(made.id, made.organization_id, after=view(made)))
    return made, secret


async def add(tx: Tx, new: NewClient) -> tuple[Client, str | None]:
    """Store a client that was checked, with a fresh secret if it keeps one."""
    secret = None
    if method_of(new) in BY_SECRET:
        secret = make_token(CLIENT_SECRET_PREFIX, 32)
    client_id = await store.add(tx, new, digest(secret) if secret else None)
    return await store.get(tx, client_id), secret


async def require(tx: Tx, caller: Caller, organization_id: UUID | None) -> None:
    """Refuse who may not administer programs there.

    Raises:
        PersonNeeded, OrganizationUnknown, PermissionMissing, InstallationOnly.
    """
    if caller.is_program:
        raise PersonNeeded
    if organization_id is not None:
        await organizations.get(tx, caller, organization_id)
    organizations.require(caller, Permission.MANAGE_USERS, organization_id)


async def get(tx: Tx, caller: Caller, client_id: UUID, *, lock: bool = False) -> Client:
    """Read a client, without its secret. Raises ClientUnknown."""
    found = await store.get(tx, client_id, lock=lock)
    if not caller.may(Permission.READ_USERS, found.organization_id):
        raise ClientUnknown(id=client_id)
    return found


async def list_clients(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Client]:
    """List the clients the caller may see."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_clients(tx, seen, asked, organization_id=organization_id, q=q)


async def change(
    tx: Tx,
    caller: Caller,
    client_id: UUID,
    changes: Mapping[str, Any],
    *,
    passwords: bool = False,
) -> Client:
    """Change a client; it acts at once, on what it was allowed before too.

    Raises:
        ClientUnknown, PersonNeeded, PermissionMissing, PermissionGroupUnknown, GrantTooWide,
        GroupForeign, ClientNameTaken, FieldInvalid.
    """
    before = await get(tx, caller, client_id)
    await require(tx, caller, before.organization_id)
    columns = dict(changes)
    if "keys" in columns:
        columns["keys"] = keys.checked(columns["keys"])
    if "certificate_name" in columns:
        columns["certificate_name"] = certificates.name_checked(columns["certificate_name"])
    if "certificates" in columns:
        columns["certificates"] = certificates.checked(columns["certificates"])
    wished = replace(before, **columns)
    check(wished)
    check_home(wished)
    _check_passwords(columns.get("grant_types", ()), passwords=passwords)
    wanted = columns.pop("permission_group_ids", before.permission_group_ids)
    for name in ("scopes", "grant_types"):
        if name in columns:
            columns[name] = [word.value for word in columns[name]]
    if "redirect_uris" in columns:
        columns["redirect_uris"] = list(columns["redirect_uris"])
    if method_of(wished) not in BY_SECRET:
        columns["digest"] = None
    await store.change(tx, client_id, columns)
    if proof_of(wished) != proof_of(before):
        await end_own(tx, before)
    for group_id in set(before.permission_group_ids) - set(wanted):
        await leave(tx, caller, client_id, group_id)
    await _join(tx, caller, client_id, before.organization_id, wanted)
    after = await store.get(tx, client_id)
    was, now = difference(view(before), view(after))
    tx.announce(ClientChanged(client_id, before.organization_id, was, now))
    return after


async def rotate_secret(tx: Tx, caller: Caller, client_id: UUID) -> str:
    """Give a client a new secret; the one before works no longer, nor what came of it alone.

    Raises:
        ClientUnknown, PersonNeeded, PermissionMissing, SecretNotKept.
    """
    found = await get(tx, caller, client_id, lock=True)
    await require(tx, caller, found.organization_id)
    if method_of(found) not in BY_SECRET:
        raise SecretNotKept
    secret = make_token(CLIENT_SECRET_PREFIX, 32)
    await store.set_secret(tx, client_id, digest(secret))
    await end_own(tx, found)
    tx.announce(SecretRotated(client_id, found.organization_id, after={"secret": "***"}))
    return secret


async def end_own(tx: Tx, client: Client) -> None:
    """End what a client got as itself: whoever had copied its proof may have got it."""
    for gone in await authorizations.remove_own(tx, client.id):
        before = {"client": client.id, "scopes": gone.scopes, "reason": "another proof"}
        tx.announce(AccessEnded(client.id, client.organization_id, before=before))


async def remove(tx: Tx, caller: Caller, client_id: UUID) -> None:
    """Remove a client; its tokens are refused from now on.

    Raises:
        ClientUnknown, PermissionMissing.
    """
    found = await get(tx, caller, client_id, lock=True)
    organizations.require(caller, Permission.MANAGE_USERS, found.organization_id)
    for group_id in found.permission_group_ids:
        await leave(tx, caller, client_id, group_id)
    await store.remove(tx, client_id)
    tx.announce(ClientRemoved(client_id, found.organization_id, before=view(found)))


def proof_of(client: Client | NewClient) -> tuple[object, ...]:
    """Give by what a client proves itself, but for its secret; to be compared."""
    return client.confidential, client.keys, client.certificate_name, client.certificates


def view(client: Client) -> dict[str, Any]:
    """Show a client's fields to facts."""
    shown = (
        "name", "website", "confidential", "grant_types", "redirect_uris", "scopes",
        "permission_group_ids", "keys", "certificate_name", "certificates", "certificate_bound",
        "registration_token_id",
    )  # fmt: skip
    return {k: v for k, v in asdict(client).items() if k in shown}


# --- What can be a client ---------------------------------------------------


def check(wanted: NewClient | Client) -> None:
    """Refuse what cannot be a client. Raises FieldInvalid."""
    grants = wanted.grant_types
    redirects = GrantType.AUTHORIZATION_CODE in grants
    if not {*grants} - {GrantType.REFRESH_TOKEN}:
        raise FieldInvalid("/grantTypes", "must have a way to the first token.")
    for own in (GrantType.CLIENT_CREDENTIALS, GrantType.PASSWORD):
        if own in grants and not wanted.confidential:
            raise FieldInvalid("/grantTypes", f"must not have {own.value} without a secret.")
    proofs = {
        "/keys": wanted.keys,
        "/certificateName": wanted.certificate_name,
        "/certificates": wanted.certificates,
    }
    shown = [pointer for pointer, proof in proofs.items() if proof]
    if len(shown) > 1:
        raise FieldInvalid(shown[1], f"must be empty beside {shown[0]}: a client has one proof.")
    for pointer in (*shown, *(("/certificateBound",) if wanted.certificate_bound else ())):
        if not wanted.confidential:
            raise FieldInvalid(pointer, "must be empty where the client is public.")
    if GrantType.JWT_BEARER in grants and not wanted.keys:
        raise FieldInvalid("/grantTypes", "must not have jwt-bearer without keys.")
    if redirects and not wanted.redirect_uris:
        raise FieldInvalid("/redirectUris", "must name where authorization_code leads back to.")
    for number, uri in enumerate(wanted.redirect_uris):
        if (reason := why_not(uri)) is not None:
            raise FieldInvalid(f"/redirectUris/{number}", reason)


def check_home(wanted: NewClient | Client) -> None:
    """Refuse a client whose certificates nobody could vouch for. Raises FieldInvalid."""
    if wanted.certificate_name is not None and wanted.organization_id is None:
        raise FieldInvalid(
            "/certificateName", "must be empty without an organization, whose authorities sign."
        )


def _check_passwords(grants: Sequence[GrantType], *, passwords: bool) -> None:
    if GrantType.PASSWORD in grants and not passwords:
        raise FieldInvalid(
            "/grantTypes",
            "must not have password, unless the operator switches it on (oauth.password_grant).",
        )


def why_not(uri: str) -> str | None:
    """Tell why nobody can be led back to a URI; None if they can (RFC 8252, section 7)."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "is no URI."
    if any(not 0x21 <= ord(c) <= 0x7E or c in '"\\<>^`{|}*' for c in uri):
        return "must be plain ASCII, without spaces, wildcards or quotes."
    if parts.fragment or "#" in uri:
        return "must have no fragment."
    if parts.username is not None or parts.password is not None:
        return "must have no user name."
    if parts.scheme == "https":
        return None if parts.hostname else "must name a host."
    if parts.scheme == "http":
        return None if _is_loopback(parts) else "must be https, but for this machine itself."
    if _PRIVATE_SCHEME.fullmatch(parts.scheme) and not parts.netloc and port is None:
        return None
    return "must be https, http://127.0.0.1 or a scheme like com.example.app:/ of an app's own."


def leads_back(registered: Sequence[str], uri: str) -> bool:
    """Tell whether a URI is one that was registered, to the letter.

    Of a program on the person's own machine the port may differ (RFC 8252, section 7.3).
    """
    if uri in registered:
        return True
    try:
        parts = urlsplit(uri)
        if why_not(uri) is not None or parts.scheme != "http" or not _is_loopback(parts):
            return False
        return any(
            (known.scheme, known.hostname, known.path, known.query)
            == (parts.scheme, parts.hostname, parts.path, parts.query)
            for known in map(urlsplit, registered)
        )
    except ValueError:
        return False


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


async def _join(
    tx: Tx,
    caller: Caller,
    client_id: UUID,
    organization_id: UUID | None,
    group_ids: tuple[UUID, ...],
) -> None:
    """Put a client into groups; those it is in already are checked too."""
    for group_id in group_ids:
        group = await organizations.get_group(tx, caller, group_id)
        if organization_id is not None and group.organization_id != organization_id:
            raise GroupForeign(id=group_id)
        await organizations.grant(tx, caller, group_id, MemberKind.CLIENT, client_id)


async def leave(tx: Tx, caller: Caller, client_id: UUID, group_id: UUID) -> None:
    """Take a client out of a group."""
    try:
        await organizations.revoke(tx, caller, group_id, MemberKind.CLIENT, client_id)
    except PermissionGroupUnknown:
        # A group of another organisation gives a client nothing (see recognise).
        return
