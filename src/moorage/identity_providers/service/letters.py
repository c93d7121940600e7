"""What people who asked for access are written, in English and Danish, in one letter.

Nothing is known yet of the language that they read.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from moorage.kit import mail
from moorage.kit.db import Tx
from moorage.kit.mail import Post
from moorage.kit.smtp import Letter

from ..model import AccessRequest


class Occasion(StrEnum):
    """Why somebody is written."""

    ACCEPTED = "accessAccepted"
    REJECTED = "accessRejected"


# Subject and body; `{where}` is the installation, `{link}` where to go.
_LETTERS = {
    Occasion.ACCEPTED: (
        "Your access to {where} · Din adgang til {where}",
        "Your request for access to {where} was accepted. Sign in by {provider}:\n\n{link}\n\n"
        "Din anmodning om adgang til {where} er godkendt. Log ind med {provider} på linket "
        "ovenfor.",
    ),
    Occasion.REJECTED: (
        "Your access to {where} · Din adgang til {where}",
        "Your request for access to {where} was rejected. If you think this is wrong, ask your "
        "user administrator; you may ask again after a week.\n\n"
        "Din anmodning om adgang til {where} er afvist. Synes du, det er forkert, så spørg din "
        "brugeradministrator; du kan anmode igen efter en uge.",
    ),
}


async def write(
    tx: Tx, post: Post, occasion: Occasion, request: AccessRequest, *, about_id: UUID
) -> None:
    """Queue a letter to who asked, if they have an address and this installation sends mail."""
    if not post.works or request.email is None:
        return
    subject, body = _LETTERS[occasion]
    told = {
        "where": urlsplit(post.public_url).netloc,
        "provider": " ".join(request.provider_name.split()),
        "link": f"{post.public_url}/sign-in?provider={request.provider_id}",
    }
    letter = Letter(request.email, subject.format(**told), body.format(**told) + "\n", "en")
    await mail.queue(
        tx, post, letter, purpose=f"identity_providers.{occasion.value}", about_id=about_id,
        holds=timedelta(days=1),
    )  # fmt: skip
