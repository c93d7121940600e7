"""Lab mode: the MQTT door as an open broker on the loopback, without platform or database."""

from __future__ import annotations

import asyncio
from typing import Any

from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import Settings
from moorage.kit import plugins
from moorage.kit.errors import Kind, MoorageError


class NoLab(MoorageError):
    """The MQTT door is not among the installed plugins."""

    kind = Kind.NOT_FOUND
    code = "entry.no_lab"
    message = "The transport mqtt is not installed, and only it has a lab mode."


async def serve(settings: Settings, line: Lifeline) -> None:
    """Serve until told to stop.

    Raises:
        NoLab: the transport is not installed.
        NotLoopback: `mqtt.host` is an address that others can reach.
    """
    kind: Any = plugins.find("moorage.transports").plugins.get("mqtt")
    if kind is None:
        raise NoLab
    mqtt = settings.mqtt
    run = kind.open_lab(mqtt.host, mqtt.port, mqtt.lab_websocket_port)
    serving = asyncio.create_task(run(line.ready))
    stopped = asyncio.create_task(line.stop.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # It could not listen.
    finally:
        stopped.cancel()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
