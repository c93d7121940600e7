"""The only SQL that reads facts for people."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Select, select, union_all

from moorage.kit import pages
from moorage.kit.caller import Reach
from moorage.kit.db import Tx
from moorage.kit.facts import facts

from ..model import FactEntry, Wanted

_FACT = [facts.c[f.name] for f in fields(FactEntry)]


async def list_facts(
    tx: Tx, seen: Reach, asked: pages.PageRequest, wanted: Wanted
) -> pages.Page[FactEntry]:
    """Read a page of the facts of organisations in `seen`."""
    query = _wanted(seen, wanted)
    return await pages.page(
        tx,
        query,
        asked,
        sorts={"at": facts.c.at},
        default="-at",
        key=facts.c.id,
        read=_fact,
    )


async def sealed_after(
    tx: Tx, seen: Reach, wanted: Wanted, after: int, limit: int
) -> list[FactEntry]:
    """Read facts by number, and behind the last numbered one those not sealed yet.

    Args:
        tx: the transaction.
        seen: where the caller reads.
        wanted: which facts.
        after: the last number read before.
        limit: how many numbered ones at most; what is not sealed comes when they are fewer.
    """
    numbered = (
        _wanted(seen, wanted).where(facts.c.number > after).order_by(facts.c.number).limit(limit)
    )
    found = [_fact(row) for row in await tx.execute(numbered)]
    if len(found) >= limit:
        return found
    # One statement, one snapshot: what is sealed meanwhile is in one of the two.
    waiting = _wanted(seen, wanted).where(facts.c.number.is_(None))
    both = union_all(select(numbered.subquery()), waiting).subquery()
    rows = await tx.execute(select(both).order_by(both.c.number, both.c.id))
    found = [_fact(row) for row in rows]
    # So many were sealed meanwhile that there may be more: what waits comes with the next.
    full = sum(one.number is not None for one in found) >= limit
    return [one for one in found if one.number is not None] if full else found


def _wanted(seen: Reach, wanted: Wanted) -> Select[Any]:
    query = select(*_FACT)
    if not seen.everywhere:
        query = query.where(facts.c.organization_id.in_(seen.organization_ids))
    if wanted.organization_id is not None:
        query = query.where(facts.c.organization_id == wanted.organization_id)
    if wanted.subject_id is not None:
        query = query.where(facts.c.subject_id == wanted.subject_id)
    if wanted.caller_id is not None:
        query = query.where(facts.c.caller_id == wanted.caller_id)
    if wanted.name is not None:
        query = query.where(facts.c.name.startswith(wanted.name, autoescape=True))
    if wanted.from_ is not None:
        query = query.where(facts.c.at >= wanted.from_)
    if wanted.to is not None:
        query = query.where(facts.c.at < wanted.to)
    return query


def _fact(row: Any) -> FactEntry:
    return FactEntry(**{f.name: getattr(row, f.name) for f in fields(FactEntry)})
