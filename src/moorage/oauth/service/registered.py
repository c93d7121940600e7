"""Programs that registered themselves read, change and remove that (RFC 7592)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from moorage.kit.caller import SYSTEM, SYSTEM_ID, Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.kit.secrets import digest, make_token, same
from moorage.organizations import Permission

from ..errors import ClientNameTaken
from ..facts import ClientChanged, ClientRemoved
from ..model import BY_SECRET, CLIENT_SECRET_PREFIX, Answer, Client, NewClient, method_of
from ..store import clients as store
from .clients import check_home, end_own, leave, proof_of, view
from .registration import MALFORMED, NO_TOKEN, read, refused, shown

# What the server alone says of a client (section 2.2).
_NOT_TO_BE_SAID = (
    "registration_access_token", "registration_client_uri", "client_secret_expires_at",
    "client_id_issued_at",
)  # fmt: skip


async def read_own(tx: Tx, issuer: str, secret: str | None, client_id: str) -> Answer:
    """Tell a program what is registered of it, without its secret (section 2.1)."""
    found = await _find(tx, secret, client_id)
    return Answer(200, shown(found, issuer, secret, None)) if found and secret else NO_TOKEN


async def change_own(
    tx: Tx,
    issuer: str,
    secret: str | None,
    client_id: str,
    told: Mapping[str, Any],
    origin: str | None,
) -> Answer:
    """Put what a program tells in place of what is registered of it (section 2.2).

    It asks for no more than it may now: what people have taken from it, it does not take back.
    """
    found = await _find(tx, secret, client_id)
    if found is None or secret is None:
        return NO_TOKEN
    try:
        wanted = await _wanted(tx, found, told)
    except MALFORMED as wrong:
        return refused(wrong)
    tx.caller = _as_itself(found, origin)
    keeps_secret = method_of(wanted) in BY_SECRET
    had_secret = await store.secret_of(tx, found.id) is not None
    made = make_token(CLIENT_SECRET_PREFIX, 32) if keeps_secret and not had_secret else None
    columns: dict[str, Any] = {
        "name": wanted.name,
        "website": wanted.website,
        "confidential": wanted.confidential,
        "grant_types": [one.value for one in wanted.grant_types],
        "redirect_uris": list(wanted.redirect_uris),
        "scopes": [one.value for one in wanted.scopes or found.scopes],
        "keys": [dict(key) for key in wanted.keys],
        "certificate_name": wanted.certificate_name,
        "certificates": wanted.certificates,
        "certificate_bound": wanted.certificate_bound,
    }
    if made is not None or not keeps_secret:
        columns["digest"] = digest(made) if made else None
    try:
        await store.change(tx, found.id, columns)
    except ClientNameTaken as taken:
        return refused(taken)
    if keeps_secret != had_secret or proof_of(wanted) != proof_of(found):
        await end_own(tx, found)
    after = await store.get(tx, found.id)
    was, now = difference(view(found), view(after))
    tx.announce(ClientChanged(found.id, found.organization_id, was, now))
    return Answer(200, shown(after, issuer, secret, made))


async def remove_own(tx: Tx, secret: str | None, client_id: str, origin: str | None) -> Answer:
    """Remove a program that asks for it, with everything it was allowed (section 2.3)."""
    found = await _find(tx, secret, client_id)
    if found is None:
        return NO_TOKEN
    tx.caller = _as_itself(found, origin)
    for group_id in found.permission_group_ids:
        await leave(tx, _HAND, found.id, group_id)
    await store.remove(tx, found.id)
    tx.announce(ClientRemoved(found.id, found.organization_id, before=view(found)))
    return Answer(204, {})


# Takes a client that goes out of its groups, whoever put it in.
_HAND = Caller(
    CallerKind.SYSTEM, SYSTEM_ID, SYSTEM.label, (Grant(frozenset(p.value for p in Permission)),)
)


async def _find(tx: Tx, secret: str | None, client_id: str) -> Client | None:
    found = await store.find_registered(tx, digest(secret)) if secret else None
    return found if found is not None and str(found.id) == client_id else None


async def _wanted(tx: Tx, found: Client, told: Mapping[str, Any]) -> NewClient:
    """Read what a program wants to be. Raises one of `MALFORMED`."""
    if told.get("client_id") != str(found.id):
        raise FieldInvalid("/client_id", "must be its own")
    for name in _NOT_TO_BE_SAID:
        if name in told:
            raise FieldInvalid(f"/{name}", "is not for a program to say")
    if "client_secret" in told:
        kept = await store.secret_of(tx, found.id)
        if kept is None or not same(digest(str(told["client_secret"])), kept):
            raise FieldInvalid("/client_secret", "is not its own, which it does not choose")
    wanted = replace(read(told, found.grant_types), organization_id=found.organization_id)
    check_home(wanted)
    if not {*wanted.scopes} <= {*found.scopes}:
        raise FieldInvalid("/scope", "is more than it may ask for")
    return wanted


def _as_itself(client: Client, origin: str | None) -> Caller:
    return Caller(CallerKind.CLIENT, client.id, client.name, origin=origin)
