"""Everything that was taught as files, in a folder of its own below the home's exports."""

from datetime import datetime
from pathlib import Path

from data.exports import Choices, Exported, export
from data.tasks import DEFAULT_RULES, Rules
from store.repository import Repository


def export_all(
    repository: Repository,
    exports: Path,
    moment: datetime,
    choices: Choices = Choices(),  # noqa: B008 - it cannot change
    rules: Rules = DEFAULT_RULES,
) -> Exported:
    """Write the records that were chosen (all of them by default) below `exports`.

    Args:
        repository: Whose records.
        exports: The folder of all exports.
        moment: Names the new folder.
        choices: Which records, and how.
        rules: How the card tells tasks apart.

    Raises:
        TuteeError: there is nothing to write, or the files cannot be written.
    """
    folder = exports / f"{moment:%Y-%m-%d-%H%M%S}"
    return export(repository.records(), choices, folder, rules)
