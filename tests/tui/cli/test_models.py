"""`tutee models` as a script meets it, with a hub on loopback."""

from pathlib import Path

import pytest

from core.models.folder import ModelFolder
from tests.core.models.test_builtin import write_gguf
from tests.hub import Hub
from tests.tui.cli.test_root import Tutee, home, tutee  # noqa: F401

SPEC = "modelscope:org/Tiny-Chat"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("TUTEE_CACHE", str(path))
    return path


def test_a_model_is_fetched_listed_described_and_removed(
    tutee: Tutee,  # noqa: F811
    hub: Hub,
    cache: Path,
) -> None:
    fetched = tutee("models", "fetch", SPEC)
    path = Path(fetched.out.strip())
    assert (path / "config.json").is_file()
    assert cache in path.parents

    rows = {row["spec"]: row for row in tutee("models", "list", "--json").json}
    assert rows[SPEC]["state"] == "here"
    assert rows[SPEC]["path"] == str(path)
    assert rows["builtin"]["state"] == "absent"
    assert f" ✓ {SPEC}" in tutee("models").out
    assert f"●✓ {SPEC}" in tutee("models", model=SPEC).out
    assert "●  builtin" in tutee("models", model="builtin").out, "what is in use need not be here"

    told = tutee("models", "info", SPEC, "--json").json
    assert told["architecture"] == "LlamaForCausalLM"
    assert told["template"] == "its own"
    assert told["versions"] == "0 adapters, 0 reward models"
    assert tutee("ask", "Hello?", model=SPEC).code == 0

    assert "Removed" in tutee("models", "remove", SPEC, "--yes").out
    assert not path.exists()
    assert tutee("models", "remove", SPEC, "--yes").code == 1


@pytest.mark.parametrize("by", ["its file", "its folder"])
def test_what_was_made_of_a_gguf_file_is_removed_and_the_file_stays(
    tutee: Tutee,  # noqa: F811
    tiny_folder: ModelFolder,
    tmp_path: Path,
    by: str,
) -> None:
    file = tmp_path / "Tiny.gguf"
    write_gguf(file, tiny_folder)
    made = Path(tutee("models", "fetch", str(file)).out.strip())
    assert f"✓ {made}" in tutee("models").out
    named = file if by == "its file" else made
    assert "and freed" in tutee("models", "remove", str(named), "--yes").out
    assert file.is_file()
    assert not made.exists()
    assert "not been converted yet" in tutee("models", "info", str(file)).err


def test_a_model_that_is_named_is_fetched_when_it_is_needed(
    tutee: Tutee,  # noqa: F811
    hub: Hub,
) -> None:
    assert "not on this machine yet" in tutee("adapters", model="hf:org/Tiny-Chat").err
    assert tutee("ask", "Hello?", model="hf:org/Tiny-Chat").code == 0
    assert "base" in tutee("adapters", model="hf:org/Tiny-Chat").out


def test_the_list_says_what_each_takes(tutee: Tutee) -> None:  # noqa: F811
    rows = {row["spec"]: row for row in tutee("models", "list", "--json").json}
    qwen = rows["modelscope:Qwen/Qwen1.5-0.5B-Chat"]
    assert qwen["languages"].startswith("Chinese")
    assert qwen["download"] < qwen["memory"]
    told = tutee("models", "info", "modelscope:Qwen/Qwen1.5-0.5B-Chat")
    assert "not fetched" in told.out


def test_a_base_model_is_pointed_out(
    tutee: Tutee,  # noqa: F811
    hub: Hub,
) -> None:
    (hub.repositories["org/Tiny-Chat"] / "chat_template.jinja").unlink()
    fetched = tutee("models", "fetch", SPEC)
    assert fetched.code == 0
    assert "came without a chat template" in fetched.err
    assert tutee("models", "info", SPEC, "--json").json["template"] == "a plain one of Tutee's"
    assert "came without a chat template" in tutee("ask", "Hello?", model=SPEC).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fetch", "org/Tiny-Chat"), "write `hf:org/Tiny-Chat`"),
        (("fetch", "hf:Tiny"), "names no model on Hugging Face"),
        (("fetch", "hf:org/Nothing"), "There is no model org/Nothing on Hugging Face"),
        (("remove", "/a/folder", "--yes"), "no model that Tutee has fetched or converted"),
        (("remove", "builtin", "--yes"), "not on this machine"),
        (("info", "hf:org/Nothing"), "not on this machine yet"),
    ],
)
def test_refusals(
    tutee: Tutee,  # noqa: F811
    hub: Hub,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    ran = tutee("models", *arguments)
    assert ran.code == 1
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
