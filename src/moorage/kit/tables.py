"""What every table shares: one metadata, the four stamps."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, Uuid

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def stamps() -> tuple[Column[object], ...]:
    """Give a table `created_at`, `updated_at`, `created_by`, `updated_by`."""
    return (
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        Column("created_by", Uuid, nullable=False),
        Column("updated_by", Uuid, nullable=False),
    )
