"""Raw prompts: what the client sends is all that the model reads."""

from core.config import Config
from tests.tui.endpoint.conftest import Client, Running

TEXT = "/v1/completions"


def test_a_prompt_is_continued(running: Running) -> None:
    client = running.client
    status, reply = client.ask("POST", TEXT, {"prompt": "hello world", "max_tokens": 5})
    assert (status, reply["object"]) == (200, "text_completion")
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 5
    *pieces, last, done = client.stream(TEXT, prompt="hello world", max_tokens=5)
    assert done == "[DONE]"
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == choice["text"]
    assert last["choices"][0]["finish_reason"] == "length"
    # It takes no feedback: it is no conversation.
    assert client.refused("/v1/feedback", id=reply["id"], label=True)[0] == 404


def test_tokens_are_a_prompt_too(client: Client) -> None:
    replies = [
        client.ask("POST", TEXT, {"prompt": prompt, "max_tokens": 4})[1]
        for prompt in ([40, 41, 42], [[40, 41, 42]])
    ]
    assert replies[0]["choices"] == replies[1]["choices"]
    assert replies[0]["usage"]["prompt_tokens"] == 3


def test_a_template_written_by_the_client_has_control_tokens(client: Client) -> None:
    prompt = "<|im_start|>user\nhi<|im_end|>\n"
    usage = client.ask("POST", TEXT, {"prompt": prompt, "max_tokens": 1})[1]["usage"]
    spelled = client.ask("POST", TEXT, {"prompt": prompt.replace("<|", "<"), "max_tokens": 1})
    assert usage["prompt_tokens"] < spelled[1]["usage"]["prompt_tokens"]


def test_what_cannot_be_followed_is_refused(client: Client) -> None:
    refused: tuple[dict[str, object], ...] = (
        {},
        {"prompt": ""},
        {"prompt": []},
        {"prompt": [10**6]},
        {"prompt": [-1]},
        {"prompt": ["a", "b"]},
        {"prompt": "fox " * 3000},
        {"prompt": "a", "echo": True},
        {"prompt": "a", "suffix": "b"},
        {"prompt": "a", "best_of": 2},
        {"prompt": "a", "logprobs": 5},
    )
    for fields in refused:
        status, error = client.refused(TEXT, **fields)
        assert status == 400, fields
        assert error["message"]


def test_the_settings_are_the_defaults() -> None:
    from tui.endpoint.requests import CompletionRequest

    default = Config().sampling
    asked = CompletionRequest.model_validate({"prompt": "a", "top_k": 3})
    assert asked.sampling(default) == default.model_copy(update={"top_k": 3})
