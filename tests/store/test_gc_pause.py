"""The search for garbage rests while much is loaded, and goes on afterwards."""

import gc

import pytest

from store import gc_pause


def test_it_rests_inside_and_goes_on_also_after_an_error() -> None:
    def failing() -> None:
        with gc_pause.paused():
            assert not gc.isenabled()
            with gc_pause.paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise KeyError

    assert gc.isenabled()
    with pytest.raises(KeyError):
        failing()
    assert gc.isenabled()


def test_much_that_was_made_is_left_out_of_later_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_freeze_count()
    try:
        with gc_pause.paused():
            little: list[list[int]] = [[] for _ in range(10)]
        assert gc.get_freeze_count() == before
        monkeypatch.setattr(gc_pause, "_MANY", 1000)
        with gc_pause.paused():
            much: list[list[int]] = [[] for _ in range(2000)]
        assert gc.get_freeze_count() >= before + len(little) + len(much)
    finally:
        gc.unfreeze()
