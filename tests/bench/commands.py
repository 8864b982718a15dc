"""Tutee as a script uses it: the commands, each in the home that it is given."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Messages = Sequence[Mapping[str, str]]
"""A conversation, as OpenAI writes it: `role` and `content` of each message."""


@dataclass(frozen=True)
class Training:
    """One training run."""

    steps: int
    seconds: float
    """Of the passes alone."""
    command: float | None
    """Seconds of the whole command, from its start until the version answers; None if there was
    none."""
    held_back: tuple[str, ...] = ()
    """The gate's reasons; empty if it passed."""


def tutee(home: Path, *arguments: str) -> str:
    """Run a command and return what it prints.

    Raises:
        subprocess.CalledProcessError: it failed; what it said is on standard error.
    """
    command = [sys.executable, "-m", "tui", "--home", str(home), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def exchange(prompt: str, reply: str) -> Messages:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]


def teach(home: Path, corrections: Iterable[Messages]) -> Training:
    """Import conversations that end with the reply wanted, train, activate the new version.

    It is activated also if the gate held it back: what it learned is of interest all the same.
    """
    file = home / "corrections.jsonl"
    rows = [json.dumps({"messages": messages}) for messages in corrections]
    file.write_text("\n".join(rows), encoding="utf-8")
    tutee(home, "import", str(file))
    started = time.perf_counter()
    passes = json.loads(tutee(home, "train", "--json"))["passes"]
    seconds = time.perf_counter() - started
    policies = [done["version"] for done in passes if done["name"] != "reward"]
    if policies:
        tutee(home, "adapters", "use", policies[-1])
    return Training(
        steps=sum(done["steps"] for done in passes),
        seconds=sum(done["seconds"] for done in passes),
        command=seconds,
        held_back=tuple(reason for done in passes for reason in done["held_back"]),
    )


def ask(home: Path, prompts: Sequence[str], max_new_tokens: int, recall: bool = False) -> list[str]:
    """Return the greedy reply to each of `prompts`.

    Args:
        recall: Put what is not learned yet before similar prompts, as Tutee does by itself.
    """
    questions = home / "questions.jsonl"
    rows = [json.dumps({"prompt": prompt}) for prompt in prompts]
    questions.write_text("\n".join(rows), encoding="utf-8")
    options = ["--greedy", "--max-new-tokens", str(max_new_tokens)]
    if not recall:
        options.append("--no-recall")
    out = tutee(home, "ask", "--batch", str(questions), *options)
    # Not `splitlines`: a reply may contain other line separators of Unicode.
    return [json.loads(line)["reply"] for line in out.strip("\n").split("\n")]
