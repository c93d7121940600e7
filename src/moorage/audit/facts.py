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


class CollectorAdded(Fact):
    """The audit or the system log is sent to a place outside from now on."""

    name = "audit.collector_added"


class CollectorChanged(Fact):
    """A collector's fields or token changed, or it was paused or resumed."""

    name = "audit.collector_changed"


class CollectorRemoved(Fact):
    """A collector was removed; it is sent nothing more."""

    name = "audit.collector_removed"
