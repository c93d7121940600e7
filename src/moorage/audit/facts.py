"""What is announced about reading, signing and dropping the audit."""

from moorage.kit.facts import Fact


class AuditExported(Fact):
    """Somebody downloaded facts."""

    name = "audit.exported"


class CheckpointAsked(Fact):
    """Somebody had a chain signed before its time; the subject is who asked."""

    name = "audit.checkpoint_asked"


class EntriesDropped(Fact):
    """The beginning of a chain was dropped, as it is kept no longer; by place."""

    name = "audit.entries_dropped"


class SigningKeyMade(Fact):
    """Checkpoints are signed with a new key, whose public half is told; the subject is its id."""

    name = "audit.signing_key_made"
