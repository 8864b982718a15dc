"""Keys and values at fixed positions give the logits of a model without a cache.

On a CPU every token is run; on a CUDA device, decode steps are replayed.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Serving
from core.models.folder import ModelFolder, find
from core.models.loading import load_model
from core.serving.cuda_graph_decoder import CudaGraphDecoder, supports
from tests.core.serving.test_transformers_decoder import check, fail_and_go_on, never, tokens
from tests.families import FAMILIES, make

SERVED = ("smollm2", "llama3", "qwen1.5", "qwen2.5", "qwen3")


@pytest.fixture(scope="module", params=SERVED)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("recorded") / request.param
    family = next(family for family in FAMILIES if family.name == request.param)
    make(family, path, vocab_size=400)
    return load_model(find(str(path), path.parent, lambda event: None), torch.float32)


def test_a_chat_that_is_continued_edited_and_shortened(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "core.serving.cuda_graph_decoder._INITIAL_ROOM", 16
    )  # so that it has to grow, in a reply as well
    decoder = CudaGraphDecoder(model)
    first = tokens(14)
    check(decoder.prefill(first, never), model, first)
    said: list[int] = []
    for token in tokens(8, seed=1):
        said.append(token)
        check(decoder.decode_step(token), model, [*first, *said])
    longer = [*first, *said, *tokens(70, seed=2)]
    check(decoder.prefill(longer, never), model, longer)
    edited = [*longer[:20], *tokens(5, seed=3)]
    check(decoder.prefill(edited, never), model, edited)
    check(decoder.prefill(edited[:9], never), model, edited[:9])
    check(decoder.decode_step(7), model, [*edited[:9], 7])


def test_what_cannot_be_captured_is_run(
    model: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: CudaGraphDecoder) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(CudaGraphDecoder, "_capture", fail)
    decoder = CudaGraphDecoder(model)
    decoder._captures = True
    prompt = tokens(20)
    decoder.prefill(prompt, never)
    for said in ([5], [5, 6]):
        check(decoder.decode_step(said[-1]), model, [*prompt, *said])
    assert caplog.text.count("No CUDA graph was captured") == 1


def test_a_failed_pass_is_forgotten(model: Any) -> None:
    fail_and_go_on(CudaGraphDecoder(model), model)


@pytest.mark.parametrize(
    ("family", "settings", "able"),
    [
        ("qwen2.5", {}, True),
        ("mistral", {"sliding_window": None}, True),
        ("mistral", {"sliding_window": 16}, False),
        ("gemma2", {}, False),
        ("phi3", {}, False),
    ],
)
def test_which_models_use_cuda_graphs(
    family: str,
    settings: dict[str, Any],
    able: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / family
    make(next(known for known in FAMILIES if known.name == family), path, **settings)
    model = load_model(find(str(path), tmp_path, lambda event: None), torch.float32).to("cpu")
    assert not supports(model)
    monkeypatch.setattr(type(model), "device", torch.device("cuda"))
    assert supports(model) == able


def test_the_engine_replies_the_same_with_it(
    tiny_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.serving.engine import Engine
    from store.records import ChatMessage, Sampling

    monkeypatch.setattr("core.serving.packed.weights.supports", lambda config: False)
    greedy = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24)
    messages = (ChatMessage(role="user", content="hello world"),)

    def said() -> tuple[type, str]:
        engine = Engine(tiny_folder, None, Serving())
        return type(engine.backend), "".join(engine.stream(messages, greedy, 0))

    _, plain = said()
    monkeypatch.setattr("core.serving.cuda_graph_decoder.supports", lambda model: True)
    assert said() == (CudaGraphDecoder, plain)
