"""`moorage run` and the parts on their own."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import os
import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from moorage.entry import settings as configuration
from moorage.entry.settings import Settings
from moorage.kit import log, trace
from moorage.kit.errors import MoorageError
from moorage.kit.settings import Loaded, shown, variable_of

# The module of each part offers `async def serve(settings, line)`: it works until `line.stop`.
PARTS = {
    "api": "moorage.entry.api",
    "listen": "moorage.entry.listener",
    "lab": "moorage.entry.lab",
    "work": "moorage.entry.worker",
}
# How long parts may take to end whose supervisor was killed.
PARTS_END_S = 20.0
# New objects between two looks for unreachable cycles.
GARBAGE_EVERY = 50_000


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Everywhere:
    """Options that every command knows.

    Attributes:
        data_dir: directory of everything the installation keeps.
        log_level: debug, info, warning or error.
    """

    data_dir: Path | None = None
    log_level: str | None = None

    def options(self) -> dict[str, object]:
        """Give the settings that were given, by dotted name."""
        return _given({"data_dir": self.data_dir, "log_level": self.log_level})


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Doors:
    """Options for where the platform listens.

    Attributes:
        host: address of the console and API.
        port: port of the console and API.
        mqtt_host: address of MQTT without encryption.
        mqtt_port: port of MQTT without encryption.
        mqtt_tls_host: address of MQTT over TLS.
        mqtt_tls_port: port of MQTT over TLS.
        public_url: address under which people and devices reach the platform.
    """

    host: str | None = None
    port: int | None = None
    mqtt_host: str | None = None
    mqtt_port: int | None = None
    mqtt_tls_host: str | None = None
    mqtt_tls_port: int | None = None
    public_url: str | None = None

    def options(self) -> dict[str, object]:
        """Give the settings that were given, by dotted name."""
        return _given(
            {
                "api.host": self.host,
                "api.port": self.port,
                "mqtt.host": self.mqtt_host,
                "mqtt.port": self.mqtt_port,
                "mqtt.tls_host": self.mqtt_tls_host,
                "mqtt.tls_port": self.mqtt_tls_port,
                "public_url": self.public_url,
            }
        )


NOWHERE = Doors()
PLAIN = Everywhere()


def run(
    *,
    everywhere: Everywhere = PLAIN,
    doors: Doors = NOWHERE,
    demo: bool = False,
    lan: bool | str = False,
) -> None:
    """Start the whole platform on this machine and watch over it.

    Args:
        everywhere: options of every command.
        doors: where to listen.
        lan: listen in this machine's network as well, and show a QR code that makes a phone a
            device; an address may follow, otherwise it is that of the default route.
        demo: add a simulated fleet; it goes on at the next starts, until it is removed.
    """
    from moorage.entry import data_directory, ports, postgres, supervisor
    from moorage.entry import lan as lans
    from moorage.entry import reload as reload_

    options = everywhere.options() | doors.options()
    if lan is not False:
        options = lans.open_to(lan, options)
    loaded = _start("supervisor", options)
    settings = loaded.settings
    environment = {
        **os.environ,
        **{variable_of(name): shown(value) for name, value in options.items()},
        "MOORAGE_DATA_DIR": str(settings.data_dir),
    }

    def database() -> postgres.Server:
        return postgres.launch(settings.data_dir, options=settings.postgres.options)

    with data_directory.locked(settings.data_dir):
        ports.check_after_crash(settings, PARTS_END_S)
        reload_.remember(loaded)
        wish = data_directory.demo_wish(settings.data_dir)
        if demo:
            wish.touch()
        plan = supervisor.Plan(
            data_dir=settings.data_dir,
            environment=environment,
            database=database if settings.database_url is None else None,
            # -P: a directory named moorage where we were started must not stand in for the package.
            fork_server=[sys.executable, "-P", "-m", "moorage.entry.fork_server"],
            prepare=["migrate"],
            parts=_parts(settings),
            welcome=["welcome"] if lan is False else ["welcome", "--lan"],
            wishes={"simulate": wish},
            warn_share=settings.disk.warn_share,
        )
        supervisor.Supervisor(plan).run()


def api(*, everywhere: Everywhere = PLAIN, doors: Doors = NOWHERE) -> None:
    """Serve the console and the API, against a database that is there."""
    _serve("api", everywhere.options() | doors.options())


def listen(*, everywhere: Everywhere = PLAIN, doors: Doors = NOWHERE, lab: bool = False) -> None:
    """Take devices' connections, against a database that is there.

    Args:
        everywhere: options of every command.
        doors: where to listen.
        lab: be an open MQTT broker on the loopback instead, without platform and database: anybody
            may do anything, nothing is stored. For conformance suites and load comparisons.
    """
    _serve("lab" if lab else "listen", everywhere.options() | doors.options())


def work(*, everywhere: Everywhere = PLAIN) -> None:
    """Decode, keep and forward what came in, against a database that is there."""
    _serve("work", everywhere.options())


def migrate(*, everywhere: Everywhere = PLAIN) -> None:
    """Bring the database to the shape this version needs."""
    from moorage.entry import database
    from moorage.entry import migrate as migrations

    settings = _start("migrate", everywhere.options()).settings
    stood = migrations.migrate(database.url_of(settings))
    if stood.current == stood.head:
        say(f"The database is at {stood.head} already.")
    else:
        say(f"The database went from {stood.current or 'nothing'} to {stood.head}.")


def _given(options: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _start(part: str, options: Mapping[str, object]) -> Loaded[Settings]:
    loaded = configuration.read(options=options)
    log.configure(loaded.settings.log_level, part=part)
    return loaded


def _serve(part: str, options: Mapping[str, object]) -> None:
    """Run one part until it is told to stop."""
    import uvloop

    from moorage.entry import reload as reload_
    from moorage.entry.lifeline import lifeline

    settings = _start(part, options).settings
    if settings.tracing.endpoint is not None:
        trace.configure(settings.tracing.endpoint, settings.tracing.share, part=part)
    read = functools.partial(configuration.read, options=options)
    # A batch's objects die with the batch. To look for cycles among them every 700 allocations,
    # Python's default, took half of the time of decoding them.
    gc.set_threshold(GARBAGE_EVERY)

    async def serve() -> None:
        async with lifeline() as line:
            # What is loaded stays; to look for cycles meanwhile is a tenth of the start.
            gc.disable()
            module: Any = await asyncio.to_thread(importlib.import_module, PARTS[part])
            gc.freeze()
            gc.enable()
            following = asyncio.create_task(reload_.follow(line, read))
            try:
                await module.serve(settings, line)
            finally:
                following.cancel()

    uvloop.run(serve())


def _parts(settings: Settings) -> dict[str, list[str]]:
    parts = {"api": ["api"], "listen": ["listen"], "simulate": ["demo"]}
    for number in range(1, settings.workers + 1):
        name = "work" if settings.workers == 1 else f"work-{number}"
        parts[name] = ["work"]
    return parts


def welcome(*, everywhere: Everywhere = PLAIN, lan: bool = False) -> None:
    """Say that everything works, and how the first administrator and a phone are let in.

    Args:
        everywhere: options of every command.
        lan: say who in the network is let in, too.
    """
    settings = configuration.read(options=everywhere.options()).settings
    _welcome(settings)
    if lan:
        _welcome_in_network(settings)


def _welcome(settings: Settings) -> None:
    """Say that everything works, and open the sign-in link where there is a screen."""
    from moorage.entry import first_run

    say(f"\nMoorage is ready at {settings.public_url}")
    try:
        link = first_run.sign_in_link(settings)
    except MoorageError as failed:
        say(f"No sign-in link: {failed} `moorage user link` makes one.\n")
        return
    if link is None:
        return
    say(f"Sign in, once and within fifteen minutes: {link}\n")
    if sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(link)


def _welcome_in_network(settings: Settings) -> None:
    """Say who is let in now, and how a phone becomes a device."""
    from moorage.entry import lan as lans
    from moorage.entry import phone

    say(lans.warning(settings))
    try:
        link = phone.link(settings)
    except MoorageError as failed:
        say(f"No link for a phone: {failed} `moorage phone --lan` makes one.\n")
        return
    say("\nA phone becomes a device with this, once and within fifteen minutes:")
    say(lans.qr_code(link))
    say(f"{link}\nAnother one: moorage phone --lan\n")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
