"""Passwords of people who sign in by a provider: there are none here."""

from __future__ import annotations

from uuid import UUID

from moorage.kit.db import Database
from moorage.users import Known, Outside, User

from ..errors import PasswordElsewhere
from ..store import people


class People:
    """The people of all providers, and whoever else is known outside.

    Args:
        database: where providers and accounts are.
        others: asked about everybody else.
    """

    def __init__(self, database: Database, others: Outside) -> None:
        self._database = database
        self._others = others

    async def authenticate(
        self, name: str, password: str, user: User | None, *, has_password: bool
    ) -> Known:
        """Refuse a password for whom a provider knows; leave the rest to the others."""
        if user is not None and await self._has(user.id):
            return Known(decided=True)
        return await self._others.authenticate(name, password, user, has_password=has_password)

    async def keeps_password_of(self, user_id: UUID) -> bool:
        """Tell whether somebody's password is kept outside."""
        return await self._has(user_id) or await self._others.keeps_password_of(user_id)

    async def change_password(self, user_id: UUID, current: str | None, new: str) -> None:
        """Refuse for whom a provider knows; leave the rest to the others.

        Raises:
            PasswordElsewhere, and what the others raise.
        """
        if await self._has(user_id):
            raise PasswordElsewhere
        await self._others.change_password(user_id, current, new)

    async def even_out(self, began: float) -> None:
        """Wait as the others do."""
        await self._others.even_out(began)

    async def _has(self, user_id: UUID) -> bool:
        async with self._database.begin() as tx:
            return await people.of_user(tx, user_id) is not None
