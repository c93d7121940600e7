"""Who changed what, provably; and what went wrong."""

from .model import Checkpoint, FactEntry, SystemEntry
from .service import (
    Fault,
    Verdict,
    list_keys,
    read_keys,
    rotate_key,
    seal_anew,
    seal_tokens_anew,
    verify,
)

__all__ = [
    "Checkpoint",
    "FactEntry",
    "Fault",
    "SystemEntry",
    "Verdict",
    "list_keys",
    "read_keys",
    "rotate_key",
    "seal_anew",
    "seal_tokens_anew",
    "verify",
]
