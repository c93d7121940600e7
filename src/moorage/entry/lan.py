"""`moorage run --lan`: this machine's address in its network, and what opening it there means."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
from collections.abc import Mapping

from moorage.entry import settings as configuration
from moorage.entry.settings import Settings
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.outbound import LOOPBACK

HOME = "127.0.0.1"
# Of RFC 5737 and RFC 3849: nobody has them, so the default route answers for them.
FAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class NoNetwork(MoorageError):
    """The machine is in no network."""

    kind = Kind.INVALID
    code = "lan.no_network"
    message = (
        "This machine has no route into a network, so there is no address to listen on. "
        "Connect it, or name an address with --lan ADDRESS."
    )


class NoAddress(MoorageError):
    """What was given is not an address one can listen on."""

    kind = Kind.INVALID
    code = "lan.no_address"
    message = (
        "{given} is not the address of a machine. Write --lan alone, or --lan with one address of "
        "this machine, such as --lan 192.168.1.20."
    )


def address_of(wanted: str | bool) -> str:
    """Give the address to open: the one wanted, or that of the default route.

    Raises:
        NoAddress: what is wanted is none.
        NoNetwork: there is no default route.
    """
    if not isinstance(wanted, str):
        return _of_default_route()
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError as wrong:
        raise NoAddress(given=wanted) from wrong
    if address.is_unspecified or address.is_multicast:
        raise NoAddress(given=wanted)
    return str(address)


def _of_default_route() -> str:
    """Ask which address packets to the rest of the world would come from; none is sent."""
    for family, far in FAR:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            address: str = probe.getsockname()[0]
            if not ipaddress.ip_address(address).is_loopback:
                return address
    raise NoNetwork


def open_to(wanted: str | bool, options: Mapping[str, object]) -> dict[str, object]:
    """Add to the options what opens the doors to the network; what somebody set stays as it is.

    Raises:
        NoAddress, NoNetwork.
        SettingUnknown, SettingInvalid, SettingsFileUnreadable: the settings are wrong.
    """
    address = address_of(wanted)
    loaded = configuration.read(options=options)
    hosts = HOME if address == HOME else f"{HOME},{address}"
    host = f"[{address}]" if ":" in address else address
    opened: dict[str, object] = {
        "api.host": hosts,
        "mqtt.host": hosts,
        "mqtt.tls_host": hosts,
        "public_url": f"http://{host}:{loaded.settings.api.port}",
        # As without it: what this machine's own programs offer may be a target.
        "targets.allowed": list(LOOPBACK),
    }
    return {
        **options,
        **{name: value for name, value in opened.items() if name not in loaded.origins},
    }


def warning(settings: Settings) -> str:
    """Say in words who can reach what."""
    doors = (
        ("console and API", settings.api.host, settings.api.port, "not encrypted"),
        ("MQTT", settings.mqtt.host, settings.mqtt.port, "not encrypted"),
        ("MQTT over TLS", settings.mqtt.tls_host, settings.mqtt.tls_port, ""),
    )
    lines = [
        f"  {name:16} {host}:{port}  {note}".rstrip()
        for name, hosts, port, note in doors
        for host in hosts.split(",")
        if host != HOME
    ]
    return "\n".join(
        (
            "Open to everybody in the same network (--lan):",
            *lines,
            "Nobody gets in without signing in, or a device's key; but whoever listens in that",
            'network can read passwords, links and keys where it says "not encrypted". Use it in a',
            "network you trust. Without --lan only this machine is let in.",
        )
    )


def qr_code(text: str) -> str:
    """Draw a text as a QR code for the terminal; empty where the terminal has no such signs."""
    import io

    import segno

    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(drawn, compact=True, border=3)
    try:
        drawn.getvalue().encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return ""
    lines = drawn.getvalue().splitlines()
    if sys.stdout.isatty():
        # Bright on black, whatever colours the terminal has: the code's light parts are drawn.
        lines = [f"\x1b[97;40m{line}\x1b[0m" for line in lines]
    return "\n".join(lines)
