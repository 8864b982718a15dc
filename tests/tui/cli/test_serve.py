"""`tutee serve` as a process: it answers, and ends when it is told to."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from core.models.folder import ModelFolder
from store.errors import TuteeError
from tests.core.ears import PATIENCE
from tui.cli.root import cli

pytest.importorskip("uvicorn")


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_ends(end: signal.Signals, tiny_folder: ModelFolder, tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"), "--model", str(tiny_folder.path))
    command = (sys.executable, "-m", "tui", *home, "serve", "--port", "0")
    environment = {**os.environ, "TUTEE_API_KEY": "sk-right"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        url = re.search(r"http://127\.0\.0\.1:\d+/v1", process.stderr.readline())
        assert url is not None
        body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
        request = Request(f"{url[0]}/chat/completions", json.dumps(body).encode())
        request.add_header("Authorization", "Bearer sk-right")
        request.add_header("User-Agent", "me/1")
        with urlopen(request, timeout=PATIENCE) as response:
            assert json.loads(response.read())["usage"]["completion_tokens"] <= 3
        process.send_signal(end)
        shown = process.stderr.read()
        assert process.wait(PATIENCE) in (0, -end, 128 + end)
    finally:
        process.kill()
        process.wait()
    assert "127.0.0.1 me/1" in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "home" / "records").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "API key is needed"),
        (("--host", "256.1.1.1", "--api-key", "k"), "Cannot listen"),
    ],
)
def test_where_it_may_not_listen(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    # Refused before a model is looked for.
    line = ["--home", str(tmp_path), "--model", "/nowhere", "serve", *options]
    error = CliRunner().invoke(cli, line, env={"TUTEE_API_KEY": ""}).exception
    assert isinstance(error, TuteeError)
    assert said in str(error)


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--home", str(tmp_path), "serve", "--api-key", " "])
    assert result.exit_code == 2
