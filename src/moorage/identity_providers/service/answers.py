"""Answers of providers by SAML, which browsers bring by a form.

The browser comes from the provider's page, so it shows no cookie of ours. What the answer says is
therefore kept for the attempt that it answers, and the browser is sent on to fetch it: only the
one that set out can.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from moorage.kit.db import Database
from moorage.kit.errors import MoorageError
from moorage.kit.mail import Post
from moorage.kit.secrets import digest
from moorage.users import Visitor

from ..errors import (
    AccessAsked,
    AnswerWrong,
    AttemptUnknown,
    ProviderUnknown,
    ProviderUnreachable,
    SignInDeclined,
)
from ..model import CLOCK_SKEW, Provider, Saml, Told
from ..store import attempts
from ..store import providers as store
from . import federation, keys
from .flow import Arrival, let_in, note_refusal, own_path, unreachable
from .issuers import Issuers, Unreached
from .openid import LOOKED_FOR_EVERY_S
from .saml import responses
from .saml.messages import OurKey, unpack
from .saml.metadata import Party
from .saml.responses import Assertion, Declined, Expected
from .saml.xml import Wrong

# Whoever may be shown for longer would have to be remembered for as long.
LONGEST_SHOWN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an answer.

    Attributes:
        state: what the browser that set out fetches it with.
        arrival: who is let in where nobody had set out.
    """

    state: str | None = None
    arrival: Arrival | None = None


async def receive(
    database: Database,
    issuers: Issuers,
    post: Post,
    visitor: Visitor,
    provider_id: UUID,
    *,
    message: str,
    relay: str | None,
) -> Answered:
    """Take a provider's answer about somebody.

    Args:
        database: of everything.
        issuers: the way to providers.
        post: seals, and writes letters.
        visitor: from where.
        provider_id: whose door it came to.
        message: base64.
        relay: what was sent along when somebody set out.

    Raises:
        ProviderUnknown, AttemptUnknown, SignInDeclined, AnswerWrong, ProviderUnreachable, NotLetIn,
        AccessAsked, AccessRejected, CredentialsWrong.
    """
    state = digest(relay) if relay else None
    async with database.begin() as tx:
        provider = await store.get(tx, provider_id)
        attempt = await attempts.find(tx, state) if state else None
        ours = await keys.opened(tx, provider.id, post.sealer)
    settings = provider.settings
    if not isinstance(settings, Saml) or not provider.enabled:
        raise ProviderUnknown(id=provider_id)
    if attempt is not None and attempt.provider_id != provider.id:
        attempt = None
    if attempt is None and not settings.unsolicited:
        raise AttemptUnknown
    request = attempt.nonce if attempt is not None else None
    try:
        assertion, told = await _told(issuers, provider, settings, ours, post, message, request)
        await _spend(database, provider, assertion)
        if attempt is None or state is None:
            arrival = await let_in(database, post, visitor, provider, told, own_path(relay))
            return Answered(arrival=arrival)
        async with database.begin() as tx:
            if not await attempts.arrive(tx, state, federation.sealed(post, state, told)):
                raise AttemptUnknown
    except (AccessAsked, ProviderUnreachable):
        raise
    except MoorageError as refused:
        if attempt is not None and state is not None:
            async with database.begin() as tx:
                await attempts.drop(tx, state)
        await note_refusal(database, visitor, provider, refused)
        raise
    return Answered(state=relay)


async def _told(
    issuers: Issuers,
    provider: Provider,
    settings: Saml,
    ours: list[OurKey],
    post: Post,
    message: str,
    request: str | None,
) -> tuple[Assertion, Told]:
    """Read an answer; a provider that can be asked may have new keys."""

    def read(party: Party) -> tuple[Assertion, Told]:
        expected = Expected(
            federation.us(post, provider.id), party, settings,
            tuple(one.key for one in ours), request, datetime.now(UTC),
        )  # fmt: skip
        assertion = responses.read(unpack(message, deflated=False), expected)
        return assertion, responses.told_by(settings, assertion, provider.proven_by)

    try:
        party = await issuers.party(settings)
        try:
            return read(party)
        except Wrong:
            if settings.metadata_url is None:
                raise
            anew = await issuers.party(settings, newer_than_s=LOOKED_FOR_EVERY_S)
            if anew.certificates == party.certificates:
                raise
            return read(anew)
    except Unreached as lost:
        raise unreachable(provider, lost) from lost
    except Declined as declined:
        raise SignInDeclined from declined
    except Wrong as wrong:
        raise AnswerWrong(name=provider.name, reason=str(wrong)) from wrong


async def _spend(database: Database, provider: Provider, assertion: Assertion) -> None:
    """Note that an assertion was shown, in any process. Raises AnswerWrong: not the first time."""
    now = datetime.now(UTC)
    if assertion.until > now + LONGEST_SHOWN:
        raise AnswerWrong(name=provider.name, reason="it may be shown for longer than a day.")
    async with database.begin() as tx:
        named = digest(f"{provider.id}:{assertion.id}")
        if not await attempts.spend(tx, named, assertion.until + 2 * CLOCK_SKEW):
            raise AnswerWrong(name=provider.name, reason="it was shown before.")
