"""Passkeys (Web Authentication, Level 2): added, shown at the sign-in, removed.

A challenge is signed once, within five minutes, for what it was made for. A passkey whose device
verified its person (PIN, finger, face) stands for password and second factor at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from cbor2 import CBORDecodeError
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.mail import Post
from moorage.kit.secrets import digest

from ..errors import PasskeyRefused, PasskeyUnknown, TooManyPasskeys
from ..facts import PasskeyAdded, PasskeyRenamed
from ..model import MOST_PASSKEYS, ChallengeKind, Passkey, PasskeyOnFile, Visitor
from ..store import factors, sessions
from .attempts import confirm
from .homes import tell
from .letters import Occasion, write_to
from .people import my_user

# What the library raises at what is no answer of an authenticator, or a wrong one.
_WRONG = (WebAuthnException, CBORDecodeError, ValueError, KeyError, TypeError, IndexError)
Options = dict[str, Any]


def are_possible(public_url: str) -> bool:
    """Tell whether browsers offer passkeys there: a name, reached over TLS or on this machine."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return parts.scheme == "https" or host == "localhost"
    return False


async def begin_passkey(
    database: Database, caller: Caller, visitor: Visitor, post: Post, password: str | None
) -> Options:
    """Give what a browser makes a new passkey of.

    Raises:
        PersonNeeded, CredentialsWrong, TooManyFailures, TooManyPasskeys.
    """
    user = await confirm(database, caller, visitor, password)
    async with database.begin(caller) as tx:
        known = await factors.on_file(tx, user.id)
        if len(known) >= MOST_PASSKEYS:
            raise TooManyPasskeys(most=MOST_PASSKEYS)
        options = generate_registration_options(
            rp_id=_host(post),
            rp_name="Moorage",
            user_id=user.id.bytes,
            user_name=user.label,
            user_display_name=user.name,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=_described(known),
        )
        kind = ChallengeKind.REGISTRATION
        await factors.add_challenge(tx, kind, digest(options.challenge), user.id)
    return _json(options)


async def add_passkey(
    database: Database,
    caller: Caller,
    post: Post,
    name: str,
    credential: Mapping[str, Any],
) -> Passkey:
    """Take a new passkey; this session is proven where its device verified the person.

    Raises:
        PersonNeeded, TooManyPasskeys.
        PasskeyRefused: it was made for another site, too long ago, twice, or is there already.
    """
    async with database.begin(caller) as tx:
        user = await my_user(tx, caller)
        challenge = await _take(tx, ChallengeKind.REGISTRATION, credential, user.id)
    if challenge is None:
        raise PasskeyRefused
    try:
        made = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=_host(post),
            expected_origin=post.public_url,
        )
    except _WRONG as wrong:
        raise PasskeyRefused from wrong
    async with database.begin(caller) as tx:
        if len(await factors.on_file(tx, user.id)) >= MOST_PASSKEYS:
            raise TooManyPasskeys(most=MOST_PASSKEYS)
        added = await factors.add_passkey(
            tx, user.id, name, made.credential_id, made.credential_public_key, made.sign_count
        )
        if added is None:
            raise PasskeyRefused
        if caller.session_id is not None:
            await sessions.prove(tx, caller.session_id)
        await tell(tx, PasskeyAdded, user.id, after={"passkey": added.id})
        await write_to(tx, post, Occasion.FACTOR_SET, user, origin=caller.origin)
    return added


async def rename_passkey(tx: Tx, caller: Caller, passkey_id: UUID, name: str) -> Passkey:
    """Give one of the caller's passkeys another name. Raises PersonNeeded, PasskeyUnknown."""
    await my_user(tx, caller)
    renamed = await factors.rename_passkey(tx, caller.id, passkey_id, name)
    if renamed is None:
        raise PasskeyUnknown(id=passkey_id)
    await tell(tx, PasskeyRenamed, caller.id, after={"passkey": passkey_id})
    return renamed


async def ask_first(tx: Tx, post: Post) -> Options:
    """Give what a browser shows a choice of passkeys for, whoever sits there."""
    options = generate_authentication_options(
        rp_id=_host(post), user_verification=UserVerificationRequirement.REQUIRED
    )
    await factors.add_challenge(tx, ChallengeKind.SIGN_IN, digest(options.challenge))
    return _json(options)


async def ask_second(tx: Tx, post: Post, user_id: UUID) -> Options:
    """Give what one of a person's passkeys is to sign beside the password."""
    options = generate_authentication_options(
        rp_id=_host(post),
        allow_credentials=_described(await factors.on_file(tx, user_id)),
        user_verification=UserVerificationRequirement.DISCOURAGED,
    )
    kind = ChallengeKind.SECOND_FACTOR
    await factors.add_challenge(tx, kind, digest(options.challenge), user_id)
    return _json(options)


async def check_first(tx: Tx, post: Post, credential: Mapping[str, Any]) -> UUID | None:
    """Tell whose passkey signed, its person verified; nothing where anything is not right."""
    challenge = await _take(tx, ChallengeKind.SIGN_IN, credential, None)
    known = await _find(tx, credential)
    if challenge is None or known is None:
        return None
    handle = _bytes(_response(credential).get("userHandle"))
    if handle not in (None, known.user_id.bytes):
        return None
    right = await _check(tx, post, known, credential, challenge, verified=True)
    return known.user_id if right else None


async def check_second(tx: Tx, post: Post, user_id: UUID, credential: Mapping[str, Any]) -> bool:
    """Tell whether a passkey of this person signed."""
    challenge = await _take(tx, ChallengeKind.SECOND_FACTOR, credential, user_id)
    known = await _find(tx, credential)
    if challenge is None or known is None or known.user_id != user_id:
        return False
    return await _check(tx, post, known, credential, challenge, verified=False)


# --- Inside -----------------------------------------------------------------


async def _check(
    tx: Tx,
    post: Post,
    known: PasskeyOnFile,
    credential: Mapping[str, Any],
    challenge: bytes,
    *,
    verified: bool,
) -> bool:
    try:
        shown = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=_host(post),
            expected_origin=post.public_url,
            credential_public_key=known.public_key,
            # A count that does not grow is a copy of the device (section 6.1.1).
            credential_current_sign_count=known.sign_count,
            require_user_verification=verified,
        )
    except _WRONG:
        return False
    await factors.note_use(tx, known.id, shown.new_sign_count)
    return True


async def _take(
    tx: Tx, kind: ChallengeKind, credential: Mapping[str, Any], user_id: UUID | None
) -> bytes | None:
    """Use up the challenge that was signed; gives it, or nothing where it was not ours."""
    data = _bytes(_response(credential).get("clientDataJSON"))
    try:
        challenge = _bytes(json.loads(data or b"null")["challenge"])
    except (ValueError, KeyError, TypeError):
        return None
    if challenge is None or not await factors.take_challenge(tx, kind, digest(challenge), user_id):
        return None
    return challenge


async def _find(tx: Tx, credential: Mapping[str, Any]) -> PasskeyOnFile | None:
    credential_id = _bytes(credential.get("rawId"))
    return None if credential_id is None else await factors.find_passkey(tx, credential_id)


def _response(credential: Mapping[str, Any]) -> Mapping[str, Any]:
    found = credential.get("response")
    return found if isinstance(found, Mapping) else {}


def _bytes(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return base64url_to_bytes(text)
    except ValueError:
        return None


def _described(known: list[PasskeyOnFile]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in known]


def _json(options: Any) -> Options:
    made: Options = json.loads(options_to_json(options))
    return made


def _host(post: Post) -> str:
    return urlsplit(post.public_url).hostname or "localhost"
