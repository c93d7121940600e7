"""Asking an external policy decision point, in the JSON profile of XACML 3.0.

What it does not permit in so many words is denied: another decision, obligations that nobody here
can discharge, no answer, one that cannot be read.

Sources: JSON Profile of XACML 3.0 Version 1.1 (OASIS), sections 4 and 5; REST Profile of XACML 3.0
Version 1.1, section 2.2; XACML 3.0, section 7.2.2 (a deny-biased enforcement point).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpcore2
import msgspec
import structlog
from pydantic import SecretStr

from moorage.kit.caller import Caller
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.fetch import Guarded
from moorage.kit.outbound import Outbound

log = structlog.get_logger(__name__)

Attributes = tuple[tuple[str, str], ...]

SUBJECT_ID = "urn:oasis:names:tc:xacml:1.0:subject:subject-id"
ACTION_ID = "urn:oasis:names:tc:xacml:1.0:action:action-id"
RESOURCE_ID = "urn:oasis:names:tc:xacml:1.0:resource:resource-id"
OURS = "urn:moorage:"

_CATEGORIES = {
    "subject": "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject",
    "action": "urn:oasis:names:tc:xacml:3.0:attribute-category:action",
    "resource": "urn:oasis:names:tc:xacml:3.0:attribute-category:resource",
    "environment": "urn:oasis:names:tc:xacml:3.0:attribute-category:environment",
}
_STRING = "http://www.w3.org/2001/XMLSchema#string"
_MEDIA_TYPE = "application/xacml+json"
_MOST_BYTES = 65_536
_MOST_KNOWN = 20_000
_MOST_CONNECTIONS = 32
# After a failure nobody waits for the next one.
_SILENT_S = 1.0


class AccessDenied(MoorageError):
    """The policy decision point does not permit this."""

    kind = Kind.FORBIDDEN
    code = "decisions.denied"
    message = (
        "The policies of this installation do not permit this. Ask whoever writes them "
        "(setting decisions.url)."
    )


class DecisionMissing(MoorageError):
    """The policy decision point said nothing that can be used."""

    kind = Kind.UNAVAILABLE
    code = "decisions.missing"
    message = (
        "The policy decision point does not answer as it should, and nothing is permitted without "
        "it. The operator's log says what is wrong (setting decisions.url)."
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """The decision point that an operator has set.

    Attributes:
        url: where questions are posted to.
        authorization: the header of that name, if it wants one.
        authority: PEM file of what signed its certificate; None trusts as the system does.
        timeout_s: until its answer is whole.
        keep_s: how long a decision is kept.
    """

    url: str
    authorization: SecretStr | None = field(default=None, repr=False)
    authority: Path | None = None
    timeout_s: float = 2.0
    keep_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """Whether somebody may do something; each attribute an id and a text, an id maybe twice."""

    subject: Attributes
    action: str
    resource: Attributes
    environment: Attributes = ()


def subject_of(caller: Caller) -> Attributes:
    """Describe who asks: id, kind, name, organisations, and the client that acts for them."""
    homes = {str(g.organization_id) for g in caller.grants if g.organization_id is not None}
    by = [("authorization", str(caller.authorization_id))] if caller.authorization_id else []
    told = [
        ("kind", caller.kind.value), ("name", caller.label), *by,
        *(("organization-id", home) for home in sorted(homes)),
    ]  # fmt: skip
    return (SUBJECT_ID, str(caller.id)), *((f"{OURS}subject:{n}", text) for n, text in told)


class _Result(msgspec.Struct):
    decision: Literal["Permit", "Deny", "NotApplicable", "Indeterminate"] = msgspec.field(
        name="Decision"
    )
    obligations: list[Any] | None = msgspec.field(name="Obligations", default=None)


class _Answer(msgspec.Struct):
    # Drafts of the profile, and who follows them, give the only result without a list.
    response: list[_Result] | _Result = msgspec.field(name="Response")


_read = msgspec.json.Decoder(_Answer).decode


class DecisionPoint:
    """Asks one policy decision point, and keeps what it said for a moment.

    It connects to the host that the operator named and to no other, follows no redirect and reads
    a bounded answer in a bounded time.

    Args:
        asked: where it is, and how long it may take.
        clock: gives seconds.
    """

    def __init__(self, asked: Asked, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = asked.url
        self._timeout_s = asked.timeout_s
        self.keep_s = asked.keep_s
        self._clock = clock
        self._known: OrderedDict[Question, tuple[float, bool]] = OrderedDict()
        self._silent_until = 0.0
        self._silent = False
        self._headers: dict[bytes | str, bytes | str] = {
            "Content-Type": _MEDIA_TYPE,
            "Accept": _MEDIA_TYPE,
        }
        if asked.authorization is not None:
            self._headers["Authorization"] = asked.authorization.get_secret_value()
        cafile = None if asked.authority is None else str(asked.authority)
        trust = ssl.create_default_context(cafile=cafile)
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=30,
            network_backend=Guarded(Outbound([urlsplit(self._url).hostname or ""])),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._pool.aclose()

    async def require(self, question: Question) -> None:
        """Refuse what is not permitted. Raises AccessDenied, DecisionMissing."""
        if not await self.permits(question):
            raise AccessDenied

    async def permits(self, question: Question) -> bool:
        """Tell whether something is permitted. Raises DecisionMissing."""
        now = self._clock()
        known = self._known.get(question)
        if known is not None and now < known[0]:
            return known[1]
        if now < self._silent_until:
            raise DecisionMissing
        try:
            permitted = await self._ask(question)
        except _Unusable as failed:
            self._silent_until = self._clock() + _SILENT_S
            if not self._silent:
                log.warning("decision_point_silent", reason=str(failed))
            self._silent = True
            raise DecisionMissing from failed
        if self._silent:
            log.warning("decision_point_answers")
        self._silent = False
        self._keep(question, permitted)
        return permitted

    def _keep(self, question: Question, permitted: bool) -> None:
        self._known[question] = self._clock() + self.keep_s, permitted
        self._known.move_to_end(question)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    async def _ask(self, question: Question) -> bool:
        body = msgspec.json.encode(_written(question))
        found = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.stream("POST", self._url, headers=self._headers, content=body) as answer,
            ):
                if answer.status != 200:
                    raise _Unusable(f"its answer is {answer.status}")
                async for chunk in answer.aiter_stream():
                    found += chunk
                    if len(found) > _MOST_BYTES:
                        raise _Unusable(f"its answer has more than {_MOST_BYTES} bytes")
            response = _read(found).response
        except TimeoutError as late:
            raise _Unusable(f"no whole answer in {self._timeout_s:g} s") from late
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise _Unusable(f"its answer cannot be read: {wrong}") from wrong
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException,
                httpcore2.UnsupportedProtocol, ssl.SSLError, MoorageError) as failed:  # fmt: skip
            raise _Unusable(str(failed) or type(failed).__name__) from failed
        results = [response] if isinstance(response, _Result) else response
        if len(results) != 1:
            raise _Unusable(f"it gave {len(results)} results for one question")
        (result,) = results
        if result.decision == "Permit" and result.obligations:
            log.warning("decision_obligations_unknown", count=len(result.obligations))
            return False
        return result.decision == "Permit"


class _Unusable(Exception):
    """Why nothing can be made of what the decision point said."""


def _written(question: Question) -> dict[str, Any]:
    """Write a question as the profile has it, with nothing left to its defaults."""
    said = {
        "subject": question.subject,
        "action": ((ACTION_ID, question.action),),
        "resource": question.resource,
        "environment": question.environment,
    }
    categories = [
        {"CategoryId": _CATEGORIES[name], "Attribute": list(_attributes(bag))}
        for name, bag in said.items()
        if bag
    ]
    return {"Request": {"Category": categories}}


def _attributes(bag: Attributes) -> Iterator[dict[str, Any]]:
    for name, group in groupby(sorted(bag), key=lambda pair: pair[0]):
        texts = [text for _, text in group]
        value = texts if len(texts) > 1 else texts[0]
        yield {"AttributeId": name, "DataType": _STRING, "Value": value}
