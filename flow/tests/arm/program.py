"""Runs applications of every kind of kernel, and the reader of JSON lines; writes rows and the
digest of what a snapshot holds.

Run by each machine under `test_arm.py`; it asks for nothing but the engine and numpy.
"""

import hashlib
import io
import json
import platform
import random
import sys

from moorage_flow import Runtime
from moorage_flow.codecs import Shape, json_lines
from moorage_flow.columnar.kernels import compiled
from moorage_flow.language.syntax import Attribute, Type

S = "@app:playback define stream S (k string, n long, x double, f float); "
APPS = (
    "from S[x > 1.5] select k, x * 3.0 / 7.0 as y insert into Out;",
    "from S select k, sum(x) as s, avg(f) as a, stdDev(x) as e group by k insert into Out;",
    "from S#window.length(7) select k, sum(n) as s, max(x) as m group by k insert into Out;",
    "from S#window.time(400) select k, avg(x) as a, min(n) as l insert into Out;",
    "from S#window.timeBatch(500, 0) select k, sum(x) as s, count() as c group by k "
    "insert into Out;",
    "partition with (k of S) begin from S#window.length(5) select k, avg(x) as a insert into Out; "
    "end;",
    "from every a=S[n == 0] -> b=S[k == a.k and x > a.x] within 1 sec "
    "select a.k as k, a.x as x, b.x as y insert into Out;",
    "partition with (k of S) begin from every a=S[n == 0] -> not S[n == 1] for 300 milliseconds "
    "select a.k as k, a.x as x insert into Out; end;",
    "from S#window.length(6) as a join S#window.time(300) as b on a.k == b.k "
    "select a.k as k, a.x as x, b.x as y insert into Out;",
    "from S#window.sort(4, x) select k, x insert into Out;",
)


def run(app: str) -> tuple[list[list[object]], str]:
    """Give what an application tells of 600 events, and the digest of its state after them."""
    rng = random.Random(7)
    told: list[list[object]] = []
    runtime = Runtime(S + app)
    runtime.subscribe("Out", lambda at, came, left: told.extend([at, *row] for row in came))
    now = 1_600_000_000_000
    for _ in range(20):
        times = [now := now + rng.randrange(40) for _ in range(30)]
        rows = [
            (rng.choice("abcd"), rng.randrange(3), rng.uniform(-9, 9), rng.randrange(64) / 8)
            for _ in times
        ]
        runtime.send("S", rows, ts=times)
    return told, hashlib.sha256(runtime.snapshot()).hexdigest()


def read() -> list[str]:
    """Give the columns and the refusals that random JSON lines make."""
    rng = random.Random(8)
    shape = Shape({"S": [Attribute(kind.value, kind) for kind in Type if kind is not Type.OBJECT]})
    lines = []
    for _ in range(400):
        data = {
            "string": rng.choice(["", "a", "é\n", None]),
            "int": rng.choice([rng.randrange(-(1 << 31), 1 << 31), 1.5]),
            "long": rng.randrange(-(1 << 63), 1 << 63),
            "float": rng.uniform(-1e3, 1e3),
            "double": rng.choice([rng.uniform(-1, 1), rng.uniform(-1, 1) * 1e300, 2.0**-1074]),
            "bool": rng.random() < 0.5,
        }
        lines.append(json.dumps({"stream": "S", "ts": rng.randrange(1 << 40), "data": data}))
    file = io.BytesIO("\n".join(lines).encode())
    told: list[str] = []
    for batch in json_lines.read(file, shape, 100, lambda error: told.append(str(error))):
        told.append(repr(batch.lists()))
    return told


json.dump([platform.machine(), compiled(), [run(app) for app in APPS], read()], sys.stdout)
