"""Signing out because a provider by SAML says so (Single Logout; SAML Profiles, section 4.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from moorage import users
from moorage.kit.db import Database
from moorage.kit.mail import Post
from moorage.kit.secrets import digest, make_token

from ..errors import LogoutRequestWrong, ProviderUnknown, ProviderUnreachable
from ..model import Saml
from ..store import attempts, people
from ..store import providers as store
from . import federation, keys
from .issuers import Issuers, Unreached
from .openid import LOOKED_FOR_EVERY_S
from .saml import messages, responses, signatures
from .saml.messages import Sending
from .saml.metadata import Party, Us
from .saml.responses import Leaving
from .saml.xml import Wrong, parse


async def end_by_request(
    database: Database,
    issuers: Issuers,
    post: Post,
    provider_id: UUID,
    *,
    form: tuple[str, str | None] | None = None,
    query: str | None = None,
) -> Sending | None:
    """End the sessions that a provider's request names; give where the browser tells it so.

    Args:
        database: of everything.
        issuers: the way to providers.
        post: opens our keys.
        provider_id: whose door it came to.
        form: message and relay state, where they came by a form.
        query: as it came by redirect, with the signature in it.

    Raises:
        ProviderUnknown, ProviderUnreachable.
        LogoutRequestWrong: it does not hold, or was shown before.
    """
    async with database.begin() as tx:
        provider = await store.get(tx, provider_id)
        ours = await keys.opened(tx, provider.id, post.sealer)
    settings = provider.settings
    if not isinstance(settings, Saml) or not provider.enabled:
        raise ProviderUnknown(id=provider_id)
    we = federation.us(post, provider.id)
    try:
        party = await issuers.party(settings)
        try:
            leaving, relay = _read(form, query, we, party)
        except Wrong:
            if settings.metadata_url is None:
                raise
            party = await issuers.party(settings, newer_than_s=LOOKED_FOR_EVERY_S)
            leaving, relay = _read(form, query, we, party)
    except Unreached as lost:
        raise ProviderUnreachable(name=provider.name, reason=str(lost)) from lost
    except Wrong as wrong:
        raise LogoutRequestWrong(reason=str(wrong)) from wrong
    async with database.begin() as tx:
        if not await attempts.spend(tx, digest(f"{provider.id}:{leaving.id}"), leaving.until):
            raise LogoutRequestWrong(reason="it was shown before.")
        found = await people.sessions_called(
            tx, provider.id, digest(leaving.name), leaving.sessions
        )
        for session in found:
            await users.end_sessions_known(tx, session.user_id, [session.id])
    return messages.signed_out(
        we, party, ours[0], message_id=make_token("_", 32), to=leaving.id, relay=relay,
        now=datetime.now(UTC),
    )  # fmt: skip


def _read(
    form: tuple[str, str | None] | None, query: str | None, we: Us, party: Party
) -> tuple[Leaving, str | None]:
    """Read a request; give the relay state beside it. Raises Wrong."""
    if form is not None:
        message, relay = form
        request = parse(messages.unpack(message, deflated=False))
        request = signatures.verify(request, party.certificates)
    else:
        message, relay = signatures.verify_query(query or "", "SAMLRequest", party.certificates)
        request = parse(messages.unpack(message, deflated=True))
    return responses.read_logout(request, we, party, datetime.now(UTC)), relay
