"""A private certificate authority, for tests and measurements."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Issues certificates; `directory` takes the files that OpenSSL wants."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self._own = self._sign(self._name, self._key, authority=True, names=[])
        self.certificate = _pem(self._own)

    def issue(
        self,
        name: str,
        *,
        lasts: timedelta = timedelta(days=1),
        uri: str | None = None,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> tuple[str, str]:
        """Issue a certificate for a name; give it and its key in PEM.

        Args:
            name: its common name, and its DNS name unless there is a URI.
            lasts: from now on; less than nothing makes one that has expired.
            uri: in its alternative names.
            purpose: the only one it is for (`ExtendedKeyUsageOID`); None for any.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        named = x509.DNSName(name) if uri is None else x509.UniformResourceIdentifier(uri)
        made = self._sign(
            subject, key, authority=False, names=[named], lasts=lasts, purpose=purpose
        )
        written = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(made), written.decode()

    def revoke(self, *certificates: str, number: int, **more: Any) -> str:
        """Make the list of certificates, given in PEM, that are revoked, in PEM.

        Args:
            certificates: those that are revoked.
            number: of the list.
            more: `issued_at` other than now; `extension` to add, which is critical.
        """
        issued_at = more.get("issued_at") or datetime.now(UTC) - timedelta(minutes=1)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(issued_at)
            .next_update(issued_at + timedelta(days=1))
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for one in certificates:
            serial = x509.load_pem_x509_certificate(one.encode()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(revoked.revocation_date(issued_at).build())
        if "extension" in more:
            builder = builder.add_extension(more["extension"], critical=True)
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def load(self, context: ssl.SSLContext, name: str) -> None:
        """Give a server's context a certificate."""
        context.load_cert_chain(*self.files(name))

    def files(
        self, name: str, *, lasts: timedelta = timedelta(days=1), uri: str | None = None
    ) -> tuple[Path, Path]:
        """Issue a certificate into files."""
        certificate, key = self.issue(name, lasts=lasts, uri=uri)
        paths = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        paths[0].write_text(certificate)
        paths[1].write_text(key)
        return paths

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool,
        names: list[x509.GeneralName],
        lasts: timedelta = timedelta(days=1),
        purpose: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=authority,
                    crl_sign=authority,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
