"""How a client proves its password: when it connects, and again while it is connected."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from moorage.plugin import Credentials, MoorageError, Sender, Service
from moorage_mqtt import Auth, Connect, ReasonCode

from .intake import Intake
from .line import BUSY
from .scram import Exchange, Proved, ScramRefused

if TYPE_CHECKING:
    from .door import Door


class Proving(Intake):
    """A connection whose client may prove its password."""

    __slots__ = ("_connect", "_exchange", "vouched")

    def __init__(
        self,
        door: Door,
        *,
        tls: bool,
        certificate: bytes = b"",
        carried_from: str | None = None,
        vouched: Proved | None = None,
    ) -> None:
        """Make a connection's end, as `Line`.

        Args:
            door: whose it is.
            tls: whether the client's connection is encrypted.
            certificate: what the client showed in its handshake, as DER.
            carried_from: the client's address, if another listener carries its bytes here.
            vouched: what the client has proved to the listener that carries its bytes here.
        """
        super().__init__(door, tls=tls, certificate=certificate, carried_from=carried_from)
        self.vouched = vouched
        self._exchange: Exchange | None = None  # While the client proves its password.
        self._connect: Connect | None = None  # What waits for that; None once it is open.

    def _authenticate(self, auth: Auth) -> None:
        """Take a step of the client towards proving its password."""
        data = auth.properties.get("authentication_data", b"")
        if auth.reason_code == ReasonCode.REAUTHENTICATE and self._exchange is None:
            self._challenge(data)
        elif self._exchange is not None and self._exchange.proof is not None:
            self._finish(self._exchange, data)
        elif self.vouched is None or self.kept is not None:
            self.end("protocol", ReasonCode.PROTOCOL_ERROR, "AUTH comes out of turn.")

    def _challenge(self, client_first: bytes) -> None:
        try:
            self._exchange = Exchange(client_first)
        except ScramRefused as refused:
            self._refused("malformed", str(refused))
            self.end("protocol", ReasonCode.NOT_AUTHORIZED, str(refused))
            return
        self.stop(BUSY)
        self.door.spawn(self._await_proof(self._exchange), self)

    async def _await_proof(self, exchange: Exchange) -> None:
        try:
            proof = await self.door.host.proof(self._credentials(), exchange.user_name)
        except MoorageError as refused:
            self.end("protocol", ReasonCode.SERVER_UNAVAILABLE, str(refused))
            return
        if not self.ended:
            self.core.challenge(exchange.challenge(proof))
            self.go_on(BUSY)
            self.flush()

    def _finish(self, exchange: Exchange, client_final: bytes) -> None:
        said, self._exchange = exchange.finish(client_final), None
        if said is None or exchange.proof is None:
            self.door.host.disproved(self._credentials(exchange.user_name))
            self.end("protocol", ReasonCode.NOT_AUTHORIZED, "The password was not proved.")
            return
        proved = Proved(exchange.proof, said)
        connect, self._connect = self._connect, None
        self.stop(BUSY)
        if connect is not None:
            self.door.spawn(self._sign_in(connect, proved), self)
        else:
            self.door.spawn(self._prove_again(proved), self)

    async def _prove_again(self, proved: Proved) -> None:
        """Answer a client that has proved its password on an open connection."""
        again = await self._recognise(self._credentials(), proved)
        kept = self.kept
        if again is None or self.ended or kept is None:
            return
        if again.number != kept.number:
            text = "Another device proved its password than the one that connected."
            self._refused("credentials", text)
            self.end("protocol", ReasonCode.NOT_AUTHORIZED, text)
            return
        kept.sender = again
        if self._expiry is not None:
            self._expiry.cancel()
        if again.valid_until is not None:
            self._end_at(again.valid_until)
        self.core.reauthenticated(proved.said)
        self.go_on(BUSY)
        self.flush()

    def _credentials(self, user_name: str | None = None) -> Credentials:
        """Give who proves a password, for lists and limits."""
        client_id = self.kept.client_id if self.kept is not None else ""
        if self._connect is not None:
            client_id = self._connect.client_id
        # Beside a password, which there is none of, the name is shown.
        return Credentials(
            user_name, b"-" if user_name else None, client_id, self.address, "mqtt", self.tls
        )

    # --- For those who build on this ------------------------------------------------------------

    async def _sign_in(self, connect: Connect, proved: Proved | None) -> None:
        """Answer CONNECT."""
        raise NotImplementedError

    async def _recognise(
        self, credentials: Credentials, proved: Proved | None = None
    ) -> Sender | Service | None:
        """Find out who connects; a stranger's connection is ended."""
        raise NotImplementedError

    def _end_at(self, valid_until: datetime) -> None:
        """Have the connection end with its credential."""
        raise NotImplementedError
