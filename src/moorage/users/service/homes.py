"""The organisations of a person, each of which is told what happens to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from moorage import organizations
from moorage.kit.db import Tx
from moorage.kit.facts import Fact


async def tell(
    tx: Tx,
    fact: type[Fact],
    user_id: UUID,
    *,
    homes: Iterable[UUID | None] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Announce what happened to a person, once for each of their organisations.

    Args:
        tx: the transaction.
        fact: what happened.
        user_id: to whom.
        homes: those of the person when left out; without any the installation is told.
        before: what was, as of any fact.
        after: what is.
    """
    if homes is None:
        homes = await organizations.homes_of(tx, user_id)
    for home in list(homes) or [None]:
        tx.announce(fact(user_id, home, before, after))
