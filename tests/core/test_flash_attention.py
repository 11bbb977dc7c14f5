"""Attention in every implementation: against torch's, by its laws, and what it refuses."""

import sys

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as sdpa
from torch.utils._python_dispatch import TorchDispatchMode

from core.flash_attention import attention, choose_impl
from core.flash_attention import tiled as tiled_module

IMPLS = ("reference", "tiled")
SHAPES = [(1, 1), (64, 64), (70, 130), (130, 70), (131, 131), (1, 97), (97, 1)]


BLOCK_SIZE = tiled_module.block_size


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 64, so that short sequences have several and ragged ones."""
    monkeypatch.setattr(tiled_module, "block_size", lambda heads, device: 64)


def inputs(
    queries: int,
    keys: int,
    *,
    head_dim: int = 16,
    dtype: torch.dtype = torch.float64,
    generator: torch.Generator,
) -> list[Tensor]:
    lengths = (queries, keys, keys)
    return [
        torch.randn(2, 3, length, head_dim, generator=generator, device=generator.device)
        .to(dtype)
        .requires_grad_()
        for length in lengths
    ]


def bottom_right(queries: int, keys: int, device: torch.device) -> Tensor:
    """The mask written out: query t sees key s if and only if s ≤ t + S − T."""
    seen = [[s <= t + keys - queries for s in range(keys)] for t in range(queries)]
    return torch.tensor(seen, device=device)


def oracle(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """Torch's attention in float64; queries that see nothing are left out and give zeros."""
    if not causal:
        return sdpa(q, k, v)
    blind = max(0, q.shape[2] - k.shape[2])
    mask = bottom_right(q.shape[2], k.shape[2], q.device)[blind:]
    seeing = sdpa(q[:, :, blind:], k, v, attn_mask=mask)
    return torch.cat([torch.zeros_like(q[:, :, :blind]), seeing], 2)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), SHAPES)
def test_output_and_gradients_equal_sdpa(
    impl: str, causal: bool, queries: int, keys: int, generator: torch.Generator
) -> None:
    qkv = inputs(queries, keys, generator=generator)
    upstream = torch.randn_like(qkv[0])
    ours = attention(*qkv, causal=causal, impl=impl)
    theirs = oracle(*qkv, causal)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    for mine, other in zip(
        torch.autograd.grad(ours, qkv, upstream),
        torch.autograd.grad(theirs, qkv, upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("impl", IMPLS)
def test_causal_convention_is_bottom_right_not_top_left(
    impl: str, generator: torch.Generator
) -> None:
    square = inputs(50, 50, generator=generator)
    torch.testing.assert_close(
        attention(*square, causal=True, impl=impl), sdpa(*square, is_causal=True)
    )
    q, k, v = inputs(50, 80, generator=generator)
    ours = attention(q, k, v, causal=True, impl=impl)
    mask = bottom_right(50, 80, q.device)
    torch.testing.assert_close(ours, sdpa(q, k, v, attn_mask=mask))
    top_left = torch.ones_like(mask).tril()
    torch.testing.assert_close(sdpa(q, k, v, is_causal=True), sdpa(q, k, v, attn_mask=top_left))
    assert (ours - sdpa(q, k, v, is_causal=True)).abs().max() > 0.1
    last = attention(q[:, :, -1:], k, v, impl=impl)  # the last query sees every key
    torch.testing.assert_close(ours[:, :, -1:], last)


@pytest.mark.parametrize("impl", IMPLS)
def test_queries_that_see_nothing_give_zeros_and_get_none(
    impl: str, generator: torch.Generator
) -> None:
    q, k, v = inputs(150, 70, generator=generator)
    out = attention(q, k, v, causal=True, impl=impl)
    assert out[:, :, :80].abs().max() == 0
    (grad,) = torch.autograd.grad(out.square().sum(), q)
    assert grad[:, :, :80].abs().max() == 0
    assert grad[:, :, 81:].abs().min(-1).values.max() > 0


@pytest.mark.parametrize("impl", IMPLS)
def test_a_common_shift_of_all_keys_changes_nothing(impl: str, generator: torch.Generator) -> None:
    q, k, v = inputs(70, 130, generator=generator)
    shift = torch.full_like(k[:, :, :1], 900.0)  # logits move by about 3600 and stay finite
    torch.testing.assert_close(
        attention(q, k + shift, v, impl=impl), attention(q, k, v, impl=impl), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("impl", IMPLS)
def test_order_of_keys_does_not_matter(impl: str, generator: torch.Generator) -> None:
    q, k, v = inputs(70, 130, generator=generator)
    order = torch.randperm(130, device=q.device)
    torch.testing.assert_close(
        attention(q, k[:, :, order], v[:, :, order], impl=impl), attention(q, k, v, impl=impl)
    )


@pytest.mark.parametrize("impl", IMPLS)
def test_scale_is_the_callers(impl: str, generator: torch.Generator) -> None:
    qkv = inputs(70, 70, generator=generator)
    torch.testing.assert_close(attention(*qkv, scale=0.7, impl=impl), sdpa(*qkv, scale=0.7))


def test_gradients_pass_finite_differences(generator: torch.Generator) -> None:
    qkv = [each[:1, :1].detach().requires_grad_() for each in inputs(5, 7, generator=generator)]
    assert torch.autograd.gradcheck(lambda *x: attention(*x, causal=True, impl="tiled"), qkv)


def test_transposed_inputs_and_a_single_gradient(generator: torch.Generator) -> None:
    q, k, v = (each.detach().transpose(1, 2) for each in inputs(3, 3, generator=generator))
    v.requires_grad_()
    (grad,) = torch.autograd.grad(attention(q, k, v, impl="tiled").sum(), v)
    (same,) = torch.autograd.grad(sdpa(q, k, v).sum(), v)
    torch.testing.assert_close(grad, same)


def test_float32_is_within_a_millionth_of_float64(generator: torch.Generator) -> None:
    qkv = inputs(300, 300, head_dim=64, dtype=torch.float32, generator=generator)
    exact = sdpa(*(each.double() for each in qkv), is_causal=True)
    assert (attention(*qkv, causal=True, impl="tiled") - exact).abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_errs_at_most_twice_as_much_as_naive(
    dtype: torch.dtype, generator: torch.Generator
) -> None:
    qkv = inputs(300, 300, head_dim=64, dtype=dtype, generator=generator)
    wide = [each.detach().double().requires_grad_() for each in qkv]
    upstream = torch.randn_like(qkv[0])

    def errors(out: Tensor) -> list[Tensor]:
        grads = torch.autograd.grad(out, qkv, upstream)
        return [
            (mine.double() - other).abs().max()
            for mine, other in zip((out, *grads), exact, strict=True)
        ]

    out = sdpa(*wide)
    exact = (out, *torch.autograd.grad(out, wide, upstream.double()))
    tiled = errors(attention(*qkv, impl="tiled"))
    naive = errors(attention(*qkv, impl="reference"))
    assert all(ours <= 2 * theirs for ours, theirs in zip(tiled, naive, strict=True))
    assert attention(*qkv, impl="tiled").dtype == dtype


def test_logits_that_overflow_float16_break_naive_and_not_ours(generator: torch.Generator) -> None:
    q, k, v = (each.detach() for each in inputs(70, 70, dtype=torch.float16, generator=generator))
    q, k = q * 200, k * 200
    assert (q.double() @ k.double().mT).abs().max() / 4 > 65504
    assert attention(q, k, v, impl="reference").isnan().any()
    ours = attention(q, k, v, impl="tiled")
    exact = sdpa(q.double(), k.double(), v.double())
    assert (ours - exact).abs().max() < 2e-3


@pytest.mark.parametrize("impl", IMPLS)
def test_nan_reaches_the_rows_that_see_it(impl: str, generator: torch.Generator) -> None:
    q, k, v = (each.detach() for each in inputs(130, 130, generator=generator))
    q[0, 0, 5] = torch.nan
    bad = attention(q, k, v, impl=impl).isnan().any(-1)
    assert bad.nonzero().tolist() == [[0, 0, 5]]
    q[0, 0, 5] = 0.0
    k[0, 0, 100] = torch.nan
    bad = attention(q, k, v, causal=True, impl=impl).isnan().any(-1)
    assert bad[0, 0].tolist() == [row >= 100 for row in range(130)]
    assert not bad[1].any()


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, tuple | list) else [out]:
            if isinstance(each, Tensor):
                self.elements = max(self.elements, each.numel())
        return out


def test_tiled_never_makes_the_matrix(generator: torch.Generator) -> None:
    qkv = inputs(512, 512, head_dim=8, generator=generator)
    with Largest() as tiled:
        attention(*qkv, impl="tiled").sum().backward()
    with Largest() as naive:
        attention(*qkv, impl="reference")
    assert naive.elements == 6 * 512 * 512
    assert tiled.elements == max(6 * 64 * 64, qkv[0].numel())


@pytest.mark.parametrize("heads", [1, 3, 4, 64, 1000])
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_tiles_are_as_large_as_the_cache_allows(heads: int, kind: str) -> None:
    block, most = BLOCK_SIZE(heads, kind), tiled_module.TILE_ELEMENTS[kind]
    assert block == 64 or heads * block**2 <= most
    assert block == 1024 or heads * (2 * block) ** 2 > most


def test_auto_is_tiled_on_the_cpu_and_leaves_triton_alone(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if generator.device.type == "cuda":
        pytest.skip("auto is triton on CUDA")
    monkeypatch.setitem(sys.modules, "core.flash_attention.launch", None)  # to import it would fail
    qkv = inputs(70, 70, dtype=torch.float32, generator=generator)
    assert choose_impl(qkv[0]) == "tiled"
    assert torch.equal(attention(*qkv), attention(*qkv, impl="tiled"))


X = torch.zeros(2, 3, 5, 4)
REFUSED: list[tuple[dict[str, object], str]] = [
    ({"q": X[0]}, r"q must have 4 dimensions \(B, H, T, D\), got \(3, 5, 4\)"),
    ({"q": X[:, :2]}, r"agree in batch and heads .* \(2, 2, 5, 4\) and \(2, 3, 5, 4\)"),
    ({"q": X[..., :2]}, r"agree in head dimension D, got \(2, 3, 5, 2\) and \(2, 3, 5, 4\)"),
    ({"v": X[:, :, :4]}, r"k and v must have the same shape"),
    ({"k": X[:, :, :0], "v": X[:, :, :0]}, r"k must have at least 1 row"),
    ({"v": X.double()}, r"agree in dtype and device, .* float64 on cpu for v"),
    ({"q": X.long()}, r"q must be float16, .* got int64"),
    ({"k": X.to("meta")}, r"agree in dtype and device, .* float32 on meta for k"),
    ({"scale": 0.0}, r"scale must be a positive finite number, got 0.0"),
    ({"impl": "flash"}, r'impl must be one of "auto", .* got "flash"'),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_refuses_with_a_sentence(changed: dict[str, object], message: str) -> None:
    arguments = {"q": X, "k": X, "v": X, **changed}
    q, k, v = (arguments.pop(each) for each in "qkv")
    with pytest.raises(ValueError, match=message):
        attention(q, k, v, **arguments)


def test_triton_is_refused_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    pytest.importorskip("triton", reason="triton is not installed")
    with pytest.raises(ValueError, match='impl "triton" needs CUDA tensors, got tensors on cpu'):
        attention(X, X, X, impl="triton")


def test_triton_is_refused_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    x = torch.zeros(1, 1, 16, 16)
    with pytest.raises(ValueError, match='impl "triton" needs the triton package'):
        attention(x, x, x, impl="triton")


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((1, 1, 4, 8), torch.float32, "takes head dimensions from 16 to 256, got 8"),
        ((1, 1, 4, 257), torch.float32, "takes head dimensions from 16 to 256, got 257"),
        ((1, 1, 4, 16), torch.float64, "takes float16, bfloat16 or float32, got float64"),
    ],
)
def test_what_triton_does_not_take_is_refused_by_name_and_left_to_tiled(
    shape: tuple[int, ...], dtype: torch.dtype, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    q = torch.zeros(shape, dtype=dtype)
    assert choose_impl(q) == "tiled"
    with pytest.raises(ValueError, match=message):
        choose_impl(q, "triton")
