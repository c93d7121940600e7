"""The audit after the storm: what was acknowledged against what is stored."""

from __future__ import annotations

import json
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import psycopg

from moorage import ledger
from moorage.ledger import Envelope, LogName, RawMessage
from scenarios.publishers import Publisher


def await_processed(connection: psycopg.Connection[tuple[int, ...]], timeout_s: float = 60) -> None:
    """Wait until everything in the raw log has been decoded and kept."""
    deadline = time.monotonic() + timeout_s
    query = (
        "SELECT count(*) FROM ledger_partitions p LEFT JOIN ledger_positions c ON "
        "c.consumer = 'process' AND c.log = p.log AND c.partition = p.partition "
        "WHERE p.log = 1 AND p.next > coalesce(c.next, 1)"
    )
    while (row := connection.execute(query).fetchone()) != (0,):
        assert time.monotonic() < deadline, f"{row} partitions are not processed"
        time.sleep(0.1)


def check(url: str, publishers: Sequence[Publisher]) -> int:
    """Hold every promise of SPEC 6.1 against the database; give the number of messages."""
    with psycopg.connect(url, autocommit=True) as connection:
        await_processed(connection)
        messages = _raw(connection)
        _check_derived(connection, messages)
        devices = {
            str(row[1]): row[0] for row in connection.execute("SELECT number, id FROM devices")
        }
        history = _history(connection, [devices[p.device.id] for p in publishers])
        counted = dict(
            connection.execute("SELECT device, message_count FROM telemetry_latest").fetchall()
        )
    by_device: dict[int, list[tuple[tuple[int, int], int]]] = defaultdict(list)
    ours = {devices[publisher.device.id] for publisher in publishers}
    for place, message in messages.items():
        if message.device not in ours:
            continue
        by_device[message.device].append((place, _number(message)))
    for publisher in publishers:
        number = devices[publisher.device.id]
        stored = by_device[number]
        numbers = [n for _place, n in stored]
        who = str(publisher)
        lost = publisher.acknowledged - set(numbers)
        assert not lost, f"{who}: acknowledged and lost: {sorted(lost)[:20]}"
        assert set(numbers) <= set(range(1, publisher.sent + 1))
        twice = [n for n, count in Counter(numbers).items() if count > 1]
        assert not twice, f"{who}: stored twice: {_shown(messages, stored, twice)}"
        assert numbers == sorted(numbers), f"{who}: order lost"
        assert [history[place] for place, _n in stored] == numbers, f"{who}: decoded wrongly"
        assert counted.get(number, 0) == len(numbers), f"{who}: the latest state miscounts"
    return len(messages)


def _shown(
    messages: Mapping[tuple[int, int], RawMessage],
    stored: Sequence[tuple[tuple[int, int], int]],
    numbers: Sequence[int],
) -> str:
    """Describe where some numbers stand, and how they came."""
    lines = []
    for place, number in stored:
        if number in numbers:
            message = messages[place]
            at = datetime.fromtimestamp(message.received_us / 1e6, UTC).time()
            lines.append(f"{number} at {place}, {at}, packet {message.packet}, {message.meta}")
    return "\n".join(lines[:40])


def _raw(connection: psycopg.Connection[tuple[int, ...]]) -> dict[tuple[int, int], RawMessage]:
    """Read the raw log by position, checking that positions have no gaps."""
    found: dict[tuple[int, int], RawMessage] = {}
    for partition, envelopes in _envelopes(connection, LogName.RAW).items():
        for envelope in envelopes:
            for offset, message in enumerate(ledger.messages(envelope)):
                found[partition, envelope.first + offset] = message
    return found


def _envelopes(
    connection: psycopg.Connection[tuple[int, ...]], log: LogName
) -> dict[int, list[Envelope]]:
    found: dict[int, list[Envelope]] = defaultdict(list)
    table = {LogName.RAW: "ledger_raw", LogName.DERIVED: "ledger_derived"}[log]
    query = f"SELECT partition, first, count, day, body FROM {table} ORDER BY partition, first"
    for partition, first, count, day, body in connection.execute(query.encode()).fetchall():
        found[partition].append(Envelope(first, count, day, body))  # type: ignore[arg-type]
    ends = connection.execute(
        "SELECT partition, next FROM ledger_partitions WHERE log = %s", (log,)
    )
    for partition, end in ends.fetchall():
        expected = 1
        for envelope in found[partition]:
            assert envelope.first == expected, f"{table} {partition}: gap before {envelope.first}"
            expected += envelope.count
        assert expected == end, f"{table} {partition}: ends at {expected}, not {end}"
    return found


def _check_derived(
    connection: psycopg.Connection[tuple[int, ...]], messages: dict[tuple[int, int], RawMessage]
) -> None:
    """Check that the derived log has as many entries as the raw one."""
    entries = sum(
        envelope.count for some in _envelopes(connection, LogName.DERIVED).values()
        for envelope in some
    )  # fmt: skip
    assert entries == len(messages), f"{entries} derived entries of {len(messages)} messages"


def _history(
    connection: psycopg.Connection[tuple[int, ...]], devices: list[int]
) -> dict[tuple[int, int], int]:
    """Read the number each message was decoded to, checking that there is one row for each."""
    found: dict[tuple[int, int], int] = {}
    query = (
        "SELECT h.partition, h.n, h.values, s.names FROM telemetry_history h "
        "LEFT JOIN telemetry_shapes s ON s.id = h.shape "
        "WHERE h.device = ANY(%s)"
    )
    for partition, n, values, names in connection.execute(query, (devices,)).fetchall():
        assert names == ["seq"], f"decoded to {names}"
        assert (partition, n) not in found, f"two rows of history for {partition}/{n}"
        found[partition, n] = int(struct.unpack("<d", values)[0])  # type: ignore[arg-type]
    return found


def _number(message: RawMessage) -> int:
    payload = message.payload
    if payload[:1] != b"{":
        return int.from_bytes(payload, "big")
    document = json.loads(payload)
    number: int = document.get("values", document)["seq"]
    return number
