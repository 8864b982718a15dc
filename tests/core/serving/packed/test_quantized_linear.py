"""Packed matrices against the original ones."""

import pytest
import torch

from core.serving.packed.precision import has_fast_kernel, kind_chooser
from core.serving.packed.quantized_linear import Kind, int4_error, pack


def weights(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)) * 0.05


def on_a_grid(rows: int, columns: int) -> torch.Tensor:
    """Weights as GGUF's Q4_1 has them: 16 levels between a minimum and a maximum, per 32."""
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 16, (rows, columns // 32, 32), generator=generator).float()
    codes[..., 0], codes[..., 1] = 0, 15
    scale = torch.rand(rows, columns // 32, 1, generator=generator).half().float() * 0.01 + 0.001
    low = -torch.rand(rows, columns // 32, 1, generator=generator).half().float() * 0.08
    return (codes * scale + low).view(rows, columns)


def error(weight: torch.Tensor, kind: Kind, rows: int = 1) -> float:
    x = torch.randn(rows, weight.shape[1], generator=torch.Generator().manual_seed(2))
    exact = x.bfloat16().float() @ weight.t()
    return float((pack(weight, kind)(x).float() - exact).norm() / exact.norm())


@pytest.mark.parametrize("rows", [1, 2, 37])
@pytest.mark.parametrize("shape", [(16, 32), (48, 96), (256, 64), (64, 256)])
def test_products_are_near_those_of_the_matrix(shape: tuple[int, int], rows: int) -> None:
    weight = weights(*shape)
    assert error(weight, "fp32", rows) < 0.01
    assert error(weight, "bf16", rows) < 0.01
    assert error(weight, "int8", rows) < 0.015
    assert 0.02 < error(weight, "int4", rows) < 0.15


def test_float32_is_exact() -> None:
    weight, x = weights(48, 96), torch.randn(3, 96)
    torch.testing.assert_close(pack(weight, "fp32")(x), x @ weight.t())


def test_a_grid_of_four_bits_is_kept() -> None:
    assert int4_error(on_a_grid(64, 128)) < 0.01
    assert error(on_a_grid(64, 128), "int4") < 0.015
    assert int4_error(weights(64, 128)) > 0.05


def test_rows_that_are_constant_or_zero_stay_so() -> None:
    weight = torch.zeros(16, 32)
    weight[1:] = 0.5
    kinds: tuple[Kind, ...] = ("int4", "int8")
    for kind in kinds:
        y = pack(weight, kind)(torch.ones(1, 32)).float()
        torch.testing.assert_close(y, weight.sum(-1)[None], atol=0.1, rtol=0.01)


@pytest.mark.parametrize("shape", [(15, 32), (16, 40)])
def test_shapes_that_cannot_be_packed_stay_in_bfloat16(shape: tuple[int, int]) -> None:
    packed = pack(weights(*shape), "int4")
    assert packed.kind == "bf16"
    assert packed(torch.ones(1, shape[1])).shape == (1, shape[0])


def test_packing_saves_what_it_says() -> None:
    weight = weights(256, 256)
    sizes = {kind: pack(weight, kind).nbytes / weight.nbytes for kind in ("int4", "int8", "bf16")}
    assert sizes == {"int4": 0.15625, "int8": 0.3125, "bf16": 0.5}


def test_auto_takes_four_bits_only_where_they_cost_nothing() -> None:
    choose = kind_chooser("auto")
    fast = has_fast_kernel()
    assert choose(on_a_grid(64, 128)) == ("int4" if fast else "fp32")
    assert choose(weights(64, 128)) == ("int8" if fast else "fp32")
    assert kind_chooser("int4")(weights(64, 128)) == "int4"


def test_auto_does_not_pack_where_torch_has_no_fast_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert kind_chooser("auto")(on_a_grid(64, 128)) == "fp32"
