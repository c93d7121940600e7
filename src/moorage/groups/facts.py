"""What is announced about applications."""

from moorage.kit.facts import Fact


class ApplicationMade(Fact):
    """An application came to be."""

    name = "groups.application_made"


class ApplicationChanged(Fact):
    """An application's fields changed."""

    name = "groups.application_changed"


class ApplicationMoved(Fact):
    """An application went to another organization with all its devices."""

    name = "groups.application_moved"


class ApplicationRemoved(Fact):
    """An application was removed."""

    name = "groups.application_removed"
