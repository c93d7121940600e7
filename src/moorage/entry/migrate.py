"""Bring a database to the shape this version needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

import moorage
from moorage.kit.db import sqlalchemy_url
from moorage.kit.errors import Kind, MoorageError

OLDEST_SERVER = 15
# Two migrations of one database wait for each other this long,
TURN_TIMEOUT = "10min"
# but a change of a table in use gives up soon, so that nothing queues behind it.
LOCK_TIMEOUT = "5s"


class DatabaseTooOld(MoorageError):
    """The PostgreSQL server is older than the platform can use."""

    kind = Kind.CONFLICT
    code = "database.too_old"
    message = "The database server is PostgreSQL {found}; Moorage needs {needed} or newer."


class DatabaseNewer(MoorageError):
    """A newer Moorage has changed the database."""

    kind = Kind.CONFLICT
    code = "database.newer"
    message = (
        "The database was changed by a newer Moorage (revision {found}, unknown here). Start that "
        "version, or restore a backup made before it."
    )


class DatabaseUnreachable(MoorageError):
    """No connection to the database can be made."""

    kind = Kind.UNAVAILABLE
    code = "database.unreachable"
    message = "The database cannot be reached: {reason}. MOORAGE_DATABASE_URL says where it is."


class DatabaseBusy(MoorageError):
    """A table stayed locked by somebody else."""

    kind = Kind.UNAVAILABLE
    code = "database.busy"
    message = "The database could not be changed: {reason}. Nothing is half done; try again."


@dataclass(frozen=True)
class Revision:
    """Where a database stands, and where this version wants it."""

    current: str | None
    head: str


def migrate(url: str) -> Revision:
    """Apply every migration that is missing, each in its own transaction; tell where it started.

    Raises:
        DatabaseUnreachable: the server does not answer.
        DatabaseTooOld: the server is older than PostgreSQL 15.
        DatabaseNewer: a newer Moorage was here.
        DatabaseBusy: a lock was not given in time.
    """
    engine = create_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        connect_args={"application_name": "moorage-migrate", "connect_timeout": 10},
    )
    try:
        with engine.connect() as connection:
            return _migrate(connection)
    except OperationalError as failed:
        raise _named(failed) from failed
    finally:
        engine.dispose()


def revision(url: str) -> Revision:
    """Tell where the database stands, changing nothing. Raises DatabaseUnreachable."""
    engine = create_engine(
        sqlalchemy_url(url), poolclass=NullPool, connect_args={"connect_timeout": 5}
    )
    try:
        with engine.connect() as connection:
            return _revision(connection, ScriptDirectory.from_config(_config()))
    except OperationalError as failed:
        raise _named(failed) from failed
    finally:
        engine.dispose()


def scripts() -> Path:
    """Find the migrations: inside the wheel, or beside `src` in a checkout."""
    package = Path(moorage.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parents[1] / "migrations"


def _migrate(connection: Connection) -> Revision:
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10000
    if version < OLDEST_SERVER:
        raise DatabaseTooOld(found=version, needed=OLDEST_SERVER)
    config = _config()
    config.attributes["connection"] = connection
    # Of the session, not of one transaction: it spans all migrations and ends with the connection.
    connection.execute(text(f"SET lock_timeout = '{TURN_TIMEOUT}'"))
    connection.execute(text("SELECT pg_advisory_lock(hashtext('moorage.migrate'))"))
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    found = _revision(connection, ScriptDirectory.from_config(config))
    connection.rollback()
    if found.current != found.head:
        command.upgrade(config, "head")
    return found


def _revision(connection: Connection, directory: ScriptDirectory) -> Revision:
    current = MigrationContext.configure(connection).get_current_revision()
    head = directory.get_current_head()
    if head is None:
        raise RuntimeError(f"There are no migrations in {directory.dir}.")
    if current is not None and current not in {
        script.revision for script in directory.walk_revisions()
    }:
        raise DatabaseNewer(found=current)
    return Revision(current, head)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    return config


def _named(failed: OperationalError) -> MoorageError:
    reason = str(failed.orig).splitlines()[0].rstrip(".")
    # What the server itself refuses has a state; a connection that never was has none.
    if getattr(failed.orig, "sqlstate", None):
        return DatabaseBusy(reason=reason)
    return DatabaseUnreachable(reason=reason)
