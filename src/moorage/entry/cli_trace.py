"""`moorage trace`: the MQTT packets of a device, live."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from moorage.entry.remote import ApiKey, Refused, Url, client_of, complain, events, find, say

_SHOWN = 100


def trace(
    device: str,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Watch the MQTT packets of a device, in and out, for 15 minutes.

    It may come later, and connections of its that are refused are shown too. Secrets are left
    out; payloads are for those who may read messages. That you watch is in the audit.

    Args:
        device: id or name of the device.
        as_json: print one JSON object a line.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        path = f"/api/v1/devices/{find(client, 'devices', device)['id']}/trace"
        for kind, data in events(client, path, {}):
            if kind == "packet":
                say(json.dumps(data, ensure_ascii=False) if as_json else line_of(data))
            elif kind == "started":
                complain(f"Watching until {data['endsAt'][11:19]} UTC; Ctrl-C ends it.")
            elif kind == "dropped":
                complain(f"{data['count']} packets dropped: more came than is shown.")
            elif kind == "ended" and data["reason"] == "time":
                complain("The time is up.")
                return
            elif kind == "ended":
                raise Refused(what="You may not see this any more.")


def line_of(packet: dict[str, Any]) -> str:
    """Write a packet in one line: when, whose, which way, what."""
    words = []
    if packet["packetId"] is not None:
        words.append(f"id {packet['packetId']}")
    if packet["qos"] is not None:
        words.append(f"QoS {packet['qos']}")
    words += [name for name in ("dup", "retain") if packet[name]]
    codes = zip(packet["codes"], packet["reasons"], strict=True)
    words += [f"0x{code:02x} {reason}" for code, reason in codes]
    words += [f"{name}={_plain(value)}" for name, value in packet["details"].items()]
    words += [f"{name}={_plain(value)}" for name, value in packet["properties"]]
    if packet["topic"] is not None:
        words.append(packet["topic"])
    if packet["payloadSize"] is not None:
        words.append(f"{packet['payloadSize']} bytes")
    if packet["payload"]:
        words.append(_text(base64.b64decode(packet["payload"])))
    arrow = {"in": "→", "out": "←"}.get(packet["direction"], "·")
    who = packet["clientId"] or packet["connection"]
    return f"{packet['at'][11:23]} {who} {arrow} {packet['kind']}  {', '.join(words)}".rstrip()


def _plain(value: object) -> str:
    if value is None:
        return "(hidden)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(payload: bytes) -> str:
    """Show the first bytes as text where they are some, as hex otherwise."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return text[:_SHOWN]
    return payload[: _SHOWN // 3].hex(" ")
