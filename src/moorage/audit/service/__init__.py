"""The rules of the audit: reading, sealing, signing, verifying; and of the system log."""

from .checkpoints import (
    all_checkpoints,
    drop_due,
    key_set,
    list_chains,
    list_checkpoints,
    list_keys,
    rotate_key,
    seal_anew,
    sign_due,
    sign_now,
)
from .reading import (
    changes_of,
    export,
    keep_entries,
    note_export,
    system_log,
    trim,
)
from .sealing import any_waiting, seal
from .verifying import Fault, Verdict, read_keys, verify

__all__ = [
    "Fault",
    "Verdict",
    "all_checkpoints",
    "any_waiting",
    "changes_of",
    "drop_due",
    "export",
    "keep_entries",
    "key_set",
    "list_chains",
    "list_checkpoints",
    "list_keys",
    "note_export",
    "read_keys",
    "rotate_key",
    "seal",
    "seal_anew",
    "sign_due",
    "sign_now",
    "system_log",
    "trim",
    "verify",
]
