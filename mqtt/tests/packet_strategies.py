"""Hypothesis strategies for every control packet of both versions."""

from typing import Any

from hypothesis import strategies as st

from moorage_mqtt import (
    V5,
    V311,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from moorage_mqtt import properties as p
from moorage_mqtt.properties import _ALL
from moorage_mqtt.reasons import _ALLOWED, _ALLOWED_311

texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)
levels = st.text(st.characters(exclude_characters="\0+#/", codec="utf-8"), max_size=6)
packet_ids = st.integers(1, 0xFFFF)
topics = (
    st.lists(levels, min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda topic: topic and not topic.startswith("$share/"))
)
plain_filters = st.builds(
    lambda parts, last: "/".join([*parts, last]) or "/",
    st.lists(st.one_of(levels, st.just("+")), max_size=3),
    st.one_of(levels, st.just("+"), st.just("#")),
).filter(lambda one: not one.startswith("$share/"))
shared_filters = st.builds(
    lambda group, rest: f"$share/{group}/{rest}", levels.filter(bool), plain_filters
)
filters = st.one_of(plain_filters, shared_filters)

_VALUES: dict[Any, st.SearchStrategy[Any]] = {
    p._BYTE: st.integers(0, 1),
    p._TWO: st.integers(1, 0xFFFF),
    p._FOUR: st.integers(1, 0xFFFFFFFF),
    p._VARINT: st.integers(1, 268_435_455),
    p._TEXT: texts,
    p._BINARY: st.binary(max_size=8),
    p._PAIR: st.tuples(texts, texts),
}


@st.composite
def properties(draw: st.DrawFn, packet: int, version: int = V5) -> dict[str, Any]:
    if version != V5:
        return {}
    found: dict[str, Any] = {}
    for entry in draw(st.permutations([one for one in _ALL if packet in one.packets])):
        if not draw(st.booleans()):
            continue
        values = topics if entry.name == "response_topic" else _VALUES[entry.kind]
        if entry.many:
            most = 1 if packet == p.SUBSCRIBE and entry.name != "user_property" else 3
            found[entry.name] = draw(st.lists(values, min_size=1, max_size=most))
        else:
            found[entry.name] = draw(values)
    if "authentication_data" in found or packet == p.AUTH:
        found.setdefault("authentication_method", draw(texts))
    return found


def codes(packet: int, version: int) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted((_ALLOWED if version == V5 else _ALLOWED_311)[packet]))


@st.composite
def publishes(draw: st.DrawFn, version: int) -> Publish:
    qos = draw(st.integers(0, 2))
    carried = draw(properties(p.PUBLISH, version))
    topic = draw(st.one_of(topics, st.just("")) if "topic_alias" in carried else topics)
    return Publish(
        topic,
        draw(st.binary(max_size=300)),
        qos,
        draw(st.booleans()),
        draw(st.booleans()) if qos else False,
        draw(packet_ids) if qos else 0,
        carried,
    )


@st.composite
def connects(draw: st.DrawFn, version: int) -> Connect:
    will = None
    if draw(st.booleans()):
        will = Will(
            draw(topics),
            draw(st.binary(max_size=20)),
            draw(st.integers(0, 2)),
            draw(st.booleans()),
            draw(properties(p.WILL, version)),
        )
    username = draw(st.none() | texts)
    password = (
        draw(st.none() | st.binary(max_size=9)) if username is not None or version == V5 else None
    )
    return Connect(
        draw(texts),
        version,
        draw(st.booleans()),
        draw(st.integers(0, 0xFFFF)),
        username,
        password,
        will,
        draw(properties(p.CONNECT, version)),
        version == V311 and draw(st.booleans()),
    )


@st.composite
def connacks(draw: st.DrawFn, version: int) -> ConnAck:
    code = draw(codes(p.CONNACK, version))
    present = draw(st.booleans()) and not code
    return ConnAck(present, code, draw(properties(p.CONNACK, version)))


@st.composite
def answers(draw: st.DrawFn, version: int) -> PubAck | PubRec | PubRel | PubComp:
    kind, make = draw(
        st.sampled_from(
            [(p.PUBACK, PubAck), (p.PUBREC, PubRec), (p.PUBREL, PubRel), (p.PUBCOMP, PubComp)]
        )
    )
    code = draw(codes(kind, version)) if version == V5 else 0
    return make(draw(packet_ids), code, draw(properties(kind, version)))


@st.composite
def subscriptions(draw: st.DrawFn, version: int) -> Subscription:
    topic_filter, qos = draw(filters), draw(st.integers(0, 2))
    if version != V5:
        return Subscription(topic_filter, qos)
    return Subscription(
        topic_filter,
        qos,
        draw(st.booleans()) and not topic_filter.startswith("$share/"),
        draw(st.booleans()),
        draw(st.integers(0, 2)),
    )


def packets(version: int) -> st.SearchStrategy[Packet]:
    """Give any valid packet of the version."""

    def carried(packet: int) -> st.SearchStrategy[Any]:
        return properties(packet, version)

    def some(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(of, min_size=1, max_size=4).map(tuple)

    five = version == V5
    kinds: list[st.SearchStrategy[Any]] = [
        connects(version),
        connacks(version),
        publishes(version),
        answers(version),
        st.builds(Subscribe, packet_ids, some(subscriptions(version)), carried(p.SUBSCRIBE)),
        st.builds(SubAck, packet_ids, some(codes(p.SUBACK, version)), carried(p.SUBACK)),
        st.builds(Unsubscribe, packet_ids, some(filters), carried(p.UNSUBSCRIBE)),
        st.builds(
            UnsubAck,
            packet_ids,
            some(codes(p.UNSUBACK, version)) if five else st.just(()),
            carried(p.UNSUBACK),
        ),
        st.builds(PingReq),
        st.builds(PingResp),
        st.builds(
            Disconnect, codes(p.DISCONNECT, V5) if five else st.just(0), carried(p.DISCONNECT)
        ),
    ]
    if five:
        kinds.append(st.builds(Auth, codes(p.AUTH, V5), carried(p.AUTH)))
    return st.one_of(kinds)
