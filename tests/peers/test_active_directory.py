"""User stores against an Active Directory: Samba's domain controller, over TLS."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from moorage.kit.outbound import LOOPBACK, Outbound
from moorage.testing.authority import Authority
from moorage.user_stores import store as rows
from moorage.user_stores.model import Server
from moorage.user_stores.service import entries, kinds, wire
from user_stores import town as towns
from user_stores.town import STORES, Town

pytestmark = pytest.mark.timeout(900)
ADMIN, ADMIN_PASSWORD = "administrator@north.example", "Harbour-Master-1"
SUFFIX = "DC=north,DC=example"
USERS = f"CN=Users,{SUFFIX}"
MEMBERS = 25


class Samba:
    """A domain controller; its LDAP server has the ports of the protocol and no others."""

    def __init__(self, directory: Path) -> None:
        issuer = Authority(directory)
        self.authority = issuer.certificate
        (directory / "ca.pem").write_text(self.authority)
        certificate, key = issuer.files("localhost")
        key.chmod(0o600)
        self._directory = directory
        self._config = directory / "dc" / "etc" / "smb.conf"
        self._run(
            "samba-tool", "domain", "provision", "--realm=NORTH.EXAMPLE", "--domain=NORTH",
            "--host-name=dc1", "--host-ip=127.0.0.1", "--server-role=dc", "--dns-backend=NONE",
            f"--adminpass={ADMIN_PASSWORD}", f"--targetdir={directory / 'dc'}",
            "--option=interfaces=lo", "--option=bind interfaces only=yes",
        )  # fmt: skip
        files = {"certfile": certificate, "keyfile": key, "cafile": directory / "ca.pem"}
        lines = []
        for line in self._config.read_text().splitlines():
            if line.strip().startswith(("server services", "log file")):
                continue
            lines.append(line)
            if line == "[global]":
                lines += ["server services = ldap", f"log file = {directory}/log.%m"]
                lines += ["tls enabled = yes", *(f"tls {k} = {v}" for k, v in files.items())]
        self._config.write_text("\n".join(lines))
        self._run("samba-tool", "domain", "passwordsettings", "set", "--min-pwd-age=0", "-s",
                  str(self._config))  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = ["samba", "-F", "-M", "single", "--no-process-group", "-s", str(self._config)]
        with (self._directory / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [_tool(command[0]), *command[1:]], stdout=out, stderr=out
            )
        for _ in range(1_200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 636)):
                return
            time.sleep(0.1)
        raise AssertionError((self._directory / "out").read_text())

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def change(self, ldif: str, tool: str = "ldapmodify") -> None:
        """Change entries by OpenLDAP's client, which knows no name of the loopback."""
        self._run(
            tool, "-x", "-H", "ldaps://127.0.0.1", "-D", ADMIN, "-w", ADMIN_PASSWORD,
            text=ldif, env=os.environ | {"LDAPTLS_REQCERT": "never"},
        )  # fmt: skip

    def set(self, dn: str, attribute: str, value: str) -> None:
        """Replace an attribute's value."""
        self.change(f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n")

    def group(self, name: str, *members: str) -> None:
        """Make a group."""
        lines = [f"dn: CN={name},{USERS}", "objectClass: group", f"sAMAccountName: {name}"]
        self.change("\n".join([*lines, *(f"member: {one}" for one in members)]) + "\n", "ldapadd")

    def _run(self, tool: str, *others: str, text: str = "", env: Any = None) -> None:
        done = subprocess.run(
            [_tool(tool), *others], input=text.encode(), capture_output=True, env=env
        )
        assert done.returncode == 0, done.stderr.decode()


def _tool(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert found, f"{name} is not installed; run scripts/system-packages test peers."
    return found


@pytest.fixture(scope="module")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    made = Samba(tmp_path_factory.mktemp("samba"))
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest_asyncio.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with towns.settled(database_url, tmp_path) as made:
        yield made


def fields(samba: Samba, town: Town, group: str, **others: Any) -> dict[str, Any]:
    readers = {"group": f"CN={group},{USERS}", "permissionGroupIds": [str(town.readers)]}
    given = {
        "organizationId": None, "name": "North", "prefix": "north", "kind": "activeDirectory",
        "mode": "readWrite", "servers": ["ldaps://localhost"], "authority": samba.authority,
        "base": SUFFIX, "newBase": USERS, "bindName": ADMIN, "password": ADMIN_PASSWORD,
        "domains": ["north.example"], "mappings": [readers], "timeoutS": 30,
    }  # fmt: skip
    return given | others


async def make(town: Town, store: Any, login: str, name: str) -> Any:
    """Make a person in the directory, whose password is `<Name> knows 1 word`."""
    body = {"login": login, "name": name, "email": f"{login}@north.example",
            "password": f"{name} knows 1 word"}  # fmt: skip
    answer = await town.admin.post(f"{STORES}/{store['id']}/people", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_people_of_nested_groups_sign_in_and_are_out_when_they_are_closed(
    town: Town, samba: Samba
) -> None:
    store = await town.store(**fields(samba, town, "everybody"))
    dora = await make(town, store, "dora", "Dora (the) *")
    samba.group("crew", dora["dn"])
    samba.group("everybody", f"CN=crew,{USERS}")
    word = "Dora (the) * knows 1 word"
    client, me = await town.let_in("north\\dora", word)
    assert (me["user"]["name"], len(me["grants"])) == ("Dora (the) *", 1)
    for name in ("dora@north.example", "north\\dora@north.example"):
        assert (await town.let_in(name, word))[1]["id"] == me["id"]
    for name, password in (("north\\do*", word), ("north\\dora)(cn=*", word),
                           ("north\\dora", "another 1 Word")):  # fmt: skip
        assert (await town.sign_in(name, password))[1] == 401
    # Moved and renamed, it is still her.
    samba.change(f"dn: {dora['dn']}\nchangetype: modrdn\nnewrdn: CN=Dora Dorn\ndeleteoldrdn: 1\n")
    moved = f"CN=Dora Dorn,{USERS}"
    assert (await town.let_in("north\\dora", word))[1]["id"] == me["id"]
    assert (await town.sync(store["id"]))["health"]["syncError"] == ""
    assert (await client.get("/api/v1/auth/me")).json()["grants"] == me["grants"]
    # Closed (ACCOUNTDISABLE), and then past its time (2001, as FILETIME).
    for attribute, out, back in (
        ("userAccountControl", "514", "512"),
        ("accountExpires", "126227808000000000", "0"),
    ):
        client, _ = await town.let_in("north\\dora", word)
        samba.set(moved, attribute, out)
        await town.sync(store["id"])
        assert (await client.get("/api/v1/auth/me")).status_code == 401
        assert (await town.sign_in("north\\dora", word))[1] == 401
        samba.set(moved, attribute, back)
        await town.sync(store["id"])
    # Out of the inner group, she has what it gave no more.
    client, _ = await town.let_in("north\\dora", word)
    samba.change(f"dn: CN=crew,{USERS}\nchangetype: modify\ndelete: member\nmember: {moved}\n")
    await town.sync(store["id"])
    assert (await client.get("/api/v1/auth/me")).json()["grants"] == []


async def test_passwords_are_set_and_changed_over_tls(town: Town, samba: Samba) -> None:
    store = await town.store(**fields(samba, town, "none", newAccounts="everybody"))
    emil = await make(town, store, "emil", "Emil")
    client, _ = await town.let_in("north\\emil", "Emil knows 1 word")
    words = {"currentPassword": "Not 1 of his", "newPassword": "Velvet ostrich 17 quarry"}
    refused = await client.post("/api/v1/auth/password", json=words)
    assert refused.json()["code"] == "users.credentials_wrong"
    words["currentPassword"] = "Emil knows 1 word"
    answer = await client.post("/api/v1/auth/password", json=words)
    assert answer.status_code == 204, answer.text
    assert (await town.sign_in("north\\emil", "Velvet ostrich 17 quarry"))[1] == 204
    one = f"{STORES}/{store['id']}/people/{emil['id']}"
    answer = await town.admin.patch(one, json={"password": "Another 1 of his", "name": "E. Mil"})
    assert answer.json()["name"] == "E. Mil", answer.text
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    client, _ = await town.let_in("north\\emil", "Another 1 of his")
    assert (await town.admin.patch(one, json={"enabled": False})).json()["enabled"] is False
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    weak = await town.admin.patch(one, json={"password": "x"})
    assert (weak.status_code, weak.json()["code"]) == (409, "user_stores.refused")


async def test_members_beyond_one_range_are_read_on(
    town: Town, samba: Samba, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await town.store(**fields(samba, town, "many", nesting="walk"))
    many = [f"CN=Member {n},{USERS}" for n in range(MEMBERS)]
    for dn in many:
        samba.change(f"dn: {dn}\nobjectClass: contact\n", "ldapadd")
    samba.group("many", *many)
    async with town.world.database.begin() as tx:
        kept = await rows.get(tx, UUID(store["id"]))
    monkeypatch.setattr(entries, "RANGE", 10)
    access = wire.Access(
        kept.id, "North", (Server.of("ldaps://localhost"),), samba.authority, ADMIN,
        ADMIN_PASSWORD, 30,
    )  # fmt: skip

    def read(session: wire.Session) -> set[str]:
        (group,) = session.search(SUFFIX, "(cn=many)", [f"member;range=0-{entries.RANGE - 1}"])
        # The server gave no more than it was asked for.
        assert max(len(values) for values in group.values.values()) == 10
        return {kinds.key_of(dn) for dn in entries.members(session, group)}

    reached = wire.Directories(Outbound(LOOPBACK))
    _, found = await reached.work(access, read, most_s=60)
    assert found == {kinds.key_of(dn) for dn in many}


async def test_an_empty_password_and_a_plain_connection_are_refused(
    town: Town, samba: Samba
) -> None:
    body = {"store": fields(samba, town, "none"), "tryName": "administrator"}
    trial = (await town.admin.post(f"{STORES}/test", json=body)).json()
    assert trial["passed"], trial
    plain = body | {"store": fields(samba, town, "none", servers=["ldap://localhost"])}
    trial = (await town.admin.post(f"{STORES}/test", json=plain)).json()
    assert trial["passed"], trial
    await town.store(**fields(samba, town, "none", newAccounts="everybody"))
    assert (await town.sign_in("north\\administrator", ""))[1] == 422
    assert (await town.sign_in("north\\administrator", " "))[1] == 401
