"""Run the migrations; `moorage migrate` hands the connection in."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

from alembic import context
from sqlalchemy import Connection, text

import moorage
from moorage.kit.tables import metadata


def _missing(name: str) -> None:
    # What cannot be imported would be a package without tables, and its tables would be dropped.
    raise ImportError(f"{name} cannot be imported; `make install` mends what is not installed.")


for package in pkgutil.walk_packages(moorage.__path__, "moorage.", _missing):
    if package.name.endswith(".tables") or package.name in (
        "moorage.kit.facts",
        "moorage.kit.secrets",
        "moorage.kit.jobs",
    ):
        importlib.import_module(package.name)


def mine(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the day partitions, which a job makes and drops."""
    return not (kind == "table" and name is not None and name[-8:].isdigit())


def run(connection: Connection) -> None:
    """Migrate over a connection."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        include_name=mine,
        compare_server_default=False,
    )
    with context.begin_transaction():
        # The search of devices needs it; part of every PostgreSQL, and any owner may switch it on.
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        context.run_migrations()


run(context.config.attributes["connection"])
