"""The one error family of Tutee.

Raised where a fault is first understood, shown once at the top (a toast, a screen, or one line on
stderr). Any other exception is a bug and goes to the log with its traceback.
"""

from store.i18n import join_sentences


class TuteeError(Exception):
    """An error the user can act on.

    Args:
        title: What happened, as one plain sentence.
        hint: What to do about it; may be empty.
    """

    def __init__(self, title: str, hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint

    def __str__(self) -> str:
        return join_sentences((self.title, self.hint))
