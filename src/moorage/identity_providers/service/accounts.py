"""Accounts of people of identity providers: made, linked by what never changes, kept in step."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog

from moorage import users
from moorage.kit.db import Tx
from moorage.users import EmailTaken, User, UserUnknown

from ..errors import NotLetIn
from ..facts import PersonLinked
from ..model import EVERY_DOMAIN, NewAccounts, Person, Provider, Told
from ..store import attempts, people

log = structlog.get_logger()


def believed(provider: Provider, email: str | None) -> str | None:
    """Give a person's address if the provider speaks for its domain."""
    if email is None:
        return None
    domain = email.rpartition("@")[2].lower()
    known = domain in provider.domains or EVERY_DOMAIN in provider.domains
    return email if known else None


def may_have(provider: Provider, told: Told) -> bool:
    """Tell whether an account is made for somebody at once."""
    if provider.new_accounts in (NewAccounts.MAPPED, NewAccounts.ASKING):
        return bool(users.mapped_to(provider.mappings, told.groups))
    return provider.new_accounts is NewAccounts.EVERYBODY


async def account_of(tx: Tx, provider: Provider, told: Told) -> Person | None:
    """Find the account of somebody; whom an administrator erased begins anew."""
    await people.lock_subject(tx, provider.id, told.subject)
    found = await people.of_subject(tx, provider.id, told.subject)
    if found is None:
        return None
    try:
        await users.read_account(tx, found.user_id)
    except UserUnknown:
        await people.unlink(tx, found.user_id)
        return None
    return found


async def linkable(tx: Tx, provider: Provider, told: Told) -> User | None:
    """Find an account that is there already and becomes the person's.

    Raises:
        NotLetIn: there is one with their address, and it is not theirs to have.
    """
    email = believed(provider, told.email)
    there = await users.find_by_email(tx, email) if email else None
    if there is None:
        return None
    if not provider.link_by_email:
        reason = "there is an account with this e-mail address already."
    elif there.has_password:
        reason = "there is an account with this e-mail address and a password of its own."
    elif await people.of_user(tx, there.id) is not None:
        reason = "the account with this e-mail address belongs to somebody else."
    elif not there.may_sign_in(tx.now):
        reason = "the account with this e-mail address is closed."
    else:
        return there
    raise NotLetIn(reason=reason)


async def link_new(tx: Tx, provider: Provider, told: Told, user: User | None) -> Person:
    """Make somebody's account, or give them one that is there; nobody asks permission in here."""
    if user is None:
        user = await users.take_in(
            tx,
            email=believed(provider, told.email),
            name=told.name,
            expires_at=None,
            home=provider.organization_id,
        )
    person = Person(user.id, provider.id, told.subject)
    await people.link(tx, person)
    after = {"provider": str(provider.id)}
    tx.announce(PersonLinked(user.id, provider.organization_id, after=after))
    return person


async def follow(tx: Tx, provider: Provider, person: Person, told: Told) -> None:
    """Bring an account in step with what its provider says."""
    user = await users.read_account(tx, person.user_id)
    changes: dict[str, Any] = {"name": told.name}
    if email := believed(provider, told.email):
        changes["email"] = email
    try:
        async with tx.attempt():
            await users.follow(tx, user, changes)
    except EmailTaken:
        log.warning("identity_provider_address_taken", user_id=str(user.id))
        changes.pop("email")
        await users.follow(tx, user, changes)
    await people.note_seen(tx, person.user_id)
    await give(tx, person, users.mapped_to(provider.mappings, told.groups))


async def give(tx: Tx, person: Person, wanted: frozenset[UUID]) -> None:
    """Put somebody into what they are mapped to, and out of what they were."""
    given = await users.put_into(tx, person.user_id, wanted, person.given)
    if given != person.given:
        await people.set_given(tx, person.user_id, given)


async def clear_away(tx: Tx) -> None:
    """Forget attempts and requests that are over, and who was erased."""
    await attempts.drop_expired(tx)
    await people.forget_erased(tx)


async def let_go(tx: Tx, provider: Provider, *, keep: bool) -> None:
    """Sign everybody of a provider out, and take from them what it gave unless that is kept."""
    for person in await people.of_provider(tx, provider.id):
        if not keep:
            await give(tx, person, frozenset())
        await users.sign_out_everywhere(tx, person.user_id)
