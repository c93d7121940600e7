"""Opening encrypted assertions: a key wrapped by RSA-OAEP, the content by AES.

Every failure has the same words, so that nobody learns from them what an assertion of somebody
else holds (the padding of CBC, above all).

Source: XML Encryption 1.1, sections 3, 5.2 and 5.5.2.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm

from .xml import DS, NAMES, XENC, XENC11, Element, Wrong, needed, parse, text

# Names of contents, with the bytes of their keys.
GCM = {f"{XENC11}aes128-gcm": 16, f"{XENC11}aes192-gcm": 24, f"{XENC11}aes256-gcm": 32}
CBC_ = {f"{XENC}aes128-cbc": 16, f"{XENC}aes192-cbc": 24, f"{XENC}aes256-cbc": 32}
OAEP_MGF1P, OAEP = f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep"
# It has to resist no collisions here, and is what OAEP means unless it says otherwise.
_SHA1 = SHA1()  # noqa: S303
_DIGESTS: dict[str | None, HashAlgorithm] = {
    None: _SHA1, f"{DS}sha1": _SHA1, f"{XENC}sha256": SHA256(), f"{XENC}sha512": SHA512(),
    "http://www.w3.org/2001/04/xmldsig-more#sha384": SHA384(),
}  # fmt: skip
_MASKS: dict[str | None, HashAlgorithm] = {
    None: _SHA1, f"{XENC11}mgf1sha1": _SHA1, f"{XENC11}mgf1sha256": SHA256(),
    f"{XENC11}mgf1sha384": SHA384(), f"{XENC11}mgf1sha512": SHA512(),
}  # fmt: skip
MOST_KEYS = 4
_BLOCK = 16


def decrypt(encrypted: Element, keys: Iterable[rsa.RSAPrivateKey]) -> Element:
    """Open an `EncryptedAssertion`; give what was in it. Raises Wrong."""
    shut = Wrong("it cannot be decrypted.")
    data = needed(encrypted, "xenc:EncryptedData")
    method = needed(data, "xenc:EncryptionMethod").get("Algorithm")
    if method not in GCM and method not in CBC_:
        raise Wrong("it is encrypted in a way that is not taken.")
    # Beside the data or in it; what leads elsewhere (RetrievalMethod) is not followed.
    wrapped = [*data.findall("ds:KeyInfo/xenc:EncryptedKey", NAMES),
               *encrypted.findall("xenc:EncryptedKey", NAMES)]  # fmt: skip
    content = _bytes(data)
    if not 0 < len(wrapped) <= MOST_KEYS:
        raise shut
    for key in keys:
        for one in wrapped:
            secret = _unwrap(one, key)
            if secret is None or len(secret) != {**GCM, **CBC_}[method]:
                continue
            try:
                opened = _open(method, secret, content)
                return parse(opened)
            except (InvalidTag, ValueError, Wrong):
                continue
    raise shut


def _unwrap(encrypted: Element, key: rsa.RSAPrivateKey) -> bytes | None:
    method = needed(encrypted, "xenc:EncryptionMethod")
    name = method.get("Algorithm")
    if name not in (OAEP_MGF1P, OAEP):
        raise Wrong("its key is encrypted in a way that is not taken.")
    digest, mask = method.find("ds:DigestMethod", NAMES), method.find("xenc11:MGF", NAMES)
    try:
        hashed = _DIGESTS[digest.get("Algorithm") if digest is not None else None]
        masked = _MASKS[mask.get("Algorithm") if name == OAEP and mask is not None else None]
    except KeyError as wrong:
        raise Wrong("its key is encrypted in a way that is not taken.") from wrong
    how = padding.OAEP(padding.MGF1(masked), hashed, None)
    try:
        return key.decrypt(_bytes(encrypted), how)
    except ValueError:
        return None


def _open(method: str, secret: bytes, content: bytes) -> bytes:
    """Decrypt. Raises InvalidTag, ValueError."""
    if method in GCM:
        return AESGCM(secret).decrypt(content[:12], content[12:], None)
    opener = Cipher(AES(secret), CBC(content[:_BLOCK])).decryptor()
    padded = opener.update(content[_BLOCK:]) + opener.finalize()
    if not padded or not 1 <= padded[-1] <= _BLOCK:
        raise ValueError
    return padded[: -padded[-1]]


def _bytes(element: Element) -> bytes:
    try:
        cipher = needed(element, "xenc:CipherData")
        return base64.b64decode(
            "".join(text(needed(cipher, "xenc:CipherValue")).split()), None, True
        )
    except ValueError as wrong:
        raise Wrong("it cannot be decrypted.") from wrong
