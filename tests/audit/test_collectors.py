"""Collectors: facts, system log and checkpoints arrive at real servers, whatever happens there."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chains import sealed
from moorage.audit import jobs, service
from moorage.audit.model import Collector, Content, NewCollector
from moorage.audit.service.sending import Record, framed, syslog
from moorage.kit.doorbell import Doorbells
from moorage.kit.outbound import LOOPBACK, Outbound
from moorage.organizations import Role
from moorage.testing.authority import Authority
from ports import free_port
from web import OPERATOR, World

RSYSLOG = """
global(workDirectory="{directory}" parser.permitSlashInProgramName="on" maxMessageSize="64k")
module(load="imtcp")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="seen" type="string"
  string="%pri% %hostname% %app-name% %procid% %msgid% %structured-data%\\t%msg%\\n")
action(type="omfile" file="{directory}/seen" template="seen" asyncWriting="off")
"""


class Rsyslog:
    """A real rsyslogd on a port of the loopback."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.config = directory / "rsyslog.conf"
        self.config.write_text(RSYSLOG.format(directory=directory, port=self.port))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            "/usr/sbin/rsyslogd", "-n", "-f", self.config, "-i", self.directory / "pid"
        )
        await until(self._listens)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()
        self.process = None

    def seen(self) -> list[tuple[str, dict[str, Any]]]:
        """Give header and body of each message that it wrote down, as it read them."""
        path = self.directory / "seen"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        parts = [line.partition("\t") for line in lines]
        return [(head, json.loads(body.strip().lstrip("\ufeff"))) for head, _, body in parts]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)


async def collector(world: World, url: str, *contents: Content, **more: Any) -> Collector:
    new = NewCollector("siem", url, contents, from_start=True, **more)
    async with world.database.begin(OPERATOR) as tx:
        return await service.add_collector(tx, OPERATOR, new, world.app.state.sealer)


@asynccontextmanager
async def sending(
    world: World, one: Collector, *, allowed: tuple[str, ...] = LOOPBACK
) -> AsyncIterator[service.Sender]:
    made = service.Sender(
        world.database, world.app.state.sealer, Outbound(allowed), one, "iot.example"
    )
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def state(world: World, one: Collector) -> Collector:
    async with world.database.begin() as tx:
        return await service.get_collector(tx, OPERATOR, one.id)


async def numbers(world: World) -> list[int]:
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT number FROM facts WHERE number > 0 ORDER BY number")
        return [row.number for row in rows]


async def test_a_syslog_server_has_every_fact_though_it_is_killed(
    world: World, tmp_path: Path
) -> None:
    server = Rsyslog(tmp_path)
    await server.start()
    try:
        contents = (Content.FACTS, Content.CHECKPOINTS)
        one = await collector(world, f"syslog://127.0.0.1:{server.port}", *contents)
        north = await world.organization('North "]\\ Ø')
        await sealed(world)
        async with sending(world, one) as sender:
            await until(lambda: len(server.seen()) >= 3)
            await server.kill()
            await world.organization("South")
            await sealed(world)
            sender.wake.set()
            async with asyncio.timeout(60):
                while (await state(world, one)).failing_since is None:
                    await asyncio.sleep(0.05)
            assert (await state(world, one)).error
            await server.start()
            async with world.database.begin(OPERATOR) as tx:
                await service.sign_now(tx, OPERATOR, north.id, world.app.state.sealer)
            await sealed(world)
            wanted = set(await numbers(world))
            await until(lambda: {body.get("number") for _, body in server.seen()} >= wanted)
            await until(lambda: any(b["type"] == "checkpoint" for _, b in server.seen()))
            async with asyncio.timeout(60):
                while (await state(world, one)).failing_since is not None:
                    await asyncio.sleep(0.05)
    finally:
        if server.process is not None:
            await server.kill()
    seen = server.seen()
    facts = [body["number"] for _, body in seen if body["type"] == "fact"]
    assert list(dict.fromkeys(facts)) == await numbers(world)
    header, founded = next(one for one in seen if one[1].get("name") == "organizations.founded")
    assert founded["after"]["name"] == 'North "]\\ Ø'
    assert header.startswith("109 iot.example moorage - organizations.founded [moorage@32473 ")
    assert f'organization="{north.id}"' in header


async def test_what_was_taken_is_not_sent_again_by_the_next_sender(
    world: World, tmp_path: Path
) -> None:
    taken: list[dict[str, Any]] = []
    answers = iter(["503 Busy", "204 No Content"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].partition("\r")[0])
                body = await reader.readexactly(length)
                assert "authorization: bearer s3cret" in head
                assert f"host: 127.0.0.1:{port}" in head
                assert head.startswith("post /in?x=1 ")
                answer = next(answers, "204 No Content")
                if answer.startswith("2"):
                    taken.extend(map(json.loads, body.splitlines()))
                writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = f"http://127.0.0.1:{port}/in?x=1"
        one = await collector(world, url, Content.FACTS, Content.SYSTEM_LOG, token="s3cret")
        await world.organization("North")
        async with world.database.begin() as tx:
            await tx.execute(
                "INSERT INTO system_log (at, part, component, level, event, detail) "
                "VALUES (now(), 'work', 'moorage.targets', 'error', 'it_broke', '{}')"
            )
        await sealed(world)
        for name in ("One", "Two"):
            await world.organization(name)
            await sealed(world)
            wanted = await numbers(world)
            async with sending(world, one):
                await until(
                    lambda: (
                        {b.get("number") for b in taken} >= set(wanted)  # noqa: B023
                        and any(b["type"] == "systemLog" for b in taken)
                    )
                )
                async with asyncio.timeout(60):
                    while (await state(world, one)).number < wanted[-1]:
                        await asyncio.sleep(0.05)
    facts = [body["number"] for body in taken if body["type"] == "fact"]
    assert facts == await numbers(world)
    (entry,) = [body for body in taken if body["type"] == "systemLog"]
    assert (entry["event"], entry["component"]) == ("it_broke", "moorage.targets")


async def test_json_lines_go_over_tls_to_whom_the_authority_knows(
    world: World, tmp_path: Path
) -> None:
    authority, stranger = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    taken: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            taken.append(json.loads(line))
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate, key = authority.issue("localhost")
    (tmp_path / "server.pem").write_text(certificate + key)
    context.load_cert_chain(tmp_path / "server.pem")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = f"tcp+tls://localhost:{port}"
        one = await collector(world, url, Content.FACTS, authority=stranger.certificate)
        await world.organization("North")
        await sealed(world)
        async with sending(world, one), asyncio.timeout(60):
            while (await state(world, one)).failing_since is None:
                await asyncio.sleep(0.05)
        assert "certificate" in (await state(world, one)).error
        assert taken == []
        changes = {"authority": authority.certificate}
        async with world.database.begin(OPERATOR) as tx:
            sealer = world.app.state.sealer
            one = await service.change_collector(tx, OPERATOR, one.id, changes, sealer)
        wanted = await numbers(world)
        async with sending(world, one):
            await until(lambda: [body["number"] for body in taken] == wanted)


async def test_a_collector_leads_nowhere_the_operator_has_not_allowed(world: World) -> None:
    one = await collector(world, "https://127.0.0.1:9/in", Content.FACTS)
    await world.organization("North")
    await sealed(world)
    async with sending(world, one, allowed=()), asyncio.timeout(60):
        while (found := await state(world, one)).failing_since is None:
            await asyncio.sleep(0.05)
    assert "may not connect" in found.error
    assert found.number == 0


async def test_checkpoints_leave_the_host_as_files(world: World, tmp_path: Path) -> None:
    north = await world.organization("North")
    await sealed(world)
    directory = tmp_path / "away"
    for name in ("One", "Two"):
        sender = jobs.Sending(
            world.database, Doorbells(world.database), world.app.state.sealer, Outbound(), "x",
            directory,
        )  # fmt: skip
        async with world.database.begin(OPERATOR) as tx:
            await service.sign_now(tx, OPERATOR, north.id, world.app.state.sealer)
        running = asyncio.create_task(sender.run())
        wanted = 1 if name == "One" else 2
        await until(lambda: len(list(directory.glob("*.ndjson"))) == wanted)  # noqa: B023
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sealed(world)
    lines = b"".join(path.read_bytes() for path in sorted(directory.glob("*.ndjson")))
    admin = await world.admin()
    answer = await admin.get("/api/v1/audit", headers={"Accept": "application/x-ndjson"})
    found = service.verify(answer.content.splitlines(), lines.splitlines())
    assert found.broken is None
    assert found.chains[str(north.id)].signed > 0


async def test_collectors_are_for_those_who_manage_the_installation(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    path = "/api/v1/log-collectors"
    body = {
        "name": "siem", "url": "https://siem.example/in", "contents": ["facts", "systemLog"],
        "token": "s3cret-token",
    }  # fmt: skip
    assert (await world.client().post(path, json=body)).status_code == 401
    assert (await chief.post(path, json=body)).status_code == 403
    made = (await admin.post(path, json=body)).json()
    one = f"{path}/{made['id']}"
    again = await admin.post(path, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "audit.collector_name_taken")
    for method, url in (("GET", path), ("GET", one), ("PATCH", one), ("DELETE", one)):
        assert (await chief.request(method, url, json={})).status_code == 403
    changed = await admin.patch(one, json={"paused": True, "contents": ["checkpoints"]})
    assert (changed.json()["paused"], changed.json()["hasToken"]) == (True, True)
    told = await admin.get("/api/v1/audit", params={"name": "audit.collector"})
    for answer in (changed, told, await admin.get(path)):
        assert "s3cret" not in answer.text
    for wrong in (
        {"url": "ftp://siem.example"}, {"url": "tcp://siem.example"}, {"url": "https://a:b@c"},
        {"url": "https://x:99999"}, {"contents": []}, {"contents": ["all"]}, {"authority": "no"},
        {"url": "syslog://siem.example"}, {"token": "a\r\nb"}, {"surprise": 1},
    ):  # fmt: skip
        refused = await admin.patch(one, json=wrong)
        assert refused.status_code == 422, (wrong, refused.text)
    assert (await admin.delete(one)).status_code == 204
    assert (await admin.get(one)).status_code == 404


def test_a_syslog_message_is_written_as_the_standard_says() -> None:
    record = Record(
        "2026-01-01T00:00:00.000Z", 5, 13, "a b", "x" * 40, {"k": 'q"b\\c]\n'}, {"ü": "\n"}
    )
    message = syslog(record, "høst")
    assert message == (
        b"<109>1 2026-01-01T00:00:00.000Z h_st moorage a_b " + b"x" * 32
        + b' [moorage@32473 k="q\\"b\\\\c\\] "] \xef\xbb\xbf{"\xc3\xbc":"\\n"}'
    )  # fmt: skip
    assert framed(b"abc") == b"3 abc"


@pytest.mark.parametrize("name", ["password", "apiKey", "access_token", "Authorization"])
def test_a_secret_that_was_logged_stays_out_of_the_system_log(name: str) -> None:
    assert jobs._shown(name, "s3cret") == "***"
    assert jobs._shown("device_id", "d1") == "d1"
