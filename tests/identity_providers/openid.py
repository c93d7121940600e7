"""A real OpenID provider in a process of its own, a hostile one, and browsers that go there."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import uvicorn
from httpx2 import AsyncClient
from joserfc import jws
from joserfc.jwk import KeySet, OctKey, RSAKey

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "scripts"
HOME, BACK = "http://localhost:8080", "/api/v1/auth/single-sign-on/callback"
CALLBACK = HOME + BACK
CLIENT, SECRET = "moorage", "a secret with : and %"
_ACTION = re.compile(r'action="([^"]+)"')


@dataclass
class RealProvider:
    """The running oidc-provider."""

    issuer: str
    process: subprocess.Popen[str]

    def renew_keys(self, name: str) -> None:
        """Have it sign with a new key; it forgets who is signed in."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        # It tells of itself on the way, too.
        assert "done\n" in iter(self.process.stdout.readline, "")


@contextmanager
def real(people: dict[str, Any], tells: str, home: str = HOME) -> Iterator[RealProvider]:
    """Run one with these people for `home`; it tells `tells` when somebody signs out there."""
    client = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [home + BACK],
        "post_logout_redirect_uris": [f"{home}/sign-in"],
        "backchannel_logout_uri": tells,
        "backchannel_logout_session_required": True,
    }
    told = json.dumps({"clients": [client], "people": people})
    process = subprocess.Popen(
        [SCRIPTS / "node", "node", "provider.mjs", told],
        cwd=HERE / "provider",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield RealProvider(process.stdout.readline().strip(), process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


class Browser:
    """Somebody's browser: what it has of us, and what of the provider.

    Args:
        ours: a client of the application.
        trust: whom it trusts at the provider.
    """

    def __init__(self, ours: AsyncClient, trust: ssl.SSLContext | None = None) -> None:
        self.ours = ours
        self.theirs = AsyncClient(
            follow_redirects=False, timeout=60, verify=True if trust is None else trust
        )

    async def set_out(self, provider_id: str, to: str = "/devices") -> str:
        """Press the button; give where we are sent."""
        answer = await self.ours.get(
            "/api/v1/auth/single-sign-on/begin", params={"provider": provider_id, "to": to}
        )
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def there(self, address: str, login: str, until: str = CALLBACK) -> str:
        """Say yes to all that the real provider asks; give where it sends us back to."""
        answer = await self.theirs.get(address)
        for _ in range(12):
            if answer.status_code in (302, 303):
                address = urljoin(str(answer.url), answer.headers["location"])
                if address.startswith(until):
                    return address
                answer = await self.theirs.get(address)
                continue
            assert answer.status_code == 200, answer.text
            action = _ACTION.search(answer.text)
            assert action, answer.text
            prompt = "login" if 'name="login"' in answer.text else "consent"
            form = {"prompt": prompt, "login": login, "password": "whatever"}
            if (xsrf := re.search(r'name="xsrf" value="([^"]+)"', answer.text)) is not None:
                form = {"xsrf": xsrf.group(1), "logout": "yes"}
            where = urljoin(str(answer.url), action.group(1))
            answer = await self.theirs.post(where, data=form)
        raise AssertionError(f"stayed at {answer.url}")

    async def come_back(self, address: str) -> str:
        """Follow the provider's redirect to us; give where in the console we end."""
        answer = await self.ours.get(address)
        assert answer.status_code == 303, answer.text
        if "moorage_session" in answer.cookies:
            self.ours.headers["X-CSRF-Token"] = (await self.me())["csrfToken"]
        return str(answer.headers["location"])

    async def sign_in(self, provider_id: str, login: str) -> str:
        """Go the whole way; give where in the console we end."""
        return await self.come_back(await self.there(await self.set_out(provider_id), login))

    async def me(self) -> Any:
        """Give who we are to the application."""
        answer = await self.ours.get("/api/v1/auth/me")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def is_in(self) -> bool:
        """Tell whether the application knows us."""
        return (await self.ours.get("/api/v1/auth/me")).status_code == 200


@asynccontextmanager
async def listening(app: Any, port: int = 0) -> AsyncIterator[str]:
    """Serve an ASGI application that runs already on a port; give its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False, ws="none")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    taken = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{taken}"
    finally:
        server.should_exit = True
        await running


@dataclass
class Forger:
    """A provider under an attacker's hand: it says whatever a test puts into it.

    Attributes:
        shown: the keys it shows, in place of its own.
        said: changes of the ID token's claims; None leaves one out.
        configuration: changes of what it says of itself.
        token: the whole ID token in place of what would be made.
        userinfo: what it says of whoever shows the access token.
        refusal: what it says with status 400 to whoever shows a code.
        asked: forms that came to the token endpoint.
    """

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    shown: KeySet | None = None
    said: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    refusal: dict[str, Any] | None = None
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    nonce: str = ""

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Give what an honest provider would say, with the changes."""
        now = int(time.time())
        plain = {
            "iss": self.issuer, "aud": CLIENT, "sub": "mallory", "nonce": self.nonce,
            "iat": now, "exp": now + 300, "name": "Mallory", "email": "mallory@town.example",
        }  # fmt: skip
        return {k: v for k, v in {**plain, **self.said, **changes}.items() if v is not None}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as an ASGI application."""
        body = (await receive()).get("body", b"")
        path = scope["path"]
        answer: Any = self.userinfo
        status = 200
        if path.endswith("openid-configuration"):
            answer = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **self.configuration,
            }
        elif path == "/keys":
            answer = (self.shown or KeySet([self.key])).as_dict(private=False)
        elif path == "/token":
            self.asked.append(parse_qs(body.decode()))
            token = self.token or sign(self.claims(), self.key)
            answer = {"token_type": "Bearer", "access_token": "at", "id_token": token}
            if self.refusal is not None:
                status, answer = 400, self.refusal
        start = {"type": "http.response.start", "status": status, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def answer(self, address: str, **changes: str | None) -> str:
        """Give the way back, as it would be for who was sent to `address`."""
        asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
        self.nonce = asked["nonce"]
        given = {"code": "a code", "state": asked["state"], **changes}
        return f"{CALLBACK}?{urlencode({k: v for k, v in given.items() if v is not None})}"


@asynccontextmanager
async def forger() -> AsyncIterator[Forger]:
    """Run a provider under an attacker's hand."""
    made = Forger()
    async with listening(made) as address:
        made.issuer = address
        yield made


def sign(claims: dict[str, Any], key: RSAKey | OctKey, **header: Any) -> str:
    """Sign claims with any algorithm there is."""
    made = {"alg": "RS256", "kid": "one", **header}
    payload = json.dumps(claims).encode()  # Escaped, so that it may hold what UTF-8 cannot.
    return jws.serialize_compact(made, payload, key, algorithms=[made["alg"]])


def sign_by_hand(claims: dict[str, Any], secret: bytes | None) -> str:
    """Sign claims as no library does any more: with a public key as the secret, or not at all."""
    header = {"alg": "none" if secret is None else "HS256", "kid": "one"}
    head = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    proof = b"" if secret is None else hmac.digest(secret, head.encode(), "sha256")
    return f"{head}.{_base64url(proof)}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
