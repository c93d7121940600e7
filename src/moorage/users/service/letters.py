"""What people are written, in English and Danish."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from moorage.kit import mail
from moorage.kit.db import Tx
from moorage.kit.mail import Post
from moorage.kit.smtp import Letter

from ..model import User


class Occasion(StrEnum):
    """Why somebody is written."""

    INVITED = "invited"
    ADDED = "added"
    RESET = "reset"
    LOCKED = "locked"
    PASSWORD_CHANGED = "passwordChanged"  # noqa: S105
    EMAIL_CHANGED = "emailChanged"
    FACTOR_SET = "factorSet"
    FACTOR_REMOVED = "factorRemoved"


# Subject and body; `{where}` is the installation, `{link}` where to go.
_ENGLISH: dict[Occasion, tuple[str, str]] = {
    Occasion.INVITED: (
        "You are invited to {organization}",
        "{inviter} invites you to {organization} at {where}.\n\n"
        "To accept, open this link until {until}:\n\n{link}\n\n"
        "If you have an account already, sign in as usual: the invitation waits for you there.\n"
        "If you know nothing of this, leave it be; nothing happens without the link.",
    ),
    Occasion.ADDED: (
        "Your account at {where}",
        "{inviter} has made you an account at {where}.\n\n"
        "This link lets you in once, until {until}. Set a password then:\n\n{link}",
    ),
    Occasion.RESET: (
        "A new password for {where}",
        "Somebody, from the address {origin}, asked for a new password for your account at "
        "{where}.\n\nTo set one, open this link until {until}. It works once, and ends all your "
        "sessions:\n\n{link}\n\n"
        "If it was not you, leave it be: your password stays as it is.",
    ),
    Occasion.LOCKED: (
        "Wrong passwords for your account at {where}",
        "Your account at {where} has been tried with several wrong passwords, last from the "
        "address {origin}. Each further try has to wait, up to a quarter of an hour.\n\n"
        "If it was not you, your password has held so far. Tell your administrator if it goes on.",
    ),
    Occasion.PASSWORD_CHANGED: (
        "Your password at {where} was changed",
        "The password of your account at {where} was changed, from the address {origin}. Your "
        "other sessions have ended.\n\n"
        "If it was not you, ask for a new password at {link} and tell your administrator.",
    ),
    Occasion.EMAIL_CHANGED: (
        "Your e-mail address at {where} was changed",
        "The e-mail address of your account at {where} is now {email}; this one no longer signs "
        "you in. It was changed by {inviter}.\n\n"
        "If this is not right, tell your administrator.",
    ),
    Occasion.FACTOR_SET: (
        "A second factor for your account at {where}",
        "An authenticator app or a passkey was added to your account at {where}, from the address "
        "{origin}.\n\nIf it was not you, tell your administrator at once.",
    ),
    Occasion.FACTOR_REMOVED: (
        "A second factor of your account at {where} was removed",
        "An authenticator app or a passkey was removed from your account at {where}, by {inviter}."
        "\n\nIf this is not right, tell your administrator at once.",
    ),
}
_DANISH: dict[Occasion, tuple[str, str]] = {
    Occasion.INVITED: (
        "Du er inviteret til {organization}",
        "{inviter} inviterer dig til {organization} på {where}.\n\n"
        "Sig ja ved at åbne dette link inden {until}:\n\n{link}\n\n"
        "Har du allerede en konto, så log ind som sædvanlig: invitationen venter på dig der.\n"
        "Kender du ikke til dette, så lad det ligge; der sker intet uden linket.",
    ),
    Occasion.ADDED: (
        "Din konto på {where}",
        "{inviter} har oprettet en konto til dig på {where}.\n\n"
        "Dette link lukker dig ind én gang, indtil {until}. Vælg derefter et password:"
        "\n\n{link}",
    ),
    Occasion.RESET: (
        "Et nyt password til {where}",
        "Nogen, fra adressen {origin}, har bedt om et nyt password til din konto på {where}.\n\n"
        "Vælg et ved at åbne dette link inden {until}. Det virker én gang og afslutter alle dine "
        "sessioner:\n\n{link}\n\n"
        "Var det ikke dig, så lad det ligge: dit password bliver, som det er.",
    ),
    Occasion.LOCKED: (
        "Forkerte passwords til din konto på {where}",
        "Din konto på {where} er blevet prøvet med flere forkerte passwords, senest fra "
        "adressen {origin}. Hvert nyt forsøg må vente, op til et kvarter.\n\n"
        "Var det ikke dig, har dit password holdt indtil nu. Sig det til din administrator, "
        "hvis det fortsætter.",
    ),
    Occasion.PASSWORD_CHANGED: (
        "Dit password på {where} er ændret",
        "Passwordet til din konto på {where} er ændret, fra adressen {origin}. Dine andre "
        "sessioner er afsluttet.\n\n"
        "Var det ikke dig, så bed om et nyt password på {link} og sig det til din administrator.",
    ),
    Occasion.EMAIL_CHANGED: (
        "Din e-mailadresse på {where} er ændret",
        "E-mailadressen til din konto på {where} er nu {email}; denne kan du ikke længere logge "
        "ind med. Den blev ændret af {inviter}.\n\n"
        "Er det ikke rigtigt, så sig det til din administrator.",
    ),
    Occasion.FACTOR_SET: (
        "Et ekstra bevis til din konto på {where}",
        "En godkendelsesapp eller en adgangsnøgle er føjet til din konto på {where}, fra adressen "
        "{origin}.\n\nVar det ikke dig, så sig det straks til din administrator.",
    ),
    Occasion.FACTOR_REMOVED: (
        "Et ekstra bevis er fjernet fra din konto på {where}",
        "En godkendelsesapp eller en adgangsnøgle er fjernet fra din konto på {where}, af "
        "{inviter}.\n\nEr det ikke rigtigt, så sig det straks til din administrator.",
    ),
}
_LETTERS = {"en": _ENGLISH, "da": _DANISH}


async def write(
    tx: Tx,
    post: Post,
    occasion: Occasion,
    to: str,
    language: str | None,
    *,
    about_id: UUID | None,
    path: str = "/sign-in",
    holds: timedelta = timedelta(days=1),
    until: datetime | None = None,
    **words: str | None,
) -> None:
    """Queue a letter, if this installation sends any.

    Args:
        tx: the change that it tells of.
        post: what it takes.
        occasion: which letter.
        to: the address.
        language: `en` where it is none that we know.
        about_id: the person it is about.
        path: where the link leads, from the console's address on.
        holds: for how long it is worth sending.
        until: how long the link holds.
        words: what else the letter names.
    """
    if not post.works:
        return
    known = language if language in _LETTERS else "en"
    subject, body = _LETTERS[known][occasion]
    told = {name: " ".join((word or "–").split()) for name, word in words.items()}
    told |= {
        "where": urlsplit(post.public_url).netloc,
        "link": f"{post.public_url}{path}",
        "until": f"{until:%Y-%m-%d %H:%M} UTC" if until else "",
    }
    letter = Letter(to, subject.format(**told), body.format(**told) + "\n", known)
    purpose = f"users.{occasion.value}"
    await mail.queue(tx, post, letter, purpose=purpose, about_id=about_id, holds=holds)


async def write_to(
    tx: Tx,
    post: Post,
    occasion: Occasion,
    user: User,
    *,
    path: str = "/sign-in",
    holds: timedelta = timedelta(days=1),
    until: datetime | None = None,
    **words: str | None,
) -> None:
    """Queue a letter to a person, as `write` does; to nobody where they have no address."""
    if user.email is not None:
        await write(
            tx,
            post,
            occasion,
            user.email,
            user.language,
            about_id=user.id,
            path=path,
            holds=holds,
            until=until,
            **words,
        )
