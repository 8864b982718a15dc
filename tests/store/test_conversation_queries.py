"""Conversations that branch, that are found, renamed, pinned, deleted, and go on otherwise."""

import json

import pytest

from store.errors import TuteeError
from store.paths import Paths
from store.records import SCHEMA_VERSION, ChatMessage, Instruction, Message, Sampling
from store.repository import Repository

SYSTEM = ChatMessage(role="system", content="Be brief.")


def said(repository: Repository, conversation_id: str) -> list[str]:
    return [m.content for m in repository.messages(conversation_id) if m.role != "system"]


def reopened(repository: Repository, paths: Paths) -> Repository:
    repository.close()
    return Repository.open(paths)


# -- branches ----------------------------------------------------------------------------------


def test_another_reply_stands_beside_the_first_and_either_can_be_chosen(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    chat = reply.conversation_id
    other = repository.add_message(chat, "assistant", "Paris", parent_id=reply.parent_id)
    assert said(repository, chat)[-1] == "Paris"
    assert repository.siblings(chat)[reply.id] == (reply.id, other.id)
    repository.choose(reply.id)
    assert said(repository, chat)[-1] == reply.content
    with reopened(repository, paths) as again:
        assert said(again, chat)[-1] == reply.content
        assert again.message(other.id) == other


def test_a_choice_leads_to_the_newest_message_behind_it(
    repository: Repository, reply: Message
) -> None:
    chat = reply.conversation_id
    repository.add_message(chat, "user", "And Italy?")
    repository.add_message(chat, "assistant", "Rome")
    other = repository.add_message(chat, "assistant", "Paris", parent_id=reply.parent_id)
    assert len(said(repository, chat)) == 2
    repository.choose(reply.id)
    assert said(repository, chat)[-2:] == ["And Italy?", "Rome"]
    repository.choose(other.id)
    assert said(repository, chat)[-1] == "Paris"


def test_a_question_asked_otherwise_begins_another_way(
    repository: Repository, reply: Message
) -> None:
    chat = reply.conversation_id
    question = repository.message(reply.parent_id or "")
    edited = repository.add_message(chat, "user", "Capital of Italy?", beside=question.id)
    assert edited.parent_id == question.parent_id
    assert said(repository, chat) == ["Capital of Italy?"]
    assert repository.turns(chat) == (SYSTEM, ChatMessage(role="user", content="Capital of Italy?"))
    repository.choose(question.id)
    assert said(repository, chat) == [question.content, reply.content]


def test_the_very_first_message_can_have_another_version(repository: Repository) -> None:
    chat = repository.start_conversation().id
    first = repository.add_message(chat, "user", "one")
    other = repository.add_message(chat, "user", "two", beside=first.id)
    assert other.parent_id is None
    assert said(repository, chat) == ["two"]
    assert repository.siblings(chat)[first.id] == (first.id, other.id)


def test_what_follows_goes_on_from_the_chosen_way(repository: Repository, reply: Message) -> None:
    chat = reply.conversation_id
    repository.add_message(chat, "assistant", "Paris", parent_id=reply.parent_id)
    repository.choose(reply.id)
    assert repository.add_message(chat, "user", "Sure?").parent_id == reply.id


def test_another_version_must_be_of_the_same_conversation(
    repository: Repository, reply: Message
) -> None:
    other = repository.start_conversation()
    with pytest.raises(TuteeError, match="not in this conversation"):
        repository.add_message(other.id, "user", "hi", beside=reply.id)


# -- the list ----------------------------------------------------------------------------------


def test_a_title_given_by_hand_stays(repository: Repository, reply: Message, paths: Paths) -> None:
    chat = reply.conversation_id
    assert repository.rename_conversation(chat, " 首都\n[b] ").title == "首都 [b]"
    repository.add_message(chat, "user", "And now?")
    with reopened(repository, paths) as again:
        assert again.conversation(chat).title == "首都 [b]"
        assert again.rename_conversation(chat, " ").title == "What is the capital of France?"


def test_a_greeting_gives_its_title_up(repository: Repository) -> None:
    chat = repository.start_conversation().id
    for text, title in (("Hi!", "Hi!"), ("Who was Ada?", "Who was Ada?"), ("Why?", "Who was Ada?")):
        repository.add_message(chat, "user", text)
        assert repository.conversation(chat).title == title


def test_renaming_and_pinning_do_not_make_a_chat_newer(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    newer = repository.start_conversation()
    repository.add_message(newer.id, "user", "later")
    repository.rename_conversation(reply.conversation_id, "mine")
    repository.pin_conversation(reply.conversation_id, True)
    with reopened(repository, paths) as again:
        assert [c.id for c in again.conversations()] == [newer.id, reply.conversation_id]
        assert again.conversation(reply.conversation_id).pinned


def test_search_looks_into_titles_and_texts(repository: Repository, reply: Message) -> None:
    chat = repository.start_conversation("Straße of systems")
    repository.add_message(chat.id, "user", "Wo ist die STRASSE? 路在哪里")
    repository.rename_conversation(reply.conversation_id, "Geography")

    def found(text: str) -> list[tuple[str, str | None]]:
        hits = repository.search(text)
        return [(hit.conversation.id, hit.message.content if hit.message else None) for hit in hits]

    assert found("geo") == [(reply.conversation_id, None)]
    assert found("straße") == [(chat.id, "Wo ist die STRASSE? 路在哪里")]
    assert [talk for talk, _ in found("路在")] == [chat.id]
    assert found("of systems") == []
    assert len(found("")) == 2


def test_a_deleted_conversation_is_gone_until_it_is_restored(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    chat = reply.conversation_id
    repository.rate(reply.id, True)
    gone = repository.delete_conversation(chat)
    assert repository.conversations() == repository.search("France") == []
    with pytest.raises(TuteeError, match="no message"):
        repository.message(reply.id)
    assert len(repository.records()) == 2, "what it taught stays"
    repository = reopened(repository, paths)
    assert repository.conversations() == []
    repository.restore_conversation(gone)
    repository.restore_conversation(gone)
    with reopened(repository, paths) as again:
        assert said(again, chat)[-1] == reply.content
        assert again.feedback(reply.id).label is True


def test_a_conversation_that_never_reached_the_disk_can_be_deleted(repository: Repository) -> None:
    chat = repository.start_conversation("Be brief.")
    repository.delete_conversation(chat.id)
    with pytest.raises(TuteeError, match="no conversation"):
        repository.messages(chat.id)


# -- going on otherwise ------------------------------------------------------------------------


def test_a_new_system_prompt_counts_from_the_next_reply_on(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    chat, sampling = reply.conversation_id, Sampling(temperature=1)
    repository.set_chat(chat, system_prompt="Rhyme.", sampling=sampling)
    repository.add_message(chat, "user", "Again?")
    later = repository.add_message(chat, "assistant", "A pen.")
    with reopened(repository, paths) as again:
        assert again.turns(chat)[0].content == again.prompt_for(later.id)[0].content == "Rhyme."
        assert [turn.role for turn in again.turns(chat)].count("system") == 1
        assert again.prompt_for(reply.id)[0] == SYSTEM
        assert again.conversation(chat).sampling == sampling
        again.set_chat(chat, system_prompt="", sampling=None)
        assert again.turns(chat)[0] == SYSTEM
        assert again.prompt_for(later.id)[0].content == "Rhyme."


def test_a_chat_can_be_set_before_anything_is_said(repository: Repository, paths: Paths) -> None:
    chat = repository.start_conversation("Be brief.").id
    repository.set_chat(chat, system_prompt="Rhyme.", sampling=None)
    assert not list((paths.records / "conversations").iterdir())
    repository.add_message(chat, "user", "hi")
    with reopened(repository, paths) as again:
        assert [turn.content for turn in again.turns(chat)] == ["Rhyme.", "hi"]


# -- what is not trained on --------------------------------------------------------------------


def test_an_excluded_reply_keeps_its_records_out_of_training(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    with pytest.raises(TuteeError, match="has no feedback to train on"):
        repository.exclude(reply.id, True)
    repository.correct(reply.id, "Paris")
    before = repository.records()
    assert repository.exclude(reply.id, True).excluded
    assert repository.trainable() == []
    with reopened(repository, paths) as again:
        assert len(again.records()) == 2
        assert again.trainable() == []
        assert not again.exclude(reply.id, False).excluded
        assert again.records() == again.trainable() == before


def test_imported_records_can_be_excluded_too(repository: Repository) -> None:
    prompt = (ChatMessage(role="user", content="hi"),)
    one, two = (Instruction(prompt=prompt, completion=text) for text in ("a", "b"))
    repository.add_imported([one, two])
    (changed,) = repository.exclude_records([one.id], True)
    assert changed.excluded
    assert repository.exclude_records([one.id], True) == []
    assert repository.trainable() == [two]
    assert repository.counts().instructions == 2


# -- homes of before ---------------------------------------------------------------------------


def test_a_home_of_schema_2_is_read_as_it_is_and_stamped(
    repository: Repository, paths: Paths, reply: Message
) -> None:
    repository.close()
    stamp = paths.records / "schema.json"
    (segment,) = (paths.records / "conversations").iterdir()
    document = json.loads(segment.read_text())
    new = ("pinned", "tip", "system_prompt", "sampling")
    for thread in document["documents"].values():
        for key in new:
            del thread["conversation"][key]
        for message in thread["messages"]:
            del message["system_prompt"]
    segment.write_text(json.dumps(document))
    stamp.write_text('{"version": 2}')
    with Repository.open(paths, write=False) as reader:
        assert said(reader, reply.conversation_id)[-1] == reply.content
    assert json.loads(stamp.read_text()) == {"version": 2}
    with Repository.open(paths) as again:
        assert again.notices == ()
        assert said(again, reply.conversation_id)[-1] == reply.content
    assert json.loads(stamp.read_text()) == {"version": SCHEMA_VERSION}
