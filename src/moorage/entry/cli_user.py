"""`moorage user`: people, for whoever operates the machine."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from cyclopts import App

from moorage import users
from moorage.entry import rows
from moorage.entry import settings as configuration
from moorage.entry.first_run import in_transaction, url_of
from moorage.entry.settings import Settings
from moorage.kit.db import Tx
from moorage.kit.pages import Page, PageRequest
from moorage.users import Link, NewUser, User

app = App(name="user", help="Let people in, list them, close their accounts.")


@app.command
def link(email: str | None = None, *, data_dir: Path | None = None) -> None:
    """Make a link that signs somebody in once, within fifteen minutes.

    Args:
        email: whose; the first administrator when left out.
        data_dir: directory of everything the installation keeps.
    """
    settings = _settings(data_dir)

    async def work(tx: Tx) -> tuple[User, Link]:
        return await users.link_for(tx, email)

    user, made = in_transaction(settings, work)
    _say(f"{user.label} signs in, once and until {made.expires_at:%H:%M UTC}:")
    _say(url_of(settings, made))


@app.command
def add(
    email: str,
    name: str,
    *,
    admin: bool = False,
    language: str | None = None,
    data_dir: Path | None = None,
) -> None:
    """Make a user and an invitation that holds for seven days.

    Args:
        email: e-mail address.
        name: name.
        admin: make the user a GlobalAdmin.
        language: en or da; without one the console follows the browser.
        data_dir: directory of everything the installation keeps.
    """
    settings = _settings(data_dir)

    async def work(tx: Tx) -> tuple[User, Link]:
        return await users.add_from_command_line(tx, NewUser(email, name, language), admin=admin)

    user, made = in_transaction(settings, work)
    _say(f"{user.label} is invited until {made.expires_at:%Y-%m-%d %H:%M UTC}:")
    _say(url_of(settings, made))


@app.command(name="list")
def list_(*, as_json: rows.AsJson = False, data_dir: Path | None = None) -> None:
    """List all users.

    Args:
        as_json: print JSON instead of a table.
        data_dir: directory of everything the installation keeps.
    """
    settings = _settings(data_dir)
    found: list[dict[str, str]] = []
    after: str | None = None
    while True:
        page = in_transaction(settings, _page_after(after))
        for user in page.items:
            seen = f"{user.signed_in_at:%Y-%m-%d %H:%M}" if user.signed_in_at else "never"
            found.append(
                {
                    "email": user.email or "",
                    "name": user.name,
                    "account": _account(user),
                    "last sign-in": seen,
                    "id": str(user.id),
                }
            )
        if page.next is None:
            break
        after = page.next
    rows.show(found, as_json=as_json, empty="There are no users yet.")


@app.command
def deactivate(email: str, *, data_dir: Path | None = None) -> None:
    """Close an account; its sessions end at once.

    Args:
        email: e-mail address.
        data_dir: directory of everything the installation keeps.
    """

    async def work(tx: Tx) -> User:
        return await users.deactivate(tx, email)

    _say(f"{in_transaction(_settings(data_dir), work).label} can no longer sign in.")


@app.command(name="remove-second-factor")
def remove_second_factor(email: str, *, data_dir: Path | None = None) -> None:
    """Remove authenticator app, backup codes and passkeys of who has lost them.

    Args:
        email: e-mail address.
        data_dir: directory of everything the installation keeps.
    """

    async def work(tx: Tx) -> User:
        return await users.recover_from_command_line(tx, email)

    user = in_transaction(_settings(data_dir), work)
    _say(f"{user.label} signs in with the password alone; every session has ended.")


@app.command(name="grant-admin")
def grant_admin(email: str, *, data_dir: Path | None = None) -> None:
    """Make a user a GlobalAdmin.

    Args:
        email: e-mail address.
        data_dir: directory of everything the installation keeps.
    """

    async def work(tx: Tx) -> User:
        return await users.grant_admin(tx, email)

    _say(f"{in_transaction(_settings(data_dir), work).label} is a GlobalAdmin.")


def _page_after(after: str | None) -> Callable[[Tx], Awaitable[Page[User]]]:
    async def work(tx: Tx) -> Page[User]:
        return await users.everybody(tx, PageRequest(limit=500, after=after))

    return work


def _account(user: User) -> str:
    if not user.active:
        return "closed"
    return f"until {user.expires_at:%Y-%m-%d}" if user.expires_at else "open"


def _settings(data_dir: Path | None) -> Settings:
    return configuration.read(options={"data_dir": data_dir}).settings


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
