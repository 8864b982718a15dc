"""The one error of all that reads rows."""


class RowError(ValueError):
    """A row that cannot be used; its text is the reason, in plain words."""

    def __init__(self, reason: str, number: tuple[str, str] | None = None) -> None:
        super().__init__(reason)
        self.number = number
        """Key and value of a label that is a number, but no thumb."""
