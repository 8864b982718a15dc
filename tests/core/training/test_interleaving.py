"""The labels of KTO must be spread over every window, in an order of its own in each epoch."""

from hypothesis import given
from hypothesis import strategies as st

from core.training.interleaving import InterleavedSampler, interleaved


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 5), st.integers(1, 6))
def test_every_window_has_its_share_of_each_label(
    labels: list[bool], epoch: int, size: int
) -> None:
    order = interleaved(labels, 0, epoch)
    assert sorted(order) == list(range(len(labels)))
    share = size * sum(labels) / len(labels)
    for start in range(len(labels) - size + 1):
        assert abs(sum(labels[i] for i in order[start : start + size]) - share) < 1


def test_the_order_is_drawn_from_seed_and_epoch() -> None:
    labels = [True] * 6 + [False] * 9
    sampler = InterleavedSampler(labels, 3)
    first = list(sampler)
    assert list(sampler) == first
    assert len(sampler) == 15
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(sampler) == interleaved(labels, 3, 1)
    assert interleaved(labels, 4, 0) != first
