"""All records, without any widget: looked through, checked, changed, deleted and brought back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from core.models.loading import load_tokenizer
from core.runs.record_lengths import lengths, limit
from data.deduplication import Deduplicator
from data.exports import Choices, Exported, export
from data.quality.checks import check
from data.quality.statistics import Needs, statistics
from data.quality.task_labels import merged, task_of
from store.errors import TuteeError
from store.i18n import _
from store.records import ImportedConversation, Record, new_id, now
from tui.controllers.drafts import CorrectionDraft
from tui.controllers.feedback import ReplyFeedback
from tui.services import Services
from tui.text_format import counted
from tui.views.record_detail import DetailView, MaskView, detailed, masked
from tui.views.record_list import RecordView, viewed
from tui.views.statistics import StatisticsView, statistics_view

if TYPE_CHECKING:
    from data.quality.task_labels import Rules
    from data.tokenization import Tokenizer


class Library:
    """What one person taught, and what they took away of it.

    Args:
        services: The store is theirs.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.changed = False
        """Records came or went since whoever reads this has put it back."""
        self._done: list[Callable[[], str]] = []
        """What takes each change back, the latest last."""
        self._tasks: dict[str, str] = {}
        """By record; a record's prompt never changes."""
        self._loaded: Tokenizer | None = None
        self._reading = Lock()

    # -- reading ---------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """All live records, newest first."""
        return self._services.repository.records()[::-1]

    def known(self) -> Deduplicator:
        """What is there, for what an import would bring."""
        return Deduplicator(self._services.repository.records(), self._services.repository.ids())

    @cached_property
    def rules(self) -> "Rules":
        """What tells the task of a prompt, with the person's own words."""
        return merged(self._services.config.tasks)

    def task(self, record: Record) -> str:
        """What the prompt of a record asks for; safe in any thread."""
        task = self._tasks.get(record.id)
        if task is None:
            task = self._tasks[record.id] = task_of(record.prompt, self.rules)
        return task

    def learned(self) -> dict[str, str]:
        """The versions that learned each record, by its id; none before the model is ready."""
        adapters = self._services.chat.adapters
        if adapters is None:
            return {}
        learned: dict[str, str] = {}
        for manifest in (*adapters.versions(), *adapters.versions("reward")):
            for record_id in manifest.records:
                learned[record_id] = f"{learned.get(record_id, '')} {manifest.version}".strip()
        return learned

    def trained(self) -> frozenset[str]:
        """What the active adapter and the latest reward model have learned."""
        adapters = self._services.chat.adapters
        if adapters is None:
            return frozenset()
        # The reward model learns from all pairs each time.
        scored = adapters.versions("reward")[-1:]
        return adapters.learned().union(*(manifest.records for manifest in scored))

    def views(
        self,
        records: Iterable[Record],
        learned: Mapping[str, str],
        found: Mapping[str, Sequence[str]],
    ) -> list[RecordView]:
        """The lines of records, with what `learned` says and what the check found about them."""
        today = now()
        return [viewed(record, self.task, learned, found, today) for record in records]

    def detail(self, record: Record, found: Sequence[str]) -> DetailView:
        """Everything about one record, with what the check found about it."""
        learned = self.learned().get(record.id, "")
        return detailed(record, self.task(record), learned, found)

    # -- what takes a while: safe in any thread ----------------------------------------------------

    def masks(self, record: Record) -> tuple[MaskView, ...]:
        """The tokens that training makes of a record.

        Raises:
            TuteeError: there is no model yet, or its template cannot hold this conversation.
        """
        return masked(record, self._tokenizer(), self._services.config.chat.system_prompt)

    def check(self, records: Sequence[Record]) -> dict[str, list[str]]:
        """What is wrong with records (oldest first), by the id of each.

        Lengths are looked at where there is a model that can be asked.
        """
        adapters, config = self._services.chat.adapters, self._services.config
        sizes, most = None, None
        if adapters is not None:
            with suppress(TuteeError):
                sizes, most = (
                    lengths(records, adapters.folder, config),
                    limit(adapters.folder, config.tuning),
                )
        found: dict[str, list[str]] = {}
        for finding in check(records, sizes, most):
            for record_id in finding.record_ids:
                found.setdefault(record_id, []).append(finding.message)
        return found

    def statistics(self, records: Sequence[Record], learned: frozenset[str]) -> StatisticsView:
        """What there is to learn from, and what of it was learned."""
        tuning = self._services.config.tuning
        pairs = max(tuning.preference.minimum_pairs, tuning.reward.minimum_pairs)
        needs = Needs(tuning.sft.minimum_records, pairs, tuning.preference.minimum_thumbs)
        return statistics_view(statistics(records, learned, self.rules, needs))

    def export(self, records: Sequence[Record], choices: Choices, folder: Path) -> Exported:
        """Write records to a folder.

        Raises:
            TuteeError: there is nothing to write, or it cannot be written.
        """
        return export(records, choices, folder, self.rules)

    def _tokenizer(self) -> "Tokenizer":
        adapters = self._services.chat.adapters
        if adapters is None:
            raise TuteeError(
                _("The model is still loading."), _("Its tokens can be shown once it is.")
            )
        with self._reading:
            if self._loaded is None:
                self._loaded = load_tokenizer(adapters.folder)
            return self._loaded

    # -- bringing in -----------------------------------------------------------------------------

    def take(self, records: Sequence[Record], chats: Sequence[ImportedConversation]) -> None:
        """Keep what was brought from elsewhere; what is there already is left out."""
        self.changed = True
        self._services.repository.add_imported(records, chats)

    # -- changing: each can be taken back --------------------------------------------------------

    @property
    def undoable(self) -> bool:
        return bool(self._done)

    def undo(self) -> str:
        """Take the latest change back, and say what was taken back.

        Raises:
            TuteeError: nothing was changed since Tutee was started.
        """
        if not self._done:
            raise TuteeError(_("Nothing was deleted or changed here since Tutee was started."))
        self.changed = True
        said = self._done[-1]()
        self._done.pop()
        return said

    def delete(self, record_ids: Sequence[str]) -> int:
        """Take records away, and say how many went."""
        self.changed = True
        removed = self._services.repository.delete_records(record_ids)

        def bring_back() -> str:
            self._services.repository.restore_records(removed)
            return _("{records} brought back.").format(records=counted(len(removed), "record"))

        if removed:
            self._done.append(bring_back)
        return len(removed)

    def exclude(self, record_ids: Sequence[str]) -> str:
        """Keep records out of training, or let them in again where all are out; what was done."""
        self.changed = True
        repository = self._services.repository
        out = not all(repository.record(record_id).excluded for record_id in record_ids)
        changed = [record.id for record in repository.exclude_records(record_ids, out)]

        def take_back() -> str:
            repository.exclude_records(changed, not out)
            return _("Taken back for {records}.").format(records=counted(len(changed), "record"))

        self._done.append(take_back)
        number = counted(len(changed), "record")
        return (
            _("{records} kept out of training.").format(records=number)
            if out
            else _("{records} let into training again.").format(records=number)
        )

    def rewrite(self, record: Record, texts: Mapping[str, str], comment: str) -> None:
        """Put a record with other texts in the place of one that is about no reply of a chat.

        It is a new record, because versions have learned what the old one says.

        Raises:
            TuteeError: a text is empty, or a record says exactly this already.
        """
        if not all(text.strip() for text in texts.values()):
            raise TuteeError(_("A text of a record cannot be empty."), _("D deletes the record."))
        repository = self._services.repository
        new = record.model_copy(
            update={**texts, "comment": comment, "id": new_id(), "act": new_id()}
        )
        if not repository.add_imported([new]).records:
            raise TuteeError(_("There is a record that says exactly this already."))
        self.changed = True
        removed = repository.delete_records([record.id])

        def take_back() -> str:
            repository.delete_records([new.id])
            repository.restore_records(removed)
            return _("The record says what it said before.")

        self._done.append(take_back)

    @cached_property
    def teaching(self) -> ReplyFeedback:
        """For records about a reply of a chat, which are changed by saying something else of it."""
        return ReplyFeedback(self._services.repository, partial(CorrectionDraft, self._services))
