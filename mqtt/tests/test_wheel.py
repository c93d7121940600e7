import weakref

from hypothesis import given
from hypothesis import strategies as st

from moorage_mqtt import Wheel


class Entry:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.due_at = -1


@given(
    st.lists(st.tuples(st.floats(0, 200), st.lists(st.floats(0, 200), max_size=3)), max_size=20),
    st.lists(st.floats(0, 5), min_size=1, max_size=30),
)
def test_the_wheel_gives_an_entry_within_a_second_of_its_last_deadline(
    plans: list[tuple[float, list[float]]], steps: list[float]
) -> None:
    wheel: Wheel[Entry] = Wheel(0.0)
    entries = []
    for first, later in plans:
        entry = Entry(first)
        for deadline in [first, *later]:
            entry.deadline = deadline
            wheel.put(entry, deadline)
        entries.append(entry)
    now, taken = 0.0, []
    for step in [*steps, *[50.0] * 5]:
        now += step
        for entry in wheel.due(now):
            if entry.deadline > now:
                wheel.put(entry, entry.deadline)
            else:
                taken.append(entry)
        assert not [one for one in entries if one.deadline + 1 < now and one not in taken]
    assert len(taken) == len(entries)


def test_what_is_dropped_is_not_given_and_not_kept() -> None:
    wheel: Wheel[Entry] = Wheel(0.0)
    entry = Entry(5.0)
    for deadline in (5.0, 2.0):
        wheel.put(entry, deadline)
    known = weakref.ref(entry)
    wheel.drop(entry)
    del entry
    assert known() is None
    assert list(wheel.due(10.0)) == []
