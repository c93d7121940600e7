"""A real SMTP server that keeps what it is given, and refuses what a test tells it to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from moorage.testing.authority import Authority

USER, PASSWORD = "moorage", "harbour pilot 88"
SENDER = "Moorage <moorage@example.org>"


@dataclass
class Mailbox:
    """What came in, and how to get in.

    Attributes:
        answer: what the server says to DATA; None takes the mail.
        refuses: what it says to an address, by address.
        encrypted: for each mail whether it came over TLS.
    """

    port: int = 0
    authority: Path | None = None
    mails: list[EmailMessage] = field(default_factory=list)
    addressed: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answer: str | None = None
    refuses: dict[str, str] = field(default_factory=dict)
    connections: int = 0

    def environment(self, **changes: str) -> dict[str, str]:
        """Give the settings by which an installation reaches it, over STARTTLS and signed in."""
        return {
            "MOORAGE_MAIL_HOST": "localhost",
            "MOORAGE_MAIL_PORT": str(self.port),
            "MOORAGE_MAIL_SENDER": SENDER,
            "MOORAGE_MAIL_USER": USER,
            "MOORAGE_MAIL_PASSWORD": PASSWORD,
            "MOORAGE_MAIL_AUTHORITY": str(self.authority),
            **changes,
        }

    def link(self, name: str = "token", number: int = -1) -> str:
        """Give what stands in the link of a mail, the last one unless told."""
        text = self.mails[number].get_content()
        found = re.search(rf"/sign-in#{name}=(\S+)", text)
        assert found, text
        return found[1]

    # What aiosmtpd calls.

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take an address or refuse it."""
        if (refused := self.refuses.get(address)) is not None:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: Any, session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail or refuse it."""
        if self.answer is not None:
            return self.answer
        content = cast("bytes", envelope.content)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        self.addressed.append([str(address) for address in envelope.rcpt_tos])
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


def _authenticate(
    _server: Any, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(), PASSWORD.encode()
    )  # fmt: skip
    # Unhandled, a refusal is answered with 535 by the server itself.
    return AuthResult(success=right, handled=False)


@asynccontextmanager
async def open_mailbox(directory: Path, *, at_once: bool = False) -> AsyncIterator[Mailbox]:
    """Run a server on the loopback that wants TLS and a password.

    Args:
        directory: for its certificate.
        at_once: speak TLS from the first byte, instead of STARTTLS.
    """
    directory = Path(tempfile.mkdtemp(dir=directory))
    signer = Authority(directory)
    authority = directory / "authority.pem"
    authority.write_text(signer.certificate)
    box = Mailbox(authority=authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signer.load(context, "localhost")
    loop = asyncio.get_running_loop()

    def serve() -> SMTP:
        box.connections += 1
        return SMTP(
            box,
            hostname="localhost",
            tls_context=None if at_once else context,
            require_starttls=not at_once,
            # It does not know of TLS that was there before it.
            auth_required=not at_once,
            auth_require_tls=not at_once,
            authenticator=_authenticate,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=context if at_once else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
