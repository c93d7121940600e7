"""Numbering committed facts and linking each to the one before it in its organization's chain."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from moorage.kit import chain
from moorage.kit.db import Tx

from ..model import FactEntry, Head
from ..store import chains


async def seal(tx: Tx, most: int = 1_000) -> int:
    """Seal the facts below the oldest running transaction; tells how many.

    One transaction: a sealer that is killed has sealed all of them or none. Whoever seals, erases
    or drops meanwhile is left alone, and the facts wait for the next time.
    """
    if not await chains.try_lock(tx):
        return 0
    waiting = await chains.unsealed(tx, most)
    if not waiting:
        return 0
    known = await chains.heads(tx, {one.organization_id for one in waiting})
    grown = {head.organization_id: head for head in known}
    number = await chains.last_number(tx)
    sealed = []
    for fact in waiting:
        number += 1
        head = grown.get(fact.organization_id) or Head(
            fact.organization_id, link=chain.genesis(fact.organization_id)
        )
        entry = linked(replace(fact, number=number, place=head.place + 1), head.link)
        sealed.append(entry)
        grown[fact.organization_id] = replace(
            head, place=head.place + 1, number=number, link=entry.link or b""
        )
    await chains.put_sealed(tx, sealed, list(grown.values()))
    return len(sealed)


async def any_waiting(tx: Tx) -> bool:
    """Tell whether there are facts that are not sealed."""
    return await chains.any_unsealed(tx)


def linked(fact: FactEntry, previous: bytes) -> FactEntry:
    """Give a fact that has number and place its salts, digests and link."""
    shown = exported(fact)
    caller_salt = os.urandom(chain.SALT_BYTES)
    caller = chain.caller_digest(shown, caller_salt)
    about_salt = os.urandom(chain.SALT_BYTES) if fact.personal else None
    about = chain.about_digest(shown, about_salt) if about_salt else None
    return replace(
        fact,
        link=chain.link(shown, previous, caller, about),
        caller_salt=caller_salt,
        caller_digest=caller,
        about_salt=about_salt,
        about_digest=about,
    )


def exported(fact: FactEntry) -> Mapping[str, Any]:
    """Give what the chain is over of an entry, as the export shows it."""
    return {
        "id": str(fact.id),
        "number": fact.number,
        "place": fact.place,
        "at": instant(fact.at),
        "name": fact.name,
        "organizationId": _text(fact.organization_id),
        "subjectId": str(fact.subject_id),
        "callerKind": fact.caller_kind,
        "callerId": str(fact.caller_id),
        "callerLabel": fact.caller_label,
        "origin": fact.origin,
        "before": fact.before,
        "after": fact.after,
        "personal": list(fact.personal or ()),
    }


def instant(at: datetime) -> str:
    """Write an instant as the API does: RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)
