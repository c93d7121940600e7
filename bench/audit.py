"""What the audit's chain costs a change, and how fast an export of a million entries is verified.

Sealing runs beside nothing else on a server of its own; its CPU time is that of this process and of
PostgreSQL. The rival is the numbering alone that stood before: one UPDATE without chain.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import psutil
import uvloop

from bench.installation import directory
from moorage.audit import service
from moorage.audit.model import FactEntry
from moorage.audit.service.sealing import exported
from moorage.entry import data_directory, migrate, postgres
from moorage.kit import chain
from moorage.kit.db import Database
from moorage.kit.ids import uuid7

FACTS, ORGANIZATIONS, BATCH, ROUNDS = 5_000, 20, 100, 5
ENTRIES = 1_000_000

_WRITE = """
INSERT INTO facts (id, at, name, organization_id, subject_id, caller_kind, caller_id, caller_label,
                   origin, before, after)
SELECT gen_random_uuid(), now(), 'devices.changed', md5((n % :organizations)::text)::uuid,
  gen_random_uuid(), 'person', gen_random_uuid(), 'somebody@example.org', '192.0.2.7',
  '{"name": "Bin 7", "silent_after": "P1D"}', '{"name": "Bin 8", "silent_after": "P2D"}'
FROM generate_series(1, :facts) AS n
"""
_NUMBER = """
WITH ready AS (
  SELECT id, row_number() OVER (ORDER BY transaction, id) AS place FROM facts
  WHERE number IS NULL AND transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
  ORDER BY transaction, id LIMIT :most)
UPDATE facts SET number = (SELECT coalesce(max(number), 0) FROM facts) + ready.place
FROM ready WHERE facts.id = ready.id
"""


def main() -> None:
    """Measure and print."""
    with directory() as made:
        made = made / "data"
        made.mkdir(mode=0o755)
        with data_directory.locked(made), postgres.embedded(made) as server:
            migrate.migrate(server.url)
            uvloop.run(_sealing(Database(server.url, pool_size=1, name="bench"), made))
    _verifying()


async def _sealing(database: Database, made: Path) -> None:
    async def number() -> int:
        async with database.begin() as tx:
            return (await tx.execute(_NUMBER, {"most": BATCH})).rowcount

    async def seal() -> int:
        async with database.begin() as tx:
            return await service.seal(tx, BATCH)

    least: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        for name, work in (("numbered only", number), ("sealed", seal)):
            async with database.begin() as tx:
                await tx.execute("TRUNCATE facts, audit_chains CASCADE")
                await tx.execute(_WRITE, {"facts": FACTS, "organizations": ORGANIZATIONS})
            spent = await _spent(made, work)
            least[name] = min(least.get(name, spent), spent, key=sum)
    print(f"  {FACTS:,} facts of {ORGANIZATIONS} organizations, {BATCH} a transaction; CPU time, "
          f"least of {ROUNDS} rounds in turns")  # fmt: skip
    for name, (own, server) in least.items():
        print(f"  {name:<14} {own:6.1f} µs of Python and {server:6.1f} µs of PostgreSQL a fact")
    await database.close()


async def _spent(made: Path, work: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """Give CPU microseconds a fact, of this process and of the server."""
    before = time.process_time(), server_s(made)
    done = 0
    while done < FACTS:
        done += await work()
    after = time.process_time(), server_s(made)
    return (after[0] - before[0]) / done * 1e6, (after[1] - before[1]) / done * 1e6


def server_s(made: Path) -> float:
    """Read the CPU time of the server's processes."""
    postmaster = psutil.Process(int((made / "postgres" / "postmaster.pid").read_text().split()[0]))
    found = [postmaster, *postmaster.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in found)


def _verifying() -> None:
    with directory() as made:
        path = made / "audit.ndjson"
        with path.open("wb") as file:
            file.writelines(_lines())
        began = time.process_time()
        with path.open("rb") as export:
            found = service.verify(export, [])
        spent_s = time.process_time() - began
        size = path.stat().st_size
    if found.broken is not None:
        raise RuntimeError(found.broken.words)
    print(f"  {ENTRIES:,} entries ({size / 1e6:,.0f} MB of JSON lines) verified in {spent_s:.1f} s "
          f"of CPU: {ENTRIES / spent_s:,.0f} a second")  # fmt: skip


def _lines() -> Iterator[bytes]:
    """Write an export of one chain, in the form of the API's."""
    home, salt = UUID(int=7), bytes(chain.SALT_BYTES)
    fact = FactEntry(
        uuid7(), None, datetime.now(UTC), "devices.changed", home, uuid7(), "person", uuid7(),
        "somebody@example.org", "192.0.2.7", {"name": "Bin 7", "silent_after": "P1D"},
        {"name": "Bin 8", "silent_after": "P2D"},
    )  # fmt: skip
    entry = dict(exported(fact))
    caller, link = chain.caller_digest(entry, salt), chain.genesis(home)
    entry |= {"callerSalt": salt.hex(), "callerDigest": caller.hex()}
    entry |= {"aboutSalt": None, "aboutDigest": None}
    for place in range(1, ENTRIES + 1):
        entry |= {"place": place, "number": place}
        link = chain.link(entry, link, caller, None)
        entry["link"] = link.hex()
        yield msgspec.json.encode(entry) + b"\n"
