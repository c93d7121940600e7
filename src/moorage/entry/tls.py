"""The certificate of the doors: the operator's files, or one made and renewed here.

The made one hangs under a small authority of this installation; devices are given
`tls/authority.pem` to trust.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.entry.settings import Settings
from moorage.kit.errors import Kind, MoorageError

AUTHORITY_LIFE = timedelta(days=3650)
# Apple's devices refuse server certificates that live longer than this.
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
# Devices with a clock that is a little behind accept the certificate on its first day.
BACKDATED = timedelta(days=1)


class CertificateUnreadable(MoorageError):
    """A configured certificate or key cannot be read."""

    kind = Kind.INVALID
    code = "tls.certificate_unreadable"
    message = "The file {path} given as {setting} cannot be read: {reason}"


@dataclass(frozen=True)
class ServerCertificate:
    """Files for the doors.

    Attributes:
        certificate: PEM, the server's certificate and its chain.
        key: PEM, the private key.
        authority: PEM, what devices should trust; None when the public ones do.
    """

    certificate: Path
    key: Path
    authority: Path | None


def authority_of(settings: Settings) -> Path | None:
    """Give where the authority lies that devices should trust; None when the public ones do."""
    if settings.tls.certificate is not None and settings.tls.key is not None:
        return settings.tls.authority
    return settings.data_dir / "tls" / "authority.pem"


def server_certificate(settings: Settings) -> ServerCertificate:
    """Give the certificate of the doors; make or renew ours where none is configured.

    Raises:
        CertificateUnreadable: a configured file is missing or not readable.
    """
    given = settings.tls
    if given.certificate is not None and given.key is not None:
        for name in ("certificate", "key", "authority"):
            path: Path | None = getattr(given, name)
            if path is not None:
                _check_readable(path, f"MOORAGE_TLS_{name.upper()}")
        return ServerCertificate(given.certificate, given.key, given.authority)
    directory = settings.data_dir / "tls"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = _names(settings)
    made = ServerCertificate(
        directory / "server.pem", directory / "server.key", directory / "authority.pem"
    )
    with _alone(directory):
        authority, authority_key = _authority(directory)
        if not _current(made.certificate, names, authority):
            _issue(made, names, authority, authority_key)
    return made


def server_context() -> ssl.SSLContext:
    """Make what the doors of MQTT share: TLS 1.2 and newer, one ticket a handshake.

    A ticket holds the certificate that the client showed, sealed: to make one takes an eighth of a
    handshake with client certificates. OpenSSL's two are for browsers, that open several
    connections at once (RFC 8446, section 4.6.1); a device has one, and may use its ticket again.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 1
    return context


def _names(settings: Settings) -> list[x509.GeneralName]:
    """List what clients may call this machine."""
    hosts = {"localhost", "127.0.0.1", "::1", socket.gethostname(), settings.host_name}
    hosts |= {*settings.mqtt.tls_host.split(","), *settings.api.host.split(",")}
    hosts -= {"0.0.0.0", "::", ""}
    names: list[x509.GeneralName] = []
    for host in sorted(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host.encode("idna").decode()))
    return names


def _authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    path, key_path = directory / "authority.pem", directory / "authority.key"
    if path.exists() and key_path.exists():
        authority = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and _lives(authority):
            return authority, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Moorage of this installation")])
    authority = (
        _builder(name, name, key, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    _write_key(key_path, key)
    _write(path, authority.public_bytes(serialization.Encoding.PEM), 0o644)
    return authority, key


def _issue(
    files: ServerCertificate,
    names: list[x509.GeneralName],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Moorage")])
    certificate = (
        _builder(subject, authority.subject, key, SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    # The certificate goes last: with a crash in between, it does not fit and is made again.
    _write_key(files.key, key)
    pem = serialization.Encoding.PEM
    _write(files.certificate, certificate.public_bytes(pem) + authority.public_bytes(pem), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _current(path: Path, names: list[x509.GeneralName], authority: x509.Certificate) -> bool:
    """Tell whether the certificate of before still serves."""
    key_path = path.with_suffix(".key")
    if not path.exists() or not key_path.exists():
        return False
    certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return (
        _lives(certificate)
        and set(names) <= set(present)
        and key.public_key() == certificate.public_key()
    )


def _lives(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(path, pem, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time make certificates."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_readable(path: Path, setting: str) -> None:
    try:
        path.read_bytes()
    except OSError as failed:
        raise CertificateUnreadable(
            path=str(path), setting=setting, reason=failed.strerror or str(failed)
        ) from failed
