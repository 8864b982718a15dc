"""Events from worker threads: fewer messages, none lost, none out of order."""

from core.events import Event, PassDone, PassStarted, ReplyDone, StepReport, TokenChunk
from tui.bridge import STEP_SECONDS, TOKEN_SECONDS, Bridge


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def bridge() -> tuple[Bridge, Clock, list[Event]]:
    clock = Clock()
    made = Bridge(clock)
    received: list[Event] = []
    made.connect(received.append)
    return made, clock, received


def done(request_id: str, text: str) -> ReplyDone:
    return ReplyDone(request_id, text, False, False, 1, 1.0, "base", 0)


def step(number: float) -> StepReport:
    return StepReport("sft", number, 9, 1.0, 100.0, 1.0)


def test_tokens_within_the_window_become_one_message() -> None:
    made, clock, received = bridge()
    for piece in ("a", "b", "c"):
        made.emit(TokenChunk("r", piece))
    clock.now += TOKEN_SECONDS
    made.emit(TokenChunk("r", "d"))
    assert received == [TokenChunk("r", "a"), TokenChunk("r", "bcd")]


def test_the_end_of_a_reply_brings_the_tokens_held_back_first() -> None:
    made, _, received = bridge()
    for piece in ("a", "b", "c"):
        made.emit(TokenChunk("r", piece))
    made.emit(done("r", "abc"))
    assert received == [TokenChunk("r", "a"), TokenChunk("r", "bc"), done("r", "abc")]


def test_tokens_of_two_replies_are_never_mixed() -> None:
    made, _, received = bridge()
    for request_id, piece in (("one", "a"), ("one", "b"), ("two", "c"), ("two", "d")):
        made.emit(TokenChunk(request_id, piece))
    made.emit(done("two", "cd"))
    texts = {"one": "", "two": ""}
    for event in received:
        if isinstance(event, TokenChunk):
            texts[event.request_id] += event.text
    assert texts == {"one": "ab", "two": "cd"}


def test_steps_are_thinned_to_the_newest_and_the_last_arrives() -> None:
    made, clock, received = bridge()
    made.emit(PassStarted("sft", 9, 1, 0))
    for number in range(1, 8):
        made.emit(step(number))
    clock.now += STEP_SECONDS
    made.emit(step(8))
    made.emit(step(9))
    passed = PassDone("sft", "v1", 9, (1.0,), 1.0, 1)
    made.emit(passed)
    assert received[1:] == [step(1), step(8), step(9), passed]


def test_at_most_ten_steps_a_second() -> None:
    made, clock, received = bridge()
    for number in range(1000):
        clock.now = number / 1000
        made.emit(step(number))
    assert len(received) <= 11


def test_tokens_do_not_wait_for_steps_nor_steps_for_tokens() -> None:
    made, _, received = bridge()
    made.emit(step(1))
    made.emit(TokenChunk("r", "a"))
    assert received == [step(1), TokenChunk("r", "a")]


def test_before_the_app_is_connected_events_go_nowhere() -> None:
    Bridge().emit(TokenChunk("r", "a"))
