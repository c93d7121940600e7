"""Enhanced authentication by SCRAM-SHA-256 (MQTT 5, section 4.12; RFC 5802, RFC 7677).

The client proves that it knows the password of a user name without telling it, and the door proves
that it knows what that is checked by. Channel binding is not offered.
"""

from __future__ import annotations

from typing import NamedTuple

import scramp

from moorage.plugin import Proof

METHOD = "SCRAM-SHA-256"
_MECHANISM = scramp.ScramMechanism(METHOD)
# What is sent in one step; the parts of these messages are short.
_LONGEST = 2_048


class Proved(NamedTuple):
    """A client has proved a password.

    Attributes:
        said: server-final, which CONNACK or the last AUTH carries.
    """

    proof: Proof
    said: bytes


class ScramRefused(ValueError):
    """What the client sent is no message of SCRAM that can be answered; says why."""


class Exchange:
    """One authentication: client-first, server-first, client-final, server-final.

    Args:
        client_first: as CONNECT or AUTH carries it.

    Raises:
        ScramRefused: it cannot be read, or asks for channel binding.
    """

    def __init__(self, client_first: bytes) -> None:
        self._client_first = _text(client_first)
        self._server: scramp.ScramServer | None = None
        self.proof: Proof | None = None
        """What the client has to prove; None until it is known."""
        names: list[str] = []

        def listen(name: str) -> tuple[bytes, bytes, bytes, int]:
            names.append(name)
            return bytes(16), bytes(32), bytes(32), _MECHANISM.iteration_count.value

        try:
            _MECHANISM.make_server(listen).set_client_first(self._client_first)
        except scramp.ScramException as wrong:
            raise ScramRefused(f"SCRAM: {wrong}") from wrong
        self.user_name = names[0]
        """Whose password it is about."""

    def challenge(self, proof: Proof) -> bytes:
        """Give server-first."""
        scram = proof.scram
        kept = scram.salt, scram.stored_key, scram.server_key, scram.iterations
        self.proof = proof
        self._server = _MECHANISM.make_server(lambda _name: kept)
        self._server.set_client_first(self._client_first)
        return str(self._server.get_server_first()).encode()

    def finish(self, client_final: bytes) -> bytes | None:
        """Give server-final; None if the client has not proved the password."""
        if self._server is None or self.proof is None or self.proof.credential_id is None:
            return None
        try:
            self._server.set_client_final(_text(client_final))
            return str(self._server.get_server_final()).encode()
        except (scramp.ScramException, ScramRefused):
            return None


def _text(data: bytes) -> str:
    if len(data) > _LONGEST:
        raise ScramRefused("SCRAM: the message is too long.")
    try:
        return data.decode()
    except UnicodeDecodeError as wrong:
        raise ScramRefused("SCRAM: the message is not UTF-8.") from wrong
