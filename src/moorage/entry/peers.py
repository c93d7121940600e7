"""How listeners know each other: TLS with a certificate that each makes itself.

Key and certificate are derived from the sealing keys, which only the root key opens: whoever has
that makes the same ones, to the byte (an Ed25519 signature has no chance in it: RFC 8032, section
5.1.6), and trusts nothing else. So there is nothing to hand out, to store or to renew.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from moorage.kit.secrets import Sealer

_PURPOSE = "listeners"
# RFC 5280, section 4.1.2.5: this year stands for no end at all.
_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class PeerContexts:
    """The TLS contexts of one listener for others; made anew when a sealing key is added."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._made_of: tuple[list[bytes], int] | None = None
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def context(self, accepts: bool) -> ssl.SSLContext:
        """Give the context of the side that accepts, or of the one that dials."""
        derived = self._sealer.derive_each(_PURPOSE)
        if derived != self._made_of:
            seeds, in_use = derived
            self._contexts = {side: _context(seeds, in_use, accepts=side) for side in (True, False)}
            self._made_of = derived
        return self._contexts[accepts]


def _context(seeds: list[bytes], in_use: int, *, accepts: bool) -> ssl.SSLContext:
    """Make a context that shows one certificate and trusts those of all seeds."""
    pairs = [_pair(seed) for seed in seeds]
    protocol = ssl.PROTOCOL_TLS_SERVER if accepts else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata="".join(certificate for certificate, _ in pairs))
    with tempfile.TemporaryDirectory() as made:  # Python reads them from files only.
        file = Path(made) / "peer.pem"
        file.touch(mode=0o600)
        file.write_text("".join(pairs[in_use]))
        context.load_cert_chain(file)
    return context


def _pair(seed: bytes) -> tuple[str, str]:
    """Make certificate and key of 32 bytes, in PEM."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    # Certificates of several keys are told apart by their names.
    own = f"Moorage listener {key.public_key().public_bytes_raw()[:8].hex()}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, None)
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
