"""What is thought of a completion comes back as the user's own records."""

from contextlib import closing
from pathlib import Path

from core.workers.chat import ChatWorker
from store.paths import locate
from store.records import Instruction, Preference, Verdict
from store.repository import Repository
from tests.tui.endpoint.conftest import ASK, CONFIG, Running, serving

FEEDBACK = "/v1/feedback"


def test_a_correction_is_an_instruction_and_a_pair(running: Running) -> None:
    said = running.client.chat(seed=7, temperature=1)
    status, reply = running.client.ask(
        "POST", FEEDBACK, {"id": said["id"], "correction": "Hello!", "comment": "Be friendly."}
    )
    assert (status, reply["correction"]) == (200, "Hello!")
    original = said["choices"][0]["message"]["content"]
    with closing(running.repository()) as repository:
        better, pair = repository.records()
        assert isinstance(better, Instruction)
        assert isinstance(pair, Preference)
        assert (better.completion, better.comment) == ("Hello!", "Be friendly.")
        assert (pair.chosen, pair.rejected) == ("Hello!", original)
        assert better.origin.source == "api"
        assert (better.origin.adapter, better.origin.seed) == ("base", 7)
        assert [m.content for m in better.prompt] == [CONFIG.chat.system_prompt, "hello world"]
        (conversation,) = repository.conversations()
        assert (conversation.title, conversation.source) == ("hello world", "api")
        # Like any other feedback, it can be undone.
        message = better.message_id or ""
    with Repository.open(running.paths) as writing:
        assert writing.undo(message).correction is None
        assert writing.records() == []


def test_a_thumb_down_has_reasons(running: Running) -> None:
    said = running.client.chat()
    body = {"id": said["id"], "label": False, "reasons": ["wrong", "style"]}
    assert running.client.ask("POST", FEEDBACK, body)[1]["reasons"] == ["wrong", "style"]
    again = {"id": said["id"], "label": True}
    assert running.client.ask("POST", FEEDBACK, again)[1]["label"] is True
    with closing(running.repository()) as repository:
        kinds = {type(record): record for record in repository.records()}
    assert kinds.keys() == {Verdict, Instruction}
    verdict = kinds[Verdict]
    assert isinstance(verdict, Verdict)
    assert verdict.label


def test_the_rounds_of_a_conversation_come_together(running: Running) -> None:
    client = running.client
    one = client.chat()
    reply = one["choices"][0]["message"]["content"]
    turns = [*ASK["messages"], {"role": "assistant", "content": reply}]
    two = client.chat(messages=[*turns, {"role": "user", "content": "and now?"}])
    for said in (two, one):
        assert client.ask("POST", FEEDBACK, {"id": said["id"], "label": True})[0] == 200
    with closing(running.repository()) as repository:
        (conversation,) = repository.conversations()
        roles = [message.role for message in repository.messages(conversation.id)]
        assert roles == ["system", "user", "assistant", "user", "assistant"]
        assert repository.counts().liked == 2


def test_a_stream_takes_feedback_too(running: Running) -> None:
    pieces = running.client.stream("/v1/chat/completions", **ASK)
    body = {"id": pieces[0]["id"], "label": False}
    assert running.client.ask("POST", FEEDBACK, body)[0] == 200


def test_a_reply_that_the_client_began_is_one_reply(running: Running) -> None:
    begun = [*ASK["messages"], {"role": "assistant", "content": "hello"}]
    said = running.client.chat(messages=begun)
    assert running.client.ask("POST", FEEDBACK, {"id": said["id"], "label": True})[0] == 200
    with closing(running.repository()) as repository:
        liked = next(r for r in repository.records() if isinstance(r, Instruction))
    assert liked.completion == "hello" + said["choices"][0]["message"]["content"]
    assert liked.prompt[-1].role == "user"


def test_bad_feedback_is_refused_and_nothing_is_stored(running: Running) -> None:
    said = running.client.chat()
    reply = said["choices"][0]["message"]["content"]
    for body in (
        {},
        {"label": None},
        {"label": "maybe"},
        {"label": False, "reasons": ["boring"]},
        {"label": True, "reasons": ["wrong"]},
        {"label": True, "correction": "Hello!"},
        {"correction": "  "},
        {"correction": reply},
        {"label": False, "correction": reply},
    ):
        status, error = running.client.refused(FEEDBACK, **{"id": said["id"], **body})
        assert status == 400, body
        assert error["message"]
    assert running.client.refused(FEEDBACK, id="chatcmpl-0", label=True)[0] == 404
    with closing(running.repository()) as repository:
        assert repository.records() == []
        assert repository.conversations() == []


def test_feedback_waits_for_nobody_while_the_app_has_the_home(running: Running) -> None:
    said = running.client.chat()
    with Repository.open(running.paths):
        status, error = running.client.refused(FEEDBACK, id=said["id"], label=True)
    assert (status, error["code"]) == (503, "home_in_use")
    assert running.client.ask("POST", FEEDBACK, {"id": said["id"], "label": True})[0] == 200


def test_only_the_latest_completions_are_kept() -> None:
    from store.records import ChatMessage, Origin
    from tui.endpoint import completions

    recent = completions.RecentCompletions()
    prompt = (ChatMessage(role="user", content="x" * 1_000_000),)
    for number in range(40):
        recent.add(completions.Completion(str(number), prompt, "y", Origin(), 1, 1.0))
    kept = list(recent._kept)
    assert kept[-1] == "39"
    assert len(kept) == 15


def test_a_correction_is_followed_before_it_is_learned(running: Running) -> None:
    first = running.client.chat()
    running.client.ask("POST", FEEDBACK, {"id": first["id"], "correction": "Hello!"})
    second = running.client.chat(messages=[{"role": "user", "content": "Hello, world?"}])
    assert second["usage"]["prompt_tokens"] > first["usage"]["prompt_tokens"] + 2
    running.client.ask("POST", FEEDBACK, {"id": second["id"], "label": True})
    with closing(running.repository()) as repository:
        better, _, liked, _ = repository.records()
        assert liked.origin.recalled == (better.id,)
        # What is learned has no examples in its prompt.
        assert [m.content for m in liked.prompt] == [CONFIG.chat.system_prompt, "Hello, world?"]


def test_recall_can_be_turned_off(worker: ChatWorker, tmp_path: Path) -> None:
    off = CONFIG.model_copy(update={"chat": CONFIG.chat.model_copy(update={"recall": False})})
    with serving(worker, locate(tmp_path / "home"), config=off) as running:
        first = running.client.chat()
        running.client.ask("POST", FEEDBACK, {"id": first["id"], "correction": "Hello!"})
        assert running.client.chat()["usage"] == first["usage"]
