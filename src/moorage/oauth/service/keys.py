"""Public keys by which clients prove themselves (RFC 7517)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from moorage.kit.errors import FieldInvalid
from moorage.kit.jose import ASYMMETRIC

FEWEST_BITS = 2048
LONGEST_BITS = 8192
CURVES = ("P-256", "P-384", "P-521", "Ed25519")
# What is kept: what makes the key, and by what it is chosen.
_KEPT = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use")


def checked(keys: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Give keys as they are kept.

    Raises:
        FieldInvalid: one is private, weak, not for signing or no key; or two have one `kid`.
    """
    for number, key in enumerate(keys):
        if (reason := _why_not(key)) is not None:
            raise FieldInvalid(f"/keys/{number}", reason)
    named = [key["kid"] for key in keys if "kid" in key]
    if len(named) != len(set(named)):
        raise FieldInvalid("/keys", "must not have two keys with one kid.")
    return tuple({name: key[name] for name in _KEPT if name in key} for key in keys)


def read(key: Mapping[str, Any]) -> RSAKey | ECKey | OKPKey:
    """Read a key that `checked` gave."""
    found = JWKRegistry.import_key(dict(key))
    if not isinstance(found, RSAKey | ECKey | OKPKey):
        raise TypeError(found)
    return found


def _why_not(key: Mapping[str, Any]) -> str | None:
    if {"d", "k", "p", "q"} & set(key):
        return "is a private key; send the public one only, and make a new pair."
    texts = [key[name] for name in _KEPT if name in key]
    if any(not isinstance(t, str) or len(t) > 2_000 or not t.isprintable() for t in texts):
        return "must be of texts of at most 2,000 printable characters."
    if key.get("alg", ASYMMETRIC[0]) not in ASYMMETRIC:
        return f"must be for one of the algorithms {', '.join(ASYMMETRIC)}."
    if key.get("use", "sig") != "sig":
        return "must be for signatures (use: sig)."
    if key.get("kty") == "RSA":
        # Six bits a letter (RFC 7518, section 6.3.1).
        if not FEWEST_BITS <= len(key.get("n", "")) * 6 <= LONGEST_BITS + 6:
            return f"must have {FEWEST_BITS:,} to {LONGEST_BITS:,} bits."
    elif key.get("crv") not in CURVES:
        return f"must be RSA, or of one of the curves {', '.join(CURVES)}."
    try:
        read(key)
    except (JoseError, ValueError, TypeError, KeyError):
        return "is no public key (RFC 7517)."
    return None
