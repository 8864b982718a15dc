"""All records, without widgets: list, check, export, import, change, delete and restore."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from core.models.loading import load_tokenizer
from core.runs.record_lengths import lengths, limit
from core.runs.template_refusals import refused_records
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
from tui.controllers.loaded_model import loaded_adapters
from tui.services import Services
from tui.text_format import counted
from tui.views.record_detail import DetailView, MaskView, detail_view, mask_views
from tui.views.record_list import RecordView, lesson_view, record_view, shared_prefixes
from tui.views.statistics import StatisticsView, statistics_view

if TYPE_CHECKING:
    from data.quality.task_labels import Rules
    from data.tokenization import Tokenizer


class RecordLibrary:
    """The records of the home, and the changes made to them since the app started."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.changed = False
        """Records changed since the app last cleared this flag."""
        self._undos: list[Callable[[], str]] = []
        """One function to undo each change, the latest last; it returns the toast."""
        self._adding: tuple[list[str], list[str]] = ([], [])
        """Ids of the records and conversations that the latest import stored."""
        self._tasks: dict[str, str] = {}
        """Task labels by record id; the prompt of a record never changes."""
        self._loaded_tokenizer: Tokenizer | None = None
        self._tokenizer_lock = Lock()

    # -- reading ---------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """List all records that are not deleted, newest first."""
        return self._services.repository.records()[::-1]

    def known(self) -> Deduplicator:
        """Index the home's contents, so that an import can skip what is known."""
        return Deduplicator(self._services.repository.records(), self._services.repository.ids())

    @cached_property
    def rules(self) -> "Rules":
        """Rules that label the task of a prompt, with the user's own words."""
        return merged(self._services.config.tasks)

    def task(self, record: Record) -> str:
        """Return the task label of a record. Thread-safe."""
        task = self._tasks.get(record.id)
        if task is None:
            task = self._tasks[record.id] = task_of(record.prompt, self.rules)
        return task

    def learned(self) -> dict[str, str]:
        """Map record ids to the versions that learned them; empty while the model loads."""
        adapters = self._services.chat.adapters
        if adapters is None:
            return {}
        learned: dict[str, str] = {}
        for manifest in (*adapters.versions(), *adapters.versions("reward")):
            for record_id in manifest.records:
                learned[record_id] = f"{learned.get(record_id, '')} {manifest.version}".strip()
        return learned

    def trained(self) -> frozenset[str]:
        """Return the ids that the active version and the latest reward model have learned."""
        adapters = self._services.chat.adapters
        if adapters is None:
            return frozenset()
        # Each reward model learns from all pairs.
        latest = adapters.versions("reward")[-1:]
        return adapters.learned().union(*(manifest.records for manifest in latest))

    def views(
        self,
        records: Iterable[Record],
        learned: Mapping[str, str],
        findings: Mapping[str, Sequence[str]],
    ) -> list[RecordView]:
        """Make table rows, with the versions in `learned` and the problems in `findings`."""
        today = now()
        return [record_view(record, self.task, learned, findings, today) for record in records]

    def lesson_views(
        self,
        lessons: Iterable[Sequence[Record]],
        learned: Mapping[str, str],
        findings: Mapping[str, Sequence[str]],
    ) -> list[RecordView]:
        """Make one table row for all records of each lesson; see `views`."""
        today = now()
        views = [lesson_view(lesson, self.task, learned, findings, today) for lesson in lessons]
        shared = shared_prefixes([view.prompt for view in views])
        return [replace(view, shared=cells) for view, cells in zip(views, shared, strict=True)]

    def detail(self, record: Record, problems: Sequence[str]) -> DetailView:
        return detail_view(record, self.task(record), self.learned().get(record.id, ""), problems)

    # -- slow: thread-safe -----------------------------------------------------------------------

    def masks(self, record: Record) -> tuple[MaskView, ...]:
        """Tokenize a record as training does.

        Raises:
            TuteeError: the model is still loading, or its template rejects this conversation.
        """
        config = self._services.config
        longest = limit(loaded_adapters(self._services).folder, config.tuning)
        return mask_views(record, self._tokenizer(), config.chat.system_prompt, longest)

    def check(self, records: Sequence[Record]) -> dict[str, list[str]]:
        """Check `records`, oldest first; return the problems by record id.

        Lengths are only checked once a model has loaded.
        """
        adapters, config = self._services.chat.adapters, self._services.config
        sizes, longest, refused = None, None, None
        if adapters is not None:
            with suppress(TuteeError):
                sizes = lengths(records, adapters.folder, config)
                longest = limit(adapters.folder, config.tuning)
                refused = refused_records(records, adapters.folder, config.chat.system_prompt)
        findings: dict[str, list[str]] = {}
        for finding in check(records, sizes, longest, refused):
            for record_id in finding.record_ids:
                findings.setdefault(record_id, []).append(finding.message)
        return findings

    def statistics(self, records: Sequence[Record], learned: frozenset[str]) -> StatisticsView:
        """Count records by kind, task, source and so on, and find the gaps."""
        tuning = self._services.config.tuning
        pairs = max(tuning.preference.minimum_pairs, tuning.reward.minimum_pairs)
        needs = Needs(tuning.sft.minimum_records, pairs, tuning.preference.minimum_thumbs)
        return statistics_view(statistics(records, learned, self.rules, needs))

    def export(self, records: Sequence[Record], choices: Choices, folder: Path) -> Exported:
        """Write records to a folder.

        Raises:
            TuteeError: there is nothing to export, or the folder cannot be written.
        """
        return export(records, choices, folder, self.rules)

    def _tokenizer(self) -> "Tokenizer":
        folder = loaded_adapters(self._services).folder
        with self._tokenizer_lock:
            if self._loaded_tokenizer is None:
                self._loaded_tokenizer = load_tokenizer(folder)
            return self._loaded_tokenizer

    # -- importing -------------------------------------------------------------------------------

    def begin_import(self) -> None:
        """Undo all that `add` stores from here on as one change."""
        added: list[str] = []
        begun: list[str] = []
        self._adding = (added, begun)
        repository = self._services.repository

        def take_back() -> str:
            there = repository.ids()
            gone = repository.delete_records([each for each in added if each in there])
            chats = [each for each in begun if each in there]
            for chat in chats:
                repository.delete_conversation(chat)
            return _("Import undone: {records}, {chats}.").format(
                records=counted(len(gone), "record"), chats=counted(len(chats), "chat")
            )

        self._undos.append(take_back)

    def add(self, records: Sequence[Record], chats: Sequence[ImportedConversation]) -> None:
        """Store imported records and conversations, except known ones.

        Undo keeps messages that were added to a chat that was there before.
        """
        self.changed = True
        repository = self._services.repository
        before = {chat.id for chat in repository.conversations()}
        stored = repository.add_imported(records, chats)
        added, begun = self._adding
        added += [record.id for record in stored.records]
        begun += [chat.conversation.id for chat in chats if chat.conversation.id not in before]

    # -- changing, with undo ---------------------------------------------------------------------

    @property
    def undoable(self) -> bool:
        return bool(self._undos)

    def undo(self) -> str:
        """Undo the latest change; return the toast.

        Raises:
            TuteeError: nothing was changed since the app started.
        """
        if not self._undos:
            raise TuteeError(_("There is nothing to undo: no record changed since Tutee started."))
        self.changed = True
        message = self._undos[-1]()
        self._undos.pop()
        return message

    def delete(self, record_ids: Sequence[str]) -> int:
        """Delete records; return how many were deleted."""
        self.changed = True
        removed = self._services.repository.delete_records(record_ids)

        def restore() -> str:
            self._services.repository.restore_records(removed)
            return _("Restored {records}.").format(records=counted(len(removed), "record"))

        if removed:
            self._undos.append(restore)
        return len(removed)

    def exclude(self, record_ids: Sequence[str]) -> str:
        """Exclude records from training, or include them if all are excluded; return the toast."""
        self.changed = True
        repository = self._services.repository
        out = not all(repository.record(record_id).excluded for record_id in record_ids)
        changed = [record.id for record in repository.exclude_records(record_ids, out)]

        number = counted(len(changed), "record")

        def reverse() -> str:
            repository.exclude_records(changed, not out)
            return _("Undone for {records}.").format(records=number)

        self._undos.append(reverse)
        message = _("Excluded {records} from training.")
        if not out:
            message = _("Included {records} in training again.")
        return message.format(records=number)

    def replace(self, record: Record, texts: Mapping[str, str], comment: str) -> None:
        """Replace a record that belongs to no reply by one with other texts.

        The record is not changed in place, because versions have learned the old texts.

        Raises:
            TuteeError: a text is empty, or another record has the same texts.
        """
        if not all(text.strip() for text in texts.values()):
            raise TuteeError(
                _("The texts of a record cannot be empty."),
                _("To delete the record, use Del in the list."),
            )
        repository = self._services.repository
        changes = {**texts, "comment": comment, "id": new_id(), "act": new_id()}
        new = record.model_copy(update=changes)
        if not repository.add_imported([new]).records:
            raise TuteeError(_("There already is a record with exactly these texts."))
        self.changed = True
        removed = repository.delete_records([record.id])

        def restore() -> str:
            repository.delete_records([new.id])
            repository.restore_records(removed)
            return _("The record is as it was before.")

        self._undos.append(restore)

    @cached_property
    def teaching(self) -> ReplyFeedback:
        """Feedback on replies, which changes the records that belong to one."""
        return ReplyFeedback(self._services.repository, partial(CorrectionDraft, self._services))
