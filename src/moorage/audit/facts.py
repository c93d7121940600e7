"""What is announced about reading the audit."""

from moorage.kit.facts import Fact


class AuditExported(Fact):
    """Somebody downloaded facts."""

    name = "audit.exported"
