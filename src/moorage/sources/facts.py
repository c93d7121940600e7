"""What is announced about sources."""

from moorage.kit.facts import Fact


class SourceAdded(Fact):
    """A source came to be."""

    name = "sources.added"


class SourceChanged(Fact):
    """A source's fields or secrets changed, or it was paused or resumed."""

    name = "sources.changed"


class SourceRemoved(Fact):
    """A source was removed."""

    name = "sources.removed"


class SourceTested(Fact):
    """A person connected to a broker to try settings out; the subject is the source, if any."""

    name = "sources.tested"
