"""What is announced about targets and routes."""

from moorage.kit.facts import Fact


class TargetAdded(Fact):
    """A target came to be."""

    name = "targets.added"


class TargetChanged(Fact):
    """A target's fields, settings or secrets changed, or it was paused or resumed."""

    name = "targets.changed"


class TargetRemoved(Fact):
    """A target was removed with its routes and all that waited for it."""

    name = "targets.removed"


class TargetTested(Fact):
    """A person sent a test message to a target."""

    name = "targets.tested"


class RouteMade(Fact):
    """A route came to be."""

    name = "targets.route_made"


class RouteChanged(Fact):
    """A route's fields changed."""

    name = "targets.route_changed"


class RouteRemoved(Fact):
    """A route was removed."""

    name = "targets.route_removed"


class DeadLetterEdited(Fact):
    """A person changed what a dead letter carries."""

    name = "targets.dead_letter_edited"


class DeadLettersSentAgain(Fact):
    """Dead letters were put back into the outbox."""

    name = "targets.dead_letters_sent_again"


class DeadLettersDiscarded(Fact):
    """Dead letters were thrown away."""

    name = "targets.dead_letters_discarded"


class ReceiptsExported(Fact):
    """Somebody downloaded a target's receipts."""

    name = "targets.receipts_exported"


class ReplayAsked(Fact):
    """A period was asked to be sent again."""

    name = "targets.replay_asked"


class ReplayCancelled(Fact):
    """A replay was stopped."""

    name = "targets.replay_cancelled"
