"""(f): ten times what the platform takes, offered without waiting, while commands go down.

500 connections of MQTT 5. A message is offered when it is due; it is sent unless 200 of the
connection's are unanswered or its socket is full, and is then held back: that is how the platform
slows a sender down. Sent messages are accepted (PUBACK 0) or shed (PUBACK 0x97), so that

    offered = sent + held back, and sent = accepted + shed.

Beside it a device of its own answers a command every two seconds, given through the API.
"""

from __future__ import annotations

import json
import threading
import time
from uuid import UUID

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.generator import Job, Result
from bench.installation import Installation, Meter, directory, print_spent, running
from bench.load import Load
from bench.machine import Spent, percentile

CONNECTIONS = 500
TIMES = 10
COMMAND_GOAL_S = 5.0
STORED_GOAL = 0.7


def main(seconds: float) -> None:
    """Find the sustainable rate, then offer ten times as much."""
    with directory() as made, running(made) as platform:
        fleet = platform.fleet(CONNECTIONS + 1)
        keys = fleet.keys[:CONNECTIONS]
        sustainable = _sustainable(platform, keys, min(seconds, 30))
        print(f"  sustainable, closed loop, stored: {sustainable:,.0f}/s")
        rate = TIMES * sustainable
        job = Job(
            mode="flood", port=platform.mqtt_port, keys=keys, seconds=seconds, rate=rate
        )  # fmt: skip
        kept_before = platform.kept()[1]
        with Load(job) as load, _Commands(platform, fleet.ids[-1], fleet.keys[-1]) as commands:
            meter = Meter(platform)
            load.start()
            result = load.result()
            waiting = platform.backlog()
            commands.stop()
            drained_at = platform.drain()
            parts = meter.spent()
        parts["generator"] = Spent(*result.cpu_s)
        alive = platform.process.poll() is None
        kept = platform.kept()[1] - kept_before
        _report(result, rate, sustainable, kept - commands.answered, drained_at)
        print(f"  backlog at the end {waiting:,}, drained {drained_at - result.ended:.1f} s later; "
              f"supervisor alive: {'yes' if alive else 'NO'}")  # fmt: skip
        commands.report()
        print_spent(parts, result.accepted, drained_at - result.began)


def _sustainable(platform: Installation, keys: list[str], seconds: float) -> float:
    job = Job(mode="closed", port=platform.mqtt_port, keys=keys, seconds=seconds)
    with Load(job) as load:
        load.start()
        result = load.result()
    return result.accepted / (platform.drain() - result.began)


def _report(result: Result, rate: float, sustainable: float, kept: int, drained_at: float) -> None:
    offered = result.sent + result.held_back
    took = result.ended - result.began
    stored = kept / (drained_at - result.began)
    print(f"  offered {offered:,} ({offered / took:,.0f}/s, asked for {rate:,.0f}/s) = "
          f"sent {result.sent:,} + held back {result.held_back:,}")  # fmt: skip
    whole = result.sent == result.accepted + result.refused
    print(f"  sent {result.sent:,} = accepted {result.accepted:,} + shed {result.refused:,}: "
          f"{'yes' if whole else 'NO'}")  # fmt: skip
    print(f"  accepted {result.accepted:,} = in the history {kept:,}: "
          f"{'yes' if kept == result.accepted else 'NO'}")  # fmt: skip
    share = stored / sustainable
    print(f"  stored {stored:,.0f}/s, {share:.0%} of the sustainable rate; goal over "
          f"{STORED_GOAL:.0%}: {'reached' if share > STORED_GOAL else 'missed'}")  # fmt: skip


class _Commands:
    """A device that answers, and somebody who asks it every two seconds."""

    def __init__(self, platform: Installation, device_id: UUID, key: str) -> None:
        self._client = platform.client()
        self._path = f"/api/v1/devices/{device_id}/operations"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.took: list[float] = []
        self.answered = self.missed = 0
        device = self._device = paho.Client(CallbackAPIVersion.VERSION2, client_id="commanded")
        device.username_pw_set(key)
        device.on_connect = lambda client, *_: client.subscribe("v1/op/#", qos=1)
        device.on_message = self._answer
        device.connect("127.0.0.1", platform.mqtt_port)
        device.loop_start()

    def _answer(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        parts = message.topic.split("/")
        if len(parts) == 3:
            self.answered += 1
            body = json.dumps({"state": "completed", "result": {"done": True}})
            client.publish(f"{message.topic}/result", body, qos=1)

    def _run(self) -> None:
        while not self._stop.wait(2):
            began = time.monotonic()
            body = {"code": "blink", "payload": {}}
            answer = self._client.post(self._path, json=body).raise_for_status()
            path = f"/api/v1/operations/{answer.json()['id']}"
            while time.monotonic() - began < 6 * COMMAND_GOAL_S:
                if self._client.get(path).json()["state"] == "completed":
                    self.took.append(time.monotonic() - began)
                    break
                time.sleep(0.1)
            else:
                self.missed += 1

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def report(self) -> None:
        """Print how long answers took."""
        slowest = max(self.took, default=0)
        slow = self.missed + sum(took > COMMAND_GOAL_S for took in self.took)
        verdict = "MISSED" if slow else "reached"
        print(f"  commands, asked until the result is in the API: {len(self.took)} answered, "
              f"median {percentile(self.took, 0.5):.2f} s, slowest {slowest:.2f} s; "
              f"{slow} later than {COMMAND_GOAL_S:.0f} s: {verdict}")  # fmt: skip

    def __enter__(self) -> _Commands:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self._stop.set()
        self._thread.join()
        self._device.loop_stop()
        self._client.close()
