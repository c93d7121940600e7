"""What is announced about messages in."""

from moorage.kit.facts import Fact


class ReDecodeApplied(Fact):
    """Somebody put readings that were decoded anew in place of the old ones."""

    name = "ingest.re_decode_applied"


class ReDecodeDiscarded(Fact):
    """Somebody kept the old readings and dropped those decoded anew."""

    name = "ingest.re_decode_discarded"
