"""`moorage tail`, `send` and `decode`: look at a running installation through its API."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from moorage.entry.remote import (
    ApiKey,
    Refused,
    Url,
    client_of,
    complain,
    events,
    find,
    ok,
    opened,
    own_url,
    say,
)
from moorage.kit.errors import FieldInvalid

Flag = Parameter(negative="")


def tail(
    device: str | None = None,
    *,
    application: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Follow what devices send, as it is decoded, until Ctrl-C.

    Args:
        device: id or name of one device; all that you may see when left out.
        application: id or name of an application.
        as_json: print one JSON object a line.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        query = {}
        if device is not None:
            query["deviceId"] = find(client, "devices", device)["id"]
        if application is not None:
            query["applicationId"] = find(client, "applications", application)["id"]
        names: dict[str, str] = {}
        for kind, event in events(client, "/api/v1/feed", query):
            if kind == "lost":
                complain("More came than could be shown; some messages are left out.")
                continue
            if kind == "ended":
                raise Refused(what="You may not see this any more.")
            if as_json:
                say(json.dumps(event, ensure_ascii=False))
                continue
            device_id = event["deviceId"]
            if device_id not in names:
                names[device_id] = ok(client.get(f"/api/v1/devices/{device_id}")).json()["name"]
            say(_line(event, names[device_id]))


def send(
    body: str,
    *,
    key: Annotated[str, Parameter(env_var="MOORAGE_DEVICE_KEY")],
    channel: str = "",
    as_hex: Annotated[bool, Parameter(name="--hex", negative="")] = False,
    url: Url = "",
    data_dir: Path | None = None,
) -> None:
    """Send one message as a device, over HTTP.

    Args:
        body: JSON or text; bytes in hex with --hex.
        key: the device's key; better in the variable than here.
        channel: what follows v1/up/ in the path.
        as_hex: the body is hex.
        url: of console and API; this installation's when left out.
        data_dir: directory of everything the installation keeps.
    """
    try:
        content = bytes.fromhex(body) if as_hex else body.encode()
    except ValueError as wrong:
        raise FieldInvalid("BODY", f"is not hex: {wrong}") from wrong
    is_json = not as_hex and body[:1] in "{["
    kind = "application/json" if is_json else "application/octet-stream"
    path = "/ingest/v1/up" + (f"/{channel.strip('/')}" if channel else "")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": kind}
    with opened(url or own_url(data_dir)) as client:
        answer = ok(client.post(path, content=content, headers=headers))
    say(f"{answer.status_code} {answer.text}")


def decode(
    payload: str,
    *,
    decoder: str | None = None,
    device: str | None = None,
    port: int | None = None,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Decode bytes with a decoder of the platform; without one, show which make sense of them.

    Args:
        payload: bytes in hex.
        decoder: id or name of a decoder.
        device: id or name of a device, whose decoder is taken.
        port: LoRaWAN port.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    message = {"payload": payload, "encoding": "hex"} | ({} if port is None else {"port": port})
    with client_of(url, api_key, data_dir) as client:
        decoder_id = None
        if decoder is not None:
            decoder_id = find(client, "decoders", decoder)["id"]
        elif device is not None:
            decoder_id = find(client, "devices", device)["decoderId"]
            if decoder_id is None:
                raise Refused(what=f"{device} has no decoder; name one with --decoder.")
        if decoder_id is None:
            _show_suggestions(ok(client.post("/api/v1/decoders/suggest", json=message)).json())
            return
        body = {"decoderId": decoder_id, "messages": [message]}
        (outcome,) = ok(client.post("/api/v1/decoders/try", json=body)).json()["outcomes"]
    if outcome["problem"]:
        raise Refused(what=outcome["problem"]["message"])
    say(json.dumps(outcome["document"], indent=2, ensure_ascii=False))


def _line(event: dict[str, Any], name: str) -> str:
    """Write a message in one line: when, who, what."""
    shown = []
    for point in event["points"]:
        units = point["units"]
        shown += [f"{k}={_value(v)}{units.get(k, '')}" for k, v in point["values"].items()]
    if event["problem"]:
        shown.append(f"! {event['problem']}")
    channel = f" {event['channel']}" if event["channel"] else ""
    return f"{event['receivedAt'][11:23]} {name}{channel}  {'  '.join(shown) or '(no values)'}"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _show_suggestions(found: dict[str, Any]) -> None:
    if not found["items"]:
        raise Refused(what=f"None of {found['tried']} decoders makes sense of these bytes.")
    table = Table("decoder", "score", "what it says", box=None, pad_edge=False, header_style="dim")
    for item in found["items"]:
        document = json.dumps(item["outcome"]["document"], ensure_ascii=False)
        table.add_row(Text(item["name"]), f"{item['score']:.2f}", Text(document))
    Console(width=None if sys.stdout.isatty() else 1000).print(table)
