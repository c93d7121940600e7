"""Sealing, signing, erasing and dropping on a real database; verified by the command alone."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient

from chains import drop, happened, sealed
from moorage.audit import service, verify
from moorage.kit.erasing import erase_person
from moorage.organizations import Role
from web import World

LINES = {"Accept": "application/x-ndjson"}


async def files(admin: AsyncClient, directory: Path, **query: str) -> tuple[Path, Path]:
    """Download export and checkpoints as an auditor does."""
    export, checkpoints = directory / "audit.ndjson", directory / "checkpoints.ndjson"
    answer = await admin.get("/api/v1/audit", params=query, headers=LINES)
    assert answer.status_code == 200
    export.write_bytes(answer.content)
    answer = await admin.get("/api/v1/audit/checkpoints", params=query, headers=LINES)
    assert answer.status_code == 200
    checkpoints.write_bytes(answer.content)
    return export, checkpoints


async def verdict(export: Path, checkpoints: Path, *more: str) -> tuple[int, Any]:
    """Verify in a process of its own, which has neither server nor settings."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "moorage.entry.cli", "audit", "verify", export, "--checkpoint",
        checkpoints, "--json", *more,
        stdout=PIPE, env={"PATH": "", "HOME": str(export.parent)},
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, json.loads(said)


async def sign(admin: AsyncClient, organization_id: str | None) -> Any:
    body = {"organizationId": organization_id}
    answer = await admin.post("/api/v1/audit/checkpoints", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_an_export_is_verified_by_itself_after_an_erasure(
    world: World, tmp_path: Path
) -> None:
    admin = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    anna = await world.person("anna.q@example.org", north.id, Role.USER_ADMIN, Role.READ)
    own = (await anna.get("/api/v1/auth/me")).json()["id"]
    await anna.patch(f"/api/v1/users/{own}", json={"name": "Anna Quist"})
    await sealed(world)
    first = await sign(admin, str(north.id))
    assert first["key"] in (await keys(admin)).values()
    await world.client().post(
        "/api/v1/auth/sign-in", json={"email": "Anna.Q@example.org", "password": "wrong one here"}
    )
    await sealed(world)
    assert (await admin.delete(f"/api/v1/users/{own}")).status_code == 204
    await sealed(world)
    for id_ in (str(north.id), str(south.id), None):
        await sign(admin, id_)

    published = tmp_path / "keys.json"
    published.write_bytes(
        (await world.client().get("/.well-known/moorage-audit-keys.json")).content
    )
    export, checkpoints = await files(admin, tmp_path)
    code, found = await verdict(export, checkpoints, "--key", str(published))
    assert (code, found["holds"]) == (0, True), found
    assert {one["organizationId"] for one in found["chains"]} == {
        str(north.id), str(south.id), None,
    }  # fmt: skip
    assert sum(one["erased"] for one in found["chains"]) > 3
    assert b"anna" not in export.read_bytes().lower()
    assert f"erased user {UUID(own).hex[-8:]}".encode() in export.read_bytes()
    # What was erased before it was sealed needs no salt, and what remains is as it was.
    changed = [json.loads(line) for line in export.read_text().splitlines()]
    (told,) = [one for one in changed if one["name"] == "users.sign_in_refused" and one["personal"]]
    assert (told["aboutSalt"], told["personal"]) == (None, ["email", "origin"])

    # The end, the middle and a forged word of an erasure.
    lines = [
        line
        for line in export.read_bytes().splitlines(keepends=True)
        if b'"place":null' not in line
    ]
    for wrong in (lines[:-3], [*lines[:5], *lines[6:]]):
        export.write_bytes(b"".join(wrong))
        code, found = await verdict(export, checkpoints, "--key", str(published))
        assert (code, found["holds"]) == (1, False)
    code, found = await verdict(export, checkpoints, "--organization", str(south.id))
    assert (code, found["broken"]["fault"]) == (1, "wrongOrganization")


async def keys(admin: AsyncClient) -> dict[str, str]:
    """Give the public keys in hexadecimal, by id."""
    found = (await admin.get("/api/v1/audit/keys")).json()["keys"]
    return {one["kid"]: urlsafe_b64decode(one["x"] + "=").hex() for one in found}


async def test_what_was_dropped_leaves_the_rest_proven(world: World, tmp_path: Path) -> None:
    home = UUID(int=7)
    await happened(world, home, 11, 9, 8, 2, 0)
    await sealed(world)
    await drop(world)
    await sealed(world)
    admin = await world.admin()
    async with world.database.begin() as tx:
        await service.sign_due(tx, world.app.state.sealer)
    await sign(admin, str(home))
    export, checkpoints = await files(admin, tmp_path, organizationId=str(home))
    code, found = await verdict(export, checkpoints)
    (one,) = found["chains"]
    assert (code, one["first"], one["signed"]) == (0, 4, 6), found
    # Without the checkpoint at which the rest begins, its beginning is missing.
    checkpoints.write_bytes(b"".join(checkpoints.read_bytes().splitlines(keepends=True)[1:]))
    code, found = await verdict(export, checkpoints)
    assert (code, found["broken"]["fault"], found["broken"]["place"]) == (1, "missing", 3)


async def test_a_second_erasure_and_an_erasure_of_nobody_harm_nothing(world: World) -> None:
    async with world.database.begin() as tx:
        assert await erase_person(tx, UUID(int=5), "erased", email="nobody@example.org") == 0
        assert tx.announced == []


async def test_a_key_that_was_replaced_signs_no_more(world: World, tmp_path: Path) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    await sealed(world)
    old = await sign(admin, str(north.id))
    async with world.database.begin() as tx:
        await service.rotate_key(tx, world.app.state.sealer)
    await admin.patch(f"/api/v1/organizations/{north.id}", json={"name": "Northern"})
    await sealed(world)
    new = await sign(admin, str(north.id))
    assert new["keyId"] != old["keyId"]
    async with world.database.begin() as tx:
        await service.seal_anew(tx, world.app.state.sealer)
        rows = await tx.execute("SELECT sealed FROM audit_keys ORDER BY id")
        assert [row.sealed is None for row in rows] == [True, False]
    export, checkpoints = await files(admin, tmp_path, organizationId=str(north.id))
    code, found = await verdict(export, checkpoints)
    assert (code, sorted(found["keys"])) == (0, sorted((await keys(admin)).values()))


async def test_chains_are_signed_hourly_and_after_ten_thousand(world: World) -> None:
    await world.organization("North")
    await sealed(world)
    sealer = world.app.state.sealer
    async with world.database.begin() as tx:
        assert await service.sign_due(tx, sealer) == 0
        await tx.execute("UPDATE audit_chains SET unsigned_since = now() - interval '61 minutes'")
        assert await service.sign_due(tx, sealer) > 0
        assert await service.sign_due(tx, sealer) == 0
        await tx.execute("UPDATE audit_chains SET signed_place = place - 10000")
        assert await service.sign_due(tx, sealer) > 0
        assert await service.sign_due(tx, sealer) == 0


async def test_only_who_reads_an_audit_has_it_signed(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    await sealed(world)
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    reader = await world.person("reader@example.org", north.id, Role.READ)
    await sign(chief, str(north.id))
    for who, whose, code in (
        (reader, str(north.id), 403), (chief, str(south.id), 403), (chief, None, 403),
        (world.client(), str(north.id), 401),
    ):  # fmt: skip
        answer = await who.post("/api/v1/audit/checkpoints", json={"organizationId": whose})
        assert answer.status_code == code, answer.text
    admin = await world.admin()
    await sign(admin, str(south.id))
    for path in ("checkpoints", "chains"):
        seen = (await chief.get(f"/api/v1/audit/{path}")).json()["items"]
        assert {one["organizationId"] for one in seen} == {str(north.id)}
        assert (await reader.get(f"/api/v1/audit/{path}")).json()["items"] == []
    assert (await chief.get("/api/v1/audit/checkpoints", params={"organizationId": str(south.id)})
            ).json()["items"] == []  # fmt: skip


SEALER = """
import asyncio, sys
from moorage.audit import service, verify
from moorage.kit.db import Database

async def main():
    database = Database(sys.argv[1], pool_size=1)
    while True:
        async with database.begin() as tx:
            await service.seal(tx, 5)

asyncio.run(main())
"""


async def test_a_sealer_that_is_killed_leaves_whole_chains(world: World, tmp_path: Path) -> None:
    rng = random.Random(9)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(write_facts(world, 300))
        for _ in range(5):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SEALER, world.database.url
            )
            before = await last_number(world)
            while await last_number(world) == before and not writing.done():
                await asyncio.sleep(0.01)
            await asyncio.sleep(rng.random() * 0.1)
            process.kill()
            await process.wait()
    await sealed(world)
    admin = await world.admin()
    await sealed(world)
    await sign(admin, None)
    export, checkpoints = await files(admin, tmp_path)
    with export.open("rb") as lines, checkpoints.open("rb") as signed:
        found = verify(lines, signed)
    assert found.broken is None
    assert found.chains[None].last >= 300
    places = [json.loads(line)["number"] for line in export.read_text().splitlines()]
    numbered = [number for number in places if number is not None]
    assert numbered == list(range(1, len(numbered) + 1))


async def write_facts(world: World, count: int) -> None:
    for _ in range(count):
        await happened(world, None, 0)
        await asyncio.sleep(0.02)


async def last_number(world: World) -> int:
    async with world.database.begin() as tx:
        found = await tx.execute("SELECT coalesce(max(number), 0) FROM facts")
        return int(found.scalar_one())
