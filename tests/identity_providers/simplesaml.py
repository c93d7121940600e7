"""SimpleSAMLphp, as Debian packages it: a SAML identity provider nobody here wrote."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from httpx2 import AsyncClient

from ports import free_ports

PACKAGE = Path("/usr/share/simplesamlphp/www")
_FORM = re.compile(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
_INPUT = re.compile(r"<input([^>]*)>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
SECOND = "2"


@dataclass(frozen=True)
class Pair:
    """A key with a certificate by itself."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private half."""
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.key.private_bytes(*form).decode()

    @property
    def body(self) -> str:
        """The certificate as metadata and signatures have it."""
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()


def a_pair(
    name: str = "idp", *, until: timedelta = timedelta(days=30), digest: HashAlgorithm | None = None
) -> Pair:
    """Make a key and a certificate that began a year ago."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=365)).not_valid_after(now + until)
    return Pair(key, builder.sign(key, digest or SHA256()))


@dataclass
class SimpleSaml:
    """The running SimpleSAMLphp.

    Attributes:
        home: of its metadata about others and of its switches.
        pairs: its keys; the first signs.
    """

    url: str
    home: Path
    pairs: tuple[Pair, Pair]

    @property
    def metadata_url(self) -> str:
        """Where it says what it is."""
        return f"{self.url}/saml2/idp/metadata.php"

    def knows(self, metadata: bytes) -> None:
        """Tell it of us, by our own metadata and nothing else."""
        entity = re.search(rb'entityID="([^"]+)"', metadata)
        assert entity
        name = base64.urlsafe_b64encode(entity[1]).decode().rstrip("=")[-40:]
        (self.home / "known" / f"{name}.xml").write_bytes(metadata)

    def switch(self, **switches: Any) -> None:
        """Change how it works from now on, such as `encrypt`, `second` (key) or `binding`."""
        path = self.home / "switches.json"
        path.write_text(json.dumps(switches))


def _config(home: Path, url: str) -> str:
    return f"""<?php
$config = [
    'baseurlpath' => '{url}/',
    'certdir' => '{home}/', 'loggingdir' => '{home}/', 'datadir' => '{home}/',
    'tempdir' => '{home}/tmp/', 'metadatadir' => '{home}/metadata/',
    'secretsalt' => 'of tests', 'auth.adminpassword' => 'of tests', 'timezone' => 'UTC',
    'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true],
    'session.cookie.secure' => false, 'session.cookie.samesite' => null,
    'session.phpsession.savepath' => '{home}/tmp/', 'session.phpsession.cookiename' => 'SimpleSAML',
    'store.type' => 'phpsession', 'logging.handler' => 'file', 'language.default' => 'en',
    'language.cookie.secure' => false, 'language.cookie.samesite' => null,
    'admin.checkforupdates' => false, 'enable.http_post' => true,
    'metadata.sources' => array_merge([['type' => 'flatfile']], array_map(
        function ($file) {{ return ['type' => 'xml', 'file' => $file]; }},
        glob('{home}/known/*.xml'))),
    'authproc.idp' => [], 'trusted.url.domains' => null,
];
"""


def _hosted(home: Path) -> str:
    return f"""<?php
$switches = json_decode(file_get_contents('{home}/switches.json'), true);
$second = !empty($switches['second']);
$metadata['__DYNAMIC:1__'] = array_merge([
    'host' => '__DEFAULT__',
    'privatekey' => $second ? 'two.key' : 'one.key',
    'certificate' => $second ? 'two.crt' : 'one.crt',
    'auth' => 'people', 'userid.attribute' => 'uid',
    'saml20.sign.assertion' => true, 'saml20.sign.response' => true,
    'validate.authnrequest' => true, 'sign.logout' => true, 'validate.logout' => true,
    'redirect.sign' => true, 'redirect.validate' => true,
    'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'authproc' => [1 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid']],
    'SingleSignOnServiceBinding' => $switches['bindings'] ?? [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'],
    'SingleLogoutServiceBinding' => $switches['logout'] ?? [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'],
], empty($switches['takeover']) ? [] : ['new_certificate' => 'two.crt'],
   empty($switches['encrypt']) ? [] : ['assertion.encryption' => true]);
"""


def _sources(people: dict[str, dict[str, list[str]]]) -> str:
    users = {f"{name}:whatever": {"uid": [name], **told} for name, told in people.items()}
    written = json.dumps(users).replace("\\", "\\\\").replace("'", "\\'")
    return (
        "<?php\n$config = ['people' => array_merge(['exampleauth:UserPass'], "
        f"json_decode('{written}', true))];\n"
    )


@contextmanager
def real(home: Path, people: dict[str, dict[str, list[str]]]) -> Iterator[SimpleSaml]:
    """Run one with these people on a port of its own, under `home`."""
    pairs = (a_pair("one"), a_pair("two"))
    for name in ("metadata", "known", "tmp", "www"):
        (home / name).mkdir(parents=True)
    (home / "www" / "sso").symlink_to(PACKAGE)
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/sso"
    (home / "config.php").write_text(_config(home, url))
    (home / "authsources.php").write_text(_sources(people))
    (home / "metadata" / "saml20-idp-hosted.php").write_text(_hosted(home))
    for name, pair in zip(("one", "two"), pairs, strict=True):
        (home / f"{name}.crt").write_text(pair.pem)
        (home / f"{name}.key").write_text(pair.key_pem)
    made = SimpleSaml(url, home, pairs)
    made.switch()
    with (home / "php.log").open("wb") as log:
        process = subprocess.Popen(
            ["php", "-d", "opcache.enable_cli=1", "-S", f"127.0.0.1:{port}", "-t", home / "www"],
            env={"SIMPLESAMLPHP_CONFIG_DIR": str(home), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            _wait(process, port)
            yield made
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until somebody listens."""
    while process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
            # Nobody yet; the loop ends by the process, or by the time of the whole test.
            tried.settimeout(0.05)
    raise AssertionError("php did not start")


def form_of(page: str) -> tuple[str, dict[str, str]] | None:
    """Read the first form of a page: where it goes, and what is in it."""
    found = _FORM.search(page)
    if found is None:
        return None
    fields = {}
    for one in _INPUT.findall(found[2]):
        told = {name: unescape(value) for name, value in _ATTRIBUTE.findall(one)}
        if "name" in told:
            fields[told["name"]] = told.get("value", "")
    return unescape(found[1]), fields


@dataclass
class Visit:
    """What came of somebody's way through the provider's pages: where they are sent on to.

    Attributes:
        form: what is posted there; None where the browser just goes.
    """

    address: str
    form: dict[str, str] | None


async def walk(
    theirs: AsyncClient,
    address: str,
    login: str,
    until: str,
    form: dict[str, str] | None = None,
    *,
    password: str = "whatever",
) -> Visit:
    """Go through the provider's pages until it sends us to what begins with `until`."""
    if form is None:
        answer = await theirs.get(address)
    else:
        answer = await theirs.post(address, data=form)
    for _ in range(20):
        if answer.status_code in (302, 303):
            address = urljoin(str(answer.url), answer.headers["location"])
            if address.startswith(until):
                return Visit(address, None)
            answer = await theirs.get(address)
            continue
        found = form_of(answer.text)
        assert answer.status_code == 200 and found, answer.text[-3000:]
        address, fields = urljoin(str(answer.url), found[0]), found[1]
        if address.startswith(until):
            return Visit(address, fields)
        if "username" in fields:
            fields |= {"username": login, "password": password}
        answer = await theirs.post(address, data=fields)
    raise AssertionError(f"stayed at {answer.url}")
