import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packet_strategies import packets

from moorage_mqtt import V5, V311, Packet, ProtocolError, Publish, ReasonCode, decode, encode

both = pytest.mark.parametrize("version", [V311, V5])


@given(packets(V311))
def test_every_packet_of_3_1_1_survives_the_wire(packet: Packet) -> None:
    assert decode(encode(packet, V311), V311) == packet


@given(packets(V5))
def test_every_packet_of_5_survives_the_wire(packet: Packet) -> None:
    assert decode(encode(packet, V5), V5) == packet


@given(st.data(), st.sampled_from([V311, V5]))
def test_mutated_packets_raise_nothing_but_protocol_errors(
    data: st.DataObject, version: int
) -> None:
    frame = bytearray(encode(data.draw(packets(version)), version))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(frame), version)
    except ProtocolError as error:
        assert error.text.endswith(".")


@given(st.binary(max_size=64), st.sampled_from([V311, V5]))
@example(b"", V5)
def test_noise_raises_nothing_but_protocol_errors(noise: bytes, version: int) -> None:
    try:
        decode(noise, version)
    except ProtocolError as error:
        assert error.reason_code >= 0x80


CONNECT_311 = "100d 0004 4d515454 04 02 003c 0001 61"


def refusal(frame: str, version: int) -> ReasonCode:
    with pytest.raises(ProtocolError) as refused:
        decode(bytes.fromhex(frame), version)
    return refused.value.reason_code


@pytest.mark.parametrize(
    ("why", "frame", "version", "code"),
    [
        ("reserved flag of CONNECT", "100d 0004 4d515454 04 03 003c 0001 61", V311, 0x81),
        ("will QoS 3", "100d 0004 4d515454 04 1e 003c 0001 61", V311, 0x81),
        ("will retain without will", "100d 0004 4d515454 04 22 003c 0001 61", V311, 0x81),
        ("password without user", "1010 0004 4d515454 04 42 003c 0001 61 0001 62", V311, 0x81),
        ("another protocol name", "100d 0004 4d515458 04 02 003c 0001 61", V311, 0x81),
        ("protocol level 6", "100d 0004 4d515454 06 02 003c 0001 61", V311, 0x84),
        ("MQIsdp", "100f 0006 4d5149736470 03 02 003c 0001 61", V311, 0x84),
        ("bytes after CONNECT", "100e 0004 4d515454 04 02 003c 0001 61 00", V311, 0x81),
        ("CONNECT cut short", "100c 0004 4d515454 04 02 003c 0001", V311, 0x81),
        ("flags of CONNECT's header", "110d 0004 4d515454 04 02 003c 0001 61", V311, 0x81),
        ("packet type 0", "0000", V5, 0x81),
        ("AUTH in 3.1.1", "f000", V311, 0x81),
        ("QoS 3", "3605 0001 61 0001", V311, 0x81),
        ("DUP with QoS 0", "3803 0001 61", V311, 0x81),
        ("packet id 0", "3205 0001 61 0000", V311, 0x82),
        ("empty topic in 3.1.1", "3002 0000", V311, 0x90),
        ("empty topic without alias", "3003 0000 00", V5, 0x82),
        ("wildcard in a topic name", "3003 0001 2b", V311, 0x90),
        ("U+0000 in a topic", "3003 0001 00", V311, 0x81),
        ("a surrogate in a topic", "3005 0003 eda080", V311, 0x81),
        ("an overlong UTF-8 form", "3004 0002 c080", V311, 0x81),
        ("topic longer than the packet", "3003 0002 61", V311, 0x81),
        ("a length of five bytes", "30ffffffff01", V311, 0x81),
        ("a length longer than need be", "c08000", V311, 0x81),
        ("flags of PUBREL", "6002 0001", V311, 0x81),
        ("flags of SUBSCRIBE", "8006 0001 0001 61 00", V311, 0x81),
        ("SUBSCRIBE without filter", "8202 0001", V311, 0x82),
        ("UNSUBSCRIBE without filter", "a202 0001", V311, 0x82),
        ("SUBSCRIBE of QoS 3", "8206 0001 0001 61 03", V311, 0x81),
        ("options of 5 in 3.1.1", "8206 0001 0001 61 04", V311, 0x81),
        ("reserved options", "8207 0001 00 0001 61 40", V5, 0x81),
        ("retain handling 3", "8207 0001 00 0001 61 30", V5, 0x82),
        ("no-local on a share", "8210 0001 00 000a 24736861 72652f67 2f61 04", V5, 0x82),
        ("# inside a filter", "8208 0001 0003 612f23 00".replace("612f23", "23612f"), V311, 0x8F),
        ("bytes after PINGREQ", "c001 00", V311, 0x81),
        ("unknown reason code", "4003 0001 42", V5, 0x81),
        ("reserved flags of CONNACK", "2002 0200", V311, 0x81),
        ("session present and refused", "2002 0105", V311, 0x82),
        ("return code 6", "2002 0006", V311, 0x81),
        ("AUTH without method", "f002 1800", V5, 0x82),
        ("unknown property", "3006 0001 61 02 7f 00", V5, 0x81),
        ("property of another packet", "3007 0001 61 03 21 0001", V5, 0x81),
        ("property twice", "3008 0001 61 04 01 00 01 00", V5, 0x82),
        ("payload format 2", "3006 0001 61 02 01 02", V5, 0x82),
        ("topic alias 0", "3007 0001 61 03 23 0000", V5, 0x94),
        ("subscription identifier 0", "8209 0001 02 0b 00 0001 61 00", V5, 0x82),
        ("properties longer than the packet", "3005 0001 61 05 01", V5, 0x81),
    ],
)
def test_what_the_standard_forbids_is_refused_with_its_code(
    why: str, frame: str, version: int, code: int
) -> None:
    assert decode(bytes.fromhex(CONNECT_311), V311)
    assert refusal(frame, version) == code, why


@both
def test_values_that_do_not_fit_are_refused_before_they_are_sent(version: int) -> None:
    for packet in (
        Publish("", b""),
        Publish("a/+", b""),
        Publish("a\0", b""),
        Publish("\ud800", b""),
        Publish("a" * 70_000, b""),
        Publish("a", b"", 1),
        Publish("a", b"", 3, packet_id=1),
        Publish("a", b"", 0, dup=True),
        Publish("a", b"", properties={"server_keep_alive": 3}),
        Publish("a", b"", properties={"topic_alias": 0}),
    ):
        with pytest.raises(ProtocolError):
            encode(packet, version)


def test_acknowledgements_take_their_shortest_form() -> None:
    from moorage_mqtt import Disconnect, PubAck

    assert encode(PubAck(7), V5) == b"\x40\x02\x00\x07"
    assert encode(PubAck(7, 0x10), V5) == b"\x40\x03\x00\x07\x10"
    assert encode(Disconnect(), V5) == b"\xe0\x00"
