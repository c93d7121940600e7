"""Keycloak, from its own distribution and over TLS: the provider that most authorities run."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient, Client, TransportError

from identity_providers.openid import BACK, CLIENT
from moorage.testing.authority import Authority
from ports import free_ports

DISTRIBUTION = Path(__file__).parents[2] / ".cache" / "keycloak"
REALM = "harbour"
LEAVING = f"/realms/{REALM}/protocol/openid-connect/logout"
BACK_CHANNEL = "/api/v1/auth/single-sign-on/back-channel-logout"
# Its predefined mappers of SAML that are named after X.500.
X500 = {
    "firstName": "urn:oid:2.5.4.42",
    "lastName": "urn:oid:2.5.4.4",
    "email": "urn:oid:1.2.840.113549.1.9.1",
}
KEY_PROVIDER = "org.keycloak.keys.KeyProvider"
# What the compiler that looks harder would give back takes longer than these tests.
JAVA = "-Xmx512m -XX:TieredStopAtLevel=1"


@dataclass
class Keycloak:
    """The running Keycloak.

    Attributes:
        url: of it.
        ours: where it sends people back to.
        secret: of our client by OpenID Connect.
        password: of everybody.
        authority: PEM of who signed its certificate.
        trust: whom its browsers trust.
    """

    url: str
    ours: str
    secret: str
    password: str
    authority: str
    trust: ssl.SSLContext
    admin_password: str
    admin: AsyncClient

    @property
    def issuer(self) -> str:
        """What it calls itself by OpenID Connect."""
        return f"{self.url}/realms/{REALM}"

    @property
    def metadata_url(self) -> str:
        """Where it says what it is by SAML."""
        return f"{self.issuer}/protocol/saml/descriptor"

    async def ask(self, method: str, path: str, **content: Any) -> Any:
        """Do as an administrator of the realm does; give the answer, or the id of what was made."""
        where = f"{self.url}/admin/realms/{REALM}{path}"
        answer = await self.admin.request(method, where, **content)
        if answer.status_code == 401:
            # Its tokens hold for a minute.
            form = {
                "grant_type": "password", "client_id": "admin-cli", "username": "admin",
                "password": self.admin_password,
            }  # fmt: skip
            token = f"{self.url}/realms/master/protocol/openid-connect/token"
            access = (await self.admin.post(token, data=form)).json()["access_token"]
            self.admin.headers["Authorization"] = f"Bearer {access}"
            answer = await self.admin.request(method, where, **content)
        assert answer.is_success, (answer.status_code, answer.text)
        if "location" in answer.headers:
            return answer.headers["location"].rpartition("/")[2]
        return answer.json() if answer.content else None

    async def user(self, name: str) -> str:
        """Give somebody's id."""
        (found,) = await self.ask("GET", "/users", params={"username": name, "exact": "true"})
        return str(found["id"])

    async def change_client(
        self, client: str, *, front_channel: bool = True, **attributes: str
    ) -> None:
        """Change attributes of a client, and whether browsers tell it of signing out."""
        now = await self.ask("GET", f"/clients/{client}")
        now["frontchannelLogout"] = front_channel
        now["attributes"] |= attributes
        await self.ask("PUT", f"/clients/{client}", json=now)

    async def imports(self, metadata: bytes) -> str:
        """Make a client by our metadata, as "Import client" does, with mappers; give its id."""
        kind = {"Content-Type": "application/xml"}
        made = await self.ask("POST", "/client-description-converter", content=metadata,
                              headers=kind)  # fmt: skip
        made["protocolMappers"] = [
            _by_saml("groups", "saml-group-membership-mapper",
                     {"single": "true", "full.path": "false"}),
            *(_by_saml(attribute, "saml-user-property-mapper",
                       {"user.attribute": of, "attribute.nameformat": "URI Reference"})
              for of, attribute in X500.items()),
        ]  # fmt: skip
        return str(await self.ask("POST", "/clients", json=made))

    async def keys(self) -> list[dict[str, Any]]:
        """Give what it signs with by RS256."""
        asked = {"type": KEY_PROVIDER}
        found = await self.ask("GET", "/components", params=asked)
        return [one for one in found if one["providerId"] == "rsa-generated"]

    async def add_key(self) -> str:
        """Have it sign with a new key; the old ones are still shown. Give its id."""
        config = {"priority": ["1000"], "algorithm": ["RS256"], "keySize": ["2048"]}
        made = {"name": "second", "providerId": "rsa-generated", "providerType": KEY_PROVIDER}
        return str(await self.ask("POST", "/components", json={**made, "config": config}))

    async def switch_key(self, key: dict[str, Any], *, enabled: bool) -> None:
        """Have it show a key, or not."""
        config = key["config"] | {"enabled": [str(enabled).lower()]}
        await self.ask("PUT", f"/components/{key['id']}", json=key | {"config": config})


def _by_saml(name: str, mapper: str, config: dict[str, str]) -> dict[str, Any]:
    told = {"attribute.name": name, "attribute.nameformat": "Basic", **config}
    return {"name": name, "protocol": "saml", "protocolMapper": mapper, "config": told}


def _realm(ours: str, secret: str, password: str, people: dict[str, Any]) -> dict[str, Any]:
    """Write a realm with these people, their groups, and us as a client."""
    groups = sorted({group for told in people.values() for group in told["groups"]})
    to = {
        "pkce.code.challenge.method": "S256",
        "post.logout.redirect.uris": f"{ours}/sign-in",
        "backchannel.logout.url": f"{ours}{BACK_CHANNEL}",
        "backchannel.logout.session.required": "true",
    }
    mapped = {
        "claim.name": "groups", "full.path": "false", "id.token.claim": "true",
        "access.token.claim": "false", "userinfo.token.claim": "false",
    }  # fmt: skip
    client = {
        "clientId": CLIENT,
        "secret": secret,
        "publicClient": False,
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False,
        "frontchannelLogout": False,
        "redirectUris": [f"{ours}{BACK}"],
        "attributes": to,
        "protocolMappers": [
            {"name": "groups", "protocol": "openid-connect",
             "protocolMapper": "oidc-group-membership-mapper", "config": mapped}
        ],
    }  # fmt: skip
    users = [
        {
            "username": name, "enabled": True, "email": told["email"], "emailVerified": True,
            "firstName": told["name"], "lastName": "Dam",
            "groups": [f"/{group}" for group in told["groups"]],
            "credentials": [{"type": "password", "value": password}],
        }
        for name, told in people.items()
    ]  # fmt: skip
    named = [{"name": group} for group in groups]
    return {
        "realm": REALM, "enabled": True, "groups": named, "users": users, "clients": [client],
    }  # fmt: skip


@contextmanager
def real(home: Path, ours: str, people: dict[str, Any]) -> Iterator[Keycloak]:
    """Run one with these people under `home`, for us at the address `ours`."""
    assert shutil.which("java"), "Java is not installed; run scripts/system-packages peers."
    assert (DISTRIBUTION / ".stamp").exists(), "Keycloak is not there; run make test-peers."
    (program,) = DISTRIBUTION.glob("keycloak-*/bin/kc.sh")
    # Made for this run; a secret may hold what a header has to encode.
    secret, password, admin = f"{secrets.token_hex(16)} :%+/", *map(secrets.token_hex, (16, 16))
    # A home of its own; what Keycloak builds at its first start stays with the distribution.
    for name in ("lib", "providers", "conf", "themes"):
        (home / name).symlink_to(program.parents[1] / name)
    (home / "data" / "import").mkdir(parents=True)
    realm = _realm(ours, secret, password, people)
    (home / "data" / "import" / "realm.json").write_text(json.dumps(realm))
    issuer = Authority(home)
    certificate, key = issuer.files("localhost")
    https, http = free_ports(2)
    command = [
        program, "start-dev", "--import-realm", "--db=dev-mem", "--http-host=127.0.0.1",
        f"--http-port={http}", f"--https-port={https}", f"--https-certificate-file={certificate}",
        f"--https-certificate-key-file={key}", f"--hostname=https://localhost:{https}",
        f"-Dkc.home.dir={home}",
    ]  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "JAVA_OPTS_APPEND": JAVA,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": admin,
    }  # fmt: skip
    trust = ssl.create_default_context(cadata=issuer.certificate)
    made = Keycloak(
        f"https://localhost:{https}", ours, secret, password, issuer.certificate, trust, admin,
        AsyncClient(verify=trust, timeout=60),
    )  # fmt: skip
    with (home / "keycloak.log").open("wb") as log:
        # It starts a Java that builds, where needed, and then another one that serves.
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(process, made, home / "keycloak.log")
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], made: Keycloak, log: Path) -> None:
    """Wait until it says what it is; the time of the whole test ends a wait in vain."""
    with Client(verify=made.trust, timeout=60) as client:
        while process.poll() is None:
            with suppress(TransportError):
                if client.get(made.metadata_url).status_code == 200:
                    return
            time.sleep(0.2)
    raise AssertionError(log.read_text())
