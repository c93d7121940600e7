"""The header in which a proxy passes a certificate on: whatever it holds, it is read or refused."""

from __future__ import annotations

import base64
import ssl
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from moorage.kit.client_certificates import MOST_BYTES, UNREADABLE, read

BEGIN, END = (f"-----{word} CERTIFICATE-----" for word in ("BEGIN", "END"))
_bits = st.sampled_from([":", "%", "%0A", "-----", BEGIN, END, quote(BEGIN), "AAAA", "=", "+", " "])
_texts = st.lists(st.one_of(_bits, st.text(max_size=5)), max_size=12).map("".join)


@given(st.one_of(st.binary(max_size=200), _texts.map(str.encode)))
def test_whatever_comes_is_bytes_or_unreadable(value: bytes) -> None:
    assert read(value) == UNREADABLE or 0 < len(read(value)) <= MOST_BYTES


@given(st.binary(min_size=1, max_size=300))
def test_each_way_of_writing_says_the_same(der: bytes) -> None:
    coded = base64.b64encode(der).decode()
    pem = ssl.DER_cert_to_PEM_cert(der)
    for text in (f":{coded}:", coded, quote(coded, safe=""), quote(pem), quote(pem, safe="")):
        assert read(text.encode()) == der


def test_what_is_longer_than_a_certificate_is_none() -> None:
    for size, is_read in ((MOST_BYTES, True), (MOST_BYTES + 1, False)):
        der = b"0" * size
        assert (read(b":" + base64.b64encode(der) + b":") == der) is is_read
