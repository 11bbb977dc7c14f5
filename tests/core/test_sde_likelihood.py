"""Likelihood through the ODE: against the true p_1 it is the truth, against the prior it is not."""

import pytest
import torch

from core.densities import PRESETS, GaussianMixture, eight_gaussians
from core.sde import (
    VE,
    VP,
    Cosine,
    Drawn,
    ExactScore,
    SubVP,
    log_likelihood,
    score_and_divergence,
)

PROCESSES = [VP(), SubVP(), VE(), VP(Cosine()), VP(Drawn((0.0, 5.0, 2.0, 30.0)))]


def narrow(std):
    return GaussianMixture(torch.ones(1), torch.tensor([[0.3, -0.4]]), torch.tensor([std]))


def points(density, n=32, dtype=torch.float64, device="cpu"):
    return density.sample(n, generator=torch.Generator(device).manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("sde", PROCESSES, ids=repr)
@pytest.mark.parametrize("std", [0.02, 0.1, 1.0])
def test_a_narrow_gaussian_has_its_true_likelihood_against_the_true_end(sde, std, device):
    density = narrow(std)
    x = points(density, device=device)
    found = log_likelihood(x, sde, ExactScore(density, sde), prior="exact", eps=0)
    assert (found.log_prob - density.log_prob(x)).abs().max() < 1e-4
    at_eps = log_likelihood(x, sde, ExactScore(density, sde), prior="exact")
    assert (at_eps.log_prob - density.log_prob(x, sde, 1e-5)).abs().max() < 1e-4
    assert found.prior == "exact"


def test_against_the_prior_it_carries_the_mismatch():
    sde, density = VP(), narrow(0.1)
    score, x = ExactScore(density, sde), points(density)
    model = log_likelihood(x, sde, score, eps=0)
    true = log_likelihood(x, sde, score, prior="exact", eps=0)
    gap = model.log_prob - true.log_prob
    assert model.prior == "standard"
    assert 1e-3 < gap.abs().max() < 2e-2
    # The gap is that of the two end densities at the end of the same road, nothing else.
    end = model.positions[-1]
    expected = sde.prior_log_prob(end) - density.log_prob(end, sde, 1.0)
    torch.testing.assert_close(gap, expected, rtol=0, atol=1e-9)
    given = log_likelihood(x, sde, score, prior=sde.prior_log_prob, eps=0)
    torch.testing.assert_close(given.log_prob, model.log_prob)
    assert given.prior == "given"


@pytest.mark.parametrize("sde", PROCESSES[:3], ids=repr)
@pytest.mark.parametrize("make", PRESETS.values())
def test_mixtures_have_their_true_likelihood(sde, make):
    density = make()
    x = points(density)
    found = log_likelihood(x, sde, ExactScore(density, sde), prior="exact")
    assert (found.log_prob - density.log_prob(x, sde, 1e-5)).abs().max() < 1e-4


def test_the_road_leads_from_the_points_to_noise():
    sde, density = VP(), eight_gaussians()
    x = points(density)
    found = log_likelihood(x, sde, ExactScore(density, sde))
    assert torch.equal(found.positions[0], x)
    assert len(found.positions) == len(found.times)
    assert float(found.times[0]) == pytest.approx(1e-5)
    assert float(found.times[-1]) == pytest.approx(1)
    assert (found.times.diff() > 0).all()
    assert found.evaluations % 6 == 2  # a start, a trial, and six a step


def test_float32_is_enough():
    sde, density = VP(), eight_gaussians()
    x = points(density, dtype=torch.float32)
    found = log_likelihood(x, sde, ExactScore(density, sde), prior="exact")
    assert found.log_prob.dtype == torch.float32
    exact = density.log_prob(x.double(), sde, 1e-5)
    assert (found.log_prob.double() - exact).abs().max() < 1e-3


def test_any_score_is_differentiated_exactly():
    sde, density = SubVP(), eight_gaussians()
    exact, x = ExactScore(density, sde), points(density)
    t = torch.tensor(0.3, dtype=torch.float64)
    score, divergence = score_and_divergence(lambda x, t: exact(x, t), x, t)
    expected = exact.with_divergence(x, t)
    torch.testing.assert_close(score, expected[0])
    torch.testing.assert_close(divergence, expected[1], rtol=1e-9, atol=1e-9)
    assert not score.requires_grad
    anonymous = log_likelihood(x[:4], sde, lambda x, t: exact(x, t))
    torch.testing.assert_close(
        anonymous.log_prob, log_likelihood(x[:4], sde, exact).log_prob, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": torch.zeros(3)}, r"x must have shape \(N, D\), got \(3,\)"),
        ({"eps": 1.0}, r"eps must be in \[0, 1\), got 1"),
        ({"prior": "flat"}, '"standard", "exact" or a function, got \'flat\''),
        ({"prior": "exact"}, "needs an ExactScore"),
        ({"tolerance": 0.0}, "tolerance must be between 0 and 1, got 0"),
    ],
)
def test_bad_requests_are_refused(options, message):
    request = {"x": torch.zeros(3, 2), "sde": VP(), "score": lambda x, t: -x, **options}
    with pytest.raises(ValueError, match=message):
        log_likelihood(**request)
