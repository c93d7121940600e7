"""What the limiter and the meter cost a request: the same application with them and without.

`GET /api/v1/auth/me` with an API key, called as ASGI without a socket, in turns with and without.
The CPU time is this thread's, the lower tenth, so that neighbours on the machine count for little.
What is shared out among many requests (a lease, adding the counts) is measured by itself, with
PostgreSQL's time, the least of several rounds. The rival: a counter in PostgreSQL that each request
adds to.
"""

from __future__ import annotations

import logging
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
import uvloop
from starlette.types import Message

from bench.devices import root
from bench.installation import directory
from bench.rights import cost
from moorage import organizations, users
from moorage.api_gateway import Limits, Meter, Rate, service
from moorage.api_gateway.model import NewPlan, SubscriberKind, Terms
from moorage.api_gateway.service import Admission
from moorage.api_gateway.store import allowances
from moorage.entry import data_directory, migrate, postgres
from moorage.entry.api import Application, build_app
from moorage.entry.settings import read
from moorage.kit.caller import Caller, CallerKind
from moorage.kit.db import Database
from moorage.kit.ids import uuid7
from moorage.kit.secrets import load_sealer
from moorage.organizations import NewOrganization, NewPermissionGroup, Role
from moorage.users import NewApiKey

# Wide enough that a round needs a lease or none.
WIDE = Rate(1_000_000, 100_000)
PAIRS, TIMES, ASKERS = 2_000, 300, 100
# So much of its bucket a caller without a plan gets by one lease.
PART = 50
_COUNT = b"UPDATE bench_counters SET requests = requests + 1 WHERE key = %(key)s"


class _Open:
    """Lets everybody in and counts nothing."""

    async def admit(self, _caller: Caller) -> Admission:
        return Admission()

    def admit_address(self, _address: str) -> Admission:
        return Admission()

    def note(self, *_counted: object) -> None:
        return None


def main() -> None:
    """Measure and print."""
    # What is logged of each request is the same with and without.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with directory() as made:
        made = made / "data"
        made.mkdir(mode=0o755)
        with (
            data_directory.locked(made),
            postgres.embedded(made, durable=False) as server,
        ):
            migrate.migrate(server.url)
            uvloop.run(_measure(Database(server.url, pool_size=3, name="bench"), made))


async def _measure(database: Database, made: Path) -> None:
    operator = root()
    settings = read({"MOORAGE_DATA_DIR": str(made)}).settings
    async with database.begin() as tx:
        sealer = await load_sealer(tx, secrets.token_bytes(32))
    app = build_app(settings, database, sealer, limits=Limits(signed=WIDE))
    async with app.router.lifespan_context(app):
        key_id, key, home = await _key(database, operator)
        ask = _asker(app, key)
        print("  CPU time each")
        await _compare(app, "a request of a key without a plan", ask)
        await _plans(app, database, operator, key_id, home)
        await _compare(app, "of a key on a plan with quotas, its organization too", ask)
        await _shared(app, database, made)
    await database.close()


async def _key(database: Database, operator: Caller) -> tuple[UUID, str, UUID]:
    """Make a key that may read in an organization."""
    async with database.begin(operator) as tx:
        home = (await organizations.found(tx, operator, NewOrganization("Town"))).id
        new = NewPermissionGroup(home, "reads", (Role.READ,))
        group = await organizations.make_group(tx, operator, new)
        made, secret = await users.issue_key(tx, operator, NewApiKey(home, "bench", (group.id,)))
    return made.id, secret, home


async def _plans(
    app: Application, database: Database, operator: Caller, key_id: UUID, home: UUID
) -> None:
    """Put a key and its organization on a plan each, with every bound there is."""
    held = app.state.plans
    async with database.begin(operator) as tx:
        for name, kind, subscriber in (
            ("of the key", SubscriberKind.API_KEY, key_id),
            ("of the organization", SubscriberKind.ORGANIZATION, home),
        ):
            new = NewPlan(
                None, name, "", WIDE.per_second, WIDE.burst, 10**12, 10**15, timedelta(days=1), True
            )
            plan = await service.make_plan(tx, operator, held, new)
            await service.subscribe(tx, operator, plan.id, kind, subscriber)
        await held.read(tx)


def _asker(app: Application, key: str) -> Callable[[], Awaitable[None]]:
    path = "/api/v1/auth/me"

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise AssertionError(message)

    async def ask() -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "client": ("192.0.2.7", 40000), "server": ("localhost", 8080),
            "headers": [(b"host", b"localhost:8080"), (b"x-api-key", key.encode())],
        }  # fmt: skip
        await app(scope, receive, send)

    return ask


async def _compare(app: Application, what: str, ask: Callable[[], Awaitable[None]]) -> None:
    """Ask in turns with both and without, so that neighbours disturb the two alike."""
    state = app.state
    both, neither = (state.throttle, state.meter), (_Open(), _Open())
    spent: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * PAIRS):
        state.throttle, state.meter = both if number % 2 else neither
        began = time.thread_time()
        await ask()
        spent[number % 2].append((time.thread_time() - began) * 1e6)
    state.throttle, state.meter = both
    without, together = (statistics.quantiles(some, n=10)[0] for some in spent)
    print(f"    {what:<50} {without:8.0f} µs of Python without,")
    print(f"    {'':<50} {together:8.0f} with both: {together - without:.0f} more")


async def _shared(app: Application, database: Database, made: Path) -> None:
    terms = Terms("caller", "bench", WIDE)

    async def lease() -> None:
        async with database.each() as tx:
            await allowances.lease(tx, terms, PART, 0)

    spent = await cost(made, lease, TIMES)
    share = spent.all_us / PART
    print(f"    {'a lease':<50} {spent} ({share:.0f} µs a request at the default rate)")
    meter = Meter(database)
    callers = [Caller(CallerKind.API_KEY, uuid7(), "bench") for _ in range(ASKERS)]

    async def write() -> None:
        for caller in callers:
            meter.note(caller, "auth", 200, 100, 1_000)
        await meter.write()

    print(
        f"    {f'adding the counts of {ASKERS} callers, every 5 s':<50} {await cost(made, write)}"
    )
    async with database.begin() as tx:
        await tx.execute(
            "CREATE UNLOGGED TABLE bench_counters (key text PRIMARY KEY, requests int)"
        )
        await tx.execute("INSERT INTO bench_counters VALUES ('bench', 0)")

    async def count() -> None:
        async with database.each() as tx:
            await tx.run(_COUNT, {"key": "bench"})

    print(f"    {'the rival: a counter, for each request':<50} {await cost(made, count, TIMES)}")
