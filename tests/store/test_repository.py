"""The home as the rest of the program sees it."""

import os
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.paths import Paths
from store.records import (
    ChatMessage,
    Conversation,
    ImportedConversation,
    Instruction,
    Message,
    Origin,
    Preference,
    Sampling,
    Verdict,
)
from store.repository import Added, Counts, Repository
from tests.live_records import instructions, preferences

USER = ChatMessage(role="user", content="What is the capital of France?")
SYSTEM = ChatMessage(role="system", content="Be brief.")


def reopened(repository: Repository, paths: Paths) -> Repository:
    repository.close()
    return Repository.open(paths)


# -- conversations -----------------------------------------------------------------------------


def test_a_conversation_comes_back(repository: Repository, reply: Message, paths: Paths) -> None:
    kept = repository.messages(reply.conversation_id)
    with reopened(repository, paths) as again:
        assert again.messages(reply.conversation_id) == kept
        assert [message.role for message in kept] == ["system", "user", "assistant"]
        assert again.message(reply.id) == reply
        (conversation,) = again.conversations()
        assert conversation.title == USER.content
        assert conversation.updated == reply.created


def test_a_reply_keeps_where_it_came_from(repository: Repository, paths: Paths) -> None:
    conversation = repository.start_conversation()
    repository.add_message(conversation.id, "user", "hi")
    origin = Origin(model="m", adapter="v1", sampling=Sampling(temperature=0), seed=3, stopped=True)
    reply = repository.add_message(
        conversation.id, "assistant", "yo", origin=origin, tokens=5, seconds=0.5
    )
    with reopened(repository, paths) as again:
        assert again.message(reply.id) == reply
        assert again.message(reply.id).origin == origin


def test_only_conversations_with_something_said_are_listed_newest_first(
    repository: Repository, paths: Paths
) -> None:
    first = repository.start_conversation("system")
    second = repository.start_conversation("system")
    repository.start_conversation("system")
    repository.add_message(first.id, "user", "one")
    repository.add_message(second.id, "user", "two")
    repository.add_message(first.id, "assistant", "three")
    assert [c.id for c in repository.conversations()] == [first.id, second.id]
    with reopened(repository, paths) as again:
        assert [c.id for c in again.conversations()] == [first.id, second.id]


def test_a_conversation_without_messages_never_reaches_the_disk(
    repository: Repository, paths: Paths
) -> None:
    conversation = repository.start_conversation("Be brief.")
    assert repository.turns(conversation.id) == (SYSTEM,)
    assert not list((paths.records / "conversations").iterdir())


def test_the_title_is_one_short_line(repository: Repository) -> None:
    conversation = repository.start_conversation()
    repository.add_message(conversation.id, "user", "  many\nwords " + "and more " * 20)
    title = repository.conversation(conversation.id).title
    assert title.startswith("many words and more")
    assert len(title) <= 60
    assert title.endswith("…")


def test_a_sibling_becomes_the_path(repository: Repository, reply: Message) -> None:
    other = repository.add_message(
        reply.conversation_id, "assistant", "Paris", parent_id=reply.parent_id
    )
    assert repository.messages(reply.conversation_id)[-1] == other
    assert repository.prompt_for(other.id) == repository.prompt_for(reply.id)


def test_a_parent_must_be_in_the_conversation(repository: Repository, reply: Message) -> None:
    other = repository.start_conversation()
    with pytest.raises(TuteeError, match="not in this conversation"):
        repository.add_message(other.id, "user", "hi", parent_id=reply.id)


def test_what_does_not_exist_is_a_clear_error(repository: Repository) -> None:
    with pytest.raises(TuteeError, match="no conversation"):
        repository.messages("nope")
    with pytest.raises(TuteeError, match="no message"):
        repository.rate("nope", True)


def test_half_a_surrogate_pair_does_not_stop_the_writing(
    repository: Repository, paths: Paths
) -> None:
    conversation = repository.start_conversation("\ud83d")
    message = repository.add_message(conversation.id, "user", "a\ud83db 😀")
    assert message.content == "a?b 😀"
    with reopened(repository, paths) as again:
        assert again.message(message.id) == message


# -- feedback ----------------------------------------------------------------------------------


def test_feedback_comes_back(repository: Repository, reply: Message, paths: Paths) -> None:
    repository.rate(reply.id, False, ["wrong"], "It is Paris.")
    given = repository.correct(reply.id, "Paris")
    assert given.label is False
    assert given.correction == "Paris"
    with reopened(repository, paths) as again:
        assert again.feedback(reply.id) == given
        assert again.feedback(reply.id) == given
        assert again.undo(reply.id).correction is None
        assert again.undo(reply.id).undoable is False
        with pytest.raises(TuteeError, match="nothing to undo"):
            again.undo(reply.id)


def test_what_was_put_aside_comes_back_after_a_restart(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    liked = repository.rate(reply.id, True)
    repository.correct(reply.id, "Paris")
    with reopened(repository, paths) as again:
        assert again.undo(reply.id) == liked
    with Repository.open(paths, write=False) as again:
        assert again.feedback(reply.id) == liked
        assert again.counts().instructions == 1


def test_records_carry_the_prompt_with_its_corrections(
    repository: Repository, reply: Message
) -> None:
    repository.correct(reply.id, "Paris")
    conversation = reply.conversation_id
    repository.add_message(conversation, "user", "And of Italy?")
    second = repository.add_message(conversation, "assistant", "Rome")
    repository.rate(second.id, True)
    prompt = (
        SYSTEM,
        USER,
        ChatMessage(role="assistant", content="Paris"),
        ChatMessage(role="user", content="And of Italy?"),
    )
    assert repository.prompt_for(second.id) == prompt
    assert repository.turns(conversation) == (
        *prompt,
        ChatMessage(role="assistant", content="Rome"),
    )
    assert repository.message(reply.id).content == "Lyon"
    assert instructions(repository)[-1].prompt == prompt
    assert repository.prompt_for(reply.id) == (SYSTEM, USER)


def test_only_replies_are_judged(repository: Repository, reply: Message) -> None:
    assert reply.parent_id
    with pytest.raises(TuteeError, match="Only the model's replies"):
        repository.rate(reply.parent_id, True)
    with pytest.raises(TuteeError, match="Only the model's replies"):
        repository.correct(reply.parent_id, "x")


def test_counts(repository: Repository, reply: Message) -> None:
    assert repository.counts() == Counts(0, 0, 0, 0, 0, 0)
    repository.rate(reply.id, True)
    second = repository.add_message(reply.conversation_id, "assistant", "Paris")
    repository.rate(second.id, False)
    third = repository.add_message(reply.conversation_id, "assistant", "Nice")
    repository.correct(third.id, "Paris")
    repository.add_imported(
        [
            Instruction(prompt=(USER,), completion="Paris"),
            Verdict(prompt=(USER,), completion="Paris", label=True),
        ]
    )
    assert repository.counts() == Counts(
        liked=1, disliked=1, corrected=1, instructions=3, preferences=1, verdicts=3
    )
    repository.correct(reply.id, "Paris")
    assert repository.counts() == Counts(
        liked=0, disliked=1, corrected=2, instructions=3, preferences=2, verdicts=2
    )


def test_an_act_is_one_write_of_one_file(
    repository: Repository, reply: Message, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.rate(reply.id, True)
    written: list[str] = []
    move = os.replace

    def noted(old: str, new: str) -> None:
        written.append(str(new))
        move(old, new)

    monkeypatch.setattr(os, "replace", noted)
    repository.correct(reply.id, "Paris")
    one = "feedback/0001.json"
    assert written == [str(paths.backups / "previous" / one), str(paths.records / one)]
    repository.correct(reply.id, "Paris")
    assert len(written) == 2, "the same correction again writes nothing"


def test_an_act_that_cannot_be_written_did_not_happen(
    repository: Repository, reply: Message, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    liked = repository.rate(reply.id, True)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(TuteeError, match="No space left"):
            repository.correct(reply.id, "Paris")
    assert repository.feedback(reply.id) == liked
    corrected = repository.correct(reply.id, "Paris!")
    with reopened(repository, paths) as again:
        assert again.feedback(reply.id) == corrected
        assert again.undo(reply.id) == liked


# -- imports -----------------------------------------------------------------------------------


def test_imports_are_kept_once(repository: Repository, paths: Paths) -> None:
    origin = Origin(source="import:a.jsonl")
    one = Instruction(prompt=(USER,), completion="Paris", origin=origin)
    pair = Preference(prompt=(USER,), chosen="Paris", rejected="Lyon")
    assert repository.add_imported([one, pair]).records == (
        one,
        pair,
    )
    again = Instruction(prompt=(USER,), completion="Paris")
    other = Instruction(prompt=(SYSTEM, USER), completion="Paris")
    assert repository.add_imported([again, other, pair]).records == (other,)
    assert repository.add_imported([again]).records == ()
    with reopened(repository, paths) as opened:
        assert instructions(opened) == [one, other]
        assert preferences(opened) == [pair]
        assert opened.add_imported([again]).records == ()


def test_what_the_chat_has_taught_is_not_imported_again(
    repository: Repository, reply: Message
) -> None:
    repository.correct(reply.id, "Paris")
    same = Instruction(prompt=(SYSTEM, USER), completion="Paris")
    assert repository.add_imported([same]).records == ()
    repository.undo(reply.id)
    assert repository.add_imported([same]).records == (same,)


def test_verdicts_differ_by_their_label(repository: Repository) -> None:
    up = Verdict(prompt=(USER,), completion="Paris", label=True)
    down = Verdict(prompt=(USER,), completion="Paris", label=False)
    assert repository.add_imported([up, down, up]).records == (
        up,
        down,
    )


def test_records_are_oldest_first(repository: Repository, reply: Message) -> None:
    early = Instruction(prompt=(USER,), completion="early")
    repository.correct(reply.id, "Paris")
    repository.add_imported([Instruction(prompt=(USER,), completion="late"), early])
    assert [r.completion for r in instructions(repository)] == ["early", "Paris", "late"]


def test_a_record_whose_id_is_there_is_not_taken_again(
    repository: Repository, reply: Message
) -> None:
    repository.rate(reply.id, True)
    (verdict, _) = repository.records()
    repository.rate(reply.id, False)
    aside = repository.record(verdict.id)
    assert repository.add_imported([aside]).records == ()


def chat(*messages: tuple[str, str | None], title: str = "A talk") -> ImportedConversation:
    conversation = Conversation(id="c", title=title, source="import:chats.json")
    return ImportedConversation(
        conversation,
        tuple(
            Message(
                id=message_id,
                conversation_id="c",
                parent_id=parent,
                role="assistant" if parent else "user",
                content=f"I am {message_id}",
            )
            for message_id, parent in messages
        ),
    )


def test_a_chat_from_elsewhere_is_kept_once_and_grows(repository: Repository, paths: Paths) -> None:
    short = chat(("m1", None), ("m2", "m1"))
    long = chat(("m1", None), ("m2", "m1"), ("m3", "m1"), title="Another title")
    assert repository.add_imported((), [short]) == Added((), 1, 2)
    assert repository.add_imported((), [short, short]) == Added((), 0, 0)
    assert repository.add_imported((), [long]) == Added((), 0, 1)
    with reopened(repository, paths) as again:
        (conversation,) = again.conversations()
        assert (conversation.title, conversation.source) == ("A talk", "import:chats.json")
        assert conversation.updated == long.conversation.updated
        assert [message.id for message in again.messages("c")] == ["m1", "m3"]
        assert again.message("m2").content == "I am m2"
        assert again.rate("m2", True).label is True


def test_a_chat_from_elsewhere_goes_on_here(repository: Repository) -> None:
    short = chat(("m1", None), ("m2", "m1"))
    repository.add_imported((), [short])
    message = repository.add_message("c", "user", "And now?")
    assert message.parent_id == "m2"
    assert repository.add_imported((), [short]) == Added((), 0, 0)
    assert repository.messages("c")[-1] == message


# -- opening -----------------------------------------------------------------------------------


def test_reading_touches_nothing(paths: Paths) -> None:
    with Repository.open(paths, write=False) as repository:
        assert repository.conversations() == []
        assert repository.counts() == Counts(0, 0, 0, 0, 0, 0)
    assert not paths.home.exists()


def test_a_reader_reads_beside_a_writer_and_writes_nothing(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    repository.rate(reply.id, True)
    with Repository.open(paths, write=False) as reader:
        assert reader.counts().liked == 1
        with pytest.raises(TuteeError, match="reading only"):
            reader.rate(reply.id, False)
        with pytest.raises(TuteeError, match="reading only"):
            reader.add_message(reply.conversation_id, "user", "hi")
        with pytest.raises(TuteeError, match="reading only"):
            reader.add_imported([Instruction(prompt=(USER,), completion="x")])
        assert reader.feedback(reply.id).label is True


def test_files_are_private(repository: Repository, reply: Message, paths: Paths) -> None:
    repository.rate(reply.id, True)
    repository.add_imported([Instruction(prompt=(USER,), completion="Paris")])
    repository.undo(reply.id)
    modes = {path: path.stat().st_mode & 0o777 for path in paths.home.rglob("*")}
    assert len([path for path in modes if path.suffix == ".json"]) == 8
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_a_home_that_cannot_be_is_refused(tmp_path: Path, paths: Paths) -> None:
    paths.home.write_text("a file")
    with pytest.raises(TuteeError, match="cannot store anything"):
        Repository.open(paths)
