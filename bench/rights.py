"""What rights cost a request: who asks, what they may, what they see of 100,000 devices.

Somebody is in 1,000 permission groups that list applications, one each or ten: they are recognised,
and the first page of their devices is read, as a request does. Checks by themselves are counted for
somebody in three groups. CPU time is that of this process and of PostgreSQL on one connection, the
least of several rounds; the pages are as the clock shows, on a machine that may do other things.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import uvloop

from bench.audit import server_s
from bench.devices import GOAL_MS, fill, line, root
from bench.installation import directory
from moorage import devices, groups, organizations, users
from moorage.entry import data_directory, migrate, postgres
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.mail import Post
from moorage.kit.pages import PageRequest
from moorage.kit.secrets import load_sealer
from moorage.organizations import NewPermissionGroup, Permission, Role
from moorage.users import NewApiKey, NewUser, SignedIn, Visitor, service
from moorage.users.model import Proof, SessionKind
from moorage.users.service import passwords
from moorage.users.store import people

MEMBERSHIPS = 1_000
ROUNDS = 20
PASSWORD = "Harbour-lights-over-9-piers"

Step = Callable[[], Awaitable[object]]


def main() -> None:
    """Measure and print."""
    with directory() as made:
        made = made / "data"
        made.mkdir(mode=0o755)
        with (
            data_directory.locked(made),
            postgres.embedded(made, durable=False) as server,
        ):
            migrate.migrate(server.url)
            uvloop.run(_measure(Database(server.url, pool_size=2, name="bench"), made))


async def _measure(database: Database, made: Path) -> None:
    operator = root()
    applications = await fill(database, operator)
    print(f"  {'milliseconds':<52} {'median':>8} {'p95':>8}")
    for each in (1, 10):
        person = await _member(database, operator, applications, each)
        await _pages(database, made, person, f"in {MEMBERSHIPS:,} groups of {each}")
    await _checks(database, made, operator, applications)
    await database.close()


async def _member(
    database: Database, operator: Caller, applications: list[groups.Application], each: int
) -> UUID:
    """Make a person in so many groups, each of which lists `each` applications of one place."""
    rings: dict[UUID, list[groups.Application]] = {}
    for application in applications:
        rings.setdefault(application.organization_id, []).append(application)
    joined: list[UUID] = []
    async with database.begin(operator) as tx:
        for number, home in zip(range(MEMBERSHIPS), itertools.cycle(rings), strict=False):
            own = rings[home]
            some = tuple(own[(number // len(rings) + at) % len(own)].id for at in range(each))
            new = NewPermissionGroup(home, f"{each} of {number}", (Role.READ,), (), False,
                                     application_ids=some)  # fmt: skip
            joined.append((await organizations.make_group(tx, operator, new)).id)
        new_user = NewUser(f"many{each}@example.org", "Many", permission_group_ids=tuple(joined))
        made, _ = await users.add(tx, operator, new_user)
    connection = await database.connect(name="bench")
    async with connection:
        await connection.execute("VACUUM ANALYZE")
    return made.id


async def _pages(database: Database, made: Path, person: UUID, who: str) -> None:
    recognise = _recognise(database, person)
    line(f"{who}, recognised", await _clock(recognise), None)
    asked = PageRequest(50)
    for what, request, wanted in (
        ("first page", asked, devices.DeviceFilter()),
        ("first page and total", PageRequest(50, total=True), devices.DeviceFilter()),
        ("by last contact", PageRequest(50, sort="-lastSeenAt"), devices.DeviceFilter()),
        ("a frequent word", asked, devices.DeviceFilter(q="boiler")),
    ):

        async def page(
            request: PageRequest = request, wanted: devices.DeviceFilter = wanted
        ) -> object:
            async with database.begin() as tx:
                caller = await users.act_for(tx, person)
                return await devices.list_devices(tx, caller, request, wanted)

        line(f"{who}, {what}", await _clock(page), GOAL_MS)
        if what == "first page":
            print(f"    in {await _cost(made, page)}")
    print(f"    recognised in {await _cost(made, recognise)}")


async def _checks(
    database: Database, made: Path, operator: Caller, applications: list[groups.Application]
) -> None:
    async with database.begin(operator) as tx:
        sealer = await load_sealer(tx, secrets.token_bytes(32))
        keys = await users.load_signing_keys(tx, sealer)
        person, secret = await _ann(tx, operator, applications)
    hashed = await passwords.make(PASSWORD)
    async with database.begin(operator) as tx:
        await people.set_password(tx, person, hashed)
    visitor, post = Visitor("192.0.2.7", "bench"), Post(sealer, "http://localhost", works=False)

    async def sign_in() -> SignedIn:
        return await service.sign_in(
            database, visitor, post, "ann@example.org", PASSWORD, Proof(), SessionKind.TOKEN
        )

    bearer = (await service.give_tokens(database, keys, await sign_in())).access_token

    async def token() -> Caller:
        async with database.begin() as tx:
            return await users.identify(tx, keys, bearer=bearer)

    async def key() -> Caller:
        async with database.begin() as tx:
            return await users.identify_key(tx, secret, None)

    async def nothing() -> None:
        async with database.begin() as tx:
            await tx.execute("SELECT 1")

    print("  CPU time each, and as many a second as one core makes of it")
    for what, step, times in (
        ("a sign-in by password", sign_in, 10),
        ("an access token checked, with rights as they are", token, 300),
        ("an API key checked, with rights as they are", key, 300),
        ("an empty transaction, for comparison", nothing, 300),
    ):
        spent = await _cost(made, step, times)
        print(f"    {what:<50} {spent} ({1e6 / spent.all_us:,.0f}/s)")
    _authorise(await token(), applications)


async def _ann(
    tx: Tx, operator: Caller, applications: list[groups.Application]
) -> tuple[UUID, str]:
    """Make a person in three groups of one organization, and a key in the same."""
    home, own = applications[0].organization_id, tuple(a.id for a in applications[:3])
    joined = []
    for name, role, some in (
        ("reads", Role.READ, ()),
        ("acts", Role.APPLICATION_ADMIN, own),
        ("leads", Role.USER_ADMIN, ()),
    ):
        new = NewPermissionGroup(home, name, (role,), (), not some, application_ids=some)
        joined.append((await organizations.make_group(tx, operator, new)).id)
    new_user = NewUser("ann@example.org", "Ann", permission_group_ids=tuple(joined))
    person, _ = await users.add(tx, operator, new_user)
    _, secret = await users.issue_key(tx, operator, NewApiKey(home, "bench", tuple(joined)))
    return person.id, secret


def _authorise(caller: Caller, applications: list[groups.Application]) -> None:
    places = [(a.organization_id, a.id) for a in applications]
    least = float("inf")
    for _ in range(5):
        # A request asks of fresh grants.
        fresh = Caller(caller.kind, caller.id, caller.label, caller.grants)
        began = time.process_time()
        for permission in Permission:
            for organization_id, application_id in places:
                organizations.may(fresh, permission, organization_id, application_id)
        least = min(least, time.process_time() - began)
    each = least / len(Permission) / len(places)
    what = "may somebody do something there, rights at hand"
    print(f"    {what:<50} {each * 1e6:8.2f} µs ({1 / each:,.0f}/s)")


class Cost(NamedTuple):
    """CPU time of one step, in microseconds."""

    own_us: float
    server_us: float

    @property
    def all_us(self) -> float:
        """Both together."""
        return self.own_us + self.server_us

    def __str__(self) -> str:
        """Tell whose it is."""
        return f"{self.own_us:8.0f} µs of Python, {self.server_us:6.0f} µs of PostgreSQL"


async def _cost(made: Path, step: Step, times: int = 20, rounds: int = 5) -> Cost:
    """Give the least CPU time of one step; the server's clock goes in steps of 10 ms."""
    best = Cost(float("inf"), float("inf"))
    for _ in range(rounds):
        before = time.process_time(), server_s(made)
        for _ in range(times):
            await step()
        own, server = time.process_time() - before[0], server_s(made) - before[1]
        best = min(best, Cost(own / times * 1e6, server / times * 1e6), key=sum)
    return best


async def _clock(step: Step) -> list[float]:
    """Give milliseconds as the clock shows them, in order; the first six are for the planner."""
    spent = []
    for _ in range(ROUNDS + 6):
        began = time.perf_counter()
        await step()
        spent.append((time.perf_counter() - began) * 1000)
    return sorted(spent[6:])


def _recognise(database: Database, person: UUID) -> Step:
    async def recognise() -> object:
        async with database.begin() as tx:
            return await users.act_for(tx, person)

    return recognise
