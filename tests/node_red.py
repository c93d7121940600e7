"""A real Node-RED without its editor: flows made for a test, driven and looked at over HTTP.

Each `Way` is a broker of its own in Node-RED, with the nodes that use it: what is published by
`publish` goes through its `mqtt out`; what its `mqtt in` nodes bring, what was acknowledged, what
went wrong and what the nodes show as their state is in `heard`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from httpx2 import Client, HTTPError

from ports import free_port

_HOME = Path(__file__).parent / "peers" / "node_red"
_NODE = Path(__file__).parents[1] / "scripts" / "node"
_PATIENCE_S = 60.0
_TAB = "tab"

_SETTINGS = """module.exports = {
  flowFile: "flows.json", credentialSecret: false, uiHost: "127.0.0.1", uiPort: %d,
  httpAdminRoot: false, httpNodeRoot: "/", disableEditor: true, mqttReconnectTime: 300,
  telemetry: { enabled: false }, logging: { console: { level: "info" } },
  externalModules: { autoInstall: false, palette: { allowInstall: false } },
};
"""
# What comes by HTTP is a message for a node, and answered at once.
_TAKE = """const wanted = msg.payload;
msg.payload = "taken";
if (wanted.correlationData) wanted.correlationData = Buffer.from(wanted.correlationData);
return [wanted, msg];
"""
_NOTE = """const one = { way: %s, kind: %s };
for (const name of ["topic", "payload", "qos", "retain", "userProperties", "responseTopic",
  "contentType", "messageExpiryInterval"]) if (msg[name] !== undefined) one[name] = msg[name];
if (msg.correlationData) one.correlationData = msg.correlationData.toString();
if (msg.error) one.error = String(msg.error.message);
if (msg.status) one.status = msg.status.text;
const heard = global.get("heard") || [];
heard.push(one);
global.set("heard", heard);
"""
_TELL = 'msg.payload = global.get("heard") || []; return msg;'
_ANSWER = """return { qos: 1, topic: msg.responseTopic || msg.topic + "/result",
  payload: { state: "completed", result: { heard: JSON.parse(msg.payload).code } } };
"""


@dataclass(frozen=True)
class Way:
    """How Node-RED comes to a broker.

    Attributes:
        name: of the broker's node, and its client id.
        version: 4 for MQTT 3.1.1, or 5.
        authority: to trust, for TLS.
        hears: filter of a `mqtt in` that is there from the start.
        answers: filter of another one, for commands; each is answered with success.
        announces: topics of its birth, close and will messages, whose payloads are these words.
        lasts: whether its session outlives its connection.
    """

    name: str
    port: int
    version: int
    authority: Path | None = None
    user_name: str = ""
    secret: str = ""
    hears: str = ""
    answers: str = ""
    announces: dict[str, str] = field(default_factory=dict)
    lasts: bool = False

    def nodes(self) -> list[dict[str, Any]]:
        """Give the nodes of its flow."""
        broker, out, into = (f"{self.name}-{one}" for one in ("broker", "out", "in"))
        ears = [
            _listening(f"{into}-{at}", broker, topic, wire)
            for at, (topic, wire) in enumerate(
                ((self.hears, f"{self.name}-message"), (self.answers, f"{self.name}-answer"))
            )
            if topic
        ]
        spoken = [out, into, *(one["id"] for one in ears)]
        return [
            self._broker(broker),
            {"id": f"{broker}-tls", "type": "tls-config", "certType": "files", "cert": "",
             "key": "", "ca": str(self.authority or ""), "verifyservercert": True},
            *_asked(f"{self.name}-publish", [out]),
            *_asked(f"{self.name}-control", [into]),
            _node(out, "mqtt out", [], broker=broker, topic="", qos="", retain=""),
            {**_listening(into, broker, "", f"{self.name}-message"), "inputs": 1},
            *ears,
            _node(f"{self.name}-answer", "function", [out], func=_ANSWER, outputs=1),
            _node(f"{out}-done", "complete", [f"{self.name}-published"], scope=[out]),
            _node(f"{out}-failed", "catch", [f"{self.name}-caught"], scope=spoken),
            _node(f"{out}-state", "status", [f"{self.name}-status"], scope=[out]),
            *(
                _node(f"{self.name}-{kind}", "function", [], outputs=0,
                      func=_NOTE % (json.dumps(self.name), json.dumps(kind)))
                for kind in ("message", "published", "caught", "status")
            ),
        ]  # fmt: skip

    def _broker(self, node_id: str) -> dict[str, Any]:
        announced = {
            f"{when}{name}": value
            for when, topic in self.announces.items()
            for name, value in (
                ("Topic", topic), ("Payload", when), ("Qos", "1"), ("Retain", "false"),
                ("Msg", {"contentType": "text/plain"} if self.version == 5 else {}),
            )
        }  # fmt: skip
        return {
            "id": node_id, "type": "mqtt-broker", "broker": "localhost", "port": str(self.port),
            "clientid": self.name, "autoConnect": True, "usetls": self.authority is not None,
            "tls": f"{node_id}-tls", "protocolVersion": str(self.version), "keepalive": "60",
            "cleansession": not self.lasts, "autoUnsubscribe": True,
            "sessionExpiry": "600" if self.lasts else "", **announced,
        }  # fmt: skip


class NodeRed:
    """A running Node-RED."""

    def __init__(self, directory: Path, ways: Sequence[Way]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._port = free_port()
        self._client = Client(base_url=f"http://127.0.0.1:{self._port}", timeout=20)
        flows: list[dict[str, Any]] = [
            {"id": _TAB, "type": "tab", "label": "Moorage"},
            _node("heard", "http in", ["heard-told"], url="/heard", method="get"),
            _node("heard-told", "function", ["heard-answer"], func=_TELL, outputs=1),
            _node("heard-answer", "http response", [], statusCode="200"),
        ]
        for way in ways:
            flows += way.nodes()
        secrets = {
            f"{one.name}-broker": {"user": one.user_name, "password": one.secret} for one in ways
        }
        (directory / "flows.json").write_text(json.dumps(flows))
        (directory / "flows_cred.json").write_text(json.dumps(secrets))
        (directory / "settings.js").write_text(_SETTINGS % self._port)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its flows run."""
        program = _HOME / "node_modules" / "node-red" / "red.js"
        command = [_NODE, "node", program, "--userDir", self._directory, "--settings",
                   self._directory / "settings.js"]  # fmt: skip
        environment = {**os.environ, "HOME": str(self._directory), "NO_UPDATE_NOTIFIER": "1"}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.until(self._answers, "Node-RED did not start")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, by default in peace: its flows are closed, and say what they say then."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        """Clean up."""
        self.stop(signal.SIGKILL)
        self._client.close()

    def publish(self, way: Way, topic: str, payload: Any, **more: Any) -> None:
        """Have `mqtt out` publish; more are properties of the message, as Node-RED calls them."""
        self._ask(way, "publish", {"topic": topic, "payload": payload, **more})

    def subscribe(self, way: Way, *topics: str, qos: int = 2) -> None:
        """Have a `mqtt in` subscribe that asks for nothing by itself."""
        wanted = [{"topic": one, "qos": qos} for one in topics]
        self._ask(way, "control", {"action": "subscribe", "topic": wanted})

    def unsubscribe(self, way: Way, *topics: str) -> None:
        """Have it unsubscribe."""
        self._ask(way, "control", {"action": "unsubscribe", "topic": list(topics)})

    def disconnect(self, way: Way) -> None:
        """Have it disconnect."""
        self._ask(way, "control", {"action": "disconnect"})

    def heard(self, way: Way, kind: str = "message", **fits: Any) -> list[dict[str, Any]]:
        """List what was noted of a kind: message, published, caught or status."""
        fits |= {"way": way.name, "kind": kind}
        every = self._client.get("/heard").raise_for_status().json()
        return [one for one in every if all(one.get(k) == v for k, v in fits.items())]

    def payloads(self, way: Way, kind: str = "message", **fits: Any) -> list[Any]:
        """List the payloads of these."""
        return [one["payload"] for one in self.heard(way, kind, **fits)]

    def is_connected(self, way: Way) -> bool:
        """Tell whether its nodes show that they are connected."""
        shown = self.heard(way, "status")
        return bool(shown) and shown[-1]["status"].endswith(".connected")

    def until(self, holds: Any, what: str) -> None:
        """Wait until something holds; fails with Node-RED's last words."""
        deadline = time.monotonic() + _PATIENCE_S
        while not holds():
            words = self._log.read_text(errors="replace")[-4000:]
            assert time.monotonic() < deadline, f"{what}:\n{words}"
            time.sleep(0.05)

    @property
    def _log(self) -> Path:
        return self._directory / "node-red.log"

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self._log.read_text()
        with contextlib.suppress(HTTPError):
            return self._client.get("/heard").status_code == 200
        return False

    def _ask(self, way: Way, what: str, message: dict[str, Any]) -> None:
        self._client.post(f"/{way.name}-{what}", json=message).raise_for_status()


@contextlib.contextmanager
def running(directory: Path, ways: Sequence[Way]) -> Iterator[NodeRed]:
    """Run Node-RED until all its brokers are connected, for the length of a block."""
    made = NodeRed(directory, ways)
    try:
        made.start()
        made.until(lambda: all(map(made.is_connected, ways)), "not all are connected")
        yield made
    finally:
        made.close()


def _node(node_id: str, kind: str, wires: list[str], **more: Any) -> dict[str, Any]:
    return {"id": node_id, "type": kind, "z": _TAB, "wires": [wires] if wires else [], **more}


def _listening(node_id: str, broker: str, topic: str, wire: str) -> dict[str, Any]:
    how = {"qos": "2", "datatype": "utf8", "nl": False, "rap": True, "rh": 0, "inputs": 0}
    return _node(node_id, "mqtt in", [wire], broker=broker, topic=topic, **how)


def _asked(name: str, to: list[str]) -> list[dict[str, Any]]:
    """Give the nodes that take a message for others by HTTP."""
    taken, answer = f"{name}-taken", f"{name}-answer"
    return [
        _node(name, "http in", [taken], url=f"/{name}", method="post"),
        {**_node(taken, "function", [], func=_TAKE, outputs=2), "wires": [to, [answer]]},
        _node(answer, "http response", [], statusCode="200"),
    ]
