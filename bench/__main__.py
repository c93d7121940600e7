"""Run benchmarks: `python -m bench [NAME…] [--seconds N]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

from bench import (
    audit,
    broker,
    decoders,
    devices,
    disk,
    door,
    flow,
    flow_json,
    flow_rows,
    fronts,
    gateway,
    http,
    latency,
    ledger,
    mqtt,
    mqtt_core,
    overload,
    rights,
    starts,
    worker,
)
from bench.installation import directory
from bench.machine import describe

# Name, what it is, how long its load lasts by default in seconds (0: it has none), the work.
BENCHES: dict[str, tuple[str, float, Callable[[float], object]]] = {
    "mqtt": ("(a, e) QoS 1 and memory", 300, mqtt.plain),
    "mqtt-tls": ("(a) QoS 1 over TLS", 300, mqtt.tls),
    "mqtt-js": ("(a) QoS 1 through a JavaScript decoder", 300, mqtt.javascript),
    "latency": ("(b) from published to acknowledged, shown, forwarded", 60, latency.main),
    "http": ("(c) HTTP messages, single and in batches", 60, http.main),
    "disk": ("(d) bytes on disk", 0, disk.main),
    "overload": ("(f) ten times as much as it takes", 600, overload.main),
    "devices": ("(h) lists of 100,000 devices", 0, lambda _seconds: devices.main()),
    "decoders": ("(g) JavaScript decodes", 0, lambda _seconds: decoders.main()),
    "broker": (
        "the broker beside Mosquitto and NATS: fan-out, connects, memory",
        3,
        broker.main,
    ),
    "fronts": (
        "Mosquitto with a raw subscriber behind it beside the platform's door",
        3,
        fronts.main,
    ),
    "door": ("the platform's door beside Mosquitto: durable, shared, reconnects", 3, door.main),
    "flow-json": ("the event engine from JSON to JSON, its latency and memory", 0, flow_json.main),
    "flow": ("the event engine beside the real Siddhi", 2, flow.main),
    "flow-rows": ("its rows beside the real Siddhi's", 0, lambda _seconds: flow_rows.main()),
    "ledger": ("an append to the ledger", 0, lambda _seconds: ledger.main()),
    "audit": ("the audit's chain", 0, lambda _seconds: audit.main()),
    "rights": (
        "sign-ins, checks, the devices of somebody in 1,000 groups",
        0,
        lambda _seconds: rights.main(),
    ),
    "gateway": (
        "what limits and metering cost a request of the API",
        0,
        lambda _seconds: gateway.main(),
    ),
    "starts": ("parts that are killed and come back", 0, lambda _seconds: starts.main()),
    "worker": ("a batch in the worker and in the feed", 0, lambda _seconds: worker.main()),
    "mqtt-core": ("(g) the MQTT core without sockets", 0, lambda _seconds: mqtt_core.main()),
}


def main() -> int:
    """Run what was asked for, in order; all of it if nothing was named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(BENCHES))
    parser.add_argument("--seconds", type=float, help="length of each load instead of its own")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in BENCHES]:
        parser.error(f"there is no benchmark {unknown[0]}; choose from {', '.join(BENCHES)}")
    # Asked to end, take the platform down as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with directory() as made:
        print(describe(made))
    failed: list[str] = []
    for name in asked.names or BENCHES:
        what, seconds, work = BENCHES[name]
        began = time.monotonic()
        print(f"\n--- {name}: {what}")
        try:
            work(asked.seconds or seconds)
        except Exception:
            # The others are worth their time all the same.
            traceback.print_exc()
            failed.append(name)
        took = time.monotonic() - began
        print(f"  took {took:.0f} s, load average after it {os.getloadavg()[0]:.1f}")
    if failed:
        print(f"\nnot measured, because they failed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    raise SystemExit(main())
