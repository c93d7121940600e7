"""What brokers ask, each in its own words, and the answers they understand.

Sources, as read in November 2026:

- mosquitto-go-auth: README.md, section "HTTP", and backends/http.go.
- EMQX 5: documentation, "HTTP Service" under Authentication and under Authorization.
- VerneMQ: vmq-docs, plugindevelopment/webhookplugins.md.
- RabbitMQ: deps/rabbitmq_auth_backend_http/README.md, and for MQTT's queues, exchange and routing
  keys the guide "MQTT Plugin".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.sources import BrokerKind

from .. import service
from ..errors import QuestionMalformed
from ..model import Registered
from ..service import Guard, SigningIn

_json = msgspec.json.Encoder().encode
# A refusal is in force within a second, so an answer may be remembered for that long.
CACHE_S = 1
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Question:
    """What a broker asks.

    Attributes:
        fields: of the body or, where there is none, the query.
        query: of the address, as it was set up.
        hook: which of VerneMQ's hooks it is.
    """

    fields: Mapping[str, Any]
    query: Mapping[str, str]
    hook: str = ""

    def text(self, name: str) -> str:
        """Give a field that is a text; empty if it is not there. Raises QuestionMalformed."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise QuestionMalformed(reason=f"{name} must be a text")
        return value

    def said(self, client_id: str, address: str) -> SigningIn:
        """Read what somebody says of himself. Raises QuestionMalformed."""
        password = None if self.fields.get("password") is None else self.text("password")
        return SigningIn(self.text("username"), password, self.text(client_id), self.text(address))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker is told."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)


Answerer = Callable[[Guard, Registered, Question], Awaitable[Answer]]


# --- mosquitto-go-auth ----------------------------------------------------

# MOSQ_ACL_READ, _WRITE, _SUBSCRIBE and read with write (mosquitto_broker.h; mosquitto-go-auth).
_READ, _WRITE, _READ_WRITE, _SUBSCRIBE = 1, 2, 3, 4


def _go_auth(question: Question, allowed: bool) -> Answer:
    """Answer for every response mode: the status for `status` and `json`, the body for the others.

    The mode `text` must be said in the address, `?mode=text`, since nothing in the question tells.
    """
    status = 200 if allowed else 403
    if question.query.get("mode") == "text":
        return Answer(status, b"ok" if allowed else b"refused", (_TEXT,))
    return Answer(status, _json({"ok": allowed, "error": "" if allowed else "refused"}))


async def _go_auth_user(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.sign_in(broker, question.said("clientid", ""))
    return _go_auth(question, guest is not None)


async def _go_auth_superuser(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.known(broker, question.text("username"))
    return _go_auth(question, guest is not None and guest.sender is None)


async def _go_auth_acl(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.known(broker, question.text("username"))
    topic, asked = question.text("topic"), str(question.fields.get("acc", ""))
    if asked not in ("1", "2", "3", "4"):
        raise QuestionMalformed(reason="acc must be 1, 2, 3 or 4")
    access = int(asked)
    allowed = guest is not None
    if guest is not None and access in (_WRITE, _READ_WRITE):
        allowed = guard.may_publish(broker, guest, topic)
    if guest is not None and allowed and access in (_READ, _READ_WRITE, _SUBSCRIBE):
        allowed = guard.may_subscribe(broker, guest, topic)
    return _go_auth(question, allowed)


# --- EMQX 5 ---------------------------------------------------------------


async def _emqx_sign_in(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.sign_in(broker, question.said("clientid", "peerhost"))
    if guest is None:
        return Answer(200, _json({"result": "deny"}))
    return Answer(200, _json({"result": "allow", "is_superuser": guest.sender is None}))


async def _emqx_topic(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.known(broker, question.text("username"))
    allowed, topic = False, question.text("topic")
    match question.text("action"):
        case _ if guest is None:
            pass
        case "publish":
            allowed = guard.may_publish(broker, guest, topic)
        case "subscribe":
            allowed = guard.may_subscribe(broker, guest, topic)
        case other:
            raise QuestionMalformed(reason=f"action {other!r} is neither publish nor subscribe")
    return Answer(200, _json({"result": "allow" if allowed else "deny"}))


# --- VerneMQ --------------------------------------------------------------

_CACHED = (_JSON, (b"cache-control", b"max-age=%d" % CACHE_S))
_NOT_ALLOWED = Answer(200, _json({"result": {"error": "not_allowed"}}))
# SUBACK of MQTT 3.1.1 (section 3.9.3) and of MQTT 5 (section 3.9.3).
_FAILURE, _NOT_AUTHORIZED = 128, 135


async def _vernemq(guard: Guard, broker: Registered, question: Question) -> Answer:
    hook = question.hook
    if hook in ("auth_on_register", "auth_on_register_m5"):
        guest = await guard.sign_in(broker, question.said("client_id", "peer_addr"))
        # Not to be remembered: the next one may show another password.
        return _NOT_ALLOWED if guest is None else Answer(200, _json({"result": "ok"}))
    guest = await guard.known(broker, question.text("username"))
    if guest is None:
        return _NOT_ALLOWED
    if hook in ("auth_on_publish", "auth_on_publish_m5"):
        return _vernemq_publish(guard, broker, guest, question.text("topic"))
    if hook in ("auth_on_subscribe", "auth_on_subscribe_m5"):
        return _vernemq_subscribe(guard, broker, guest, question)
    if hook in ("on_deliver", "on_deliver_m5"):
        named = service.relative(guest, question.text("topic"))
        return Answer(200, _json({"result": "ok", "modifiers": {"topic": named}}))
    raise QuestionMalformed(reason=f"vernemq-hook {hook!r} is not one that is answered")


def _vernemq_publish(guard: Guard, broker: Registered, guest: service.Guest, topic: str) -> Answer:
    """Allow or not; a topic as at our own door is written out, since here all share one space."""
    full = service.absolute(guest, topic)
    if not guard.may_publish(broker, guest, full):
        return _NOT_ALLOWED
    rewritten = {} if full == topic else {"modifiers": {"topic": full}}
    return Answer(200, _json({"result": "ok", **rewritten}), _CACHED)


def _vernemq_subscribe(
    guard: Guard, broker: Registered, guest: service.Guest, question: Question
) -> Answer:
    """Allow each filter or not, and say it in the words of either version."""
    asked = question.fields.get("topics")
    try:
        wanted = [(str(one["topic"]), int(one["qos"])) for one in asked or ()]
    except (TypeError, KeyError, ValueError) as wrong:
        raise QuestionMalformed(reason="topics must each have topic and qos") from wrong
    is_v5 = question.hook.endswith("_m5")
    refused = _NOT_AUTHORIZED if is_v5 else _FAILURE
    topics = []
    for topic, qos in wanted:
        full = service.absolute(guest, topic)
        allowed = guard.may_subscribe(broker, guest, full)
        topics.append({"topic": full, "qos": qos if allowed else refused})
    if all(one["qos"] == refused for one in topics):
        return _NOT_ALLOWED
    answer: dict[str, Any] = {"result": "ok"}
    if is_v5:
        answer["modifiers"] = {"topics": topics}
    else:
        answer["topics"] = topics
    return Answer(200, _json(answer), _CACHED)


# --- RabbitMQ -------------------------------------------------------------

_ALLOW, _DENY = Answer(200, b"allow", (_TEXT,)), Answer(200, b"deny", (_TEXT,))
# With the tag that the management asks for before it tells of connections and ends them.
_ADMINISTRATOR = Answer(200, b"allow administrator", (_TEXT,))
_EXCHANGE = "amq.topic"
# The queue of a session, by its client id and the QoS of what it takes.
_QUEUE = re.compile(r"mqtt-subscription-(.+)qos[01]")


def _rabbitmq(allowed: bool) -> Answer:
    return _ALLOW if allowed else _DENY


async def _rabbitmq_user(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.sign_in(broker, question.said("client_id", ""))
    if guest is not None and guest.sender is None:
        return _ADMINISTRATOR
    return _rabbitmq(guest is not None)


async def _rabbitmq_vhost(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.known(broker, question.text("username"))
    wanted = question.query.get("only", "/")
    return _rabbitmq(guest is not None and question.text("vhost") == wanted)


async def _rabbitmq_resource(guard: Guard, broker: Registered, question: Question) -> Answer:
    """Allow MQTT's exchange to everybody, and each his own queues."""
    guest = await guard.known(broker, question.text("username"))
    if guest is None or guest.sender is None:
        return _rabbitmq(guest is not None)
    name = question.text("name")
    match question.text("resource"), question.text("permission"):
        case "exchange", "read" | "write":
            return _rabbitmq(name == _EXCHANGE)
        case "queue", "configure" | "read" | "write":
            queue = _QUEUE.fullmatch(name)
            owns = queue is not None and service.owns_client_id(
                queue[1], guest.sender, question.text("username")
            )
            return _rabbitmq(owns)
    return _DENY


async def _rabbitmq_topic(guard: Guard, broker: Registered, question: Question) -> Answer:
    guest = await guard.known(broker, question.text("username"))
    if guest is None or question.text("name") != _EXCHANGE:
        return _DENY
    # As the plugin for MQTT translates topics and filters.
    topic = question.text("routing_key").replace(".", "/").replace("*", "+")
    match question.text("permission"):
        case "write":
            return _rabbitmq(guard.may_publish(broker, guest, topic))
        case "read":
            return _rabbitmq(guard.may_subscribe(broker, guest, topic))
    return _DENY


ANSWERERS: Mapping[BrokerKind, Mapping[str, Answerer]] = {
    BrokerKind.GO_AUTH: {
        "user": _go_auth_user,
        "superuser": _go_auth_superuser,
        "acl": _go_auth_acl,
    },
    BrokerKind.EMQX: {"authn": _emqx_sign_in, "authz": _emqx_topic},
    BrokerKind.VERNEMQ: {"hook": _vernemq},
    BrokerKind.RABBITMQ: {
        "user": _rabbitmq_user,
        "vhost": _rabbitmq_vhost,
        "resource": _rabbitmq_resource,
        "topic": _rabbitmq_topic,
    },
    BrokerKind.MOSQUITTO: {},
    BrokerKind.NATS: {},
}
