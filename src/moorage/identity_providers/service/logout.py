"""Signing out: here and at the provider, or because the provider says so."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from moorage import users
from moorage.kit.caller import Caller
from moorage.kit.db import Database
from moorage.kit.mail import Post
from moorage.kit.secrets import RootKeyWrong, digest, make_token

from ..errors import LogoutTokenWrong, ProviderUnreachable
from ..model import CLOCK_SKEW, OpenIdConnect, Saml
from ..store import attempts, people
from ..store import providers as store
from . import federation, keys, openid
from .flow import hint_context
from .issuers import Issuers, Unreached
from .saml import messages

# A logout token holds for two minutes or so (Back-Channel Logout 1.0, section 2.4); what a
# provider says for longer is not remembered for longer than this.
LONGEST_REMEMBERED = timedelta(days=1)


async def sign_out(database: Database, caller: Caller, issuers: Issuers, post: Post) -> str | None:
    """End the session of this request; give where the browser signs out at its provider, if any."""
    async with database.begin(caller) as tx:
        found = await people.session(tx, caller.session_id) if caller.session_id else None
        provider = await store.get(tx, found.provider_id) if found else None
        ours = await keys.opened(tx, provider.id, post.sealer) if provider else []
        await users.sign_out(tx, caller)
    if found is None or provider is None or not provider.enabled:
        return None
    hint = None
    if found.hint is not None:
        with contextlib.suppress(RootKeyWrong):
            # Sealed with a key that is gone since: the provider asks the person instead.
            hint = post.sealer.open(found.hint, hint_context(found.id)).decode()
    settings = provider.settings
    try:
        if isinstance(settings, Saml):
            if hint is None:
                return None
            sending = messages.sign_out(
                federation.us(post, provider.id), await issuers.party(settings), ours[0],
                message_id=make_token("_", 32), named=messages.Named.read(hint),
                now=datetime.now(UTC),
            )  # fmt: skip
            return sending.address if sending is not None else None
        discovered = await issuers.discover(settings)
    except Unreached:
        return None
    return openid.way_out(discovered, settings, hint, f"{post.public_url}/sign-in")


async def end_by_provider(database: Database, issuers: Issuers, token: str) -> int:
    """End the sessions that a provider's logout token names; give how many there were.

    Raises:
        LogoutTokenWrong: it does not hold, or was shown before.
        ProviderUnreachable: its keys cannot be had now; the provider may try again.
    """
    try:
        issuer, audience = openid.unproven(token)
    except openid.Wrong as wrong:
        raise LogoutTokenWrong(reason=str(wrong)) from wrong
    async with database.begin() as tx:
        known = await store.of_issuer(tx, issuer) if issuer else []
    ours = [
        (one, one.settings)
        for one in known
        if isinstance(one.settings, OpenIdConnect) and one.settings.client_id in audience
    ]
    if not ours:
        raise LogoutTokenWrong(reason="it is of no identity provider that is known here.")
    ended, holds = 0, False
    wrong_reason = ""
    for provider, settings in ours:
        now = datetime.now(UTC)
        try:
            claims = await openid.read_logout_token(issuers, settings, token, now)
        except openid.Wrong as wrong:
            wrong_reason = str(wrong)
            continue
        except Unreached as lost:
            raise ProviderUnreachable(name=provider.name, reason=str(lost)) from lost
        holds = True
        until = datetime.fromtimestamp(float(claims["exp"]), UTC) + CLOCK_SKEW
        async with database.begin() as tx:
            named = digest(f"{provider.id}:{claims['jti']}")
            if not await attempts.spend(tx, named, min(until, now + LONGEST_REMEMBERED)):
                raise LogoutTokenWrong(reason="it was shown before.")
            found = await people.sessions_of(tx, provider.id, claims.get("sub"), claims.get("sid"))
            for session in found:
                ended += len(await users.end_sessions_known(tx, session.user_id, [session.id]))
    if not holds:
        raise LogoutTokenWrong(reason=wrong_reason)
    return ended
