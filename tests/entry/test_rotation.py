"""Keys that give way to others while everything that is sealed stays readable."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pwd
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from moorage import targets, users
from moorage.kit import secrets
from moorage.kit.db import Database
from moorage.kit.secrets import RootKeyWrong, Sealer, load_sealer
from web import ROOT_KEY, World

CONTEXT = "a test"
OTHER_ROOT = bytes(range(100, 132))


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def moorage_keys(
    database_url: str, data_dir: Path, *words: str, given: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return moorage(database_url, data_dir, "keys", *words, given=given, **variables)


def moorage(
    database_url: str, data_dir: Path, *words: str, given: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}
    where = {"MOORAGE_DATABASE_URL": database_url, "MOORAGE_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "moorage.entry.cli", *words],
        env=ours | where | variables,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def told(url: str, prefix: str) -> list[tuple[str, str, str | None]]:
    """Read name, who and from where of the facts whose names begin so."""
    database = Database(url, pool_size=1)
    try:
        async with database.begin() as tx:
            query = "SELECT * FROM facts WHERE starts_with(name, :prefix) ORDER BY id"
            rows = await tx.execute(query, {"prefix": prefix})
            return [(row.name, row.caller_label, row.origin) for row in rows]
    finally:
        await database.close()


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def opens(url: str, root: bytes) -> Sealer:
    database = Database(url, pool_size=1)
    try:
        async with database.begin() as tx:
            return await load_sealer(tx, root)
    finally:
        await database.close()


async def test_what_was_sealed_outlives_the_key_that_sealed_it(world: World) -> None:
    admin = await world.admin()
    organization = await world.organization("Aarhus")
    body = {"organizationId": str(organization.id), "name": "Water"}
    application = (await admin.post("/api/v1/applications", json=body)).json()
    answer = await admin.post(
        "/api/v1/targets",
        json={
            "applicationId": application["id"],
            "name": "City",
            "kind": "http",
            "settings": {"url": "http://127.0.0.1:9/x", "authentication": "header"},
            "secrets": {"authorization": "Token abc"},
        },
    )
    assert answer.status_code == 201, answer.text
    running: Sealer = world.app.state.sealer
    (before,) = running.known

    async with world.database.begin() as tx:
        made = await secrets.add_key(tx, ROOT_KEY)
        running.learn(await secrets.read_keys(tx, ROOT_KEY, beside=running.known))
    early = running.seal(b"x", CONTEXT)
    assert early[:16] == before.bytes, "used before every process can know it"
    with time_machine.travel(datetime.now(UTC) + secrets.UNUSED_AT_FIRST + timedelta(seconds=1)):
        assert running.seal(b"x", CONTEXT)[:16] == made.id.bytes
        async with world.database.begin() as tx:
            await users.seal_anew(tx, running)
            await targets.seal_anew(tx, running)
            await secrets.retire_keys(tx, made.id)
    names = [name for name, _, _ in await told(world.database.url, "keys.")]
    assert names == ["keys.sealing_key_made", "keys.sealing_keys_retired"]
    async with world.database.begin() as tx:
        await tx.execute("UPDATE sealing_keys SET retired_at = now() - interval '3 days'"
                         " WHERE retired_at IS NOT NULL")  # fmt: skip
        await secrets.forget_retired(tx)
        left = await load_sealer(tx, ROOT_KEY)
        assert left.known == {made.id}
        await users.load_signing_keys(tx, left)
        sealed = (
            await tx.execute("SELECT sealed_secrets FROM targets WHERE name = 'City'")
        ).scalar_one()
    opened = left.open(bytes(sealed), f"targets.secrets:{answer.json()['id']}")
    assert opened == b'{"authorization":"Token abc"}'
    with pytest.raises(RootKeyWrong):
        left.open(early, CONTEXT)


async def test_a_running_process_learns_of_a_new_key(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(secrets, "LEARN_EVERY", timedelta(seconds=0.05))
    database = Database(database_url, pool_size=2)
    try:
        async with database.begin() as tx:
            sealer = await load_sealer(tx, ROOT_KEY)
        learning = asyncio.create_task(secrets.keep_learning(database, sealer, lambda: ROOT_KEY))
        async with database.begin() as tx:
            made = await secrets.add_key(tx, ROOT_KEY)
        async with asyncio.timeout(20):
            while made.id not in sealer.known:
                await asyncio.sleep(0.02)
        learning.cancel()
        await asyncio.wait([learning])
    finally:
        await database.close()


async def test_the_file_of_the_root_key_is_replaced(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    path.write_text(text(ROOT_KEY))
    path.chmod(0o600)
    sealed = (await opens(database_url, ROOT_KEY)).seal(b"secret", CONTEXT)

    done = moorage_keys(database_url, tmp_path, "rotate", "--root")
    assert done.returncode == 0, done.stderr
    fresh = base64.b64decode(path.read_text())
    assert fresh != ROOT_KEY
    assert text(fresh) not in done.stdout
    assert names_in(tmp_path) == ["root.key"]
    assert path.stat().st_mode & 0o077 == 0
    assert (await opens(database_url, fresh)).open(sealed, CONTEXT) == b"secret"
    with pytest.raises(RootKeyWrong):
        await opens(database_url, ROOT_KEY)

    who = f"{pwd.getpwuid(os.getuid()).pw_name} on the command line", socket.gethostname()
    assert await told(database_url, "keys.") == [
        ("keys.root_key_announced", *who),
        ("keys.root_key_settled", *who),
    ]

    listed = moorage_keys(database_url, tmp_path, "list")
    assert listed.returncode == 0
    assert listed.stdout.count("\n") == 2
    (key,) = json.loads(moorage_keys(database_url, tmp_path, "list", "--json").stdout)
    assert (key["id"] in listed.stdout, key["retired"]) == (True, "")


async def test_the_audit_tells_who_typed_a_command(database_url: str, tmp_path: Path) -> None:
    who = f"anna as {pwd.getpwuid(os.getuid()).pw_name} on the command line", socket.gethostname()
    for words in (
        ("add", "bo@example.org", "Bo", "--admin"),
        ("add", "cy@example.org", "Cy"),
        ("link", "cy@example.org"),
        ("deactivate", "cy@example.org"),
    ):
        done = moorage(database_url, tmp_path, "user", *words, SUDO_USER="anna")
        assert done.returncode == 0, done.stderr
    facts = await told(database_url, "users.")
    assert [name for name, *_ in facts] == [
        "users.invited", "users.link_made", "users.invited", "users.link_made",
        "users.link_made", "users.changed",
    ]  # fmt: skip
    assert {tuple(by) for _, *by in facts} == {who}


async def test_a_rotation_that_broke_off_can_be_run_again(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "root.key"
    path.write_text(text(ROOT_KEY))
    path.chmod(0o600)
    sealed = (await opens(database_url, ROOT_KEY)).seal(b"secret", CONTEXT)
    # Killed between the database and the file: both keys open, the old file is in place.
    database = Database(database_url, pool_size=1)
    async with database.begin() as tx:
        await secrets.seal_for_next_root(tx, ROOT_KEY, OTHER_ROOT)
    await database.close()
    assert (await opens(database_url, OTHER_ROOT)).open(sealed, CONTEXT) == b"secret"

    assert moorage_keys(database_url, tmp_path, "rotate", "--root").returncode == 0
    fresh = base64.b64decode(path.read_text())
    assert (await opens(database_url, fresh)).open(sealed, CONTEXT) == b"secret"
    for gone in (ROOT_KEY, OTHER_ROOT):
        with pytest.raises(RootKeyWrong):
            await opens(database_url, gone)


async def test_a_root_key_from_elsewhere_is_piped_in_and_settled(
    database_url: str, tmp_path: Path
) -> None:
    await opens(database_url, ROOT_KEY)
    old, new = {"MOORAGE_ROOT_KEY": text(ROOT_KEY)}, {"MOORAGE_ROOT_KEY": text(OTHER_ROOT)}
    refused = moorage_keys(database_url, tmp_path, "rotate", "--root", **old)
    assert refused.returncode == 1
    assert "--stdin" in refused.stderr
    wrong = moorage_keys(database_url, tmp_path, "rotate", "--root", "--stdin", given="x", **old)
    assert wrong.returncode == 2

    given = text(OTHER_ROOT)
    done = moorage_keys(database_url, tmp_path, "rotate", "--root", "--stdin", given=given, **old)
    assert done.returncode == 0, done.stderr
    for root in (ROOT_KEY, OTHER_ROOT):
        await opens(database_url, root)
    assert moorage_keys(database_url, tmp_path, "settle", **new).returncode == 0
    with pytest.raises(RootKeyWrong):
        await opens(database_url, ROOT_KEY)


async def test_whoever_has_no_root_key_rotates_nothing(database_url: str, tmp_path: Path) -> None:
    await opens(database_url, ROOT_KEY)
    stranger = {"MOORAGE_ROOT_KEY": text(OTHER_ROOT)}
    for words in (("settle",), ("rotate",), ("list",), ("rotate", "--root", "--stdin")):
        done = moorage_keys(database_url, tmp_path, *words, given=text(OTHER_ROOT), **stranger)
        assert done.returncode == 1
        assert "does not open" in done.stderr
    await opens(database_url, ROOT_KEY)
