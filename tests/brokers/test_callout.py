"""What a NATS server is answered: claims it believes, and subjects for topics."""

from __future__ import annotations

import base64

import nkeys
import pytest

from moorage import devices, ingest
from moorage.brokers.service import callout, signing
from moorage.ingest.service import topics
from moorage.kit.ids import uuid7
from moorage_mqtt import covers


def test_claims_are_signed_with_the_account_key() -> None:
    secret = signing.new("token")
    signed = signing.Signer(secret).sign("U1", "N1", {"type": "user"}, name="one")
    assert signing.read_claims(signed.encode())["nats"] == {"type": "user", "version": 2}
    head, body, signature = signed.split(".")
    pair = nkeys.from_seed(secret.seed.encode())
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert pair.verify(f"{head}.{body}".encode(), raw)
    claims = signing.read_claims(signed.encode())
    assert (claims["iss"], claims["sub"], claims["aud"]) == (secret.issuer, "U1", "N1")
    assert "token" not in repr(secret) and secret.seed not in repr(secret)


@pytest.mark.parametrize("token", [b"", b"a.b", b"a.b.c", b"a.e30.c", b"a.W10.c", b"a.\xff.c"])
def test_what_holds_no_claims_is_not_read(token: bytes) -> None:
    with pytest.raises(ValueError):
        signing.read_claims(token)


def test_subjects_are_those_that_topics_become() -> None:
    assert callout.subjects("d1", "v1/up/#") == ["v1.devices.d1.up", "v1.devices.d1.up.>"]
    assert callout.subjects("d1", "v1/op/+/result") == ["v1.devices.d1.op.*.result"]
    assert callout.subjects("d1", "v1/time") == ["v1.devices.d1.time"]
    both = (*ingest.PUBLISHED, *ingest.SUBSCRIBED)
    every = [subject for topic in both for subject in callout.subjects("d", topic)]
    assert not [subject for subject in every if set("/#+") & set(subject)]


def test_the_filters_for_brokers_are_what_our_own_door_takes() -> None:
    sender = devices.Sender(1, uuid7(), uuid7(), uuid7(), uuid7(), 1)
    for topic in ("v1/up", "v1/up/a/b", "v1/twin/reported", "v1/op/7/result"):
        assert any(covers(one, topic) for one in ingest.PUBLISHED)
        assert topics.uplink(sender, topic) is not None
    for topic in ("v1/op/7", "v1/twin/desired", "v1/time", "v2/up", "v1/op/7/8/result"):
        assert not any(covers(one, topic) for one in ingest.PUBLISHED)
        assert topics.uplink(sender, topic) is None
    for topic_filter in ingest.SUBSCRIBED:
        assert topics.may_subscribe(sender, topic_filter)
