"""Each family of models answers, is scored and trained as transformers itself would, and merges."""

from functools import partial
from pathlib import Path

import pytest

from core.config import Serving, SFTTuning, Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, load_tokenizer
from core.runs.record_lengths import limit
from core.serving.detokenizer import TextStream
from core.serving.engine import Engine
from core.training import lora, sft
from core.training.logprobs import reply_logps
from core.training.run_control import RunControl
from data.tokenization import Sample, encode, encode_prompt, stop_ids
from store.records import ChatMessage, Sampling
from tests.families import FAMILIES, Family, make

SAID = (
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="Is this review positive or negative?"),
)
GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=12)
TOKENS = 12

every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFolder]:
    """One model of each family, by its name."""
    root = tmp_path_factory.mktemp("families")
    for family in FAMILIES:
        make(family, root / family.name)
    return {f.name: find(str(root / f.name), root, lambda event: None) for f in FAMILIES}


@pytest.fixture
def folder(family: Family, folders: dict[str, ModelFolder]) -> ModelFolder:
    return folders[family.name]


@every_family
def test_it_replies_as_transformers_does(
    family: Family, folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    tokenizer, model = load_tokenizer(folder), load_model(folder, torch.float32)
    prompt = torch.tensor([encode_prompt(tokenizer, SAID)])
    ends = sorted(stop_ids(tokenizer))
    options = {"max_new_tokens": TOKENS, "do_sample": False, "eos_token_id": ends}
    wanted = model.generate(prompt, attention_mask=torch.ones_like(prompt), **options)

    written: list[int] = []  # tokens: random ones are often no text
    push = TextStream.push

    def noted(stream: TextStream, token: int) -> str:
        written.append(token)
        return push(stream, token)

    monkeypatch.setattr(TextStream, "push", noted)
    list(Engine(folder, None, Serving(precision="fp32")).stream(SAID, GREEDY, 0))
    assert written == [t for t in wanted[0, prompt.shape[1] :].tolist() if t not in ends]


@every_family
def test_replies_in_a_packed_row_are_scored_as_each_alone(
    family: Family, folder: ModelFolder
) -> None:
    import torch

    tokenizer = load_tokenizer(folder)
    samples = [encode(tokenizer, SAID, reply) for reply in ("positive", "negative, 42", "你好")]
    model = load_model(folder, torch.float32)
    packed = reply_logps(model, [samples], RunControl())[0]
    alone = [_logp(model, sample) for sample in samples]
    assert packed == pytest.approx(alone, rel=1e-4, abs=1e-3)


def _logp(model: object, sample: Sample) -> float:
    import torch

    ids = torch.tensor([sample.input_ids])
    with torch.inference_mode():
        logps = model(ids).logits[0].log_softmax(-1)  # type: ignore[operator]
    targets = range(sample.reply_start, len(sample.input_ids))
    return float(sum(logps[index - 1, sample.input_ids[index]] for index in targets))


@every_family
def test_it_learns_its_reply_and_its_end_and_merges(
    family: Family, folder: ModelFolder, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(folder)
    samples = [
        encode(tokenizer, (SAID[0], ChatMessage(role="user", content=f"review {n}")), "no")
        for n in range(4)
    ]
    settings = Tuning(epochs=60, batch_size=4, sft=SFTTuning(learning_rate=1e-2))
    trained = sft.train(folder, tokenizer, None, samples, settings, RunControl())
    assert trained.losses[-1] < 0.3 * trained.losses[0]
    trained.save(tmp_path / "adapter")
    engine = Engine(folder, tmp_path / "adapter")
    asked = (SAID[0], ChatMessage(role="user", content="review 2"))
    assert "".join(engine.stream(asked, GREEDY, 0)).strip() == "no"
    assert engine.last is not None
    assert not engine.last.truncated  # it has learned to end


@every_family
def test_lora_is_on_every_linear_layer_of_the_text_but_the_last(
    family: Family, folder: ModelFolder
) -> None:
    import torch

    model = load_model(folder, torch.float32)
    text = set(model.get_decoder().modules())
    linear = {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module in text
    }
    assert len(linear) >= 2 * 4
    adapted = lora.policy(model, None, Tuning())
    prefix = "base_model.model."
    found = {
        name.removeprefix(prefix)
        for name, module in adapted.named_modules()
        if hasattr(module, "lora_A")
    }
    assert found == linear


def test_samples_are_kept_below_a_window_of_attention(tmp_path: Path) -> None:
    gemma2 = next(family for family in FAMILIES if family.name == "gemma2")
    make(gemma2, tmp_path / "windowed", sliding_window=128)
    found = partial(find, cache=tmp_path, on_progress=lambda event: None)
    assert limit(found(str(tmp_path / "windowed")), Tuning()) == 128
    qwen = next(family for family in FAMILIES if family.name == "qwen2.5")
    make(qwen, tmp_path / "unused", sliding_window=128, use_sliding_window=False)
    assert limit(found(str(tmp_path / "unused")), Tuning()) == 1024
