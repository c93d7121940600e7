"""Sending facts, system log and checkpoints to a collector, at least once and in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import ssl
import struct
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from httpx2 import AsyncClient, HTTPError

from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound, client_context, said
from moorage.kit.secrets import Sealer

from ..model import Checkpoint, Collector, Content, FactEntry, SystemEntry
from ..store import collectors as store
from .collectors import token_of, where
from .sealing import exported, instant

log = structlog.get_logger()

BATCH = 200
TIMEOUT_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
# RFC 5424, section 6.2.1: log audit (13) and system daemons (3); notice, and by level.
_AUDIT, _SYSTEM, _NOTICE = 13, 3, 5
_SEVERITY = {"critical": 2, "error": 3, "warning": 4}
# RFC 5612 keeps this enterprise number for such as have none.
_SD_ID = "moorage@32473"


class CollectorRefused(Exception):
    """The collector did not take what was sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to be sent.

    Attributes:
        at: when it happened, as text.
        severity, facility: of syslog.
        process: which process speaks.
        message_id: the fact's name, or what else it is.
        marks: what syslog carries as structured data.
        body: the whole of it.
    """

    at: str
    severity: int
    facility: int
    process: str
    message_id: str
    marks: Mapping[str, str]
    body: Mapping[str, Any]

    def line(self) -> bytes:
        """Write it as one line of JSON, without the line feed."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(slots=True)
class Batch:
    """What a collector is to take next, and where that leaves it."""

    records: list[Record] = field(default_factory=list)
    position: dict[str, int] = field(default_factory=dict)


def of_fact(fact: FactEntry) -> Record:
    """Make a record of a sealed fact: as the export shows it, without its salts."""
    link = None if fact.link is None else fact.link.hex()
    body = {"type": "fact", **exported(fact), "link": link}
    whose = "" if fact.organization_id is None else str(fact.organization_id)
    marks = {
        "number": str(fact.number), "place": str(fact.place), "organization": whose,
        "subject": str(fact.subject_id), "caller": fact.caller_label,
        "callerKind": fact.caller_kind, "origin": fact.origin or "",
    }  # fmt: skip
    return Record(instant(fact.at), _NOTICE, _AUDIT, "-", fact.name, marks, body)


def of_entry(entry: SystemEntry) -> Record:
    """Make a record of an entry of the system log."""
    body = {
        "type": "systemLog", "id": entry.id, "at": instant(entry.at), "part": entry.part,
        "component": entry.component, "level": entry.level, "event": entry.event,
        "detail": entry.detail,
    }  # fmt: skip
    marks = {"id": str(entry.id), "component": entry.component, "level": entry.level}
    severity = _SEVERITY.get(entry.level, 4)
    return Record(instant(entry.at), severity, _SYSTEM, entry.part, "systemLog", marks, body)


def of_checkpoint(one: Checkpoint) -> Record:
    """Make a record of a checkpoint: as the list of checkpoints shows it."""
    whose = None if one.organization_id is None else str(one.organization_id)
    body = {
        "type": "checkpoint", "organizationId": whose, "place": one.place, "number": one.number,
        "link": one.link.hex(), "at": instant(one.at), "keyId": str(one.key_id),
        "key": one.key.hex(), "signature": one.signature.hex(),
    }  # fmt: skip
    marks = {"place": str(one.place), "organization": whose or ""}
    return Record(instant(one.at), _NOTICE, _AUDIT, "-", "checkpoint", marks, body)


def syslog(record: Record, host: str) -> bytes:
    """Write a syslog message (RFC 5424, section 6), the body as JSON behind a byte order mark."""
    marks = "".join(f' {name}="{_escaped(value)}"' for name, value in record.marks.items())
    header = (
        f"<{record.facility * 8 + record.severity}>1 {record.at} {_header(host, 255)} moorage "
        f"{_header(record.process, 128)} {_header(record.message_id, 32)} [{_SD_ID}{marks}] "
    )
    return header.encode() + b"\xef\xbb\xbf" + record.line()


def framed(message: bytes) -> bytes:
    """Put the octet count in front (RFC 6587, section 3.4.1; RFC 5425, section 4.3)."""
    return str(len(message)).encode() + b" " + message


def _escaped(value: str) -> str:
    # Section 6.3.3; a control character would end the line at receivers that know no counts.
    plain = "".join(c if c.isprintable() else " " for c in value)
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _header(value: str, longest: int) -> str:
    # PRINTUSASCII (section 6).
    return "".join(c if "!" <= c <= "~" else "_" for c in value)[:longest] or "-"


# --- Ways out -------------------------------------------------------------


class Way(Protocol):
    """A way to a collector."""

    async def send(self, records: Sequence[Record]) -> None:
        """Send records; returns when the other side has them. Raises CollectorRefused, OSError."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class _Stream:
    """TCP or TLS: syslog with octet counts, or JSON lines.

    Neither has an acknowledgement of its own. What was sent counts as taken once the other
    machine's TCP has acknowledged every byte of it; before that, all of it is sent again.
    """

    def __init__(self, outbound: Outbound, one: Collector, host_name: str) -> None:
        self._outbound, self._one, self._host_name = outbound, one, host_name
        self._open: tuple[asyncio.Transport, asyncio.StreamReader, asyncio.StreamWriter] | None
        self._open = None

    async def send(self, records: Sequence[Record]) -> None:
        scheme, host, port = where(self._one.url)
        if self._open is None:
            context = client_context(self._one.authority, None, None) if "+tls" in scheme else None
            self._open = await self._connect(host, port, context)
        transport, reader, writer = self._open
        if scheme.startswith("syslog"):
            written = (framed(syslog(record, self._host_name)) for record in records)
        else:
            written = (record.line() + b"\n" for record in records)
        writer.write(b"".join(written))
        await writer.drain()
        while transport.get_write_buffer_size() or _in_flight(transport):
            if transport.is_closing() or reader.at_eof():
                break
            await asyncio.sleep(0.01)
        if transport.is_closing() or reader.at_eof():
            raise CollectorRefused("The connection was closed.")

    async def _connect(
        self, host: str, port: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, asyncio.StreamReader, asyncio.StreamWriter]:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._outbound.connect(lambda: protocol, host, port, ssl=context)
        loop = asyncio.get_running_loop()
        return transport, reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def close(self) -> None:
        if self._open is not None:
            self._open[0].abort()
            self._open = None


def _in_flight(transport: asyncio.Transport) -> int:
    """Count the bytes that the other machine has not acknowledged (SIOCOUTQ, tcp(7))."""
    socket = transport.get_extra_info("socket")
    told = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", told)[0])


class _Http:
    """HTTP: a batch is one POST of JSON lines, taken with any 2xx."""

    def __init__(self, outbound: Outbound, one: Collector, token: str | None) -> None:
        self._outbound, self._one = outbound, one
        context = client_context(one.authority, None, None)
        self._client = AsyncClient(verify=context, timeout=TIMEOUT_S, trust_env=False)
        self._headers = {"Content-Type": "application/x-ndjson"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    async def send(self, records: Sequence[Record]) -> None:
        _scheme, host, port = where(self._one.url)
        # The address that was checked is the one that is connected to; TLS and the request still
        # name the host.
        address = (await self._outbound.resolve(host, port))[0]
        shown = f"[{address}]" if ":" in address else address
        url = self._client.build_request("POST", self._one.url).url
        headers = self._headers | {"Host": url.netloc.decode()}
        body = b"".join(record.line() + b"\n" for record in records)
        try:
            answer = await self._client.post(
                url.copy_with(host=shown, port=port), content=body, headers=headers,
                extensions={"sni_hostname": host}, follow_redirects=False,
            )  # fmt: skip
        except HTTPError as failed:
            raise CollectorRefused(f"{type(failed).__name__}: {failed}") from failed
        if not answer.is_success:
            raise CollectorRefused(f"It answered {answer.status_code}.")

    async def close(self) -> None:
        await self._client.aclose()


# --- One collector --------------------------------------------------------


class Sender:
    """Sends to one collector whatever it has not taken, until cancelled.

    Args:
        database: where records and positions are.
        sealer: opens the token.
        outbound: opens connections, as far as the operator allows.
        one: the collector as it is now; a change makes a new sender.
        host_name: of this installation.
    """

    def __init__(
        self, database: Database, sealer: Sealer, outbound: Outbound, one: Collector, host_name: str
    ) -> None:
        self._database, self._sealer, self._outbound = database, sealer, outbound
        self.one, self._host_name = one, host_name
        # What it was begun with; a collector that was changed since needs another sender.
        self.version = one.updated_at
        self.wake = asyncio.Event()
        self._failing = one.failing_since is not None

    async def run(self) -> None:
        """Send until cancelled; what fails is tried again, ever more slowly."""
        pause_s = FIRST_PAUSE_S
        way: Way | None = None
        try:
            while True:
                try:
                    way = way or await self._way()
                    if await self._step(way):
                        pause_s = FIRST_PAUSE_S
                        continue
                    await self._sleep(5.0)
                except DatabaseUnavailable:
                    await asyncio.sleep(FIRST_PAUSE_S)
                except (CollectorRefused, OSError, MoorageError, TimeoutError) as failed:
                    if way is not None:
                        await way.close()
                        way = None
                    await self._note(failed)
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        finally:
            if way is not None:
                await way.close()

    async def _sleep(self, longest_s: float) -> None:
        self.wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), longest_s)

    async def _way(self) -> Way:
        if not self.one.url.startswith("http"):
            return _Stream(self._outbound, self.one, self._host_name)
        async with self._database.begin() as tx:
            token = await token_of(tx, self.one.id, self._sealer)
        return _Http(self._outbound, self.one, token)

    async def _step(self, way: Way) -> bool:
        """Send the next batch; tells whether there was one."""
        async with self._database.begin() as tx:
            self.one = await store.get(tx, self.one.id)
            batch = await next_batch(tx, self.one)
        if not batch.records:
            return False
        async with asyncio.timeout(TIMEOUT_S):
            await way.send(batch.records)
        async with self._database.begin() as tx:
            await store.note_taken(tx, self.one.id, batch.position)
        if self._failing:
            self._failing = False
            log.info("collector_takes_again", collector_id=str(self.one.id))
        return True

    async def _note(self, failed: Exception) -> None:
        """Write down why nothing gets through; the log hears of it once, not with each try."""
        _scheme, host, port = where(self.one.url)
        why = "It did not answer in time." if isinstance(failed, TimeoutError) else None
        why = why or said(failed, host, port)
        if not self._failing:
            self._failing = True
            log.warning("collector_unreachable", collector_id=str(self.one.id), error=why)
        with contextlib.suppress(DatabaseUnavailable):
            async with self._database.begin() as tx:
                await store.note_failed(tx, self.one.id, why)


async def next_batch(tx: Tx, one: Collector) -> Batch:
    """Read what a collector is to take next."""
    batch = Batch()
    if Content.FACTS in one.contents:
        for fact in await store.facts_after(tx, one.number, BATCH):
            batch.records.append(of_fact(fact))
            batch.position["number"] = fact.number or 0
    if Content.SYSTEM_LOG in one.contents:
        found = await store.log_after(tx, one.log_transaction, one.log_id, BATCH)
        for transaction, entry in found:
            batch.records.append(of_entry(entry))
            batch.position |= {"log_transaction": transaction, "log_id": entry.id}
    if Content.CHECKPOINTS in one.contents:
        for checkpoint in await store.checkpoints_after(tx, one.checkpoint_id, BATCH):
            batch.records.append(of_checkpoint(checkpoint))
            batch.position["checkpoint_id"] = checkpoint.id
    return batch


async def active(tx: Tx) -> list[Collector]:
    """Read the collectors that are not paused; for the worker."""
    return await store.active(tx)


async def checkpoint_lines(tx: Tx, after: int, most: int = 1_000) -> list[tuple[int, bytes]]:
    """Give the checkpoints written after one, each with its id, as lines for `verify`."""
    found = []
    for one in await store.checkpoints_after(tx, after, most):
        body = {k: v for k, v in of_checkpoint(one).body.items() if k != "type"}
        found.append((one.id, json.dumps(body).encode()))
    return found
