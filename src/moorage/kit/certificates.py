"""X.509 certificates as somebody hands them over (RFC 5280): read once, into plain values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

# The library reads a certificate piece by piece, so what is wrong may come up with any of them.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)
# Critical extensions of a client's certificate that say nothing against it, or are looked at.
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
    }
)  # fmt: skip
_FEWEST_BITS, _FEWEST_CURVE_BITS = 2_048, 224


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
        serial: the number that its issuer gave it, in hexadecimal digits.
        signs: it may sign certificates (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
        unfit: why it proves no client, as the rest of a sentence; empty if it may.
    """

    der: bytes
    names: tuple[str, ...]
    subject: str
    subject_digest: bytes
    issuer_digest: bytes
    key_digest: bytes
    serial: str
    signs: bool
    unfit: str
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


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What a list of revoked certificates says (RFC 5280, section 5).

    Attributes:
        number: of the list, in the order of its issuer; None if it has none.
        issued_at, next_at: when it was made, and when the next one is promised.
        revoked: serials in hexadecimal digits, and since when.
    """

    number: int | None
    issued_at: datetime
    next_at: datetime | None
    revoked: dict[str, datetime]


def read_revocation_list(data: bytes, authority_der: bytes) -> RevocationList:
    """Read a complete list, in DER or PEM, that an authority signed itself.

    Raises:
        Unreadable: it is none, somebody else's, or one that tells only a part (RFC 5280, 5.2.4 and
            5.2.5) or something that is not understood.
    """
    try:
        is_pem = data.lstrip().startswith(b"-----BEGIN")
        found = (x509.load_pem_x509_crl if is_pem else x509.load_der_x509_crl)(data)
        authority = x509.load_der_x509_certificate(authority_der)
        key = authority.public_key()
        if found.issuer != authority.subject or not found.is_signature_valid(key):  # type: ignore[arg-type]
            raise Unreadable("is not signed by the authority")
        number = None
        for one in found.extensions:
            if isinstance(one.value, x509.CRLNumber):
                number = one.value.crl_number
            elif isinstance(one.value, x509.DeltaCRLIndicator):
                raise Unreadable("tells only what has changed; a complete list is needed")
            elif isinstance(one.value, x509.IssuingDistributionPoint):
                _require_whole(one.value)
            elif one.critical:
                raise Unreadable("has a critical extension that is not understood")
        revoked = {f"{one.serial_number:x}": one.revocation_date_utc for one in found}
        return RevocationList(number, found.last_update_utc, found.next_update_utc, revoked)
    except Unreadable:
        raise
    except (*_UNREADABLE, InvalidSignature) as wrong:
        raise Unreadable("is no list of revoked certificates") from wrong


def _require_whole(point: x509.IssuingDistributionPoint) -> None:
    """Refuse a list that is about a part of what its issuer signed. Raises Unreadable."""
    is_part = point.only_some_reasons or point.only_contains_attribute_certs or point.indirect_crl
    if is_part or point.only_contains_ca_certs:
        raise Unreadable("tells of a part of the certificates only")


def pem_of(der: bytes) -> str:
    """Write a certificate in PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


def is_signed_by(der: bytes, authority_der: bytes) -> bool:
    """Tell whether an authority signed a certificate itself, with nobody in between.

    A signature over a digest that can be made to fit something else counts as none.
    """
    authority = x509.load_der_x509_certificate(authority_der)
    try:
        certificate = x509.load_der_x509_certificate(der)
        # None is a signature that has a digest of its own, such as Ed25519.
        if isinstance(certificate.signature_hash_algorithm, hashes.MD5 | hashes.SHA1):
            return False
        certificate.verify_directly_issued_by(authority)
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
            serial=f"{certificate.serial_number:x}",
            signs=_signs(extensions),
            unfit=_unfit(extensions, key),
            valid_from=certificate.not_valid_before_utc,
            valid_until=certificate.not_valid_after_utc,
        )
    except _UNREADABLE as wrong:
        raise Unreadable("is a certificate that cannot be read") from wrong


def alternatives_of(der: bytes) -> frozenset[tuple[str, str]]:
    """Give the alternative names of a certificate that can be read: `dns`, `uri`, `ip`, `email`.

    Names of hosts are in small letters, addresses as `ipaddress` writes them.
    """
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        {("dns", name.lower()) for name in names.get_values_for_type(x509.DNSName)}
        | {("uri", name) for name in names.get_values_for_type(x509.UniformResourceIdentifier)}
        | {("ip", str(address)) for address in names.get_values_for_type(x509.IPAddress)}
        | {("email", name) for name in names.get_values_for_type(x509.RFC822Name)}
    )


def subject_as_written(text: str) -> str:
    """Write a distinguished name as `Certificate.subject` has it. Raises Unreadable."""
    try:
        return x509.Name.from_rfc4514_string(text).rfc4514_string()
    except _UNREADABLE as wrong:
        raise Unreadable("is no distinguished name (RFC 4514)") from wrong


def public_key_of(der: bytes) -> str:
    """Give the public key of a certificate that can be read, in PEM."""
    key = x509.load_der_x509_certificate(der).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


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


def _unfit(extensions: x509.Extensions, key: object) -> str:
    """Tell why a certificate proves no client in TLS, as OpenSSL judges it at other doors.

    Source: RFC 5280, sections 4.2.1.3 and 4.2.1.12; key lengths of security level 2 of OpenSSL
    (SSL_CTX_set_security_level(3)), which Python's contexts have.
    """
    for one in extensions:
        if one.critical and one.oid not in _UNDERSTOOD:
            return f"has a critical extension that is not understood ({one.oid.dotted_string})"
        if isinstance(one.value, x509.KeyUsage) and not (
            one.value.digital_signature or one.value.key_agreement
        ):
            return "is not for signatures (keyUsage)"
        if isinstance(one.value, x509.ExtendedKeyUsage) and (
            ExtendedKeyUsageOID.CLIENT_AUTH not in one.value
        ):
            return "is not for clients (extendedKeyUsage)"
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey) and key.key_size < _FEWEST_BITS:
        return f"has a key of {key.key_size} bits, where {_FEWEST_BITS} are needed"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _FEWEST_CURVE_BITS:
        return f"has a key of {key.key_size} bits, where {_FEWEST_CURVE_BITS} are needed"
    return ""


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
