"""The only SQL about decoders."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import any_, select
from sqlalchemy.dialects.postgresql import array

from moorage.kit.db import Tx

from .model import InForce
from .tables import decoder_versions, decoders


async def in_force(tx: Tx, decoder_ids: Collection[UUID]) -> list[InForce]:
    """Tell which versions of these decoders are in force; those unknown are left out."""
    rows = await tx.execute(
        select(
            decoders.c.id,
            decoders.c.organization_id,
            decoders.c.kind,
            decoders.c.shared,
            decoder_versions.c.hash,
        )
        .join(decoder_versions, decoder_versions.c.decoder_id == decoders.c.id)
        .where(
            decoders.c.id == any_(array(list(decoder_ids))),
            decoder_versions.c.n == decoders.c.version,
        )
    )
    return [InForce(r.id, r.organization_id, r.kind, r.shared, r.hash) for r in rows]


async def sources(tx: Tx, hashes: Collection[str]) -> dict[str, str]:
    """Read texts by their hash; whose they are makes no difference, they are the same."""
    rows = await tx.execute(
        select(decoder_versions.c.hash, decoder_versions.c.source)
        .where(decoder_versions.c.hash == any_(array(list(hashes))))
        .distinct(decoder_versions.c.hash)
    )
    return {r.hash: r.source for r in rows}
