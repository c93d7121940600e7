"""(d): bytes on disk a reading and a message, on a data set that can be described.

200 devices with four values a message: a temperature that walks by up to 0.1, a meter that climbs
in steps, a state that holds for hours, a noisy vibration. 100 devices send every minute for five
days, 100 every quarter of an hour for 28 days; they come in as HTTP batches with times of their
own. The rival, on the rows of 20 of the devices: a row a value, as ThingsBoard keeps them (entity,
key, time, value columns, primary key of the first three), copied in.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import psycopg

from bench.installation import Installation, NotReady, directory, running
from moorage import telemetry
from moorage.kit.db import Database

GOAL_HOT, GOAL_SEALED = 35.0, 1.5
DEVICES, OFTEN_S, SELDOM_S = 200, 60, 900
OFTEN_DAYS, SELDOM_DAYS = 5, 28
BATCH = 1_000
RIVAL_DEVICES = 20
Sample = tuple[int, dict[str, float]]
# What one device may send a second is not what is measured here.
SETTINGS = {"MOORAGE_INGEST_DEVICE_RATE": "1000000", "MOORAGE_INGEST_DEVICE_BURST": "1000000"}


def samples(number: int, until_s: int) -> Iterator[Sample]:
    """Give what a device measured: seconds since 1970, and the values."""
    rng = random.Random(number)
    every, days = (OFTEN_S, OFTEN_DAYS) if number % 2 == 0 else (SELDOM_S, SELDOM_DAYS)
    temperature, meter, state = rng.uniform(10, 25), float(rng.randrange(10_000)), 0.0
    for at in range(until_s - days * 86_400 + rng.randrange(every), until_s, every):
        temperature = round(temperature + rng.uniform(-0.1, 0.1), 2)
        meter += rng.random() < 0.2
        if rng.random() < every / 14_400:
            state = float(rng.randrange(4))
        yield (
            at,
            {
                "temperature": temperature,
                "meter": meter,
                "state": state,
                "vibration": round(rng.gauss(2, 0.3), 3),
            },
        )


def main(_seconds: float) -> None:
    """Send the data set and look at the tables."""
    until_s = int(time.time()) - 3_600
    with directory() as made, running(made, settings=SETTINGS) as platform:
        began = time.monotonic()
        messages = _send(platform, until_s)
        drained_at = platform.drain()
        _ledger, history, _states = platform.kept()
        if history != messages:
            raise NotReady(f"{messages:,} messages were sent, {history:,} are in the history.")
        points = messages * 4
        print(f"  {messages:,} messages, {points:,} points; taken in and kept at "
              f"{messages / (drained_at - began):,.0f} messages/s")  # fmt: skip
        with psycopg.connect(platform.url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE) telemetry_history")
        heap, index = _size(platform, "telemetry_history")
        a_point = (heap + index) / points
        verdict = "reached" if a_point <= GOAL_HOT else "missed"
        print(f"  hot readings: {a_point:.1f} bytes a point ({heap / points:.1f} rows, "
              f"{index / points:.1f} index), {(heap + index) / messages:.0f} a message; "
              f"goal {GOAL_HOT:.0f} a point: {verdict}")  # fmt: skip
        _seal(platform.url)
        (sealed_points, left) = platform.ask(
            "SELECT sum(rows)::bigint * 4, pg_total_relation_size('telemetry_sealed') "
            "FROM telemetry_sealed"
        )
        # Weeks are sealed at once here: blocks were replaced day after day before the database
        # could use their space again, as it does from one night to the next.
        with psycopg.connect(platform.url, autocommit=True) as connection:
            connection.execute("VACUUM FULL telemetry_sealed, telemetry_hours")
        (size, hours) = platform.ask(
            "SELECT pg_total_relation_size('telemetry_sealed'), "
            "pg_total_relation_size('telemetry_hours')"
        )
        verdict = "reached" if size / sealed_points <= GOAL_SEALED else "missed"
        print(f"  sealed readings: {size / sealed_points:.2f} bytes a point of "
              f"{sealed_points:,} ({left / sealed_points:.2f} with the space of replaced blocks); "
              f"goal {GOAL_SEALED} a point: {verdict}")  # fmt: skip
        print(f"  hourly summaries beside them: {hours / sealed_points:.2f} bytes a point")
        for table, what in (("ledger_raw", "as received"), ("ledger_derived", "as derived")):
            heap, index = _size(platform, table)
            print(f"  ledger, {what}: {(heap + index) / messages:.1f} bytes a message")
        theirs = _rival(platform, until_s)
        print(f"  rival, a row a value: {theirs:.1f} bytes a point; "
              f"ours hot is {a_point / theirs:.2f} of it")  # fmt: skip


def _seal(url: str) -> None:
    """Seal every day that is due."""

    async def work() -> None:
        database = Database(url)
        await telemetry.Sealer(database).work()
        await database.close()

    asyncio.run(work())


def _send(platform: Installation, until_s: int) -> int:
    fleet = platform.fleet(DEVICES)
    sent = 0
    connection = http.client.HTTPConnection("127.0.0.1", platform.api_port, timeout=60)
    for number, key in enumerate(fleet.keys):
        headers = {"X-Device-Key": key, "Content-Type": "application/json"}
        items = samples(number, until_s)
        while batch := [
            {"at": datetime.fromtimestamp(at, UTC).isoformat(), "values": values}
            for at, values in itertools.islice(items, BATCH)
        ]:
            _post(connection, msgspec.json.encode(batch), headers)
            sent += len(batch)
    connection.close()
    return sent


def _post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
    """Send a batch until it is taken."""
    for _ in range(100):
        connection.request("POST", "/ingest/v1/up", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 202:
            return
        if answer.status not in (401, 429, 503):
            break
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    raise NotReady(f"A batch was refused: {answer.status} {text.decode()[:300]}")


def _size(platform: Installation, table: str) -> tuple[int, int]:
    """Give the bytes of a table's days, and of their indexes."""
    heap, index = platform.ask(
        "SELECT sum(pg_table_size(inhrelid))::bigint, sum(pg_indexes_size(inhrelid))::bigint "
        "FROM pg_inherits WHERE inhparent = %s::regclass "
        "AND pg_relation_size(inhrelid) > 0",
        table,
    )
    return int(heap or 0), int(index or 0)


def _rival(platform: Installation, until_s: int) -> float:
    count = 0
    with psycopg.connect(platform.url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE ts_kv (entity_id uuid NOT NULL, key int NOT NULL, ts bigint NOT NULL, "
            "bool_v boolean, str_v varchar(10000000), long_v bigint, dbl_v double precision, "
            "json_v json, PRIMARY KEY (entity_id, key, ts))"
        )
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY ts_kv (entity_id, key, ts, dbl_v) FROM STDIN") as copy,
        ):
            for number in range(RIVAL_DEVICES):
                entity = uuid4()
                for at, values in samples(number, until_s):
                    for key, value in enumerate(values.values()):
                        copy.write_row((entity, key, at * 1000, value))
                        count += 1
    size = platform.ask("SELECT pg_total_relation_size('ts_kv')")
    return float(size) / count
