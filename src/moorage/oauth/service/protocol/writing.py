"""Does what was decided about a request of the protocol."""

from __future__ import annotations

from uuid import UUID

from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Tx
from moorage.kit.secrets import digest

from ...facts import AccessAllowed, AccessEnded, ClientSignedIn
from ...model import REFRESH_IDLE, Client
from ...store import authorizations
from ...store import clients as client_store
from .case import Case, Issued


async def write(tx: Tx, case: Case) -> None:
    """Write what came of a case; who asked is the client that was believed."""
    client = case.authenticated
    if client is None:
        return
    tx.caller = Caller(CallerKind.CLIENT, client.id, client.name, origin=case.form.origin)
    if case.ended is not None:
        await _end(tx, client, *case.ended)
    if case.waits is not None:
        await authorizations.add_device_code(tx, case.waits)
    if case.answered is not None:
        await authorizations.remove_device_code(tx, case.answered)
    elif case.polled is not None and case.device is not None:
        await authorizations.note_poll(tx, case.device.digest, case.polled)
    if case.issued is not None:
        await client_store.touch(tx, client)
        await _keep(tx, case, client, case.issued)


async def _keep(tx: Tx, case: Case, client: Client, issued: Issued) -> None:
    made, refresh = issued.authorization, issued.refresh
    if issued.old_refresh is not None and refresh is not None:
        await authorizations.exchange(tx, made.id, issued.old_refresh, digest(refresh))
        return
    idle_until = min(made.expires_at, tx.now + REFRESH_IDLE) if refresh else made.expires_at
    kept = digest(refresh) if refresh else None
    await authorizations.add(tx, made, idle_until=idle_until, refresh_digest=kept)
    if case.spent_code is not None:
        await authorizations.spend_code(tx, case.spent_code, made.id)
    after: dict[str, object] = {"scopes": made.scopes, "origin": case.form.origin}
    if made.user_id is None:
        tx.announce(ClientSignedIn(client.id, client.organization_id, after=after))
    elif case.named is not None:
        after |= {"client": client.id, "by": "password"}
        tx.announce(AccessAllowed(made.user_id, client.organization_id, after=after))


async def _end(tx: Tx, client: Client, authorization_id: UUID, reason: str) -> None:
    gone = await authorizations.remove(tx, authorization_id)
    if gone is not None:
        before = {"client": client.id, "scopes": gone.scopes, "reason": reason}
        subject_id = gone.user_id or client.id
        tx.announce(AccessEnded(subject_id, client.organization_id, before=before))
