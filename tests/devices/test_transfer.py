"""Import and export."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from uuid import uuid4

from fleet import Town, a_device, a_town
from fleet_api import signed_in
from moorage import devices
from moorage.devices import Identifier, Location, Threshold
from moorage.kit.db import Database

NASTY = '=HYPERLINK("http://evil")'


async def report_of(
    database: Database, town: Town, content: str | list[Any], query: str = ""
) -> dict[str, Any]:
    async with signed_in(database, town.admin) as client:
        path = f"/api/v1/devices/import?applicationId={town.application_id}&{query}"
        if isinstance(content, str):
            headers = {"Content-Type": "text/csv"}
            answer = await client.post(path, content=content.encode(), headers=headers)
        else:
            answer = await client.post(path, json=content)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def names(database: Database, town: Town) -> list[str]:
    async with signed_in(database, town.admin) as client:
        items = (await client.get("/api/v1/devices")).json()["items"]
        return [item["name"] for item in items]


async def test_an_export_reads_back_as_it_was(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(
            tx,
            town.admin,
            a_device(
                town,
                NASTY,
                comment='said "hello",\nand left',
                metadata={"-a": "+1", "ø": "'=1"},
                tags=("@home", "b"),
                serial="-007",
                identifiers=(Identifier("mac", "0000000000aa"), Identifier("id", "x", "net")),
                location=Location(-10.25, -56.5, 3.0),
                thresholds=(Threshold("t", above=3.0, hysteresis=1.0),),
            ),
        )
        await devices.make_credential(tx, town.admin, device.id, devices.CredentialKind.KEY)
    async with signed_in(database, town.admin) as client:
        exported = await client.get("/api/v1/devices/export")
        assert exported.headers["content-type"] == "text/csv; charset=utf-8"
        before = (await client.get(f"/api/v1/devices/{device.id}")).json()
    header, row = list(csv.reader(io.StringIO(exported.text, newline="")))
    cells = dict(zip(header, row, strict=True))
    assert cells["name"] == "'" + NASTY
    assert (cells["longitude"], cells["latitude"]) == ("-10.25", "-56.5")
    assert all(not cell.startswith(("=", "+", "@")) for cell in row)
    assert not any("secret" in name.lower() or "key" in name.lower() for name in header)

    same = await report_of(database, town, exported.text)
    assert (same["applied"], same["unchanged"]) == (True, 1), same
    spoiled = exported.text.replace("said", "whispered")
    changed = await report_of(database, town, spoiled)
    assert changed["updated"] == 1
    assert changed["rows"][0]["after"]["comment"].startswith("whispered")
    async with signed_in(database, town.admin) as client:
        after = (await client.get(f"/api/v1/devices/{device.id}")).json()
    stamps = {"comment", "updatedAt", "updatedBy"}
    assert {k: v for k, v in after.items() if k not in stamps} == {
        k: v for k, v in before.items() if k not in stamps
    }


async def test_a_preview_tells_exactly_and_does_nothing(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        old = await devices.enrol(tx, town.admin, a_device(town, "Old", serial="S1"))
    text = f"id,name,serial,latitude,longitude\n{old.id},Older,,,\n,New,S2,56.1,10.2\n,Bad,S1,,\n"
    preview = await report_of(database, town, text, "preview=true")
    assert (preview["preview"], preview["applied"]) == (True, False)
    assert (preview["updated"], preview["created"], preview["failed"]) == (1, 1, 1)
    assert preview["rows"][0]["before"] == {"name": "Old"}
    assert preview["rows"][0]["after"] == {"name": "Older"}
    assert preview["rows"][2]["problem"]["code"] == "devices.serial_taken"
    assert await names(database, town) == ["Old"]
    async with database.begin() as tx:
        rows = await tx.execute("SELECT count(*) FROM facts WHERE name = 'devices.changed'")
        assert rows.scalar_one() == 0


async def test_one_bad_row_keeps_all_out_unless_partial_is_asked_for(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    rows = [{"name": "A"}, {"name": "B", "latitude": 3}, {"name": "C", "kind": "mqtt"}]
    whole = await report_of(database, town, rows)
    assert (whole["applied"], whole["failed"]) == (False, 1)
    assert whole["rows"][1]["problem"]["column"] == "latitude"
    assert await names(database, town) == []
    partial = await report_of(database, town, rows, "mode=partial")
    assert (partial["applied"], partial["created"]) == (True, 2)
    assert await names(database, town) == ["A", "C"]


async def test_rows_of_one_file_do_not_get_the_same_identifier(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    text = "name;identifiers\nA;mac=00:00:00:00:00:01\nB;MAC=x\nC;mac=000000000001\n"
    report = await report_of(database, town, text, "mode=partial")
    codes = [row["problem"] and row["problem"]["code"] for row in report["rows"]]
    assert codes[0] is None
    assert codes[2] == "devices.identifier_taken"
    assert "invalid" in codes[1]


async def test_each_bad_row_of_many_is_named_and_no_other(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        await devices.enrol(tx, town.admin, a_device(town, "Old", serial="S17"))
    rows: list[dict[str, Any]] = [{"name": f"N{n}", "serial": f"S{n}"} for n in range(300)]
    rows[40]["serial"] = "S39"
    rows[250]["decoderId"] = str(uuid4())
    report = await report_of(database, town, rows, "mode=partial")
    bad = {row["line"]: row["problem"]["code"] for row in report["rows"] if row["problem"]}
    lines = [row["line"] for row in report["rows"]]
    assert lines == sorted(lines)
    first = lines[0]
    assert bad == {
        first + 17: "devices.serial_taken",
        first + 40: "devices.serial_taken",
        first + 250: "decoders.unknown",
    }
    assert report["created"] == 297
    async with database.begin() as tx:
        rows_ = await tx.execute("SELECT count(*) FROM facts WHERE name = 'devices.enrolled'")
        assert rows_.scalar_one() == 298


async def test_a_quota_lets_the_first_rows_in_and_refuses_the_rest(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    async with signed_in(database, town.admin) as client:
        path = f"/api/v1/applications/{town.application_id}"
        changed = await client.patch(path, json={"quotas": {"devices": 13}})
        assert changed.status_code == 200, changed.text
    rows = [{"name": f"N{n}"} for n in range(20)]
    report = await report_of(database, town, rows, "mode=partial")
    assert [row["action"] for row in report["rows"]] == ["create"] * 13 + ["error"] * 7
    assert {row["problem"]["code"] for row in report["rows"][13:]} == {
        "organizations.quota_reached"
    }


async def test_a_file_that_cannot_be_read_says_why(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    async with signed_in(database, town.admin) as client:
        for content, kind, word in (
            (b"\xff\xfe\x00", "text/csv", "UTF-8"),
            (b"name,colour\nx,red\n", "text/csv", "colour"),
            (b"serial\nx\n", "text/csv", "no column name or id"),
            (b'name\n"open', "text/csv", "line"),
            (b"{", "application/json", "JSON"),
            (b"[3]", "application/json", "array of objects"),
        ):
            answer = await client.post(
                "/api/v1/devices/import", content=content, headers={"Content-Type": kind}
            )
            assert (answer.status_code, answer.json()["code"]) == (
                422,
                "devices.import_unreadable",
            ), answer.text
            assert word in answer.json()["detail"]


async def test_uneven_and_malformed_rows_are_named_by_line(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
    text = "name,latitude,longitude\nA,1\nB,1,\nC,one,two\nD,1,2\n"
    report = await report_of(database, town, text, "mode=partial")
    assert [row["line"] for row in report["rows"]] == [2, 3, 4, 5]
    assert [row["action"] for row in report["rows"]] == ["error"] * 3 + ["create"]
    assert "2 cells" in report["rows"][0]["problem"]["detail"]


async def test_json_lines_hold_what_the_api_shows(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
    async with signed_in(database, town.admin) as client:
        headers = {"Accept": "application/x-ndjson"}
        text = (await client.get("/api/v1/devices/export?q=bin", headers=headers)).text
        (line,) = text.splitlines()
        assert json.loads(line) == (await client.get(f"/api/v1/devices/{device.id}")).json()
    report = await report_of(database, town, [json.loads(line)])
    assert report["unchanged"] == 1, report
