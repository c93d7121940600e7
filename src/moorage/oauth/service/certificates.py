"""Clients that prove themselves by a certificate, and tokens that are bound to one (RFC 8705)."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from moorage.kit.certificates import (
    Unreadable,
    alternatives_of,
    pem_of,
    public_key_of,
    read_der,
    read_pem,
    subject_as_written,
)
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.secrets import same

from ..model import (
    BY_CERTIFICATE,
    BY_NAME,
    BY_SHOWING,
    CertificateName,
    Client,
    NameKind,
    ShownCertificate,
    Vouch,
    method_of,
)

LONGEST_NAME = 500
_OF = {NameKind.DNS: "dns", NameKind.URI: "uri", NameKind.IP: "ip", NameKind.EMAIL: "email"}


async def proves(tx: Tx, client: Client, held: ShownCertificate | None) -> bool:
    """Tell whether a certificate proves a client, as it is registered (sections 2.1 and 2.2).

    Asked at each use of a token too, so that what is revoked, expired or replaced ends them.
    """
    method = method_of(client)
    if held is None or method not in BY_SHOWING:
        return False
    try:
        certificate = read_der(held.der)
    except Unreadable:
        return False
    if certificate.unfit or not certificate.valid_from <= tx.now < certificate.valid_until:
        return False
    if method == BY_CERTIFICATE:
        return pem_of(held.der) in client.certificates
    name = client.certificate_name
    if name is None or client.organization_id is None:
        return False
    if name.kind is NameKind.SUBJECT:
        is_named = certificate.subject == name.value
    else:
        is_named = (_OF[name.kind], name.value) in alternatives_of(held.der)
    return is_named and not await held.vouch(tx, held.der, client.organization_id)


def shown(der: bytes, vouch: Vouch) -> ShownCertificate | None:
    """Take up what somebody has proved to hold; None without, or where it is no certificate."""
    try:
        read_der(der)
    except Unreadable:
        return None
    return ShownCertificate(der, vouch)


# --- Tokens -------------------------------------------------------------------


def confirmation(held: ShownCertificate) -> dict[str, str]:
    """Give the claim `cnf` of a token that is bound to a certificate (section 3.1)."""
    return {"x5t#S256": _thumbprint(held.der)}


def confirms(claims: Mapping[str, Any], held: ShownCertificate | None) -> bool:
    """Tell whether a token is shown beside what it is bound to, if it is bound to anything."""
    if "cnf" not in claims:
        return True
    bound = claims["cnf"].get("x5t#S256") if isinstance(claims["cnf"], dict) else None
    if held is None or not isinstance(bound, str):
        return False
    return same(bound.encode(), _thumbprint(held.der).encode())


def ends_at(held: ShownCertificate) -> datetime:
    """Tell when a certificate expires."""
    return read_der(held.der).valid_until


def _thumbprint(der: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(der).digest())
    return digest.rstrip(b"=").decode()


# --- What is registered -------------------------------------------------------


def checked(certificates: Sequence[str]) -> tuple[str, ...]:
    """Give certificates, which come in PEM, as they are kept.

    Raises:
        FieldInvalid: one is none, or proves no client.
    """
    kept = []
    for number, pem in enumerate(certificates):
        try:
            certificate = read_pem(pem)
        except Unreadable as wrong:
            raise FieldInvalid(f"/certificates/{number}", f"{wrong}.") from wrong
        if certificate.unfit:
            raise FieldInvalid(f"/certificates/{number}", f"{certificate.unfit}.")
        kept.append(pem_of(certificate.der))
    return tuple(kept)


def name_checked(name: CertificateName | None) -> CertificateName | None:
    """Give whom a certificate is to name as it is compared. Raises FieldInvalid."""
    if name is None:
        return None
    value = name.value
    try:
        if name.kind is NameKind.SUBJECT:
            value = subject_as_written(value)
        elif name.kind is NameKind.IP:
            value = str(ip_address(value))
        elif name.kind is NameKind.DNS:
            value = value.lower()
    except ValueError as wrong:
        said = str(wrong) if isinstance(wrong, Unreadable) else "is no address"
        raise FieldInvalid("/certificateName/value", f"{said}.") from wrong
    if not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        reason = f"must have 1 to {LONGEST_NAME} printable characters."
        raise FieldInvalid("/certificateName/value", reason)
    return CertificateName(name.kind, value)


# --- As programs tell it (RFC 7591) -------------------------------------------

_TOLD = {
    NameKind.SUBJECT: "tls_client_auth_subject_dn",
    NameKind.DNS: "tls_client_auth_san_dns",
    NameKind.URI: "tls_client_auth_san_uri",
    NameKind.IP: "tls_client_auth_san_ip",
    NameKind.EMAIL: "tls_client_auth_san_email",
}
BOUND = "tls_client_certificate_bound_access_tokens"
# What makes a public key (RFC 7518, section 6; RFC 8037, section 2).
_MEMBERS = ("kty", "crv", "x", "y", "n", "e")


def name_told(told: Mapping[str, Any], method: str) -> CertificateName | None:
    """Read whom a program's certificate names (section 2.1.2). Raises FieldInvalid."""
    given = [(kind, told[word]) for kind, word in _TOLD.items() if word in told]
    if len(given) != (1 if method == BY_NAME else 0):
        reason = f"must have one of {', '.join(_TOLD.values())} with {BY_NAME}, else none"
        raise FieldInvalid("/token_endpoint_auth_method", reason)
    for kind, value in given:
        return name_checked(CertificateName(kind, str(value)))
    return None


def certificates_told(keys: Sequence[Any]) -> tuple[str, ...]:
    """Read the certificates in a program's `jwks` (section 2.2.2). Raises FieldInvalid."""
    texts = []
    for number, key in enumerate(keys):
        chain = key.get("x5c") if isinstance(key, dict) else None
        if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
            raise FieldInvalid(f"/jwks/keys/{number}", "must have its certificate as x5c")
        texts.append(f"{ssl.PEM_HEADER}\n{chain[0]}\n{ssl.PEM_FOOTER}\n")
    kept = checked(texts)
    for number, (key, pem) in enumerate(zip(keys, kept, strict=True)):
        own = _as_key(pem)
        if any(key.get(name) != own.get(name) for name in _MEMBERS):
            raise FieldInvalid(f"/jwks/keys/{number}", "must be the key of its certificate")
    return kept


def told_of(client: Client) -> dict[str, Any]:
    """Tell a program what is registered of its certificates."""
    told: dict[str, Any] = {}
    if client.certificate_name is not None:
        told[_TOLD[client.certificate_name.kind]] = client.certificate_name.value
    if client.certificates:
        told["jwks"] = {"keys": [_as_key(pem) for pem in client.certificates]}
    return told


def _as_key(pem: str) -> dict[str, Any]:
    der = ssl.PEM_cert_to_DER_cert(pem)
    text = public_key_of(der)
    for kind in (ECKey, RSAKey, OKPKey):
        try:
            key = kind.import_key(text).as_dict(private=False)
        except (JoseError, ValueError, TypeError):
            continue
        return {**key, "x5c": [base64.b64encode(der).decode()]}
    # A key that JWK has no word for is not registered by it either.
    return {"x5c": [base64.b64encode(der).decode()]}
