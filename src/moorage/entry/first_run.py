"""The first start: a link that lets the first administrator in."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

from moorage import users
from moorage.entry import database as databases
from moorage.entry.settings import Settings
from moorage.kit.caller import SYSTEM_ID, Caller, CallerKind
from moorage.kit.db import Database, Tx
from moorage.users import Link

T = TypeVar("T")


def sign_in_link(settings: Settings) -> str | None:
    """Give a link that signs the first administrator in once, while nobody has ever signed in.

    On a new installation it makes the first user, a GlobalAdmin without e-mail or password.

    Raises:
        DatabaseNotRunning: the database is not there.
    """
    link = in_transaction(settings, users.first_link)
    return None if link is None else url_of(settings, link)


def url_of(settings: Settings, link: Link) -> str:
    """Write a link out; the token stands behind `#`, which browsers do not send."""
    return f"{settings.public_url}/sign-in#token={link.token}"


def operator() -> Caller:
    """Tell who types a command: a user of this machine, who may do anything with the database."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    if (sudoer := os.environ.get("SUDO_USER")) and sudoer != name:
        name = f"{sudoer} as {name}"
    return Caller(
        CallerKind.SYSTEM, SYSTEM_ID, f"{name} on the command line", origin=socket.gethostname()
    )


def in_transaction(settings: Settings, work: Callable[[Tx], Awaitable[T]]) -> T:
    """Do `work` in a transaction of the installation's database, as the operator."""

    async def once() -> T:
        database = Database(databases.url_of(settings), pool_size=1, name="moorage-command")
        try:
            async with database.begin(operator()) as tx:
                return await work(tx)
        finally:
            await database.close()

    return asyncio.run(once())
