"""Signing in by a provider: setting out for it, coming back, and who is let in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from moorage import users
from moorage.kit.db import Database, Tx
from moorage.kit.errors import MoorageError
from moorage.kit.mail import Post
from moorage.kit.secrets import digest, make_token
from moorage.users import CredentialsWrong, SignedIn, Visitor

from ..errors import (
    AccessAsked,
    AccessRejected,
    AnswerWrong,
    AttemptUnknown,
    NotLetIn,
    ProviderUnknown,
    ProviderUnreachable,
    SignInDeclined,
)
from ..model import Attempt, NewAccounts, Person, Provider, Saml, Told
from ..store import attempts, people
from ..store import providers as store
from . import accounts, federation, keys, openid, requests
from .issuers import Issuers, Unreached
from .registry import secret_of
from .saml import messages, oiosaml

log = structlog.get_logger()
CALLBACK = "/api/v1/auth/single-sign-on/callback"
# A path of the console; never another host's address.
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,499}")


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent, and what only it keeps until it comes back.

    Attributes:
        form: what is posted there; None where the browser just goes.
    """

    address: str
    browser: str
    form: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back, and where in the console they go on to."""

    signed_in: SignedIn
    to: str


def own_path(to: str | None) -> str:
    """Give a path of this console, whatever was asked for."""
    return to if to and _PATH.fullmatch(to) else "/"


async def set_out(
    database: Database, issuers: Issuers, post: Post, provider_id: UUID, to: str | None
) -> Departure:
    """Say where somebody signs in by a provider.

    Raises:
        ProviderUnknown: there is none, or people do not sign in by it.
        ProviderUnreachable.
    """
    async with database.begin() as tx:
        provider = await store.get(tx, provider_id)
        if not provider.enabled:
            raise ProviderUnknown(id=provider_id)
        ours = await keys.opened(tx, provider.id, post.sealer)
    state, browser = make_token("", 32), make_token("", 32)
    # By SAML the nonce is an XML name, which does not begin with a digit.
    attempt = Attempt(
        provider.id, make_token("_", 32), make_token("", 48), digest(browser), own_path(to)
    )
    settings = provider.settings
    try:
        if isinstance(settings, Saml):
            sending = messages.sign_in(
                federation.us(post, provider.id), await issuers.party(settings), ours[0],
                message_id=attempt.nonce, relay=state, name_id_format=settings.name_id_format,
                contexts=oiosaml.contexts(settings.assurance), now=datetime.now(UTC),
            )  # fmt: skip
        else:
            sending = messages.Sending(openid.way_there(
                await issuers.discover(settings), settings, back=f"{post.public_url}{CALLBACK}",
                state=state, nonce=attempt.nonce, verifier=attempt.verifier,
            ))  # fmt: skip
    except Unreached as lost:
        raise unreachable(provider, lost) from lost
    async with database.begin() as tx:
        await attempts.add(tx, digest(state), attempt)
    return Departure(sending.address, browser, sending.form)


async def come_back(
    database: Database,
    issuers: Issuers,
    post: Post,
    visitor: Visitor,
    *,
    state: str | None,
    browser: str | None,
    code: str | None,
    issuer: str | None,
    error: str | None,
) -> Arrival:
    """Let somebody in who comes back from a provider.

    Args:
        database: of everything.
        issuers: the way to providers.
        post: seals, and writes letters.
        visitor: from where.
        state: what they set out with, which works once.
        browser: what only the browser that set out holds.
        code: what the provider gives its answer for.
        issuer: who the provider says it is (RFC 9207).
        error: what the provider says instead of a code.

    Raises:
        AttemptUnknown, SignInDeclined, AnswerWrong, ProviderUnreachable, NotLetIn, AccessAsked,
        AccessRejected, CredentialsWrong.
    """
    attempt = None
    if state and browser:
        async with database.begin() as tx:
            attempt = await attempts.take(tx, digest(state), digest(browser))
            if attempt is not None:
                provider = await store.get(tx, attempt.provider_id)
                secret = await secret_of(tx, provider.id, post.sealer)
    if attempt is None:
        raise AttemptUnknown
    try:
        if not provider.enabled:
            raise ProviderUnknown(id=provider.id)
        told = await _told(
            issuers, provider, secret, attempt, digest(state or ""), post, code, issuer, error
        )
        return await let_in(database, post, visitor, provider, told, attempt.to)
    except (AccessAsked, ProviderUnreachable):
        raise
    except MoorageError as refused:
        await note_refusal(database, visitor, provider, refused)
        raise


async def note_refusal(
    database: Database, visitor: Visitor, provider: Provider, refused: MoorageError
) -> None:
    """Write down that somebody was not let in, and why."""
    if isinstance(refused, AnswerWrong):
        log.warning(
            "identity_provider_answer_wrong", provider_id=str(provider.id), error=str(refused)
        )
    async with database.begin() as tx:
        await users.refuse_known(tx, visitor, None, f"{provider.id}", refused.code)


async def _told(
    issuers: Issuers,
    provider: Provider,
    secret: str | None,
    attempt: Attempt,
    state: bytes,
    post: Post,
    code: str | None,
    issuer: str | None,
    error: str | None,
) -> Told:
    settings = provider.settings
    if isinstance(settings, Saml):
        return federation.arrived(provider, attempt, state, post)
    try:
        discovered = await issuers.discover(settings)
        if issuer != settings.issuer and (issuer is not None or discovered.names_issuer):
            # Another provider's answer to what we asked this one (RFC 9207, section 2.4).
            raise openid.Wrong("it comes from another issuer.")
        if error is not None or not code:
            raise SignInDeclined
        token, access = await openid.redeem(
            issuers, settings, code=code, verifier=attempt.verifier,
            back=f"{post.public_url}{CALLBACK}", secret=secret,
        )  # fmt: skip
        claims = await openid.read_id_token(
            issuers, settings, token, nonce=attempt.nonce, access=access, now=datetime.now(UTC)
        )
        claims = await openid.more_of(issuers, settings, claims, access)
        return openid.told_by(settings, claims, provider.proven_by, token)
    except Unreached as lost:
        raise unreachable(provider, lost) from lost
    except openid.Wrong as wrong:
        raise AnswerWrong(name=provider.name, reason=str(wrong)) from wrong


async def let_in(
    database: Database,
    post: Post,
    visitor: Visitor,
    provider: Provider,
    told: Told,
    to: str,
) -> Arrival:
    """Open a session for whom a provider knows; an account is made where that is so set up.

    Raises:
        NotLetIn, AccessAsked, AccessRejected, CredentialsWrong.
    """
    async with database.begin() as tx:
        person = await accounts.account_of(tx, provider, told)
        if provider.required and not told.groups & set(provider.required):
            if person is not None:
                # Who was let in before loses what the provider gave, and is out everywhere.
                await accounts.give(tx, person, frozenset())
                await users.sign_out_everywhere(tx, person.user_id)
            refusal: MoorageError | None = NotLetIn(reason="you are in none of the groups it asks.")
        else:
            refusal = None
            if person is None:
                person, refusal = await _welcome(tx, provider, told)
        if person is not None and refusal is None:
            return await _open(tx, post, visitor, provider, person, told, to)
    # What was decided is written, and then told.
    raise refusal or CredentialsWrong


async def _welcome(
    tx: Tx, provider: Provider, told: Told
) -> tuple[Person | None, MoorageError | None]:
    """Give somebody new an account, or say why not."""
    try:
        there = await accounts.linkable(tx, provider, told)
    except NotLetIn as refused:
        return None, refused
    if there is not None or accounts.may_have(provider, told):
        return await accounts.link_new(tx, provider, told, there), None
    if provider.new_accounts is not NewAccounts.ASKING:
        return None, NotLetIn(reason="no account is made for you.")
    asked = await requests.ask(tx, provider, told)
    return None, AccessRejected() if asked.rejected_at is not None else AccessAsked()


async def _open(
    tx: Tx,
    post: Post,
    visitor: Visitor,
    provider: Provider,
    person: Person,
    told: Told,
    to: str,
) -> Arrival:
    user = await users.read_account(tx, person.user_id)
    if not user.may_sign_in(tx.now):
        raise CredentialsWrong
    await accounts.follow(tx, provider, person, told)
    signed_in = await users.let_in_known(
        tx, person.user_id, visitor, by=f"{provider.protocol.value} {provider.id}",
        proven=told.proven,
    )  # fmt: skip
    session_id = signed_in.session.id
    hint = post.sealer.seal(told.hint.encode(), hint_context(session_id)) if told.hint else None
    called = digest(told.name_id) if told.name_id is not None else None
    await people.add_session(tx, session_id, person.user_id, told.session, hint, called)
    return Arrival(signed_in, to)


def hint_context(session_id: UUID) -> str:
    """Name what a sealed hint belongs to."""
    return f"identity_providers.hint:{session_id}"


def unreachable(provider: Provider, lost: Unreached) -> ProviderUnreachable:
    """Say, and log, that a provider cannot be asked."""
    log.warning("identity_provider_unreachable", provider_id=str(provider.id), error=str(lost))
    return ProviderUnreachable(name=provider.name, reason=str(lost))
