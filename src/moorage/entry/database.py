"""Which database this installation uses."""

from __future__ import annotations

from moorage.entry import postgres, state
from moorage.entry.settings import Settings
from moorage.kit.errors import Kind, MoorageError


class DatabaseNotRunning(MoorageError):
    """No outside database is set and the embedded one does not run."""

    kind = Kind.UNAVAILABLE
    code = "database.not_running"
    message = (
        "The database in {directory} is not running. Start it with `moorage run`, or set "
        "MOORAGE_DATABASE_URL to a PostgreSQL 15 or newer."
    )


def url_of(settings: Settings) -> str:
    """Give the outside database, or the embedded one while `moorage run` keeps it running.

    Raises:
        DatabaseNotRunning: there is neither.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    url = postgres.url_of(settings.data_dir)
    if url is None or state.read(settings.data_dir) is None:
        raise DatabaseNotRunning(directory=str(settings.data_dir))
    return url
