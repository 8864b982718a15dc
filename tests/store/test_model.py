"""Any sequence of acts against the simplest model of what they mean, read again after each."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from store.errors import TuteeError
from store.paths import locate
from store.records import ChatMessage, Instruction, Message, Origin, Record
from store.repository import Repository

Stands = tuple[bool | None, str | None]
"""The thumb and the correction of a reply."""

REPLIES = st.integers(0, 2)
NOTHING: Stands = (None, None)


class Home(RuleBasedStateMachine):
    """Three replies, each with the states it went through; imports by their ids."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.paths = locate(Path(self.folder.name))
        self.repository = Repository.open(self.paths)
        talk = self.repository.start_conversation()
        self.replies: list[Message] = []
        for number in range(3):
            self.repository.add_message(talk.id, "user", f"{number}?")
            self.replies.append(self.repository.add_message(talk.id, "assistant", f"{number}!"))
        self.history: list[list[Stands]] = [[NOTHING] for _ in self.replies]
        self.imports: set[str] = set()
        self.bin: tuple[list[Record], int, list[Stands], tuple[Record, ...]] | None = None

    def teardown(self) -> None:
        self.repository.close()
        self.folder.cleanup()

    # -- acts ------------------------------------------------------------------------------------

    @rule(reply=REPLIES)
    def like(self, reply: int) -> None:
        label, correction = self.history[reply][-1]
        allowed = correction is None
        assert self.attempt("rate", reply, True) is allowed
        if allowed and label is not True:
            self.now(reply, (True, None))

    @rule(reply=REPLIES)
    def dislike(self, reply: int) -> None:
        label, correction = self.history[reply][-1]
        assert self.attempt("rate", reply, False)
        if label is not False:
            self.now(reply, (False, correction))

    @rule(reply=REPLIES, text=st.sampled_from(["Paris", "It is Paris. 你好"]))
    def correct(self, reply: int, text: str) -> None:
        label, correction = self.history[reply][-1]
        assert self.attempt("correct", reply, text)
        if correction != text:
            self.now(reply, (False if label is False else None, text))

    @rule(reply=REPLIES)
    def undo(self, reply: int) -> None:
        possible = len(self.history[reply]) > 1
        assert self.attempt("undo", reply) is possible
        if possible:
            self.history[reply].pop()
            self.forget(reply)

    @rule(reply=REPLIES)
    def delete(self, reply: int) -> None:
        message = self.replies[reply].id
        live = [r.id for r in self.repository.records() if r.message_id == message]
        if live:
            before = self.repository._index.about(message)
            gone = self.repository.delete_records(live)
            self.bin = (gone, reply, self.history[reply], before)
            self.history[reply] = [NOTHING]

    @precondition(lambda self: self.bin is not None)
    @rule()
    def restore(self) -> None:
        assert self.bin
        gone, reply, history, before = self.bin
        self.repository.restore_records(gone)
        assert self.repository._index.about(self.replies[reply].id) == before
        self.history[reply] = history
        self.bin = None

    @rule(texts=st.lists(st.sampled_from("abcdef"), max_size=4))
    def bring(self, texts: list[str]) -> None:
        origin = Origin(source="import:x")
        prompt = (ChatMessage(role="user", content="x"),)
        records = [Instruction(id=t, prompt=prompt, completion=t, origin=origin) for t in texts]
        added = self.repository.add_imported(records)
        assert {record.id for record in added.records} == set(texts) - self.imports
        self.imports |= set(texts)

    @precondition(lambda self: self.imports)
    @rule()
    def delete_an_import(self) -> None:
        first = min(self.imports)
        assert [record.id for record in self.repository.delete_records([first])] == [first]
        self.imports.remove(first)

    @rule()
    def reopen(self) -> None:
        self.repository.close()
        self.repository = Repository.open(self.paths)
        assert self.repository.notices == ()

    def attempt(self, verb: str, reply: int, *arguments: object) -> bool:
        try:
            getattr(self.repository, verb)(self.replies[reply].id, *arguments)
        except TuteeError:
            return False
        return True

    def now(self, reply: int, stands: Stands) -> None:
        self.history[reply].append(stands)
        self.forget(reply)

    def forget(self, reply: int) -> None:
        """What was deleted of a reply fits no more once something else was done about it."""
        if self.bin and self.bin[1] == reply:
            self.bin = None

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def it_says_what_the_model_says(self) -> None:
        stands = [history[-1] for history in self.history]
        for reply, (label, correction) in zip(self.replies, stands, strict=True):
            feedback = self.repository.feedback(reply.id)
            assert (feedback.label, feedback.correction) == (label, correction)
        counts = self.repository.counts()
        assert counts.liked == sum(label is True for label, _ in stands)
        assert counts.disliked == sum(label is False for label, _ in stands)
        assert counts.corrected == sum(correction is not None for _, correction in stands)
        assert counts.instructions == counts.liked + counts.corrected + len(self.imports)
        assert counts.preferences == counts.corrected
        assert counts.verdicts == counts.liked + counts.disliked

    @invariant()
    def the_disk_says_what_memory_says(self) -> None:
        records = self.repository.records()
        assert records == sorted(records, key=lambda record: record.created)
        with Repository.open(self.paths, write=False) as reader:
            assert reader.records() == records
            assert reader.counts() == self.repository.counts()
            for reply in self.replies:
                kept = reader._index.about(reply.id)
                assert kept == self.repository._index.about(reply.id)


TestHome = Home.TestCase
TestHome.settings = settings(
    max_examples=settings().max_examples * 30 // 100, stateful_step_count=25
)
