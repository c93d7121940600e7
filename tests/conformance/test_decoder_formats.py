"""The built-in formats, by the examples of their standards."""

import asyncio
import datetime as dt
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.builtin.decoders import cayenne_lpp, plain, senml
from moorage.decoders import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    EncodeContext,
    Encoded,
    FunctionRuntime,
    Location,
    Readings,
)

AT = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def decode(runtime: FunctionRuntime, payload: bytes) -> Any:
    return runtime.decode_one(DecodeContext(payload, AT))


def instant(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def test_json_is_its_own_document() -> None:
    text = b'{"t": 21.50, "deep": {"x": 1}}'

    assert decode(plain.json, text) == Decoded(text, (Readings({"t": 21.5, "deep.x": 1}),))


def test_cbor_becomes_a_document() -> None:
    value = {"t": 21.5, 7: True, "b": b"\x01\x02", "bad": float("nan"), "at": AT, "s": {1}}
    result = decode(plain.cbor, cbor2.dumps(value))

    assert msgspec.json.decode(result.document) == {
        "t": 21.5, "7": True, "b": "AQI", "bad": None, "at": "2026-11-22T12:00:00+00:00", "s": [1],
    }  # fmt: skip
    assert result.readings == (Readings({"t": 21.5, "7": True, "b": "AQI", "s.0": 1}, AT),)
    assert result.dropped == 1


def test_messagepack_becomes_a_document() -> None:
    result = decode(plain.messagepack, msgspec.msgpack.encode({"t": 21.5, "n": {"x": b"\x01"}}))

    assert result == Decoded(b'{"t":21.5,"n":{"x":"AQ"}}', (Readings({"t": 21.5, "n.x": "AQ"}),))


def test_xml_becomes_a_document() -> None:
    text = b"""<?xml version="1.0"?><r id="007"><t unit="C">21.5</t><on>true</on>
               <c>1</c><c>2</c><e/></r>"""
    result = decode(plain.xml, text)

    assert msgspec.json.decode(result.document) == {
        "r": {"id": "007", "t": {"unit": "C", "value": 21.5}, "on": True, "c": [1, 2], "e": None}
    }


@pytest.mark.parametrize(
    "attack",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "http://127.0.0.1/">]><a>&b;</a>',
        b"<a>" * 5000 + b"</a>" * 5000,
        b"<a>&undefined;</a>",
    ],
)
def test_xml_attacks_are_refused(attack: bytes) -> None:
    assert decode(plain.xml, attack).code == "decoders.payload_malformed"


@pytest.mark.parametrize(
    "attack",
    [
        b"\x81" * 100_000,
        bytes.fromhex("d81c81d81d00"),  # A list that holds itself.
        bytes.fromhex("9bffffffffffffffff"),
        bytes.fromhex("5b7fffffffffffffff"),
        bytes.fromhex("a1"),
    ],
)
def test_cbor_attacks_are_refused(attack: bytes) -> None:
    assert decode(plain.cbor, attack).code == "decoders.payload_malformed"


# RFC 8428, sections 5.1.1 to 5.1.6.
@pytest.mark.parametrize(
    ("pack", "readings"),
    [
        (
            '[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]',
            (Readings({"urn:dev:ow:10e2073a01080063": 23.1}, None, None,
                      {"urn:dev:ow:10e2073a01080063": "Cel"}),),
        ),
        (
            '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},'
            '{"n":"current","u":"A","v":1.2}]',
            (Readings({"voltage": 120.1, "current": 1.2}, None, None,
                      {"voltage": "V", "current": "A"}),),
        ),
        (
            '[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,'
            '"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},'
            '{"n":"current","t":-4,"v":1.3}]',
            (
                Readings({"voltage": 120.1}, instant(1276020076.001), None, {"voltage": "V"}),
                Readings({"current": 1.2}, instant(1276020071.001), None, {"current": "A"}),
                Readings({"current": 1.3}, instant(1276020072.001), None, {"current": "A"}),
            ),
        ),
        (
            '[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},'
            '{"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]',
            (
                Readings({"urn:dev:ow:10e2073a01080063": 20}, instant(1320067464),
                         Location(60.07965, 24.30621), {"urn:dev:ow:10e2073a01080063": "%"}),
                Readings({"urn:dev:ow:10e2073a01080063": 20.3}, instant(1320067524), None,
                         {"urn:dev:ow:10e2073a01080063": "%"}),
            ),
        ),
        (
            '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},'
            '{"n":"label","vs":"Machine Room"},{"n":"open","vb":false},'
            '{"n":"nfc-reader","vd":"aGkgCg"},{"n":"energy","s":7}]',
            (Readings({"temp": 23.1, "label": "Machine Room", "open": False,
                       "nfc-reader": "aGkgCg", "energy.sum": 7}, None, None, {"temp": "Cel"}),),
        ),
        ('[{"n":"t","t":-60,"v":1},{"bv":10,"n":"u","v":1}]',
         (Readings({"t": 1}, AT - dt.timedelta(seconds=60)), Readings({"u": 11}))),
    ],
)  # fmt: skip
def test_senml_packs_are_resolved(pack: str, readings: tuple[Readings, ...]) -> None:
    result = decode(senml.json, pack.encode())

    assert result.readings == readings
    assert msgspec.json.decode(result.document) == msgspec.json.decode(pack)


def test_senml_cbor_reads_as_senml_json() -> None:
    # RFC 8428, section 6: the pack of 5.1.2 with the labels of table 4.
    pack = [{-2: "urn:dev:ow:10e2073a01080063:", 0: "voltage", 1: "V", 2: 120.1},
            {0: "current", 1: "A", 2: 1.2}]  # fmt: skip
    result = decode(senml.cbor, cbor2.dumps(pack))

    assert result.readings[0].values == {"voltage": 120.1, "current": 1.2}
    assert msgspec.json.decode(result.document)[1] == {"n": "current", "u": "A", "v": 1.2}


@pytest.mark.parametrize(
    "pack",
    ["{}", "[1]", "[", '[{"v":1}]', '[{"n":"a","v":1,"must_":2}]', '[{"bver":11,"n":"a","v":1}]',
     '[{"n":"a","v":"x"}]', '[{"n":"a","t":1e300,"v":1}]', '[{"n":"a","u":[],"v":1}]'],
)  # fmt: skip
def test_broken_senml_is_refused(pack: str) -> None:
    assert decode(senml.json, pack.encode()).code == "decoders.payload_malformed"


# The examples of the Cayenne LPP documentation, then one of each further kind.
@pytest.mark.parametrize(
    ("payload", "document"),
    [
        ("03670110056700ff", {"temperature_3": 27.2, "temperature_5": 25.5}),
        ("0167ffd7067104d2fb2e0000",
         {"temperature_1": -4.1, "accelerometer_6": {"x": 1.234, "y": -1.234, "z": 0}}),
        ("018806765ff2960a0003e8",
         {"gps_1": {"latitude": 42.3519, "longitude": -87.9094, "altitude": 10}}),
        ("00000001010102020fa0036841047327a4",
         {"digital_input_0": 0, "digital_output_1": 1, "analog_input_2": 40,
          "relative_humidity_3": 32.5, "barometric_pressure_4": 1014.8}),
        ("0174014a02758ca0", {"voltage_1": 3.3, "current_2": 36}),
        ("018700ff80", {"colour_1": {"red": 0, "green": 255, "blue": 128}}),
        ("018e010000", {"switch_1": 1}),
    ],
)  # fmt: skip
def test_cayenne_lpp_is_decoded_and_written_again(payload: str, document: Any) -> None:
    result = decode(cayenne_lpp.runtime, bytes.fromhex(payload))
    batch = EncodeBatch("one", [EncodeContext(document)])
    (written,) = asyncio.run(cayenne_lpp.runtime.encode(batch))

    assert msgspec.json.decode(result.document) == document
    assert isinstance(written, Encoded)
    assert payload.startswith(written.payload.hex())


def test_cayenne_lpp_gives_units_times_and_places() -> None:
    payload = bytes.fromhex("0367011001880673b00186a00003e8028565920080")
    result = decode(cayenne_lpp.runtime, payload)

    (readings,) = result.readings
    assert readings.at == instant(0x65920080)
    assert readings.units is not None
    assert readings.units["temperature_3"] == "Cel"
    assert readings.location == Location(42.2832, 10.0, 10)


@pytest.mark.parametrize("payload", ["03", "0367", "036701", "03ff00"])
def test_broken_cayenne_lpp_is_refused(payload: str) -> None:
    result = decode(cayenne_lpp.runtime, bytes.fromhex(payload))

    assert result.code == "decoders.payload_malformed"


@pytest.mark.parametrize(
    "command", [1, {"temperature": 1}, {"x_1": 1}, {"temperature_1": "a"}, {"temperature_1": 1e6},
                {"temperature_999": 1}, {"temperature_1": float("nan")}],
)  # fmt: skip
def test_what_cayenne_lpp_cannot_carry_is_refused(command: Any) -> None:
    (result,) = asyncio.run(
        cayenne_lpp.runtime.encode(EncodeBatch("one", [EncodeContext(command)]))
    )

    assert isinstance(result, DecodeFailure)


RUNTIMES = (
    plain.json, plain.cbor, plain.messagepack, plain.xml,
    senml.json, senml.cbor, cayenne_lpp.runtime,
)  # fmt: skip


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
@given(payload=st.binary(max_size=64))
def test_any_bytes_are_decoded_or_refused(runtime: FunctionRuntime, payload: bytes) -> None:
    batch = DecodeBatch("one", [DecodeContext(payload, AT)])
    (result,) = asyncio.run(runtime.decode(batch))

    assert isinstance(result, Decoded | DecodeFailure)
    if isinstance(result, Decoded) and result.document is not None:
        msgspec.json.decode(result.document)
