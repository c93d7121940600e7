"""The protocol: what was read is put before Authlib, and what it decided is written.

Authlib waits for no database, so each request is a `Case`: `gathering` reads what the request may
be about and holds it, Authlib decides (`grants`, `endpoints`), `writing` does what was decided, all
in one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from moorage.kit.db import Database, Tx
from moorage.users import (
    CredentialsWrong,
    SecondFactorNeeded,
    SigningKeys,
    TooManyFailures,
    Visitor,
)

from ...model import Answer, Form, GrantType
from . import gathering, writing
from .endpoints import Server

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# Tells whose a name and password are, as `users.prove_password` does.
Look = Callable[[Visitor, str, str], Awaitable[UUID]]


async def token(
    database: Database, keys: SigningKeys, issuer: str, form: Form, look: Look | None
) -> Answer:
    """Answer at the token endpoint (RFC 6749, sections 4 to 6; RFC 8628, section 3.4).

    Args:
        database: a password takes longer than a transaction may.
        keys: sign the tokens.
        issuer: the installation's address.
        form: what was asked.
        look: tells whose a name and password are, where programs may show them (section 4.3).
    """
    if look is not None and form.fields.get("grant_type") == GrantType.PASSWORD:
        return await _by_password(database, keys, issuer, form, look)
    async with database.begin() as tx:
        case = await gathering.for_token(tx, keys, issuer, form)
        answer = Server(case).answer_token()
        await writing.write(tx, case)
    return answer


async def _by_password(
    database: Database, keys: SigningKeys, issuer: str, form: Form, look: Look
) -> Answer:
    """Answer a program that shows a person's name and password.

    The client is believed before anybody looks at the password, so that nobody tries passwords by a
    client that is not theirs. They are counted and slowed down as those of who signs in.
    """
    async with database.begin() as tx:
        case = await gathering.for_client(tx, keys, issuer, form)
    if case.client is not None and Server(case, passwords=True).may_show_passwords():
        visitor = Visitor(form.origin, case.client.name)
        try:
            case.named = await look(visitor, form.fields["username"], form.fields["password"])
        except TooManyFailures as wait:
            case.wait_s = wait.public["retry_after_s"]
        except (CredentialsWrong, SecondFactorNeeded):
            pass
    async with database.begin() as tx:
        await gathering.hold(tx, case)
        answer = Server(case, passwords=True).answer_token()
        await writing.write(tx, case)
    return answer


async def revoke(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Answer:
    """End what a token belongs to (RFC 7009)."""
    case = await gathering.for_known_token(tx, keys, issuer, form)
    answer = Server(case).answer_at("revocation")
    await writing.write(tx, case)
    return answer


async def introspect(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Answer:
    """Tell a client about a token of its organisation (RFC 7662)."""
    case = await gathering.for_known_token(tx, keys, issuer, form)
    return Server(case).answer_at("introspection")


async def start_device(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Answer:
    """Give a device what it and a person need to meet (RFC 8628, section 3.1)."""
    case = await gathering.for_client(tx, keys, issuer, form)
    answer = Server(case).answer_at("device_authorization")
    await writing.write(tx, case)
    return answer
