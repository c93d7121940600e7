"""Erasing a person from the audit: salt and text go, the chain over the entries still holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, update
from sqlalchemy import text as sql

from moorage.kit import chain
from moorage.kit.db import Tx
from moorage.kit.facts import Fact, facts

# So many ranges of places stand in one fact at most.
MOST_RANGES = 1_000


class EntriesErased(Fact):
    """A person was erased from entries of this audit: who did it, or whom it is about; by place."""

    name = "audit.entries_erased"


async def erase_person(tx: Tx, person_id: UUID, pseudonym: str, *, email: str | None) -> int:
    """Remove everything personal of a person from the audit; the pseudonym stands in its place.

    Of what the person did, name and origin go; of what tells of the person, the fields that the
    fact calls personal. Everything else of the entries stays, and stays proven by the chain. Each
    chain that lost something is told which of its entries did (`EntriesErased`): without such an
    entry, `moorage audit verify` takes a removed text for a forgery.

    Args:
        tx: the transaction.
        person_id: of the user.
        pseudonym: what entries show from now on.
        email: the person's address, by which refused sign-ins and invitations tell of them.

    Returns:
        How many entries changed.
    """
    # From here to the commit nothing is sealed: an entry is erased before or after, never between.
    await tx.execute(chain.LOCK)
    did = and_(facts.c.caller_kind == "person", facts.c.caller_id == person_id)
    by = await tx.execute(
        update(facts)
        .where(did)
        .values(caller_label=pseudonym, origin=None, caller_salt=None)
        .returning(facts.c.organization_id, facts.c.place)
    )
    caller = [(row.organization_id, row.place) for row in by]
    about_whom = facts.c.subject_id == person_id
    if email is not None:
        address = [
            func.lower(side["email"].astext) == email.lower()
            for side in (facts.c.before, facts.c.after)
        ]
        about_whom = or_(about_whom, *address)
    of = await tx.execute(
        update(facts)
        .where(facts.c.personal.is_not(None), about_whom)
        .values(
            before=sql(_REPLACED.format(side="before")).bindparams(pseudonym=pseudonym),
            after=sql(_REPLACED.format(side="after")).bindparams(pseudonym=pseudonym),
            about_salt=None,
        )
        .returning(facts.c.organization_id, facts.c.place)
    )
    about = [(row.organization_id, row.place) for row in of]
    _announce(tx, person_id, caller, about)
    return len({*caller, *about})


# Personal fields that have a value show the pseudonym; there is no other way to say "a text was".
_REPLACED = """
CASE WHEN jsonb_typeof({side}) <> 'object' THEN {side} ELSE (
  SELECT coalesce(jsonb_object_agg(
    key, CASE WHEN key = ANY (personal) AND value <> 'null' THEN to_jsonb(CAST(:pseudonym AS text))
              ELSE value END), '{{}}')
  FROM jsonb_each({side}))
END
"""

Places = Sequence[tuple[UUID | None, int | None]]


def _announce(tx: Tx, person_id: UUID, caller: Places, about: Places) -> None:
    # What was not sealed yet is sealed as it stands now, and needs no word.
    found: dict[UUID | None, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for part, places in (("caller", caller), ("about", about)):
        for organization_id, place in places:
            if place is not None:
                found[organization_id][part].append(place)
    for organization_id, parts in found.items():
        for part, one_part in parts.items():
            ranges = list(_ranges(one_part))
            for start in range(0, len(ranges), MOST_RANGES):
                told = {part: ranges[start : start + MOST_RANGES]}
                tx.announce(EntriesErased(person_id, organization_id, after=told))


def _ranges(places: Sequence[int]) -> Iterator[list[int]]:
    """Join places to ranges, the last of each inside."""
    first = last = None
    for place in sorted(places):
        if last is not None and place == last + 1:
            last = place
            continue
        if first is not None and last is not None:
            yield [first, last]
        first = last = place
    if first is not None and last is not None:
        yield [first, last]
