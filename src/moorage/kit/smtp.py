"""Speaking to the SMTP server that takes our mail."""

from __future__ import annotations

import asyncio
import email.utils
import ssl
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import SecretStr

if TYPE_CHECKING:
    import aiosmtplib

# No single try takes longer.
LONGEST_TRY_S = 180.0


@dataclass(frozen=True, slots=True)
class Server:
    """The server that takes our mail.

    Attributes:
        authority: PEM file of what signed its certificate; None trusts as the system does.
        sender: an address, perhaps with a name before it in angle brackets.
        timeout_s: to wait for each of its answers.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    authority: Path | None = None
    user: str | None = None
    password: SecretStr | None = field(default=None, repr=False)
    timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail in plain text.

    Attributes:
        to: one address, without a name.
        language: of the text (RFC 5646).
    """

    to: str
    subject: str
    text: str
    language: str


class NotSent(Exception):
    """A letter was not sent.

    Attributes:
        reason: for logs, without anything of the letter or of what the server wrote, which may
            repeat the address.
        for_good: no later try can succeed.
    """

    def __init__(self, reason: str, *, for_good: bool) -> None:
        self.reason, self.for_good = reason, for_good
        super().__init__(reason)


async def send(server: Server, letter: Letter, mail_id: UUID) -> None:
    """Hand a letter to the server. Raises NotSent."""
    # It takes 60 ms to load, which only who sends needs.
    import aiosmtplib

    message = write(server, letter, mail_id)
    try:
        async with asyncio.timeout(LONGEST_TRY_S), connect(server) as session:
            await session.send_message(message, recipients=[letter.to])
    except aiosmtplib.SMTPAuthenticationError as refused:
        raise NotSent(f"signed_out_{refused.code}", for_good=False) from refused
    except aiosmtplib.SMTPRecipientsRefused as refused:
        code = refused.recipients[0].code
        raise NotSent(f"recipient_refused_{code}", for_good=code >= 500) from refused
    except aiosmtplib.SMTPNotSupported as refused:
        raise NotSent("not_supported", for_good=True) from refused
    except aiosmtplib.SMTPResponseException as refused:
        raise NotSent(f"refused_{refused.code}", for_good=refused.code >= 500) from refused
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as lost:
        raise NotSent(type(lost).__name__, for_good=False) from lost


def connect(server: Server) -> aiosmtplib.SMTP:
    """Give a connection to the server, to be entered; signed in where there is a user.

    `starttls` and `tls` check the server's certificate and name, and never fall back.
    """
    import aiosmtplib

    password = server.password
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=None if password is None else password.get_secret_value(),
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=context_of(server),
        timeout=server.timeout_s,
    )


def context_of(server: Server) -> ssl.SSLContext | None:
    """Make the context that trusts the server's certificate; None where none is shown."""
    if server.security == "none":
        return None
    made = ssl.create_default_context(cafile=server.authority)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def write(server: Server, letter: Letter, mail_id: UUID) -> EmailMessage:
    """Write a letter as the server takes it (RFC 5322). Raises NotSent.

    Out-of-office replies are kept away by Auto-Submitted (RFC 3834, section 5).
    """
    message = EmailMessage(policy=SMTP)
    name, sender = email.utils.parseaddr(server.sender)
    try:
        from_ = Address(name, addr_spec=sender)
        message["From"] = from_
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = letter.subject
    except (ValueError, IndexError, HeaderParseError) as wrong:
        raise NotSent("address_unfit", for_good=True) from wrong
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = f"<{mail_id}@{from_.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message["Content-Language"] = letter.language
    return message


async def try_out(server: Server) -> str:
    """Greet the server and sign in, without sending; gives how it went.

    Raises:
        NotSent: `reason` says why, for whoever operates the machine.
    """
    import aiosmtplib

    try:
        async with asyncio.timeout(LONGEST_TRY_S), connect(server) as session:
            await session.noop()
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as failed:
        raise NotSent(str(failed), for_good=False) from failed
    signed = f", signed in as {server.user}" if server.user else ""
    return f"{server.host}:{server.port} ({server.security}{signed})"
