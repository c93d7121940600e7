"""X.509 certificates as somebody hands them over (RFC 5280): read once, into plain values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

# The library reads a certificate piece by piece, so what is wrong may come up with any of them.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


class Unreadable(ValueError):
    """What was handed over is not one certificate; says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says.

    Attributes:
        der: the certificate itself.
        names: what it calls its owner: URIs, then DNS names of the alternative names, then the
            common names.
        subject: as RFC 4514 writes it.
        subject_digest, issuer_digest: SHA-256 of the DER of both names.
        key_digest: SHA-256 of its public key (SubjectPublicKeyInfo).
        signs: it may sign certificates (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
    """

    der: bytes
    names: tuple[str, ...]
    subject: str
    subject_digest: bytes
    issuer_digest: bytes
    key_digest: bytes
    signs: bool
    valid_from: datetime
    valid_until: datetime

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate."""
        return hashlib.sha256(self.der).digest()


def read_pem(text: str) -> Certificate:
    """Read the one certificate of a PEM text. Raises Unreadable."""
    if "PRIVATE KEY" in text:
        raise Unreadable(
            "holds a private key. That stays where it is used; send the certificate alone"
        )
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except _UNREADABLE as wrong:
        raise Unreadable("is no certificate in PEM") from wrong
    if len(found) != 1:
        raise Unreadable(f"holds {len(found)} certificates; send one")
    return _read(found[0])


def read_der(der: bytes) -> Certificate:
    """Read a certificate as TLS carries it. Raises Unreadable."""
    try:
        return _read(x509.load_der_x509_certificate(der))
    except _UNREADABLE as wrong:
        raise Unreadable("is no certificate") from wrong


def pem_of(der: bytes) -> str:
    """Write a certificate in PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def is_signed_by(der: bytes, authority_der: bytes) -> bool:
    """Tell whether an authority signed a certificate itself, with nobody in between."""
    authority = x509.load_der_x509_certificate(authority_der)
    try:
        x509.load_der_x509_certificate(der).verify_directly_issued_by(authority)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def _read(certificate: x509.Certificate) -> Certificate:
    try:
        extensions = certificate.extensions
        key = certificate.public_key()
        return Certificate(
            der=certificate.public_bytes(Encoding.DER),
            names=_names(certificate, extensions),
            subject=certificate.subject.rfc4514_string(),
            subject_digest=_digest(certificate.subject.public_bytes()),
            issuer_digest=_digest(certificate.issuer.public_bytes()),
            key_digest=_digest(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
            signs=_signs(extensions),
            valid_from=certificate.not_valid_before_utc,
            valid_until=certificate.not_valid_after_utc,
        )
    except _UNREADABLE as wrong:
        raise Unreadable("is a certificate that cannot be read") from wrong


def _names(certificate: x509.Certificate, extensions: x509.Extensions) -> tuple[str, ...]:
    found: list[str] = []
    try:
        others = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        found += others.get_values_for_type(x509.UniformResourceIdentifier)
        found += others.get_values_for_type(x509.DNSName)
    for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        if isinstance(one.value, str):
            found.append(one.value)
    return tuple(found)


def _signs(extensions: x509.Extensions) -> bool:
    try:
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
