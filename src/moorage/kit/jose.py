"""What signed tokens (RFC 7519) of others may be signed with."""

from __future__ import annotations

# By a key of the signer's alone: never `none`, never a secret that two share.
ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
              "EdDSA", "Ed25519")  # fmt: skip
