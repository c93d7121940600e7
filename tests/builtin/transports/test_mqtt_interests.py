"""What a listener tells others of its subscriptions."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from moorage.builtin.transports.mqtt.interests import Interests
from moorage.builtin.transports.mqtt.sessions import SERVICES

ONE = UUID(int=1)
MOST = 1_000


def apply(told: set[tuple[UUID | None, str]], interests: Interests) -> None:
    """Do with what is told as a listener does that follows."""
    added, removed = interests.take_changes()
    assert not told & set(added)
    assert set(removed) <= told
    told |= set(added)
    told -= set(removed)
    assert set(interests.told) == told


@given(
    st.lists(
        st.tuples(st.sampled_from([ONE, SERVICES, 7]), st.sampled_from("abc"), st.booleans()),
        max_size=60,
    ),
    st.integers(1, 9),
)
def test_who_follows_knows_what_is_subscribed_to(
    changes: list[tuple[UUID | str | int, str, bool]], every: int
) -> None:
    interests, told = Interests(), set[tuple[UUID | None, str]]()
    now: Counter[tuple[UUID | str | int, str]] = Counter()
    for at, (space, topic_filter, comes) in enumerate(changes):
        if not comes and not now[space, topic_filter]:
            continue
        now[space, topic_filter] += 1 if comes else -1
        interests.count(space, topic_filter, 1 if comes else -1)
        if not at % every:
            apply(told, interests)
    apply(told, interests)
    assert told == {
        (space if isinstance(space, UUID) else None, topic_filter)
        for (space, topic_filter), count in now.items()
        if count and space != 7  # A device's own topics concern nobody else.
    }


def test_many_filters_of_an_application_are_told_as_one() -> None:
    interests, told = Interests(), set[tuple[UUID | None, str]]()
    interests.count(ONE, "$share/g/t", 1)
    for n in range(MOST + 1):
        interests.count(ONE, f"t/{n}", 1)
    apply(told, interests)
    assert told == {(ONE, "#"), (ONE, "$share/g/t")}
    for n in range(MOST // 2):
        interests.count(ONE, f"t/{n}", -1)
    apply(told, interests)
    assert told == {(ONE, "#"), (ONE, "$share/g/t")}
    for n in range(MOST // 2, MOST // 2 + 2):
        interests.count(ONE, f"t/{n}", -1)
    apply(told, interests)
    assert len(told) == MOST // 2
    assert (ONE, "#") not in told
