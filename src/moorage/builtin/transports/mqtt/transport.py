"""The transport: the ports on which the door's connections come in."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from functools import partial

from moorage.plugin import Host

from .door import Door
from .figures import measure
from .link import Link
from .porch import Porch
from .proxied import Doorstep
from .settings import DoorSettings

_BACKLOG = 4096
# Files the process has open besides connections.
_OTHER_FILES = 256


class MqttDoor:
    """The transport `mqtt`."""

    name = "mqtt"

    def __init__(self, settings: DoorSettings) -> None:
        self.settings = settings
        self.ports: list[int] = []
        """Ports in use once `ready` was called: plain, then TLS or WebSocket if there is one."""

    async def run(self, host: Host, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises OSError if a port cannot be listened on."""
        settings, loop = self.settings, asyncio.get_running_loop()
        _allow_files(settings.connections + _OTHER_FILES)
        door = Door(settings, host)
        servers: list[asyncio.Server] = []

        async def listen(made: Callable[[], Link | Porch], hosts: str, port: int) -> None:
            first = partial(Doorstep, door, made) if settings.trusted_proxies else made
            server = await loop.create_server(first, hosts.split(","), port, backlog=_BACKLOG)
            servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

        try:
            self.ports = []
            await listen(lambda: Link(door, tls=False), settings.host, settings.port)
            if (tls := settings.tls) is not None:
                await listen(lambda: Porch(door, tls), settings.tls_host, settings.tls_port)
            if settings.websocket_port is not None:
                await listen(lambda: Link(door, tls=False), settings.host, settings.websocket_port)
            if door.neighbours is not None:
                await door.neighbours.listen()
            host.follow(
                door.commanded, door.deliver, door.cut, door.lost, door.due, door.routes.met
            )
            host.observe(partial(measure, door), door.trace, door.end)
            host.show(door.passage.is_watched, door.passage.show)
            ready()
            await door.serve()
        finally:
            for server in servers:
                server.close()
            await door.close()
            # Last: as long as a device is at home here, others shall be answered.
            if door.neighbours is not None:
                door.neighbours.close()


def _allow_files(count: int) -> None:
    """Let the process open so many files, as far as the system allows; often it is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
