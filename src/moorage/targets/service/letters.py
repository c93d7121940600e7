"""Dead letters: seen, edited, sent again, discarded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx

from .. import store
from ..errors import DeadLetterUnknown
from ..facts import DeadLetterEdited, DeadLettersDiscarded, DeadLettersSentAgain
from ..model import DeadLetter, Reason
from ..store.outbox import Entry
from . import catalogue

AT_ONCE = 10_000


async def list_letters(
    tx: Tx,
    caller: Caller,
    target_id: UUID,
    asked: pages.PageRequest,
    *,
    reason: Reason | None = None,
) -> pages.Page[DeadLetter]:
    """List a target's dead letters, newest first. Raises TargetUnknown."""
    await catalogue.get(tx, caller, target_id)
    return await store.list_letters(tx, target_id, asked, reason=reason)


async def get_letter(
    tx: Tx, caller: Caller, target_id: UUID, letter_id: UUID, *, lock: bool = False
) -> DeadLetter:
    """Read a dead letter. Raises TargetUnknown, DeadLetterUnknown."""
    await catalogue.get(tx, caller, target_id)
    return await store.get_letter(tx, target_id, letter_id, lock=lock)


async def edit_letter(
    tx: Tx, caller: Caller, target_id: UUID, letter_id: UUID, changes: Mapping[str, Any]
) -> DeadLetter:
    """Change `document`, `payload` or `content_type` of a dead letter before it is sent again.

    Raises:
        TargetUnknown, PermissionMissing, DeadLetterUnknown.
    """
    target = await catalogue.to_manage(tx, caller, target_id)
    letter = await store.get_letter(tx, target_id, letter_id)
    edited = msgspec.structs.replace(letter.content, **changes)
    if "document" in changes and edited.undecoded is not None:
        # What a person wrote is sent as it is, instead of what the decoder could not do.
        edited = msgspec.structs.replace(edited, payload=None, undecoded=None)
    await store.change_letter(tx, letter_id, edited)
    # What devices sent is not repeated in the audit: which parts were edited is enough.
    tx.announce(
        DeadLetterEdited(
            letter_id,
            target.organization_id,
            after={"targetId": target_id, "edited": sorted(changes)},
        )
    )
    return await store.get_letter(tx, target_id, letter_id)


async def send_again(tx: Tx, caller: Caller, target_id: UUID, letter_id: UUID | None = None) -> int:
    """Put a dead letter, or up to 10,000 of a target, back into the outbox; tell how many.

    They keep their keys and the day they count for, and queue behind what waits. What their
    route's decoder could not do is decoded anew on its way.

    Raises:
        TargetUnknown, PermissionMissing, DeadLetterUnknown.
    """
    target = await catalogue.to_manage(tx, caller, target_id)
    await store.lock_outbox(tx)
    taken = await store.take_letters(tx, target_id, letter_id, limit=AT_ONCE)
    if letter_id is not None and not taken:
        raise DeadLetterUnknown(id=letter_id)
    if not taken:
        return 0
    await store.enqueue(
        tx,
        [
            Entry(target_id, route, device, key, content, tx.now, day)
            for route, device, key, content, day in taken
        ],
    )
    by_day = Counter(day for *_rest, day in taken)
    await store.count(tx, "dead", {(target_id, day): -number for day, number in by_day.items()})
    tx.announce(
        DeadLettersSentAgain(target_id, target.organization_id, after={"count": len(taken)})
    )
    return len(taken)


async def discard(tx: Tx, caller: Caller, target_id: UUID, letter_id: UUID | None = None) -> int:
    """Throw away a dead letter, or up to 10,000 of a target; tell how many.

    In the statement they stay counted as dead.

    Raises:
        TargetUnknown, PermissionMissing, DeadLetterUnknown.
    """
    target = await catalogue.to_manage(tx, caller, target_id)
    thrown = await store.discard_letters(tx, target_id, letter_id, limit=AT_ONCE)
    if letter_id is not None and not thrown:
        raise DeadLetterUnknown(id=letter_id)
    if thrown:
        await store.count(tx, "discarded", {(target_id, day): n for day, n in thrown.items()})
        tx.announce(
            DeadLettersDiscarded(
                target_id, target.organization_id, after={"count": sum(thrown.values())}
            )
        )
    return sum(thrown.values())
