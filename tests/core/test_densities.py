"""Laws of the mixtures: scores are gradients, densities integrate, samples have their moments."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.utils._python_dispatch import TorchDispatchMode

from core.densities import (
    PRESETS,
    GaussianMixture,
    TwoMoons,
    checkerboard,
    eight_gaussians,
    from_ink,
    mixture,
    word,
)
from core.sde import VE, VP, SubVP


def narrow(dim=2, components=5, std=0.01):
    """A few Gaussians of different weights and widths."""
    draw = torch.Generator().manual_seed(1)
    return GaussianMixture(
        torch.rand(components, generator=draw) + 0.1,
        torch.randn(components, dim, generator=draw),
        std * (1 + torch.rand(components, generator=draw)),
    )


def grid(extent, cells, device="cpu"):
    """Points of a square, shape (cells², 2), and the area of each."""
    side = (torch.arange(cells, dtype=torch.float64, device=device) + 0.5) / cells * 2 - 1
    return extent * torch.cartesian_prod(side, side), (2 * extent / cells) ** 2


@pytest.mark.parametrize("sde", [None, VP(), SubVP(), VE()])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_score_and_its_divergence_are_derivatives_of_log_prob(sde, dim, device):
    density, t = narrow(dim, std=0.3), 0.2
    draw = torch.Generator(device).manual_seed(0)
    x = density.sample(7, sde, t, draw, torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(density.log_prob(x, sde, t).sum(), x, create_graph=True)
    laplacian = sum(
        torch.autograd.grad(gradient[:, d].sum(), x, retain_graph=True)[0][:, d] for d in range(dim)
    )
    score, divergence = density.score_and_divergence(x.detach(), sde, t)
    torch.testing.assert_close(score, gradient.detach(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(density.score(x.detach(), sde, t), score)
    torch.testing.assert_close(divergence, laplacian, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("sde", [VP(), SubVP(), VE()])
def test_diffused_density_is_the_convolution(sde):
    # The perturbation kernel averaged over data, no mixture algebra: equal up to Monte Carlo.
    density, t, n = narrow(std=0.2), torch.tensor(0.4), 200_000
    draw = torch.Generator().manual_seed(0)
    alpha, sigma = sde.marginal(t)
    x = density.sample(20, sde, t, draw, torch.float64)
    centres = alpha * density.sample(n, generator=draw, dtype=torch.float64)
    kernel = -torch.cdist(x, centres).square() / (2 * sigma**2) - (2 * math.pi * sigma**2).log()
    estimate = kernel.logsumexp(1) - math.log(n)
    torch.testing.assert_close(density.log_prob(x, sde, t), estimate, rtol=0, atol=0.03)


@pytest.mark.parametrize("make", [*PRESETS.values(), lambda: word("SDE"), lambda: word("扩散")])
def test_ready_made_densities_are_normalised_and_standardised(make):
    density = make()
    points, area = grid(4, 280)
    mass = density.log_prob(points).exp() * area
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    assert (mass @ points).abs().max() < 1e-6
    assert float(mass @ points.square().mean(1)) == pytest.approx(1, abs=1e-5)
    assert density.components <= 256
    assert density.means.abs().max() < 3


def test_a_time_is_a_mixture_of_its_own():
    density, sde, t = eight_gaussians(), SubVP(), 0.3
    alpha, sigma = sde.marginal(t)
    diffused = density.at(sde, t)
    torch.testing.assert_close(diffused.means, alpha * density.means)
    torch.testing.assert_close(
        diffused.stds**2, alpha**2 * density.stds**2 + sigma**2, rtol=1e-12, atol=0
    )
    x = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(density.score(x, sde, t), diffused.score(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunks_do_not_show(dtype, device, monkeypatch):
    density = word("chunks")
    draw = torch.Generator(device).manual_seed(0)
    x = density.sample(1000, VP(), 0.1, draw, dtype)
    whole = [density.score(x, VP(), 0.1), density.log_prob(x), density.score_and_divergence(x)[1]]
    monkeypatch.setattr(mixture, "_CHUNK_ENTRIES", {"cpu": 7 * 256, "cuda": 7 * 256})
    parts = [density.score(x, VP(), 0.1), density.log_prob(x), density.score_and_divergence(x)[1]]
    for one, other in zip(whole, parts, strict=True):
        assert one.dtype == dtype
        assert one.device.type == device.type
        assert (one - other).abs().max() <= 100 * torch.finfo(dtype).eps * one.abs().max()


class LargestTensor(TorchDispatchMode):
    """Watches every operation of torch and keeps the most entries that any result had."""

    entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.entries = max(self.entries, result.numel())
        return result


def test_memory_does_not_grow_with_particles_times_components():
    density, x = word("memory"), torch.zeros(20_000, 2)
    for evaluate in (density.score, density.log_prob, density.score_and_divergence):
        with LargestTensor() as largest:
            evaluate(x)
        assert largest.entries <= max(2**16, 3 * len(x))


@pytest.mark.parametrize("std", [0.3, 0.03, 0.003])
def test_float32_holds_for_narrow_components(std, device):
    # The rounding of x itself moves the score by eps |x| / std²: the bound asks for little more.
    density = narrow(std=std)
    x = density.sample(500, generator=torch.Generator(device).manual_seed(0), dtype=torch.float32)
    exact = density.score(x.double())
    error = (density.score(x).double() - exact).norm(dim=1)
    assert error.max() < 20 * torch.finfo(torch.float32).eps * x.abs().max() / std**2


def test_samples_have_the_moments_of_the_mixture(device):
    density, sde, t, n = narrow(std=0.5), VP(), 0.15, 400_000
    x = density.sample(n, sde, t, torch.Generator(device).manual_seed(0), torch.float64)
    diffused = density.at(sde, t)
    assert x.device.type == device.type
    tolerance = 5 * math.sqrt(diffused.variance / n)
    torch.testing.assert_close(x.mean(0).cpu(), diffused.mean, rtol=0, atol=tolerance)
    assert float(x.var(0).mean()) == pytest.approx(diffused.variance, rel=0.01)


def test_weights_are_normalised_and_zero_weights_are_silent():
    pair = GaussianMixture(torch.tensor([2.0, 0.0]), torch.tensor([[0.0], [1.0]]), torch.ones(2))
    alone = GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.ones(1))
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    assert pair.weights.sum() == 1
    torch.testing.assert_close(pair.log_prob(x), alone.log_prob(x))
    torch.testing.assert_close(pair.score(x), -x)


@pytest.mark.parametrize(
    ("weights", "means", "stds", "message"),
    [
        ([1.0], [[0.0], [1.0]], [1.0, 1.0], r"shapes \(K,\), \(K, D\)"),
        ([-1.0, 2.0], [[0.0], [1.0]], [1.0, 1.0], "weights must be non-negative"),
        ([0.0, 0.0], [[0.0], [1.0]], [1.0, 1.0], "not all zero"),
        ([1.0, 1.0], [[0.0], [1.0]], [1.0, 0.0], "stds must be positive"),
        ([1.0, 1.0], [[0.0], [math.nan]], [1.0, 1.0], "means finite"),
    ],
)
def test_a_bad_mixture_is_refused(weights, means, stds, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(torch.tensor(weights), torch.tensor(means), torch.tensor(stds))


def test_bad_points_times_and_counts_are_refused():
    density = eight_gaussians()
    with pytest.raises(ValueError, match=r"x must have shape \(N, 2\), got \(4, 3\)"):
        density.score(torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"t must be one time for all particles, got shape \(4,\)"):
        density.score(torch.zeros(4, 2), VP(), torch.rand(4))
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        density.sample(0)


def test_two_moons_integrate_to_one_and_have_the_known_entropy():
    moons = TwoMoons()
    x, y = (torch.arange(low, high, 0.02, dtype=torch.float64) for low, high in ((-2, 3), (-2, 2)))
    log_p = moons.log_prob(torch.cartesian_prod(x, y))
    assert float(log_p.exp().sum()) * 0.02**2 == pytest.approx(1, abs=1e-9)
    assert moons.entropy() == pytest.approx(1.0076, abs=1e-4)
    sampled = moons.sample(100_000, torch.Generator().manual_seed(0), torch.float64)
    assert -float(moons.log_prob(sampled).mean()) == pytest.approx(moons.entropy(), abs=0.01)


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.5])
def test_two_moons_quadrature_has_converged(noise):
    x = TwoMoons(noise).sample(200, torch.Generator().manual_seed(0), torch.float64)
    theta = (torch.arange(20_000, dtype=torch.float64) + 0.5) * math.pi / 20_000
    arcs = [(theta.cos(), theta.sin()), (1 - theta.cos(), 0.5 - theta.sin())]
    brute = GaussianMixture(
        torch.ones(40_000),
        torch.cat([torch.stack(arc, 1) for arc in arcs]),
        torch.full((40_000,), noise),
    )
    log_p = brute.log_prob(x)
    torch.testing.assert_close(TwoMoons(noise).log_prob(x), log_p, rtol=0, atol=1e-5)


def test_two_moons_refuse_too_little_noise():
    with pytest.raises(ValueError, match=r"noise must be at least 0\.01"):
        TwoMoons(0.001)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        TwoMoons().sample(0)


@given(
    ink=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements=st.sampled_from([0.0, 0.25, 1.0]),
    ).filter(np.any),
    components=st.integers(1, 64),
)
@settings(deadline=None, max_examples=60)
def test_ink_becomes_a_mixture_inside_the_picture(ink, components):
    density = from_ink(ink, components, extent=2)
    assert 1 <= density.components <= components
    assert density.weights.sum() == pytest.approx(1)
    longest = max(ink.shape)
    half = torch.tensor([ink.shape[1], ink.shape[0]]) * (2 / longest)
    assert (density.means.abs() <= half).all()


def test_ink_keeps_its_place_and_its_mass():
    ink = np.zeros((60, 100))
    ink[0:10, 0:10] = 1  # top left
    ink[50:60, 90:100] = 0.25  # bottom right, a quarter as dark
    density = from_ink(ink, components=50, extent=2.5)
    left = density.means[:, 0] < 0
    assert float(density.weights[left].sum()) == pytest.approx(0.8)
    torch.testing.assert_close(
        density.weights[left] @ density.means[left] / 0.8,
        torch.tensor([-2.25, 1.25], dtype=torch.float64),
    )


def test_an_even_field_of_ink_becomes_an_even_density():
    density = from_ink(np.ones((64, 64)), components=256, extent=1)
    points, _ = grid(0.7, 80)
    values = density.log_prob(points).exp()
    assert float((values.max() - values.min()) / values.mean()) < 0.07


@pytest.mark.parametrize(
    ("ink", "options", "message"),
    [
        (np.zeros((4, 4)), {}, "must not be blank"),
        (np.full((4, 4), 2.0), {}, r"must lie in \[0, 1\]"),
        (np.full((4, 4), np.nan), {}, r"must lie in \[0, 1\]"),
        (np.ones(4), {}, r"must have shape \(H, W\), got \(4,\)"),
        (np.ones((4, 0)), {}, r"must have shape \(H, W\)"),
        (np.ones((4, 4)), {"components": 0}, "components must be at least 1, got 0"),
        (np.ones((4, 4)), {"extent": 0.0}, "extent must be positive and finite, got 0"),
    ],
)
def test_bad_ink_is_refused(ink, options, message):
    with pytest.raises(ValueError, match=message):
        from_ink(ink, **options)


@pytest.mark.parametrize("text", ["Gauß", "Émile", "E\u0301mile", "σ", "Ж", "扩散模型", "?"])
def test_words_are_written_in_many_scripts(text):
    assert word(text).components > 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "1 to 12 characters, got 0"),
        ("thirteen characters", "1 to 12 characters, got 19"),
        ("☃", "characters that the font has, got '☃'"),
        ("a\nb", "characters that the font has"),
    ],
)
def test_words_that_cannot_be_written_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        word(text)


def test_checkerboard_has_empty_squares():
    board = checkerboard()
    side = 2 * 1.72 / 4  # a board of variance 1 spans about ±√3
    centres = (torch.arange(4) - 1.5) * side
    log_p = board.log_prob(torch.cartesian_prod(centres, centres).double()).reshape(4, 4)
    dark = (torch.arange(4)[:, None] + torch.arange(4)) % 2 == 1
    assert log_p[dark].min() > log_p[~dark].max() + 4
