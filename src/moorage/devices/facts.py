"""What is announced about devices."""

from moorage.kit.facts import Fact


class DeviceEnrolled(Fact):
    """A device came to be."""

    name = "devices.enrolled"


class DeviceChanged(Fact):
    """A device's fields or lifecycle state changed."""

    name = "devices.changed"


class DeviceOwnerChanged(Fact):
    """A device became somebody's, or nobody's any more."""

    name = "devices.owner_changed"


class DeviceMoved(Fact):
    """A device went to another application."""

    name = "devices.moved"


class DeviceRemoved(Fact):
    """A device was removed with everything it sent."""

    name = "devices.removed"


class CredentialMade(Fact):
    """A device got a credential."""

    name = "devices.credential_made"


class CredentialRotated(Fact):
    """A credential got a new secret."""

    name = "devices.credential_rotated"


class CredentialRevoked(Fact):
    """A credential was taken back."""

    name = "devices.credential_revoked"


class AuthorityAdded(Fact):
    """An organization registered who signs certificates of its devices."""

    name = "devices.authority_added"


class AuthorityRemoved(Fact):
    """An authority was taken back; what it signed lets in no more."""

    name = "devices.authority_removed"


class RevocationListChanged(Fact):
    """What an authority has revoked is known anew, or where it is told."""

    name = "devices.revocation_list_changed"


class DevicesExported(Fact):
    """Somebody downloaded a list of devices."""

    name = "devices.exported"


class ClaimMade(Fact):
    """Somebody made a one-time link by which a phone becomes a device."""

    name = "devices.claim_made"


class InboxOpened(Fact):
    """An application got a new inbox key; the one before it works no longer."""

    name = "devices.inbox_opened"


class InboxClosed(Fact):
    """An application's inbox key was taken back."""

    name = "devices.inbox_closed"


class TopicRuleMade(Fact):
    """Devices of an application were allowed topics."""

    name = "devices.topic_rule_made"


class TopicRuleChanged(Fact):
    """A rule about topics changed."""

    name = "devices.topic_rule_changed"


class TopicRuleRemoved(Fact):
    """A rule about topics was taken back."""

    name = "devices.topic_rule_removed"
