"""Which client certificates a handshake may end well with.

OpenSSL ends a handshake at a certificate that no chain leads from to something it trusts, and
Python offers no way to judge it later. So each listener trusts the authorities that organisations
registered and the certificates that were added one by one; whose a certificate is, and whether it
still holds, is decided when the client connects (`devices.find_certified`). Nothing need be taken
out of the context again.
"""

from __future__ import annotations

import asyncio
import ssl
from uuid import UUID

import structlog

from moorage import devices
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells

log = structlog.get_logger()

CHANNEL = "moorage_certificates"
# X509_V_FLAG_NO_CHECK_TIME of X509_VERIFY_PARAM_set_flags(3), which Python has no name for: who
# comes with an expired certificate is told so, and listed with his device.
_DATES_LATER = 0x20_0000
# OpenSSL sorts all it has with each that comes: some milliseconds a turn of the event loop.
_AT_ONCE = 10


def ask_for_certificates(context: ssl.SSLContext) -> None:
    """Ask clients for a certificate, which they need not have."""
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_DATES_LATER)


class Anchors:
    """Keeps a server's context trusting what organisations trust."""

    def __init__(self, context: ssl.SSLContext, doorbells: Doorbells) -> None:
        self._context = context
        self._known: set[UUID] = set()
        self._changed = asyncio.Event()
        doorbells.on(CHANNEL, lambda _payload: self._changed.set())

    async def load(self, database: Database) -> None:
        """Trust what has come since. Raises DatabaseUnavailable."""
        async with database.begin() as tx:
            found = await devices.anchors(tx, frozenset(self._known))
        for at in range(0, len(found), _AT_ONCE):
            for anchor_id, der in found[at : at + _AT_ONCE]:
                self._trust(anchor_id, der)
            await asyncio.sleep(0)

    async def follow(self, database: Database) -> None:
        """Trust what comes, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.load(database)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self._changed.set()

    def _trust(self, anchor_id: UUID, der: bytes) -> None:
        self._known.add(anchor_id)
        try:
            self._context.load_verify_locations(cadata=der)
        except ssl.SSLError as failed:  # It was readable to another library, and harms nobody.
            log.warning("certificate_not_trusted", id=anchor_id, error=str(failed))
