"""Measure both paths of the flow engine: million events per CPU-second, by query and batch size.

`python -m bench.flow_paths [NAME…]`
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from moorage_flow import Runtime
from moorage_flow.columnar import Dictionary, Words

_STREAMS = "define stream S (k string, v int, d double); define stream T (k string, w int); "
_QUERIES = {
    "filter": "from S[v > 50 and d < 0.5] select k, v, d * 2.0 as e",
    "tumbling": "from S#window.lengthBatch(1000) select k, sum(v) as s, count() as n group by k",
    "sliding": "from S#window.length(1000) select k, sum(v) as s, avg(d) as a group by k",
    "time": "from S#window.time(1 sec) select k, sum(v) as s group by k",
    "pattern": "from every a=S[v > 50] -> b=S[k == a.k and v > a.v] within 1 sec"
    " select a.k as k, a.v as x, b.v as y",
    "join": "from S#window.length(1000) as a join T#window.length(1000) as b on a.k == b.k"
    " select a.k as k, a.v as v, b.w as w",
}
_EVENTS = 200_000
_SECONDS = 1.5


def measure(query: str, path: Any, size: int, *, words: bool) -> float:
    """Give events per CPU-second of one query, its input as columns."""
    runtime = Runtime(f"@app:playback {_STREAMS} {query} insert into Out;", path=path)
    runtime.subscribe_columns("Out", lambda _columns: None)
    random = np.random.default_rng(1)
    joins = " join " in query
    names = [f"k{at}" for at in range(1000 if joins else 100)]
    shared = Words(names)
    codes = random.integers(0, len(names), _EVENTS)
    keys: Any = np.array(names, np.object_)[codes]
    v, d, ts = random.integers(0, 100, _EVENTS), random.random(_EVENTS), np.arange(_EVENTS) // 100
    done, began = 0, time.process_time()
    while (spent := time.process_time() - began) < _SECONDS:
        at = done % _EVENTS
        part = slice(at, at + size)
        k = Dictionary(codes[part], shared) if words else keys[part]
        now = ts[part] + done // _EVENTS * (_EVENTS // 100)
        runtime.send("S", {"k": k, "v": v[part], "d": d[part]}, ts=now)
        done += size
        if joins:
            runtime.send("T", {"k": k, "w": v[part]}, ts=now)
    return done * (1 + joins) / spent


def main() -> None:
    """Print a line for each query and batch size."""
    print(f"{'query':10}{'batch':>7}{'reference':>11}{'columnar':>10}{'with codes':>12}")
    for name in sys.argv[1:] or _QUERIES:
        for size in (1, 100, 1_000, 10_000):
            found = [
                measure(_QUERIES[name], path, size, words=words) / 1e6
                for path, words in (("reference", False), ("columnar", False), ("columnar", True))
            ]
            print(f"{name:10}{size:7}{found[0]:11.3f}{found[1]:10.3f}{found[2]:12.3f}")


if __name__ == "__main__":
    main()
