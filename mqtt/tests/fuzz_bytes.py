"""Fuzz the server's end with bytes, guided by coverage: `make fuzz-mqtt`.

What is sent may be anything, cut anywhere. It must end in an answer that a client can read, never
in an exception, and the connection may keep no more than a packet.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["moorage_mqtt"]):
    from house import House
    from wires import split

    from moorage_mqtt import V5, V311, Connect, Disconnect, Limits, encode

LIMITS = Limits(packet_bytes=4_096, queue_messages=10, topic_alias_maximum=3)


def one_input(data: bytes) -> None:
    """Feed a connection: the first byte says of which version, and where the rest is cut."""
    if not data:
        return
    version = V5 if data[0] & 1 else V311
    house = House(LIMITS)
    if data[0] & 2:
        peer = house.connect(
            "c", version, properties={"topic_alias_maximum": 2} if version == V5 else {}
        )
        peer.subscribe("#")
    else:
        peer = house.open("c", version)
        house.broker.touched.clear()
    stream = data[1:] if data[0] & 4 else encode(Connect("d", version), version) + data[1:]
    cut = 1 + (data[0] >> 3)
    for at in range(0, len(stream), cut):
        house._take(peer, peer.server.receive(stream[at : at + cut], house.now))
    assert len(peer.server._tail) <= LIMITS.packet_bytes + 5
    answers = split(peer.server.take(), peer.server.version)
    if peer.server.is_closed and version == V5 and answers and isinstance(answers[-1], Disconnect):
        assert answers[-1].reason_code >= 0x80


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
