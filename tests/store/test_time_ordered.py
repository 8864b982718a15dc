"""The order of time, whatever comes in and goes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from store.time_ordered import TimeOrdered

START = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES = st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 5)))


@given(CHANGES, st.sets(st.integers(0, 20)))
def test_it_is_sorted_whenever_somebody_looks(
    changes: list[tuple[str, int | None]], looks: set[int]
) -> None:
    ordered: TimeOrdered[tuple[str, int]] = TimeOrdered(
        lambda item: START + timedelta(days=item[1])
    )
    expected: dict[str, tuple[str, int]] = {}
    for number, (key, day) in enumerate(changes):
        expected.pop(key, None)
        if day is None:
            ordered.discard(key)
        else:
            ordered.put(key, (key, day))
            expected[key] = (key, day)
        if number in looks:
            assert ordered.all() == sorted(expected.values(), key=lambda item: item[1])
    assert ordered.all() == sorted(expected.values(), key=lambda item: item[1])


def test_the_list_is_the_caller_s() -> None:
    ordered: TimeOrdered[int] = TimeOrdered(lambda item: START + timedelta(days=item))
    ordered.put("a", 1)
    ordered.all().clear()
    assert ordered.all() == [1]
