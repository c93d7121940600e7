"""The only SQL about chains: what is to be sealed, where each stands, what is dropped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, func, or_, select, text, update

from moorage.kit import chain, pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.facts import facts

from ..model import SEALED_CHANNEL, FactEntry, Head
from ..tables import audit_chains

_FACT = [facts.c[f.name] for f in fields(FactEntry)]
_HEAD = [audit_chains.c[f.name] for f in fields(Head)]


async def lock(tx: Tx) -> None:
    """Keep everybody else from sealing, erasing and dropping until the transaction ends."""
    await tx.execute(chain.LOCK)


async def try_lock(tx: Tx) -> bool:
    """Do so unless somebody does already."""
    return bool((await tx.execute(chain.TRY_LOCK)).scalar_one())


async def unsealed(tx: Tx, most: int) -> list[FactEntry]:
    """Read facts that can be sealed, in their order.

    Facts of one transaction keep their order; transactions are ordered by their ids, all of which
    lie below every one that still runs, so no fact can come to stand before a numbered one.
    """
    below = text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    query = (
        select(*_FACT)
        .where(facts.c.number.is_(None), facts.c.transaction < below)
        .order_by(facts.c.transaction, facts.c.id)
        .limit(most)
    )
    return [FactEntry(**row) for row in (await tx.execute(query)).mappings()]


async def any_unsealed(tx: Tx) -> bool:
    """Tell whether facts wait to be sealed, those of younger transactions too."""
    query = select(facts.c.id).where(facts.c.number.is_(None)).limit(1)
    return (await tx.execute(query)).scalar_one_or_none() is not None


async def last_number(tx: Tx) -> int:
    """Give the last number of all; 0 before the first."""
    query = select(func.coalesce(func.max(audit_chains.c.number), 0))
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def heads(tx: Tx, organization_ids: Collection[UUID | None] | None = None) -> list[Head]:
    """Read where chains stand; those of all when none are named."""
    query = select(*_HEAD)
    if organization_ids is not None:
        named = [one for one in organization_ids if one is not None]
        # By the index on both sides of the OR.
        mine: ColumnElement[bool] = audit_chains.c.organization_id.in_(named)
        if None in organization_ids:
            mine = or_(mine, audit_chains.c.organization_id.is_(None))
        query = query.where(mine)
    return [Head(**row) for row in (await tx.execute(query)).mappings()]


async def list_heads(tx: Tx, seen: Reach, asked: pages.PageRequest) -> pages.Page[Head]:
    """Read a page of where the chains in `seen` stand."""
    query = select(*_HEAD)
    if not seen.everywhere:
        query = query.where(audit_chains.c.organization_id.in_(seen.organization_ids))
    id_ = func.coalesce(audit_chains.c.organization_id, chain.INSTALLATION)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"number": audit_chains.c.number, "organizationId": id_},
        default="organizationId",
        key=id_,
        read=lambda row: Head(**{f.name: getattr(row, f.name) for f in fields(Head)}),
    )


async def put_sealed(tx: Tx, sealed: Sequence[FactEntry], grown: Sequence[Head]) -> None:
    """Write down what was sealed and where the chains stand, and ring for those who read it."""
    await tx.execute(
        _SEAL,
        {
            "ids": [one.id for one in sealed],
            "numbers": [one.number for one in sealed],
            "places": [one.place for one in sealed],
            "links": [one.link for one in sealed],
            "caller_salts": [one.caller_salt for one in sealed],
            "caller_digests": [one.caller_digest for one in sealed],
            "about_salts": [one.about_salt for one in sealed],
            "about_digests": [one.about_digest for one in sealed],
        },
    )
    await tx.execute(
        _GROW,
        {
            "organizations": [one.organization_id for one in grown],
            "places": [one.place for one in grown],
            "numbers": [one.number for one in grown],
            "links": [one.link for one in grown],
            "now": tx.now,
        },
    )
    await tx.execute(select(func.pg_notify(SEALED_CHANNEL, "")))


_SEAL = """
UPDATE facts SET
  number = s.number, place = s.place, link = s.link, caller_salt = s.caller_salt,
  caller_digest = s.caller_digest, about_salt = s.about_salt, about_digest = s.about_digest
FROM unnest(
  CAST(:ids AS uuid[]), CAST(:numbers AS bigint[]), CAST(:places AS bigint[]),
  CAST(:links AS bytea[]), CAST(:caller_salts AS bytea[]), CAST(:caller_digests AS bytea[]),
  CAST(:about_salts AS bytea[]), CAST(:about_digests AS bytea[])
) AS s (id, number, place, link, caller_salt, caller_digest, about_salt, about_digest)
WHERE facts.id = s.id
"""

_GROW = """
INSERT INTO audit_chains AS c (organization_id, place, number, link, unsigned_since)
SELECT *, CAST(:now AS timestamptz) FROM unnest(
  CAST(:organizations AS uuid[]), CAST(:places AS bigint[]), CAST(:numbers AS bigint[]),
  CAST(:links AS bytea[]))
ON CONFLICT (organization_id) DO UPDATE SET
  place = excluded.place, number = excluded.number, link = excluded.link,
  unsigned_since = coalesce(c.unsigned_since, excluded.unsigned_since)
"""


async def note_signed(tx: Tx, organization_id: UUID | None, place: int) -> None:
    """Note that a chain is signed up to its last entry, at `place`."""
    await tx.execute(
        update(audit_chains)
        .where(_of(audit_chains.c.organization_id, organization_id))
        .values(signed_place=place, unsigned_since=None)
    )


# --- Retention ------------------------------------------------------------


async def first_kept(tx: Tx, organization_id: UUID | None, until: datetime) -> int | None:
    """Find the place of the first entry that is not older than `until`; None if all are older."""
    query = (
        select(facts.c.place)
        .where(
            _of(facts.c.organization_id, organization_id),
            facts.c.number.is_not(None),
            facts.c.at >= until,
        )
        .order_by(facts.c.number)
        .limit(1)
    )
    place: int | None = (await tx.execute(query)).scalar_one_or_none()
    return place


async def entry_at(tx: Tx, organization_id: UUID | None, place: int) -> Row[Any]:
    """Read number and link of an entry that is there."""
    query = select(facts.c.number, facts.c.link).where(
        _of(facts.c.organization_id, organization_id), facts.c.place == place
    )
    return (await tx.execute(query)).one()


async def drop(tx: Tx, organization_id: UUID | None, place: int, number: int) -> None:
    """Delete the entries of a chain up to one, and note that they are gone."""
    own = _of(facts.c.organization_id, organization_id)
    await tx.execute(delete(facts).where(own, facts.c.number <= number))
    await tx.execute(
        update(audit_chains)
        .where(_of(audit_chains.c.organization_id, organization_id))
        .values(dropped_place=place)
    )


def _of(column: ColumnElement[Any], organization_id: UUID | None) -> ColumnElement[bool]:
    # IS NOT DISTINCT FROM would use no index.
    return column.is_(None) if organization_id is None else column == organization_id
