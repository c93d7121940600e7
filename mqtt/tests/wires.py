"""Builders: a server's end that has accepted a client, and a wire between two ends."""

from moorage_mqtt import (
    V5,
    Connect,
    Event,
    Limits,
    Properties,
    Publish,
    ServerConnection,
    Session,
    decode,
    encode,
)


def a_server(
    version: int = V5,
    limits: Limits | None = None,
    session: Session | None = None,
    *,
    now: float = 0.0,
    keep_alive: int = 0,
    clean_start: bool = True,
    properties: Properties | None = None,
) -> ServerConnection:
    """Give a server's end that has accepted a client; its CONNACK is taken away."""
    server = ServerConnection(limits or Limits(), now)
    packet = Connect("c", version, clean_start, keep_alive, properties=properties or {})
    [connect] = server.receive(encode(packet, version), now)
    assert connect == packet
    server.accept(session or Session(), now=now, session_present=session is not None)
    server.take()
    return server


def sent(server: ServerConnection) -> list[object]:
    """Take and decode what the server wants to send."""
    return split(server.take(), server.version)


def split(data: bytes, version: int) -> list[object]:
    """Decode a run of whole packets."""
    packets: list[object] = []
    while data:
        size, at = 0, 1
        while True:
            size |= (data[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if data[at - 1] < 0x80:
                break
        packets.append(decode(data[: at + size], version))
        data = data[at + size :]
    return packets


def publishes(events: list[Event]) -> list[Publish]:
    """Keep the messages among the events."""
    return [event for event in events if isinstance(event, Publish)]
