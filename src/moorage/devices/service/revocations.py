"""Lists of certificates that an authority has revoked (RFC 5280, section 5).

A list is uploaded, or fetched from where the authority publishes it. What is on it lets in no more:
a credential is revoked as by hand, and a certificate that is shown for the first time is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from moorage import organizations
from moorage.kit import certificates
from moorage.kit.caller import Caller
from moorage.kit.certificates import RevocationList, Unreadable
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.errors import FieldInvalid, MoorageError
from moorage.kit.fetch import fetch
from moorage.kit.outbound import Outbound
from moorage.organizations import Permission

from .. import store
from ..errors import RevocationListOld
from ..facts import RevocationListChanged
from ..model import DeviceAuthority, KnownList

log = structlog.get_logger()

MOST_BYTES = 4_194_304
MOST_REVOKED = 100_000
# How often a list is fetched, and how often it is looked which are due.
FETCH_EVERY = timedelta(minutes=30)
LOOK_EVERY_S = 30.0
_FETCH_S = 30.0
_AT_ONCE = 4


async def with_lists(tx: Tx, found: Sequence[DeviceAuthority]) -> list[KnownList]:
    """Give authorities with how many certificates each has revoked."""
    counts = await store.certificates.count_revoked(tx, [one.id for one in found])
    return [KnownList(one, counts.get(one.id, 0)) for one in found]


async def put_list(
    tx: Tx, caller: Caller, organization_id: UUID, authority_id: UUID, data: bytes
) -> DeviceAuthority:
    """Take the list that somebody uploads.

    Raises:
        OrganizationUnknown, PermissionMissing, AuthorityUnknown.
        FieldInvalid: it is no list that the authority signed.
        RevocationListOld: a later one is known.
    """
    authority = await _mine(tx, caller, organization_id, authority_id)
    try:
        found = _read(data, authority)
    except Unreadable as wrong:
        raise FieldInvalid("/list", f"{wrong}.") from wrong
    return await _take(tx, authority, found)


async def set_address(
    tx: Tx, caller: Caller, organization_id: UUID, authority_id: UUID, url: str | None
) -> DeviceAuthority:
    """Say where the list is fetched from; None for nowhere. What is known of it stays.

    Raises:
        OrganizationUnknown, PermissionMissing, AuthorityUnknown.
        FieldInvalid: that is no address of http or https.
    """
    before = await _mine(tx, caller, organization_id, authority_id)
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise FieldInvalid("/url", "must begin with http:// or https:// and name a host.")
    after = await store.certificates.change_list(
        tx, authority_id, list_url=url, list_looked_at=None, list_problem=None
    )
    _announce(tx, before, after)
    return after


async def _mine(
    tx: Tx, caller: Caller, organization_id: UUID, authority_id: UUID
) -> DeviceAuthority:
    await organizations.get(tx, caller, organization_id)
    organizations.require(caller, Permission.MANAGE_DEVICES, organization_id)
    await store.certificates.get_authority(tx, organization_id, authority_id)
    found = await store.certificates.lock_authority(tx, authority_id)
    return found or await store.certificates.get_authority(tx, organization_id, authority_id)


def _read(data: bytes, authority: DeviceAuthority) -> RevocationList:
    """Read a list. Raises Unreadable."""
    found = certificates.read_revocation_list(data, authority.certificate)
    if len(found.revoked) > MOST_REVOKED:
        raise Unreadable(f"holds more than {MOST_REVOKED} certificates")
    return found


async def _take(tx: Tx, authority: DeviceAuthority, found: RevocationList) -> DeviceAuthority:
    """Take over what a list says. Raises RevocationListOld."""
    known_at, number = authority.list_issued_at, authority.list_number
    is_old = known_at is not None and found.issued_at < known_at
    if number is not None and found.number is not None:
        is_old = found.number < number
    if is_old and known_at is not None:
        raise RevocationListOld(
            issued_at=f"{found.issued_at:%Y-%m-%d %H:%M}", known_at=f"{known_at:%Y-%m-%d %H:%M}"
        )
    after = await store.certificates.change_list(
        tx,
        authority.id,
        list_number=found.number,
        list_issued_at=found.issued_at,
        list_next_at=found.next_at,
        list_looked_at=tx.now,
        list_problem=None,
    )
    if found.issued_at != known_at or found.number != number:
        await store.certificates.put_revoked(tx, authority.id, found.revoked)
        _announce(tx, authority, after, revoked=len(found.revoked))
    return after


def _announce(tx: Tx, before: DeviceAuthority, after: DeviceAuthority, **more: object) -> None:
    def view(one: DeviceAuthority) -> dict[str, object]:
        return {"url": one.list_url, "issuedAt": one.list_issued_at, "nextAt": one.list_next_at}

    tx.announce(
        RevocationListChanged(
            after.id, after.organization_id, before=view(before), after={**view(after), **more}
        )
    )


# --- Fetched ------------------------------------------------------------------


class ListFetcher:
    """Fetches the lists whose addresses are known, one worker at a time each."""

    def __init__(self, database: Database, outbound: Outbound) -> None:
        self._database = database
        self._outbound = outbound

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.fetch_due()
            except DatabaseUnavailable:
                log.warning("revocation_lists_wait")
            await asyncio.sleep(LOOK_EVERY_S)

    async def fetch_due(self) -> int:
        """Fetch what is due, and give how many lists that were. Raises DatabaseUnavailable."""
        fetched = 0
        while True:
            async with self._database.begin() as tx:
                due = await store.certificates.lists_due(tx, tx.now - FETCH_EVERY, _AT_ONCE)
            if not due:
                return fetched
            await asyncio.gather(*(self._fetch(one) for one in due))
            fetched += len(due)

    async def _fetch(self, authority: DeviceAuthority) -> None:
        problem, data = None, b""
        try:
            url = authority.list_url or ""
            data = await fetch(self._outbound, url, most_bytes=MOST_BYTES, timeout_s=_FETCH_S)
            # A list of megabytes takes a while to read.
            found = await asyncio.to_thread(_read, data, authority)
            async with self._database.begin() as tx:
                now = await store.certificates.lock_authority(tx, authority.id)
                if now is not None and now.list_url == authority.list_url:
                    await _take(tx, now, found)
        except DatabaseUnavailable:
            raise
        except (MoorageError, Unreadable) as failed:
            problem = str(failed) if isinstance(failed, MoorageError) else f"It {failed}."
        if problem is not None:
            log.warning("revocation_list_not_taken", authority_id=authority.id)
            async with self._database.begin() as tx:
                now = await store.certificates.lock_authority(tx, authority.id)
                if now is not None and now.list_url == authority.list_url:
                    await store.certificates.change_list(tx, now.id, list_problem=problem)
