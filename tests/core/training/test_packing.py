"""Packing must not change what is learned: same loss, same gradients as the padded batch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training.packing import IGNORED, Layout, layout, packed_length, tensors


def path_to(packed: Layout, end: int) -> list[int]:
    """The indices that the last token of a sample, at `end`, attends to, itself last."""
    runs = next(runs for runs in packed.runs if runs[-1][1] == end + 1)
    return [i for start, stop in runs for i in range(start, stop)]


ids = st.lists(st.integers(0, 3), min_size=3, max_size=12)


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    samples = draw(st.lists(ids, min_size=1, max_size=5))
    starts = [draw(st.integers(1, len(sample) - 1)) for sample in samples]
    return samples, starts


@given(batches())
def test_each_sample_can_be_read_back_along_its_path(
    batch: tuple[list[list[int]], list[int]],
) -> None:
    samples, starts = batch
    packed = layout(samples, starts)
    for sample, end in zip(samples, packed.ends, strict=True):
        path = path_to(packed, end)
        assert [packed.input_ids[i] for i in path] == list(sample)
        assert [packed.positions[i] for i in path] == list(range(len(sample)))


@given(batches())
def test_loss_is_on_the_reply_and_nowhere_else(
    batch: tuple[list[list[int]], list[int]],
) -> None:
    samples, starts = batch
    packed = layout(samples, starts)
    for sample, start, end in zip(samples, starts, packed.ends, strict=True):
        targets = [packed.targets[i] for i in path_to(packed, end)]
        wanted = [
            sample[i + 1] if start <= i + 1 < len(sample) else IGNORED for i in range(len(sample))
        ]
        assert targets == wanted
    trained = sum(len(sample) - start for sample, start in zip(samples, starts, strict=True))
    assert sum(target != IGNORED for target in packed.targets) == trained


def test_a_shared_prompt_is_laid_out_once() -> None:
    prompt = [7, 8, 9, 10]
    # Three of the four prompt tokens are shared; the last predicts each sample's own reply.
    assert packed_length([[*prompt, 1], [*prompt, 2]], [4, 4]) == 3 + 2 + 2


def test_packed_loss_and_gradients_equal_the_padded_batch() -> None:
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    )
    samples = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 9, 8], [1, 2, 3, 4, 5, 7, 7, 7], [11, 12, 13]]
    starts = [4, 3, 4, 1]

    def gradients(loss: Any) -> dict[str, Any]:
        model.zero_grad()
        loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters()}

    row = tensors(layout(samples, starts), torch.float32)
    labels = row.pop("labels")
    logits = model(**row).logits
    packed_loss = torch.nn.functional.cross_entropy(logits[0], labels[0], ignore_index=IGNORED)
    packed = gradients(packed_loss)

    longest = max(map(len, samples))
    input_ids = torch.zeros(len(samples), longest, dtype=torch.long)
    mask, labels = torch.zeros_like(input_ids), torch.full_like(input_ids, IGNORED)
    for i, (sample, start) in enumerate(zip(samples, starts, strict=True)):
        input_ids[i, : len(sample)] = torch.tensor(sample)
        mask[i, : len(sample)] = 1
        labels[i, start : len(sample)] = torch.tensor(sample[start:])
    padded_loss = model(input_ids=input_ids, attention_mask=mask, labels=labels).loss
    padded = gradients(padded_loss)

    torch.testing.assert_close(packed_loss, padded_loss)
    for name in padded:
        torch.testing.assert_close(packed[name], padded[name], rtol=1e-4, atol=1e-6)
