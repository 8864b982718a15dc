"""Chat completions as clients of OpenAI's API ask for them, on a real (tiny) model."""

import pytest

from tests.lora import taught_version
from tests.tui.endpoint.conftest import ASK, CONFIG, Client, Running

CHAT = "/v1/chat/completions"


def test_a_whole_reply(running: Running) -> None:
    reply = running.client.chat(model="base")
    (choice,) = reply["choices"]
    assert reply["object"] == "chat.completion"
    assert reply["id"].startswith("chatcmpl-")
    assert reply["model"] == "base"
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    assert choice["finish_reason"] == "length"
    usage = reply["usage"]
    assert usage["completion_tokens"] == CONFIG.sampling.max_new_tokens
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    (served,) = running.served
    assert (served.version, served.tokens) == ("base", usage["completion_tokens"])


def test_the_pieces_of_a_stream_add_up_to_the_whole_reply(client: Client) -> None:
    *pieces, last, done = client.stream(CHAT, **ASK)
    assert done == "[DONE]"
    assert pieces[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {piece["id"] for piece in pieces} == {last["id"]}
    assert {piece["object"] for piece in pieces} == {"chat.completion.chunk"}
    assert last["choices"][0]["finish_reason"] == "length"
    said = "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces)
    assert said == client.chat()["choices"][0]["message"]["content"]
    assert len(pieces) > 3


def test_a_stream_ends_with_the_usage_where_it_is_asked_for(client: Client) -> None:
    *_, last, usage, done = client.stream(CHAT, **ASK, stream_options={"include_usage": True})
    assert done == "[DONE]"
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"] == client.chat()["usage"]


def test_limits_and_stops_are_followed(client: Client) -> None:
    whole = client.chat()["choices"][0]["message"]["content"]
    short = client.chat(max_completion_tokens=3, max_tokens=9)
    assert short["usage"]["completion_tokens"] == 3
    stop = whole[4:6]
    ended = client.chat(stop=[stop])["choices"][0]
    assert ended["message"]["content"] == whole[: whole.index(stop)]
    assert ended["finish_reason"] == "stop"
    assert client.chat(stop=stop)["choices"][0]["message"] == ended["message"]


def test_a_seed_repeats_a_reply(client: Client) -> None:
    def said(seed: int) -> str:
        reply = client.chat(temperature=2, top_p=1, seed=seed)
        return str(reply["choices"][0]["message"]["content"])

    assert said(3) == said(3)
    assert len({said(seed) for seed in range(4)}) > 1


def test_content_may_come_in_parts_and_unknown_fields_are_ignored(client: Client) -> None:
    parts = [{"type": "text", "text": "hello world", "cache_control": {"type": "ephemeral"}}]
    message = {"role": "user", "content": parts, "name": "me"}
    reply = client.chat(messages=[message], user="me", store=False, metadata={}, tools=[], n=1)
    assert reply["choices"][0]["message"] == client.chat()["choices"][0]["message"]
    neutral = client.chat(presence_penalty=0, frequency_penalty=0.0, logit_bias={}, logprobs=False)
    assert neutral["choices"] == reply["choices"]
    plain = client.chat(response_format={"type": "text"}, stop=None, temperature=None)
    assert plain["choices"] == reply["choices"]


def test_the_system_prompt_of_the_settings_is_used_unless_there_is_one(client: Client) -> None:
    def length(*messages: dict[str, str]) -> int:
        return int(client.chat(messages=list(messages))["usage"]["prompt_tokens"])

    user = {"role": "user", "content": "hello world"}
    ours = {"role": "system", "content": CONFIG.chat.system_prompt}
    assert length(user) == length(ours, user)
    assert length({"role": "developer", "content": "hello"}, user) < length(user)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": [""]}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "4"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": "fox " * 3000}]}, "messages"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    fields: dict[str, object], param: str, client: Client
) -> None:
    status, error = client.refused(CHAT, **{**ASK, **fields})
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    streamed, _ = client.refused(CHAT, **{**ASK, **fields, "stream": True})
    assert streamed == 400


def test_an_unlimited_reply_ends_with_the_context(client: Client) -> None:
    reply = client.chat(max_tokens=-1, seed=-1)
    assert reply["usage"]["total_tokens"] == 1024 or reply["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"[" * 100_000, b'{"a": "\xff"}'])
def test_a_body_that_is_no_request_is_refused(body: bytes, client: Client) -> None:
    status, reply = client.ask("POST", CHAT, body)
    assert status == 400
    assert reply["error"]["message"]


def test_models_are_versions(running: Running) -> None:
    assert running.worker.adapters is not None
    client = running.client
    assert [m["id"] for m in client.ask("GET", "/v1/models")[1]["data"]] == ["active", "base"]
    assert client.ask("GET", "/v1/models/base")[1]["id"] == "base"
    assert client.ask("GET", "/v1/models/v9")[0] == 404
    status, error = client.refused(CHAT, **ASK, model="gpt-5")
    assert (status, error["code"]) == (404, "model_not_found")
    version = taught_version(running.worker.adapters)
    assert [m["id"] for m in client.ask("GET", "/v1/models")[1]["data"]][2:] == [version]
    reply = client.chat(model=version)["choices"][0]["message"]
    assert reply != client.chat(model="base")["choices"][0]["message"]
    running.worker.adapters.use(version)
    assert client.chat()["choices"][0]["message"] == reply
    assert [served.version for served in running.served] == [version, "base", version]


def test_unknown_paths_and_methods_have_the_shape_of_the_api(client: Client) -> None:
    assert client.refused("/v1/embeddings")[0] == 404
    assert client.ask("GET", CHAT)[0] == 405
    assert client.ask("GET", "/health") == (200, {"status": "ok", "open_requests": 0})
