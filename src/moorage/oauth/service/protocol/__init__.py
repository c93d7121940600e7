"""The protocol: what was read is put before Authlib, and what it decided is written.

Authlib waits for no database, so each request is a `Case`: `gathering` reads what the request may
be about and holds it, Authlib decides (`grants`, `endpoints`), `writing` does what was decided, all
in one transaction.
"""

from __future__ import annotations

from moorage.kit.db import Tx
from moorage.users import SigningKeys

from ...model import Answer, Form
from . import gathering, writing
from .endpoints import Server

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


async def token(tx: Tx, keys: SigningKeys, issuer: str, form: Form) -> Answer:
    """Answer at the token endpoint (RFC 6749, sections 4 to 6; RFC 8628, section 3.4)."""
    case = await gathering.for_token(tx, keys, issuer, form)
    answer = Server(case).answer_token()
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
