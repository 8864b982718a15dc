"""What real clients do with the endpoint; run by `test_clients` where they are installed.

    python clients.py CLIENT URL

prints one JSON object with what the client made of the replies.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

SAID = [{"role": "user", "content": "hello world"}]


def openai(url: str) -> Any:
    library: Any = import_module("openai")
    client = library.OpenAI(base_url=url, api_key="sk-none", max_retries=0)
    models = [model.id for model in client.models.list()]
    whole = client.chat.completions.create(model="active", messages=SAID)
    stream = client.chat.completions.create(
        model="base", messages=SAID, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    text = client.completions.create(model="base", prompt="hello", max_tokens=3)
    refused = []
    for fields in ({"model": "gpt-5"}, {"model": "base", "n": 3}):
        try:
            client.chat.completions.create(messages=SAID, **fields)
        except (library.BadRequestError, library.NotFoundError) as error:
            refused.append(error.code)
    return {
        "models": models,
        "reply": whole.choices[0].message.content,
        "streamed": "".join(pieces),
        "tokens": whole.usage.completion_tokens,
        "streamed_tokens": chunks[-1].usage.completion_tokens,
        "text": text.choices[0].text,
        "refused": refused,
    }


def litellm(url: str) -> Any:
    completion = import_module("litellm").completion
    options = {"api_base": url, "api_key": "sk-none", "messages": SAID}
    whole = completion(model="openai/base", **options)
    pieces = completion(model="openai/base", stream=True, **options)
    return {
        "reply": whole.choices[0].message.content,
        "streamed": "".join(piece.choices[0].delta.content or "" for piece in pieces),
    }


def llm(url: str) -> Any:
    """`llm` with its extra OpenAI models, in a user folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        entry = f"- model_id: tutee\n  model_name: base\n  api_base: {url}\n"
        Path(folder, "extra-openai-models.yaml").write_text(entry)
        environment = {**os.environ, "LLM_USER_PATH": folder, "OPENAI_API_KEY": "sk-none"}

        def run(*options: str) -> str:
            command = (sys.executable, "-m", "llm", "-m", "tutee", *options, "hello world")
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout.removesuffix("\n")

        return {"reply": run("--no-stream"), "streamed": run()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](sys.argv[2])) + "\n")
