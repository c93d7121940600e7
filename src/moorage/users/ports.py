"""What the slice asks of whoever knows people besides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.db import Tx

from .model import Known, User


class Delegates(Protocol):
    """Who recognises the tokens that programs hold, as themselves or in somebody's name."""

    async def __call__(self, tx: Tx, claims: Mapping[str, Any], origin: str | None) -> Caller:
        """Recognise who shows a token that was signed here and has a `client_id`.

        Raises:
            CredentialsWrong.
        """
        ...


class Outside(Protocol):
    """Where people are known besides here: the user stores."""

    async def authenticate(
        self, name: str, password: str, user: User | None, *, has_password: bool
    ) -> Known:
        """Say whether somebody is who they say, as far as that is decided outside.

        Args:
            name: what was typed, an e-mail address or a store's prefix, a backslash and a name.
            password: what was typed; never empty.
            user: the account with this address, if there is one.
            has_password: whether that account has a password here.
        """
        ...

    async def keeps_password_of(self, user_id: UUID) -> bool:
        """Tell whether somebody's password is kept outside."""
        ...

    async def change_password(self, user_id: UUID, current: str | None, new: str) -> None:
        """Change the password of somebody whose password is kept outside.

        Raises:
            CredentialsWrong: the current one is wrong, or missing.
            MoorageError: it cannot be changed from here.
        """
        ...

    async def even_out(self, began: float) -> None:
        """Wait until a refusal takes as long as any other, whoever was asked.

        Args:
            began: of `time.monotonic`.
        """
        ...
