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
from .collectors import add as add_collector
from .collectors import change as change_collector
from .collectors import get as get_collector
from .collectors import list_collectors, seal_tokens_anew
from .collectors import remove as remove_collector
from .reading import (
    changes_of,
    export,
    keep_entries,
    note_export,
    system_log,
    trim,
)
from .sealing import any_waiting, seal
from .sending import Sender, active, checkpoint_lines
from .verifying import Fault, Verdict, read_keys, verify

__all__ = [
    "Fault",
    "Sender",
    "Verdict",
    "active",
    "add_collector",
    "all_checkpoints",
    "any_waiting",
    "change_collector",
    "changes_of",
    "checkpoint_lines",
    "drop_due",
    "export",
    "get_collector",
    "keep_entries",
    "key_set",
    "list_chains",
    "list_checkpoints",
    "list_collectors",
    "list_keys",
    "note_export",
    "read_keys",
    "remove_collector",
    "rotate_key",
    "seal",
    "seal_anew",
    "seal_tokens_anew",
    "sign_due",
    "sign_now",
    "system_log",
    "trim",
    "verify",
]
