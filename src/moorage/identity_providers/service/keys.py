"""Our keys towards identity providers by SAML: made or brought, sealed, opened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.ids import uuid7
from moorage.kit.secrets import Sealer

from ..model import Key
from ..store import keys as store
from .saml.messages import OurKey
from .saml.signatures import FEWEST_BITS

BITS = 3072
HOLDS = timedelta(days=5 * 365)
_UNTIL_NOW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Brought:
    """A key that somebody brings: PEM of the certificate and of its private half."""

    certificate: str
    private_key: str


async def make(
    tx: Tx, provider_id: UUID, brought: Brought | None, sealer: Sealer, *, signs: bool
) -> Key:
    """Keep a key that is brought, or a new one. Raises FieldInvalid."""
    if brought is not None:
        private, certificate = _read(brought)
    else:
        # Half a second of arithmetic, for which nobody else should wait.
        private, certificate = await asyncio.to_thread(_new, provider_id)
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    key_id = uuid7()
    key = Key(
        key_id,
        provider_id,
        certificate.public_bytes(Encoding.PEM).decode(),
        signs,
        certificate.not_valid_after_utc,
        tx.now,
    )
    return await store.add(tx, key, sealer.seal(plain, _context(key_id)))


def _read(brought: Brought) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    try:
        certificate = x509.load_pem_x509_certificate(brought.certificate.encode())
        public = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as wrong:
        raise FieldInvalid("/certificate", "must be one certificate as PEM") from wrong
    try:
        private = load_pem_private_key(brought.private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as wrong:
        raise FieldInvalid("/privateKey", "must be a key as PEM, without a password") from wrong
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < FEWEST_BITS:
        raise FieldInvalid("/privateKey", f"must be RSA of {FEWEST_BITS} bits or more")
    if public != private.public_key():
        raise FieldInvalid("/privateKey", "is not of this certificate")
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise FieldInvalid("/certificate", "has expired")
    return private, certificate


def _new(provider_id: UUID) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """Make a key, and a certificate by itself: providers pin it, and trust nobody's word for it."""
    private = rsa.generate_private_key(65537, BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Moorage {provider_id}")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _UNTIL_NOW)
        .not_valid_after(now + HOLDS)
    )
    return private, builder.sign(private, SHA256())


async def opened(tx: Tx, provider_id: UUID, sealer: Sealer) -> list[OurKey]:
    """Open our keys towards a provider, for talking with it only; the one that signs first."""
    found = []
    for key, sealed in await store.sealed(tx, provider_id):
        plain = sealer.open(sealed, _context(key.id))
        # Checked when it was taken in: it costs 100 ms, which anybody's answer would set off.
        private = load_der_private_key(plain, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError
        found.append(OurKey(private, x509.load_pem_x509_certificate(key.certificate.encode())))
    return found


async def certificates(tx: Tx, provider_id: UUID) -> list[str]:
    """Read the certificates that our metadata show; the one that signs first."""
    return [key.certificate for key in await store.list_keys(tx, provider_id)]


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the private halves of all keys with the sealing key that is in use."""
    for key_id, sealed in await store.lock_sealed(tx):
        plain = sealer.open(sealed, _context(key_id))
        await store.put_sealed(tx, key_id, sealer.seal(plain, _context(key_id)))


def _context(key_id: UUID) -> str:
    return f"identity_providers.key:{key_id}"
