"""The table of answers kept for repeats."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, LargeBinary, Table

from moorage.kit.tables import metadata

api_answers = Table(
    "api_answers",
    metadata,
    # Digest of caller, path and idempotency key.
    Column("digest", LargeBinary, primary_key=True),
    Column("content_digest", LargeBinary, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, index=True),
    Column("finished_at", DateTime(timezone=True)),
    # Sealed, since answers may hold secrets that are shown once; null if too long to keep.
    Column("sealed", LargeBinary),
)
