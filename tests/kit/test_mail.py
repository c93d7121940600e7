"""Outgoing mail: queued with the change, sealed, sent once, tried again, given up aloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from mailbox import Mailbox, open_mailbox
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import select

from moorage.kit import mail, smtp
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.mail import Post, Postman
from moorage.kit.secrets import Sealer, load_sealer
from moorage.kit.smtp import Letter, Server
from web import ROOT_KEY, settings_of

LETTER = Letter("anna@example.org", "Hej Åse", "Open http://x/#token=ml_secret\n", "da")
SOMEBODY = UUID(int=7)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with open_mailbox(tmp_path) as box:
        yield box


@pytest.fixture
async def sealer(database: Database) -> Sealer:
    async with database.begin() as tx:
        return await load_sealer(tx, ROOT_KEY)


@pytest.fixture
def server(box: Mailbox, tmp_path: Path) -> Server:
    found = settings_of(tmp_path, **box.environment()).mail_server
    assert found is not None
    return found


class Office:
    """A queue and who empties it."""

    def __init__(self, database: Database, sealer: Sealer, server: Server) -> None:
        self.database, self.sealer, self.server = database, sealer, server

    async def queue(self, letter: Letter = LETTER, **how: Any) -> None:
        post = Post(self.sealer, "http://localhost", works=True)
        async with self.database.begin() as tx:
            await mail.queue(tx, post, letter, purpose="test", about_id=SOMEBODY, **how)

    async def step(self) -> bool:
        return await self.postman().step()

    def postman(self) -> Postman:
        return Postman(self.database, Doorbells(self.database), self.sealer, self.server)

    async def rows(self) -> list[Any]:
        async with self.database.begin() as tx:
            return list((await tx.execute(select(mail.mails))).all())

    async def wait_is_over(self) -> None:
        async with self.database.begin() as tx:
            await tx.execute("UPDATE mails SET due_at = now()")


@pytest.fixture
def office(database: Database, sealer: Sealer, server: Server) -> Office:
    return Office(database, sealer, server)


async def test_a_letter_goes_out_signed_in_over_tls_and_is_forgotten(
    office: Office, box: Mailbox
) -> None:
    await office.queue()
    (row,) = await office.rows()
    assert b"ml_secret" not in row.sealed
    assert b"anna" not in row.sealed

    assert await office.step()

    (sent,) = box.mails
    assert box.encrypted == [True]
    assert box.addressed == [["anna@example.org"]]
    assert (sent["To"], sent["From"]) == ("anna@example.org", "Moorage <moorage@example.org>")
    assert sent["Subject"] == "Hej Åse"
    assert sent["Message-ID"] == f"<{row.id}@example.org>"
    assert (sent["Auto-Submitted"], sent["Content-Language"]) == ("auto-generated", "da")
    assert sent.get_content().splitlines() == LETTER.text.splitlines()
    assert await office.rows() == []
    assert not await office.step()


async def test_nothing_is_sent_of_a_change_that_was_not_made(office: Office, box: Mailbox) -> None:
    post = Post(office.sealer, "http://localhost", works=True)
    with pytest.raises(ZeroDivisionError):
        async with office.database.begin() as tx:
            await mail.queue(tx, post, LETTER, purpose="test", about_id=None)
            raise ZeroDivisionError
    assert not await office.step()
    assert box.mails == []


async def test_without_a_server_nothing_is_queued(office: Office) -> None:
    async with office.database.begin() as tx:
        post = Post(office.sealer, "http://localhost", works=False)
        await mail.queue(tx, post, LETTER, purpose="test", about_id=None)
    assert await office.rows() == []


async def test_tls_from_the_first_byte_works_too(
    database: Database, tmp_path: Path, sealer: Sealer
) -> None:
    async with open_mailbox(tmp_path, at_once=True) as box:
        environment = box.environment(MOORAGE_MAIL_SECURITY="tls")
        server = settings_of(tmp_path, **environment).mail_server
        assert server is not None
        office = Office(database, sealer, server)
        await office.queue()
        assert await office.step()
        assert [row.reason for row in await office.rows()] == []
        assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"authority": None}, "SSLCertVerificationError"),
        ({"user": "other"}, "signed_out_535"),
        ({"security": "tls"}, "SMTPConnectError"),
        ({"port": 9}, "SMTPConnectError"),
    ],
)
async def test_what_the_server_or_its_certificate_refuses_waits_and_is_tried_again(
    office: Office, box: Mailbox, change: dict[str, Any], reason: str
) -> None:
    right, office.server = office.server, replace(office.server, **change)
    await office.queue()
    assert await office.step()
    (row,) = await office.rows()
    assert (row.tries, row.given_up_at) == (1, None)
    assert row.reason == reason
    assert box.mails == []
    assert not await office.step(), "Its wait is not over."

    office.server = right
    await office.wait_is_over()
    assert await office.step()
    assert len(box.mails) == 1


async def test_each_wait_is_longer_until_the_letter_is_worth_nothing(
    office: Office, box: Mailbox
) -> None:
    box.answer = "451 Try again later"
    await office.queue(holds=timedelta(hours=1))
    waits = []
    with structlog.testing.capture_logs() as logs:
        for _ in range(7):
            if not await office.step():
                break
            (row,) = await office.rows()
            async with office.database.begin() as tx:
                waits.append((row.due_at - tx.now).total_seconds())
            if row.given_up_at is not None:
                break
            await office.wait_is_over()
            async with office.database.begin() as tx:
                aged = "UPDATE mails SET expires_at = expires_at - :wait * interval '1 second'"
                await tx.execute(aged, {"wait": waits[-1]})
    assert (row.given_up_at is None, row.sealed, row.reason) == (False, None, "refused_451")
    assert waits[:-1] == sorted(waits[:-1])
    assert row.tries == 6
    (told,) = [entry for entry in logs if entry["event"] == "mail_given_up"]
    assert told["log_level"] == "error"
    assert "anna" not in str(logs)
    assert "secret" not in str(logs)


async def test_an_address_that_is_refused_for_good_is_given_up_at_once(
    office: Office, box: Mailbox
) -> None:
    box.refuses["anna@example.org"] = "550 No such anna@example.org here"
    await office.queue()
    with structlog.testing.capture_logs() as logs:
        assert await office.step()
    (row,) = await office.rows()
    assert row.given_up_at is not None
    assert row.reason == "recipient_refused_550"
    assert row.sealed is None
    assert "anna" not in str(logs)


@pytest.mark.parametrize(
    "to", ["a,b@example.org", "x@example.org\r\nBcc: y@z", "<a@example.org>", "a@@b"]
)
async def test_an_address_that_is_none_reaches_nobody(
    office: Office, box: Mailbox, to: str
) -> None:
    await office.queue(replace(LETTER, to=to))
    assert await office.step()
    assert box.mails == []
    (row,) = await office.rows()
    assert row.given_up_at is not None


async def test_a_subject_brings_no_headers_in(office: Office, box: Mailbox) -> None:
    await office.queue(replace(LETTER, subject="x\r\nBcc: evil@example.org"))
    assert await office.step()
    assert box.mails == []


async def test_two_who_send_send_each_letter_once(office: Office, box: Mailbox) -> None:
    for _ in range(6):
        await office.queue()
    postmen = [office.postman() for _ in range(3)]
    done = await asyncio.gather(*(postman.step() for postman in postmen for _ in range(3)))
    assert done.count(True) == 6
    assert len(box.mails) == len({sent["Message-ID"] for sent in box.mails}) == 6


async def test_who_died_while_sending_is_followed_after_the_lease_under_the_same_id(
    office: Office, box: Mailbox
) -> None:
    await office.queue()
    (row,) = await office.rows()
    async with office.database.begin() as tx:
        await mail._take(tx)
    assert not await office.step(), "It may be on its way still."
    await office.wait_is_over()
    assert await office.step()
    assert [sent["Message-ID"] for sent in box.mails] == [f"<{row.id}@example.org>"]


async def test_what_is_queued_about_a_person_goes_with_them(office: Office, box: Mailbox) -> None:
    await office.queue()
    async with office.database.begin() as tx:
        await mail.forget(tx, SOMEBODY)
    assert not await office.step()
    assert box.mails == []


async def test_what_nobody_sent_in_time_is_given_up_and_forgotten(office: Office) -> None:
    await office.queue()
    async with office.database.begin() as tx:
        await tx.execute("UPDATE mails SET expires_at = now() - interval '1 hour'")
    async with office.database.begin() as tx:
        await mail.clear_away(tx)
    (row,) = await office.rows()
    assert (row.reason, row.sealed) == ("never_sent", None)
    async with office.database.begin() as tx:
        await tx.execute("UPDATE mails SET given_up_at = now() - interval '31 days'")
        await mail.clear_away(tx)
    assert await office.rows() == []


async def test_a_letter_is_sealed_anew_where_it_stands(office: Office, box: Mailbox) -> None:
    await office.queue()
    (before,) = await office.rows()
    async with office.database.begin() as tx:
        await mail.seal_anew(tx, office.sealer)
    (after,) = await office.rows()
    assert before.sealed != after.sealed
    assert await office.step()
    assert len(box.mails) == 1


async def test_the_operator_can_try_the_server_out(office: Office, box: Mailbox) -> None:
    told = await smtp.try_out(office.server)
    assert told == f"localhost:{box.port} (starttls, signed in as moorage)"
    with pytest.raises(smtp.NotSent):
        await smtp.try_out(replace(office.server, user="other"))
    assert box.mails == []
