"""Real clients get what a plain one gets.

They are no dependency of the tests. `TUTEE_CLIENTS_PYTHON` names a Python that has `openai`, `llm`
and `litellm`, and `TUTEE_CLIENTS_NODE` a folder whose `node_modules` has `ai` and
`@ai-sdk/openai-compatible`; what is not there is skipped.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tui.endpoint.conftest import Running

HERE = Path(__file__).parent
PYTHON = os.environ.get("TUTEE_CLIENTS_PYTHON", sys.executable)
NODE = os.environ.get("TUTEE_CLIENTS_NODE", "")
PATIENCE = 300


def used(client: str, running: Running) -> Any:
    look = f"import sys, importlib.util as u; sys.exit(not u.find_spec({client!r}))"
    probe = subprocess.run((PYTHON, "-c", look), capture_output=True)
    if probe.returncode:
        pytest.skip(f"{client} is not installed")
    command = (PYTHON, str(HERE / "clients.py"), client, running.server.url)
    return answered(command)


def answered(command: tuple[str, ...]) -> Any:
    # LiteLLM fetches a list of prices from the net, unless it is told not to.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def expected(running: Running) -> str:
    return str(running.client.chat(model="base")["choices"][0]["message"]["content"])


def test_openai(running: Running) -> None:
    found = used("openai", running)
    assert found["models"] == ["active", "base"]
    assert found["reply"] == found["streamed"] == expected(running)
    assert found["tokens"] == found["streamed_tokens"] > 3
    assert found["text"]
    assert found["refused"] == ["model_not_found", "unsupported_parameter"]


@pytest.mark.parametrize("client", ["litellm", "llm"])
def test_other_clients(client: str, running: Running) -> None:
    found = used(client, running)
    assert found["reply"] == found["streamed"]
    assert found["reply"].strip() == expected(running).strip()


def test_vercels_sdk(running: Running) -> None:
    if not (NODE and shutil.which("node")):
        pytest.skip("the AI SDK is not installed")
    found = answered(("node", str(HERE / "ai_sdk.mjs"), NODE, running.server.url))
    assert found["reply"] == found["streamed"] == expected(running)
    assert found["finish"] == "length"
