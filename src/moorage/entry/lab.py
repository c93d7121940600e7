"""Lab mode: the MQTT door as an open broker on the loopback, without platform or database."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from moorage.entry import tls
from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import Settings
from moorage.ingest import Listening
from moorage.kit import plugins
from moorage.kit.errors import Kind, MoorageError


class NoLab(MoorageError):
    """The MQTT door is not among the installed plugins."""

    kind = Kind.NOT_FOUND
    code = "lab.no_transport"
    message = "The transport mqtt is not installed, and only it has a lab mode."


async def serve(settings: Settings, line: Lifeline) -> None:
    """Serve until told to stop.

    Raises:
        NoLab: the transport is not installed.
        NotLoopback: `mqtt.host` or `mqtt.tls_host` is an address that others can reach.
        CertificateUnreadable: a configured certificate or key cannot be read.
    """
    kind: Any = plugins.find("moorage.transports").plugins.get("mqtt")
    if kind is None:
        raise NoLab
    mqtt = settings.mqtt
    listening = Listening(
        mqtt.host,
        mqtt.port,
        mqtt.tls_host,
        mqtt.tls_port,
        _context(settings),
        settings.ingest.largest_message,
    )
    run = kind.open_lab(listening, mqtt.lab_websocket_port, mqtt.lab_copies == "one")
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


def _context(settings: Settings) -> ssl.SSLContext:
    """Make the context of the door's certificate; clients may show one of its authority."""
    made = tls.server_certificate(settings)
    context = tls.server_context()
    context.load_cert_chain(made.certificate, made.key)
    if made.authority is not None:
        context.load_verify_locations(made.authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
