"""Certificates as OpenSSL makes them: what they are fit for, and who has signed them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from moorage.kit.certificates import is_signed_by, read_pem

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def openssl(directory: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)


def made(directory: Path, *words: str, key: tuple[str, ...] = EC) -> str:
    """Make a certificate that has signed itself."""
    openssl(directory, "req", "-x509", "-nodes", "-subj", "/CN=pump", "-days", "2",
            "-keyout", "own.key", "-out", "own.pem", *key, *words)  # fmt: skip
    return (directory / "own.pem").read_text()


@pytest.mark.parametrize(
    ("extension", "unfit"),
    [
        ("keyUsage=critical,digitalSignature", ""),
        ("extendedKeyUsage=clientAuth", ""),
        ("extendedKeyUsage=serverAuth,clientAuth", ""),
        ("subjectAltName=critical,DNS:pump", ""),
        ("extendedKeyUsage=serverAuth", "is not for clients (extendedKeyUsage)"),
        ("extendedKeyUsage=anyExtendedKeyUsage", "is not for clients (extendedKeyUsage)"),
        ("keyUsage=keyCertSign", "is not for signatures (keyUsage)"),
        ("1.2.3.4=critical,ASN1:NULL", "has a critical extension that is not understood (1.2.3.4)"),
        ("1.2.3.4=ASN1:NULL", ""),
    ],
)
def test_a_certificate_is_for_what_its_extensions_say(
    tmp_path: Path, extension: str, unfit: str
) -> None:
    assert read_pem(made(tmp_path, "-addext", extension)).unfit == unfit


@pytest.mark.parametrize(
    ("key", "unfit"),
    [
        (("-newkey", "rsa:2048"), ""),
        (("-newkey", "rsa:1024"), "has a key of 1024 bits, where 2048 are needed"),
        (("-newkey", "ed25519"), ""),
        (
            ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime192v1"),
            "has a key of 192 bits, where 224 are needed",
        ),
    ],
    ids=lambda one: one[-1] if isinstance(one, tuple) else None,
)
def test_a_key_that_is_too_short_proves_nothing(
    tmp_path: Path, key: tuple[str, ...], unfit: str
) -> None:
    assert read_pem(made(tmp_path, key=key)).unfit == unfit


def test_a_signature_counts_by_its_digest(tmp_path: Path) -> None:
    authority = read_pem(made(tmp_path))
    openssl(tmp_path, "req", "-new", "-nodes", "-subj", "/CN=leaf", "-keyout", "leaf.key",
            "-out", "leaf.csr", *EC)  # fmt: skip
    for digest, counts in (("-sha256", True), ("-sha384", True), ("-sha1", False)):
        openssl(tmp_path, "x509", "-req", "-in", "leaf.csr", "-CA", "own.pem", "-CAkey", "own.key",
                digest, "-out", "leaf.pem")  # fmt: skip
        leaf = read_pem((tmp_path / "leaf.pem").read_text())
        assert is_signed_by(leaf.der, authority.der) is counts, digest
