"""The ledger in PostgreSQL, as a log of its own."""

from __future__ import annotations

from moorage.plugin import Log, PostgresLog


class PostgresLogKind:
    """Opens the raw log of a database that `moorage migrate` has made."""

    api_version = 1
    durable = True

    async def open(self, url: str) -> Log:
        """Open the log of a database. Raises DatabaseUnavailable.

        Args:
            url: libpq URL.
        """
        return await PostgresLog.at(url)


KIND = PostgresLogKind()
