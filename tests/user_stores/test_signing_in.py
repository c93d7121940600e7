"""Signing in through a directory: Debian's slapd over TLS, and servers that are none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from moorage import users
from moorage.kit.outbound import LOOPBACK, Outbound
from moorage.kit.secrets import load_sealer
from moorage.user_stores import People, store
from moorage.user_stores.model import Server
from moorage.user_stores.service import entries, wire
from user_stores import slapd as directories
from user_stores.slapd import (
    CROWD,
    PEOPLE,
    SERVICE,
    SERVICE_PASSWORD,
    SUFFIX,
    Slapd,
    dn_of,
    dn_of_group,
)
from user_stores.town import STORES, Town
from web import ROOT_KEY


def fields(slapd: Slapd, town: Town, **others: Any) -> dict[str, Any]:
    """Give what makes a store of the installation that maps `everybody` to readers."""
    readers = {"group": dn_of_group("everybody"), "permissionGroupIds": [str(town.readers)]}
    given = {
        "organizationId": None, "name": "North", "prefix": "north", "kind": "openLdap",
        "servers": [slapd.url], "authority": slapd.authority, "base": SUFFIX,
        "bindName": SERVICE, "password": SERVICE_PASSWORD, "domains": ["north.example"],
        "mappings": [readers], "newAccounts": "everybody",
    }  # fmt: skip
    return given | others


@contextlib.asynccontextmanager
async def silent(answer: bytes = b"") -> AsyncIterator[tuple[int, list[bytes]]]:
    """Listen, keep what comes, answer this much and no more; give the port and what came."""
    came: list[bytes] = []
    writers = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        came.append(b"")
        writer.write(answer)
        with contextlib.suppress(OSError):
            while data := await reader.read(1_000):
                came.append(data)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


async def test_the_first_sign_in_makes_an_account_with_the_rights_of_nested_groups(
    town: Town, slapd: Slapd
) -> None:
    await town.store(**fields(slapd, town))
    client, me = await town.let_in("dora@north.example", "dora knows this")
    assert (me["user"]["name"], me["user"]["email"]) == ("Dora", "dora@north.example")
    assert not me["user"]["hasPassword"]
    (grant,) = me["grants"]
    assert grant["organizationId"] == str(town.organization_id)
    assert (await client.get("/api/v1/devices")).status_code == 200
    async with town.world.database.begin() as tx:
        query = "SELECT after FROM facts WHERE name = 'users.signed_in' ORDER BY id DESC LIMIT 1"
        assert (await tx.execute(query)).scalar_one()["by"] == "user store"
    _, again = await town.let_in("DORA@north.example", "dora knows this")
    assert again["id"] == me["id"]


async def test_an_account_follows_its_person_through_a_new_name(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    _, me = await town.let_in("north\\emil", "emil knows this")
    slapd.rename("emil", "emilie")
    try:
        slapd.set(dn_of("emilie"), "cn", "Emilie")
        _, renamed = await town.let_in("north\\emilie", "emil knows this")
        assert (renamed["id"], renamed["user"]["name"]) == (me["id"], "Emilie")
        # Somebody else who gets the name that is free now gets no account with it.
        slapd.change(directories.person("emil"), add=True)
        slapd.set(dn_of("emil"), "mail", "other@north.example")
        _, other = await town.let_in("north\\emil", "emil knows this")
        assert other["id"] != me["id"]
    finally:
        slapd.remove(dn_of("emil"))
        slapd.rename("emilie", "emil")


async def test_groups_within_each_other_end(town: Town, slapd: Slapd) -> None:
    ring = {"group": dn_of_group("round"), "permissionGroupIds": [str(town.readers)]}
    await town.store(**fields(slapd, town, mappings=[ring]))
    _, me = await town.let_in("north\\emil", "emil knows this")
    assert len(me["grants"]) == 1


async def test_without_a_mapped_group_no_account_is_made(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town, newAccounts="mapped"))
    assert (await town.sign_in("north\\fie", "fie knows this"))[1] == 401
    assert (await town.sign_in("north\\gert", "gert knows this"))[1] == 204
    found = (await town.admin.get("/api/v1/users", params={"q": "fie"})).json()["items"]
    assert found == []


@pytest.mark.parametrize(
    "name",
    ["north\\*", "north\\do*", "north\\dora)(uid=*", "north\\*)(|(uid=*", "north\\dora)(mail=*)",
     "north\\dora,ou=people", "north\\ dora ,", "*@north.example", "*)(uid=dora@north.example",
     "north\\" + "(" * 100],
)  # fmt: skip
async def test_a_name_is_a_name_and_no_filter(town: Town, slapd: Slapd, name: str) -> None:
    await town.store(**fields(slapd, town))
    assert (await town.sign_in("north\\dora", "dora knows this"))[1] == 204
    assert (await town.sign_in(name, "dora knows this"))[1] == 401


async def test_an_empty_password_is_no_password(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    # This server itself lets a name without password in, as nobody.
    assert slapd.lets_in(dn_of("dora"), "")
    assert (await town.sign_in("north\\dora", ""))[1] == 422
    session = wire.Session(access(slapd), Server.of(slapd.url), "127.0.0.1")
    session.open()
    with pytest.raises(wire.Declined):
        session.bind(dn_of("dora"), "")
    session.close()


def access(slapd: Slapd, *urls: str, **others: Any) -> wire.Access:
    servers = tuple(Server.of(url) for url in urls or (slapd.url,))
    given = {"authority": slapd.authority, "bind_name": SERVICE, "password": SERVICE_PASSWORD}
    return wire.Access(uuid4(), "North", servers, **(given | others))


async def test_nobody_can_tell_what_was_wrong(town: Town, slapd: Slapd) -> None:
    async with silent() as (port, _):
        await town.store(**fields(slapd, town))
        gone = fields(slapd, town, name="Gone", prefix="gone", domains=["gone.example"])
        await town.store(**gone | {"servers": [f"ldaps://localhost:{port}"], "timeoutS": 1})
        slapd.set(dn_of("kaja"), "shadowExpire", "10000")
        answers = [
            await town.world.client().post(
                "/api/v1/auth/sign-in", json={"email": name, "password": password}
            )
            for name, password in (
                ("north\\dora", "not what dora knows"),
                ("north\\nobody", "dora knows this"),
                ("nobody@north.example", "dora knows this"),
                ("nostore\\dora", "dora knows this"),
                # Its time has come, though slapd itself lets her in.
                ("north\\kaja", "kaja knows this"),
                ("gone\\dora", "dora knows this"),
                ("dora@gone.example", "dora knows this"),
            )
        ]
    assert slapd.lets_in(dn_of("kaja"), "kaja knows this")
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_a_refusal_takes_as_long_whoever_is_asked(town: Town, slapd: Slapd) -> None:
    state = town.world.app.state
    async with town.world.database.begin() as tx:
        sealer = await load_sealer(tx, ROOT_KEY)
    state.outside = People(town.world.database, sealer, state.directories, 1.5)

    async def refused(name: str) -> float:
        began = time.monotonic()
        assert (await town.sign_in(name, "a wrong one"))[1] == 401
        return time.monotonic() - began

    await town.store(**fields(slapd, town))
    names = ("north\\dora", "north\\nobody", "nobody@town.example", "anna@town.example")
    # None is quicker than the others may be; that none is slower is not for a clock to say.
    assert min(await asyncio.gather(*map(refused, names))) >= 1.5


async def test_guessing_waits_at_a_store_as_anywhere(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    statuses = [(await town.sign_in("north\\hans", f"guess {n}"))[1] for n in range(7)]
    assert statuses == [401] * 6 + [429]
    assert (await town.sign_in("north\\hans", "hans knows this"))[1] == 429


async def test_whoever_has_a_password_here_is_not_asked_for_there(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town, linkByEmail=True))
    own = await town.world.person("ida@north.example", None)
    body = {"newPassword": "ostrich velvet quarry 17"}
    assert (await own.post("/api/v1/auth/password", json=body)).status_code == 204
    await town.world.user("jens@north.example")
    assert (await town.sign_in("ida@north.example", "ida knows this"))[1] == 401
    assert (await town.sign_in("north\\ida", "ida knows this"))[1] == 401
    assert (await town.sign_in("ida@north.example", "ostrich velvet quarry 17"))[1] == 204
    # Who has none is who the directory says, where the store links by address.
    _, me = await town.let_in("jens@north.example", "jens knows this")
    assert me["user"]["email"] == "jens@north.example"
    found = await town.admin.get("/api/v1/users", params={"q": "jens@"})
    assert [one["id"] for one in found.json()["items"]] == [me["id"]]


async def test_a_store_takes_no_account_that_it_does_not_link(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    await town.world.user("lone@north.example")
    assert (await town.sign_in("lone@north.example", "lone knows this"))[1] == 401
    assert (await town.sign_in("north\\lone", "lone knows this"))[1] == 401


async def test_an_address_is_believed_of_the_domains_alone(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    slapd.set(dn_of("mads"), "mail", "boss@elsewhere.example")
    _, me = await town.let_in("north\\mads", "mads knows this")
    assert me["user"]["email"] is None


async def test_referrals_are_not_followed(town: Town, slapd: Slapd) -> None:
    async with silent() as (port, came):
        slapd.change(
            f"dn: ou=elsewhere,{PEOPLE}\nobjectClass: referral\nobjectClass: extensibleObject\n"
            f"ou: elsewhere\nref: ldap://127.0.0.1:{port}/ou=people,dc=else\n",
            add=True,
        )
        # Whoever is asked for where the referral is gets it as the answer.
        await town.store(**fields(slapd, town))
        beyond = fields(slapd, town, name="Beyond", prefix="beyond", domains=[])
        await town.store(**beyond | {"base": f"ou=elsewhere,{PEOPLE}"})
        try:
            assert (await town.sign_in("north\\dora", "dora knows this"))[1] == 204
            assert (await town.sign_in("beyond\\dora", "dora knows this"))[1] == 401
        finally:
            slapd.remove_referral(f"ou=elsewhere,{PEOPLE}")
        assert came == []


async def test_no_password_leaves_without_tls(town: Town, slapd: Slapd, tmp_path: Path) -> None:
    place = tmp_path / "plain"
    place.mkdir()
    with directories.running(place, "dora", tls=False) as plain:
        async with silent() as (port, came):
            for url in (
                plain.start_tls_url,
                f"ldap://localhost:{port}",
                f"ldaps://localhost:{port}",
            ):
                body = {"store": fields(slapd, town, servers=[url], timeoutS=1)}
                answer = await town.admin.post(f"{STORES}/test", json=body)
                assert not answer.json()["passed"], answer.text
    assert came
    assert SERVICE_PASSWORD.encode() not in b"".join(came)
    # With StartTLS it is as good as with TLS from the start.
    body = {"store": fields(slapd, town, servers=[slapd.start_tls_url])}
    answer = await town.admin.post(f"{STORES}/test", json=body)
    assert answer.json()["passed"], answer.text


async def test_a_certificate_must_be_trusted_and_of_the_host(town: Town, slapd: Slapd) -> None:
    for others, word in (
        ({"authority": None}, "not trusted"),
        ({"servers": [slapd.url.replace("localhost", "127.0.0.1")]}, "not trusted"),
    ):
        body = {"store": fields(slapd, town, **others)}
        trial = (await town.admin.post(f"{STORES}/test", json=body)).json()
        assert not trial["passed"]
        assert word in trial["steps"][0]["detail"]


async def test_a_trial_tells_each_step(town: Town, slapd: Slapd) -> None:
    body = {"store": fields(slapd, town), "tryName": "gert", "tryPassword": "gert knows this"}
    trial = (await town.admin.post(f"{STORES}/test", json=body)).json()
    assert trial["passed"], trial
    assert [step["name"] for step in trial["steps"]] == [
        "connect", "bind", "people", "find", "groups", "signIn",
    ]  # fmt: skip
    assert trial["person"]["login"] == "gert"
    assert len(trial["groups"]) == 2
    wrong = body | {"tryPassword": "not this"}
    trial = (await town.admin.post(f"{STORES}/test", json=wrong)).json()
    assert [step["passed"] for step in trial["steps"]] == [True] * 5 + [False]
    wrong = {"store": fields(slapd, town, password="not this")}
    trial = (await town.admin.post(f"{STORES}/test", json=wrong)).json()
    assert [step["passed"] for step in trial["steps"]] == [True, False]


async def test_the_next_server_is_asked_where_one_does_not_answer(town: Town, slapd: Slapd) -> None:
    async with silent() as (port, _), silent(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (odd, _):
        servers = [f"ldaps://localhost:{port}", f"ldap://localhost:{odd}",
                   "ldaps://localhost:1", slapd.url]  # fmt: skip
        made = await town.store(**fields(slapd, town, servers=servers, timeoutS=1))
        assert (await town.sign_in("north\\nina", "nina knows this"))[1] == 204
    health = (await town.admin.get(f"{STORES}/{made['id']}")).json()["health"]
    assert (health["state"], health["server"]) == ("reached", f"localhost:{slapd.tls_port}")


async def test_a_directory_that_hangs_keeps_nobody_else_waiting(town: Town, slapd: Slapd) -> None:
    async with silent() as (port, came):
        await town.store(**fields(slapd, town))
        gone = fields(slapd, town, name="Gone", prefix="gone", domains=["gone.example"])
        made = await town.store(**gone | {"servers": [f"ldaps://localhost:{port}"], "timeoutS": 3})
        waiting = [
            asyncio.create_task(town.sign_in(f"gone\\nobody{n}", "anything")) for n in range(12)
        ]
        while not came:
            await asyncio.sleep(0.01)
        assert (await town.sign_in("north\\ole", "ole knows this"))[1] == 204
        assert not any(task.done() for task in waiting)
        assert {status for _, status in await asyncio.gather(*waiting)} == {401}
    health = (await town.admin.get(f"{STORES}/{made['id']}")).json()["health"]
    assert health["state"] == "failing"
    assert "does not answer" in health["error"]


async def test_more_people_than_the_server_gives_at_once_are_read_page_by_page(
    town: Town, slapd: Slapd
) -> None:
    await town.store(**fields(slapd, town))
    reached = wire.Directories(Outbound(LOOPBACK))
    made = (await town.admin.get(STORES)).json()["items"][0]
    async with town.world.database.begin() as tx:
        kept = await store.get(tx, UUID(made["id"]))

    def count(session: wire.Session) -> int:
        found = entries.people(session, kept, "(uid=crowd*)")
        return len({entry.id for entry in found})

    assert (await reached.work(access(slapd), count, most_s=30))[1] == CROWD


async def test_two_first_sign_ins_at_once_make_one_account(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    names = ("per@north.example", "north\\per")
    found = await asyncio.gather(*(town.let_in(name, "per knows this") for name in names))
    assert len({me["id"] for _, me in found}) == 1
    async with town.world.database.begin() as tx:
        assert await users.find_by_email(tx, "per@north.example") is not None
