"""The apps here are driven as those of `tests/tui` are."""

from tests.tui.conftest import pilot_ends_with_the_app

__all__ = ["pilot_ends_with_the_app"]
