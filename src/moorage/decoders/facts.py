"""What is announced about decoders."""

from moorage.kit.facts import Fact


class DecoderMade(Fact):
    """A decoder came to be."""

    name = "decoders.made"


class DecoderChanged(Fact):
    """A decoder's fields, its version in force or its test cases changed; texts as hashes."""

    name = "decoders.changed"


class DecoderRemoved(Fact):
    """A decoder was removed with its versions."""

    name = "decoders.removed"
