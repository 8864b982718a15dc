"""The speed of what arrives, the time left, and a silence that is said."""

from core.events import ModelLoading
from tui.views.transfer_rate import TransferRate, format_size


def at(done: int, total: int = 100_000_000, stage: str = "Fetching") -> ModelLoading:
    return ModelLoading(stage, done, total)


def notes(*seen: tuple[float, ModelLoading]) -> str:
    """What is said at the last of `seen`, each with its second."""
    seconds = iter([second for second, _ in seen])
    transfer_rate = TransferRate(lambda: next(seconds))
    return [transfer_rate.note(event) for _, event in seen][-1]


def test_the_speed_and_the_time_left_are_those_of_the_last_seconds() -> None:
    assert notes((0.0, at(0)), (0.5, at(2_000_000))) == "", "too soon to tell"
    assert notes((0.0, at(0)), (2.0, at(8_000_000))) == "4 MB/s · 0:23 left"
    assert notes((0.0, at(0)), (4.0, at(40_000_000)), (11.0, at(47_000_000))) == (
        "1 MB/s · 0:53 left"
    )


def test_another_stage_begins_anew() -> None:
    assert notes((0.0, at(0)), (5.0, at(5_000_000)), (6.0, at(0, stage="Checking"))) == ""
    assert notes((0.0, at(0)), (2.0, at(0, total=0))) == "", "nobody knows how much it is"


def test_a_silence_is_said_until_something_comes() -> None:
    first = (0.0, at(0)), (2.0, at(8_000_000))
    assert "/s" in notes(*first, (6.0, at(8_000_000)))
    assert notes(*first, (17.0, at(8_000_000))) == "no data for 0:15"
    assert "/s" in notes(*first, (17.0, at(8_000_000)), (18.0, at(9_000_000)))


def test_sizes_are_said_as_a_person_reads_them() -> None:
    assert [format_size(number) for number in (1_234, 9_500_000, 93_400_000, 1_240_000_000)] == [
        "1 kB",
        "9.5 MB",
        "93 MB",
        "1.2 GB",
    ]
