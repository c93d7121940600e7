"""SQL about versions and test cases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Select,
    any_,
    delete,
    select,
)
from sqlalchemy.dialects.postgresql import array, distinct_on, insert

from moorage.kit import pages
from moorage.kit.db import Tx

from ..errors import VersionUnknown
from ..model import (
    Direction,
    TestCase,
    Version,
)
from ..tables import decoder_test_cases, decoder_versions, decoders

# --- Versions -------------------------------------------------------------


async def add_version(tx: Tx, decoder_id: UUID, n: int, content_hash: str, source: str) -> None:
    """Insert a version."""
    await tx.execute(
        insert(decoder_versions).values(
            decoder_id=decoder_id,
            n=n,
            hash=content_hash,
            source=source,
            created_at=tx.now,
            created_by=tx.caller.id,
        )
    )


async def take_version(tx: Tx, decoder_id: UUID, content_hash: str, source: str) -> int:
    """Give the number of the version with this content; add it if the decoder never had it.

    The decoder's row must be locked.
    """
    rows = await tx.execute(
        select(decoder_versions.c.n, decoder_versions.c.hash).where(
            decoder_versions.c.decoder_id == decoder_id
        )
    )
    known = {row.hash: row.n for row in rows}
    if (n := known.get(content_hash)) is None:
        n = max(known.values(), default=0) + 1
        await add_version(tx, decoder_id, n, content_hash, source)
    return n


def _versions(decoder_id: UUID) -> Select[Any]:
    return (
        select(
            decoder_versions.c.n,
            decoder_versions.c.hash,
            decoder_versions.c.created_at,
            decoder_versions.c.created_by,
            (decoder_versions.c.n == decoders.c.version).label("current"),
        )
        .join(decoders, decoders.c.id == decoder_versions.c.decoder_id)
        .where(decoder_versions.c.decoder_id == decoder_id)
    )


def _version(row: Any) -> Version:
    return Version(row.n, row.hash, row.created_at, row.created_by, row.current)


async def get_version(tx: Tx, decoder_id: UUID, n: int) -> Version:
    """Read one with its text. Raises VersionUnknown."""
    query = _versions(decoder_id).add_columns(decoder_versions.c.source)
    row = (await tx.execute(query.where(decoder_versions.c.n == n))).one_or_none()
    if row is None:
        raise VersionUnknown(n=n)
    return replace(_version(row), script=row.source)


async def list_versions(tx: Tx, decoder_id: UUID, asked: pages.PageRequest) -> pages.Page[Version]:
    """Read a page of versions, without their texts."""
    return await pages.page(
        tx,
        _versions(decoder_id),
        asked,
        sorts={"n": decoder_versions.c.n},
        default="-n",
        key=decoder_versions.c.n,
        read=_version,
    )


async def sources(tx: Tx, hashes: Collection[str]) -> dict[str, str]:
    """Read texts by their hash; whose they are makes no difference, they are the same."""
    rows = await tx.execute(
        select(decoder_versions.c.hash, decoder_versions.c.source)
        .where(decoder_versions.c.hash == any_(array(list(hashes))))
        .ext(distinct_on(decoder_versions.c.hash))
    )
    return {r.hash: r.source for r in rows}


# --- Test cases -----------------------------------------------------------


async def cases_of(tx: Tx, decoder_id: UUID) -> tuple[TestCase, ...]:
    """Read a decoder's test cases in their order."""
    rows = await tx.execute(
        select(decoder_test_cases)
        .where(decoder_test_cases.c.decoder_id == decoder_id)
        .order_by(decoder_test_cases.c.position)
    )
    return tuple(TestCase(r.name, Direction(r.direction), r.input, r.expected) for r in rows)


async def set_cases(tx: Tx, decoder_id: UUID, cases: Sequence[TestCase]) -> None:
    """Put these test cases in place of the ones there are."""
    await tx.execute(
        delete(decoder_test_cases).where(decoder_test_cases.c.decoder_id == decoder_id)
    )
    if cases:
        await tx.execute(
            insert(decoder_test_cases),
            [
                {
                    "decoder_id": decoder_id,
                    "position": position,
                    "name": case.name,
                    "direction": case.direction.value,
                    "input": case.input,
                    "expected": case.expected,
                }
                for position, case in enumerate(cases)
            ],
        )
