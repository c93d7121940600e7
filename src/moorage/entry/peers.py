"""How listeners know each other: TLS with a certificate that each makes itself.

Key and certificate are derived from the sealing keys, which only the root key opens: whoever has
that makes the same ones, to the byte (an Ed25519 signature has no chance in it: RFC 8032, section
5.1.6), and trusts nothing else. So there is nothing to hand out, to store or to renew.
"""

from __future__ import annotations

import functools
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
NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_FROM = datetime(2020, 1, 1, tzinfo=UTC)


class PeerContexts:
    """The TLS contexts of one listener for others.

    Attributes:
        accepting: of the side that accepts; connections to come see what `learn` adds.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self.accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        seeds, in_use = sealer.derive_each(_PURPOSE)
        _prove(self.accepting, seeds, in_use)

    def learn(self) -> None:
        """Trust those too who show what comes from sealing keys made since."""
        seeds, _ = self._sealer.derive_each(_PURPOSE)
        _trust(self.accepting, seeds)

    def dialling(self) -> ssl.SSLContext:
        """Give the context of the side that dials, by the keys as they are now."""
        return _dialling(*self._sealer.derive_each(_PURPOSE))


@functools.lru_cache(maxsize=1)
def _dialling(seeds: tuple[bytes, ...], in_use: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    _prove(context, seeds, in_use)
    return context


def _prove(context: ssl.SSLContext, seeds: tuple[bytes, ...], in_use: int) -> None:
    """Have a context show the certificate of one seed, and trust those of all."""
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, seeds)
    with tempfile.TemporaryDirectory() as made:  # Python reads them from files only.
        file = Path(made) / "peer.pem"
        file.touch(mode=0o600)
        file.write_text("".join(_pair(seeds[in_use])))
        context.load_cert_chain(file)


def _trust(context: ssl.SSLContext, seeds: tuple[bytes, ...]) -> None:
    context.load_verify_locations(cadata="".join(_pair(seed)[0] for seed in seeds))


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
        .not_valid_after(NO_END)
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
